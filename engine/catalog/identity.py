"""When a stored fact is about an entry as it is now, as SQL only then does it hold."""

from __future__ import annotations

from engine.model import Kind

IDENTITY_COLUMNS = ("kind", "size", "mtime_ns", "ctime_ns", "dev", "inode")


def same_identity(fact: str, entry: str) -> str:
    """SQL that is true if alias ``fact`` was made from what alias ``entry`` describes.

    The size counts for files alone: that of a folder or link says nothing that its ctime does not.
    """
    compared = ("mtime_ns", "ctime_ns", "dev", "inode")
    times = " AND ".join(f"{fact}.{column} IS NOT DISTINCT FROM {entry}.{column}" for column in compared)
    size = f"({entry}.kind <> {int(Kind.FILE)} OR {fact}.size = {entry}.size)"
    return f"({fact}.kind = {entry}.kind AND {size} AND {times})"
