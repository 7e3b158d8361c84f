"""Files with several names: which name of each is copied, and which are linked to it then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.catalog.database import database, read_files, stream
from engine.catalog.facts import valid_entries
from engine.catalog.files import replacing
from engine.catalog.folders import BATCH_FOLDERS
from engine.catalog.segments import CHUNK_ROWS, entries_writer
from engine.catalog.totals import MEMORY_BYTES
from engine.locations.listing import ENTRY_SCHEMA, LEADER
from engine.model import Action, Fate, Kind

LINKS_SCHEMA = ENTRY_SCHEMA.append(pa.field(LEADER, pa.binary())).append(pa.field("segment", pa.string()))
"""``segment``: file name of the segment that a row comes from."""


class LinkRows(NamedTuple):
    """A row group of the file that ``write_links`` makes. ``follows``: its rows have a leader."""

    number: int
    task: int
    follows: bool
    files: int
    bytes: int


def write_links(entries: Sequence[Path], out: Path, spill: Path) -> list[LinkRows]:
    """Write the candidates among ``entries`` that have several names to ``out``: leaders first, by task and path.

    The leader of a file is the first of its names in byte order that belong to the dataset. Takes about MEMORY_BYTES,
    however many there are. Raises JournalError, OSError.
    """
    if not entries:
        return []
    groups: list[LinkRows] = []
    with (
        database(spill, MEMORY_BYTES) as connection,
        replacing(out) as file,
        entries_writer(file, LINKS_SCHEMA, fast=True) as writer,
    ):
        for follows, rows in _chunks(stream(connection, _query(entries))):
            writer.write_table(rows, row_group_size=CHUNK_ROWS)
            size = pc.sum(rows["size"]).as_py() or 0
            groups.append(LinkRows(len(groups), rows["task"][0].as_py(), follows, rows.num_rows, size))
    return groups


def read_links(path: Path, number: int) -> pa.Table:
    """One row group of such a file, in LINKS_SCHEMA. Raises OSError."""
    with pq.ParquetFile(path) as file:
        return file.read_row_group(number, use_threads=False)


def has_links(rows: pa.Table) -> pa.Array:
    """Which of ENTRY_SCHEMA rows are files that have several names."""
    is_file = pc.and_(pc.equal(rows["kind"], int(Kind.FILE)), pc.equal(rows["fate"], int(Fate.CANDIDATE)))
    return pc.and_(is_file, pc.greater(pc.fill_null(rows["nlink"], 1), 1))


def _chunks(batches: Iterator[pa.Table]) -> Iterator[tuple[bool, pa.Table]]:
    """Row groups of one task whose rows all have a leader, or none has."""
    for batch in batches:
        rows = batch.cast(LINKS_SCHEMA)
        for follows in (False, True):
            kind = rows.filter(pc.equal(pc.is_valid(rows[LEADER]), follows))
            for task in pc.unique(kind["task"]).to_pylist():
                own = kind.filter(pc.equal(kind["task"], task))
                for start in range(0, own.num_rows, CHUNK_ROWS):
                    yield follows, own.slice(start, CHUNK_ROWS).combine_chunks()


def _query(entries: Sequence[Path]) -> str:
    path = "CASE WHEN dir = ''::BLOB THEN name ELSE dir || '/'::BLOB || name END"
    wanted = f"kind = {int(Kind.FILE)} AND fate = {int(Fate.CANDIDATE)} AND nlink > 1"
    columns = ", ".join(f"n.{name}" for name in ENTRY_SCHEMA.names)
    valid = valid_entries(entries, failed=True, filename=True)
    return f"""
        WITH n AS (SELECT *, {path} AS path FROM {valid} WHERE {wanted}),
             g AS (SELECT dev, inode, min(path) AS first FROM n GROUP BY dev, inode)
        SELECT {columns}, CASE WHEN n.path = g.first THEN NULL ELSE g.first END AS {LEADER},
               parse_filename(n.filename) AS segment
        FROM n JOIN g USING (dev, inode) ORDER BY {LEADER} IS NOT NULL, n.task, n.dir, n.name"""


def restored_links(results: Sequence[Path], spill: Path) -> Iterator[pa.Table]:
    """Files restored from objects that had been one file: (dir, name) and the path of the first of them, in batches.

    Those that have the same ``link``, checksum and size, by the newest result of each.
    """
    if not results:
        return
    path = "CASE WHEN dir = ''::BLOB THEN name ELSE dir || '/'::BLOB || name END"
    query = f"""
        WITH r AS (SELECT dir, name, {path} AS path, link, checksum, size FROM {read_files(results)}
                   WHERE action = {int(Action.TRANSFERRED)} AND link IS NOT NULL
                   QUALIFY row_number() OVER (PARTITION BY dir, name ORDER BY finished_ns DESC) = 1),
             g AS (SELECT link, checksum, size, min(path) AS first FROM r GROUP BY ALL HAVING count(*) > 1)
        SELECT dir, name, g.first AS {LEADER} FROM r JOIN g USING (link, checksum, size)
        WHERE path <> g.first ORDER BY dir, name"""
    with database(spill, MEMORY_BYTES) as connection:
        for batch in connection.sql(query).to_arrow_reader(BATCH_FOLDERS):
            if batch.num_rows:
                yield pa.Table.from_batches([batch])
