"""Copies small files, symlinks and folder markers to an object store: read, confirm, check the lease, PUT."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, cast

from engine.locations.base import Reads
from engine.locations.metadata import metadata_of
from engine.model import Kind
from engine.names import NameError_, check_key, key_of
from engine.transfer import retry
from engine.transfer.crt import Header, checksum_text, crc64nvme
from engine.transfer.put import Put, ticket_of
from engine.transfer.reading import Reading, TooLargeError, read_whole, reason_of
from engine.transfer.retry import Fault
from engine.transfer.rows import Rows
from engine.transfer.shared import Shared
from engine.transfer.target import quoted
from engine.transfer.units import CopyUnit, UnitOutcome, from_ipc, to_ipc

SMALL_FILE = 32 << 20
"""Largest file in bytes that is sent whole; larger ones go in parts."""

_REASONS = {"BadDigest": "checksum mismatch", "KeyTooLongError": "key too long", "EntityTooLarge": "too large", "stalled": "stalled"}
_REASON_OF_KIND = {
    retry.Kind.DENIED: "access denied",
    retry.Kind.THROTTLED: "destination busy",
    retry.Kind.TRANSIENT: "transfer error",
    retry.Kind.UNREACHABLE: "destination unreachable",
}

_FILE, _FOLDER, _SYMLINK = int(Kind.FILE), int(Kind.FOLDER), int(Kind.SYMLINK)


class _Folder(NamedTuple):
    """What the keys of one folder share."""

    path: bytes
    quoted: str  # request path, ends in "/"
    room: int  # bytes left for a name in a key


class ObjectCopy:
    """One CopyUnit on its way to an object store. ``on_outcome`` is called once, by a thread of the crew."""

    def __init__(self, shared: Shared, unit: CopyUnit, agent: str, on_outcome: Callable[[UnitOutcome], None]) -> None:
        self._shared = shared
        self._unit = unit
        self._agent = agent
        self._on_outcome = on_outcome
        self._began = time.monotonic()
        self._source = cast("Reads", shared.source)
        self.rows = Rows(from_ipc(unit.entries), lambda: shared.crew.submit(self._finish))
        self._again: deque[int] = deque()
        self._next = 0
        self._failures: dict[int, tuple[int, float]] = {}
        self._fatal = ""
        self._folder: _Folder | None = None
        self._fixed = _fixed_headers(shared)

    def begin(self) -> None:
        """Let the readers take the rows."""
        if self.rows.count:
            self._shared.readers.add(self)
        else:
            self._shared.crew.submit(self._finish)

    def allowed(self) -> bool:
        """Whether rows may still be sent."""
        return not self._fatal and self._shared.control.allows(self._unit.epoch)

    def claim(self, limit: int) -> deque[int]:
        """Take rows: first those to be tried again."""
        share: deque[int] = deque()
        while self._again and len(share) < limit:
            share.append(self._again.popleft())
        end = min(self.rows.count, self._next + limit - len(share))
        share.extend(range(self._next, end))
        self._next = end
        return share

    def give_back(self, rows: deque[int]) -> None:
        """Rows that were claimed and not begun."""
        self._again.extend(rows)

    def retry(self, row: int) -> None:
        """Try ``row`` again now."""
        self._again.append(row)
        self._shared.readers.wake()

    def path(self, row: int) -> bytes:
        """The path of a row."""
        return self.rows.path(row)

    def process(self, row: int) -> None:
        """Read one row and send it. Never raises."""
        try:
            if self.allowed():
                self._copy(row)
            else:
                self.rows.released(row)
        except FileNotFoundError:
            self.rows.skipped(row, "vanished")
        except OSError as error:
            self.rows.failed(row, *reason_of(error))
        except NameError_ as error:
            self.rows.failed(row, error.reason)
        except Exception as error:
            self.rows.failed(row, "unexpected error", f"{type(error).__name__}: {error}")

    def _copy(self, row: int) -> None:
        kind = self.rows.kinds[row]
        if kind == _FILE:
            self._copy_file(row, self._place(row))
        elif kind == _SYMLINK:
            self._copy_symlink(row, self._place(row))
        elif kind == _FOLDER:
            self._send(row, self._place(row) + "/", self._without_file(row, b""))
        else:
            self.rows.skipped(row, "special")

    def _copy_file(self, row: int, path: str) -> None:
        shared = self._shared
        for _ in range(2):
            try:
                reading = read_whole(
                    self._source, self.path(row), shared.buffers, SMALL_FILE, ticket_of, shared.readers, self.allowed
                )
            except TooLargeError:
                self.rows.failed(row, "changed while read", "it has become a large file since it was listed")
                return
            if reading is None:
                self.rows.released(row)
                return
            if reading.stable:
                self._send(row, path, reading)
                return
            self._drop(reading)
        self.rows.failed(row, "changed while read", "it changed twice")

    def _copy_symlink(self, row: int, path: str) -> None:
        self._shared.readers.reading()
        target = self._source.read_link(self.path(row))
        self._shared.readers.waiting()
        self._send(row, path, self._without_file(row, target))

    def _without_file(self, row: int, content: bytes) -> Reading:
        """The body of what is no file, with its attributes as listed."""
        buffer = bytearray(content)
        found = self.rows.found_in_listing(row)
        atime_ns = self.rows.listed("atime_ns")[row] or 0
        return Reading(buffer, memoryview(buffer), 0, found, atime_ns, crc64nvme(buffer), True)

    def _drop(self, reading: Reading) -> None:
        self._shared.buffers.give(reading.buffer)
        self._shared.buffers.release(reading.ticket)

    def _place(self, row: int) -> str:
        """The quoted request path of a row; raises NameError_ if the destination cannot hold its key."""
        rows = self.rows
        folder = self._folder
        if folder is None or folder.path != rows.dirs[row]:
            folder = self._folder_at(rows.dirs[row])
        name = key_of(rows.names[row], self._shared.config.options.invalid_names)
        problem = check_key(name, folder.room)
        if problem:
            raise NameError_(problem, self.path(row))
        return folder.quoted + quoted(name)

    def _folder_at(self, path: bytes) -> _Folder:
        shared = self._shared
        key = key_of(path, shared.config.options.invalid_names)
        key = key + "/" if key else ""
        room = shared.destination.capabilities.max_key_bytes - len((shared.target.prefix + key).encode())
        folder = self._folder = _Folder(path, shared.target.base + quoted(key), room)
        return folder

    def _send(self, row: int, path: str, reading: Reading) -> None:
        if not self._shared.gate.enter(self.allowed):
            self._drop(reading)
            self.rows.released(row)
            return
        self.rows.found[row] = reading.found
        put = Put(self, row, reading, self._shared)
        try:
            put.start(path, self._headers(row, reading))
        except BaseException:
            put.abandon()
            raise

    def _headers(self, row: int, reading: Reading) -> list[Header]:
        found = reading.found
        path = self.path(row)
        metadata = metadata_of(
            self.rows.kinds[row],
            found.mode,
            found.uid,
            found.gid,
            found.mtime_ns,
            reading.atime_ns,
            self._shared.config.options,
            None if path.isascii() else path,
        )
        headers = [
            *self._fixed,
            ("content-length", str(len(reading.content))),
            ("x-amz-checksum-crc64nvme", checksum_text(reading.checksum)),
        ]
        headers += [("x-amz-meta-" + key, value) for key, value in metadata.items()]
        return headers

    def failed(self, row: int, fault: Fault) -> None:
        """An attempt to send ``row`` failed: try again later, or give up."""
        kind = fault.kind
        if kind is retry.Kind.EXISTS:
            self.rows.skipped(row, "exists")
        elif kind is retry.Kind.CANCELLED:
            self.rows.released(row)
        elif kind is retry.Kind.FATAL or (kind is retry.Kind.DENIED and not self._shared.succeeded):
            self._stop(row, fault)
        elif not retry.retryable(kind):
            self.rows.failed(row, _reason(fault), str(fault))
        else:
            self._try_later(row, fault)

    def _try_later(self, row: int, fault: Fault) -> None:
        shared = self._shared
        if fault.kind is retry.Kind.THROTTLED:
            shared.gate.slowed()
        now = shared.control.clock()
        count, first = self._failures.get(row, (0, now))
        self._failures[row] = (count + 1, first)
        delay = retry.delay(count + 1, now - first, shared.config.retry_seconds, random.random())
        if delay is not None:
            shared.later.add(delay, self, row)
        elif fault.kind is retry.Kind.UNREACHABLE:
            self._stop(row, fault)
        else:
            self.rows.failed(row, _reason(fault), str(fault))

    def _stop(self, row: int, fault: Fault) -> None:
        """Nothing else can be sent either."""
        self._fatal = str(fault)
        self.rows.released(row)
        self._shared.later.wake()

    def _finish(self) -> None:
        self._shared.readers.remove(self)
        self._on_outcome(
            UnitOutcome(
                self._unit.id,
                self._unit.epoch,
                to_ipc(self.rows.table(self._agent)),
                fatal=self._fatal,
                seconds=time.monotonic() - self._began,
            )
        )


def _fixed_headers(shared: Shared) -> list[Header]:
    headers: list[Header] = []
    if shared.config.destination.storage_class:
        headers.append(("x-amz-storage-class", shared.config.destination.storage_class))
    if shared.config.options.overwrite_mode == "NEVER":
        headers.append(("if-none-match", "*"))
    return headers


def _reason(fault: Fault) -> str:
    return _REASONS.get(fault.code) or _REASON_OF_KIND.get(fault.kind, "refused by the destination")
