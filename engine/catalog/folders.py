"""Folders in the order in which their last metadata can be set: deepest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from engine.catalog.database import database, read_files
from engine.catalog.facts import valid_entries
from engine.catalog.totals import MEMORY_BYTES
from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Fate, Kind

BATCH_FOLDERS = 5_000
"""Folders in one batch."""


def folders_deepest_first(entries: Sequence[Path], spill: Path) -> Iterator[pa.Table]:
    """The folders that belong to the dataset as ENTRY_SCHEMA rows, children before parents, the root last."""
    if not entries:
        return
    path = "CASE WHEN dir = ''::BLOB THEN name ELSE dir || '/'::BLOB || name END"
    depth = f"len(string_split(hex({path}), '2F'))"
    query = f"""
        SELECT {", ".join(ENTRY_SCHEMA.names)} FROM {valid_entries(entries, failed=True)}
        WHERE kind = {int(Kind.FOLDER)} AND fate = {int(Fate.CANDIDATE)}
        ORDER BY name = ''::BLOB, {depth} DESC, dir, name"""
    with database(spill, MEMORY_BYTES) as connection:
        for batch in connection.sql(query).to_arrow_reader(BATCH_FOLDERS):
            yield pa.Table.from_batches([batch]).cast(ENTRY_SCHEMA)


def folders_with_entries(entries: Sequence[Path], spill: Path) -> Iterator[bytes]:
    """Folders of which anything was listed, also where that listing never came to its end."""
    if not entries:
        return
    with database(spill, MEMORY_BYTES) as connection:
        for batch in connection.sql(f"SELECT DISTINCT dir FROM {read_files(entries)}").to_arrow_reader(BATCH_FOLDERS):
            yield from batch.column("dir").to_pylist()
