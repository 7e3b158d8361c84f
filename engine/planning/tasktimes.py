"""How long each task takes and when it begins, where tasks run at the same time on several agents. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from engine.planning.alike import Part, estimate_parts, part_of
from engine.planning.capacity import fleet
from engine.planning.estimate import DEFAULTS, EstimateOptions, estimate
from engine.planning.timetable import Timetable
from engine.planning.values import Dataset, Figure, PlanLimit, Seconds
from engine.planning.walltime import wall_seconds


class TaskTime(msgspec.Struct, frozen=True, gc=False):
    """``begins``: likely seconds after the start. ``helped``: other agents finish it, so that it takes less."""

    begins: float
    seconds: Seconds
    helped: bool = False


class TaskTimes(msgspec.Struct, frozen=True):
    """Of each task as given, and of all from the start to the end of the last.

    ``stretch``: how many times as long hours with limits make it.
    """

    tasks: tuple[TaskTime, ...]
    whole: Seconds
    stretch: float = 1.0


def estimate_tasks(
    dataset: Dataset,
    parts: Sequence[Part],
    owners: Sequence[int],
    limits: Sequence[PlanLimit],
    agents: int,
    hosts: int = 1,
    options: EstimateOptions = DEFAULTS,
    *,
    balanced: bool = True,
    start: float | None = None,
    timetable: Timetable | None = None,
) -> TaskTimes:
    """Tasks that are ``parts`` of ``dataset`` on ``agents``, each agent with an even share of what the fleet can do.

    ``owners``: the agent of each task, counted from 0; tasks of one agent follow each other as given.

    ``balanced``: agents that are done help the others, as xsync's do, so that all takes as long as one task with
    everything would. Otherwise (DataSync) the slowest agent decides. Hours with limits stretch all tasks evenly.
    """
    together, one = fleet(limits, agents, hosts), fleet(limits, 1)
    share, one_of_them = together.shared(agents), msgspec.structs.replace(options, start_seconds=0.0)
    alone = estimate_parts(dataset, parts, share, one, _options(one_of_them, agents))
    lanes: dict[int, tuple[float, float, float]] = defaultdict(lambda: (0.0, 0.0, 0.0))
    begins = []
    for agent, seconds in zip(owners, alone, strict=True):
        low, likely, high = lanes[agent]
        begins.append(likely)
        lanes[agent] = (low + seconds.low, likely + seconds.likely, high + seconds.high)
    files, size, others = (sum(column) for column in zip(*parts, strict=True)) if parts else (0, 0, 0)
    together_of = part_of(dataset, files, size, files + others)
    whole = estimate(together_of, together, one, options)
    if not balanced:
        whole = Seconds(*map(max, *lanes.values(), (0.0, 0.0, 0.0)))
    stretch = 1.0
    if timetable is not None and start is not None and whole.likely > 0:
        limited = wall_seconds(whole, size, start, timetable)
        stretch, whole = limited.likely / whole.likely, limited
    factors = {}
    for agent, lane in lanes.items():
        busy = lane[1] * stretch
        helped = balanced and busy > whole.likely
        factors[agent] = stretch * (whole.likely / busy if helped else 1.0), helped
    times = [
        TaskTime(begin * factor, _times(seconds, factor), helped)
        for (factor, helped), seconds, begin in zip(map(factors.__getitem__, owners), alone, begins, strict=True)
    ]
    return TaskTimes(tuple(times), whole, stretch)


def _options(options: EstimateOptions, agents: int) -> EstimateOptions:
    """The fleet's rates of one agent."""
    shares = {
        name: Figure(figure.value / agents, figure.origin)
        for name in ("listing", "read_back")
        if (figure := getattr(options, name)) is not None
    }
    return msgspec.structs.replace(options, **shares)


def _times(seconds: Seconds, factor: float) -> Seconds:
    return Seconds(seconds.low * factor, seconds.likely * factor, seconds.high * factor)
