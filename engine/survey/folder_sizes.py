"""What sizes the files in each folder of a folder have: which folders a size is in, and which sizes a folder. SQL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.catalog.database import database
from engine.names import text_of
from engine.planning.values import SizeBin
from engine.survey.columns import IS_FILE, MEMORY_BYTES, open_catalog
from engine.survey.counting import BOUNDS
from engine.survey.facts import FolderSizes
from engine.survey.folders import child_of, inside


def sizes_in(segments: Sequence[Path], spill: Path, folder: bytes) -> dict[str, FolderSizes]:
    """The sizes in each folder in ``folder``, by its path as text; as itself those of the files directly in it.

    Folders without a file are left out. One pass over the catalog. Raises OSError, JournalError.
    """
    tens = " ".join(f"WHEN size < {high} THEN {index}" for index, high in enumerate(BOUNDS[1:-1]))
    with database(spill, MEMORY_BYTES) as connection:
        open_catalog(connection, segments)
        rows = connection.sql(f"""
            WITH sums AS (
                SELECT dir, CASE {tens} ELSE {len(BOUNDS) - 2} END AS bin,
                       count(*) AS files, sum(size)::BIGINT AS bytes, max(size) AS largest
                FROM entries WHERE {IS_FILE} AND {inside(folder)} GROUP BY dir, bin)
            SELECT path::BLOB, bin, sum(files)::BIGINT, sum(bytes)::BIGINT, max(largest)
            FROM (SELECT {child_of(folder)} AS path, bin, files, bytes, largest FROM (
                SELECT dir::VARCHAR AS text, * FROM sums))
            GROUP BY path, bin ORDER BY path, bin""").fetchall()
    found: dict[str, FolderSizes] = {}
    for path, number, files, size, largest in rows:
        have = found.get(text_of(path), FolderSizes((), 0))
        each = SizeBin(BOUNDS[number], BOUNDS[number + 1], files, size)
        found[text_of(path)] = FolderSizes((*have.bins, each), max(have.largest, largest))
    return found
