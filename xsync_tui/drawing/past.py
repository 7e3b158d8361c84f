"""What the journal tells of a run's past beside its totals: rates of agents, limits, earlier estimates. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from engine.journal.records import Estimate
from engine.model import Limit, Snapshot, Status
from xsync_tui.drawing.graph import Window, steps_window
from xsync_tui.drawing.rows import Canvas

_STEPS = (5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)
"""Seconds of a bucket: the finest is that of the journal (``engine.journal.agent_rates``)."""

_LOOK_BACK_SECONDS = 1_800.0


class AgentPast(NamedTuple):
    """Mean bytes/s of each agent in the buckets of ``window``, by number; a bucket in which it was not is missing."""

    window: Window = Window(0.0, 5.0, 0)
    rates: Mapping[str, Mapping[int, float]] = {}

    def line(self, name: str, now: float) -> list[float | None]:
        """What the agent moved, bucket by bucket up to ``now``; None where it was not there."""
        found = self.rates.get(name, {})
        return [found.get(bucket) for bucket in range(min(self.window.buckets, self.window.bucket(now) + 1))]

    def best(self, names: Iterable[str]) -> float:
        """The highest of any of them, for one scale for all."""
        return max((rate for name in names for rate in self.rates.get(name, {}).values()), default=0.0)

    def stands_since(self, name: str) -> float | None:
        """When an agent that stands last moved something, as far as the window shows it."""
        moved = [bucket for bucket, rate in self.rates.get(name, {}).items() if rate > 0]
        return self.window.start + self.window.step * (max(moved) + 1) if moved else None


class FullDisk(NamedTuple):
    """The disk of the state folder at ``path``, which has only ``free`` bytes left."""

    path: str
    free: int


class Past(NamedTuple):
    """``limits``: bytes/s for each bucket of the graph, None for none. ``then``: what follows the limit that holds.

    ``window_ends``: when the run has to be over, if that is agreed; ``due``: when the profile's schedule begins another
    one (seconds since the epoch). ``full``: the disk on which nothing can be recorded, if it is so.
    """

    agents: AgentPast = AgentPast()
    limits: Sequence[float | None] = ()
    then: Limit | None = None
    estimates: Sequence[Estimate] = ()
    window_ends: float | None = None
    due: float | None = None
    full: FullDisk | None = None


class Moved(NamedTuple):
    """An estimate that moved: by so many seconds (later is above zero), since when, and the rate then and now."""

    seconds: float
    since: float
    rate_before: float
    rate: float


def agents_window(started: float, now: float, span: float | None, agents: int, canvas: Canvas) -> Window:
    """The buckets that lines of so many agents show on ``canvas``; spans as of the graph."""
    cells = 38 * canvas.width // 80 if agents <= 4 else 20
    return steps_window(started, now, span, cells * (2 if canvas.unicode else 1), _STEPS)


def moved(estimates: Sequence[Estimate], snapshot: Snapshot, now: float) -> Moved | None:
    """How the estimate moved within the last half hour, if it left what was said before; None if it stands."""
    if snapshot.eta_seconds is None or snapshot.status is not Status.TRANSFERRING:
        return None
    low, high = (now + seconds for seconds in snapshot.eta_seconds)
    for before in reversed(estimates):
        if now - before.at > _LOOK_BACK_SECONDS:
            return None
        if low > before.high or high < before.low:
            shift = (low + high) / 2 - (before.low + before.high) / 2
            least = max(60.0, 0.1 * (before.high - before.at))
            rates = before.bytes_per_second, snapshot.bytes_per_second
            return Moved(shift, before.at, *rates) if abs(shift) >= least else None
    return None


def window_end(past: Past, snapshot: Snapshot) -> float | None:
    """When the run should be over: what is agreed, else when the limit falls below what it moves now."""
    if past.window_ends is not None:
        return past.window_ends
    if past.then is None or past.then.bytes_per_second is None:
        return None
    return snapshot.limit_until if past.then.bytes_per_second < 0.98 * snapshot.bytes_per_second else None
