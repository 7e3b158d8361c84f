"""What agents work in, and how that limits them: defaults with their source until something is measured. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.model import Migration
from engine.planning.values import Figure, Origin, PlanLimit, Roofline, Scope
from engine.quantities import format_percent, format_rate

AgentClass = Literal["4 vCPU", "8 vCPU"]

GOODPUT_OF_A_CAP = 0.88
"""Of a stated cap in bits/s, what arrives as file content: 550 MB/s of 5 Gbps. Holds until it is measured."""

PUTS_PER_SECOND = 3_500.0
"""What S3 takes of one prefix at first (S3 user guide, performance). More prefixes help only after a ramp."""

TUNNEL_BYTES_PER_SECOND = 1.25e9 / 8
"""AWS site-to-site VPN, one tunnel (DataSync user guide, gathering-migration-requirements)."""

TASK_BYTES_PER_SECOND = {"with agent": 10e9 / 8, "without agent": 5e9 / 8}
"""DataSync's quota of one task (user guide, datasync-limits); it cannot be raised."""

CORE_BYTES_PER_SECOND, CORE_FILES_PER_SECOND = 1.0e9, 3_700.0
"""What one core sends with CRC64NVME and no TLS, as measured for docs/benchmarks.md; measure yours."""

_PUBLISHED = {"4 vCPU": (3_548.0, 8.8e9 / 8), "8 vCPU": (6_298.0, 10.0e9 / 8)}
_PUBLISHED_SOURCE = "Azure Storage Mover's published tests, NFS to blob, agent with {}"


class Surroundings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an agent works in, as far as it is known; what is None limits nothing. Figures in bytes/s or files/s.

    ``target``: the bandwidth that may be used. ``nic``: line rate of one host's interface, each way;
    ``nic_aggregate``: in both directions together. ``source_remote``: the source is read over that interface too.
    ``cores``: of one host; ``cpu_*``: measured for one host, and in their place. ``objects``: the destination is an
    object store. ``tunnels``: VPN tunnels that the traffic is spread over, 0: none. ``held``: what the migration may
    send at any time. ``datasync``: its task quota holds.
    """

    target: Figure | None = None
    source_bytes: Figure | None = None
    source_files: Figure | None = None
    nic: Figure | None = None
    nic_aggregate: bool = False
    source_remote: bool = True
    cores: float | None = None
    cpu_bytes: Figure | None = None
    cpu_files: Figure | None = None
    objects: bool = True
    destination_bytes: Figure | None = None
    destination_files: Figure | None = None
    tunnels: int = 0
    held: Figure | None = None
    datasync: Literal["with agent", "without agent"] | None = None


def default_roofline(agent: AgentClass = "4 vCPU", cap: Figure | None = None) -> Roofline:
    """What an agent does until it is measured: published figures, and no more bytes/s than ``cap`` lets through.

    ``cap``: the path of one agent in bytes/s of raw bandwidth, as a profile's ``network.per_agent`` states it. The
    published tests ran with a warm cache over a network without loss: small files will be slower than that.
    """
    files, size = _PUBLISHED[agent]
    published = Origin("default", _PUBLISHED_SOURCE.format(agent))
    bytes_per_second = Figure(size, published)
    if cap is not None and cap.value * GOODPUT_OF_A_CAP < size:
        said = f"{format_percent(GOODPUT_OF_A_CAP)} of the stated cap of {format_rate(cap.value)}"
        bytes_per_second = Figure(cap.value * GOODPUT_OF_A_CAP, Origin("default", said))
    return Roofline(Figure(files, published), bytes_per_second)


def held(migration: Migration) -> Figure | None:
    """The rate limit that a migration has at any time; None without one."""
    always = migration.options.bytes_per_second
    return None if always < 0 else Figure(float(always), Origin("profile", "options.bytes_per_second"))


def default_host(cores: float) -> Roofline:
    """What the CPU of one host does, until it is measured."""
    origin = Origin("default", f"{cores:.3g} cores, each as in docs/benchmarks.md, without TLS")
    return Roofline(Figure(cores * CORE_FILES_PER_SECOND, origin), Figure(cores * CORE_BYTES_PER_SECOND, origin))


def limits(roofline: Roofline, around: Surroundings) -> tuple[PlanLimit, ...]:
    """All that limits agents of ``roofline``, the link first; each of one of its scope (of one agent, of one host).

    The requests of a destination count as files/s: parts of large files are 16 MiB and more, so that 3,500 of them a
    second are 59 GB/s, and never the limit.
    """
    agent = roofline.bytes_per_second, roofline.files_per_second
    found = [
        _limit("link", "link", around.target),
        _limit("rate limit", "link", around.held),
        _limit("path of one agent", "agent", agent[0], adds=roofline.adds),
        _limit("files of one agent", "agent", None, agent[1], adds=roofline.adds),
        _limit("source", "source", around.source_bytes, around.source_files),
        _limit("host NIC", "host", _nic(around)),
        _limit("CPU", "host", *_cpu(around)),
        _limit("destination", "destination", around.destination_bytes, _puts(around)),
        _limit("VPN tunnel", "link", _tunnels(around.tunnels)),
        _limit("DataSync task quota", "task", _quota(around.datasync)),
    ]
    return tuple(limit for limit in found if limit is not None)


def _limit(
    name: str, scope: Scope, size: Figure | None, files: Figure | None = None, *, adds: bool = False
) -> PlanLimit | None:
    said = size or files
    if said is None:
        return None
    return PlanLimit(
        name, scope, said.origin, None if size is None else size.value, None if files is None else files.value, adds
    )


def _nic(around: Surroundings) -> Figure | None:
    """What one host can send: reading and writing share its interface only where the cap is of both together."""
    if around.nic is None or not (around.nic_aggregate and around.source_remote):
        return around.nic
    return Figure(around.nic.value / 2, around.nic.origin)


def _cpu(around: Surroundings) -> tuple[Figure | None, Figure | None]:
    """Bytes/s and files/s of one host."""
    if around.cpu_bytes is not None or around.cpu_files is not None or around.cores is None:
        return around.cpu_bytes, around.cpu_files
    host = default_host(around.cores)
    return host.bytes_per_second, host.files_per_second


def _puts(around: Surroundings) -> Figure | None:
    if around.destination_files is not None or not around.objects:
        return around.destination_files
    return Figure(PUTS_PER_SECOND, Origin("default", "S3's published 3,500 PUT/s, for the whole destination"))


def _tunnels(count: int) -> Figure | None:
    if count < 1:
        return None
    return Figure(count * TUNNEL_BYTES_PER_SECOND, Origin("default", f"{count} x 1.25 Gbps, AWS site-to-site VPN"))


def _quota(kind: Literal["with agent", "without agent"] | None) -> Figure | None:
    if kind is None:
        return None
    return Figure(TASK_BYTES_PER_SECOND[kind], Origin("default", f"DataSync's quota of a task {kind}"))
