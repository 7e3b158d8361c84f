"""What a watcher has seen of a run beside its journal: the rate of each agent, since when it stands, earlier estimates.

It holds what the last look back needs and no more: 20 minutes of agents, two hours of estimates.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.model import AgentSnapshot, AgentTimes, Snapshot, Status
from engine.planning.attribution import between, shares_of
from engine.planning.measurement import Waits

STEP_SECONDS = 5.0
"""Rates of agents are kept in times of this length, fixed by the clock."""

_KEPT_STEPS = 240
_WAITS_SECONDS = 30.0
_ESTIMATE_SECONDS = 30.0
"""Estimates are kept this far apart, the first so long after sending began: rates are steady by then."""

_KEPT_ESTIMATES = 240


class Foretold(NamedTuple):
    """When the run was said to end (seconds since the epoch), at which moment, and its rate then in bytes/s."""

    at: float
    low: float
    high: float
    rate: float


class Moved(NamedTuple):
    """An estimate that moved: by so many seconds (later is above zero), since when, and the rate then and now."""

    seconds: float
    since: float
    rate_before: float
    rate: float


@dataclass(slots=True)
class _Agent:
    rates: deque[tuple[int, float, int]] = field(default_factory=lambda: deque(maxlen=_KEPT_STEPS))
    times: deque[tuple[float, AgentTimes]] = field(default_factory=deque)
    counts: tuple[int, int] = (-1, -1)
    moved_at: float = 0.0

    def add(self, agent: AgentSnapshot, now: float) -> None:
        slot, mean, number = int(now // STEP_SECONDS), agent.bytes_per_second, 1
        if self.rates and self.rates[-1][0] == slot:
            _, before, number = self.rates.pop()
            mean = before + (mean - before) / (number + 1)
            number += 1
        self.rates.append((slot, mean, number))
        if (agent.files, agent.bytes) != self.counts:
            self.counts, self.moved_at = (agent.files, agent.bytes), now
        if self.times and agent.times.clock < self.times[-1][1].clock:
            self.times.clear()
        if not self.times or agent.times.clock > self.times[-1][1].clock:
            self.times.append((now, agent.times))
        while len(self.times) > 2 and now - self.times[1][0] >= _WAITS_SECONDS:
            self.times.popleft()


class Seen:
    """Takes a snapshot at each look; ``now`` never goes back by much."""

    def __init__(self) -> None:
        self._agents: dict[str, _Agent] = {}
        self._estimates: deque[Foretold] = deque(maxlen=_KEPT_ESTIMATES)
        self._sends_since: float | None = None

    def add(self, snapshot: Snapshot, now: float) -> None:
        """Look at the run as it is ``now`` (seconds since the epoch)."""
        for agent in snapshot.agents:
            self._agents.setdefault(agent.name, _Agent()).add(agent, now)
        if snapshot.status is not Status.TRANSFERRING:
            self._sends_since = None
            self._estimates.clear()
            return
        self._sends_since = now if self._sends_since is None else self._sends_since
        last = self._estimates[-1].at if self._estimates else self._sends_since
        if snapshot.eta_seconds and now - last >= _ESTIMATE_SECONDS:
            low, high = snapshot.eta_seconds
            self._estimates.append(Foretold(now, now + low, now + high, snapshot.bytes_per_second))

    def rates(self, name: str, now: float, count: int) -> list[float | None]:
        """Bytes/s of an agent in the last ``count`` steps of STEP_SECONDS up to now; None where nobody looked."""
        found: list[float | None] = [None] * count
        first = int(now // STEP_SECONDS) - count + 1
        for slot, rate, _ in reversed(self._agents[name].rates if name in self._agents else ()):
            if slot < first:
                break
            if slot - first < count:
                found[slot - first] = rate
        return found

    def best(self, names: Iterable[str]) -> float:
        """The highest rate kept of any of them, for one scale for all."""
        known = (self._agents[name] for name in names if name in self._agents)
        return max((rate for agent in known for _, rate, _ in agent.rates), default=0.0)

    def waits(self, agent: AgentSnapshot) -> Waits | None:
        """What took most of an agent's time of late, or since it started if this is the first look; None: unknown."""
        known = self._agents.get(agent.name)
        times = [each for _, each in known.times] if known else []
        spent = between(times[0], times[-1]) if len(times) > 1 else agent.times
        return shares_of([spent]).largest if spent.clock > 0 else None

    def stands_since(self, name: str) -> float | None:
        """Since when an agent moved nothing; None if it was never seen."""
        return self._agents[name].moved_at if name in self._agents else None

    def moved(self, snapshot: Snapshot, now: float) -> Moved | None:
        """How the estimate moved within the last half hour, if it left what was said before; None if it stands."""
        if snapshot.eta_seconds is None or snapshot.status is not Status.TRANSFERRING:
            return None
        low, high = (now + seconds for seconds in snapshot.eta_seconds)
        for before in reversed(self._estimates):
            if now - before.at > 1_800:
                return None
            if low > before.high or high < before.low:
                shift = (low + high) / 2 - (before.low + before.high) / 2
                least = max(60.0, 0.1 * (before.high - before.at))
                return Moved(shift, before.at, before.rate, snapshot.bytes_per_second) if abs(shift) >= least else None
        return None
