"""The workers of a survey as seen by the one who hands out the work: some are busy, the others idle."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, cast

from engine.errors import LocationError, XsyncError
from engine.locations.base import Location
from engine.locations.registry import open_location
from engine.model import LocationSpec
from engine.survey.worker import SHARE, SURVEYED, Finished, Message, Scanned, ScanRequest, Wanted, work

EXIT_SECONDS = 5.0
"""How long a process may take to exit before it is killed."""

_DIED = "a process that lists ended unexpectedly; try again"


class _Member(NamedTuple):
    connection: Connection
    process: BaseProcess | None
    thread: threading.Thread | None


class Crew:
    """Workers that each write their files in ``catalog``: processes, or threads. Leaving the context ends them all."""

    def __init__(
        self, spec: LocationSpec, catalog: Path, count: int, *, in_threads: bool, wanted: Wanted = SURVEYED
    ) -> None:
        start: Callable[[LocationSpec, Path, Wanted], _Member] = _start_process
        self._shared = open_location(spec) if in_threads else None  # connections take longer to make than to use
        if self._shared is not None:
            start = partial(_start_thread, self._shared)
        self.size = count
        members = [start(spec, catalog / f"entries-{number:04d}.parquet", wanted) for number in range(count)]
        self._idle: list[_Member] = []
        self._busy = {member.connection: member for member in members}
        self._sharing: set[Connection] = set()

    @property
    def idle(self) -> int:
        """How many wait for work."""
        return len(self._idle)

    @property
    def busy(self) -> int:
        """How many are at work, or still starting."""
        return len(self._busy)

    def gather(self, seconds: float) -> None:
        """Wait until all are idle, for at most so long. Raises like ``answers``."""
        deadline = time.monotonic() + seconds
        while self._busy and time.monotonic() < deadline:
            self.answers(deadline - time.monotonic())

    def ask(self, request: ScanRequest) -> None:
        """Give an idle worker something to do. Raises LocationError if it died."""
        member = self._idle.pop()
        self._busy[member.connection] = member
        self._sharing.discard(member.connection)
        _send(member.connection, request)

    def share(self) -> None:
        """Let the busy ones answer soon, with the folders that are left. Raises LocationError if one died."""
        for connection in self._busy.keys() - self._sharing:
            self._sharing.add(connection)
            _send(connection, SHARE)

    def answers(self, seconds: float) -> list[Scanned]:
        """What workers have found; waits up to ``seconds`` for the first answer.

        Raises the LocationError of a worker, or one that says that it died.
        """
        answers = []
        for connection in wait(list(self._busy), seconds):
            answer = _receive(cast("Connection", connection))
            answers.append(cast("Scanned", answer))
            self._idle.append(self._busy.pop(cast("Connection", connection)))
        return answers

    def finish(self, seconds: float) -> tuple[list[Path], bool]:
        """Let the idle workers complete their files; return those of all that did within ``seconds``.

        And whether that were all workers there are.
        """
        finishing = {member.connection: member for member in self._idle}
        self._idle.clear()
        self._busy |= finishing
        for connection in finishing:
            _send(connection, None)
        deadline = time.monotonic() + seconds
        files: list[Path] = []
        finished = 0
        while finishing and (ready := wait(list(finishing), deadline - time.monotonic())):
            for connection in cast("list[Connection]", ready):
                files += cast("Finished", _receive(connection)).files
                del finishing[connection]
                finished += 1
        return sorted(files), finished == self.size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        members = [*self._idle, *self._busy.values()]
        for member in members:
            member.connection.close()
        patience = time.monotonic() + (EXIT_SECONDS if error is not None else 0.0)
        for member in members:
            if member.process is not None:
                _end(member.process)
            elif member.thread is not None:  # after an error the others bring what they have found to disk
                member.thread.join(max(0.0, patience - time.monotonic()))
        if self._shared is not None:
            self._shared.close()


def _start_process(spec: LocationSpec, path: Path, wanted: Wanted) -> _Member:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, spec, path, wanted), name=f"survey {path.stem}", daemon=True)
    resource_tracker.ensure_running()  # else it starts below, and lets signals through again
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()  # Ctrl-C reaches the whole process group, and must not end those who bring in the rest
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    theirs.close()
    return _Member(ours, process, None)


def _start_thread(location: Location, spec: LocationSpec, path: Path, wanted: Wanted) -> _Member:
    ours, theirs = multiprocessing.Pipe()
    arguments = (theirs, spec, path, wanted, location)
    thread = threading.Thread(target=work, args=arguments, name=f"survey {path.stem}", daemon=True)
    thread.start()
    return _Member(ours, None, thread)


def _send(connection: Connection, request: Message) -> None:
    try:
        connection.send(request)
    except OSError:
        raise LocationError(_DIED) from None


def _receive(connection: Connection) -> Scanned | Finished:
    try:
        answer: Scanned | Finished | XsyncError = connection.recv()
    except (EOFError, OSError):
        raise LocationError(_DIED) from None
    if isinstance(answer, XsyncError):
        raise answer
    return answer


def _end(process: BaseProcess) -> None:
    process.join(EXIT_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    process.close()
