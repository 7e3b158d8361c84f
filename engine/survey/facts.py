"""The parts of a survey's report: bins, folders, hazards, samples, and what changed since the survey before. Values."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from engine.planning.values import SizeBin


class Bin(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Files whose size in bytes (or age in days) is at least ``from`` and below ``to`` (None: no bound)."""

    from_: int
    to: int | None
    files: int
    bytes: int


class Amount(msgspec.Struct, frozen=True):
    """Files, and the bytes in them."""

    files: int = 0
    bytes: int = 0


class SmallFiles(msgspec.Struct, frozen=True):
    """The files below the knee, counted one by one; sizes in bytes."""

    below: int
    files: int
    bytes: int


class Changed(msgspec.Struct, frozen=True):
    """Files that were modified in a time (by mtime), and others that came or were touched in it (by ctime alone).

    A file that was moved here with its old mtime has arrived, and so has one whose mode was changed. What was deleted
    or overwritten meanwhile leaves no trace in times: two surveys tell (Comparison).
    """

    files: int = 0
    bytes: int = 0
    arrived_files: int = 0
    arrived_bytes: int = 0


class Changes(msgspec.Struct, frozen=True):
    """What changed in the last 1, 7 and 30 days before the survey; each holds the one before it."""

    day: Changed = Changed()
    week: Changed = Changed()
    month: Changed = Changed()


class FolderStatistics(msgspec.Struct, frozen=True):
    """A folder with all that lies below it; ``path`` is text (names.py). ``""``: the files directly in the root.

    ``newest_at``: the latest mtime of its files, Unix time.
    """

    path: str
    files: int
    bytes: int
    newest_at: float | None = None
    changed: Changes | None = None


class WidestDirectory(msgspec.Struct, frozen=True):
    """The folder with most entries of its own."""

    path: str
    entries: int


class Layout(msgspec.Struct, frozen=True):
    """Shape of the tree. ``max_depth``: names in the longest path; ``deepest``: a folder where that is reached.

    ``folders``: all of the first level, then the largest of the second.
    """

    max_depth: int
    widest_directory: WidestDirectory
    folders: tuple[FolderStatistics, ...]
    deepest: str = ""


class Extension(msgspec.Struct, frozen=True):
    """Files by the last part of their name, in lower case; ``""``: none or not a plain one."""

    extension: str
    files: int
    bytes: int


class HardLinks(msgspec.Struct, frozen=True):
    """Files with several names: ``names`` found, of ``files`` of their own. ``bytes_counted_twice`` are in all totals.

    ``outside``: names that such files have elsewhere, beyond what was surveyed.
    """

    names: int
    files: int
    bytes_counted_twice: int
    outside: int = 0


class SparseFiles(msgspec.Struct, frozen=True):
    """Files that take less room than their size says: holes, or compressed. Bytes by size, and on disk."""

    files: int
    bytes: int
    allocated_bytes: int


class Hazard(msgspec.Struct, frozen=True):
    """Entries that need attention before a migration, with the paths of some of them as text.

    ``advice``: what xsync will do about them, and what to do.
    """

    kind: str
    count: int
    examples: tuple[str, ...]
    advice: str = ""


class Compressibility(msgspec.Struct, frozen=True):
    """What zstd makes of a sample: ``ratio`` is compressed to original bytes, for the dataset lies within ``+-error``.

    ``error`` is half of the 95 % interval, None where the sample is too small to tell. ``covered``: the share of all
    bytes that the sample speaks for; the rest could not be sampled or was not reached. ``by_extension``: worst first.
    """

    ratio: float
    error: float | None
    sampled_bytes: int
    sampled_files: int
    covered: float
    level: int
    by_extension: tuple[ExtensionRatio, ...] = ()


class ExtensionRatio(msgspec.Struct, frozen=True):
    """Compressed to original bytes of the files of one extension (``*``: all the others)."""

    extension: str
    ratio: float
    sampled_bytes: int


class ReadRate(msgspec.Struct, frozen=True):
    """Bytes/s that so many readers got together, within ``seconds``, and the files that they opened."""

    readers: int
    bytes_per_second: float
    bytes: int
    files: int
    seconds: float


class SourceProbe(msgspec.Struct, frozen=True):
    """How fast the source lets itself be read from this host: seconds to the first byte, and rates by concurrency.

    ``mount``: what it is, and what to try. ``notes``: what the figures rest on.
    """

    mount: str
    opened: int
    first_byte_median: float | None
    first_byte_p95: float | None
    rates: tuple[ReadRate, ...]
    notes: tuple[str, ...] = ()


class FolderChurn(msgspec.Struct, frozen=True):
    """What became of the files of a top-level folder between two surveys; bytes of changed files are the new ones."""

    path: str
    new: Amount
    changed: Amount
    removed: Amount


class Comparison(msgspec.Struct, frozen=True):
    """What changed since the survey that began at ``since`` (Unix time), ``seconds`` before this one.

    ``new``, ``changed`` (size or mtime) and ``removed`` are files, ``touched`` those whose ctime alone is another.
    ``folders``: of the first level, most churn first. ``new_hazards``: with the number of them that came.
    """

    since: float
    seconds: float
    files_before: int
    bytes_before: int
    new: Amount
    changed: Amount
    removed: Amount
    touched: Amount
    folders: tuple[FolderChurn, ...]
    new_hazards: tuple[Hazard, ...]


class FolderSize(NamedTuple):
    """A top-level folder by its path bytes; ``b""``: the files directly in the root."""

    path: bytes
    files: int
    bytes: int


class FolderSizes(NamedTuple):
    """The sizes of the files below a folder: rows of planning.sizes.ROWS that hold some, and the largest, in bytes."""

    bins: tuple[SizeBin, ...] = ()
    largest: int = 0


class SizesInside(NamedTuple):
    """The sizes in a folder: of the ``whole``, of the files directly in it, and of the folders in it by path as text.

    Of very many folders those that count in one row or another are there.
    """

    whole: FolderSizes
    own: FolderSizes
    folders: dict[str, FolderSizes]
