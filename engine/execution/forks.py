"""The fork server that agents come from. Imports nothing heavy, so that it can start before anything else does."""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

PRELOADED = ["engine.execution.agent", "engine.locations.posix", "engine.locations.s3", "pyarrow.compute"]
"""What all agents import, so that they share it and start at once; never awscrt, which does not survive a fork."""


def fork_server() -> ForkServerContext:
    """The context that agents are started in; its server starts with the first of them, or before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def start_early() -> None:
    """Start the server now: it imports on another core while this process does its own imports."""
    fork_server()
    forkserver.ensure_running()
