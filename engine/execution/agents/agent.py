"""The agent process: takes units from its runner over TLS, runs them in an Engine, reports twice a second."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from engine.certificates import Credentials
from engine.execution.agents import wire
from engine.execution.agents.channel import Channel, ChannelClosedError, connect
from engine.locks import agents_lock
from engine.transfer.units import AgentConfig, Unit, UnitOutcome

if TYPE_CHECKING:
    from pathlib import Path

    from engine.transfer.engine import Engine


def main(name: str, port: int, credentials: Credentials, config: AgentConfig, folder: Path) -> None:
    """Join the runner that listens on ``port`` and work until it says stop or goes away. The process entry point.

    Whoever calls this ends the process at once: threads inside a hung read or a library must not hold it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with agents_lock(folder):
        asyncio.run(_Agent(name, config).serve(port, credentials))


class _Agent:
    def __init__(self, name: str, config: AgentConfig) -> None:
        self._name = name
        self._config = config
        self._outbox: asyncio.Queue[wire.Frame] = asyncio.Queue()
        self._report_seconds = wire.PROGRESS_SECONDS

    async def serve(self, port: int, credentials: Credentials) -> None:
        channel = await connect(port, credentials)
        self._loop = asyncio.get_running_loop()
        self._put("hello", self._name.encode())
        tasks = [asyncio.create_task(write_frames(channel, self._outbox))]
        from engine.transfer.engine import Engine

        self._engine = Engine(self._config, self._name)
        self._engine.renew_lease(time.monotonic() + wire.LEASE_SECONDS)
        tasks.append(asyncio.create_task(self._report()))
        try:
            await self._read(channel, self._engine)
        except ChannelClosedError:
            os._exit(1)  # the runner is gone: nothing may be written any more
        for task in tasks:
            task.cancel()
        await asyncio.to_thread(self._engine.close)
        await channel.close()

    async def _read(self, channel: Channel, engine: Engine) -> None:
        while True:
            for frame in await channel.read():
                match frame["word"]:
                    case "unit":
                        self._take(engine, wire.decode_unit(frame["data"]))
                    case "pause" | "resume" as word:
                        engine.set_paused(word == "pause")
                    case "release":
                        engine.fence(2**62)
                    case "limit":
                        share = wire.decode_limit(frame["data"])
                        engine.set_limit(share)
                        self._report_seconds = wire.PROGRESS_SECONDS if share is None else wire.LIMITED_SECONDS
                    case "lease":
                        engine.renew_lease(time.monotonic() + wire.LEASE_SECONDS)
                    case "stop":
                        return

    def _take(self, engine: Engine, unit: Unit) -> None:
        def done(future: Future[UnitOutcome]) -> None:
            error = future.exception()
            if error is None:
                self._loop.call_soon_threadsafe(self._put, "outcome", wire.encode(future.result()))
            else:
                broken = (unit.id, unit.epoch, f"{type(error).__name__}: {error}")
                self._loop.call_soon_threadsafe(self._put, "broken", wire.encode(broken))

        engine.submit(unit).add_done_callback(done)

    def _put(self, word: wire.Word, data: bytes) -> None:
        self._outbox.put_nowait({"word": word, "data": data})

    async def _report(self) -> None:
        while True:
            self._put("progress", wire.encode(self._engine.progress()))
            await asyncio.sleep(self._report_seconds)


async def write_frames(channel: Channel, outbox: asyncio.Queue[wire.Frame]) -> None:
    """Send what is put into ``outbox``, everything that waits as one message, until the connection closes."""
    while True:
        frames = [await outbox.get()]
        while not outbox.empty():
            frames.append(outbox.get_nowait())
        try:
            await channel.write(frames)
        except ChannelClosedError:
            return
