"""Single files of a mounted file system: reading one without waiting, and giving a written one its attributes."""

from __future__ import annotations

import errno
import os
import secrets
import stat

from engine.locations.base import Attributes
from engine.locations.metadata import FileAttributes
from engine.model import Identity
from engine.names import OWN_PREFIX

_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""O_NONBLOCK: a FIFO that took the place of a file is opened at once, seen and closed."""

_NO_ATIME = getattr(os, "O_NOATIME", 0)


class PosixFile:
    """A source file being read; see base.OpenFile. ``attributes`` are those of the moment it was opened."""

    __slots__ = ("_fd", "_full_path", "attributes", "identity")

    def __init__(self, fd: int, full_path: bytes) -> None:
        self._fd = fd
        self._full_path = full_path
        found = os.fstat(fd)
        self.identity = identity_of(found)
        self.attributes = Attributes(found.st_mode, found.st_uid, found.st_gid, found.st_atime_ns)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset``; fewer bytes than asked only at the end of the file. Raises OSError."""
        done = 0
        while done < len(buffer):
            count = os.preadv(self._fd, [buffer[done:]], offset + done)
            if not count:
                break
            done += count
        return done

    def next_data(self, offset: int) -> tuple[int, int]:
        """The first range (start, end) that holds data at or after ``offset``; (size, size) if only holes follow."""
        size = self.identity.size
        try:
            start = os.lseek(self._fd, offset, os.SEEK_DATA)
            return start, os.lseek(self._fd, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return size, size
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):  # the file system keeps no holes
                return offset, size
            raise

    def confirm(self) -> Identity:
        """Open the path anew, past all remembered folders, and return its identity now. Raises OSError."""
        fd = os.open(self._full_path, _READ_FLAGS)
        try:
            return identity_of(os.fstat(fd))
        finally:
            os.close(fd)

    def close(self) -> None:
        """Release it; idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def open_regular(name: bytes, dir_fd: int) -> int:
    """Open a regular file for reading, without changing its access time where that is allowed. Raises OSError."""
    try:
        fd = os.open(name, _READ_FLAGS | _NO_ATIME, dir_fd=dir_fd)
    except PermissionError:  # only the owner and root may keep the access time
        fd = os.open(name, _READ_FLAGS, dir_fd=dir_fd)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", name)
    return fd


def identity_of(found: os.stat_result) -> Identity:
    """The identity of what was looked at."""
    return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def temporary_name() -> bytes:
    """A name that no other file of xsync has, of this run or of one that still has ghosts."""
    return OWN_PREFIX + secrets.token_hex(8).encode()


def set_attributes(fd: int, attributes: FileAttributes) -> None:
    """Give an open file or folder its owner, then its mode (chown clears set-id bits), then its times."""
    if attributes.uid is not None or attributes.gid is not None:
        os.fchown(
            fd, -1 if attributes.uid is None else attributes.uid, -1 if attributes.gid is None else attributes.gid
        )
    if attributes.mode is not None:
        os.fchmod(fd, attributes.mode)
    if attributes.mtime_ns is not None or attributes.atime_ns is not None:
        found = os.fstat(fd)
        atime = found.st_atime_ns if attributes.atime_ns is None else attributes.atime_ns
        os.utime(fd, ns=(atime, found.st_mtime_ns if attributes.mtime_ns is None else attributes.mtime_ns))
