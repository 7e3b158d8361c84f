"""The app in a browser: on loopback, behind a token and TLS. Needs the extra ``serve``."""
