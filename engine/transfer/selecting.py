"""Which rows of a scan count: ages and sizes exclude files, and what lies beside a list of paths is left out."""

from __future__ import annotations

import stat

import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.limits import beyond_limits
from engine.filters import Filters
from engine.model import Fate, Kind


def selected(rows: pa.Table, filters: Filters, began_at: float) -> pa.Table:
    """ENTRY_SCHEMA rows as they count: files of the wrong age or size EXCLUDED, rows beside FilterSpec.only gone.

    ``began_at``: start of the execution, in seconds since the epoch; a session that resumes it has the same.
    """
    spec = filters.spec
    if spec.only is not None:
        rows = _without_rest(rows, filters)
    unwanted = beyond_limits(rows, spec, began_at)
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


def _without_rest(rows: pa.Table, filters: Filters) -> pa.Table:
    counted = [folder for folder in pc.unique(rows["dir"]).to_pylist() if filters.counts(folder)]
    kept = pc.is_in(rows["dir"], pa.array(counted, pa.binary()))
    return rows.filter(pc.or_(pc.not_equal(rows["fate"], int(Fate.EXCLUDED)), kept))
