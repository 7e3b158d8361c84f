"""Measures xsync beside rclone and s5cmd on this machine: ``python -m tests.benchmarks --help``."""
