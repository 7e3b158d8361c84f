"""Cuts a dataset into tasks that are disjoint, cover it, and take equally long; tells every path its task. Pure."""

from engine.planning.partition.planner import deal_unknown, partition
from engine.planning.partition.selector import Owners, TaskSelector
from engine.planning.partition.tasks import (
    DATASYNC,
    EVERYTHING_ELSE,
    MOST_TASKS,
    Balance,
    Partition,
    TaskLimits,
    TaskPlan,
)

__all__ = [
    "DATASYNC",
    "EVERYTHING_ELSE",
    "MOST_TASKS",
    "Balance",
    "Owners",
    "Partition",
    "TaskLimits",
    "TaskPlan",
    "TaskSelector",
    "deal_unknown",
    "partition",
]
