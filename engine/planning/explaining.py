"""Explains how long past executions took by three figures: files/s, bytes/s, and seconds beside copying. Pure.

Two shapes are tried. Where files/s and bytes/s are limits of unlike things (requests, a path), each size takes what is
slower there: below the knee its files, above it its bytes. Where both are of one thing (the CPU of a host that does
all) they add up. Either way seconds are linear in 1/F, 1/B and the seconds beside, once it is said which sizes lie
below the knee; so each place of the knee is tried, and the best is kept (weighted least squares of relative errors).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from engine.planning.fitting import Part
from engine.planning.values import Roofline

_PRIOR = 0.01
"""What share of an execution's weight an assumed rate has: it decides only where nothing else does."""

_PRIOR_START = 0.1
"""Of one second more beside copying than was measured; so it is the rates that take what could be either."""

_SHOWN = 0.25
"""A figure is shown by executions in which it accounts for such a share of the time, in the root of sums of squares."""

_ENOUGH = 3
"""Executions that can show that times add up: as many as there are figures."""

_CLEARLY = 0.95
"""Times add up where that leaves less of the squared error than this share."""


class Past(NamedTuple):
    """An execution: what ``agents`` sent in ``seconds``, of which all but starting, ending and waiting was copying."""

    bins: tuple[Part, ...]
    agents: int
    seconds: float
    copying: float


class Explanation(NamedTuple):
    """F and B of one agent, whether their times add up, and the seconds of an execution beside.

    ``at_work``: which of ``files`` and ``bytes`` the executions show; the other one is what was assumed.
    """

    files_per_second: float
    bytes_per_second: float
    adds: bool
    start_seconds: float
    at_work: tuple[str, ...]


class _Row(NamedTuple):
    """An equation start + files * x + bytes * y = seconds, and how much it counts."""

    start: float
    files: float
    bytes: float
    seconds: float
    weight: float


def explain(past: Sequence[Past], before: Roofline, start_seconds: float) -> Explanation:
    """What explains ``past`` (at least one) best; what it does not show stays near what was assumed ``before``.

    ``start_seconds``: what was measured beside copying; agents that find into their stride add to it.
    """
    split = [(knee, _solved(past, knee, before, start_seconds)) for knee in _knees(past)]
    consistent = [found for knee, found in split if _agrees(past, knee, found)]
    found = consistent or [found for _, found in split]
    best = min(found, key=lambda each: _error(past, each))
    added = _solved(past, None, before, start_seconds)
    shown = len(past) >= _ENOUGH and _error(past, added) < _CLEARLY * _error(past, best)
    return added if shown else best


def _knees(past: Sequence[Past]) -> list[float]:
    """A place below, between and above the mean sizes of all bins: with as few as there are, each knee is tried."""
    means = sorted({each.bytes / each.files for one in past for each in one.bins if each.files}) or [0.0]
    return [0.0, *((low * high) ** 0.5 for low, high in pairwise(means)), 2 * means[-1] + 1]


def _rows(past: Sequence[Past], knee: float | None) -> list[_Row]:
    rows = []
    for one in past:
        small = [each for each in one.bins if knee is None or each.bytes <= knee * each.files]
        large = [each for each in one.bins if knee is None or each.bytes > knee * each.files]
        files, size = sum(each.files for each in small), sum(each.bytes for each in large)
        rows.append(_Row(1.0, files / one.agents, size / one.agents, one.copying, 1 / one.seconds))
    return rows


def _solved(past: Sequence[Past], knee: float | None, before: Roofline, start: float) -> Explanation:
    """The figures, where the sizes below ``knee`` take what their files take; without one the times add up."""
    rows = _rows(past, knee)
    files, size = 1 / before.files_per_second.value, 1 / before.bytes_per_second.value
    prior = [
        _Row(1.0, 0.0, 0.0, 0.0, _PRIOR_START),
        _Row(0.0, 1.0, 0.0, files, _PRIOR / files),
        _Row(0.0, 0.0, 1.0, size, _PRIOR / size),
    ]
    begun, x, y = _least_squares([*rows, *prior])
    by_files = sum((row.files * x * row.weight) ** 2 for row in rows) ** 0.5 >= _SHOWN
    by_bytes = sum((row.bytes * y * row.weight) ** 2 for row in rows) ** 0.5 >= _SHOWN
    most_files = max(sum(each.files for each in one.bins) / one.copying / one.agents for one in past)
    most_bytes = max(sum(each.bytes for each in one.bins) / one.copying / one.agents for one in past)
    return Explanation(
        max(1 / x if by_files else 1 / files, most_files),
        max(1 / y if by_bytes else 1 / size, most_bytes),
        knee is None,
        start + begun,
        ("files",) * by_files + ("bytes",) * by_bytes,
    )


def _agrees(past: Sequence[Past], knee: float, found: Explanation) -> bool:
    """Whether the figures put the knee where it was said to be."""
    other = found.bytes_per_second / found.files_per_second
    means = [each.bytes / each.files for one in past for each in one.bins if each.files]
    return all((mean <= knee) == (mean <= other) for mean in means)


def _error(past: Sequence[Past], by: Explanation) -> float:
    return sum((_seconds(one, by) / one.seconds - 1) ** 2 for one in past)


def _seconds(one: Past, by: Explanation) -> float:
    pairs = ((each.files / by.files_per_second, each.bytes / by.bytes_per_second) for each in one.bins)
    return by.start_seconds + sum(sum(pair) if by.adds else max(pair) for pair in pairs) / one.agents


def _least_squares(rows: Sequence[_Row]) -> tuple[float, ...]:
    """Start, x and y, none below zero: the best of all solutions that leave some of them at zero."""
    subsets = [free for count in (3, 2, 1) for free in combinations(range(3), count)]
    found = [solution for free in subsets if (solution := _solution(rows, free)) is not None]
    return min(found, key=lambda each: sum(_squared(row, each) for row in rows), default=(0.0, 0.0, 0.0))


def _solution(rows: Sequence[_Row], free: Sequence[int]) -> tuple[float, ...] | None:
    """The normal equations for the figures that are ``free``, by elimination; None if one were below zero."""
    matrix = [
        [sum(row.weight**2 * row[one] * row[other] for row in rows) for other in free]
        + [sum(row.weight**2 * row[one] * row.seconds for row in rows)]
        for one in free
    ]
    for index, line in enumerate(matrix):
        if line[index] <= 0:
            return None
        for other in matrix[:index] + matrix[index + 1 :]:
            factor = other[index] / line[index]
            other[index:] = [a - factor * b for a, b in zip(other[index:], line[index:], strict=True)]
    found = [0.0, 0.0, 0.0]
    for index, (place, line) in enumerate(zip(free, matrix, strict=True)):
        found[place] = line[-1] / line[index]
    return tuple(found) if min(found) >= 0 else None


def _squared(row: _Row, by: Sequence[float]) -> float:
    return (row.weight * (row.start * by[0] + row.files * by[1] + row.bytes * by[2] - row.seconds)) ** 2
