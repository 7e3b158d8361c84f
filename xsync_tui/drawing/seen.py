"""What a watcher has seen of a run beside its journal: since when an agent stands, and what it waits for of late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from engine.model import AgentSnapshot, AgentTimes, Snapshot
from engine.planning.attribution import between, shares_of
from engine.planning.measurement import Waits

_WAITS_SECONDS = 10.0


@dataclass(slots=True)
class _Agent:
    times: deque[tuple[float, AgentTimes]] = field(default_factory=deque)
    counts: tuple[int, int] = (-1, -1)
    moved_at: float = 0.0

    def add(self, agent: AgentSnapshot, now: float) -> None:
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

    def add(self, snapshot: Snapshot, now: float) -> None:
        """Look at the run as it is ``now`` (seconds since the epoch)."""
        for agent in snapshot.agents:
            self._agents.setdefault(agent.name, _Agent()).add(agent, now)

    def waits(self, agent: AgentSnapshot) -> Waits | None:
        """What took most of an agent's time of late, or since it started if this is the first look; None: unknown."""
        known = self._agents.get(agent.name)
        times = [each for _, each in known.times] if known else []
        spent = between(times[0], times[-1]) if len(times) > 1 else agent.times
        return shares_of([spent]).largest if spent.clock > 0 else None

    def stands_since(self, name: str) -> float | None:
        """Since when an agent moved nothing; None if it was never seen."""
        return self._agents[name].moved_at if name in self._agents else None
