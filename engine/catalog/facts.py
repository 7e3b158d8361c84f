"""The SQL that decides when a stored fact is about an entry as it is now, and which fact or listing is the newest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.catalog.database import read_files
from engine.model import Kind

IDENTITY_COLUMNS = ("kind", "size", "mtime_ns", "ctime_ns", "dev", "inode")
FACT_COLUMNS = ("dir", "name", *IDENTITY_COLUMNS, "finished_ns")


def same_identity(fact: str, entry: str) -> str:
    """SQL that is true if alias ``fact`` was made from exactly what alias ``entry`` describes.

    The size counts for files alone: that of a folder or link says nothing that its ctime does not.
    """
    compared = ("mtime_ns", "ctime_ns", "dev", "inode")
    rest = " AND ".join(f"{fact}.{column} IS NOT DISTINCT FROM {entry}.{column}" for column in compared)
    return (
        f"({fact}.kind = {entry}.kind AND ({entry}.kind <> {int(Kind.FILE)} OR {fact}.size = {entry}.size) AND {rest})"
    )


def listed_folders(entries: Sequence[Path]) -> str:
    """SQL of the folders whose listing is complete, each with the newest such ``listing``."""
    return (
        f"(SELECT dir, max(listing) AS listing FROM {read_files(entries)} WHERE kind = {int(Kind.LISTED)} GROUP BY dir)"
    )


def valid_entries(entries: Sequence[Path]) -> str:
    """SQL of the rows that count: those of the newest complete listing of their folder, its LISTED row included."""
    return f"(SELECT e.* FROM {read_files(entries)} e JOIN {listed_folders(entries)} l USING (dir, listing))"
