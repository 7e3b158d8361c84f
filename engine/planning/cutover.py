"""Whether a migration can be switched over within its window: passes until the freeze fits, and what would help. Pure.

The next pass begins when the one before ends, so its length is that one's duration. With a concave churn the durations
come closer and closer to a length that copies exactly what changes in it (peers: T* = scan / (1 - churn / rate) where
the churn is a straight line): no pass gets shorter than that, and the freeze after it is the shortest there is.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.planning.churn import FEW, Changes, Churn
from engine.planning.freeze import Freeze, Work, freeze, pass_seconds
from engine.planning.values import Figure, PlanLimit, Seconds
from engine.quantities import format_duration, format_duration_range, format_percent, format_rate, format_share

Verdict = Literal["READY", "NOT YET", "NEVER", "UNKNOWN"]

MOST_PASSES = 60
"""Passes that are looked ahead; durations that still change after so many hardly do."""

_SAME_LENGTH = 0.005
_MEASURED = ("test run", "execution")


class Busiest(msgspec.Struct, frozen=True):
    """The top folder with most of the changes, as text (names.py), and its share of changed files and bytes."""

    folder: str
    files: float
    bytes: float


class Lever(msgspec.Struct, frozen=True):
    """What one could change, the shortest freeze with it, after how many more passes, and the verdict then."""

    name: str
    text: str
    verdict: Verdict
    passes: int
    freeze: Seconds


class Readiness(msgspec.Struct, frozen=True):
    """Whether the freeze fits ``window`` (seconds), and why.

    ``passes``: more passes until it fits, or (if it does not) until it is shortest. ``now``: the freeze without another
    pass; ``then``: after those. ``next_pass``, ``changes``: how long the next pass takes, and what it finds. All are
    None where the churn is unknown.
    """

    verdict: Verdict
    reason: str
    window: float | None
    passes: int = 0
    now: Freeze | None = None
    then: Freeze | None = None
    next_pass: Seconds | None = None
    changes: Changes | None = None
    levers: tuple[Lever, ...] = ()


class _Outlook(msgspec.Struct, frozen=True):
    """The freeze after 0, 1, 2 ... more passes, and the number of passes that is best."""

    verdict: Verdict
    freezes: tuple[Freeze, ...]
    best: int

    @property
    def whole(self) -> Seconds:
        return self.freezes[self.best].whole


def readiness(
    churn: Churn, work: Work, window: float | None, since_last: float, busiest: Busiest | None = None
) -> Readiness:
    """The verdict for a freeze that must fit ``window`` seconds, ``since_last`` seconds after the last pass began."""
    if not churn.known:
        why = "how much the source changes is not known: it takes two passes to see that. Run the profile once more."
        return Readiness("UNKNOWN", why, window)
    outlook = _outlook(churn, work, window, since_last)
    changes = churn.after(since_last)
    return Readiness(
        outlook.verdict,
        _reason(outlook, churn, work, window),
        window,
        outlook.best,
        outlook.freezes[0],
        outlook.freezes[outlook.best],
        pass_seconds(changes, work),
        changes,
        _levers(churn, work, window, since_last, busiest) if window is not None else (),
    )


def _outlook(churn: Churn, work: Work, window: float | None, since_last: float) -> _Outlook:
    length = Seconds(since_last, since_last, since_last)
    freezes: list[Freeze] = []
    for _ in range(MOST_PASSES):
        changes = churn.after(length)
        freezes.append(freeze(changes, work))
        if window is not None and freezes[-1].whole.high <= window:
            break
        following = pass_seconds(changes, work)
        if abs(following.high - length.high) <= _SAME_LENGTH * length.high:
            break
        length = following
    whole = [each.whole for each in freezes]
    shortest = min(range(len(whole)), key=lambda number: whole[number].high)
    if window is None:
        return _Outlook("UNKNOWN", tuple(freezes), 0)
    if whole[shortest].high <= window:
        return _Outlook("READY" if shortest == 0 else "NOT YET", tuple(freezes), shortest)
    likely = min(range(len(whole)), key=lambda number: whole[number].likely)
    if whole[likely].likely <= window:
        return _Outlook("NOT YET", tuple(freezes), _worth_it(whole, shortest))
    return _Outlook("NEVER", tuple(freezes), likely)


def _worth_it(whole: list[Seconds], shortest: int) -> int:
    """The fewest passes after which the freeze is within 2 % of the shortest."""
    return next(number for number, each in enumerate(whole) if each.high <= 1.02 * whole[shortest].high)


def _reason(outlook: _Outlook, churn: Churn, work: Work, window: float | None) -> str:
    now, then = outlook.freezes[0].whole, outlook.whole
    if window is None:
        return f"the freeze takes {_range(now)} now; there is no window to fit it into: set window under [cutover]."
    limit = format_duration(window)
    if outlook.verdict == "READY":
        return f"the freeze takes {_range(now)} and fits the window of {limit}."
    if outlook.verdict == "NEVER":
        return (
            f"no pass makes the freeze fit: at its shortest it takes {_range(then)}, the window is {limit}. "
            f"{_most(outlook.freezes[outlook.best])}"
        )
    if then.high <= window:
        word = "pass" if outlook.best == 1 else "passes"
        return (
            f"the freeze takes {_range(now)} now, the window is {limit}; after {outlook.best} more {word} it takes "
            f"{_range(then)}."
        )
    after = f" after {outlook.best} more" if outlook.best else ""
    return (
        f"the freeze likely takes {format_duration(then.likely)}{after}, but perhaps {format_duration(then.high)}, and "
        f"the window is {limit}: {_narrower(outlook.freezes[outlook.best], churn, work)}"
    )


def _most(found: Freeze) -> str:
    """Which part takes most of a freeze."""
    name, seconds = max(found.parts.items(), key=lambda item: item[1].likely)
    return f"Most of it is {name}: {_range(seconds)}, {format_share(seconds.likely, found.whole.likely)}."


def _narrower(found: Freeze, churn: Churn, work: Work) -> str:
    """What would make the range of the widest part narrower."""
    name = max(found.parts, key=lambda part: found.parts[part].high - found.parts[part].likely)
    wide = f"{name} is what is uncertain"
    if name == "delta":
        together = work.fleets[0]
        known = (*_MEASURED, "profile") if _held(work) is not None else _MEASURED
        if any(figure.origin.kind not in known for figure in (together.files_per_second, together.bytes_per_second)):
            return f"{wide}, because its rates are not measured: xsync test-run measures them."
        if len(churn.passes) < FEW:
            return f"{wide}, because so few passes tell little about the changes: run the profile again."
        return f"{wide}, because passes differ: cut over when the source is at its quietest."
    if any(figure.origin.kind not in _MEASURED for figure in _figures_of(name, work)):
        return f"{wide}, because its rate is not measured: a pass, or xsync verify, measures it."
    return f"{wide}: each freeze differs by so much."


def _figures_of(part: str, work: Work) -> list[Figure]:
    listings: list[Figure | None] = [work.listing, work.destination_listing]
    found: dict[str, list[Figure | None]] = {
        "look at the source": [work.listing],
        "scan": listings,
        "deletions": [work.deleting, work.destination_listing],
        "folder times": [work.folder_times],
        "verification": listings if work.verifying is None else [work.verifying],
        "start and end": [work.overhead],
    }
    return [figure for figure in found[part] if figure is not None]


def _held(work: Work) -> PlanLimit | None:
    """The rate limit of the migration."""
    return next((each for each in work.limits if each.name == "rate limit"), None)


def _faster(work: Work) -> tuple[str, Work]:
    """Twice the agents; under a rate limit twice of both, untried where no agent was measured without."""
    agents, held, replace = 2 * work.agents, _held(work), msgspec.structs.replace
    if held is None or held.bytes_per_second is None:
        return f"{agents} agents instead of {work.agents}", replace(work, agents=agents)
    wider = replace(held, bytes_per_second=2 * held.bytes_per_second)
    limits = tuple(wider if each is held else each for each in work.limits)
    kinds = {each.origin.kind for each in work.limits if each.scope == "agent"}
    untried = " untried;" if kinds.isdisjoint(_MEASURED) else ""
    said = f"limit {format_rate(2 * held.bytes_per_second)},{untried} {agents} agents"
    return said, replace(work, agents=agents, limits=limits)


def _levers(churn: Churn, work: Work, window: float, since_last: float, busiest: Busiest | None) -> tuple[Lever, ...]:
    """What each of more rate, less churn, narrower scope and cheaper verification would give, alone."""
    replace = msgspec.structs.replace
    said, faster = _faster(work)
    tried: list[tuple[str, str, Churn, Work]] = [
        ("rate", said, churn, faster),
        ("churn", "half of the changes", churn.scaled(0.5, 0.5), work),
    ]
    if busiest is not None:
        share = f"{format_percent(busiest.bytes)} of the changed bytes"
        text = f"leave {busiest.folder or 'the files of the root'} for later: {share}"
        narrower = churn.scaled(1 - busiest.files, 1 - busiest.bytes)
        tried.append(("scope", text, narrower, work))
    if work.verify_mode == "POINT_IN_TIME_CONSISTENT":
        text = "verify only what is sent: --verify-mode ONLY_FILES_TRANSFERRED"
        tried.append(("verification", text, churn, replace(work, verify_mode="ONLY_FILES_TRANSFERRED")))
    found = []
    for name, text, changed, other in tried:
        outlook = _outlook(changed, other, window, since_last)
        found.append(Lever(name, text, outlook.verdict, outlook.best, outlook.whole))
    return tuple(found)


def _range(seconds: Seconds) -> str:
    return format_duration_range(seconds.low, seconds.high)
