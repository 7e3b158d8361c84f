"""Whether a listing of the source can be trusted so far that what it lacks may be deleted elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.catalog.database import Connection, database, stream
from engine.catalog.facts import valid_entries
from engine.catalog.totals import COLLIDING
from engine.model import Fate, Kind

MEMORY_BYTES = 96 << 20
"""What a query keeps in memory, whatever the number of rows; its peak is about half above that."""

PATH = "CASE WHEN dir = ''::BLOB THEN name ELSE dir || '/'::BLOB || name END"
"""SQL of the path of an entry."""


def listing_errors(entries: Sequence[Path], spill: Path) -> int:
    """Folders and entries of the source that could not be read. Raises JournalError.

    A file that only shares the key of another was: nothing about it is unknown.
    """
    if not entries:
        return 0
    known = f"kind <> {int(Kind.FOLDER)} AND {COLLIDING}"
    wrong = f"(error IS NOT NULL OR fate = {int(Fate.UNREADABLE)}) AND NOT ({known})"
    with database(spill, MEMORY_BYTES) as connection:
        return number_of(connection, f"SELECT count(*) FROM {valid_entries(entries, failed=True)} WHERE {wrong}")


def is_empty(entries: Sequence[Path], spill: Path) -> bool:
    """Whether no file, link or special of the source lies inside the filters. Raises JournalError."""
    if not entries:
        return True
    kinds = f"{int(Kind.FILE)}, {int(Kind.SYMLINK)}, {int(Kind.SPECIAL)}"
    held = f"kind IN ({kinds}) AND fate = {int(Fate.CANDIDATE)}"
    with database(spill, MEMORY_BYTES) as connection:
        return not number_of(connection, f"SELECT count(*) FROM {valid_entries(entries, failed=False)} WHERE {held}")


def not_entered(entries: Sequence[Path], spill: Path) -> frozenset[bytes]:
    """Folders of the source on another device than its root: nothing below them was listed. Raises JournalError."""
    if not entries:
        return frozenset()
    listed = valid_entries(entries, failed=True)
    root = f"(SELECT max(dev) AS dev FROM {listed} WHERE dir = ''::BLOB AND name = ''::BLOB)"
    with database(spill, MEMORY_BYTES) as connection:
        rows = connection.sql(
            f"SELECT {PATH} FROM {listed} e, {root} r WHERE e.kind = {int(Kind.FOLDER)} AND e.dev <> r.dev"
        ).fetchall()
    return frozenset(path for (path,) in rows)


def not_listed(entries: Sequence[Path], paths: Collection[bytes], spill: Path) -> Iterator[tuple[bytes, bool]]:
    """Those of ``paths`` that are no file, link or special of the source, sorted, each with whether it is a folder.

    What lies in a folder that could not be listed is unknown, and not among them. Raises JournalError.
    """
    if not entries or not paths:
        return
    wanted = pa.table({"path": pa.array(sorted(paths), pa.binary())})
    listed = valid_entries(entries, failed=True)
    with database(spill, MEMORY_BYTES) as connection:
        connection.register("wanted", wanted)
        unknown = connection.sql(f"SELECT dir FROM {listed} WHERE kind = {int(Kind.LISTED)} AND error IS NOT NULL")
        closed = {folder for (folder,) in unknown.fetchall()}
        query = f"""
            SELECT path, coalesce(bool_or(kind = {int(Kind.FOLDER)}), false) AS folder FROM wanted
            LEFT JOIN (SELECT {PATH} AS path, kind FROM {listed} WHERE kind <> {int(Kind.LISTED)}) e USING (path)
            GROUP BY path HAVING count(kind) FILTER (kind <> {int(Kind.FOLDER)}) = 0 ORDER BY path"""
        for rows in stream(connection, query):
            for row in rows.to_pylist():
                if not closed.intersection(_above(row["path"])):
                    yield row["path"], row["folder"]


def _above(path: bytes) -> Iterator[bytes]:
    """The folders that lead to ``path``, the root included."""
    while path:
        path = path.rpartition(b"/")[0]
        yield path


def number_of(connection: Connection, query: str) -> int:
    """The one number that a query answers."""
    found: Any = connection.sql(query).fetchall()[0][0]
    return int(found)
