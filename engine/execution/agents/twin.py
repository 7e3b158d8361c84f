"""The in-process twin of the fleet: engines in threads of this process, for tests that must be deterministic."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future

from engine.execution.agents import wire
from engine.execution.agents.fleet import FleetEvent, UnitBroken
from engine.execution.coordination.messages import AgentLost, AgentReady, UnitDone
from engine.transfer.engine import Engine
from engine.transfer.units import AgentConfig, Unit, UnitOutcome


class TwinFleet:
    """A Fleet whose agents live in this process; ``lose`` lets one die with what it holds."""

    def __init__(self, config: AgentConfig) -> None:
        self.events: asyncio.Queue[FleetEvent] = asyncio.Queue()
        self._config = config
        self._engines: dict[str, Engine] = {}

    async def start(self) -> None:
        """Remember the loop that events are for."""
        self._loop = asyncio.get_running_loop()

    def add(self, name: str) -> None:
        """Make an engine."""
        engine = Engine(self._config, name)
        engine.renew_lease(time.monotonic() + 3600)
        self._engines[name] = engine
        self.events.put_nowait(AgentReady(name))

    def send(self, name: str, unit: Unit) -> None:
        """Run a unit; nothing comes back from an engine that was lost before or meanwhile."""
        engine = self._engines.get(name)
        if engine is None:
            return

        def done(future: Future[UnitOutcome]) -> None:
            error = future.exception()
            event: FleetEvent = UnitBroken(name, unit.id, repr(error)) if error else UnitDone(name, future.result())
            self._loop.call_soon_threadsafe(self._deliver, name, engine, event)

        engine.submit(unit).add_done_callback(done)

    def tell(self, name: str, word: wire.Word) -> None:
        """Pause, resume or release an engine."""
        engine = self._engines.get(name)
        if engine is None:
            return
        if word == "release":
            engine.fence(2**62)
        else:
            engine.set_paused(word == "pause")

    def limit(self, name: str, bytes_per_second: float | None) -> None:
        """Set the share of an engine."""
        if name in self._engines:
            self._engines[name].set_limit(bytes_per_second)

    def remove(self, name: str) -> None:
        """Close an engine."""
        self._engines.pop(name).close()

    def lose(self, name: str) -> None:
        """Let an agent die: it writes nothing more and what it held does not come back."""
        engine = self._engines.pop(name)
        engine.fence(2**62)
        engine.close()
        self.events.put_nowait(AgentLost(name, "lost by a test"))

    async def close(self) -> None:
        """Close all engines."""
        for name in list(self._engines):
            await asyncio.to_thread(self._engines.pop(name).close)

    def _deliver(self, name: str, engine: Engine, event: FleetEvent) -> None:
        if self._engines.get(name) is engine:
            self.events.put_nowait(event)
