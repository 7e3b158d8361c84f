"""Files with several names become work when all is listed: one name of each is copied, then the others are linked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.delta import Delta, Known
from engine.catalog.links import LinkRows, read_links, write_links
from engine.execution.coordination import messages as m
from engine.execution.expand import Before, Expanded, batches_of, split
from engine.execution.orders import adopted_rows
from engine.locations.listing import ENTRY_SCHEMA
from engine.transfer.units import RESULT_SCHEMA

SPILLED = "links.parquet"


def list_links(folder: Path, segments: Sequence[str], spill: Path) -> m.LinksListed:
    """Sort the names that the ``segments`` of entries in ``folder`` hold. Raises JournalError, OSError."""
    spill.mkdir(exist_ok=True)
    out = spill / SPILLED
    groups = write_links([folder / name for name in segments], out, spill)
    name = str(out.relative_to(folder))

    def chunks(follows: bool) -> list[m.Chunk]:
        return [_chunk(name, group) for group in groups if group.follows is follows]

    return m.LinksListed(chunks(False), chunks(True))


def expand_links(chunk: m.Chunk, folder: Path, known: Known, before: Before, *, drift: bool) -> Expanded:
    """Compare names with what is known, like ``expand``. A follower is never sent in parts: it is linked or copied.

    ``drift``: the destination was listed. Which names there are one file is then looked at by the agents.
    """
    rows = read_links(folder / chunk.segment, chunk.row_group)
    delta = known.work(rows)
    if drift and chunk.links == "followers":
        done = set(zip(delta.done["dir"].to_pylist(), delta.done["name"].to_pylist(), strict=True))
        names = zip(rows["dir"].to_pylist(), rows["name"].to_pylist(), strict=True)
        work = rows.filter(pa.array([name not in done for name in names], pa.bool_()))
        delta = Delta(work, rows.slice(0, 0), delta.done)
    work, results = delta.work, []
    large: list[m.LargeFile] = []
    is_new = pc.invert(pc.is_in(delta.done["segment"], pa.array(sorted(before.segments), pa.string())))
    done = delta.done.filter(is_new)
    if done.num_rows:
        results.append(known.results_of(done).select(RESULT_SCHEMA.names).cast(RESULT_SCHEMA))
    if delta.adopted is not None and delta.adopted.num_rows:
        results.append(adopted_rows(delta.adopted))
    if chunk.links == "leaders":
        large, work = split(work)
    batches = list(batches_of(work.drop_columns(["segment"])))
    event = m.ChunkExpanded(chunk.task, batches, large)
    return Expanded(event, delta.unchanged.select(ENTRY_SCHEMA.names), results)


def _chunk(name: str, group: LinkRows) -> m.Chunk:
    return m.Chunk(
        group.task, name, group.number, group.files, group.bytes, "followers" if group.follows else "leaders"
    )
