"""How many agents one host can hold. Pure."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from engine.quantities import format_bytes, format_count

AGENT_BYTES = 300 << 20
"""What an agent takes of memory at most."""

AGENTS_A_CORE = 4
"""A rule of thumb: agents that wait for a network share a core; more of them only take turns."""

_DESCRIPTORS_OF_AN_AGENT, _OTHER_DESCRIPTORS = 4, 128
"""What the runner opens for each of its agents (two, as seen), doubled; and for all else."""


class HostRoom(msgspec.Struct, frozen=True):
    """How many ``agents`` a host holds, and what limits that; ``by``: in words, as ``1.00 GB of memory available``."""

    agents: int
    limit: Literal["cores", "memory", "open files"]
    by: str

    @property
    def said(self) -> str:
        """``8 agents (4 a core by rule of thumb, 2 cores)``."""
        return f"{format_count(self.agents)} agent{'' if self.agents == 1 else 's'} ({self.by})"


def host_room(
    cores: int,
    memory_bytes: int,
    descriptors: int | None,
    *,
    allowed: int | None = None,
    quota: float | None = None,
    left: int | None = None,
) -> HostRoom:
    """What a host of so many ``cores`` holds with ``memory_bytes`` available, where a process may open ``descriptors``.

    ``allowed``: cores that it may run on; ``quota``: of so many cores its control groups give it time; ``left``: bytes
    of memory under their limits. None: no limit. It is at least one agent: whether that works, only trying tells.
    """
    usable, count = _cores(cores, allowed, quota)
    found = [
        HostRoom(math.floor(usable * AGENTS_A_CORE), "cores", f"{AGENTS_A_CORE} a core by rule of thumb, {count}"),
        HostRoom(memory_bytes // AGENT_BYTES, "memory", f"{format_bytes(memory_bytes)} of memory available"),
    ]
    if left is not None:
        found.append(HostRoom(left // AGENT_BYTES, "memory", f"{format_bytes(left)} left of its cgroup's memory limit"))
    if descriptors is not None:
        most = (descriptors - _OTHER_DESCRIPTORS) // _DESCRIPTORS_OF_AN_AGENT
        found.append(HostRoom(most, "open files", f"{format_count(descriptors)} open files a process"))
    least = min(found, key=lambda each: each.agents)
    return msgspec.structs.replace(least, agents=max(1, least.agents))


def _cores(cores: int, allowed: int | None, quota: float | None) -> tuple[float, str]:
    """Those that can be used, and in words what limits them."""
    may = cores if allowed is None else min(cores, allowed)
    if quota is not None and quota < may:
        return quota, f"{quota:.3g} core{'' if quota == 1 else 's'} by its cgroup's CPU quota"
    count = f"{may} core{'' if cores == 1 else 's'}"
    return may, count if may == cores else f"{may} of {cores} cores by its CPU affinity"
