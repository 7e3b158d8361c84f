"""Limits by the hour as a line of text: ``Mon-Fri 08:00-18:00 2Gbps; Sat 5Gbps``. Pure."""

from __future__ import annotations

from engine.errors import UsageError
from engine.model import LimitRule
from engine.quantities import parse_days, parse_hours, parse_rate

_ALL_DAYS, _ALL_HOURS = "Mon-Sun", "00:00-24:00"


def entries(text: str) -> list[dict[str, str]]:
    """``Mon-Fri 08:00-18:00 2Gbps; Sat 5Gbps`` as a profile's timetable: no days are all, no hours the whole day."""
    found = []
    for part in (each.strip() for each in text.split(";")):
        words = part.split()
        if not words:
            continue
        days = words.pop(0) if words[0][0].isalpha() else _ALL_DAYS
        hours = words.pop(0) if words and ":" in words[0] else _ALL_HOURS
        if not words:
            raise UsageError(f"{part!r} has no rate: expected such as Mon-Fri 08:00-18:00 2Gbps")
        found.append({"days": days, "hours": hours, "limit": " ".join(words)})
    return found


def rules(text: str) -> tuple[LimitRule, ...]:
    """The limits that were typed. Raises UsageError."""
    found = []
    for entry in entries(text):
        hours = parse_hours(entry["hours"])
        found.append(LimitRule(parse_days(entry["days"]), hours.start, hours.end, parse_rate(entry["limit"])))
    return tuple(found)


def rules_so_far(text: str) -> tuple[LimitRule, ...]:
    """The limits among what was typed that are whole; those that are not yet are left out."""
    found: list[LimitRule] = []
    for part in text.split(";"):
        try:
            found += rules(part)
        except UsageError:
            continue
    return tuple(found)
