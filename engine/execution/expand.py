"""Turns listed entries into work: what is known drops out, small entries make batches, large files stand alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute

from engine.catalog.delta import Known
from engine.catalog.segments import read_row_group
from engine.execution.messages import Batch, Chunk, ChunkExpanded, LargeFile
from engine.model import Kind
from engine.transfer.units import to_ipc

SMALL_BYTES = 32 << 20
"""Largest file that is sent as one body; larger ones go in parts."""

BATCH_ROWS = 1_000
"""Entries an agent gets at once: enough to make a message cheap, few enough to do again after a crash."""

BATCH_BYTES = 64 << 20
"""Bytes an agent gets at once."""


class Expanded(NamedTuple):
    """The event for the coordinator, and the rows that need no work."""

    event: ChunkExpanded
    unchanged: pa.Table


def expand(chunk: Chunk, folder: Path, known: Known, *, real_folders: bool) -> Expanded:
    """Read a chunk from its segment in ``folder`` and compare it with what is known.

    A destination with real folders gets them with their last metadata when all else is done, so that their rows are
    left out here; at an object store they are markers, and the root has none.
    """
    rows = read_row_group(folder / chunk.segment, chunk.row_group)
    is_folder = pa.compute.equal(rows["kind"], int(Kind.FOLDER))
    if real_folders:
        rows, markerless = rows.filter(pa.compute.invert(is_folder)), rows.slice(0, 0)
    else:
        is_root = _and(is_folder, pa.compute.equal(pa.compute.binary_length(rows["name"]), 0))
        rows, markerless = rows.filter(pa.compute.invert(is_root)), rows.filter(is_root)
    work, unchanged = known.work(rows)
    is_large = _and(pa.compute.equal(work["kind"], int(Kind.FILE)), pa.compute.greater(work["size"], SMALL_BYTES))
    large = [_large_file(row) for row in work.filter(is_large).to_pylist()]
    batches = list(_batches(work.filter(pa.compute.invert(is_large))))
    return Expanded(ChunkExpanded(chunk.task, batches, large), pa.concat_tables([unchanged, markerless]))


def _and(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.compute.and_(left, right)


def _large_file(row: dict[str, object]) -> LargeFile:
    folder, name = row["dir"], row["name"]
    assert isinstance(folder, bytes) and isinstance(name, bytes)
    path = folder + b"/" + name if folder else name
    return LargeFile(path, int(str(row["task"])), int(str(row["size"])), row)


def _batches(rows: pa.Table) -> Iterator[Batch]:
    sizes = [size or 0 for size in rows["size"].to_pylist()]
    start, total = 0, 0
    for index, size in enumerate(sizes):
        if index > start and (index - start >= BATCH_ROWS or total + size > BATCH_BYTES):
            yield Batch(to_ipc(rows.slice(start, index - start)), index - start, total)
            start, total = index, 0
        total += size
    if start < len(sizes):
        yield Batch(to_ipc(rows.slice(start)), len(sizes) - start, total)
