"""Watches an execution through its journal, beside the runner: notifications, and metrics every few seconds.

It only reads, so that whatever is slow or broken out there stops nothing; what went wrong becomes an event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from engine.errors import JournalError
from engine.execution.committer import Committer
from engine.journal.reader import read_snapshot
from engine.journal.writer import Journal
from engine.model import Event, Migration, Snapshot, Status
from engine.reporting.metrics import write_metrics

PERIOD_SECONDS = 15.0
"""How often metrics are written and stalled agents looked for."""


class Herald:
    """Tells about the execution in ``folder``."""

    def __init__(self, folder: Path, migration: Migration, committer: Committer) -> None:
        self._folder = folder
        self._notify = migration.notify
        self._metrics = None if migration.metrics_file is None else Path(migration.metrics_file)
        self._committer = committer
        self._stalled: frozenset[str] = frozenset()
        self._warned: set[str] = set()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch while the block runs."""
        task = asyncio.create_task(self._watch()) if self._notify or self._metrics else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def end(self, problem: str = "") -> None:
        """Tell how the execution ended, from its journal; ``problem``: it could not even write that down."""
        if not (self._notify or self._metrics):
            return
        snapshot = await self._read()
        if snapshot is None:
            return
        failed = bool(problem) or snapshot.status is Status.ERROR
        await self._tell("failure" if failed else "end", snapshot, problem)

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(PERIOD_SECONDS)

    async def look(self) -> None:
        """Look once: write metrics, and tell of agents that have stalled since the last look."""
        snapshot = await self._read()
        if snapshot is None:
            return
        stalled = frozenset(agent.name for agent in snapshot.agents if agent.state == "stalled")
        if stalled - self._stalled:
            await self._tell("stall", snapshot, f"no progress for minutes: {', '.join(sorted(stalled))}")
        self._stalled = stalled

    async def _read(self) -> Snapshot | None:
        """The execution as it is now, also put into the metrics; None if its journal cannot be read."""
        try:
            snapshot = await asyncio.to_thread(read_snapshot, self._folder)
        except JournalError:
            return None  # its writer says so
        if self._metrics is not None:
            try:
                await asyncio.to_thread(write_metrics, self._metrics, snapshot)
            except OSError as error:
                await self._warn(f"the metrics file {self._metrics} cannot be written: {error.strerror}")
        return snapshot

    async def _tell(self, kind: str, snapshot: Snapshot, message: str) -> None:
        settings = self._notify
        wanted = settings is not None and (kind in settings.on or (kind == "failure" and "end" in settings.on))
        if settings is None or not wanted:
            return
        from engine.reporting.notify import event_of, notify  # urllib3 takes 20 ms to import

        event = event_of(kind, snapshot, self._folder, message)
        for problem in await asyncio.to_thread(notify, settings, event):
            await self._warn(problem)

    async def _warn(self, text: str) -> None:
        """Say it once."""
        if text in self._warned:
            return
        self._warned.add(text)

        def add(journal: Journal) -> None:
            journal.add_event(Event(time.time(), "warning", text))

        try:
            await self._committer.call(add)
        except JournalError:
            return  # a full disk has been said by whoever writes what matters
