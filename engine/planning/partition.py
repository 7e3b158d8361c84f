"""Cuts a dataset into tasks by top-level folder, and tells every path its task. Pure.

A task lists whole top-level folders; task 0, "everything else", excludes them all, so the tasks are disjoint and their
union is always the whole dataset, whatever appears at the source meanwhile.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.errors import UsageError
from engine.filters import Filters, escape_pattern
from engine.model import Fate
from engine.names import text_of

EVERYTHING_ELSE = "everything else"


class FolderWeight(NamedTuple):
    """A top-level folder and what lies below it; None where no survey has counted. ``b""`` is what lies in the root."""

    path: bytes
    files: int | None = None
    bytes: int | None = None


class TaskPlan(NamedTuple):
    """One task: its patterns in DataSync's grammar, its folders, the agent that prefers it, and what it expects."""

    name: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    folders: tuple[bytes, ...]
    agent: int
    files: int | None
    bytes: int | None


def partition(folders: Sequence[FolderWeight], agents: int, knee_bytes: int) -> list[TaskPlan]:
    """One task for each of ``agents`` (>= 1) that gets a folder, after task 0; the index in the list is the task's.

    Folders go largest first to the agent with least so far. A folder weighs bytes + ``knee_bytes`` * files, which makes
    even weights even *times*: the knee is the size at which an agent's files/s and bytes/s bind alike. If any folder
    is not counted, all weigh the same and are dealt by name. Folders that no pattern can name (not UTF-8) stay in
    task 0.
    """
    if agents < 1:
        raise ValueError("partition needs at least one agent")
    named = [(folder, pattern) for folder in folders if (pattern := _pattern_of(folder.path)) is not None]
    rest = [folder for folder in folders if _pattern_of(folder.path) is None]
    patterns = {folder.path: pattern for folder, pattern in named}
    hands, least = _deal([folder for folder, _ in named], agents, knee_bytes)
    tasks = [_task(hand, agent, patterns) for agent, hand in enumerate(hands) if hand]
    exclude = tuple(patterns[path] for path in sorted(patterns))
    return [TaskPlan(EVERYTHING_ELSE, (), exclude, (), least, *_expected(rest)), *tasks]


def task_folders(tasks: Sequence[TaskPlan]) -> dict[bytes, int]:
    """Top-level folder -> index of its task, as agents get it."""
    return {folder: index for index, task in enumerate(tasks) for folder in task.folders}


def owners(folders: Sequence[bytes], includes: Sequence[Sequence[str]]) -> dict[bytes, int]:
    """Top-level folder -> index of the task whose ``includes`` name it; those of task 0 are left out (for a resume)."""
    task_of = {pattern: index for index, patterns in enumerate(includes) for pattern in patterns}
    found = ((folder, task_of.get(_pattern_of(folder) or "")) for folder in folders)
    return {folder: index for folder, index in found if index is not None}


class TaskSelector:
    """Filters plus the owner of every path: everything that a listing asks."""

    def __init__(self, filters: Filters, folders: Mapping[bytes, int]) -> None:
        self._filters = filters
        self._folders = folders

    def fate(self, path: bytes, is_folder: bool) -> Fate:
        """CANDIDATE or EXCLUDED for the entry at ``path``."""
        return self._filters.fate(path, is_folder)

    def enters(self, path: bytes) -> bool:
        """Whether folder ``path`` can hold candidates."""
        return self._filters.enters(path)

    def trivial(self, folder: bytes) -> bool:
        """Whether the filters exclude nothing below ``folder``."""
        return self._filters.trivial(folder)

    def task(self, path: bytes) -> int:
        """The index of the task that owns ``path``: that of its top-level folder, else 0."""
        return self._folders.get(path.partition(b"/")[0], 0)


def _pattern_of(path: bytes) -> str | None:
    try:
        return escape_pattern(path)
    except UsageError:
        return None


def _deal(folders: Sequence[FolderWeight], agents: int, knee_bytes: int) -> tuple[list[list[FolderWeight]], int]:
    """A hand of folders for each agent, and the agent with least to do. The same input gives the same hands."""
    weights = _weights(folders, knee_bytes)
    hands: list[list[FolderWeight]] = [[] for _ in range(agents)]
    loads = [(0, 0, agent) for agent in range(agents)]
    for folder in sorted(folders, key=lambda folder: (-weights[folder.path], folder.path)):
        load, count, agent = loads[0]
        hands[agent].append(folder)
        heapq.heapreplace(loads, (load + weights[folder.path], count + 1, agent))
    return hands, loads[0][2]


def _weights(folders: Sequence[FolderWeight], knee_bytes: int) -> dict[bytes, int]:
    weights = {
        folder.path: folder.bytes + knee_bytes * folder.files
        for folder in folders
        if folder.bytes is not None and folder.files is not None
    }
    return weights if len(weights) == len(folders) else dict.fromkeys((folder.path for folder in folders), 1)


def _task(hand: Sequence[FolderWeight], agent: int, patterns: Mapping[bytes, str]) -> TaskPlan:
    paths = tuple(sorted(folder.path for folder in hand))
    return TaskPlan(_name(paths), tuple(patterns[path] for path in paths), (), paths, agent, *_expected(hand))


def _name(paths: Sequence[bytes]) -> str:
    shown = ", ".join(map(text_of, paths[:2]))
    return shown if len(paths) <= 2 else f"{shown} and {len(paths) - 2} more"


def _expected(folders: Sequence[FolderWeight]) -> tuple[int | None, int | None]:
    files = [folder.files for folder in folders if folder.files is not None]
    sizes = [folder.bytes for folder in folders if folder.bytes is not None]
    known = len(files) == len(sizes) == len(folders)
    return (sum(files), sum(sizes)) if known else (None, None)
