"""How long parts of a dataset take whose sizes are spread as those of the whole; many parts at once. Pure.

A part has ``x`` of the whole's files and ``y`` of its bytes. A bin of ``n`` files with ``s`` bytes takes a scope of F
files/s and B bytes/s ``max(x n / F, y s / B)``: files/s bind where the mean ``s / n`` is below ``x / y`` of the knee.
So of each scope only sums of n up to a bin, and of s from it on, have to be known: then a part is two products,
whatever the number of bins. ``estimate`` gives the same of each part alone, but for bins in whole files and bytes.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import add
from typing import NamedTuple

from engine.planning.capacity import Fleet
from engine.planning.estimate import MARGINS, PART_BYTES, EstimateOptions, estimate, verifying
from engine.planning.values import Dataset, Roofline, Seconds, SizeBin


class Part(NamedTuple):
    """What is known of a part: regular files, their bytes, and entries of other kinds."""

    files: int
    bytes: int
    others: int = 0


class _Busy(NamedTuple):
    """Seconds of each part in a scope where files/s bind, and where bytes/s do."""

    by_files: list[float]
    by_bytes: list[float]


def part_of(whole: Dataset, files: int, size: int, entries: int) -> Dataset:
    """A part of a dataset of which only counts are known: its sizes are spread as those of the whole.

    ``entries`` are of all kinds. Files and bytes are exact, the bins scaled.
    """
    by_files = files / whole.files if whole.files else 0.0
    by_bytes = size / whole.bytes if whole.bytes else 0.0
    bins = tuple(
        SizeBin(each.low, each.high, round(each.files * by_files), round(each.bytes * by_bytes)) for each in whole.bins
    )
    return Dataset(files, size, max(0, entries - files), min(whole.largest_bytes, size), bins)


def estimate_parts(
    whole: Dataset, parts: Sequence[Part], fleet: Fleet, one: Fleet, options: EstimateOptions
) -> list[Seconds]:
    """What ``estimate`` says of each of ``parts`` of ``whole``; the arguments after them are those of it."""
    if not _is_covered(whole):
        found = (part_of(whole, each.files, each.bytes, each.files + each.others) for each in parts)
        return [estimate(each, fleet, one, options) for each in found]
    skews = _skews(whole, parts)
    scopes = [(scope, _busy(whole, parts, skews, scope)) for scope in fleet.scopes]
    busy = _most([list(map(add, *each)) for _, each in scopes])
    tails = _tails(whole, parts, busy, one, options)
    late = [(index, tail) for index, tail in enumerate(tails) if tail]
    ends = [_ends(scope, each, late) for scope, each in scopes]
    best, worst = _most([low for low, _ in ends]), _most([high for _, high in ends])
    serial = _most([_serial(parts, scope) for scope in fleet.scopes])
    fewest, least = fleet.files_per_second.value, fleet.bytes_per_second.value
    listing, less, more = math.inf, 0.0, 0.0
    if options.listing is not None:
        listing, (less, more) = options.listing.value, MARGINS[options.listing.origin.kind]
    times = []
    columns = zip(parts, busy, tails, best, worst, serial, strict=True)
    for (files, size, others), took, tail, low, high, apart in columns:
        listed = (files + others) / listing
        likely = max(took + tail, listed)
        floor = max((files + others) / fewest, size / least, listed)
        latest = max(apart + tail, listed) + options.again * apart
        times.append(
            Seconds(
                min(floor, max(low, listed * (1 - less)), likely),
                likely,
                max(latest, high, listed * (1 + more), likely),
            )
        )
    if options.rescan or options.read_back is not None or options.start_seconds:
        return [_beside(*each, options) for each in zip(parts, times, strict=True)]
    return times


def _is_covered(whole: Dataset) -> bool:
    """Whether its bins hold all that it has, and it has both files and bytes."""
    counts = sum(each.files for each in whole.bins), sum(each.bytes for each in whole.bins)
    return bool(whole.files and whole.bytes) and counts == (whole.files, whole.bytes)


def _skews(whole: Dataset, parts: Sequence[Part]) -> list[float]:
    """``x / y`` of each part: 2 where its files are half as large as those of the whole."""
    mean = whole.bytes / whole.files
    return [files * mean / size if size else math.inf for files, size, _ in parts]


def _busy(whole: Dataset, parts: Sequence[Part], skews: Sequence[float], scope: Roofline) -> _Busy:
    """As capacity.busy_seconds has it of each part alone."""
    files_rate, bytes_rate = scope.files_per_second.value, scope.bytes_per_second.value
    if scope.adds:
        by_files = [(files + others) / files_rate for files, _, others in parts]
        return _Busy(by_files, [size / bytes_rate for _, size, _ in parts])
    bins = sorted((each.bytes / each.files, each.files, each.bytes) for each in whole.bins if each.files)
    knee = scope.knee_bytes
    if math.isfinite(knee) and knee > 0:
        means = [mean / knee for mean, _, _ in bins]
        firsts = [bisect_left(means, skew) for skew in skews]
    else:
        firsts = [len(bins) if knee > 0 else 0] * len(parts)
    small = [n / whole.files / files_rate for n in accumulate((n for _, n, _ in bins), initial=0)]
    large = [(whole.bytes - s) / whole.bytes / bytes_rate for s in accumulate((s for _, _, s in bins), initial=0)]
    return _Busy(
        [files * small[first] + others / files_rate for (files, _, others), first in zip(parts, firsts, strict=True)],
        [size * large[first] for (_, size, _), first in zip(parts, firsts, strict=True)],
    )


def _tails(
    whole: Dataset, parts: Sequence[Part], busy: Sequence[float], one: Fleet, options: EstimateOptions
) -> list[float]:
    """As estimate.tail_seconds has it of each part alone."""
    rate = one.bytes_per_second.value
    most = whole.largest_bytes if options.whole_files else min(whole.largest_bytes, PART_BYTES)
    lasts = [min(most, size) for _, size, _ in parts]
    return [
        max(0.0, last / rate - took * last / part[1]) if last else 0.0
        for part, took, last in zip(parts, busy, lasts, strict=True)
    ]


def _serial(parts: Sequence[Part], scope: Roofline) -> list[float]:
    """Seconds of each part where nothing overlaps."""
    files_rate, bytes_rate = scope.files_per_second.value, scope.bytes_per_second.value
    return [(files + others) / files_rate + size / bytes_rate for files, size, others in parts]


def _ends(scope: Roofline, busy: _Busy, late: Sequence[tuple[int, float]]) -> tuple[list[float], list[float]]:
    """Seconds of each part if the scope does as well as it may, and as badly; ``late``: parts that have a tail."""
    files, size = MARGINS[scope.files_per_second.origin.kind], MARGINS[scope.bytes_per_second.origin.kind]
    fewer, smaller, more, larger = 1 - files[0], 1 - size[0], 1 + files[1], 1 + size[1]
    best = [by_files * fewer + by_bytes * smaller for by_files, by_bytes in zip(*busy, strict=True)]
    worst = [by_files * more + by_bytes * larger for by_files, by_bytes in zip(*busy, strict=True)]
    for index, tail in late:
        both = busy.by_files[index] + busy.by_bytes[index]
        worst[index] *= (1 + tail / both) if both else 1.0
        worst[index] += 0.0 if both else tail
    return best, worst


def _most(columns: Sequence[list[float]]) -> list[float]:
    return columns[0] if len(columns) == 1 else list(map(max, *columns))


def _beside(part: Part, copying: Seconds, options: EstimateOptions) -> Seconds:
    """With the start, and with verification beyond what is sent along."""
    files, size, others = part
    if not (files or size or others):
        return copying
    start = options.start_seconds
    return copying.plus(Seconds(start / 2, start, start * 2)).plus(verifying(Dataset(files, size, others), options))
