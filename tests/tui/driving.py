"""Drives the app in a test: a screen of 80x23, keys as a person presses them, and what is then to be read."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable

from textual.pilot import Pilot

from xsync_tui.app import XsyncApp
from xsync_tui.drawing.rows import plain
from xsync_tui.widgets.lines import Lines

SECONDS = 30.0
"""How long anything may take at most."""


class Driver:
    """A running app. ``read``: what stands on the screen on top, row by row."""

    def __init__(self, app: XsyncApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    def read(self) -> str:
        """The rows of all parts of the screen on top."""
        return "\n".join("\n".join(plain(part.rows)) for part in self.app.screen.query(Lines))

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def sees(self, text: str) -> str:
        """Wait until ``text`` stands on the screen; returns all that does."""
        await self.until(lambda: text in self.read(), lambda: f"{text!r} is not in:\n{self.read()}")
        return self.read()

    async def until(self, holds: Callable[[], bool], why: Callable[[], str] = lambda: "it does not hold") -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, why()
            await self.pilot.pause(0.02)

    async def runner(self) -> subprocess.Popen[bytes]:
        """Wait until the app has started a process that goes on without it, and has kept hold of it."""
        runners = self.app.bridge.runners
        await self.until(lambda: bool(runners), lambda: "nothing was started")
        return runners[-1]


def drive(
    play: Callable[[Driver], Awaitable[None]], app: XsyncApp | None = None, size: tuple[int, int] = (80, 23)
) -> None:
    """Run ``app`` and ``play`` against it."""

    async def run() -> None:
        driven = app or XsyncApp()
        async with driven.run_test(size=size) as pilot:
            await play(Driver(driven, pilot))
        driven.bridge.close()

    asyncio.run(run())
