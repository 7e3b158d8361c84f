"""What can be changed about a plan on its screen: steps, typed values, and the request that comes of them. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.errors import UsageError
from engine.planning.plan import Plan
from engine.quantities import format_percent, format_rate, parse_rate
from xsync_tui.drawing.plan import Knob

if TYPE_CHECKING:
    from engine.execution.foretelling.planner import PlanRequest

NAMES = ("link", "use", "agents", "cut", "from", "by")

MOST_AGENTS = 1_000
MOST_LEVEL = 16

_GBPS = 1e9 / 8
_LINKS = tuple(gbps * _GBPS for gbps in (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 25, 40, 50, 80, 100, 200, 400))
_USE_STEP = 0.05


class Draft(NamedTuple):
    """What was changed; None: as the profile says, or as is best. Bytes/s, a share, Unix times.

    ``by``: when it has to be done.
    """

    link: float | None = None
    use: float | None = None
    agents: int | None = None
    cut: int | None = None
    start: float | None = None
    by: float | None = None


_FIELDS = dict(zip(NAMES, Draft._fields, strict=True))


def request_of_draft(base: PlanRequest, draft: Draft) -> PlanRequest:
    """``base``, which is what the profile asks for, with what was changed."""
    migration = base.migration
    if draft.cut is not None:
        migration = msgspec.structs.replace(migration, task_level=draft.cut or None)
    return msgspec.structs.replace(
        base,
        migration=migration,
        bandwidth=draft.link or base.bandwidth,
        utilisation=draft.use or base.utilisation,
        agents=draft.agents or base.agents,
        start_at=draft.start or base.start_at,
    )


def knobs(base: PlanRequest, draft: Draft, plan: Plan | None, zone: tzinfo | None) -> tuple[Knob, ...]:
    """The knobs with their values, in the order of NAMES."""
    request = request_of_draft(base, draft)
    level = request.migration.task_level
    agents = str(request.agents) if request.agents else f"{plan.agents} auto" if plan else "auto"
    values = (
        "none" if request.bandwidth is None else link_text(request.bandwidth),
        format_percent(request.utilisation),
        agents,
        "even" if level is None else f"level {level}",
        "now" if draft.start is None else _clock(draft.start, zone),
        "-" if draft.by is None else _clock(draft.by, zone),
    )
    return tuple(
        Knob(name, value, getattr(draft, _FIELDS[name]) is None) for name, value in zip(NAMES, values, strict=True)
    )


def stepped(base: PlanRequest, draft: Draft, plan: Plan, name: str, step: int) -> Draft:
    """One step up (1) or down (-1) from what the knob shows."""
    request = request_of_draft(base, draft)
    match name:
        case "link":
            return draft._replace(link=_next_link(request.bandwidth, step))
        case "use":
            share = round(request.utilisation / _USE_STEP) * _USE_STEP + step * _USE_STEP
            return draft._replace(use=round(min(1.0, max(_USE_STEP, share)), 2))
        case "agents":
            return draft._replace(agents=min(MOST_AGENTS, max(1, (request.agents or plan.agents) + step)))
        case "cut":
            level = (request.migration.task_level or 0) + step
            return draft._replace(cut=min(MOST_LEVEL, max(0, level)))
        case "from":
            start = _hour(draft.start if draft.start is not None else base.start_at, step)
            return draft._replace(start=start if start > base.start_at else None)
        case _:
            by = _hour(draft.by if draft.by is not None else plan.done_at[1], step)
            return draft._replace(by=max(by, _hour(plan.start_at, 1)))


def typed(base: PlanRequest, draft: Draft, name: str, text: str, zone: tzinfo | None) -> Draft:
    """What was typed for a knob. Raises UsageError that says what was expected."""
    match name:
        case "link":
            return draft._replace(link=float(parse_rate(text if text.strip()[-1:].isalpha() else f"{text}Gbps")))
        case "use":
            return draft._replace(use=_whole(text.strip().removesuffix("%"), 1, 100, "a share such as 85 %") / 100)
        case "agents":
            return draft._replace(agents=_whole(text, 1, MOST_AGENTS, f"agents from 1 to {MOST_AGENTS:,}"))
        case "cut":
            return draft._replace(cut=_whole(text, 0, MOST_LEVEL, "the depth of the folders, 0 for even tasks"))
        case "from":
            return draft._replace(start=_next_clock(text, base.start_at, zone))
        case _:
            start = draft.start if draft.start is not None else base.start_at
            return draft._replace(by=_next_clock(text, start, zone))


def cleared(draft: Draft, name: str) -> Draft:
    """The knob as the profile says, or as is best."""
    return draft._replace(**{_FIELDS[name]: None})


def is_auto(draft: Draft, name: str) -> bool:
    """Whether a knob was not changed."""
    return getattr(draft, _FIELDS[name]) is None


def link_text(rate: float) -> str:
    """Bytes/s of a link in its user's unit: ``20 Gbps``."""
    return f"{rate / _GBPS:.4g} Gbps" if rate >= 0.1 * _GBPS else format_rate(rate)


def _next_link(rate: float | None, step: int) -> float:
    if rate is None:
        return 10 * _GBPS
    if step > 0:
        return next((each for each in _LINKS if each > rate * 1.001), rate * 2)
    return next((each for each in reversed(_LINKS) if each < rate * 0.999), rate / 2)


def _hour(at: float, step: int) -> float:
    """The full hour (of UTC) after (1) or before (-1) a moment."""
    return (math.floor(at / 3_600) + 1 if step > 0 else math.ceil(at / 3_600) - 1) * 3_600.0


def _next_clock(text: str, after: float, zone: tzinfo | None) -> float:
    """The next moment after ``after`` when a clock shows HH:MM."""
    try:
        clock = datetime.strptime(text.strip(), "%H:%M")
    except ValueError:
        raise UsageError(f"{text!r} is no time: expected one such as 22:00") from None
    begin = datetime.fromtimestamp(after, zone)
    found = begin.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return (found if found.timestamp() > after else found + timedelta(days=1)).timestamp()


def _clock(at: float, zone: tzinfo | None) -> str:
    return f"{datetime.fromtimestamp(at, zone):%H:%M}"


def _whole(text: str, low: int, high: int, expected: str) -> int:
    if not text.strip().isdecimal() or not low <= int(text) <= high:
        raise UsageError(f"{text!r}: expected {expected}")
    return int(text)
