"""How long each task takes and when it begins, where tasks run at the same time on several agents. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from engine.planning.capacity import fleet
from engine.planning.estimate import DEFAULTS, EstimateOptions, estimate
from engine.planning.timetable import Timetable
from engine.planning.values import Dataset, Figure, PlanLimit, Seconds, SizeBin
from engine.planning.walltime import wall_seconds


class TaskWork(msgspec.Struct, frozen=True):
    """A task and the agent that takes it, counted from 0; tasks of one agent follow each other as given."""

    name: str
    dataset: Dataset
    agent: int


class TaskTime(msgspec.Struct, frozen=True):
    """``begins``: likely seconds after the start. ``helped``: other agents finish it, so that it takes less."""

    name: str
    agent: int
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
    tasks: Sequence[TaskWork],
    limits: Sequence[PlanLimit],
    agents: int,
    hosts: int = 1,
    options: EstimateOptions = DEFAULTS,
    *,
    balanced: bool = True,
    start: float | None = None,
    timetable: Timetable | None = None,
) -> TaskTimes:
    """``tasks`` on ``agents``, each agent with an even share of what the fleet can do.

    ``balanced``: agents that are done help the others, as xsync's do, so that all takes as long as one task with
    everything would. Otherwise (DataSync) the slowest agent decides. Hours with limits stretch all tasks evenly.
    """
    together, one = fleet(limits, agents, hosts), fleet(limits, 1)
    share, one_of_them = together.shared(agents), msgspec.structs.replace(options, start_seconds=0.0)
    alone = [estimate(task.dataset, share, one, _options(one_of_them, agents)) for task in tasks]
    lanes: dict[int, Seconds] = defaultdict(lambda: Seconds(0.0, 0.0, 0.0))
    begins = []
    for task, seconds in zip(tasks, alone, strict=True):
        begins.append(lanes[task.agent].likely)
        lanes[task.agent] = lanes[task.agent].plus(seconds)
    whole = estimate(merged(task.dataset for task in tasks), together, one, options)
    if not balanced:
        whole = Seconds(*(max((getattr(lane, end) for lane in lanes.values()), default=0.0) for end in _ENDS))
    stretch = 1.0
    if timetable is not None and start is not None and whole.likely > 0:
        limited = wall_seconds(whole, sum(task.dataset.bytes for task in tasks), start, timetable)
        stretch, whole = limited.likely / whole.likely, limited
    times = []
    for task, seconds, begin in zip(tasks, alone, begins, strict=True):
        lane = lanes[task.agent].likely * stretch
        helped = balanced and lane > whole.likely
        factor = stretch * (whole.likely / lane if helped else 1.0)
        times.append(TaskTime(task.name, task.agent, begin * factor, _times(seconds, factor), helped))
    return TaskTimes(tuple(times), whole, stretch)


def merged(datasets: Iterable[Dataset]) -> Dataset:
    """All of them as one; bins of the same ends are added up."""
    files = size = others = largest = 0
    bins: Counter[tuple[int, int, str]] = Counter()
    for each in datasets:
        files, size, others = files + each.files, size + each.bytes, others + each.others
        largest = max(largest, each.largest_bytes)
        for one in each.bins:
            bins[one.low, one.high, "files"] += one.files
            bins[one.low, one.high, "bytes"] += one.bytes
    ends = sorted({(low, high) for low, high, _ in bins})
    return Dataset(
        files, size, others, largest, tuple(SizeBin(*end, bins[*end, "files"], bins[*end, "bytes"]) for end in ends)
    )


_ENDS = ("low", "likely", "high")


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
