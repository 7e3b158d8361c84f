"""Tests of screens and commands."""
