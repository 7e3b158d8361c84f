"""How many agents one host can hold. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.quantities import format_bytes, format_count

AGENT_BYTES = 300 << 20
"""What an agent takes of memory at most."""

AGENTS_A_CORE = 4
"""Agents that wait for a network share a core; more of them only take turns."""

_DESCRIPTORS_OF_AN_AGENT, _OTHER_DESCRIPTORS = 4, 128
"""What the runner opens for each of its agents (two, as seen), doubled; and for all else."""


class HostRoom(msgspec.Struct, frozen=True):
    """How many ``agents`` a host holds, and what limits that; ``by``: in words, as ``2 cores``."""

    agents: int
    limit: Literal["cores", "memory", "open files"]
    by: str

    @property
    def said(self) -> str:
        """``8 agents (2 cores)``."""
        return f"{format_count(self.agents)} agent{'' if self.agents == 1 else 's'} ({self.by})"


def host_room(cores: int, memory_bytes: int, descriptors: int | None) -> HostRoom:
    """What a host of so many ``cores`` holds with ``memory_bytes`` available, where a process may open ``descriptors``.

    None: it may open any number. It is at least one agent: whether that works, only trying tells.
    """
    count = f"{cores} core{'' if cores == 1 else 's'}"
    found = [
        HostRoom(cores * AGENTS_A_CORE, "cores", count),
        HostRoom(memory_bytes // AGENT_BYTES, "memory", f"{format_bytes(memory_bytes)} of memory available"),
    ]
    if descriptors is not None:
        most = (descriptors - _OTHER_DESCRIPTORS) // _DESCRIPTORS_OF_AN_AGENT
        found.append(HostRoom(most, "open files", f"{format_count(descriptors)} open files a process"))
    least = min(found, key=lambda each: each.agents)
    return msgspec.structs.replace(least, agents=max(1, least.agents))
