"""Trees of files in memory: their nodes and groups of names, as a survey's catalog would give them, and their tasks."""

from __future__ import annotations

from collections import defaultdict

from engine.names import common_start
from engine.planning.partition import Partition, TaskLimits, partition
from engine.planning.values import FolderNode, NameGroup

Files = dict[bytes, int]
"""Path -> size."""


def nodes_of(files: Files, knee_bytes: int = 0, share: float = 0.0, level: int = 1) -> list[FolderNode]:
    """What folder_tree gives of a catalog of these files."""
    sums: dict[bytes, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    sums[b""] = [0, 0, 0, 0, 0]
    for entry in [*files, *_folders(files)]:
        size, is_file = files.get(entry, 0), entry in files
        folder = own = entry.rpartition(b"/")[0]
        while True:
            counts = sums[folder]
            added = (is_file, size, is_file and folder == own, size if folder == own else 0, 1)
            sums[folder] = [count + more for count, more in zip(counts, added, strict=True)]
            if not folder:
                break
            folder = folder.rpartition(b"/")[0]
    least = share * (sums[b""][1] + knee_bytes * sums[b""][0])
    return [
        FolderNode(path, *counts)
        for path, counts in sorted(sums.items())
        if counts[1] + knee_bytes * counts[0] >= least or path.count(b"/") < level
    ]


def groups_of(files: Files, folder: bytes, knee_bytes: int, most_weight: float) -> list[NameGroup]:
    """What name_groups gives of a catalog of these files."""
    names: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    start = folder + b"/" if folder else b""
    for entry in [*files, *_folders(files)]:
        if entry.startswith(start):
            try:
                name = entry[len(start) :].partition(b"/")[0].decode()
            except UnicodeDecodeError:
                continue
            added = (entry in files, files.get(entry, 0), 1)
            names[name] = [count + more for count, more in zip(names[name], added, strict=True)]
    return sorted(_grouped(dict(names), 0, knee_bytes, most_weight), key=lambda group: group.name)


def cut(
    files: Files,
    agents: int,
    knee_bytes: int,
    *,
    share: float = 0.0,
    level: int | None = None,
    limits: TaskLimits | None = None,
) -> Partition:
    """The partition of a tree whose names are known wherever they are asked for."""
    tree = nodes_of(files, knee_bytes, share, level or 1)
    most = (tree[0].bytes + knee_bytes * tree[0].files) / agents / 50
    names: dict[bytes, list[NameGroup]] = {}
    while True:
        found = partition(tree, agents, knee_bytes, names=names, level=level, limits=limits)
        if not found.wide:
            return found
        assert not set(found.wide) & set(names)
        names |= {folder: groups_of(files, folder, knee_bytes, most) for folder in found.wide}


def _folders(files: Files) -> set[bytes]:
    return {path[:index] for path in files for index, char in enumerate(path) if char == ord("/")}


def _grouped(names: dict[str, list[int]], length: int, knee_bytes: int, most_weight: float) -> list[NameGroup]:
    groups: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for name, counts in names.items():
        groups[name[:length]][name] = counts
    found = []
    for start, members in groups.items():
        files, size, entries = (sum(counts) for counts in zip(*members.values(), strict=True))
        if len(members) == 1:
            found.append(NameGroup(next(iter(members)).encode(), False, files, size, entries))
        elif size + knee_bytes * files > most_weight or not start:
            longer = 1 + len(common_start(min(members), max(members)))
            found += _grouped(members, longer, knee_bytes, most_weight)
        else:
            found.append(NameGroup(start.encode(), True, files, size, entries))
    return found
