"""Tests that kill and break things."""
