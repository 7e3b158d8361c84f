"""Whether a rate is steady, from what agents reported. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

WINDOWS = 3
"""Windows in a row whose rates are compared."""

STEADY_SPREAD = 0.05
"""They may differ by so much: (highest - lowest) / mean."""


class Pace(NamedTuple):
    """How long a step takes, in seconds: at least until it may count as steady, and at most."""

    least: float
    most: float

    @property
    def window(self) -> float:
        """Length of a window."""
        return self.least / WINDOWS


class Reading(NamedTuple):
    """What an agent had moved since it started, at a time in seconds."""

    at: float
    files: int
    bytes: int


class Span(NamedTuple):
    """A time that counts, and how much the rates of its windows differ: (highest - lowest) / mean.

    Of files/s and bytes/s the steadier one counts: it is the one that binds, the other goes with the sizes.
    """

    start: float
    end: float
    spread: float


Series = Mapping[str, Sequence[Reading]]
"""The readings of each agent in order of time."""


def moved(readings: Sequence[Reading], at: float) -> tuple[float, float]:
    """Files and bytes at a time, straight between two readings; those of the nearest one outside."""
    index = bisect_right(readings, at, key=lambda reading: reading.at)
    if index in (0, len(readings)):
        nearest = readings[index - 1] if index else readings[0]
        return float(nearest.files), float(nearest.bytes)
    before, after = readings[index - 1], readings[index]
    share = (at - before.at) / (after.at - before.at)
    return before.files + share * (after.files - before.files), before.bytes + share * (after.bytes - before.bytes)


def rates(readings: Sequence[Reading], start: float, end: float) -> tuple[float, float]:
    """Files/s and bytes/s of one agent; never negative, although bytes that have to be sent again are taken back."""
    (files, size), (files_then, size_then) = moved(readings, end), moved(readings, start)
    return max(0.0, (files - files_then) / (end - start)), max(0.0, (size - size_then) / (end - start))


def began(series: Series) -> float | None:
    """When the first byte or file had moved, None if none has."""
    firsts = [
        next((reading.at for reading in readings if reading.files or reading.bytes), None)
        for readings in series.values()
    ]
    found = [first for first in firsts if first is not None]
    return min(found, default=None)


def latest(series: Series, pace: Pace) -> Span | None:
    """The last windows and their spread; None while there are not enough since the first byte.

    They are as short as the pace has it, or divide all but the first quarter of the time so far, whichever is steadier:
    where little arrives in a short window, what comes in lumps is steady only over longer ones.
    """
    start = began(series)
    if start is None:
        return None
    end = min(readings[-1].at for readings in series.values() if readings)
    if end - start < pace.least:
        return None
    short, long = end - pace.least, end - 0.75 * (end - start)
    spans = [_span(series, since, end) for since in (short, min(short, long))]
    return min(spans, key=lambda span: (span.spread, span.start))


def middle(series: Series, ended: float) -> Span | None:
    """What counts of a step that ran out of data: neither its first quarter nor its last tenth. None if it is nothing.

    ``ended``: when the last byte moved.
    """
    start = began(series)
    if start is None or ended - start <= 0:
        return None
    return _span(series, start + 0.25 * (ended - start), ended - 0.1 * (ended - start))


def last_moved(series: Series) -> float | None:
    """When the last byte or file moved, None if none did."""
    found = []
    for readings in series.values():
        for before, after in zip(reversed(readings[:-1]), reversed(readings[1:]), strict=True):
            if before[1:] != after[1:]:
                found.append(after.at)
                break
    return max(found, default=None)


def _span(series: Series, start: float, end: float) -> Span:
    edges = [start + (end - start) * index / WINDOWS for index in range(WINDOWS + 1)]
    totals = [[moved(readings, at) for readings in series.values() if readings] for at in edges]
    files = [sum(each[0] for each in total) for total in totals]
    sizes = [sum(each[1] for each in total) for total in totals]
    return Span(start, end, min(_spread(files), _spread(sizes)))


def _spread(totals: Sequence[float]) -> float:
    """Of what was added from each total to the next."""
    added = [after - before for before, after in pairwise(totals)]
    mean = sum(added) / len(added)
    return (max(added) - min(added)) / mean if mean > 0 else 1.0
