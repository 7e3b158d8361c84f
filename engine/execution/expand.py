"""Turns listed entries into work: what is known drops out, small entries make batches, large files stand alone."""

from __future__ import annotations

from collections.abc import Iterator, Set
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute

from engine.catalog.delta import Known
from engine.catalog.links import has_links
from engine.catalog.segments import read_row_group
from engine.execution.coordination.messages import Batch, Chunk, ChunkExpanded, LargeFile
from engine.execution.orders import adopted_rows
from engine.model import Kind, Look
from engine.transfer.units import RESULT_SCHEMA, to_ipc

SMALL_BYTES = 32 << 20
"""Largest file that is sent as one body; larger ones go in parts."""

BATCH_ROWS = 1_000
"""Entries an agent gets at once: enough to make a message cheap, few enough to do again after a crash."""

BATCH_BYTES = 64 << 20
"""Bytes an agent gets at once, at most."""

LEAST_BATCH_BYTES = 1 << 20

BATCH_SECONDS = 2.0
"""Under a limit an agent gets what its share lets through in so long: the ledger moves when a batch is done."""


class Expanded(NamedTuple):
    """The event for the coordinator, the rows that need no work, and results of those that are not sent."""

    event: ChunkExpanded
    unchanged: pa.Table
    results: list[pa.Table]


class Before(NamedTuple):
    """What earlier sessions left: their segments of entries, and (folder, listing) of the rows that do not count."""

    segments: Set[str] = frozenset()
    broken: Set[tuple[bytes, int]] = frozenset()


def batch_bytes(share: float | None) -> int:
    """Bytes that an agent is to get at once if it may send ``share`` bytes/s; None: no limit."""
    return BATCH_BYTES if share is None else min(BATCH_BYTES, max(LEAST_BATCH_BYTES, int(share * BATCH_SECONDS)))


def expand(
    chunk: Chunk,
    folder: Path,
    known: Known,
    before: Before,
    *,
    real_folders: bool,
    links: bool = False,
    batch_bytes: int = BATCH_BYTES,
) -> Expanded:
    """Read a chunk from its segment in ``folder`` and compare it with what is known.

    What was done before a resume is in the ledger if its entry was listed then. For an entry that is listed again its
    result is recorded once more. A destination with real folders gets them with their last metadata when all else is
    done, so that their rows are left out here; at an object store they are markers. With ``links`` files that have
    several names are left out too (linking.py).
    """
    rows = read_row_group(folder / chunk.segment, chunk.row_group)
    is_old = chunk.segment in before.segments
    if is_old and before.broken:
        listings = zip(rows["dir"].to_pylist(), rows["listing"].to_pylist(), strict=True)
        rows = rows.filter(pa.array([listing not in before.broken for listing in listings], pa.bool_()))
    is_folder = pa.compute.equal(rows["kind"], int(Kind.FOLDER))
    if real_folders:
        rows = rows.filter(pa.compute.invert(is_folder))
    linked = 0
    if links and (linked := pa.compute.sum(is_linked := has_links(rows)).as_py() or 0):
        rows = rows.filter(pa.compute.invert(is_linked))
    delta = known.work(rows)
    results = []
    if delta.done.num_rows and not is_old:
        results.append(known.results_of(delta.done).select(RESULT_SCHEMA.names).cast(RESULT_SCHEMA))
    if delta.adopted is not None and delta.adopted.num_rows:
        results.append(adopted_rows(delta.adopted))
    large, small = split(delta.work)
    return Expanded(
        ChunkExpanded(chunk.task, list(batches_of(small, batch_bytes)), large, linked), delta.unchanged, results
    )


def _and(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.ChunkedArray:
    """Both; a folder of an object store has no size, and is not large."""
    return pa.compute.fill_null(pa.compute.and_(left, right), False)


def split(work: pa.Table) -> tuple[list[LargeFile], pa.Table]:
    """What goes in parts, and the rest: also what an agent looks at first, to hand it back if it has to go in parts."""
    is_large = _and(pa.compute.equal(work["kind"], int(Kind.FILE)), pa.compute.greater(work["size"], SMALL_BYTES))
    if "look" in work.column_names:
        is_large = _and(is_large, pa.compute.equal(work["look"], int(Look.NONE)))
    return [large_file(row) for row in work.filter(is_large).to_pylist()], work.filter(pa.compute.invert(is_large))


def large_file(row: dict[str, object]) -> LargeFile:
    """A listed file that goes in parts."""
    folder, name = row["dir"], row["name"]
    assert isinstance(folder, bytes) and isinstance(name, bytes)
    path = folder + b"/" + name if folder else name
    return LargeFile(path, int(str(row["task"])), int(str(row["size"])), row)


def batches_of(rows: pa.Table, most_bytes: int = BATCH_BYTES) -> Iterator[Batch]:
    """Rows cut into units of ``most_bytes``, or of one row."""
    sizes = [size or 0 for size in rows["size"].to_pylist()]
    start, total = 0, 0
    for index, size in enumerate(sizes):
        if index > start and (index - start >= BATCH_ROWS or total + size > most_bytes):
            yield Batch(to_ipc(rows.slice(start, index - start)), index - start, total)
            start, total = index, 0
        total += size
    if start < len(sizes):
        yield Batch(to_ipc(rows.slice(start)), len(sizes) - start, total)
