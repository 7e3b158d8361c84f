"""What planning works on: figures with origin, rooflines, limits, the shape of a dataset. Pure values."""

from __future__ import annotations

from typing import Literal

import msgspec

KNEE_BYTES = 256 << 10
"""The size at which files/s and bytes/s bind alike until it is measured; published tests give 190 to 310 KB."""


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a figure rests on: ``source`` in words, and when that was (Unix time), None for defaults and settings.

    The later kinds replace the earlier: a default until a profile states it, a probe or survey finds it, a test run or
    an execution measures it.
    """

    kind: Literal["default", "profile", "survey", "probe", "test run", "execution"]
    source: str
    at: float | None = None


class Figure(msgspec.Struct, frozen=True):
    """A number that a plan uses, in the unit of the field that holds it."""

    value: float
    origin: Origin


class Roofline(msgspec.Struct, frozen=True):
    """What one agent can do: at most so many files/s, and so many bytes/s (design: rate(size) = min(F x size, B)).

    ``adds``: both are of one thing, such as the CPU of a host that does all, so that a file takes 1 / F + size / B.
    """

    files_per_second: Figure
    bytes_per_second: Figure
    adds: bool = False

    @property
    def knee_bytes(self) -> float:
        """The size s* = B / F at which both bind alike; below it files/s bind, above it bytes/s."""
        return self.bytes_per_second.value / self.files_per_second.value

    def times(self, agents: float) -> Roofline:
        """What so many of it do."""
        files, size = self.files_per_second, self.bytes_per_second
        return Roofline(Figure(files.value * agents, files.origin), Figure(size.value * agents, size.origin), self.adds)

    def rate(self, size: float) -> float:
        """Bytes/s for files of ``size`` bytes."""
        by_files, by_bytes = self.files_per_second.value * size, self.bytes_per_second.value
        return by_files * by_bytes / (by_files + by_bytes) if self.adds else min(by_files, by_bytes)


Scope = Literal["connection", "agent", "host", "mount", "task", "link", "source", "destination"]
"""What a limit is of: another one of these lifts it. That of a host is not lifted by a second agent there."""


class PlanLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A limit in bytes/s, in files/s, or in both, of each ``scope``; None: it does not limit that.

    ``adds``: files/s and bytes/s of this scope are of one thing (Roofline).
    """

    name: str
    scope: Scope
    origin: Origin
    bytes_per_second: float | None = None
    files_per_second: float | None = None
    adds: bool = False


class SizeBin(msgspec.Struct, frozen=True):
    """Files whose size in bytes is at least ``low`` and below ``high``."""

    low: int
    high: int
    files: int
    bytes: int


class Dataset(msgspec.Struct, frozen=True):
    """A dataset, or what a task or a pass has of it.

    ``files``: regular files; ``others``: folders, symlinks and whatever else costs a request but has no bytes;
    ``largest_bytes``: the largest file. ``bins`` cover all files, in order, and sum up to ``files`` and ``bytes``.
    """

    files: int
    bytes: int
    others: int = 0
    largest_bytes: int = 0
    bins: tuple[SizeBin, ...] = ()


class Seconds(msgspec.Struct, frozen=True, gc=False):
    """A duration as a range, in seconds; low <= likely <= high."""

    low: float
    likely: float
    high: float

    def plus(self, other: Seconds) -> Seconds:
        """One after the other."""
        return Seconds(self.low + other.low, self.likely + other.likely, self.high + other.high)


class Range(msgspec.Struct, frozen=True):
    """A number that is not known better, in the unit of the field that holds it; low <= likely <= high."""

    low: float
    likely: float
    high: float


class FolderNode(msgspec.Struct, frozen=True):
    """A folder of the source: what lies directly in it (``own_*``), and with all below it. ``b""`` is the root.

    A tree is a sequence of nodes in order of ``path`` that starts with the root; where a node's children are not in
    it, they were too small to matter, and count in the node alone. ``entries``: of all kinds, below it.
    """

    path: bytes
    files: int
    bytes: int
    own_files: int
    own_bytes: int
    entries: int = 0


class NameGroup(msgspec.Struct, frozen=True):
    """What a folder holds under one ``name``, files and subfolders alike, or under all names that begin with it.

    ``is_open``: the latter. ``entries``: of all kinds, at any depth.
    """

    name: bytes
    is_open: bool
    files: int
    bytes: int
    entries: int
