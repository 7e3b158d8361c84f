"""What people ask of a runner: written into its journal by any process of the account, answered by the runner."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from engine.errors import UsageError
from engine.home import JOURNAL_NAME
from engine.journal.records import VERBS
from engine.journal.schema import connect, storable, translated

KEPT_COMMANDS = 1000
"""Answered commands older than the last so many are dropped."""


def ask(folder: Path, verb: str, arguments: Mapping[str, object], who: str) -> int:
    """Ask the runner of the execution in ``folder`` to do something; returns the id under which it answers.

    ``arguments``: JSON values, as ``{"agent": "a2"}`` or ``{"bytes_per_second": 250000000}``. ``who``: shown beside it.
    It is durable on return. Raises UsageError for an unknown verb, JournalError if the journal cannot be written.
    """
    if verb not in VERBS:
        raise UsageError(f"A runner cannot be asked to {verb!r}. It knows: {', '.join(VERBS)}.")
    db = connect(folder, "rw")
    try:
        with translated(folder / JOURNAL_NAME):
            db.execute("BEGIN IMMEDIATE")
            values = (time.time(), storable(who), verb, msgspec.json.encode(arguments).decode())
            cursor = db.execute("INSERT INTO commands (asked_at, who, verb, arguments) VALUES (?, ?, ?, ?)", values)
            asked = cast("int", cursor.lastrowid)
            db.execute("DELETE FROM commands WHERE acknowledged_at IS NOT NULL AND id <= ?", (asked - KEPT_COMMANDS,))
            db.execute("COMMIT")
    finally:
        db.close()
    return asked


def outcome_of(folder: Path, command: int) -> str | None:
    """What the runner answered to a command, or None while it has not. Raises JournalError."""
    db = connect(folder, "ro")
    try:
        with translated(folder / JOURNAL_NAME):
            found = db.execute("SELECT outcome FROM commands WHERE id = ?", (command,)).fetchone()
    finally:
        db.close()
    return None if found is None else found[0]
