"""The columns of a listing, and the interfaces that a listing needs: which entries, how much at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import pyarrow as pa

from engine.model import Fate

ENTRY_SCHEMA = pa.schema(
    [
        ("dir", pa.binary()),
        ("name", pa.binary()),
        ("kind", pa.uint8()),
        ("fate", pa.uint8()),
        ("task", pa.uint16()),
        ("listing", pa.int64()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("ctime_ns", pa.int64()),
        ("atime_ns", pa.int64()),
        ("mode", pa.uint32()),
        ("uid", pa.uint32()),
        ("gid", pa.uint32()),
        ("dev", pa.uint64()),
        ("inode", pa.uint64()),
        ("nlink", pa.uint32()),
        ("blocks", pa.int64()),
        ("rdev", pa.uint64()),
        ("link_target", pa.binary()),
        ("error", pa.string()),
        ("etag", pa.string()),
        ("storage_class", pa.string()),
    ]
)
"""One row an entry. ``dir`` and ``name`` are byte for byte; the root's own row has both empty and kind FOLDER.

A row of kind LISTED closes a folder: ``dir`` is the folder, ``name`` empty, ``size`` the number of its rows that came
with it, ``error`` why it could not be listed (else null). ``listing`` is the attempt that produced a row: the rows of
a folder that count are those whose ``listing`` equals that of its LISTED row. Columns a location lacks are null.
``dev`` is 0 on the root's own device: its number changes with
every mount. ``blocks`` are units of 512 bytes. ``error`` on a row with fate UNREADABLE says why.
"""

LEADER = "leader"
"""Column beside those of ENTRY_SCHEMA: of a file with several names, the path of the one copied; null in its row."""


def _never() -> bool:
    return False


class ScanLimit(NamedTuple):
    """When a scan hands back what it has: after so many rows or so many seconds, looked at between two folders.

    And soon after ``is_awaited``, which is asked now and then: others have nothing to do.
    A folder of more than ``slice_rows`` names ends the scan too, after so many of them; the rest is a scan of its own.
    Columns of ENTRY_SCHEMA that are not in ``columns`` may be left out; None: all are wanted.
    """

    rows: int = 50_000
    seconds: float = 1.0
    slice_rows: int = sys.maxsize
    columns: Sequence[str] | None = None
    is_awaited: Callable[[], bool] = _never


class Rest(NamedTuple):
    """What is left of a folder that is listed in slices: its names after ``after``, in byte order.

    ``names`` holds them (an Arrow array of binaries); None: they are read again.
    """

    folder: bytes
    after: bytes
    names: pa.Array | None = None


class ScanBatch(NamedTuple):
    """What a scan found: rows in ENTRY_SCHEMA, folder by folder, and the folders it did not reach.

    ``rest``: the last folder is listed up to here, and its LISTED row is still to come.
    """

    rows: pa.Table
    folders_left: list[bytes]
    rest: Rest | None = None


class Selector(Protocol):
    """Decides which entries belong to the dataset, and to which task (filters.py, planning/partition)."""

    def fate(self, path: bytes, is_folder: bool) -> Fate:
        """CANDIDATE or EXCLUDED for the entry at ``path``."""

    def enters(self, path: bytes) -> bool:
        """Whether folder ``path`` can hold candidates; False prunes it without listing."""

    def trivial(self, folder: bytes) -> bool:
        """True if every entry at any depth below ``folder`` is a CANDIDATE: a scan may then skip the questions.

        But not for names that begin with a dot: ``names.is_always_excluded`` can be true at any depth.
        """

    def task(self, path: bytes) -> int:
        """The index of the task that owns ``path``."""

    def tasks_inside(self, folder: bytes) -> Callable[[bytes], int] | None:
        """What tells the task of an entry in ``folder`` by its name.

        None: at any depth below ``folder`` everything belongs to the same task as it does.
        """
