"""The bandwidth limit of a run: what is agreed or chosen now, divided over the agents by what they can use."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from engine.model import Limit, Migration
from engine.planning.sharing import divide
from engine.planning.timetable import Timetable
from engine.quantities import format_rate

if TYPE_CHECKING:
    from engine.journal.records import Agreement
    from engine.transfer.units import AgentProgress

BUSY_SHARE = 0.5
"""An agent whose threads waited for this part of the last interval can use more than it has."""

HEADROOM = 1.05
"""What an agent gets above what it used, so that it can show that it needs more."""

SILENT_SECONDS = 3.0
"""After this long without a report an agent keeps no more than it needs to begin again."""


@dataclass(slots=True)
class _Agent:
    """An agent's last report, when it came, the bytes/s that it can use by then, and the share that it was told."""

    last: AgentProgress | None = None
    heard_at: float = 0.0
    wants: float = 0.0
    told: float | None = None

    def add(self, progress: AgentProgress, at: float) -> None:
        if self.last is not None:
            self.wants = _wanted(self.last, progress)
        self.last, self.heard_at = progress, at


def _wanted(before: AgentProgress, now: AgentProgress) -> float:
    """Bytes/s that an agent can use, by two reports; infinity if it is held back."""
    seconds = now.clock_seconds - before.clock_seconds
    if now.waited_seconds - before.waited_seconds >= BUSY_SHARE * seconds:
        return math.inf
    return HEADROOM * (now.passed_bytes - before.passed_bytes) / seconds


class Bandwidth:
    """Knows the limit of every moment and who was told which share of it.

    Times (``now``, ``at``) are seconds since the epoch; ``zone`` is that of this host unless it is given.
    """

    def __init__(self, migration: Migration, zone: tzinfo | None = None) -> None:
        always = migration.options.bytes_per_second
        self._timetable = Timetable(migration.limits, float(always) if always > 0 else None)
        self._zone = zone
        self._agreed: tuple[float, Limit] | None = None
        self._chosen: Limit | None = None
        self._agents: dict[str, _Agent] = {}

    def limit(self, now: float) -> Limit:
        """What holds now: what a person chose until it ends, then what is agreed."""
        if self._chosen is not None and (self._chosen.until is None or now < self._chosen.until):
            return self._chosen
        self._chosen = None
        return self._agreed_at(now)

    def keep(self, limit: Limit) -> None:
        """Go on with the limit of an earlier session, if a person chose it."""
        self._chosen = limit if limit.chosen else None

    def choose(self, bytes_per_second: float | None, now: float) -> str:
        """Let a person's limit hold until the agreed one changes; returns the answer in words."""
        self._chosen = Limit(bytes_per_second, self._agreed_at(now).until, chosen=True)
        if self._chosen.until is None:
            return f"done: {_rate(bytes_per_second)} until the run ends"
        then = self._timetable.limit(self._chosen.until, self._zone).bytes_per_second
        return f"done: {self.words(self._chosen)}, then {_rate(then)} by the timetable"

    def words(self, limit: Limit) -> str:
        """``limit 200 MB/s until Mon 18:00``."""
        until = "" if limit.until is None else f" until {datetime.fromtimestamp(limit.until, self._zone):%a %H:%M}"
        return _rate(limit.bytes_per_second) + until

    def joined(self, agent: str) -> None:
        """An agent is being started: it is to be told its share before anything else."""
        self._agents[agent] = _Agent()

    def lost(self, agent: str) -> None:
        """An agent is gone: its share is free."""
        self._agents.pop(agent, None)

    def progress(self, agent: str, progress: AgentProgress, at: float) -> None:
        """Take an agent's report of ``at``."""
        if agent in self._agents:
            self._agents[agent].add(progress, at)

    def even_share(self, now: float) -> float | None:
        """What each agent may send if all send alike; None without a limit."""
        limit = self.limit(now).bytes_per_second
        return None if limit is None else limit / max(1, len(self._agents))

    def news(self, now: float) -> Iterable[tuple[str, float | None]]:
        """Agents whose share has changed since they were told, and the new one; lower ones first."""
        limit = self.limit(now).bytes_per_second
        if limit is None:
            shares: dict[str, float | None] = dict.fromkeys(self._agents)
        else:
            wants = {name: self._wants(agent, now) for name, agent in self._agents.items()}
            shares = {**divide(limit, wants)}
        changed = [(name, share) for name, share in shares.items() if share != self._agents[name].told]
        for name, share in changed:
            self._agents[name].told = share
        return sorted(changed, key=lambda pair: math.inf if pair[1] is None else pair[1])

    def _wants(self, agent: _Agent, now: float) -> float:
        return agent.wants if now - agent.heard_at <= SILENT_SECONDS else 0.0

    def _agreed_at(self, now: float) -> Limit:
        """The timetable is looked up only when it may have changed, or the clock went back."""
        if self._agreed is None or not self._agreed[0] <= now < (self._agreed[1].until or math.inf):
            self._agreed = (now, self._timetable.limit(now, self._zone))
        return self._agreed[1]


def limits_at(
    migration: Migration,
    chosen: Sequence[tuple[float, float | None]],
    times: Iterable[float],
    zone: tzinfo | None = None,
    earlier: Sequence[Agreement] = (),
) -> list[Limit]:
    """Which limit held at each of ``times``, which rise; ``chosen``: what people chose, and when, oldest first.

    ``earlier``: what was agreed before; with another agreement ends what was chosen under the one before.
    """
    agreed = [*((each.until, each.under(migration)) for each in earlier), (math.inf, migration)]
    ends, bandwidth, left = agreed[0][0], Bandwidth(agreed[0][1], zone), list(reversed(chosen))
    found = []
    for at in times:
        while at >= ends:
            left = [each for each in left if each[0] >= ends]
            ends, bandwidth = agreed[1][0], Bandwidth(agreed[1][1], zone)
            del agreed[0]
        while left and left[-1][0] <= at:
            since, rate = left.pop()
            bandwidth.choose(rate, since)
        found.append(bandwidth.limit(at))
    return found


def _rate(bytes_per_second: float | None) -> str:
    return "no limit" if bytes_per_second is None else f"limit {format_rate(bytes_per_second)}"
