"""Runs that look at the destination as it is."""
