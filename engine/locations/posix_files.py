"""Single files of a mounted file system: reading one without waiting, and giving a written one its attributes."""

from __future__ import annotations

import errno
import os
import random
import re
import stat
import time
from collections.abc import Iterator

from engine.locations.base import Attributes
from engine.locations.extras import Xattrs
from engine.locations.metadata import FileAttributes
from engine.locations.posix_xattrs import ACLS, beneath, read_xattrs, set_xattrs
from engine.model import Identity
from engine.names import OWN_PREFIX

_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""O_NONBLOCK: a FIFO that took the place of a file is opened at once, seen and closed."""

OWNER, XATTRS, ACL = "owner", "extended attributes", "ACL"
"""What a file may have to go without."""

TEMPORARY_DIGITS = 16
_TEMPORARY = re.compile(re.escape(OWN_PREFIX) + b"[0-9a-f]{%d}" % TEMPORARY_DIGITS)

_SET_ID = stat.S_ISUID | stat.S_ISGID
_NO_ATIME = getattr(os, "O_NOATIME", 0)


class PosixFile:
    """A source file being read; see base.OpenFile. ``attributes`` are those of the moment it was opened.

    ``device`` (st_dev) is that of the location's root, which identities give as 0.
    """

    __slots__ = ("_device", "_fd", "_full_path", "attributes", "identity", "is_sparse", "names", "unsure")

    stored_checksum = None
    kept = None

    def __init__(self, fd: int, found: os.stat_result, full_path: bytes, device: int) -> None:
        self._fd = fd
        self._full_path = full_path
        self._device = device
        self.identity = identity_of(found, device)
        self.unsure = self.identity.is_unsure(time.time_ns())
        self.names = found.st_nlink
        self.is_sparse = found.st_blocks * 512 < found.st_size
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

    def data_ranges(self) -> Iterator[tuple[int, int]]:
        """Its ranges (start, end) with data, in order. Raises OSError."""
        start, end = self.next_data(0)
        while start < end:
            yield start, end
            start, end = self.next_data(end)

    def xattrs(self) -> Xattrs:
        """Its extended attributes. Raises OSError."""
        return read_xattrs(self._fd)

    def is_what_etag_says(self) -> bool:
        """False: a file system keeps no hash."""
        return False

    def confirm(self) -> Identity:
        """Open the path anew, past all remembered folders, and return its identity now. Raises OSError."""
        fd = os.open(self._full_path, _READ_FLAGS)
        try:
            return identity_of(os.fstat(fd), self._device)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Release it; idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def open_regular(name: bytes, dir_fd: int) -> tuple[int, os.stat_result]:
    """Open a regular file for reading, without changing its access time where that is allowed. Raises OSError."""
    try:
        fd = os.open(name, _READ_FLAGS | _NO_ATIME, dir_fd=dir_fd)
    except PermissionError:  # only the owner and root may keep the access time
        fd = os.open(name, _READ_FLAGS, dir_fd=dir_fd)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", name)
    return fd, found


def identity_of(found: os.stat_result, own_device: int) -> Identity:
    """The identity of what was looked at; a number that the next mount or start of the host changes is no part of it.

    ``own_device``: st_dev of the location's root. Whether that is what it was, the identity of the location tells.
    """
    device = 0 if found.st_dev == own_device else found.st_dev
    return Identity(device, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def temporary_name() -> bytes:
    """A name that no other file of xsync has, of this run or of one that still has ghosts."""
    return b"%b%0*x" % (
        OWN_PREFIX,
        TEMPORARY_DIGITS,
        random.getrandbits(4 * TEMPORARY_DIGITS),
    )  # seeded anew in each process


def is_temporary(name: bytes) -> bool:
    """Whether ``temporary_name`` may have made it."""
    return _TEMPORARY.fullmatch(name) is not None


def remove_empty(name: bytes, dir_fd: int) -> None:
    """Remove an empty folder. Raises OSError: ENOTEMPTY also where a file server calls that EEXIST."""
    try:
        os.rmdir(name, dir_fd=dir_fd)
    except FileExistsError as error:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), name) from error


def set_attributes(
    target: int | bytes, attributes: FileAttributes, xattrs: Xattrs | None = None, dir_fd: int | None = None
) -> tuple[str, ...]:
    """Give an open file or folder, or the symlink ``target`` in ``dir_fd``, its attributes; returns what was refused.

    First the owner, as chown takes set-id bits and capabilities away; then ``xattrs`` (None: left alone) as long as
    the mode is still that of a new file, as the last one may forbid it; then the mode, whose group bits are the mask of
    an ACL; last the times. Without its owner a file gets no set-id bits. Raises OSError.
    """
    missed = [] if _own(target, attributes, dir_fd) else [OWNER]
    if xattrs is not None:
        path = target if isinstance(target, int) or dir_fd is None else beneath(dir_fd, target)
        lost = {name in ACLS for name, _ in set_xattrs(path, xattrs, with_acls=attributes.mode is not None)}
        missed += [ACL if is_acl else XATTRS for is_acl in sorted(lost)]
    if attributes.mode is not None and dir_fd is None:
        os.chmod(target, attributes.mode & ~_SET_ID if missed[:1] == [OWNER] else attributes.mode)
    if attributes.mtime_ns is not None or attributes.atime_ns is not None:
        _date(target, attributes, dir_fd)
    return tuple(missed)


def _own(target: int | bytes, attributes: FileAttributes, dir_fd: int | None) -> bool:
    if attributes.uid is None and attributes.gid is None:
        return True
    ids = (-1 if attributes.uid is None else attributes.uid, -1 if attributes.gid is None else attributes.gid)
    try:
        if dir_fd is None:
            os.chown(target, *ids)
        else:
            os.chown(target, *ids, dir_fd=dir_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL):
            return False
        raise
    return True


def _date(target: int | bytes, attributes: FileAttributes, dir_fd: int | None) -> None:
    atime, mtime = attributes.atime_ns, attributes.mtime_ns
    follow = dir_fd is None
    if atime is None or mtime is None:
        now = os.stat(target, dir_fd=dir_fd, follow_symlinks=follow)
        atime = now.st_atime_ns if atime is None else atime
        mtime = now.st_mtime_ns if mtime is None else mtime
    os.utime(target, ns=(atime, mtime), dir_fd=dir_fd, follow_symlinks=follow)
