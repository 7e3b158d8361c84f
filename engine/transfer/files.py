"""Copies small files, symlinks and folders to a file system: temporaries for a whole unit, one sync, then the names."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import cast

from engine.locations.base import OpenFile
from engine.locations.extras import Xattrs
from engine.locations.listing import LEADER
from engine.locations.posix import PosixLocation
from engine.locations.posix_files import temporary_name
from engine.locations.posix_folders import Folder, Folders, opened_again
from engine.model import SAME_CONTENT
from engine.transfer.buffers import BODY_STEP
from engine.transfer.commit import Commit, Written
from engine.transfer.copying import DEVICE, FILE, FOLDER, SYMLINK, TRANSIENT, Copying
from engine.transfer.crt import crc64nvme
from engine.transfer.linking import HARD_LINK, NoLink, make_link
from engine.transfer.reading import as_file, attributes_of, proven_by_source
from engine.transfer.retry import Fault, Kind
from engine.transfer.rows import Found
from engine.transfer.shared import Shared
from engine.transfer.system import syncfs_proves
from engine.transfer.units import CopyUnit, UnitOutcome
from engine.transfer.writing import (
    NO_SPACE,
    STEP,
    InterruptedCopyError,
    WriteError,
    attributing_of,
    copy_range,
    is_dense,
    write_at,
    write_reason_of,
    writing,
)

FULL_DISK_ROWS = 3
"""Rows in a row that find no space before the unit gives up."""


class FileCopying(Copying):
    """One CopyUnit on its way to a file system. Nothing has its final name before everything is on the device."""

    def __init__(self, shared: Shared, unit: CopyUnit, agent: str, on_outcome: Callable[[UnitOutcome], None]) -> None:
        super().__init__(shared, unit, agent, on_outcome)
        options = shared.config.options
        self._folders = cast("PosixLocation", shared.destination).folders
        self._attributing = attributing_of(shared)
        self._replaces = options.overwrite_mode != "NEVER"
        self._verifies = options.verify_mode != "NONE"
        self._syncs_each = shared.destination.capabilities.network or not syncfs_proves()
        self._leaders: list[bytes | None] | None = self.rows.listed(LEADER) if self.rows.has(LEADER) else None
        self._unsettled: set[int] = set()
        """Rows copied that should be links: their results are about no file, so that the next run tries again."""
        self._written: list[Written] = []
        self._devices: dict[int, Folder] = {}
        self._lock = threading.Lock()
        self._committing = False
        self._full = 0

    looks_aside = False

    def process(self, row: int) -> None:
        """Copy one row; the one that leaves only written rows has the unit committed."""
        super().process(row)
        with self._lock:
            ready = bool(self._written) and len(self._written) == self.rows.left and not self._committing
            self._committing = self._committing or ready
        if ready:
            self.shared.crew.submit(self._commit)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """What a thread that reads does at the destination is no reading; each OSError is a WriteError."""
        began = self.shared.control.clock()
        try:
            with writing():
                yield
        finally:
            self.shared.spent.wrote(self.shared.control.clock() - began)

    def copy(self, row: int) -> None:
        """Write ``row`` under a temporary name, or make the folder."""
        if not self.shared.gate.enter(self.allowed):
            self.rows.released(row)
            return
        self.shared.readers.reading()
        try:
            self._copy(row)
            self._full = 0
        except WriteError as error:
            self._not_written(row, error.error)
        except InterruptedCopyError:
            self.rows.released(row)
        finally:
            self.shared.gate.leave()

    def _copy(self, row: int) -> None:
        kind = self.rows.kinds[row]
        if kind not in (FILE, FOLDER, SYMLINK, DEVICE):
            self.rows.skipped(row, "special")
        elif self._too_long(row):
            self.rows.failed(row, "name too long")
        elif kind == FOLDER:
            self._open_folder(self.path(row))
            self.rows.transferred(row, 0, None)
        else:
            folder = self._open_folder(self.rows.dirs[row])
            self._watch(folder)
            if not self._replaces and _exists(self.rows.names[row], folder.fd):
                self.rows.skipped(row, "exists")
            elif kind == FILE:
                leader = self._leaders[row] if self._leaders is not None else None
                if leader is None or not self._linked(row, leader, folder):
                    self._copy_file(row, folder)
            elif kind == SYMLINK:
                self._copy_symlink(row, folder)
            else:
                self._copy_device(row, folder)

    def _too_long(self, row: int) -> bool:
        limits = self.shared.destination.capabilities
        return len(self.rows.names[row]) > limits.max_name_bytes or len(self.path(row)) > limits.max_key_bytes

    def _linked(self, row: int, leader: bytes, folder: Folder) -> bool:
        """Make ``row`` another name of a file that is there already; False if it has to be copied."""
        source, destination = cast("PosixLocation", self.source), cast("PosixLocation", self.shared.destination)
        self.shared.readers.reading()
        timed = self.shared.config.options.mtime == "PRESERVE"
        began_ns = int(self.shared.config.began_at * 10**9)
        link = make_link(source, destination, leader, self.path(row), folder, timed=timed, read_ns=began_ns)
        self.shared.readers.waiting()
        if isinstance(link, NoLink):
            if link is NoLink.CANNOT:
                self.not_kept[HARD_LINK] += 1
            self._unsettled.update([row] if link is NoLink.NOT_NOW else [])
            return False
        if link.temporary:
            self._keep(Written(row, folder, link.temporary, 0, 0, is_hard_link=True), link.found, ())
        else:
            self.rows.found[row] = link.found
            self.rows.skipped(row, SAME_CONTENT)
        return True

    def _copy_file(self, row: int, folder: Folder) -> None:
        for _ in range(2):
            self.shared.readers.reading()
            file = self.source.open_file(self.path(row))
            try:
                if stat.S_ISLNK(file.attributes.mode):  # an object that stands for one
                    self._restore_symlink(row, folder, file)
                    return
                if self._copy_open(row, folder, file):
                    return
            finally:
                file.close()
        self.rows.failed(row, "changed while read", "it changed twice")

    def _copy_open(self, row: int, folder: Folder, file: OpenFile) -> bool:
        """Copy an open file to a temporary; False, leaving nothing, if it changed meanwhile."""
        found, atime_ns = attributes_of(file)
        temporary = temporary_name()
        with self._writing():
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            fd = os.open(temporary, flags, self._attributing.mode_of_new, dir_fd=folder.fd)
        kept = False
        try:
            extras = self.extras(row, file)
            checksum = self._fill(fd, file, found.size, extras.lengths)
            if checksum is None or file.confirm() != file.identity:
                return False
            proven = proven_by_source(file, checksum, by_etag=self._verifies)
            with self._writing():
                missed = self._attributing.apply(fd, as_file(file, found), atime_ns, extras.xattrs)
                if self._syncs_each:
                    os.fsync(fd)
            self.rows.links[row] = extras.link or None
            self._keep(Written(row, folder, temporary, found.size, checksum, proven=proven), found, missed)
            kept = True
            return True
        finally:
            os.close(fd)
            if not kept:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder.fd)

    def _fill(self, fd: int, file: OpenFile, size: int, lengths: Sequence[int]) -> int | None:
        """Copy the content; its CRC64NVME, or None if the file has become shorter."""
        buffers, counted = self.shared.buffers, 0

        def go_on(done: int) -> None:
            nonlocal counted
            counted += done
            self.shared.count(0, done)
            self.shared.readers.reading()
            if not self.allowed():
                raise InterruptedCopyError

        def pieces(content: memoryview) -> Iterable[memoryview]:
            return self.shared.spent.writes(self.shared.throttle.pieces(content, self.allowed, self.shared.readers))

        step = buffers.take(min(size, STEP))
        complete = False
        try:
            if size <= STEP and is_dense(file, size) and not lengths and self.shared.throttle.rate is None:
                content = memoryview(step)[:size]
                if file.read_into(content, 0) < size:
                    return None
                with self._writing():
                    write_at(fd, content, 0)
                go_on(size)
                complete = True
                return crc64nvme(content)
            with self._writing():
                os.ftruncate(fd, size)
            copied = copy_range(file, fd, 0, size, memoryview(step), go_on, pieces, lengths)
            complete = copied.size == size
            return copied.checksum if complete else None
        finally:
            buffers.give(step)
            if not complete:
                self.shared.count(0, -counted)

    def _copy_symlink(self, row: int, folder: Folder) -> None:
        self.shared.readers.reading()
        target = self.source.read_link(self.path(row))
        xattrs = self.extras(row).xattrs
        self.shared.readers.waiting()
        found = self.rows.found_in_listing(row)
        atime_ns = self.rows.listed("atime_ns")[row] or 0
        temporary, missed = self._make_symlink(target, folder, found, atime_ns, xattrs)
        self._keep(Written(row, folder, temporary, len(target), crc64nvme(target), True), found, missed)

    def _copy_device(self, row: int, folder: Folder) -> None:
        """Make a device or FIFO; it is never opened."""
        self.shared.readers.reading()
        xattrs = self.extras(row).xattrs
        self.shared.readers.waiting()
        found, temporary = self.rows.found_in_listing(row), temporary_name()
        with self._writing():
            os.mknod(temporary, stat.S_IFMT(found.mode) | 0o600, self.rows.listed("rdev")[row] or 0, dir_fd=folder.fd)
            try:
                atime_ns = self.rows.listed("atime_ns")[row] or 0
                missed = self._attributing.apply(temporary, found, atime_ns, xattrs, folder.fd)
                if self.shared.config.options.posix_permissions == "PRESERVE":
                    os.chmod(temporary, stat.S_IMODE(found.mode), dir_fd=folder.fd)
            except OSError:
                os.unlink(temporary, dir_fd=folder.fd)
                raise
        self._keep(Written(row, folder, temporary, 0, 0, is_device=True), found, missed)

    def _restore_symlink(self, row: int, folder: Folder, file: OpenFile) -> None:
        """Make the link that an object stands for: its content is the target."""
        found, atime_ns = attributes_of(file)
        target = bytearray(found.size)
        checksum = crc64nvme(memoryview(target)[: file.read_into(memoryview(target), 0)])
        proven = proven_by_source(file, checksum, by_etag=self._verifies)
        temporary, missed = self._make_symlink(
            bytes(target), folder, as_file(file, found), atime_ns, self.extras(row, file).xattrs
        )
        self._keep(Written(row, folder, temporary, len(target), checksum, True, proven), found, missed)

    def _make_symlink(
        self, target: bytes, folder: Folder, found: Found, atime_ns: int, xattrs: Xattrs
    ) -> tuple[bytes, Collection[str]]:
        temporary = temporary_name()
        with self._writing():
            os.symlink(target, temporary, dir_fd=folder.fd)
            try:
                return temporary, self._attributing.apply(temporary, found, atime_ns, xattrs, folder.fd)
            except OSError:
                os.unlink(temporary, dir_fd=folder.fd)
                raise

    def _keep(self, written: Written, found: Found, missed: Collection[str]) -> None:
        self.rows.found[written.row] = found._replace(inode=0) if written.row in self._unsettled else found
        self.shared.succeeded = True
        with self._lock:
            self._written.append(written)
            if missed:
                self.not_kept.update(missed)

    def _open_folder(self, path: bytes) -> Folder:
        """The destination folder, made if missing; files and links in its way give way unless nothing is replaced."""
        with self._writing():
            try:
                return self._folders.open(path, create=True)
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP) or not self._replaces:
                    raise
            remove_obstacle(self._folders, path)
            return self._folders.open(path, create=True)

    def _watch(self, folder: Folder) -> None:
        """See to it that syncfs tells this unit of writes that fail from now on, whoever else commits there."""
        if self._syncs_each:
            return
        with self._writing(), self._lock:
            device = os.fstat(folder.fd).st_dev
            if device not in self._devices:
                self._devices[device] = opened_again(folder)

    def _not_written(self, row: int, error: OSError) -> None:
        if error.errno in NO_SPACE:
            self._full += 1
            if self._full >= FULL_DISK_ROWS:
                self.stop(row, "no space left at the destination")
                return
        if error.errno in TRANSIENT:
            self.failed(row, Fault(Kind.TRANSIENT, "transfer error", error.strerror or str(error)))
        else:
            self.rows.failed(row, *write_reason_of(error))

    def _commit(self) -> None:
        commit = Commit(
            self.rows,
            self.allowed,
            devices=self._devices.values(),
            replaces=self._replaces,
            verifies=self._verifies,
            folders=self._folders,
            waits=self.shared.config.options.preserve_deleted_files == "REMOVE",
        )
        step = self.shared.buffers.take(BODY_STEP)
        try:
            counts = partial(self.shared.count, size=0)
            commit.run(self._written, memoryview(step), synced=self._syncs_each, counts=counts)
        finally:
            self.shared.buffers.give(step)


def remove_obstacle(folders: Folders, path: bytes) -> None:
    """Remove the file or link that stands where a folder on the way to ``path`` should be. Raises OSError."""
    names = path.split(b"/")
    for depth in range(len(names)):
        folder = folders.open(b"/".join(names[:depth]))
        try:
            found = os.stat(names[depth], dir_fd=folder.fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(names[depth], dir_fd=folder.fd)
            return


def _exists(name: bytes, dir_fd: int) -> bool:
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
