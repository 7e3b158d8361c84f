"""The bandwidth limit that was agreed on for a moment: one for all times, and rules by day and hour of the wall clock.

A rule holds while the wall clock of this host shows its days and hours, also on the days when the clock is changed: an
hour that is skipped starts what lies in it at its end, an hour that comes twice counts twice. Hours over midnight
belong to the day on which they begin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, tzinfo

from engine.model import Limit, LimitRule

_DAY_MINUTES = 24 * 60
_QUARTER_SECONDS = 15 * 60
_LOOK_AHEAD_SECONDS = 8 * 86_400
"""A week, and the hours by which a change of the clock may shift it."""


class Timetable:
    """``rules`` and ``always``, a limit of its own or None, in bytes/s: the lowest that applies holds."""

    def __init__(self, rules: Sequence[LimitRule], always: float | None = None) -> None:
        self._rules = tuple(rules)
        self._always = always
        self._boundaries = sorted({minute for rule in rules for minute in (rule.start, rule.end)} | {_DAY_MINUTES})

    def limit(self, at: float, zone: tzinfo | None = None) -> Limit:
        """What holds at ``at`` (seconds since the epoch) and until when; None where nothing limits, or for ever.

        ``zone`` is that of this host unless it is given.
        """
        return Limit(self._rate(at, zone), self._change(at, zone))

    def _rate(self, at: float, zone: tzinfo | None) -> float | None:
        clock = datetime.fromtimestamp(at, zone)
        weekday, minute = clock.weekday(), clock.hour * 60 + clock.minute
        rates = [rule.bytes_per_second for rule in self._rules if holds(rule, weekday, minute)]
        return min([*rates, *([] if self._always is None else [self._always])], default=None)

    def _change(self, at: float, zone: tzinfo | None) -> float | None:
        """When the limit is next another one, in seconds since the epoch."""
        if not self._rules:
            return None
        now, later = self._rate(at, zone), at
        while later < at + _LOOK_AHEAD_SECONDS:
            later = self._next_look(later, zone)
            if self._rate(later, zone) != now:
                return later
        return None

    def _next_look(self, at: float, zone: tzinfo | None) -> float:
        """A moment before which nothing changes: rules turn on whole minutes, clocks at quarter hours of UTC."""
        clock = datetime.fromtimestamp(at, zone)
        minute = clock.hour * 60 + clock.minute
        quarter = (math.floor(at / _QUARTER_SECONDS) + 1) * _QUARTER_SECONDS
        boundary = next(each for each in self._boundaries if each > minute)
        return min(quarter, math.floor(at / 60) * 60 + 60 * (boundary - minute))


def holds(rule: LimitRule, weekday: int, minute: int) -> bool:
    """Whether ``rule`` limits what is sent at a minute of a day (Monday 0)."""
    if rule.start < rule.end:
        return weekday in rule.days and rule.start <= minute < rule.end
    return (weekday in rule.days and minute >= rule.start) or ((weekday - 1) % 7 in rule.days and minute < rule.end)
