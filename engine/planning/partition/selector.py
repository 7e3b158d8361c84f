"""Tells every path its task, from the include patterns of the tasks as they are planned, stored and shown. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from engine.filters import Filters, parse_pattern
from engine.model import Fate


class _Level:
    """The names in one folder that have an owner: whole ones, and how names may begin."""

    __slots__ = ("owners", "starts", "whole")

    def __init__(self) -> None:
        self.whole: dict[bytes, int] = {}
        self.starts: list[bytes] = []
        self.owners: list[int] = []

    def owner(self, name: bytes) -> int:
        """The task of the entry ``name``: 0 if no pattern selects it, be it that one selects some of what is below."""
        found = self.whole.get(name)
        if found is not None:
            return found
        if self.starts:
            index = bisect_right(self.starts, name) - 1
            if index >= 0 and name.startswith(self.starts[index]):
                return self.owners[index]
        return 0


class Owners:
    """Which task owns a path. ``includes``: those of each task by its index; no two tasks' patterns select one path.

    All are anchored, as partition() makes them; none of task 0, which owns what no other does. Raises UsageError for
    what is no pattern.
    """

    def __init__(self, includes: Sequence[Sequence[str]]) -> None:
        self._levels: dict[bytes, _Level] = {}
        starts: dict[bytes, dict[bytes, int]] = {}
        for index, patterns in enumerate(includes):
            for text in patterns:
                pattern = parse_pattern(text, "include")
                path = pattern.body[1:] if pattern.star_after else pattern.body.strip(b"/")
                folder, _, name = path.rpartition(b"/")
                level = self._reach(folder)
                (starts.setdefault(folder, {}) if pattern.star_after else level.whole)[name] = index
        for folder, found in starts.items():
            self._levels[folder].starts = sorted(found)
            self._levels[folder].owners = [found[start] for start in sorted(found)]

    def task(self, path: bytes) -> int:
        """The index of the task that owns ``path``."""
        levels, folder = self._levels, b""
        for name in path.split(b"/"):
            level = levels.get(folder)
            if level is None:
                return 0
            owner = level.owner(name)
            if owner:
                return owner
            folder = folder + b"/" + name if folder else name
        return 0

    def inside(self, folder: bytes) -> Callable[[bytes], int] | None:
        """What tells the task of a name in ``folder``; None if everything below belongs to the task of ``folder``."""
        level = self._levels.get(folder)
        return None if level is None else level.owner

    def _reach(self, folder: bytes) -> _Level:
        level = self._levels.setdefault(folder, _Level())
        while folder:
            folder = folder.rpartition(b"/")[0]
            self._levels.setdefault(folder, _Level())
        return level


class TaskSelector:
    """Filters plus the owner of every path: everything that a listing asks. ``includes``: as Owners has them."""

    def __init__(self, filters: Filters, includes: Sequence[Sequence[str]] = ()) -> None:
        self._filters = filters
        self._owners = Owners(includes)

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
        """The index of the task that owns ``path``."""
        return self._owners.task(path)

    def tasks_inside(self, folder: bytes) -> Callable[[bytes], int] | None:
        """What tells the task of a name in ``folder``; None if everything below belongs to the task of ``folder``."""
        return self._owners.inside(folder)
