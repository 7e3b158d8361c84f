"""The entries of one unit and what became of each, kept in columns: no object per file outlives its request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa

from engine.model import Action, Kind
from engine.transfer.units import RESULT_SCHEMA

LINK = "link"
"""Reason of what was made as a hard link."""

_LISTED_COLUMNS = ("size", "mtime_ns", "ctime_ns", "dev", "inode", "mode", "uid", "gid")
_ENTRY_COLUMNS = ("dir", "name", "kind", "task")

_TRANSFERRED, _SKIPPED, _FAILED, _RELEASED = map(
    int, (Action.TRANSFERRED, Action.SKIPPED, Action.FAILED, Action.RELEASED)
)
_DELETED, _NOT_DELETED = int(Action.DELETED), int(Action.NOT_DELETED)


def _nothing() -> None:
    """What is done when all is done."""


class Found(NamedTuple):
    """Identity and attributes of an entry as it was read, in the order of the result columns.

    ``unsure``: a file may have changed after it was read, and be of this identity still (Identity.is_unsure).
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    dev: int
    inode: int
    mode: int
    uid: int
    gid: int
    unsure: bool = False


class Rows:
    """Each row is resolved once, from any thread; ``on_complete`` is called by the thread that resolves the last."""

    def __init__(self, entries: pa.Table, on_complete: Callable[[], None]) -> None:
        self._entries = entries
        self._on_complete = on_complete
        self._lock = threading.Lock()
        count: int = entries.num_rows
        self.count = count
        self.left = count
        self.dirs: list[bytes] = entries["dir"].to_pylist()
        self.names: list[bytes] = entries["name"].to_pylist()
        self.kinds: list[int] = entries["kind"].to_pylist()
        self._listed: dict[str, list[Any]] = {}
        self.found: list[tuple[int, ...] | None] = [None] * count
        self.actions = [0] * count
        self._reasons: list[str | None] = [None] * count
        self._details: list[str | None] = [None] * count
        self._sent = [0] * count
        self._checksums: list[int | None] = [None] * count
        self._etags: list[str | None] = [None] * count
        self._verified: list[str | None] = [None] * count
        self._finished = [0] * count
        self.links: list[str | None] = [None] * count
        """What the objects of one file have in common, where they are restored."""

    def path(self, row: int) -> bytes:
        """The entry's path relative to the location's root."""
        folder = self.dirs[row]
        return folder + b"/" + self.names[row] if folder else self.names[row]

    def listed(self, column: str) -> list[Any]:
        """A column of the listing."""
        if column not in self._listed:
            self._listed[column] = self._entries[column].to_pylist()
        return self._listed[column]

    def hints(self, column: str) -> list[Any]:
        """A column of HINT_SCHEMA; without it nothing is to be looked at."""
        if column not in self._entries.schema.names:
            self._listed.setdefault(column, [None] * self.count)
        return self.listed(column)

    def is_file(self, row: int) -> bool:
        """Whether the row is a file or a link, and no folder."""
        return self.kinds[row] in (Kind.FILE, Kind.SYMLINK)

    def found_in_listing(self, row: int) -> Found:
        """Identity and attributes of a row as listed."""
        return Found._make([*(self.listed(column)[row] or 0 for column in _LISTED_COLUMNS), False])

    def transferred(
        self,
        row: int,
        sent: int,
        checksum: int | None,
        etag: str | None = None,
        verified: str | None = None,
        detail: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Resolve ``row``: ``sent`` bytes went out with this CRC64NVME."""
        self._sent[row] = sent
        self._checksums[row] = checksum
        self._etags[row] = etag
        self._verified[row] = verified
        self._resolve(row, _TRANSFERRED, reason, detail)

    def linked(self, row: int) -> None:
        """Resolve ``row``: it has become another name of a file whose size and time were looked at."""
        self.transferred(row, 0, None, "", "size-only", reason=LINK)

    def has(self, column: str) -> bool:
        """Whether the entries have a column."""
        return column in self._entries.column_names

    def failed(self, row: int, reason: str, detail: str = "") -> None:
        """Resolve ``row`` as FAILED with a short, stable reason."""
        self._resolve(row, _FAILED, reason, detail or None)

    def skipped(
        self,
        row: int,
        reason: str,
        checksum: int | None = None,
        etag: str | None = None,
        verified: str | None = None,
        detail: str = "",
    ) -> None:
        """Resolve ``row`` as SKIPPED; what the destination holds has this CRC64NVME and ETag, as far as known."""
        self._checksums[row] = checksum
        self._etags[row] = etag
        self._verified[row] = verified
        self._resolve(row, _SKIPPED, reason, detail or None)

    def released(self, row: int, reason: str | None = None) -> None:
        """Resolve ``row`` as not done, to be given out again."""
        self._resolve(row, _RELEASED, reason)

    def deleted(self, row: int) -> None:
        """Resolve ``row`` as gone from the destination."""
        self._resolve(row, _DELETED)

    def not_deleted(self, row: int, reason: str, detail: str = "") -> None:
        """Resolve ``row`` as still at the destination, with a short, stable reason."""
        self._resolve(row, _NOT_DELETED, reason, detail or None)

    def _resolve(self, row: int, action: int, reason: str | None = None, detail: str | None = None) -> None:
        with self._lock:
            if self.actions[row]:
                return
            self.actions[row] = action
            self._reasons[row] = reason
            self._details[row] = detail
            self._finished[row] = time.time_ns()
            self.left -= 1
            complete = not self.left
        if complete:
            on_complete, self._on_complete = self._on_complete, _nothing  # or the unit would live until a collection
            on_complete()

    def table(self, agent: str) -> pa.Table:
        """The results in RESULT_SCHEMA, one row an entry, in the order of the entries."""
        listed = {column: self._entries[column] for column in _ENTRY_COLUMNS}
        columns: dict[str, Any] = {
            "action": self.actions,
            "reason": self._reasons,
            "detail": self._details,
            "sent_bytes": self._sent,
            "checksum": self._checksums,
            "etag": self._etags,
            "verified": self._verified,
            "finished_ns": self._finished,
            "link": self.links,
        }
        arrays = {name: pa.array(values, RESULT_SCHEMA.field(name).type) for name, values in columns.items()}
        arrays["agent"] = pa.repeat(pa.scalar(agent, pa.string()), self.count)
        return pa.table(listed | arrays | self._found_columns()).select(RESULT_SCHEMA.names).cast(RESULT_SCHEMA)

    def _found_columns(self) -> dict[str, Any]:
        found = self.found
        if None in found:
            found = [self.found_in_listing(row) if values is None else values for row, values in enumerate(found)]
        columns = zip(*found, strict=True) if found else ([] for _ in Found._fields)
        return {
            name: pa.array(values, RESULT_SCHEMA.field(name).type)
            for name, values in zip(Found._fields, columns, strict=True)
        }
