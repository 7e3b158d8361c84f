"""Which files limits of age and size leave out, over the columns of entries."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.model import FilterSpec

_SECOND_NS = 10**9


def is_limited(spec: FilterSpec) -> bool:
    """Whether there is a limit of age or size."""
    limits = (spec.min_age_seconds, spec.max_age_seconds, spec.min_size_bytes, spec.max_size_bytes)
    return any(each is not None for each in limits)


def beyond_limits(rows: pa.Table, spec: FilterSpec, at: float) -> Any:
    """Which rows (``mtime_ns``, ``size``) the limits leave out, null where that is not known; None without a limit.

    ``at``: the moment that ages are counted to, in seconds since the epoch.
    """
    at_ns = round(at * _SECOND_NS)
    found = []
    if spec.min_age_seconds is not None:
        found.append(pc.greater(rows["mtime_ns"], at_ns - spec.min_age_seconds * _SECOND_NS))
    if spec.max_age_seconds is not None:
        found.append(pc.less(rows["mtime_ns"], at_ns - spec.max_age_seconds * _SECOND_NS))
    if spec.min_size_bytes is not None:
        found.append(pc.less(rows["size"], spec.min_size_bytes))
    if spec.max_size_bytes is not None:
        found.append(pc.greater(rows["size"], spec.max_size_bytes))
    unwanted = None
    for each in found:
        unwanted = each if unwanted is None else pc.or_kleene(unwanted, each)
    return unwanted
