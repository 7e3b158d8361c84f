"""One suite that every location adapter passes."""
