"""Clock times as people read them: no day today, the weekday within a week, else the date."""

from __future__ import annotations

from datetime import datetime, tzinfo

_WEEKDAY_SECONDS = 6 * 86_400


def clock(at: float, zone: tzinfo | None = None, now: float | None = None) -> str:
    """``03:12:07``, with its day if ``now`` is given and lies on another; times in seconds since the epoch."""
    moment = datetime.fromtimestamp(at, zone)
    return f"{moment:%H:%M:%S}{_day(moment, zone, now)}"


def moment(at: float, zone: tzinfo | None = None) -> str:
    """``2025-05-14 03:12:07 +0200``: for what is read later or elsewhere."""
    return f"{datetime.fromtimestamp(at, zone).astimezone(zone):%Y-%m-%d %H:%M:%S %z}"


def clock_range(low: float, high: float, zone: tzinfo | None, now: float) -> str:
    """``05:35 - 06:10``, ``05:35 - 06:10 Tue``, ``23:50 - 00:20 Tue``; one time if both read the same."""
    moments = [datetime.fromtimestamp(at, zone) for at in (low, high)]
    texts = [f"{moment:%H:%M}" for moment in moments]
    days = [_day(moment, zone, now) for moment in moments]
    if days[0] != days[1]:
        return f"{texts[0]}{days[0]} - {texts[1]}{days[1]}"
    return (texts[0] if texts[0] == texts[1] else f"{texts[0]} - {texts[1]}") + days[1]


def _day(moment: datetime, zone: tzinfo | None, now: float | None) -> str:
    if now is None or moment.date() == datetime.fromtimestamp(now, zone).date():
        return ""
    return f" {moment:%a}" if abs(moment.timestamp() - now) < _WEEKDAY_SECONDS else f" {moment:%d %b}"
