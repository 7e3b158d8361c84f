"""Holds the folders of a run open, and tells whether their paths still lead there: a mount may go in mid-run.

What lies below its mount point has the same path. Files written there would be called safe and be hidden by the next
mount; a source would look empty. So what agents report counts only once the paths were seen to lead where they led when
the run began, at a later moment: a few system calls a commit. A mount that comes back is another one.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from engine.errors import DestinationError, LocationError, SourceError
from engine.locations.registry import file_path, scheme_of
from engine.model import LocationSpec

PATIENCE_SECONDS = 300.0
"""How long a path may fail for another reason than that it leads nowhere: a server that is away for a while."""

HURRY_SECONDS = 10.0
"""How long the last look at a path may take, when the run is to end: a dead mount must not hold that up."""

_LOOK_SECONDS = 1.0
_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class _Held(NamedTuple):
    """A folder that is open: while it is, neither its inode nor the number of its mount is given to another."""

    word: str
    url: str
    path: bytes
    fd: int
    place: tuple[int, int, int]


class Roots:
    """The folders of a session. ``check`` is for its event loop; others may not use it at the same time."""

    def __init__(self, execution: str, source: Sequence[LocationSpec], destination: Sequence[LocationSpec]) -> None:
        """Raises SourceError, DestinationError if a folder cannot be opened."""
        self._execution = execution
        self._held: list[_Held] = []
        self._hurried = threading.Event()
        for word, specs in (("source", source), ("destination", destination)):
            for spec in specs:
                if scheme_of(spec.url) == "file":
                    self._asked = self._hold(word, spec.url)
                    self._held.append(self._asked)

    def hurry(self) -> None:
        """The run is to end: from now on a path that does not answer counts as gone."""
        self._hurried.set()

    async def check(self) -> None:
        """Return if every path leads where it led at first. Raises SourceError, DestinationError that says what to do.

        Waits for what does not answer, in a thread that nobody waits for at the end.
        """
        if not self._held:
            return
        loop = asyncio.get_running_loop()
        told: asyncio.Future[LocationError | None] = loop.create_future()

        def tell(problem: LocationError | None) -> None:
            if not told.done():
                told.set_result(problem)

        def look() -> None:
            problem = self._problem()
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(tell, problem)

        threading.Thread(target=look, name="roots", daemon=True).start()
        while not told.done() and not self._hurried.is_set():
            await asyncio.wait([told], timeout=_LOOK_SECONDS)
        await asyncio.wait([told], timeout=HURRY_SECONDS)
        if not told.done():
            raise self._error(self._asked.word, f"{self._asked.url} does not answer")
        if (problem := told.result()) is not None:
            raise problem

    def close(self) -> None:
        """Let go of the folders."""
        while self._held:
            os.close(self._held.pop().fd)

    def _problem(self) -> LocationError | None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for held in self._held:
            self._asked = held
            while (why := _moved(held)) is not None:
                passes = why not in (errno.ENOENT, errno.ENOTDIR, 0)
                if not passes or self._hurried.is_set() or time.monotonic() >= deadline:
                    return self._error(held.word, _said(held, why))
                self._hurried.wait(_LOOK_SECONDS)
        return None

    def _hold(self, word: str, url: str) -> _Held:
        path = file_path(url)
        try:
            fd = os.open(path, _FLAGS)
        except OSError as error:
            raise self._error(word, f"{url} cannot be opened: {error.strerror}") from error
        return _Held(word, url, path, fd, _place(fd))

    def _error(self, word: str, what: str) -> LocationError:
        kind = SourceError if word == "source" else DestinationError
        return kind(f"the {word} {what}. Mount it again, then go on: xsync resume {self._execution}")


def _moved(held: _Held) -> int | None:
    """None if the path leads to the folder that is held; 0 if it leads to another, else why it leads nowhere."""
    try:
        fd = os.open(held.path, _FLAGS)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        return None if _place(fd) == held.place else 0
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        os.close(fd)


def _place(fd: int) -> tuple[int, int, int]:
    """Device, inode, and mount (proc_pid_fdinfo(5); 0 where there is no such file)."""
    found = os.fstat(fd)
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as lines:
            mount = next((int(line.split()[1]) for line in lines if line.startswith("mnt_id:")), 0)
    except FileNotFoundError:
        mount = 0
    return found.st_dev, found.st_ino, mount


def _said(held: _Held, why: int) -> str:
    if why not in (0, errno.ENOENT, errno.ENOTDIR):
        return f"{held.url} cannot be reached: {os.strerror(why)}"
    text = f"{held.url} is not what it was: its mount went, or something else is there now"
    if held.word == "source":
        return f"{text}. Nothing that was read there since counts"
    return f"{text}. What was written in the last seconds may lie below the mount point, where the next mount hides it"
