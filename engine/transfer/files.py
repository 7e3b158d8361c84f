"""Copies small files, symlinks and folders to a file system: temporaries for a whole unit, one sync, then the names."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from engine.locations.base import OpenFile
from engine.locations.posix import PosixLocation
from engine.locations.posix_files import temporary_name
from engine.locations.posix_folders import Folder, Folders
from engine.transfer.commit import Commit, Written
from engine.transfer.copying import FILE, FOLDER, SYMLINK, TRANSIENT, Copying
from engine.transfer.crt import crc64nvme
from engine.transfer.reading import attributes_of
from engine.transfer.retry import Fault, Kind
from engine.transfer.rows import Found
from engine.transfer.shared import Shared
from engine.transfer.system import syncfs_proves
from engine.transfer.units import CopyUnit, UnitOutcome
from engine.transfer.writing import (
    NO_SPACE,
    STEP,
    Attributing,
    InterruptedCopyError,
    WriteError,
    copy_range,
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
        self._attributing = Attributing(options)
        self._replaces = options.overwrite_mode == "ALWAYS"
        self._verifies = options.verify_mode == "ONLY_FILES_TRANSFERRED"
        self._syncs_each = shared.destination.capabilities.network or not syncfs_proves()
        self._written: list[Written] = []
        self._unowned: list[int] = []
        self._lock = threading.Lock()
        self._committing = False
        self._full = 0

    def process(self, row: int) -> None:
        """Copy one row; the one that leaves only written rows has the unit committed."""
        super().process(row)
        with self._lock:
            ready = bool(self._written) and len(self._written) == self.rows.left and not self._committing
            self._committing = self._committing or ready
        if ready:
            self.shared.crew.submit(self._commit)

    def copy(self, row: int) -> None:
        """Write ``row`` under a temporary name, or make the folder."""
        if not self.shared.gate.enter(self.allowed):
            self.rows.released(row)
            return
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
        if kind not in (FILE, FOLDER, SYMLINK):
            self.rows.skipped(row, "special")
        elif self._too_long(row):
            self.rows.failed(row, "name too long")
        elif kind == FOLDER:
            self._open_folder(self.path(row))
            self.rows.transferred(row, 0, None)
        else:
            folder = self._open_folder(self.rows.dirs[row])
            if not self._replaces and _exists(self.rows.names[row], folder.fd):
                self.rows.skipped(row, "exists")
            elif kind == FILE:
                self._copy_file(row, folder)
            else:
                self._copy_symlink(row, folder)

    def _too_long(self, row: int) -> bool:
        limits = self.shared.destination.capabilities
        return len(self.rows.names[row]) > limits.max_name_bytes or len(self.path(row)) > limits.max_key_bytes

    def _copy_file(self, row: int, folder: Folder) -> None:
        for _ in range(2):
            self.shared.readers.reading()
            file = self.source.open_file(self.path(row))
            try:
                if self._copy_open(row, folder, file):
                    return
            finally:
                file.close()
        self.rows.failed(row, "changed while read", "it changed twice")

    def _copy_open(self, row: int, folder: Folder, file: OpenFile) -> bool:
        """Copy an open file to a temporary; False, leaving nothing, if it changed meanwhile."""
        found, atime_ns = attributes_of(file)
        temporary = temporary_name()
        with writing():
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            fd = os.open(temporary, flags, self._attributing.mode_of_new, dir_fd=folder.fd)
        kept = False
        try:
            checksum = self._fill(fd, file, found.size)
            if checksum is None or file.confirm() != file.identity:
                return False
            with writing():
                if not self._attributing.apply(fd, found, atime_ns):
                    self._unowned.append(row)
                if self._syncs_each:
                    os.fsync(fd)
            self._keep(Written(row, folder, temporary, found.size, checksum), found)
            kept = True
            return True
        finally:
            os.close(fd)
            if not kept:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder.fd)

    def _fill(self, fd: int, file: OpenFile, size: int) -> int | None:
        """Copy the content; its CRC64NVME, or None if the file has become shorter."""
        buffers, counted = self.shared.buffers, 0

        def go_on(done: int) -> None:
            nonlocal counted
            counted += done
            self.shared.count(0, done)
            self.shared.readers.reading()
            if not self.allowed():
                raise InterruptedCopyError

        step = buffers.take(min(size, STEP))
        complete = False
        try:
            with writing():
                os.ftruncate(fd, size)
            copied = copy_range(file, fd, 0, size, memoryview(step), go_on)
            complete = copied.size == size
            return copied.checksum if complete else None
        finally:
            buffers.give(step)
            if not complete:
                self.shared.count(0, -counted)

    def _copy_symlink(self, row: int, folder: Folder) -> None:
        self.shared.readers.reading()
        target = self.source.read_link(self.path(row))
        self.shared.readers.waiting()
        found = self.rows.found_in_listing(row)
        temporary = temporary_name()
        with writing():
            os.symlink(target, temporary, dir_fd=folder.fd)
            try:
                if not self._attributing.apply(temporary, found, self.rows.listed("atime_ns")[row] or 0, folder.fd):
                    self._unowned.append(row)
            except OSError:
                os.unlink(temporary, dir_fd=folder.fd)
                raise
        self._keep(Written(row, folder, temporary, len(target), crc64nvme(target), True), found)

    def _keep(self, written: Written, found: Found) -> None:
        self.rows.found[written.row] = found
        with self._lock:
            self._written.append(written)

    def _open_folder(self, path: bytes) -> Folder:
        """The destination folder, made if missing; files and links in its way give way unless nothing is replaced."""
        with writing():
            try:
                return self._folders.open(path, create=True)
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP) or not self._replaces:
                    raise
            remove_obstacle(self._folders, path)
            return self._folders.open(path, create=True)

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
        note = f"owner not kept: this account may not set it ({len(self._unowned):,} entries of this unit)"
        notes = dict.fromkeys(self._unowned[:1], note)
        commit = Commit(
            self.rows,
            notes,
            self.allowed,
            replaces=self._replaces,
            verifies=self._verifies,
            folds=self._folders.folds,
        )
        step = self.shared.buffers.take(STEP)
        try:
            self.shared.count(commit.run(self._written, memoryview(step), synced=self._syncs_each), 0)
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
