"""Faults for tests: a proxy that misbehaves on purpose, and what it takes to run an engine against it."""
