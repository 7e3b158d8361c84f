"""Lists folders of a mounted file system into Arrow rows without following a link."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engine.locations.listing import Rest, ScanBatch, ScanLimit, Selector
from engine.locations.posix_rows import FOLDER, Rows, positions, raw_device, reason_of
from engine.model import Fate

MAX_OPEN_FOLDERS = 128
"""Ancestors kept open while descending; deeper folders are opened from the root again, name by name."""

_SHORTEST_SECONDS = 0.002
"""How long a scan goes on before it asks whether others wait for the folders left: to hand them over takes 0.5 ms."""

_NAMES_AT_ONCE = 10_000
"""Names of a large folder that are encoded at once."""

_OPEN_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ENCODING = sys.getfilesystemencoding()
_ENCODE_ERRORS = sys.getfilesystemencodeerrors()


def scan_folders(
    root: bytes,
    folders: Sequence[bytes],
    limit: ScanLimit,
    selector: Selector,
    listing: int,
    rest: Rest | None = None,
) -> ScanBatch:
    """List ``folders`` (relative to ``root``) and what lies below them until ``limit``; rows as in ENTRY_SCHEMA.

    The limit is looked at between two folders: a folder once begun is finished, so that scanning always makes progress.
    Only one of more than ``limit.slice_rows`` names is handed over in slices, sorted by name: go on with ``rest`` of
    the batch, which is listed before ``folders``. A flat folder of a million entries takes about 200 MB in slices of
    50,000, and 320 MB in one piece.

    A folder is entered exactly if ``selector.enters`` says so, else it is EXCLUDED. A nested mount (another ``dev``
    than the root's) is a FOLDER row with an empty LISTED row. A folder that cannot be read has a LISTED row with an
    error, and its subfolders are not entered; one that vanished counts as empty. Raises OSError only if ``root`` itself
    cannot be opened.
    """
    root_fd = os.open(root, _OPEN_FLAGS & ~os.O_NOFOLLOW)
    try:
        scan = _Scan(root_fd, limit, selector)
        left = scan.run(folders, rest)
    finally:
        os.close(root_fd)
    rows = scan.rows.table(listing)
    if scan.rest is not None:
        rows = rows.slice(0, rows.num_rows - 1)  # all but the LISTED row of the folder that goes on
    return ScanBatch(rows, left, scan.rest)


class _Folder(NamedTuple):
    """An open folder, and the names of its subfolders still to be entered. ``tasks``: Selector.tasks_inside of it."""

    fd: int
    path: bytes
    task: int
    tasks: Callable[[bytes], int] | None
    plain: bool
    children: list[bytes]


class _Scan:
    """One call of ``scan_folders``: descends depth first, opening each folder relative to its open parent."""

    def __init__(self, root_fd: int, limit: ScanLimit, selector: Selector) -> None:
        self._root_fd = root_fd
        self._device = raw_device(root_fd)
        self.rows = Rows(self._device, limit.columns)
        self._mounts: set[bytes] = set()
        self._limit = limit
        now = time.monotonic()
        self._deadline = now + limit.seconds
        self._ask_at = now + _SHORTEST_SECONDS
        self._selector = selector
        self._open: list[_Folder] = []
        self.rest: Rest | None = None
        """Of the folder whose slice ended the scan."""
        self._parent = (b"", os.dup(root_fd))

    def run(self, folders: Sequence[bytes], rest: Rest | None) -> list[bytes]:
        """Scan until the limit; return the folders not reached."""
        starts = list(reversed(folders))
        try:
            if rest is not None:
                self._start(rest.folder, rest)
            while (self._open or starts) and not self._is_full():
                if not self._open:
                    self._start(starts.pop())
                elif len(self._open) > MAX_OPEN_FOLDERS:
                    starts += _paths_left(self._open[-1])
                    self._open[-1].children.clear()
                else:
                    self._descend(self._open[-1])
                while self._open and not self._open[-1].children:
                    os.close(self._open.pop().fd)
            return starts[::-1] + [path for folder in self._open for path in _paths_left(folder)]
        finally:
            os.close(self._parent[1])
            for folder in self._open:
                os.close(folder.fd)

    def _is_full(self) -> bool:
        done = self.rows.count
        if self.rest is not None or not done:
            return self.rest is not None
        now = time.monotonic()
        is_over = done >= self._limit.rows or now >= self._deadline
        if is_over or now < self._ask_at:
            return is_over
        self._ask_at = now + _SHORTEST_SECONDS
        return self._limit.is_awaited()

    def _start(self, path: bytes, rest: Rest | None = None) -> None:
        """List a folder that is known by its path alone, or ``rest`` of it."""
        task = self._selector.task(path)
        try:
            fd = self._open_start(path)
        except OSError as error:
            self._close_unopened(path, task, error)
            return
        tasks = self._selector.tasks_inside(path)
        self._list(fd, path, task, tasks, self._selector.trivial(path), may_be_mount=True, rest=rest)

    def _open_start(self, path: bytes) -> int:
        """Open a folder in its parent, which stays open for the next one: most folders to start with are siblings."""
        parent, _, name = path.rpartition(b"/")
        if parent != self._parent[0]:
            fd = _open_below(self._root_fd, parent)
            os.close(self._parent[1])
            self._parent = (parent, fd)
        return os.open(name or b".", _OPEN_FLAGS, dir_fd=self._parent[1])

    def _descend(self, parent: _Folder) -> None:
        """List the next subfolder of an open folder."""
        parent_fd, parent_path, task, tasks, plain, children = parent
        name = children.pop()
        path = parent_path + b"/" + name if parent_path else name
        if tasks is not None:
            task, tasks = tasks(name), self._selector.tasks_inside(path)
        if self._mounts and path in self._mounts:
            self.rows.end_folder(path, task, 0)
            return
        try:
            fd = os.open(name, _OPEN_FLAGS, dir_fd=parent_fd)
        except OSError as error:
            self._close_unopened(path, task, error)
            return
        self._list(fd, path, task, tasks, plain or self._selector.trivial(path))

    def _close_unopened(self, path: bytes, task: int, error: OSError) -> None:
        vanished = isinstance(error, FileNotFoundError)
        self.rows.end_folder(path, task, 0, None if vanished else reason_of(error))

    def _list(
        self,
        fd: int,
        path: bytes,
        task: int,
        tasks: Callable[[bytes], int] | None,
        plain: bool,
        *,
        may_be_mount: bool = False,
        rest: Rest | None = None,
    ) -> None:
        """Add the rows of an open folder; then close it, or keep it open for its subfolders."""
        rows = self.rows
        before = rows.count
        children: list[bytes] = []
        error: str | None = None
        try:
            if not path and rest is None:
                rows.add_root(fd)
            is_foreign = may_be_mount and raw_device(fd) != self._device
            if joined := b"" if is_foreign else self._names(fd, path, rest):
                first = rows.count
                names, kinds = rows.add(fd, joined.split(b"\0"))
                if tasks is not None:
                    self._assign(task, tasks, first, names)
                if not plain or joined.startswith(b".") or b"\0." in joined:
                    self._judge(path, plain, first, names, kinds)
                if FOLDER in kinds:
                    children = self._subfolders(path, first, names, kinds)
        except OSError as failure:
            error, self.rest = reason_of(failure), None
        rows.end_folder(path, task, rows.count - before, error)
        if children:
            self._open.append(_Folder(fd, path, task, tasks, plain, children))
        else:
            os.close(fd)

    def _names(self, fd: int, path: bytes, rest: Rest | None) -> bytes:
        """The names in an open folder, or the next slice of them, with a zero byte between two."""
        most = self._limit.slice_rows
        names = rest.names if rest is not None else None
        if names is None:
            found = os.listdir(fd)
            if not found or (rest is None and len(found) <= most):
                return _joined(found)
            names = _sorted(found, rest.after if rest is not None else b"")
        if len(names) > most:
            self.rest = Rest(path, names[most - 1].as_py(), names.slice(most))
        return b"\0".join(names.slice(0, most).to_pylist())

    def _assign(self, task: int, tasks: Callable[[bytes], int], first: int, names: list[bytes]) -> None:
        """Note the tasks of entries whose folder is of another one."""
        for row, name in enumerate(names, first):
            if (own := tasks(name)) != task:
                self.rows.assign(row, own)

    def _judge(self, path: bytes, plain: bool, first: int, names: list[bytes], kinds: bytes) -> None:
        """Mark entries the selector does not want.

        Where it has no wishes, what is always excluded is left: such names begin with a dot.
        """
        rows, selector = self.rows, self._selector
        prefix = path + b"/" if path else b""
        for row, (name, kind) in enumerate(zip(names, kinds, strict=True), first):
            if plain and not name.startswith(b"."):
                continue
            entry = prefix + name
            wanted = selector.enters(entry) if kind == FOLDER else selector.fate(entry, False) == Fate.CANDIDATE
            if not wanted:
                rows.exclude(row)

    def _subfolders(self, path: bytes, first: int, names: list[bytes], kinds: bytes) -> list[bytes]:
        """The names of the folders to enter among rows just added; remembers which are nested mounts."""
        rows = self.rows
        found = []
        for position in positions(kinds, FOLDER):
            row = first + position
            if rows.is_candidate(row):
                found.append(names[position])
                if row in rows.mounts:
                    self._mounts.add(path + b"/" + names[position] if path else names[position])
        return found


def _open_below(root_fd: int, path: bytes) -> int:
    """Open a folder name by name, so that no symlink on the way is followed."""
    fd = os.open(b".", _OPEN_FLAGS, dir_fd=root_fd)
    for name in path.split(b"/") if path else ():
        parent = fd
        try:
            fd = os.open(name, _OPEN_FLAGS, dir_fd=parent)
        finally:
            os.close(parent)
    return fd


def _joined(names: Sequence[str]) -> bytes:
    return "\0".join(names).encode(_ENCODING, _ENCODE_ERRORS)


def _sorted(found: list[str], after: bytes) -> pa.Array:
    """The names behind ``after`` in order, which takes a third of the memory of ``found``; that is emptied."""
    parts = []
    while found:
        parts.append(pa.array(_joined(found[-_NAMES_AT_ONCE:]).split(b"\0"), pa.large_binary()))
        del found[-_NAMES_AT_ONCE:]
    names = pa.concat_arrays(parts)
    return names.filter(pc.greater(names, pa.scalar(after, pa.large_binary()))).sort()


def _paths_left(folder: _Folder) -> list[bytes]:
    prefix = folder.path + b"/" if folder.path else b""
    return [prefix + name for name in folder.children]
