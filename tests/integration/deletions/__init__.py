"""Deletions end to end."""
