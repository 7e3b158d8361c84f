"""Screens: each samples values through the bridge and hands them to drawing functions. See ``places.py``."""
