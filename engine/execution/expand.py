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
from engine.execution.orders import failed_rows
from engine.model import Kind
from engine.names import collisions, text_of
from engine.transfer.units import to_ipc

SMALL_BYTES = 32 << 20
"""Largest file that is sent as one body; larger ones go in parts."""

BATCH_ROWS = 1_000
"""Entries an agent gets at once: enough to make a message cheap, few enough to do again after a crash."""

BATCH_BYTES = 64 << 20
"""Bytes an agent gets at once."""


class Expanded(NamedTuple):
    """The event for the coordinator, the rows that need no work, and results of those that must not be sent."""

    event: ChunkExpanded
    unchanged: pa.Table
    failed: list[pa.Table]


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
    work, failed = (work, []) if real_folders else _without_twins(work)
    is_large = _and(pa.compute.equal(work["kind"], int(Kind.FILE)), pa.compute.greater(work["size"], SMALL_BYTES))
    large = [_large_file(row) for row in work.filter(is_large).to_pylist()]
    batches = list(_batches(work.filter(pa.compute.invert(is_large))))
    return Expanded(ChunkExpanded(chunk.task, batches, large), pa.concat_tables([unchanged, markerless]), failed)


def _without_twins(work: pa.Table) -> tuple[pa.Table, list[pa.Table]]:
    """Fail all but the first of the names in a folder that become one key; only escaped names can."""
    names = work["name"].to_pylist()
    if all(map(_is_text, names)):
        return work, []
    in_folder: dict[bytes, list[bytes]] = {}
    for folder, name in zip(work["dir"].to_pylist(), names, strict=True):
        in_folder.setdefault(folder, []).append(name)
    twins = {(folder, twin): owner for folder, found in in_folder.items() for twin, owner in collisions(found)}
    keys = zip(work["dir"].to_pylist(), names, strict=True)
    owners = [twins.get(key) for key in keys]
    kept = work.filter(pa.array([owner is None for owner in owners]))
    failed = [
        failed_rows(to_ipc(work.slice(row, 1)), "collides with another name", text_of(owner))
        for row, owner in enumerate(owners)
        if owner is not None
    ]
    return kept, failed


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


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
