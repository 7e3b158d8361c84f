"""What people see of a run: agents, rates, samples, events; gathered here and written to the journal twice a second."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from engine.execution.ledger import Ledger
from engine.journal.records import Estimate
from engine.journal.writer import Journal
from engine.model import AgentSnapshot, Event, Sample, TaskSnapshot, Totals
from engine.planning.estimate import remaining
from engine.planning.values import Dataset
from engine.transfer.units import AgentProgress

ESTIMATE_SECONDS = 30.0
"""Estimates are kept this far apart, the first so long after sending began: rates are steady by then."""

RATE_SECONDS = 5.0
"""Rates are means over this long."""

STALL_SECONDS = 120.0
"""An agent that has work and moves no byte and no file for this long is shown as stalled (safety.md, Resume)."""


@dataclass(slots=True)
class _Watched:
    """One agent: its reports of the last seconds, and when it last moved something."""

    reports: deque[tuple[float, AgentProgress]] = field(default_factory=deque)
    moved_at: float = 0.0

    def add(self, now: float, progress: AgentProgress) -> None:
        last = self.reports[-1][1] if self.reports else None
        if last is None or _moved(last) != _moved(progress):
            self.moved_at = now
        self.reports.append((now, progress))
        while now - self.reports[0][0] > RATE_SECONDS:
            self.reports.popleft()


def _moved(progress: AgentProgress) -> tuple[int, int, int]:
    """What a small body that waits for a low bandwidth limit moves, too, long before it is sent."""
    return progress.files, progress.bytes, progress.passed_bytes


class Watch:
    """Collects reports and makes them rows of the journal."""

    def __init__(self, tasks: Sequence[TaskSnapshot]) -> None:
        self._tasks = list(tasks)
        self._written: dict[int, TaskSnapshot] = {}
        self._agents: dict[str, _Watched] = {}
        self._gone: list[AgentSnapshot] = []
        self._events: list[Event] = []
        self._not_kept: Counter[str] = Counter()
        self._before: tuple[int, int] = (0, 0)  # of agents that are gone
        self._estimated_at: float | None = None

    def note(self, kind: str, text: str) -> None:
        """Keep an event for the journal."""
        self._events.append(Event(time.time(), kind, text))

    def not_kept(self, missed: Mapping[str, int]) -> None:
        """So many entries went without what their source has."""
        self._not_kept.update(missed)

    def conclude(self) -> None:
        """Say once what could not be kept in this session."""
        for what, count in sorted(self._not_kept.items()):
            why = "this account or the file system does not allow it"
            self.note("warning", f"{what} not kept of {count:,} {'entry' if count == 1 else 'entries'}: {why}")

    def progress(self, agent: str, progress: AgentProgress) -> None:
        """Take an agent's report."""
        self._agents.setdefault(agent, _Watched()).add(time.time(), progress)

    def lost(self, agent: str, state: str) -> None:
        """An agent is ``lost`` or ``gone``; what it did still counts."""
        watched = self._agents.pop(agent, None)
        if watched is None or not watched.reports:
            return
        last = watched.reports[-1][1]
        self._before = (self._before[0] + last.files, self._before[1] + last.bytes)
        self._gone.append(
            AgentSnapshot(agent, state, files=last.files, bytes=last.bytes, reported_at=time.time(), times=last.times)
        )

    def write(
        self,
        journal: Journal,
        ledger: Ledger,
        states: Mapping[str, str],
        listing_complete: bool,
        *,
        paused: bool = False,
    ) -> None:
        """Put everything into the journal in one transaction; called on its thread.

        ``paused``: nobody is expected to move anything, and nobody has stalled.
        """
        now = time.time()
        for watched in self._agents.values() if paused else ():
            watched.moved_at = now
        events, self._events = self._events, []
        gone, self._gone = self._gone, []
        totals = ledger.totals(listing_complete=listing_complete)
        over = {agent.name: agent for agent in gone}
        agents = [self._snapshot(name, state, now) for name, state in sorted(states.items()) if name not in over]
        last = [replace(over[name], state=state) for name, state in sorted(states.items()) if name in over]
        files_rate = sum(agent.files_per_second for agent in agents)
        bytes_rate = sum(agent.bytes_per_second for agent in agents)
        left = self._left(totals, files_rate, bytes_rate)
        changed = {index: task for index, task in self._live_tasks(ledger) if self._written.get(index) != task}
        with journal.transaction():
            journal.heartbeat(now, left)
            journal.put_agents([*gone, *agents, *last], now)  # at its end agents keep what they did
            journal.put_live(changed)
            journal.add_sample(Sample(now, *self._moved(agents), files_rate, bytes_rate))
            journal.add_agent_rates(now, {agent.name: agent.bytes_per_second for agent in agents})
            self._estimate(journal, now, None if paused else left, bytes_rate)
            for event in events:
                journal.add_event(event)
        self._written |= changed

    def _estimate(self, journal: Journal, now: float, left: tuple[float, float] | None, bytes_rate: float) -> None:
        """Keep what is said now; what was said before a pause, or before this session, is forgotten."""
        if left is None or self._estimated_at is None:
            if self._estimated_at is not None or left is not None:
                journal.forget_estimates()
            self._estimated_at = None if left is None else now
        elif now - self._estimated_at >= ESTIMATE_SECONDS:
            self._estimated_at = now
            journal.add_estimate(Estimate(now, now + left[0], now + left[1], bytes_rate))

    @staticmethod
    def _left(totals: Totals, files_rate: float, bytes_rate: float) -> tuple[float, float] | None:
        """Seconds left, or None: while the listing still finds work every end would be invented."""
        if not totals.listing_complete:
            return None
        left = remaining(Dataset(totals.files.pending, totals.bytes.pending), files_rate, bytes_rate)
        return None if left is None else (left.low, left.high)

    def _moved(self, agents: Sequence[AgentSnapshot]) -> tuple[int, int]:
        files, size = self._before
        return files + sum(agent.files for agent in agents), size + sum(agent.bytes for agent in agents)

    def _live_tasks(self, ledger: Ledger) -> Iterator[tuple[int, TaskSnapshot]]:
        totals = ledger.by_task()
        for index, task in enumerate(self._tasks):
            files, size = totals[index].files, totals[index].bytes
            yield index, TaskSnapshot(task.name, task.include, task.exclude, task.agent, files, size)

    def _snapshot(self, name: str, state: str, now: float) -> AgentSnapshot:
        watched = self._agents.get(name)
        if watched is None or not watched.reports:
            return AgentSnapshot(name, state, reported_at=now)
        (since, first), (at, last) = watched.reports[0], watched.reports[-1]
        span = max(at - since, 0.001)
        several = len(watched.reports) > 1
        if state == "working" and now - watched.moved_at > STALL_SECONDS:
            state = "stalled"
        return AgentSnapshot(
            name=name,
            state=state,
            path=last.path,
            files=last.files,
            bytes=last.bytes,
            files_per_second=(last.files - first.files) / span if several else 0.0,
            bytes_per_second=(last.bytes - first.bytes) / span if several else 0.0,
            in_flight=last.in_flight,
            window=last.window,
            cpu_share=(last.cpu_seconds - first.cpu_seconds) / span if several else 0.0,
            memory_bytes=last.memory_bytes,
            reported_at=at,
            times=last.times,
        )
