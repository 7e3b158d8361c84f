"""When something is to happen again and again: a cron expression of five fields, read as every cron reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile
from typing import cast

from cronsim import CronSim, CronSimError

from engine.errors import UsageError
from engine.quantities import format_duration, parse_duration

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_EXPECTED = "expected five fields of cron (minute hour day month weekday), such as 0 2 * * Mon-Fri"


class Recurrence:
    """The times that ``cron`` names, by the wall clock of this host. Raises UsageError for what is no such expression.

    Where both day and weekday are said, either is enough, as in cron. What only some crons know (seconds, ``L``, ``#``)
    is not taken: the same expression goes into a crontab and a systemd timer.
    """

    def __init__(self, cron: str) -> None:
        self.cron = " ".join(cron.split())
        if len(self.cron.split()) != 5:
            raise UsageError(f"{cron!r}: {_EXPECTED}")
        if re.search(r"#|(?<![A-Za-z])(?:\d*L|LW)(?![A-Za-z])", self.cron, re.IGNORECASE):
            raise UsageError(f"{cron!r}: L and # are not known to every cron; {_EXPECTED}")
        try:
            self._times = CronSim(self.cron, datetime(2000, 1, 1))
            next(self._times)
        except (CronSimError, StopIteration) as error:
            raise UsageError(f"{cron!r}: {str(error) or 'names no time at all'}; {_EXPECTED}") from None

    def after(self, at: float) -> Iterator[float]:
        """The times after ``at``, without end; Unix time."""
        return (each.timestamp() for each in CronSim(self.cron, datetime.fromtimestamp(at)))

    def count(self, after: float, until: float) -> int:
        """How many times lie after one moment and not after another; Unix time."""
        return sum(1 for _ in takewhile(lambda at: at <= until, self.after(after)))

    def on_calendar(self) -> list[str]:
        """The same for systemd timers (systemd.time(7), calendar events): together the expressions name each time."""
        found = self._times
        clock = f"{_listed(found.hours, range(24))}:{_listed(found.minutes, range(60))}:00"
        months, days = _listed(found.months, range(1, 13)), _listed(found.days, range(1, 32))
        chosen = sorted({day % 7 for day in cast("set[int]", found.weekdays)})
        weekdays = "" if len(chosen) == 7 else ",".join(_WEEKDAYS[day] for day in chosen) + " "
        if found.day_and:
            return [f"{weekdays}*-{months}-{days} {clock}"]
        return [f"*-{months}-{days} {clock}", f"{weekdays}*-{months}-* {clock}"]


def every(interval: str) -> Recurrence:
    """The recurrence of an ``interval`` such as ``15 min`` or ``6 h``, counted from midnight. Raises UsageError.

    It has to be whole minutes that divide an hour, or whole hours that divide a day: others would shift from day to
    day, or leave a rest at midnight.
    """
    seconds = parse_duration(interval)
    if seconds < _HOUR and seconds % _MINUTE == 0 and seconds and _HOUR % seconds == 0:
        return Recurrence(f"*/{seconds // _MINUTE} * * * *")
    if seconds < _DAY and seconds % _HOUR == 0 and seconds and _DAY % seconds == 0:
        return Recurrence(f"0 */{seconds // _HOUR} * * *")
    if seconds == _DAY:
        return Recurrence("0 0 * * *")
    known = [
        *(_MINUTE * each for each in (1, 2, 5, 10, 15, 20, 30)),
        *(_HOUR * each for each in (1, 2, 3, 4, 6, 8, 12, 24)),
    ]
    nearest = min(known, key=lambda each: abs(each - seconds))
    raise UsageError(
        f"{interval!r}: expected minutes that divide an hour or hours that divide a day, such as "
        f"{format_duration(nearest)}; anything else can be said as cron"
    )


def _listed(values: set[int], whole: range) -> str:
    return "*" if values >= set(whole) else ",".join(f"{value:02d}" for value in sorted(values))
