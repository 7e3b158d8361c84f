"""Agent processes on this host: forked from one server, reached through TLS, each sent the units that are for it.

The runner listens on one loopback port; agents connect to it and listen on nothing. Which agent gets what is decided in
state.py.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engine.execution.agents import agent as agent_process
from engine.execution.agents import wire
from engine.execution.agents.channel import Channel, ChannelClosedError, listen, new_credentials
from engine.execution.agents.forks import Forked, ForkError, fork_agent
from engine.execution.coordination.messages import AgentLost, AgentReady, UnitDone
from engine.transfer.units import AgentConfig, AgentProgress, Unit

GRACE_SECONDS = 4.0
"""How long agents may take to stop before they are killed."""

GHOST_SECONDS = wire.LEASE_SECONDS + 60.0
"""After which an agent that cannot be killed can no longer write: its lease and its last requests have ended."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """An agent reported."""

    agent: str
    progress: AgentProgress


@dataclass(frozen=True, slots=True)
class UnitBroken:
    """A unit raised inside an agent: a defect, not a failing file."""

    agent: str
    unit_id: int
    error: str


FleetEvent = AgentReady | AgentLost | UnitDone | Progressed | UnitBroken


class Fleet(Protocol):
    """Agents and the way to them. ``events`` carries what they do."""

    events: asyncio.Queue[FleetEvent]

    async def start(self) -> None:
        """Make ready for agents. Raises FleetError."""

    def add(self, name: str) -> None:
        """Start an agent; AgentReady follows, or AgentLost."""

    def send(self, name: str, unit: Unit) -> None:
        """Give a unit to an agent; UnitDone follows, or AgentLost."""

    def tell(self, name: str, word: wire.Word) -> None:
        """Pause, resume or release an agent."""

    def limit(self, name: str, bytes_per_second: float | None) -> None:
        """Give an agent its share of the bandwidth limit; one that was just added heeds it from its first byte."""

    def remove(self, name: str) -> None:
        """Stop an idle agent; no event follows."""

    async def close(self) -> None:
        """Stop all agents and wait for their end."""


@dataclass(slots=True)
class _Member:
    process: Forked | None = None
    outbox: asyncio.Queue[wire.Frame] = field(default_factory=asyncio.Queue)
    leaving: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class LocalFleet:
    """Agents as processes of this host that die with the runner. ``folder``: of the execution, for the agents' lock."""

    def __init__(self, config: AgentConfig, folder: Path) -> None:
        self.events: asyncio.Queue[FleetEvent] = asyncio.Queue()
        self._config = config
        self._folder = folder
        self._members: dict[str, _Member] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on loopback with a throw-away certificate that agents must present too."""
        self._credentials = new_credentials()
        self._server = await listen(self._credentials, self._joined)
        self._port: int = self._server.sockets[0].getsockname()[1]
        self._spawn(self._renew())

    def add(self, name: str) -> None:
        """Fork an agent."""
        self._members[name] = _Member()
        self._spawn(self._launch(name, self._members[name]))

    def send(self, name: str, unit: Unit) -> None:
        """Queue a unit on the agent's connection."""
        self._put(name, "unit", wire.encode(unit))

    def tell(self, name: str, word: wire.Word) -> None:
        """Queue a word on the agent's connection."""
        self._put(name, word, b"")

    def limit(self, name: str, bytes_per_second: float | None) -> None:
        """Queue a share on the agent's connection."""
        self._put(name, "limit", wire.encode(bytes_per_second))

    def remove(self, name: str) -> None:
        """Let an agent leave."""
        if name in self._members:
            self._members[name].leaving = True
            self._put(name, "stop", b"")

    async def close(self) -> None:
        """Let all agents leave, kill those that do not, stop listening."""
        for name in list(self._members):
            self.remove(name)
        members = list(self._members.values())
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                await asyncio.gather(*(member.gone.wait() for member in members))
        except TimeoutError:
            for member in members:
                _kill(member)
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _put(self, name: str, word: wire.Word, data: bytes) -> None:
        member = self._members.get(name)
        if member is not None:
            member.outbox.put_nowait({"word": word, "data": data})

    async def _launch(self, name: str, member: _Member) -> None:
        arguments = (name, self._port, self._credentials, self._config, self._folder)
        try:
            process = await asyncio.to_thread(fork_agent, name, arguments)
        except ForkError as error:
            self._left(name, member, str(error))
            return
        member.process = process
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(process, ended.set)
        await ended.wait()
        loop.remove_reader(process)
        self._left(name, member, _how(process.join()))

    def _left(self, name: str, member: _Member, how: str) -> None:
        if member.gone.is_set():
            return
        member.gone.set()
        if self._members.get(name) is member:
            del self._members[name]
        if not member.leaving:
            self.events.put_nowait(AgentLost(name, how))

    async def _joined(self, channel: Channel) -> None:
        """Serve the connection of one agent."""
        try:
            hello, *rest = await channel.read()
        except ChannelClosedError:
            channel.abort()
            return
        name = hello["data"].decode()
        member = self._members.get(name)
        if hello["word"] != "hello" or member is None:
            await channel.close()
            return
        writer = asyncio.create_task(agent_process.write_frames(channel, member.outbox))
        self.events.put_nowait(AgentReady(name))
        try:
            while True:
                for frame in rest:
                    self._heard(name, frame)
                rest = await channel.read()
        except ChannelClosedError:
            pass
        finally:
            writer.cancel()
            channel.abort()
        if not member.leaving:
            _kill(member)
            self._spawn(self._bury(name, member))

    async def _bury(self, name: str, member: _Member) -> None:
        """Give an agent that cannot be killed (a hung mount) up once it can no longer write."""
        try:
            async with asyncio.timeout(GHOST_SECONDS):
                await member.gone.wait()
        except TimeoutError:
            self._left(name, member, "it cannot be killed; its lease has ended")

    def _heard(self, name: str, frame: wire.Frame) -> None:
        match frame["word"]:
            case "progress":
                self.events.put_nowait(Progressed(name, wire.decode_progress(frame["data"])))
            case "outcome":
                self.events.put_nowait(UnitDone(name, wire.decode_outcome(frame["data"])))
            case "broken":
                unit_id, _epoch, error = wire.decode_broken(frame["data"])
                self.events.put_nowait(UnitBroken(name, unit_id, error))

    async def _renew(self) -> None:
        while True:
            for name in self._members:
                self.tell(name, "lease")
            await asyncio.sleep(wire.RENEW_SECONDS)


def _kill(member: _Member) -> None:
    if member.process is not None:
        member.process.kill()


def _how(exitcode: int) -> str:
    if exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"its process ended with code {exitcode}"
