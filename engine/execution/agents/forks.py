"""Agents are forked from a process that has one thread and has imported what they need: so they start at once.

A runner makes that process of itself before it does anything else, so that what both need is imported once. Imports
nothing heavy by itself.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn

_SHARED = ("engine.execution.agents.agent", "engine.transfer.engine", "pyarrow.compute")
"""What all agents import. Among it awscrt, which has no threads before its first client is made."""

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_NUMBER = struct.Struct("=i")
_LENGTH = struct.Struct("=q")


class ForkError(Exception):
    """No agent can be started."""


class Forked:
    """An agent process. ``fileno()`` can be read from once it has ended."""

    def __init__(self, line: socket.socket, pid: int) -> None:
        self._line = line
        self._pid = pid

    def fileno(self) -> int:
        """For a selector."""
        return self._line.fileno()

    def join(self) -> int:
        """Wait for its end; returns its exit code, or the number of the signal that killed it as a negative one."""
        with self._line:
            said = self._line.recv(_NUMBER.size)
        self._pid = 0
        return int(_NUMBER.unpack(said)[0]) if said else -signal.SIGKILL  # it dies with the process that would tell

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        if self._pid and not select.select([self._line], [], [], 0)[0]:
            with suppress(ProcessLookupError):  # it has ended this very moment
                os.kill(self._pid, signal.SIGKILL)


class _Server:
    """The way to the process that forks; it is started when first needed, and again if it has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None

    def adopt(self, control: socket.socket) -> None:
        self._control = control

    def fork(self, name: str, request: bytes) -> Forked:
        with self._lock:
            try:
                return self._asked(name, request)
            except OSError:
                if self._control is not None:
                    self._control.close()
                self._control = None
            try:
                return self._asked(name, request)
            except OSError as error:
                raise ForkError(f"no process can be started for it: {error}") from error

    def _asked(self, name: str, request: bytes) -> Forked:
        if self._control is None:
            self._control = _spawned()
        line, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [name.encode()], [theirs.fileno()])
            line.sendall(_LENGTH.pack(len(request)) + request)
            said = line.recv(_NUMBER.size)
            if not said:
                raise ConnectionResetError("the process that forks agents has ended")
            return Forked(line, _NUMBER.unpack(said)[0])
        except BaseException:
            line.close()
            raise


_server = _Server()


def fork_agent(name: str, arguments: tuple[Any, ...]) -> Forked:
    """A new process that calls ``agent.main(*arguments)`` and dies with this one. For any thread. Raises ForkError."""
    return _server.fork(f"xsync {name}", pickle.dumps(arguments))


def fork_early(schemes: Iterable[str]) -> None:
    """Import what this process and agents for locations of these ``schemes`` need, then split off what forks them.

    To be called before this process has threads, locks, or files that its agents must not have.
    """
    from engine.locations.registry import warm_up

    for name in _SHARED:
        importlib.import_module(name)
    for scheme in schemes:
        warm_up(scheme)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        _serve(theirs)
    theirs.close()
    _server.adopt(ours)


def _spawned() -> socket.socket:
    """The other end of a process that forks, made by a process that has threads already."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-P", "-m", __name__, str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    process.returncode = 0  # it ends with this process: nobody waits for it
    return ours


def _serve(control: socket.socket) -> NoReturn:
    """Fork when asked to, and tell of each end, until the runner is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # with a handler, however idle, it wakes the loop
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _call("xsync agents")
    gc.freeze()  # what agents share is not looked through, and so not copied, by their collections
    gc.enable()
    lines: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4_096)
            _tell_ends(lines)
        if control.fileno() in ready:
            said, fds, _, _ = socket.recv_fds(control, 64, 1)
            if not said:
                os._exit(0)
            line = socket.socket(fileno=fds[0])
            server, pid = os.getpid(), os.fork()
            if not pid:
                _become_agent(said.decode(), line, [control, *lines.values()], server)
            lines[pid] = line
            with suppress(OSError):
                line.send(_NUMBER.pack(pid))


def _tell_ends(lines: dict[int, socket.socket]) -> None:
    while lines:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with suppress(OSError), lines.pop(pid) as line:
            line.send(_NUMBER.pack(os.waitstatus_to_exitcode(status)))


def _become_agent(name: str, line: socket.socket, others: Iterable[socket.socket], server: int) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != server:
            os._exit(code)  # it died before it could take this process with it
        _call(name)
        for other in others:
            other.close()
        with line, line.makefile("rb") as request:
            (length,) = _LENGTH.unpack(request.read(_LENGTH.size))
            arguments = pickle.loads(request.read(length))
        from engine.execution.agents import agent

        agent.main(*arguments)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _call(name: str) -> None:
    """How process listings call this process; Linux keeps 15 bytes."""
    _libc().prctl(_PR_SET_NAME, name.encode()[:15])


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    fork_request = socket.socket(fileno=int(sys.argv[1]))
    importlib.import_module(_SHARED[0])
    _serve(fork_request)
