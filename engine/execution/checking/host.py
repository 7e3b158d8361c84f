"""Whether this host will do: open files, room for state, a run that outlives the session, memory."""

from __future__ import annotations

import math
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from engine.cgroups import share
from engine.execution.checking.findings import Expected, Finding, failure, ok, warning
from engine.home import Home, account_name
from engine.planning.hosting import AGENT_BYTES, HostRoom, host_room
from engine.quantities import format_bytes, format_count

DESCRIPTORS = 4_096
"""What an agent with a full window of requests and as many open files may need."""

STATE_BYTES_PER_FILE = 120
"""Catalog, state and audit trail of a run together, rounded up; see docs/architecture.md."""

LEAST_STATE_BYTES = 1 << 20
"""What the journal of a run takes that copies next to nothing."""


def check_host(home: Home, agents: int, expected: Expected | None) -> Iterator[Finding]:
    """Findings about this host."""
    yield _descriptors()
    yield _state_room(home, expected)
    yield _agents(agents)
    yield _session()


def _descriptors() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        return warning(
            "host",
            f"a process may open {format_count(hard)} files",
            f"Raise the hard limit to {format_count(DESCRIPTORS)} (ulimit -Hn, /etc/security/limits.conf).",
        )
    return ok(
        "host", "open files: " + ("no limit" if hard == resource.RLIM_INFINITY else f"up to {format_count(hard)}")
    )


def _state_room(home: Home, expected: Expected | None) -> Finding:
    free = shutil.disk_usage(home.base).free
    text = f"{format_bytes(free)} free for journals and state in {home.base}"
    needed = expected.files * STATE_BYTES_PER_FILE if expected else LEAST_STATE_BYTES
    if max(needed, LEAST_STATE_BYTES) > free:
        advice = "Make room, or set XSYNC_HOME to another local disk: a run ends when it is full."
        return failure("host", f"{text}, and about {format_bytes(needed)} are needed", advice)
    return ok("host", f"{text}; about {format_bytes(needed)} are needed" if expected else text)


def _agents(agents: int) -> Finding:
    left, needed, room = share().memory, agents * AGENT_BYTES, room_here()
    available = min(psutil.virtual_memory().available, left if left is not None else math.inf)
    text = f"{format_bytes(available)} of memory available, {agents} agents take up to {format_bytes(needed)}"
    if agents > room.agents:
        advice = f"Use fewer: this host holds {room.said}. xsync plan says how many are worth it."
        return warning("host", text, advice)
    return ok("host", text)


def room_here() -> HostRoom:
    """How many agents this host holds in the control groups of this process, with the memory that is available now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = None if soft == resource.RLIM_INFINITY else soft
    ours, allowed = share(), len(os.sched_getaffinity(0))
    return host_room(
        max(os.cpu_count() or 1, allowed),
        psutil.virtual_memory().available,
        descriptors,
        allowed=allowed,
        quota=ours.cores,
        left=ours.memory,
    )


def _session() -> Finding:
    """Whether logging out would end a detached run (logind.conf(5), KillUserProcesses)."""
    if os.path.exists(f"/run/user/{os.getuid()}/systemd") and shutil.which("systemd-run"):
        lingers = Path("/var/lib/systemd/linger", account_name(os.geteuid())).exists()
        if not lingers and _kills_user_processes():
            advice = "Keep it: loginctl enable-linger"
            return warning("host", "logging out ends what this account has running", advice)
    return ok("host", "a run goes on when you log out")


def _kills_user_processes() -> bool:
    """Whether logind is set so; the last setting wins. The default of systemd's builds for servers is no."""
    found = False
    folders = ("/usr/lib/systemd/logind.conf.d", "/etc/systemd/logind.conf.d")
    files = [
        Path("/etc/systemd/logind.conf"),
        *(path for each in folders for path in sorted(Path(each).glob("*.conf"))),
    ]
    for path in files:
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, value = line.partition("=")
            if key.strip() == "KillUserProcesses":
                found = value.strip().lower() in ("yes", "true", "1", "on")
    return found
