"""Segments: Parquet files of entries or of results, each a commit's worth; they count once a journal names them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.catalog.files import replacing
from engine.catalog.merging import newest_first
from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Fate, Kind

CHUNK_ROWS = 10_000
"""Most rows of a row group of entries: what a coordinator turns into work at once."""

RESULT_GROUP_ROWS = 120_000
"""Rows of a row group of results: large ones read fast, and smaller ones would not narrow a search."""

COMPRESSION_LEVEL = 1
_REPEATING = ["dir", "kind", "fate", "task", "listing", "mode", "uid", "gid", "dev", "nlink", "rdev"]
_GROUPS_KEY = b"xsync.groups"
_footers = Lock()


class RowGroup(NamedTuple):
    """A row group of entries: all rows of one task. ``files`` and ``bytes`` are of its candidates, folders left out."""

    number: int
    task: int
    rows: int
    files: int
    bytes: int


class Written(NamedTuple):
    """A segment on disk. ``bytes``: size of the file. ``groups`` is empty for results."""

    path: Path
    rows: int
    bytes: int
    groups: tuple[RowGroup, ...] = ()

    @property
    def info(self) -> dict[str, Any]:
        """What the journal keeps about the segment, as JSON."""
        return {"groups": [list(group) for group in self.groups]} if self.groups else {}


def write_entries(path: Path, rows: pa.Table) -> Written:
    """Write ENTRY_SCHEMA rows in row groups of one task and at most CHUNK_ROWS rows, in order. Raises OSError."""
    chunks = list(_chunks(rows))
    groups = tuple(_row_group(number, task, chunk) for number, (task, chunk) in enumerate(chunks))
    with replacing(path) as file, entries_writer(file) as writer:
        for _, chunk in chunks:
            writer.write_table(chunk, row_group_size=CHUNK_ROWS)
        writer.add_key_value_metadata({_GROUPS_KEY: json.dumps(groups).encode()})
    return Written(path, rows.num_rows, path.stat().st_size, groups)


def write_results(path: Path, rows: pa.Table) -> Written:
    """Write RESULT_SCHEMA rows, sorted by (dir, name), of each path the newest. Raises OSError."""
    ordered = newest_first(rows)
    with replacing(path) as file, results_writer(file, ordered.schema) as writer:
        writer.write_table(ordered, row_group_size=RESULT_GROUP_ROWS)
    return Written(path, ordered.num_rows, path.stat().st_size)


def entries_writer(file: BinaryIO, schema: pa.Schema = ENTRY_SCHEMA, *, fast: bool = False) -> pq.ParquetWriter:
    """A writer of ENTRY_SCHEMA rows or of some of their columns.

    ``fast``: in half the time, but twice as large and without statistics. Only columns that repeat get a dictionary, as
    building one costs time.
    """
    return pq.ParquetWriter(
        file,
        schema,
        compression="lz4" if fast else "zstd",
        compression_level=None if fast else COMPRESSION_LEVEL,
        use_dictionary=False if fast else [name for name in _REPEATING if name in schema.names],
        write_statistics=not fast,
        write_batch_size=CHUNK_ROWS if fast else None,
    )


def results_writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of rows in RESULT_SCHEMA or made of its columns."""
    return pq.ParquetWriter(file, schema, compression="zstd", compression_level=COMPRESSION_LEVEL)


def row_groups(path: Path) -> tuple[RowGroup, ...]:
    """The row groups of a segment of entries, from its footer alone. Raises OSError."""
    with pq.ParquetFile(path) as file:
        groups = json.loads(file.metadata.metadata[_GROUPS_KEY])
    return tuple(RowGroup(*group) for group in groups)


def read_row_group(path: Path, number: int) -> pa.Table:
    """One row group of a segment. Raises OSError."""
    about = path.stat()
    with _footers:  # one thread reads it, and the others have it
        footer = _footer(path, about.st_ino, about.st_mtime_ns)
    with pq.ParquetFile(path, metadata=footer) as file:
        rows = file.read_row_group(number, use_threads=False)
    return rows.replace_schema_metadata(None)  # what the footer says of all groups would go along with each of them


def candidates(rows: pa.Table) -> pa.Table:
    """The ENTRY_SCHEMA rows that belong to the dataset, can be read, and are of a kind that is copied."""
    kinds = pa.array([int(Kind.FILE), int(Kind.SYMLINK), int(Kind.FOLDER), int(Kind.DEVICE)], pa.uint8())
    wanted = pc.and_(pc.is_in(rows["kind"], kinds), pc.equal(rows["fate"], int(Fate.CANDIDATE)))
    return rows.filter(wanted)


@lru_cache(maxsize=2)
def _footer(path: Path, _inode: int, _mtime_ns: int) -> pq.FileMetaData:
    """Of a segment as it is: with hundreds of row groups it takes longer to read than any of them."""
    return pq.read_metadata(path)


def _chunks(rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Slices of one task each, rows in their order; one sort, as a filter for each task would look at all rows."""
    rows = rows.combine_chunks()
    counts = {each["values"]: each["counts"] for each in pc.value_counts(rows["task"]).to_pylist()}
    if len(counts) > 1:
        rows = rows.take(pc.sort_indices(rows, [("task", "ascending")]))  # which is stable
    first = 0
    for task, count in sorted(counts.items()):
        for start in range(0, count, CHUNK_ROWS):
            yield task, rows.slice(first + start, min(CHUNK_ROWS, count - start))
        first += count


def _row_group(number: int, task: int, rows: pa.Table) -> RowGroup:
    found = candidates(rows.select(["kind", "fate", "size"]))
    files = found.filter(pc.not_equal(found["kind"], int(Kind.FOLDER)))
    return RowGroup(number, task, rows.num_rows, files.num_rows, pc.sum(files["size"]).as_py() or 0)
