"""A migration's plan: fleet, tasks, durations, what limits, what that rests on; put together from its parts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.planning.alike import Part
from engine.planning.capacity import Binding, ScaledLimit
from engine.planning.cost import Bill
from engine.planning.datasync_cost import DataSyncCosts
from engine.planning.estimate import DEFAULTS, EstimateOptions
from engine.planning.fleet import FleetPlan, WhatIf, spoken
from engine.planning.hosting import HostRoom
from engine.planning.network import DataSyncNetwork, Network
from engine.planning.partition.tasks import (
    BYTES_OF_A_TASK,
    EVEN,
    MANY_TASKS,
    MOST_TASKS,
    SECONDS_OF_A_TASK,
    Partition,
    TaskPlan,
)
from engine.planning.tasktimes import TaskTimes, estimate_tasks
from engine.planning.timetable import Timetable
from engine.planning.useful import WorkLimit
from engine.planning.values import Dataset, Origin, PlanLimit, Roofline, Seconds
from engine.quantities import (
    format_bytes,
    format_count,
    format_duration,
    format_duration_range,
    format_percent,
    format_rate,
    format_share,
)

WIDE = 2.0
"""A range whose end is so many times its begin says little: what would narrow it is said with it."""

_LEAST_WIDE = 60.0
"""Seconds: nobody tests for the sake of less."""

_HELD_BACK = 2.0
"""From so many times as long on it is the hours with limits that decide, not what the fleet could do."""

WIDE_ADVICE = "the range is wide, because nothing was measured yet: xsync test-run narrows it"


class PlannedTask(msgspec.Struct, frozen=True, gc=False):
    """A task of the plan. ``agent``: counted from 1. ``begins``: likely seconds after the start, until its ``seconds``.

    ``helped``: other agents are done before it, and help.
    """

    name: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    files: int
    bytes: int
    agent: int
    begins: float
    seconds: Seconds
    helped: bool


class Costs(msgspec.Struct, frozen=True):
    """In USD: the first run, a month of storage after it, the same work on DataSync; None where there is no AWS."""

    run: Bill | None
    storage_month: Bill | None
    datasync: tuple[DataSyncCosts, ...] = ()


class Networks(msgspec.Struct, frozen=True):
    """What agents of xsync need of the network, and what DataSync's would."""

    xsync: Network
    datasync: DataSyncNetwork | None = None


class Plan(msgspec.Struct, frozen=True):
    """What to run, how long it takes, and what that rests on. Rates in bytes/s, moments in Unix time.

    ``answer``: one sentence. ``surveyed_at``: when the ``dataset`` was counted. ``share``: of the link, None without
    one. ``binding_limit`` is that of the fleet, ``next_limit`` that of one more agent. ``roofline``: of one agent.
    ``done_at``: earliest and latest end. ``imbalance``: by which share the agent with most to do is above an even
    share. ``rests_on``: each origin once. ``work``: why a fleet for the target would be too large for so little work.
    ``room``: what the host that plans holds; ``here``: what it can start where that is not all of the fleet.
    """

    answer: str
    source: str
    destination: str
    surveyed_at: float
    dataset: Dataset
    target_bytes_per_second: float | None
    utilisation: float
    agents: int
    hosts: int
    agents_per_host: int
    bytes_per_second: float
    share: float | None
    binding_limit: Binding
    next_limit: Binding
    roofline: Roofline
    limits: tuple[ScaledLimit, ...]
    what_if: tuple[WhatIf, ...]
    tasks: tuple[PlannedTask, ...]
    imbalance: float
    duration_seconds: Seconds
    start_at: float
    done_at: tuple[float, float]
    cost: Costs
    network: Networks
    rests_on: tuple[Origin, ...]
    warnings: tuple[str, ...]
    work: WorkLimit | None = None
    room: HostRoom | None = None
    here: WhatIf | None = None


class Parts(msgspec.Struct, frozen=True):
    """What a plan is put together from; each field is what the module of its type made."""

    source: str
    destination: str
    surveyed_at: float
    dataset: Dataset
    utilisation: float
    fleet: FleetPlan
    roofline: Roofline
    limits: tuple[PlanLimit, ...]
    partition: Partition
    cost: Costs
    network: Networks
    start_at: float
    options: EstimateOptions = DEFAULTS
    helps: bool = True
    warnings: tuple[str, ...] = ()


def make_plan(parts: Parts, timetable: Timetable | None = None) -> Plan:
    """Put a plan together. ``parts.helps``: agents that are done help the others, as xsync's do."""
    fleet, dataset = parts.fleet, parts.dataset
    times = estimate_tasks(
        dataset,
        list(map(_part, parts.partition.tasks)),
        [task.agent for task in parts.partition.tasks],
        parts.limits,
        fleet.agents,
        fleet.hosts,
        parts.options,
        balanced=parts.helps,
        start=parts.start_at,
        timetable=timetable,
    )
    whole = _whole(fleet, times, helps=parts.helps)
    return Plan(
        answer=_answer(parts, whole, times.stretch),
        source=parts.source,
        destination=parts.destination,
        surveyed_at=parts.surveyed_at,
        dataset=dataset,
        target_bytes_per_second=fleet.target_bytes_per_second,
        utilisation=parts.utilisation,
        agents=fleet.agents,
        hosts=fleet.hosts,
        agents_per_host=fleet.agents_per_host,
        bytes_per_second=fleet.bytes_per_second,
        share=fleet.share,
        binding_limit=fleet.binding,
        next_limit=fleet.next,
        roofline=parts.roofline,
        limits=fleet.limits,
        what_if=fleet.what_if,
        tasks=_tasks(parts.partition, times),
        imbalance=max(0.0, parts.partition.balance.over),
        duration_seconds=whole,
        start_at=parts.start_at,
        done_at=(parts.start_at + whole.low, parts.start_at + whole.high),
        cost=parts.cost,
        network=parts.network,
        rests_on=_origins(parts),
        warnings=(*_elsewhere(fleet), *parts.warnings, *_warnings(parts, whole)),
        work=fleet.work,
        room=fleet.room,
        here=fleet.here,
    )


def _part(task: TaskPlan) -> Part:
    files = task.files or 0
    return Part(files, task.bytes or 0, max(0, (task.entries or 0) - files))


def _whole(fleet: FleetPlan, times: TaskTimes, *, helps: bool) -> Seconds:
    """How long all takes: with agents that help, what the fleet takes for the exact mix of all sizes."""
    if not helps:
        return times.whole
    return next((each.seconds for each in fleet.what_if if each.agents == fleet.agents), times.whole)


def _tasks(partition: Partition, times: TaskTimes) -> tuple[PlannedTask, ...]:
    return tuple(
        PlannedTask(
            name=task.name,
            include=task.include,
            exclude=task.exclude,
            files=task.files or 0,
            bytes=task.bytes or 0,
            agent=task.agent + 1,
            begins=time.begins,
            seconds=time.seconds,
            helped=time.helped,
        )
        for task, time in zip(partition.tasks, times.tasks, strict=True)
    )


def _answer(parts: Parts, whole: Seconds, stretch: float) -> str:
    """One sentence: who copies what in which time, and what limits that: the timetable, where it doubles the time."""
    fleet = parts.fleet
    hosts = "" if fleet.hosts == 1 else f" on {fleet.hosts} hosts"
    who = "1 agent copies" if fleet.agents == 1 else f"{fleet.agents} agents{hosts} copy"
    wanted = format_percent(parts.utilisation)
    share = "" if fleet.share is None else f", {format_share(fleet.share, 1.0)} of the link (target {wanted})"
    took = format_duration_range(whole.low, whole.high)
    limit = spoken(fleet.binding) if fleet.work is None else f"the work itself: {fleet.work.why}"
    return (
        f"{who} {format_bytes(parts.dataset.bytes)} in {took}, at {format_rate(fleet.bytes_per_second)}{share}. "
        f"The limit is {'the timetable' if stretch > _HELD_BACK else limit}."
    )


def _elsewhere(fleet: FleetPlan) -> Sequence[str]:
    """That the fleet is more than this host, and what that means: a run has all its agents on one host."""
    if fleet.here is None or fleet.room is None:
        return []
    agents = f"{format_count(fleet.agents)} agent{'' if fleet.agents == 1 else 's'}"
    count = f"{agents}{'' if fleet.hosts == 1 else f' on {fleet.hosts} hosts'}"
    holds = f"this host holds {fleet.room.said}, and " if fleet.agents > fleet.room.agents else ""
    ours = "1 agent takes" if fleet.here.agents == 1 else f"{fleet.here.agents} agents take"
    took = format_duration_range(fleet.here.seconds.low, fleet.here.seconds.high)
    more = "for more, run a profile on each host, with the filters of its tasks"
    return [f"the plan has {count}; {holds}all agents of a run are on one host: here {ours} {took}; {more}"]


def _origins(parts: Parts) -> tuple[Origin, ...]:
    """What the plan rests on, what binds first."""
    one = parts.roofline
    found = [
        parts.fleet.binding.origin,
        one.bytes_per_second.origin,
        one.files_per_second.origin,
        *(limit.origin for limit in parts.fleet.limits),
        *([parts.options.listing.origin] if parts.options.listing else []),
    ]
    return tuple(dict.fromkeys(found))


def _warnings(parts: Parts, whole: Seconds) -> Sequence[str]:
    found = list(parts.partition.warnings)
    balance = parts.partition.balance
    if balance.over > EVEN and balance.reason:
        found.append(
            f"agent {balance.agent + 1} has {format_percent(balance.over)} more to do than an even share: "
            f"{balance.reason}"
        )
    if parts.helps and len(parts.partition.tasks) > MANY_TASKS:
        found.append(_many(len(parts.partition.tasks)))
    if parts.fleet.idle:
        pieces = parts.fleet.agents - parts.fleet.idle
        found.append(
            f"{format_count(parts.fleet.idle)} of {format_count(parts.fleet.agents)} agents would have nothing to do: "
            f"so little divides into {pieces} piece{'' if pieces == 1 else 's'}, and an agent does one at a time"
        )
    if not parts.fleet.reached:
        found.append(parts.fleet.advice)
    if whole.low and whole.high / whole.low > WIDE and whole.high >= _LEAST_WIDE:
        found.append(WIDE_ADVICE)
    return found


def _many(tasks: int) -> str:
    """What so many tasks cost, and what is as good: agents help each other, whatever the tasks."""
    instead = "cut at a level nearer to the root, or evenly, which is as fast: agents help each other"
    if tasks > MOST_TASKS:
        return (
            f"a run has at most {format_count(MOST_TASKS)} tasks, and is refused with {format_count(tasks)}: {instead}"
        )
    took, memory = format_duration(tasks * SECONDS_OF_A_TASK), format_bytes(tasks * BYTES_OF_A_TASK)
    return f"{format_count(tasks)} tasks cost the runner about {took} of CPU and {memory} of memory: {instead}"
