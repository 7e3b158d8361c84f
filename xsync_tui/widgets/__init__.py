"""Widgets that show rows of text."""
