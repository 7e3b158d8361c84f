"""The terminal app: commands and screens."""
