"""Measured facts about a dataset."""
