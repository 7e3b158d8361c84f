"""Counts files by powers of ten of their size while a scan goes on: the bins that its report will have."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engine.planning.values import SizeBin

BOUNDS = (0, 1, *(10**power for power in range(1, 20)))
"""Bin number i holds sizes from BOUNDS[i] on, and below BOUNDS[i + 1]; no size is larger than the last."""

_BINS = len(BOUNDS) - 1

# By the exponent of a size as a double, biased by 1023: the bin of the least such size, and the last size in that bin.
# Rounding up to a double cannot pass a power of ten, for none but 1 is one of two.
_LEAST = [0, *([1] * 1_023), *(1 << power for power in range(1, 64))]
_FIRST = pa.array([bisect_right(BOUNDS, least) - 1 for least in _LEAST], pa.int8())
_LAST = pa.array([min(BOUNDS[bisect_right(BOUNDS, least)], 1 << 63) - 1 for least in _LEAST], pa.int64())


class SizeCounts(NamedTuple):
    """Files and bytes by bin, and the largest file in bytes; empty tuples where there is no file."""

    files: tuple[int, ...] = ()
    bytes: tuple[int, ...] = ()
    largest: int = 0

    def plus(self, other: SizeCounts) -> SizeCounts:
        """Both together."""
        if not self.files or not other.files:
            return self if self.files else other
        files = tuple(map(sum, zip(self.files, other.files, strict=True)))
        sizes = tuple(map(sum, zip(self.bytes, other.bytes, strict=True)))
        return SizeCounts(files, sizes, max(self.largest, other.largest))

    def bins(self) -> tuple[SizeBin, ...]:
        """The bins up to that of the largest file, empty ones included."""
        found = zip(pairwise(BOUNDS), self.files, self.bytes, strict=False)  # none of them where there is no file
        return tuple(SizeBin(low, high, files, size) for (low, high), files, size in found if low <= self.largest)


def count_sizes(sizes: pa.ChunkedArray) -> SizeCounts:
    """Count int64 sizes that are not negative, in Arrow: 20 ns each, up to 100 ns where caches are cold."""
    if not len(sizes):
        return SizeCounts()
    exponents = pc.shift_right(pc.cast(sizes.combine_chunks(), pa.float64(), safe=False).view(pa.int64()), 52)
    above = pc.greater(sizes, _LAST.take(exponents)).cast(pa.int8())
    table = pa.table({"bin": pc.add(_FIRST.take(exponents), above), "size": sizes})
    grouped = table.group_by("bin", use_threads=False).aggregate([("size", "count"), ("size", "sum")])
    files, counted = [0] * _BINS, [0] * _BINS
    for each in grouped.to_pylist():
        files[each["bin"]], counted[each["bin"]] = each["size_count"], each["size_sum"]
    return SizeCounts(tuple(files), tuple(counted), pc.max(sizes).as_py())
