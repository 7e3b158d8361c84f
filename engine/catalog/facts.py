"""The SQL that decides when a stored fact is about an entry as it is now, and which fact or listing is the newest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.catalog.database import read_files
from engine.model import ADOPTED, HELD_BACK, SAME_CONTENT, Action, Kind

IDENTITY_COLUMNS = ("kind", "size", "mtime_ns", "ctime_ns", "dev", "inode")
FACT_COLUMNS = ("dir", "name", *IDENTITY_COLUMNS, "finished_ns")

FOUND_THERE = (ADOPTED, SAME_CONTENT, HELD_BACK)
"""Reasons of SKIPPED results that say that the destination holds the entry; held back: but for its metadata."""

AT_DESTINATION = f"(action = {int(Action.TRANSFERRED)} OR (action = {int(Action.SKIPPED)} AND reason IN {FOUND_THERE}))"
"""SQL that is true of results that say so."""


def same_identity(fact: str, entry: str) -> str:
    """SQL that is true if alias ``fact`` was made from exactly what alias ``entry`` describes.

    The size counts for files alone: that of a folder or link says nothing that its ctime does not.
    """
    compared = ("mtime_ns", "ctime_ns", "dev", "inode")
    rest = " AND ".join(f"{fact}.{column} IS NOT DISTINCT FROM {entry}.{column}" for column in compared)
    return (
        f"({fact}.kind = {entry}.kind AND ({entry}.kind <> {int(Kind.FILE)} OR {fact}.size = {entry}.size) AND {rest})"
    )


def listed_folders(entries: Sequence[Path], *, failed: bool) -> str:
    """SQL of the folders whose listing came to its end, each with the newest such ``listing``.

    ``failed``: also those that ended with an error.
    """
    well = "" if failed else " HAVING max_by(error IS NULL, listing)"
    closing = f"kind = {int(Kind.LISTED)}"
    return f"(SELECT dir, max(listing) AS listing FROM {read_files(entries)} WHERE {closing} GROUP BY dir{well})"


def valid_entries(entries: Sequence[Path], *, failed: bool, filename: bool = False) -> str:
    """SQL of the rows that count: those of the newest listing of their folder that came to its end.

    Its LISTED row is included. ``failed``: also of folders where that listing ended with an error. ``filename``: with a
    column of this name, which says in which file a row is.
    """
    folders = listed_folders(entries, failed=failed)
    return f"(SELECT e.* FROM {read_files(entries, filename=filename)} e JOIN {folders} l USING (dir, listing))"


def broken_listings(entries: Sequence[Path]) -> str:
    """SQL of the listings whose rows do not count: (dir, listing)."""
    folders = listed_folders(entries, failed=False)
    return f"(SELECT DISTINCT dir, listing FROM {read_files(entries)} e ANTI JOIN {folders} l USING (dir, listing))"
