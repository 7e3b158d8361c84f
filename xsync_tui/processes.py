"""What an app has to do before a thread of it may start processes."""

from __future__ import annotations

import contextlib
import sys
from multiprocessing import resource_tracker


def start_resource_tracker() -> None:
    """Start what multiprocessing needs for that: it hands on the descriptor of stderr, and an app's stderr has none."""
    with contextlib.redirect_stderr(sys.__stderr__):
        resource_tracker.ensure_running()
