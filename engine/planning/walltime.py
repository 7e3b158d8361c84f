"""How long work takes by the wall clock where bandwidth is limited by the hour. Pure."""

from __future__ import annotations

from datetime import tzinfo

from engine.planning.timetable import Timetable
from engine.planning.values import Seconds

_WEEK_SECONDS = 7 * 86_400.0
_WEEKS = 4
"""After so many the weeks are taken to be alike, so that an estimate of years is not walked through by the hour."""


def wall_seconds(busy: Seconds, size: int, start: float, timetable: Timetable, zone: tzinfo | None = None) -> Seconds:
    """``busy``, seconds without a limit in which ``size`` bytes move evenly, stretched by the limits from ``start``.

    Where the limit is a share of the rate that the work would have, it goes on at that share. ``zone`` is that of this
    host unless it is given.
    """
    low, likely, high = (_walked(each, size, start, timetable, zone) for each in (busy.low, busy.likely, busy.high))
    return Seconds(min(low, likely), likely, max(likely, high))


def _walked(busy: float, size: int, start: float, timetable: Timetable, zone: tzinfo | None) -> float:
    if busy <= 0 or size <= 0:
        return busy
    rate, left, at = size / busy, busy, start
    horizon = start + _WEEKS * _WEEK_SECONDS
    while at < horizon:
        limit = timetable.limit(at, zone)
        speed = 1.0 if limit.bytes_per_second is None else min(1.0, limit.bytes_per_second / rate)
        until = horizon if limit.until is None else min(limit.until, horizon)
        if left <= (until - at) * speed:
            return at - start + left / speed
        left -= (until - at) * speed
        at = until
    return at - start + left * (at - start) / (busy - left)
