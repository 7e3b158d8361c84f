"""Which rows of a scan count: ages and sizes exclude files, and what lies beside a list of paths is left out."""

from __future__ import annotations

import stat

import pyarrow as pa
import pyarrow.compute as pc

from engine.filters import Filters
from engine.model import Fate, FilterSpec, Kind

_SECOND_NS = 10**9


def selected(rows: pa.Table, filters: Filters, began_at: float) -> pa.Table:
    """ENTRY_SCHEMA rows as they count: files of the wrong age or size EXCLUDED, rows beside FilterSpec.only gone.

    ``began_at``: start of the execution, in seconds since the epoch; a session that resumes it has the same.
    """
    spec = filters.spec
    if spec.only is not None:
        rows = _without_rest(rows, filters)
    unwanted = _unwanted(rows, spec, began_at)
    if unwanted is None:
        return rows
    candidate = pc.and_(pc.equal(rows["kind"], int(Kind.FILE)), pc.equal(rows["fate"], int(Fate.CANDIDATE)))
    excluded = pa.scalar(int(Fate.EXCLUDED), pa.uint8())
    fate = pc.if_else(pc.and_(candidate, pc.fill_null(unwanted, False)), excluded, rows["fate"])
    return rows.set_column(rows.schema.get_field_index("fate"), rows.schema.field("fate"), fate)


def with_devices(rows: pa.Table) -> pa.Table:
    """ENTRY_SCHEMA rows in which devices and FIFOs are of kind DEVICE; a socket is nothing without its process."""
    form = pc.bit_wise_and(rows["mode"], pa.scalar(0o170000, pa.uint32()))
    is_device = pc.is_in(form, pa.array([stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO], pa.uint32()))
    kind = pc.if_else(pc.fill_null(is_device, False), pa.scalar(int(Kind.DEVICE), pa.uint8()), rows["kind"])
    return rows.set_column(rows.schema.get_field_index("kind"), rows.schema.field("kind"), kind)


def _unwanted(rows: pa.Table, spec: FilterSpec, began_at: float) -> pa.ChunkedArray | None:
    """Which rows a limit of age or size leaves out, or None where there is no limit."""
    began_ns = round(began_at * _SECOND_NS)
    found = []
    if spec.min_age_seconds is not None:
        found.append(pc.greater(rows["mtime_ns"], began_ns - spec.min_age_seconds * _SECOND_NS))
    if spec.max_age_seconds is not None:
        found.append(pc.less(rows["mtime_ns"], began_ns - spec.max_age_seconds * _SECOND_NS))
    if spec.min_size_bytes is not None:
        found.append(pc.less(rows["size"], spec.min_size_bytes))
    if spec.max_size_bytes is not None:
        found.append(pc.greater(rows["size"], spec.max_size_bytes))
    unwanted = None
    for each in found:
        unwanted = each if unwanted is None else pc.or_kleene(unwanted, each)
    return unwanted


def _without_rest(rows: pa.Table, filters: Filters) -> pa.Table:
    counted = [folder for folder in pc.unique(rows["dir"]).to_pylist() if filters.counts(folder)]
    kept = pc.is_in(rows["dir"], pa.array(counted, pa.binary()))
    return rows.filter(pc.or_(pc.not_equal(rows["fate"], int(Fate.EXCLUDED)), kept))
