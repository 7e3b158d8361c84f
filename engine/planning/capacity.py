"""What agents, hosts, links and ends can do, and what of it limits a fleet. Pure.

A fleet is a roofline like an agent: the lowest of all limits in files/s and the lowest in bytes/s, each limit times
what there is of its scope. Nothing here falls as agents are added, so more agents are never slower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from engine.planning.values import Dataset, Figure, Origin, PlanLimit, Roofline, Scope
from engine.quantities import format_rate

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

_NEVER = Origin("default", "no limit is known")
_SAME = 1 - 1e-9
"""Rates that differ by less are the same rate."""


class Surroundings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an agent works in, as far as it is known; what is None limits nothing. Figures in bytes/s or files/s.

    ``target``: the bandwidth that may be used. ``nic``: line rate of one host's interface, each way;
    ``nic_aggregate``: in both directions together. ``source_remote``: the source is read over that interface too.
    ``cores``: of one host; ``cpu_*``: measured for one host, and in their place. ``objects``: the destination is an
    object store. ``tunnels``: VPN tunnels that the traffic is spread over, 0: none. ``datasync``: its task quota holds.
    """

    target: Figure | None = None
    source_bytes: Figure | None = None
    source_files: Figure | None = None
    nic: Figure | None = None
    nic_aggregate: bool = False
    source_remote: bool = True
    cores: int | None = None
    cpu_bytes: Figure | None = None
    cpu_files: Figure | None = None
    objects: bool = True
    destination_bytes: Figure | None = None
    destination_files: Figure | None = None
    tunnels: int = 0
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
        said = f"{GOODPUT_OF_A_CAP:.0%} of the stated cap of {format_rate(cap.value)}"
        bytes_per_second = Figure(cap.value * GOODPUT_OF_A_CAP, Origin("default", said))
    return Roofline(Figure(files, published), bytes_per_second)


def limits(roofline: Roofline, around: Surroundings) -> tuple[PlanLimit, ...]:
    """All that limits agents of ``roofline``, the target first; each of one of its scope (of one agent, of one host).

    The requests of a destination count as files/s: parts of large files are 16 MiB and more, so that 3,500 of them a
    second are 59 GB/s, and never the limit.
    """
    agent = roofline.bytes_per_second, roofline.files_per_second
    found = [
        _limit("target", "link", around.target),
        _limit("path of one agent", "agent", agent[0]),
        _limit("files of one agent", "agent", None, agent[1]),
        _limit("source", "source", around.source_bytes, around.source_files),
        _limit("host NIC", "host", _nic(around)),
        _limit("CPU", "host", *_cpu(around)),
        _limit("destination", "destination", around.destination_bytes, _puts(around)),
        _limit("VPN tunnel", "link", _tunnels(around.tunnels)),
        _limit("DataSync task quota", "task", _quota(around.datasync)),
    ]
    return tuple(limit for limit in found if limit is not None)


def fleet(limits: Sequence[PlanLimit], agents: int, hosts: int = 1) -> Roofline:
    """What ``agents`` on ``hosts`` do together: the lowest limit in files/s, and the lowest in bytes/s.

    What is of a host or a mount is there once a host; a connection and a task once an agent. Raises ValueError for
    less than one agent or host, and for limits that are not above zero.
    """
    if agents < 1 or hosts < 1:
        raise ValueError(f"a fleet has at least one agent and one host, not {agents} and {hosts}")
    return Roofline(_lowest(limits, "files", agents, hosts), _lowest(limits, "bytes", agents, hosts))


def busy_seconds(dataset: Dataset, roofline: Roofline) -> tuple[float, float]:
    """Seconds that ``dataset`` takes where files/s bind, and where bytes/s do: each size bin by what is slower there.

    Together they are ``sum(max(n_b / F, s_b / B))`` with folders and links as files without bytes (design, section 8;
    peers.md 4.1: it fits a published sweep of sizes within 3 % below the knee). Files that no bin has are one of their
    own; without bins this is the optimistic ``max(N / F, S / B)``.
    """
    rest = dataset.files - sum(each.files for each in dataset.bins), dataset.bytes - sum(b.bytes for b in dataset.bins)
    pieces = [(each.files, each.bytes) for each in dataset.bins]
    if dataset.bins:
        pieces += [rest, (dataset.others, 0)]
    else:
        pieces = [(dataset.files + dataset.others, dataset.bytes)]
    by_files = by_bytes = 0.0
    for count, size in pieces:
        files = max(0, count) / roofline.files_per_second.value
        content = max(0, size) / roofline.bytes_per_second.value
        if files > content:
            by_files += files
        else:
            by_bytes += content
    return by_files, by_bytes


def rate(dataset: Dataset, roofline: Roofline) -> float:
    """Bytes/s at which a fleet or agent of ``roofline`` moves this mix of sizes; without bytes, that of large files."""
    seconds = sum(busy_seconds(dataset, roofline))
    if dataset.bytes <= 0 or seconds <= 0:
        return roofline.bytes_per_second.value
    return dataset.bytes / seconds


class Binding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What limits a fleet, and whether by ``files`` or ``bytes`` a second.

    ``bytes_per_second``: the rate of the fleet for the mix of sizes. ``lifted``: that rate without this limit, None
    where nothing else is known to limit. ``also``: limits that are as low, and would have to be lifted with it.
    """

    name: str
    scope: Scope
    by: Literal["bytes", "files"]
    origin: Origin
    bytes_per_second: float
    lifted: float | None = None
    also: tuple[str, ...] = ()


def binding(limits: Sequence[PlanLimit], dataset: Dataset, agents: int, hosts: int = 1) -> Binding:
    """The limit without which the fleet would be fastest; where several are equally low, the first of them."""
    whole = fleet(limits, agents, hosts)
    now = rate(dataset, whole)
    by_files, by_bytes = busy_seconds(dataset, whole)
    without = [rate(dataset, fleet([each for each in limits if each is not one], agents, hosts)) for one in limits]
    best = max(range(len(limits)), key=lambda index: (without[index], -index))
    by: Literal["bytes", "files"] = "files" if by_files > by_bytes else "bytes"
    chosen = [limits[best]]
    if now >= without[best] * _SAME:
        lowest = (whole.files_per_second if by == "files" else whole.bytes_per_second).value
        chosen = [each for each in limits if _total(each, by, agents, hosts) * _SAME <= lowest]
        without[best] = rate(dataset, fleet([each for each in limits if each not in chosen], agents, hosts))
    elif (chosen[0].files_per_second is None) != (chosen[0].bytes_per_second is None):
        by = "bytes" if chosen[0].files_per_second is None else "files"
    first, *others = chosen
    lifted = without[best] if math.isfinite(without[best]) else None
    return Binding(first.name, first.scope, by, first.origin, now, lifted, tuple(each.name for each in others))


class ScaledLimit(msgspec.Struct, frozen=True):
    """A limit as the whole fleet meets it: ``count`` of its scope give ``bytes_per_second`` for the mix of sizes.

    ``files_per_second`` of all of them, None where it does not limit files.
    """

    name: str
    scope: Scope
    origin: Origin
    count: int
    bytes_per_second: float
    files_per_second: float | None


def scaled(limits: Sequence[PlanLimit], dataset: Dataset, agents: int, hosts: int = 1) -> tuple[ScaledLimit, ...]:
    """Each limit as if it were the only one, the lowest first; what limits files/s alone is in bytes/s by the mix."""
    found = []
    for each in limits:
        alone = rate(dataset, fleet([each], agents, hosts))
        files = None if each.files_per_second is None else _total(each, "files", agents, hosts)
        if math.isfinite(alone):
            count = _count(each.scope, agents, hosts)
            found.append(ScaledLimit(each.name, each.scope, each.origin, count, alone, files))
    return tuple(sorted(found, key=lambda each: each.bytes_per_second))


def _limit(name: str, scope: Scope, size: Figure | None, files: Figure | None = None) -> PlanLimit | None:
    said = size or files
    if said is None:
        return None
    return PlanLimit(
        name, scope, said.origin, None if size is None else size.value, None if files is None else files.value
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
    origin = Origin("default", f"{around.cores} cores, each as in docs/benchmarks.md, without TLS")
    return (
        Figure(around.cores * CORE_BYTES_PER_SECOND, origin),
        Figure(around.cores * CORE_FILES_PER_SECOND, origin),
    )


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


def _count(scope: Scope, agents: int, hosts: int) -> int:
    if scope in ("agent", "connection", "task"):
        return agents
    return hosts if scope in ("host", "mount") else 1


def _total(limit: PlanLimit, by: Literal["bytes", "files"], agents: int, hosts: int) -> float:
    """Of all there is of the limit's scope; infinity where it does not limit that."""
    each = limit.files_per_second if by == "files" else limit.bytes_per_second
    if each is not None and each <= 0:
        raise ValueError(f"{limit.name}: a limit is above zero, not {each}")
    return math.inf if each is None else each * _count(limit.scope, agents, hosts)


def _lowest(limits: Sequence[PlanLimit], by: Literal["bytes", "files"], agents: int, hosts: int) -> Figure:
    found = Figure(math.inf, _NEVER)
    for limit in limits:
        total = _total(limit, by, agents, hosts)
        if total < found.value:
            found = Figure(total, limit.origin)
    return found
