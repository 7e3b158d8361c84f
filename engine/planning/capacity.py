"""What a fleet can do under its limits, and which of them binds. Pure.

Each scope (an agent's, a host's, the link's...) is a roofline of its own. What a scope bounds overlaps with what others
do: agents send small files while others send large ones, so that a destination's requests are spread over all the time
and a fleet takes as long as its slowest scope. Nothing here falls as agents are added: more agents are never slower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from engine.planning.values import Dataset, Figure, Origin, PlanLimit, Roofline, Scope

_NEVER = Origin("default", "no limit is known")
_SAME = 1 - 1e-9
"""Rates that differ by less are the same rate."""


class Fleet(msgspec.Struct, frozen=True):
    """What agents on hosts do together: what each scope lets through, infinity where it does not limit that."""

    scopes: tuple[Roofline, ...]

    @property
    def files_per_second(self) -> Figure:
        """At most, whatever their size."""
        return min((each.files_per_second for each in self.scopes), key=lambda figure: figure.value)

    @property
    def bytes_per_second(self) -> Figure:
        """At most, however large the files."""
        return min((each.bytes_per_second for each in self.scopes), key=lambda figure: figure.value)

    def slowest(self, dataset: Dataset) -> Roofline:
        """The scope that ``dataset`` takes longest in."""
        return max(self.scopes, key=lambda scope: sum(busy_seconds(dataset, scope)))

    def shared(self, agents: int) -> Fleet:
        """An even share of it for each of ``agents``."""
        return Fleet(tuple(each.times(1 / agents) for each in self.scopes))


def fleet(limits: Sequence[PlanLimit], agents: int, hosts: int = 1) -> Fleet:
    """What ``agents`` on ``hosts`` do under ``limits``: in each scope the lowest in files/s, and the lowest in bytes/s.

    What is of a host or a mount is there once a host; a connection and a task once an agent. Raises ValueError for
    less than one agent or host, and for limits that are not above zero.
    """
    if agents < 1 or hosts < 1:
        raise ValueError(f"a fleet has at least one agent and one host, not {agents} and {hosts}")
    scopes: dict[Scope, list[PlanLimit]] = {}
    for limit in limits:
        scopes.setdefault(limit.scope, []).append(limit)
    rooflines = [
        Roofline(
            _lowest(each, "files", agents, hosts),
            _lowest(each, "bytes", agents, hosts),
            any(limit.adds for limit in each),
        )
        for each in scopes.values()
    ]
    return Fleet(tuple(rooflines) or (Roofline(Figure(math.inf, _NEVER), Figure(math.inf, _NEVER)),))


def busy_seconds(dataset: Dataset, roofline: Roofline) -> tuple[float, float]:
    """Seconds that ``dataset`` takes where files/s bind, and where bytes/s do: each size bin by what is slower there.

    Together they are ``sum(max(n_b / F, s_b / B))``, or all of both where they add up, with folders and links as files
    without bytes (on a published sweep of elbencho over sizes it fits within 3 % below the knee). Files that no bin has
    are one of their own; without bins this is the optimistic ``max(N / F, S / B)``.
    """
    pieces = [(each.files, each.bytes) for each in dataset.bins]
    if pieces:
        counted, size = (sum(column) for column in zip(*pieces, strict=True))
        pieces += [(dataset.files - counted, dataset.bytes - size), (dataset.others, 0)]
    else:
        pieces = [(dataset.files + dataset.others, dataset.bytes)]
    by_files = by_bytes = 0.0
    for count, size in pieces:
        files = max(0, count) / roofline.files_per_second.value
        content = max(0, size) / roofline.bytes_per_second.value
        if roofline.adds or files > content:
            by_files += files
        if roofline.adds or files <= content:
            by_bytes += content
    return by_files, by_bytes


def rate(dataset: Dataset, fleet: Fleet) -> float:
    """Bytes/s at which ``fleet`` moves this mix of sizes; without bytes, that of large files."""
    seconds = sum(busy_seconds(dataset, fleet.slowest(dataset)))
    if dataset.bytes <= 0 or seconds <= 0:
        return fleet.bytes_per_second.value
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
    """The limit without which the fleet would be fastest; of several, the one that costs the most time."""
    now = rate(dataset, fleet(limits, agents, hosts))

    def without(some: Sequence[PlanLimit]) -> float:
        return rate(dataset, fleet([each for each in limits if each not in some], agents, hosts))

    lifts = [without([each]) for each in limits]
    helping = [each for each, lift in zip(limits, lifts, strict=True) if lift >= max(lifts) * _SAME]
    first = max(helping, key=lambda each: _spent(each, limits, dataset, agents, hosts))
    lowest = [first]
    if without(lowest) * _SAME <= now:
        lowest = [each for each in limits if _binds(each, limits, dataset, now, agents, hosts)] or lowest
    lifted = without(lowest)
    scope = fleet([each for each in limits if each.scope == lowest[0].scope], agents, hosts).scopes[0]
    return Binding(
        lowest[0].name,
        lowest[0].scope,
        _dimension(lowest[0], dataset, scope),
        lowest[0].origin,
        now,
        lifted if math.isfinite(lifted) else None,
        tuple(each.name for each in lowest[1:]),
    )


def _binds(
    limit: PlanLimit, limits: Sequence[PlanLimit], dataset: Dataset, now: float, agents: int, hosts: int
) -> bool:
    """Whether its scope is as slow as the whole fleet, and it is as low as any of that scope."""
    own = fleet([each for each in limits if each.scope == limit.scope], agents, hosts)
    by = _dimension(limit, dataset, own.scopes[0])
    if not busy_seconds(dataset, own.scopes[0])[("files", "bytes").index(by)]:
        return False
    lowest = (own.files_per_second if by == "files" else own.bytes_per_second).value
    return rate(dataset, own) * _SAME <= now and _total(limit, by, agents, hosts) * _SAME <= lowest


def _spent(limit: PlanLimit, limits: Sequence[PlanLimit], dataset: Dataset, agents: int, hosts: int) -> float:
    """Seconds that its scope spends on what it is of."""
    (own,) = fleet([each for each in limits if each.scope == limit.scope], agents, hosts).scopes
    return busy_seconds(dataset, own)[("files", "bytes").index(_dimension(limit, dataset, own))]


def _dimension(limit: PlanLimit, dataset: Dataset, scope: Roofline) -> Literal["bytes", "files"]:
    """What a limit is of, or if it is of both what its scope spends more time on."""
    if limit.files_per_second is None or limit.bytes_per_second is None:
        return "bytes" if limit.files_per_second is None else "files"
    by_files, by_bytes = busy_seconds(dataset, scope)
    return "files" if by_files > by_bytes else "bytes"


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
