"""Every drawing in every state, from made-up values: ``python -m xsync_tui.gallery``. Also makes the docs' pictures."""
