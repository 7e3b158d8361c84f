"""What a partition consists of: tasks, how even they are, and what a service allows. Pure values."""

from __future__ import annotations

from typing import NamedTuple

EVERYTHING_ELSE = "everything else"
"""Task 0: it excludes what the others include, so that all of them together are always the whole dataset."""

EVEN = 0.10
"""How much longer than an even share the slowest agent may take before the plan says why."""


MOST_TASKS = 1_001
"""Of a run of xsync: everything else, and one for each of the most agents that there can be."""

MANY_TASKS = 500
"""From here on tasks cost a runner something: 800 of them, of 25 files each, took 6 s of CPU and 54 MB more."""

SECONDS_OF_A_TASK, BYTES_OF_A_TASK = 0.008, 68_000


class TaskPlan(NamedTuple):
    """One task: its patterns in DataSync's grammar, the agent that prefers it, and what it expects.

    ``entries``: of all kinds, folders and links too. None where no survey has counted.
    """

    name: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    agent: int
    files: int | None
    bytes: int | None
    entries: int | None


class Balance(NamedTuple):
    """Weights are bytes and the knee for each file, so that they are proportional to time.

    ``ideal``: an even share of the agents. ``slowest``: what ``agent`` has to do, its tasks together. ``reason``: what
    prevents an even deal, with the ``folder`` concerned; "" and None where the slowest is within EVEN of the ideal.
    """

    ideal: float
    slowest: float
    agent: int
    folder: bytes | None = None
    reason: str = ""

    @property
    def over(self) -> float:
        """By which share of the ideal the slowest is above it."""
        return self.slowest / self.ideal - 1 if self.ideal else 0.0


class Partition(NamedTuple):
    """``tasks``: the index is that of the task; 0 is everything else.

    ``wide``: folders that are best cut by the names in them, which were not given.
    """

    tasks: tuple[TaskPlan, ...]
    balance: Balance
    wide: tuple[bytes, ...] = ()
    warnings: tuple[str, ...] = ()


class TaskLimits(NamedTuple):
    """What a service allows: ``items`` an execution (files, folders, links), characters a filter, tasks an account."""

    items: int
    filter_characters: int
    tasks: int


DATASYNC = TaskLimits(items=20_000_000, filter_characters=102_400, tasks=100)
"""AWS DataSync user guide, datasync-limits: Basic mode with agents of 32 GB; those of 64 GB hold 50,000,000 items."""
