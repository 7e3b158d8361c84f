"""Buckets as locations, on the real server and on ones that answer as told."""
