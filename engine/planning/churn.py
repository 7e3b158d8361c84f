"""How much a source changes in a while: a curve through what past passes found. Pure.

What is counted is distinct: a file that is written every minute counts once a pass. So the curve D(length) rises ever
less steeply (it is concave, from nothing at length 0), and a straight line through one pass would promise too much to
shorter passes. Lengths are seconds from the begin of one pass to the begin of the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from engine.planning.values import Range, Seconds

LIKELY_POWER = 0.7
"""Between all-new arrivals (1: twice as long, twice as much) and one hot set (0): where one pass cannot tell."""

_FOR_EVER = 1e11
"""Seconds, thousands of years: passes that never catch up grow without end, and their changes beyond any number."""

LEAST_SPREAD = 1.25
"""A factor to either side. Days differ: no number of passes makes tomorrow's changes certain."""

FEW = 3
"""Passes below this tell too little about how the curve bends: the bracket of all concave curves is kept."""

_NOTHING = Range(0.0, 0.0, 0.0)


class Pass(msgspec.Struct, frozen=True):
    """One incremental pass: how long after the one before it began (seconds), and what had changed until it looked.

    ``files``, ``bytes``: new or changed content; ``deletions``: entries that were gone.
    """

    began_at: float
    length: float
    files: float
    bytes: float
    deletions: float = 0


class Changes(msgspec.Struct, frozen=True):
    """What changes in a while: new or changed files and their bytes, and entries that go."""

    files: Range
    bytes: Range
    deletions: Range


class Churn:
    """The changes of a source as a function of time, from ``passes`` in any order; without length they do not count."""

    def __init__(self, passes: Sequence[Pass]) -> None:
        self.passes = tuple(each for each in passes if each.length > 0)

    @property
    def known(self) -> bool:
        """Whether any pass tells about it."""
        return bool(self.passes)

    def scaled(self, files: float, size: float) -> Churn:
        """The same with ``files`` (and deletions) and ``size`` (bytes) times these factors."""
        return Churn(
            [
                Pass(each.began_at, each.length, each.files * files, each.bytes * size, each.deletions * files)
                for each in self.passes
            ]
        )

    def after(self, length: float | Seconds) -> Changes:
        """What has changed after ``length`` seconds, or a time that is itself a range; nothing without passes."""
        times = length if isinstance(length, Seconds) else Seconds(length, length, length)
        return Changes(
            self._curve(lambda each: each.files, times),
            self._curve(lambda each: each.bytes, times),
            self._curve(lambda each: each.deletions, times),
        )

    def _curve(self, value: Callable[[Pass], float], times: Seconds) -> Range:
        points = [(each.length, float(value(each))) for each in self.passes]
        if not any(amount for _, amount in points):
            return _NOTHING
        ends = [_at(points, length) for length in (times.low, times.likely, times.high)]
        return Range(ends[0].low, ends[1].likely, ends[2].high)


def _at(points: Sequence[tuple[float, float]], length: float) -> Range:
    if length <= 0:
        return _NOTHING
    scale, power = _power_law(points)
    length = min(length, _FOR_EVER)
    likely = scale * length**power
    ratios = [amount / (scale * known**power) for known, amount in points]
    low, high = likely * min(1 / LEAST_SPREAD, *ratios), likely * max(LEAST_SPREAD, *ratios)
    if len(points) < FEW:
        bracket = [_concave(length, known, amount) for known, amount in points]
        low = min(low, *(least for least, _ in bracket))
        high = max(high, *(most for _, most in bracket))
    return Range(low, likely, high)


def _concave(length: float, known: float, amount: float) -> tuple[float, float]:
    """The least and most that any concave curve through nothing and (known, amount) has at ``length``."""
    straight = amount * length / known
    return min(straight, amount), max(straight, amount)


def _power_law(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Scale a and power b of D = a * length**b, by least squares of the logarithms; b is kept between 0 and 1.

    Passes that found nothing have no logarithm: they lower the scale by their share.
    """
    logs = [(math.log(length), math.log(amount)) for length, amount in points if amount > 0]
    middle_x = sum(x for x, _ in logs) / len(logs)
    middle_y = sum(y for _, y in logs) / len(logs)
    width = sum((x - middle_x) ** 2 for x, _ in logs)
    if len(logs) < 2 or width < 0.05 * len(logs):  # lengths within about a fifth of each other tell no bend
        power = LIKELY_POWER
    else:
        power = min(1.0, max(0.0, sum((x - middle_x) * (y - middle_y) for x, y in logs) / width))
    return math.exp(middle_y - power * middle_x) * len(logs) / len(points), power
