"""Runs by the clock: what is due, and the timers of the system that start it."""
