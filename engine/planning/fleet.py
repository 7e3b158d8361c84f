"""How many agents, on how many hosts, reach a target; what limits them, and what one more or less would do. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.planning.capacity import Binding, ScaledLimit, binding, fleet, rate, scaled
from engine.planning.estimate import DEFAULTS, EstimateOptions, estimate
from engine.planning.hosting import HostRoom
from engine.planning.timetable import Timetable
from engine.planning.useful import Useful, WorkLimit, limited, soon_done, useful, useful_hosts, work_of
from engine.planning.values import Dataset, PlanLimit, Seconds
from engine.quantities import format_rate

MOST_AGENTS = 1_000
"""As many as a profile may have."""

_NO_GAIN = 0.995
"""Agents that bring less than the rest of this to the highest rate are not worth it."""

_LIFT = {
    "link": "allow more bandwidth",
    "rate limit": "raise options.bytes_per_second of the profile",
    "path of one agent": "add agents, or widen the path of each; a test run measures it",
    "files of one agent": "add agents; a test run measures what one does",
    "source": "read from a faster source: more mounts or addresses of the filer (nconnect), fewer other readers",
    "host NIC": "add hosts, or faster interfaces",
    "CPU": "add hosts, or cores",
    "destination": "ramp up over several prefixes, S3 then takes more than 3,500 PUT/s; or pack small files",
    "VPN tunnel": "add tunnels, or use Direct Connect",
    "DataSync task quota": "cut the dataset into more tasks",
}


_SPOKEN = {
    "link": "the link itself",
    "rate limit": "the profile's rate limit",
    "path of one agent": "each agent's path",
    "files of one agent": "how many files each agent can do",
    "source": "the source",
    "host NIC": "the host's interface",
    "CPU": "the CPU",
    "destination": "the destination",
    "VPN tunnel": "the VPN",
    "DataSync task quota": "DataSync's quota of a task",
}


class WhatIf(msgspec.Struct, frozen=True):
    """A fleet of some size: bytes/s for the mix of sizes, share of the link (1.0: all of it; None: not stated)."""

    agents: int
    hosts: int
    bytes_per_second: float
    share: float | None
    seconds: Seconds
    binding: str


class FleetPlan(msgspec.Struct, frozen=True):
    """The smallest fleet for a target. ``hosts`` with at most ``agents_per_host`` each; ``share``: of the link.

    ``wanted_bytes_per_second``: target x utilisation; None, like ``share``, without a target. ``reached``: whether the
    fleet gives that; if not, the work cannot use a larger one (``work``), or no fleet does, this is the smallest that
    is about as fast as any, and ``advice`` says what would help. ``next``: what binds one more agent. ``limits``: the
    lowest first. ``what_if``: from two agents less to two more. ``idle``: agents for which there is no piece of the
    work (of a fleet that was asked for). ``here``: what of it the host of ``room`` can start,
    None where that is all of it, or where nothing is known of the host.
    """

    agents: int
    hosts: int
    agents_per_host: int
    bytes_per_second: float
    target_bytes_per_second: float | None
    wanted_bytes_per_second: float | None
    share: float | None
    reached: bool
    binding: Binding
    next: Binding
    limits: tuple[ScaledLimit, ...]
    what_if: tuple[WhatIf, ...]
    advice: str
    work: WorkLimit | None = None
    idle: int = 0
    room: HostRoom | None = None
    here: WhatIf | None = None


class _Sizing(NamedTuple):
    limits: Sequence[PlanLimit]
    dataset: Dataset
    most_hosts: int

    def rate(self, agents: int, hosts: int) -> float:
        return rate(self.dataset, fleet(self.limits, agents, hosts))

    def best(self, agents: int) -> float:
        return self.rate(agents, min(agents, self.most_hosts))

    def hosts(self, agents: int) -> int:
        """The fewest hosts on which so many agents are as fast as on any number."""
        enough = self.best(agents) * (1 - 1e-9)
        counts = range(1, min(agents, self.most_hosts) + 1)
        return counts[bisect_left(counts, enough, key=lambda hosts: self.rate(agents, hosts), hi=len(counts) - 1)]


def size_fleet(
    limits: Sequence[PlanLimit],
    dataset: Dataset,
    target: float | None,
    utilisation: float = 0.85,
    *,
    agents: int | None = None,
    most_hosts: int | None = None,
    room: HostRoom | None = None,
    tasks: int | None = None,
    options: EstimateOptions = DEFAULTS,
    start: float | None = None,
    timetable: Timetable | None = None,
) -> FleetPlan:
    """The smallest fleet that moves ``dataset`` at ``target`` x ``utilisation`` bytes/s or more, or that of ``agents``.

    Without a target it is that of ``agents``, or one. Where ``agents`` are not said it is never more than the work can
    use, and it is on no more hosts than are worth it (useful.py). ``most_hosts``: None for as many as help. ``room``:
    what this host can hold. ``tasks``: so many agents have tasks where none helps another; None where they do. The
    arguments after it are those of ``estimate``. Raises ValueError for a target, utilisation or count that is not above
    zero.
    """
    if (target is not None and target <= 0) or not 0 < utilisation <= 1:
        raise ValueError(f"a target is above zero and its utilisation at most 1, not {target} and {utilisation}")
    work = work_of(limits, dataset, options)
    work = work._replace(pieces=min(work.pieces, tasks or work.pieces))
    sizing = _Sizing(limits, dataset, most_hosts or MOST_AGENTS)
    wanted = None if target is None else target * utilisation * (1 - 1e-9)
    count, held = agents or 1, None
    if agents is None and wanted is not None:
        count = _smallest(sizing, wanted)
        most = sizing.hosts(count)
        found = useful(work, count, most)
        held = limited(work, found, count, most, whole_files=options.whole_files, tasks=tasks)
        if held is not None:
            count, sizing = found.agents, sizing._replace(most_hosts=found.hosts)
    busy = min(count, work.pieces)
    if (few := useful_hosts(work, busy, sizing.hosts(busy))) < sizing.hosts(busy):
        sizing = sizing._replace(most_hosts=few)
    hosts, now = sizing.hosts(busy), sizing.best(busy)
    if wanted is not None:
        held = None if now >= wanted else held or soon_done(work, Useful(busy, hosts), dataset.bytes / wanted)
    bind = binding(limits, dataset, busy, hosts)
    alone = sizing._replace(most_hosts=1)
    here = _here(alone, count, hosts, room, wanted if agents is None else None)
    asked = range(max(1, count - 2), count + 3)
    table = [_what_if(sizing, each, work.pieces, target, options, start, timetable) for each in asked]
    return FleetPlan(
        agents=count,
        hosts=hosts,
        agents_per_host=-(-count // hosts),
        bytes_per_second=now,
        target_bytes_per_second=target,
        wanted_bytes_per_second=None if target is None else target * utilisation,
        share=_share(now, target),
        reached=wanted is None or now >= wanted,
        binding=bind,
        next=binding(limits, dataset, busy + 1, sizing.hosts(busy + 1)),
        limits=scaled(limits, dataset, busy, hosts),
        what_if=tuple(table),
        advice=_advice(sizing, bind, wanted, now) if held is None else held.said(wanted or 0.0),
        work=held,
        idle=max(0, count - work.pieces),
        room=room,
        here=None if here is None else _what_if(alone, here, work.pieces, target, options, start, timetable),
    )


def _smallest(sizing: _Sizing, wanted: float) -> int:
    """The smallest fleet that gives ``wanted``, or about as much as any."""
    enough = min(wanted, sizing.best(MOST_AGENTS) * _NO_GAIN)
    counts = range(1, MOST_AGENTS + 1)
    return counts[bisect_left(counts, enough, key=sizing.best, hi=MOST_AGENTS - 1)]


def _what_if(
    sizing: _Sizing,
    agents: int,
    pieces: int,
    target: float | None,
    options: EstimateOptions,
    start: float | None,
    timetable: Timetable | None,
) -> WhatIf:
    busy = min(agents, pieces)
    hosts = sizing.hosts(busy)
    whole, one = fleet(sizing.limits, busy, hosts), fleet(sizing.limits, 1)
    seconds = estimate(sizing.dataset, whole, one, options, start=start, timetable=timetable)
    now = sizing.rate(busy, hosts)
    name = binding(sizing.limits, sizing.dataset, busy, hosts).name
    return WhatIf(agents, hosts, now, _share(now, target), seconds, name)


def _here(alone: _Sizing, agents: int, hosts: int, room: HostRoom | None, wanted: float | None) -> int | None:
    """How many agents this host alone can start of a fleet that is too large for it; None if it is not.

    ``wanted``: bytes/s; then no more than bring something on one host.
    """
    if room is None or (hosts == 1 and agents <= room.agents):
        return None
    best = agents if wanted is None else _smallest(alone, wanted)
    return min(agents, room.agents, best)


def _share(now: float, target: float | None) -> float | None:
    return None if target is None else now / target


def _advice(sizing: _Sizing, bind: Binding, wanted: float | None, now: float) -> str:
    """What limits, and what would lift that; for a target that no fleet reaches, what limits the largest one."""
    most = sizing.best(MOST_AGENTS)
    if wanted is None or now >= wanted:
        return f"The limit is {spoken(bind)}. To go faster: {_lifts(bind)}."
    if most >= wanted:
        instead = f"{format_rate(now)} instead of {format_rate(wanted)}"
        return f"{instead}: the limit is {spoken(bind)}. To go faster: {_lifts(bind)}."
    last = binding(sizing.limits, sizing.dataset, MOST_AGENTS, sizing.hosts(MOST_AGENTS))
    return (
        f"No number of agents reaches {format_rate(wanted)}: {spoken(last)} allows {format_rate(most)}. "
        f"What helps: {_lifts(last)}."
    )


def spoken(bind: Binding) -> str:
    """What limits, in a sentence."""
    return " and ".join(_SPOKEN.get(name, f"the {name}") for name in (bind.name, *bind.also))


def lift(limit: str) -> str:
    """What would raise a limit of this name."""
    return _LIFT.get(limit, f"raise {limit}")


def _lifts(bind: Binding) -> str:
    return "; ".join(dict.fromkeys(lift(name) for name in (bind.name, *bind.also)))
