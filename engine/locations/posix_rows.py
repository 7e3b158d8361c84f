"""Turns file attributes into Arrow columns, a block at a time, for posix_scan.py.

Attributes come from statx(2), called through ctypes into one reused block of records which is decoded column by
column: an os.stat_result per entry costs as much again as the system call. Where statx is missing or fails, os.stat
fills the same records.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import compress, count, repeat
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Fate, Kind

BLOCK = 1024
"""Records decoded at once: 256 KiB stay in the processor's cache between the system calls and the decoding."""

FOLDER = int(Kind.FOLDER)
SYMLINK = int(Kind.SYMLINK)
"""Plain integers: looking up members of an enum costs more than the rest of a loop over entries."""

_RECORD = 256
"""Bytes of a ``struct statx``; its layout is the same on every architecture."""

_FIELDS = struct.Struct("=16xIIIH2xQQQ8xqI4x16xqI4xqI4xIIII112x")
"""nlink, uid, gid, mode, inode, size, blocks, atime, ctime, mtime (s, ns each), rdev, dev (major, minor each)."""

_LISTED_RECORD = struct.Struct("=40xQ208x")
"""A size, and zeros for the rest."""

_DEVICE = struct.Struct("=II")
_WORD = struct.Struct("=Q")
_ARROW = {"H": pa.uint16(), "I": pa.uint32(), "Q": pa.uint64(), "q": pa.int64()}
_COLUMNS = {
    "mode": ("H", 14),
    "nlink": ("I", 4),
    "uid": ("I", 5),
    "gid": ("I", 6),
    "inode": ("Q", 4),
    "size": ("q", 5),
    "blocks": ("q", 6),
    "atime": ("q", 8),
    "atime_part": ("I", 18),
    "ctime": ("q", 12),
    "ctime_part": ("I", 26),
    "mtime": ("q", 14),
    "mtime_part": ("I", 30),
    "rdev": ("Q", 16),
    "dev": ("Q", 17),
}
"""Where a column is in a record: its format, and its index in units of that format."""

_PARTS = {f"{name}_ns": (name, f"{name}_part") for name in ("atime", "ctime", "mtime")}
"""Columns made of two of a record."""

_KINDS_BY_TYPE = {
    0: Kind.LISTED,
    stat.S_IFREG >> 8: Kind.FILE,
    stat.S_IFDIR >> 8: Kind.FOLDER,
    stat.S_IFLNK >> 8: Kind.SYMLINK,
}
_KINDS = bytes(_KINDS_BY_TYPE.get(high & 0xF0, Kind.SPECIAL) for high in range(256))
"""Kind by the high byte of the mode. Only the empty record of a LISTED row has mode 0."""

_HIGH_BYTE_OF_MODE = 29 if sys.byteorder == "little" else 28
_ONE_FOLDER = bytes([Kind.FOLDER])
_ONE_LISTED = bytes([Kind.LISTED])
_ONLY = {kind: bytes(found == kind for found in range(256)) for kind in map(int, Kind)}
"""For each kind a table for bytes.translate that turns it into 1 and all others into 0."""

_FLAGS = repeat(0x100)
"""AT_SYMLINK_NOFOLLOW. Automounts are triggered, so that a nested mount shows the device it has."""
_MASKS = repeat(0x7FF)
"""STATX_BASIC_STATS."""


_Statx = Callable[[int, bytes, int, int, Any], int]


def _load_statx(library: ctypes.CDLL) -> _Statx:
    """The C library's statx, or a stand-in that always fails. Declaring its arguments would cost half as much again."""
    found: _Statx | None = getattr(library, "statx", None)
    return found or (lambda *_: -1)


_statx = _load_statx(ctypes.CDLL(None))
_statx_alone = _load_statx(ctypes.PyDLL(None))
"""For a process without other threads: it keeps the interpreter lock, whose release costs a tenth of the call."""


class _Block:
    """Memory for BLOCK records, and the same memory seen column by column."""

    def __init__(self) -> None:
        self.data = bytearray(_RECORD * BLOCK)
        records = (ctypes.c_char * len(self.data)).from_buffer(self.data)
        self.records = [ctypes.byref(records, record * _RECORD) for record in range(BLOCK)]
        memory: Any = memoryview(self.data)
        self.high_bytes = memory[_HIGH_BYTE_OF_MODE::_RECORD]
        self.views = {
            column: memory.cast(code)[index :: _RECORD // struct.calcsize(code)]
            for column, (code, index) in _COLUMNS.items()
        }


_spare_blocks: list[_Block] = []
"""Blocks of scans that have ended; at most as many as scans ever ran at once."""


def _take_block() -> _Block:
    try:
        return _spare_blocks.pop()
    except IndexError:
        return _Block()


class Rows:
    """Rows in ENTRY_SCHEMA under construction: about 150 bytes a row plus its name. For one thread at a time."""

    def __init__(self, device: int, columns: Sequence[str] | None = None) -> None:
        """``columns``: those that are wanted; None: all."""
        self._schema = ENTRY_SCHEMA if columns is None else pa.schema([ENTRY_SCHEMA.field(name) for name in columns])
        self._wants_targets = "link_target" in self._schema.names
        self.count = 0
        self.mounts: set[int] = set()
        """Rows of folders that are not on ``device`` (see ``raw_device``)."""
        self._device = device
        self._statx = _statx_alone if threading.active_count() == 1 else _statx
        self._used = 0
        self._block = _take_block()
        parts = [part for name in self._schema.names for part in _PARTS.get(name, (name,))]
        self._values: dict[str, list[bytes]] = {part: [] for part in parts if part in _COLUMNS}
        self._kinds: list[bytes] = []
        self._names: list[bytes] = []
        self._name_chunks: list[pa.Array] = []
        self._folder_ends: list[int] = []
        self._folders: list[bytes] = []
        self._folder_tasks: list[int] = []
        self._tasks: dict[int, int] = {}
        self._fates: dict[int, int] = {}
        self._errors: dict[int, str] = {}
        self._targets: dict[int, bytes] = {}

    def add(self, fd: int, names: list[bytes]) -> tuple[list[bytes], bytes]:
        """Add a row for each of ``names`` in the open folder ``fd`` that still exists.

        Return the names of the rows and, a byte each, their kinds.
        """
        if self._used + len(names) < BLOCK:
            return self._add_to_block(fd, names)
        added: list[bytes] = []
        kinds = bytearray()
        start = 0
        while start < len(names):
            if self._used >= BLOCK - 1:
                self._flush()
            stop = start + BLOCK - 1 - self._used
            some, some_kinds = self._add_to_block(fd, names[start:stop])
            added += some
            kinds += some_kinds
            start = stop
        return added, bytes(kinds)

    def add_root(self, fd: int) -> None:
        """Add the row of the root folder itself."""
        if self._used == BLOCK:
            self._flush()
        start = self._used * _RECORD
        self._block.data[start : start + _RECORD] = _record(os.fstat(fd))
        self._names.append(b"")
        self._kinds.append(_ONE_FOLDER)
        self._used += 1
        self.count += 1

    def end_folder(self, path: bytes, task: int, size: int, error: str | None = None) -> None:
        """Close folder ``path`` with its LISTED row; all rows since the last call belong to it and to ``task``."""
        if self._used == BLOCK:
            self._flush()
        _LISTED_RECORD.pack_into(self._block.data, self._used * _RECORD, size)
        if error is not None:
            self._errors[self.count] = error
        self._names.append(b"")
        self._kinds.append(_ONE_LISTED)
        self._used += 1
        self.count += 1
        self._folder_ends.append(self.count)
        self._folders.append(path)
        self._folder_tasks.append(task)

    def exclude(self, row: int) -> None:
        """Mark a row as outside the dataset, readable or not."""
        self._fates[row] = Fate.EXCLUDED
        self._errors.pop(row, None)

    def assign(self, row: int, task: int) -> None:
        """Give a row a task of its own."""
        self._tasks[row] = task

    def is_candidate(self, row: int) -> bool:
        """Whether a row is neither excluded nor unreadable."""
        return row not in self._fates

    def table(self, listing: int) -> pa.Table:
        """All rows, each marked with ``listing``. Nothing can be added afterwards."""
        self._flush()
        _spare_blocks.append(self._block)
        return pa.Table.from_arrays([self._column(name, listing) for name in self._schema.names], schema=self._schema)

    def _column(self, name: str, listing: int) -> pa.Array:
        match name:
            case "dir":
                return self._of_folders(pa.array(self._folders, pa.binary()))
            case "name":
                return pa.concat_arrays(self._name_chunks)
            case "kind":
                return pa.Array.from_buffers(pa.uint8(), self.count, [None, pa.py_buffer(b"".join(self._kinds))])
            case "fate":
                return _sparse(self._fates, self.count, int(Fate.CANDIDATE), pa.uint8())
            case "task":
                column = self._of_folders(pa.array(self._folder_tasks, pa.uint16()))
                if not self._tasks:
                    return column
                return pc.coalesce(_sparse(self._tasks, self.count, None, pa.uint16()), column)
            case "listing":
                return pa.repeat(pa.scalar(listing, pa.int64()), self.count)
            case "atime_ns" | "ctime_ns" | "mtime_ns":
                return _nanoseconds(*map(self._numbers, _PARTS[name]))
            case "dev":
                return _device_column(self._numbers(name), self._device)
            case "rdev":
                return _device_column(self._numbers(name))
            case "mode":
                return self._numbers(name).cast(pa.uint32())
            case "link_target":
                return _sparse(self._targets, self.count, None, pa.binary())
            case "error":
                return _sparse(self._errors, self.count, None, pa.string())
            case "etag" | "storage_class":
                return pa.nulls(self.count, pa.string())
            case _:
                return self._numbers(name)

    def _numbers(self, column: str) -> pa.Array:
        code, _ = _COLUMNS[column]
        data = b"".join(self._values.pop(column))
        return pa.Array.from_buffers(_ARROW[code], self.count, [None, pa.py_buffer(data)])

    def _of_folders(self, values: pa.Array) -> pa.Array:
        """The column of a value that all rows of a folder share."""
        ends = pa.array(self._folder_ends, pa.int32())
        return pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(ends, values))

    def _add_to_block(self, fd: int, names: list[bytes]) -> tuple[list[bytes], bytes]:
        """Add rows that fit into the block, with one record to spare for a LISTED row."""
        used = self._used
        records = self._block.records[used : used + len(names)]
        if any(map(self._statx, repeat(fd), names, _FLAGS, _MASKS, records)):
            names = self._stat_singly(fd, names)
        kinds: bytes = self._block.high_bytes[used : used + len(names)].tobytes().translate(_KINDS)
        if self._wants_targets and SYMLINK in kinds:
            self._read_links(fd, names, kinds)
        if FOLDER in kinds:
            devices = self._block.views["dev"]
            for position in positions(kinds, FOLDER):
                if devices[used + position] != self._device:
                    self.mounts.add(self.count + position)
        self._names += names
        self._kinds.append(kinds)
        self._used = used + len(names)
        self.count += len(names)
        return names, kinds

    def _stat_singly(self, fd: int, names: list[bytes]) -> list[bytes]:
        """Fill the records of ``names`` one at a time, and return them without those that vanished."""
        kept: list[bytes] = []
        for name in names:
            start = (self._used + len(kept)) * _RECORD
            try:
                record = _record(os.stat(name, dir_fd=fd, follow_symlinks=False))
            except FileNotFoundError:
                continue
            except OSError as error:
                record = _record_of_type(_type_of(fd, name))
                self._mark_unreadable(self.count + len(kept), error)
            self._block.data[start : start + _RECORD] = record
            kept.append(name)
        return kept

    def _read_links(self, fd: int, names: list[bytes], kinds: bytes) -> None:
        """Note the targets of the symlinks about to be added; one that vanished has none."""
        for position in positions(kinds, SYMLINK):
            row = self.count + position
            try:
                self._targets[row] = os.readlink(names[position], dir_fd=fd)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._mark_unreadable(row, error)

    def _mark_unreadable(self, row: int, error: OSError) -> None:
        self._fates[row] = Fate.UNREADABLE
        self._errors.setdefault(row, reason_of(error))

    def _flush(self) -> None:
        """Decode the block into columns and start it afresh."""
        for column, values in self._values.items():
            values.append(self._block.views[column][: self._used].tobytes())
        self._name_chunks.append(pa.array(self._names, pa.binary()))
        self._names = []
        self._used = 0


def positions(kinds: bytes, kind: int) -> list[int]:
    """Where ``kind`` occurs in ``kinds``."""
    return list(compress(count(), kinds.translate(_ONLY[kind])))


def reason_of(error: OSError) -> str:
    """What the system says, without the path."""
    return error.strerror or str(error)


def raw_device(fd: int) -> int:
    """The device of an open folder as it is in a record: a pair (major, minor) read as one integer."""
    device = os.fstat(fd).st_dev
    found: tuple[int] = _WORD.unpack(_DEVICE.pack(os.major(device), os.minor(device)))
    return found[0]


def _record(found: os.stat_result) -> bytes:
    """The same attributes as a statx record."""
    times = [part for ns in (found.st_atime_ns, found.st_ctime_ns, found.st_mtime_ns) for part in divmod(ns, 10**9)]
    devices = [part for device in (found.st_rdev, found.st_dev) for part in (os.major(device), os.minor(device))]
    numbers = (found.st_nlink, found.st_uid, found.st_gid, found.st_mode, found.st_ino, found.st_size, found.st_blocks)
    return _FIELDS.pack(*numbers, *times, *devices)


def _record_of_type(mode: int) -> bytes:
    return _FIELDS.pack(0, 0, 0, mode, *[0] * 13)


def _type_of(fd: int, name: bytes) -> int:
    """The type that the folder itself tells of an entry whose attributes cannot be read; a file if it tells none."""
    wanted = os.fsdecode(name)
    with os.scandir(fd) as entries:
        for entry in entries:
            if entry.name == wanted:
                return stat.S_IFDIR if entry.is_dir(follow_symlinks=False) else stat.S_IFREG
    return stat.S_IFREG


def _device(pair: int) -> int:
    """A device number as os.stat gives it, of (major, minor) read as one integer."""
    major, minor = _DEVICE.unpack(_WORD.pack(pair))
    return os.makedev(major, minor)


def _device_column(pairs: pa.Array, own: int | None = None) -> pa.Array:
    """Device numbers; ``own`` becomes 0: a number that the next mount changes identifies nothing."""
    if own is not None and pc.all(pc.equal(pairs, own)).as_py():
        return pa.repeat(pa.scalar(0, pa.uint64()), len(pairs))
    encoded = pairs.dictionary_encode()
    numbers = [0 if pair == own else _device(pair) for pair in encoded.dictionary.to_pylist()]
    return pa.array(numbers, pa.uint64()).take(encoded.indices)


def _nanoseconds(seconds: pa.Array, parts: pa.Array) -> pa.Array:
    return pc.add(pc.multiply(seconds, 10**9), parts.cast(pa.int64()))


def _sparse(values: dict[int, Any], count: int, default: int | None, kind: pa.DataType) -> pa.Array:
    """A column of ``default`` but for the rows in ``values``."""
    if not values:
        return pa.nulls(count, kind) if default is None else pa.repeat(pa.scalar(default, kind), count)
    column = [default] * count
    for row, value in values.items():
        column[row] = value
    return pa.array(column, kind)
