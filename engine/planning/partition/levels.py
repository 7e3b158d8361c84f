"""Cuts a tree into a task for each folder of one depth; what does not change with agents is made once a tree. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

from engine.planning.partition.dealing import Whole, dealt, finished, shown
from engine.planning.partition.pieces import Element, Load, can_be_named, load_of, total
from engine.planning.partition.tasks import Partition, TaskLimits, TaskPlan
from engine.planning.values import FolderNode


class Level(NamedTuple):
    """The folders of a depth that can be named, in order of path, what the tree holds, and what lies in none of them.

    ``names`` and ``includes`` are those of their tasks, ``exclude`` is that of task 0.
    """

    elements: tuple[Element, ...]
    names: tuple[str, ...]
    includes: tuple[tuple[str, ...], ...]
    exclude: tuple[str, ...]
    whole: Load
    rest: Load


def level_of(tree: Sequence[FolderNode], depth: int) -> Level:
    """The folders of ``depth`` in a tree, 1 for those in its root."""
    elements = tuple(
        Element(node.path, False, load_of(node))
        for node in sorted(tree, key=lambda each: each.path)
        if node.path and node.path.count(b"/") + 1 == depth and can_be_named(node.path)
    )
    whole = next((load_of(node) for node in tree if not node.path), Load())
    patterns = [element.pattern for element in elements]
    return Level(
        elements,
        tuple(map(shown, elements)),
        tuple((pattern,) for pattern in patterns),
        tuple(sorted(patterns)),
        whole,
        whole.minus(total(element.load for element in elements)),
    )


def deal_level(level: Level, agents: int, knee_bytes: int, limits: TaskLimits | None = None) -> Partition:
    """A task for each folder of ``level``, and task 0 for the rest, as partition() has them."""
    loads = [element.load for element in level.elements]
    weights = [size + knee_bytes * files for files, size, _ in loads]
    deal = dealt(weights, level.rest.weight(knee_bytes), agents)
    tasks = list(map(TaskPlan, level.names, level.includes, repeat(()), deal.agents, *_columns(loads)))
    hands: list[list[Element]] = [[] for _ in range(agents)]
    for element, agent in zip(level.elements, deal.agents, strict=True):
        hands[agent].append(element)
    deal.loads[deal.holder] -= level.rest.weight(knee_bytes)
    whole = Whole(level.whole, {b"": level.rest}, knee_bytes)
    return finished(whole, tasks, hands, deal.loads, exclude=level.exclude, limits=limits)


def _columns(loads: Sequence[Load]) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """Files, bytes and entries of each."""
    return [each.files for each in loads], [each.bytes for each in loads], [each.entries for each in loads]
