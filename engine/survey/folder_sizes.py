"""What sizes the files in each folder of a folder have: which folders a size is in, and which sizes a folder. SQL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.catalog.database import database
from engine.catalog.stopping import Stopper
from engine.names import text_of
from engine.planning.sizes import ROWS
from engine.planning.values import SizeBin
from engine.survey.columns import IS_FILE, MEMORY_BYTES, open_catalog
from engine.survey.facts import FolderSizes, SizesInside
from engine.survey.folders import child_of, inside

MOST_FOLDERS = 1_000
"""Folders that are told of in each row of sizes: those with most bytes, and as many of those with most files."""


def sizes_in(segments: Sequence[Path], spill: Path, folder: bytes, stopper: Stopper | None = None) -> SizesInside:
    """The sizes in ``folder`` and in each folder in it, in the rows of planning.sizes; one pass over the catalog.

    ``stopper`` can end it. Raises OSError, JournalError.
    """
    rows = " ".join(f"WHEN size < {each.high} THEN {index}" for index, each in enumerate(ROWS[:-1]))
    sums = "sum(files)::BIGINT AS files, sum(bytes)::BIGINT AS bytes, max(largest) AS largest"
    rank = "row_number() OVER (PARTITION BY bin ORDER BY"
    with database(spill, MEMORY_BYTES) as connection:
        if stopper is not None:
            stopper.hold(connection)
        open_catalog(connection, segments)
        connection.execute(f"""
            CREATE TEMP TABLE sizes AS
            WITH sums AS (
                SELECT dir, CASE {rows} ELSE {len(ROWS) - 1} END AS bin,
                       count(*) AS files, sum(size) AS bytes, max(size) AS largest
                FROM entries WHERE {IS_FILE} AND {inside(folder)} GROUP BY dir, bin)
            SELECT path, bin, {sums} FROM (
                SELECT {child_of(folder)} AS path, * EXCLUDE (text) FROM (SELECT dir::VARCHAR AS text, * FROM sums))
            GROUP BY path, bin""")
        whole = connection.sql(f"SELECT bin, {sums} FROM sizes GROUP BY bin ORDER BY bin").fetchall()
        found = connection.sql(f"""
            SELECT path::BLOB, bin, files, bytes, largest FROM sizes
            QUALIFY {rank} bytes DESC, path) <= {MOST_FOLDERS} OR {rank} files DESC, path) <= {MOST_FOLDERS}
            ORDER BY path, bin""").fetchall()
    by_path: dict[bytes, list[Any]] = {}
    for path, *row in found:
        by_path.setdefault(path, []).append(row)
    folders = {text_of(path): _sizes(own) for path, own in by_path.items()}
    return SizesInside(_sizes(whole), folders.get(text_of(folder), FolderSizes()), folders)


def _sizes(rows: Sequence[Any]) -> FolderSizes:
    bins = tuple(SizeBin(ROWS[index].low, ROWS[index].high, files, size) for index, files, size, _ in rows)
    return FolderSizes(bins, max((largest for *_, largest in rows), default=0))
