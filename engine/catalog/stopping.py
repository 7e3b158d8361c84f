"""Ends queries early, from another thread. Without DuckDB itself, so that a screen can have one at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from engine.errors import JournalError

if TYPE_CHECKING:
    from engine.catalog.database import Connection


class Stopper:
    """Makes queries raise JournalError: the one that works, and all that come after it."""

    def __init__(self) -> None:
        self.stopped = False
        self._held: Connection | None = None

    def hold(self, connection: Connection) -> None:
        """Called with each connection before its query. Raises JournalError once it is stopped."""
        self._held = connection
        if self.stopped:
            raise JournalError("stopped before it was asked")

    def stop(self) -> None:
        """End it."""
        self.stopped = True
        if self._held is not None:
            import duckdb

            with suppress(duckdb.Error):  # closed meanwhile
                self._held.interrupt()
