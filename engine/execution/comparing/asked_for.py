"""What a manifest lists that the source does not have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.errors import UsageError
from engine.filters import read_manifest
from engine.model import Kind
from engine.names import text_of

_NAMED = 3


def missing_at_source(manifest: str, listed: Sequence[Path]) -> str:
    """Name paths of a manifest that are no files among the entries in ``listed``; empty if all are there.

    A manifest that cannot be read any more is a problem too, and is named.
    """
    try:
        missing = set(read_manifest(manifest))
    except UsageError as error:
        return str(error)
    wanted = pa.array(missing, pa.binary())
    for segment in listed:
        with pq.ParquetFile(segment) as file:
            for batch in file.iter_batches(columns=["dir", "name", "kind"]):
                missing.difference_update(_found(batch, wanted))
    if not missing:
        return ""
    named = ", ".join(text_of(path) for path in sorted(missing)[:_NAMED])
    more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
    return f"{len(missing):,} of {len(wanted):,} paths of the manifest are no files at the source: {named}{more}"


def _found(entries: pa.RecordBatch, wanted: pa.Array) -> list[bytes]:
    """The paths of ``wanted`` that are files, or anything but folders, among ``entries``."""
    folders = pa.array([int(Kind.FOLDER), int(Kind.LISTED)], pa.uint8())
    files = entries.filter(pc.invert(pc.is_in(entries["kind"], folders)))
    inside = pc.binary_join_element_wise(files["dir"], files["name"], pa.scalar(b"/", pa.binary()))
    paths = pc.if_else(pc.equal(pc.binary_length(files["dir"]), 0), files["name"], inside)
    found: list[bytes] = paths.filter(pc.is_in(paths, wanted)).to_pylist()
    return found
