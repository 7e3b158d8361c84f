"""A journal file open for writing: one connection, one thread, transactions that join."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, cast

from engine.errors import JournalError
from engine.home import JOURNAL_NAME
from engine.journal.schema import translated


class Store:
    """Statements and transactions on the journal in ``folder``. Belongs to the thread that opened ``db``."""

    def __init__(self, folder: Path, db: sqlite3.Connection) -> None:
        self.folder = folder
        self._db = db
        self._inside = False

    def close(self) -> None:
        """Close it; idempotent."""
        with translated(self._path):
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything written inside together, or nothing if an exception leaves it; nested ones join the outer.

        Do not await inside. Raises JournalError, StorageFullError.
        """
        if self._inside:
            if not self._db.in_transaction:
                raise JournalError(f"The transaction on {self._path} was rolled back by an earlier error.")
            with translated(self._path):
                yield
            return
        with translated(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            self._inside = True
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.rollback()
                raise
            finally:
                self._inside = False

    @property
    def _path(self) -> Path:
        return self.folder / JOURNAL_NAME

    def _run(self, statement: str, *values: object) -> int:
        """Execute one statement in a transaction; returns the id of an inserted row."""
        with self.transaction():
            return cast("int", self._db.execute(statement, values).lastrowid)

    def _run_many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self.transaction():
            self._db.executemany(statement, rows)

    def _rows(self, query: str, *values: object) -> list[Any]:
        with translated(self._path):
            return self._db.execute(query, values).fetchall()
