"""Reads and writes what people type and see: sizes, rates, durations, hours, days, counts, shares.

Parsers return exact integers (bytes, bytes/s, seconds, minutes) and raise UsageError that names what was expected.
Formatters give three significant digits and never more than the width they state, so a column is ``rjust(width)``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from engine.errors import UsageError

_PREFIXES = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}
_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_BYTES = re.compile(rf"{_NUMBER}\s*(?:([kmgtpe]?)(i?)b?)", re.IGNORECASE | re.ASCII)
_RATE = re.compile(rf"{_NUMBER}\s*([kmgtpeKMGTPE]?)(i?)(bit|bits|b|B)(?:ps|/s|/sec|/second)", re.ASCII)
_DURATION_STEP = re.compile(rf"{_NUMBER}\s*([a-z]+)\s*", re.ASCII)
_CLOCK = re.compile(r"([0-1]?\d|2[0-4]):([0-5]\d)", re.ASCII)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
}
_MINUTES_A_DAY = 24 * 60


class HourRange(NamedTuple):
    """Part of a day, in minutes since midnight; ``end`` is excluded, and below ``start`` when it crosses midnight."""

    start: int
    end: int

    def holds(self, minute: int) -> bool:
        """Whether ``minute`` of a day (0..1439) lies inside."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def parse_bytes(text: str) -> int:
    """Bytes of a size such as ``8 MiB``, ``1.5 GB``, ``4096``; k, M, G... are powers of 1000, Ki, Mi... of 1024.

    Raises UsageError for anything else, also for a size that is no whole number of bytes.
    """
    expected = "a size such as 8 MiB, 1.5 GB or 4096 (bytes)"
    match = _BYTES.fullmatch(text.strip())
    if match is None or (match[3] and not match[2]):
        raise UsageError(f"{text!r} is not a size: expected {expected}")
    return _whole(Fraction(match[1]) * _scale(match[2], match[3]), text, "bytes", expected)


def parse_rate(text: str) -> int:
    """Bytes a second of a rate such as ``20Gbps``, ``500 Mbit/s``, ``550 MB/s``; ``b`` is bits, ``B`` is bytes.

    Raises UsageError for anything else, for zero, and for a rate that is no whole number of bytes a second.
    """
    expected = "a rate such as 20Gbps, 500 Mbit/s or 550 MB/s"
    match = _RATE.fullmatch(text.strip())
    if match is None or (match[3] and not match[2]):
        raise UsageError(f"{text!r} is not a rate: expected {expected}")
    value = Fraction(match[1]) * _scale(match[2], match[3]) / (1 if match[4] == "B" else 8)
    rate = _whole(value, text, "bytes a second", expected)
    if not rate:
        raise UsageError(f"{text!r} is not a rate above zero: expected {expected}")
    return rate


def parse_duration(text: str) -> int:
    """Seconds of a duration such as ``4h``, ``18 min``, ``1h 30min``, ``2d``. Raises UsageError for anything else."""
    expected = "a duration such as 4h, 90 min, 1h 30min or 2d"
    rest, total = text.strip().lower(), Fraction(0)
    if not rest:
        raise UsageError(f"{text!r} is not a duration: expected {expected}")
    while rest:
        match = _DURATION_STEP.match(rest)
        if match is None or match[2] not in _SECONDS:
            raise UsageError(f"{text!r} is not a duration: expected {expected}")
        total += Fraction(match[1]) * _SECONDS[match[2]]
        rest = rest[match.end() :]
    return _whole(total, text, "seconds", expected)


def parse_hours(text: str) -> HourRange:
    """The hours of a range such as ``08:00-18:00`` or, over midnight, ``22:00-06:00``. Raises UsageError."""
    expected = "hours such as 08:00-18:00 or 22:00-06:00"
    clocks = [_CLOCK.fullmatch(part.strip()) for part in text.split("-")]
    minutes = [int(clock[1]) * 60 + int(clock[2]) for clock in clocks if clock is not None]
    if len(clocks) != 2 or len(minutes) != 2 or max(minutes) > _MINUTES_A_DAY or minutes[0] == _MINUTES_A_DAY:
        raise UsageError(f"{text!r} is not a range of hours: expected {expected}")
    if minutes[0] == minutes[1]:
        raise UsageError(f"{text!r} starts when it ends: expected {expected}, or 00:00-24:00 for the whole day")
    return HourRange(*minutes)


def parse_days(text: str) -> tuple[int, ...]:
    """The days, Monday 0 to Sunday 6 in order, of ``Mon-Fri``, ``Sat,Sun``, ``Fri-Mon``. Raises UsageError."""
    days: set[int] = set()
    for part in text.split(","):
        ends = [_day(end, text) for end in part.split("-")]
        if len(ends) > 2:
            raise _no_days(text)
        first, last = ends[0], ends[-1]
        days.update((first + step) % 7 for step in range((last - first) % 7 + 1))
    return tuple(sorted(days))


def format_bytes(count: float) -> str:
    """``539 MB``, ``48.1 TB``, ``0 B``: at most 7 characters below 1000 EB, decimal units."""
    return _three_digits(count, ("B", "kB", "MB", "GB", "TB", "PB", "EB"))


def format_rate(bytes_per_second: float) -> str:
    """``2.17 GB/s``: at most 9 characters."""
    return f"{format_bytes(bytes_per_second)}/s"


def format_count(count: int) -> str:
    """The exact count, with commas: ``12,412,907``."""
    return f"{count:,}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """The exact count of things: ``1 agent``, ``12,412,907 files``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def format_count_short(count: float) -> str:
    """A count for tables: ``12.4 M``, ``999``; at most 6 characters below 1000 T."""
    return _three_digits(count, ("", "k", "M", "G", "T")).rstrip()


def format_percent(share: float) -> str:
    """``17 %``, ``131 %``: of a measured or foretold share, rounded."""
    return f"{100 * share:,.0f} %"


def format_share(part: float, whole: float) -> str:
    """Percent, rounded down: 100 % only when all is done, 0 % only when nothing is, ``?`` when ``whole`` is unknown."""
    if whole <= 0:
        return "?"
    permille = math.floor(1000 * part / whole)
    if part > 0 and permille < 1:
        return "<0.1 %"
    return f"{permille / 10:.1f} %" if 0 < permille < 100 else f"{permille // 10} %"


def format_duration(seconds: float) -> str:
    """``42 s``, ``18 min``, ``6 h 05``, from 100 hours on ``5 d 04 h``; rounded to the unit, ``0 s`` only for zero."""
    return _duration(seconds, _round_up_from_half)


def format_duration_range(low: float, high: float) -> str:
    """A range of seconds that holds ``low`` and ``high``: ``18 - 25 min``, ``2 h 25 - 3 h 10``, ``42 s - 2 min``.

    The unit stands once where both have the same; it never promises zero seconds. Ends that read the same give
    ``about 18 min``.
    """
    first, last = _duration(max(low, 1.0), math.floor), _duration(max(high, 1.0), math.ceil)
    if first == last:
        return f"about {first}"
    number, _, unit = first.partition(" ")
    if unit in ("s", "min") and last.endswith(f" {unit}"):
        return f"{number} - {last}"
    return f"{first} - {last}"


def in_duration_range(seconds: float, low: float, high: float) -> bool:
    """Whether a duration is inside a range as a person reads both: 3 s, said of 3.4, is inside 1 - 4 s, said to 3.2."""
    if low <= seconds <= high:
        return True
    ends = _duration(max(low, 1.0), math.floor), _duration(max(high, 1.0), math.ceil)
    wider = format_duration_range(min(low, seconds), max(high, seconds))
    return format_duration(seconds) in ends or wider == format_duration_range(low, high)


def _scale(prefix: str, binary: str) -> int:
    base = 1024 if binary else 1000
    return int(base ** _PREFIXES[prefix.lower()])


def _whole(value: Fraction, text: str, unit: str, expected: str) -> int:
    if value.denominator != 1:
        raise UsageError(f"{text!r} is no whole number of {unit}: expected {expected}")
    return value.numerator


def _day(text: str, whole: str) -> int:
    try:
        return _DAYS.index(text.strip().lower())
    except ValueError:
        raise _no_days(whole) from None


def _no_days(text: str) -> UsageError:
    return UsageError(f"{text!r} names no days: expected days such as Mon-Fri, Sat,Sun or Wed")


def _three_digits(value: float, units: tuple[str, ...]) -> str:
    for power, unit in enumerate(units):
        scaled = value / 1000**power
        decimals = 0 if power == 0 or scaled >= 99.95 else 1 if scaled >= 9.995 else 2
        number = f"{scaled:.{decimals}f}"
        if float(number) < 1000:
            return f"{number} {unit}"
    return f"{value / 1000 ** (len(units) - 1):.0f} {units[-1]}"


def _round_up_from_half(value: float) -> int:
    return math.floor(value + 0.5)


def _duration(seconds: float, to_int: Callable[[float], int]) -> str:
    whole = max(to_int(seconds), 1 if seconds > 0 else 0)
    if whole < 60:
        return f"{whole} s"
    minutes = to_int(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 100 * 60:
        return f"{minutes // 60} h {minutes % 60:02}"
    hours = to_int(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02} h"
