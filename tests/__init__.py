"""Tests of xsync; shared parts are in conftest.py."""
