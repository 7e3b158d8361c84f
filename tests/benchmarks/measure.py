"""Runs one command and counts the time of every process it starts, also of those that outlive their parent.

It is a program of its own (``python measure.py``) so that nothing but the command hangs below it: as the subreaper of
the command's process tree it inherits each orphan, and wait4 gives it the CPU time of each.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

_PR_SET_CHILD_SUBREAPER = 36
_SAMPLE_SECONDS = 0.1


class Usage(msgspec.Struct, frozen=True):
    """What a command cost. Seconds; bytes of resident memory at the highest point of any one process of its kind."""

    started_at: float  # seconds since the epoch
    wall_seconds: float  # until the command itself ended
    cpu_seconds: float  # user and system, all processes
    exit_code: int
    coordinator_bytes: int  # largest process that is no agent
    agent_bytes: int  # largest agent
    output: str = ""


class CommandFailedError(Exception):
    """A measured command did not do what it was asked: its figures would mean nothing."""


def measure(command: Sequence[str], environment: Mapping[str, str], *, memory: bool = False) -> Usage:
    """Run ``command`` and return what it cost; raise CommandFailedError with its last words if it fails.

    With ``memory`` the peaks of its processes are looked up ten times a second, which costs about 1 % of a core.
    """
    with tempfile.TemporaryDirectory(prefix="xsync-bench-") as name:
        folder = Path(name)
        helper = [sys.executable, __file__, str(folder), "memory" if memory else "-", *command]
        subprocess.run(helper, env=dict(environment), stdin=subprocess.DEVNULL, check=True)
        output = (folder / "output").read_text(errors="replace")
        usage = msgspec.json.decode((folder / "usage").read_bytes(), type=Usage)
        if usage.exit_code:
            last_words = (folder / "errors").read_text(errors="replace")[-2_000:] or output[-2_000:]
            raise CommandFailedError(f"exit code {usage.exit_code} of {' '.join(command)}:\n{last_words}")
        return msgspec.structs.replace(usage, output=output)


def _main(folder: Path, *, memory: bool, command: list[str]) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    peaks: dict[str, int] = {}
    if memory:
        threading.Thread(target=_watch, args=(peaks,), daemon=True).start()
    flags = os.O_WRONLY | os.O_CREAT
    streams = [
        (os.POSIX_SPAWN_OPEN, descriptor, str(folder / name), flags, 0o600)
        for descriptor, name in ((1, "output"), (2, "errors"))
    ]
    started_at, began = time.time(), time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=streams)
    wall_seconds = cpu_seconds = 0.0
    exit_code = 0
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status, resources = os.wait4(-1, 0)
            cpu_seconds += resources.ru_utime + resources.ru_stime
            if pid == child:
                wall_seconds, exit_code = time.monotonic() - began, os.waitstatus_to_exitcode(status)
    usage = {
        "started_at": started_at,
        "wall_seconds": wall_seconds,
        "cpu_seconds": cpu_seconds,
        "exit_code": exit_code,
        "coordinator_bytes": peaks.get("coordinator", 0),
        "agent_bytes": peaks.get("agent", 0),
    }
    (folder / "usage").write_text(json.dumps(usage))


def _watch(peaks: dict[str, int]) -> None:
    """Keep the highest resident memory of agents (by their names) and of all the others."""
    import psutil

    this = psutil.Process()
    while True:
        for process in this.children(recursive=True):
            with contextlib.suppress(psutil.Error, OSError, ValueError):
                role = "agent" if process.name().startswith("xsync agent-") else "coordinator"
                peaks[role] = max(peaks.get(role, 0), _peak_bytes(process.pid))
        time.sleep(_SAMPLE_SECONDS)


def _peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    _main(Path(sys.argv[1]), memory=sys.argv[2] == "memory", command=sys.argv[3:])
