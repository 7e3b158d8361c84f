"""xsync's engine: usable headless; never imports the screens."""

__version__ = "0.1.0"
