"""Programs behind a pseudo-terminal, or in a tmux of their own: what they write, how much, and when."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

_SECONDS = 60.0


class NotSeenError(Exception):
    """A program did not write what it was waited for."""


class Terminal:
    """A program behind a pseudo-terminal of 80x24. ``written``: bytes so far."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._fd, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        surroundings = {**environment, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        surroundings.pop("TMUX", None)
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            list(command), stdin=end, stdout=end, stderr=end, env=surroundings, start_new_session=True
        )
        os.close(end)
        self.written = 0

    def types(self, text: bytes) -> None:
        """Press keys."""
        os.write(self._fd, text)

    def sees(self, text: bytes) -> float:
        """Read until ``text`` comes; returns when it came, by ``time.perf_counter``. Raises NotSeenError."""
        seen, deadline = b"", time.perf_counter() + _SECONDS
        while text not in seen:
            if not select.select([self._fd], [], [], max(0.0, deadline - time.perf_counter()))[0]:
                raise NotSeenError(f"{text!r} after {seen[-500:]!r}")
            seen += self._read()
        return time.perf_counter()

    def drains(self, seconds: float) -> None:
        """Read for so long whatever comes."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            if select.select([self._fd], [], [], left)[0]:
                self._read()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self._fd)

    def _read(self) -> bytes:
        found = os.read(self._fd, 65536)
        self.written += len(found)
        return found


@contextmanager
def terminal(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """A program behind a terminal until the block ends."""
    found = Terminal(command, environment)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def in_tmux(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterator[tuple[int, Path]]:
    """A program in a tmux server of its own, 80x24; yields its process id and the file with all that it writes."""
    name, written = f"{folder.name}-{os.getpid()}", folder / "written"
    surroundings = {name: value for name, value in environment.items() if name != "TMUX"} | {"LC_ALL": "C.UTF-8"}

    def tmux(*arguments: str) -> str:
        ran = ["tmux", "-L", name, "-f", os.devnull, *arguments]
        return subprocess.run(ran, env=surroundings, capture_output=True, text=True, check=True).stdout

    tmux("new-session", "-d", "-x", "80", "-y", "24", *command)
    try:
        tmux("pipe-pane", "-o", f"exec cat >> '{written}'")
        yield int(tmux("display-message", "-p", "#{pane_pid}")), written
    finally:
        tmux("kill-server")


def core_share(pid: int, seconds: float) -> float:
    """How much of a core a process and those below it take over so many seconds, from now on."""
    before, began = _cpu(pid), time.perf_counter()
    time.sleep(seconds)
    return (_cpu(pid) - before) / (time.perf_counter() - began)


def _cpu(pid: int) -> float:
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)
