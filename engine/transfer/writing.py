"""Writes files under temporary names: content with its holes, then owner, mode and times."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol, runtime_checkable

from engine.locations.base import OpenFile
from engine.model import TransferOptions
from engine.transfer.crt import crc64nvme
from engine.transfer.rows import Found

STEP = 1 << 20
"""Bytes read and written at once."""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

_ZEROS = bytes(STEP)
_REASONS = {
    **dict.fromkeys(NO_SPACE, "no space left at the destination"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "destination not writable"),
    errno.ENAMETOOLONG: "name too long",
    errno.EILSEQ: "name not possible at the destination",
    errno.EFBIG: "too large",
    errno.EEXIST: "exists",
    errno.ENOTEMPTY: "a folder is in the way",
    errno.EISDIR: "a folder is in the way",
    errno.ENOTDIR: "a file is in the way",
    errno.ELOOP: "a link is in the way",
    errno.ENOTUNIQ: "collides with another name",
}


@runtime_checkable
class HasHoles(Protocol):
    """An open file that knows which of its ranges hold data."""

    def next_data(self, offset: int) -> tuple[int, int]:
        """The first range (start, end) with data at or after ``offset``; start = end = size if there is none."""


def write_reason_of(error: OSError) -> tuple[str, str]:
    """Short reason and detail of a failed write."""
    return _REASONS.get(error.errno or 0, "not written"), error.strerror or str(error)


class InterruptedCopyError(Exception):
    """The unit has to stop."""


class WriteError(Exception):
    """The destination failed, not the source."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def writing() -> Iterator[None]:
    """Turn every OSError into a WriteError."""
    try:
        yield
    except OSError as error:
        raise WriteError(error) from error


class Copied(NamedTuple):
    """``size`` bytes were copied; ``checksum`` is the CRC64NVME of all bytes, holes read as zeros."""

    size: int
    checksum: int


def copy_range(file: OpenFile, fd: int, start: int, end: int, step: memoryview, go_on: Callable[[int], None]) -> Copied:
    """Copy bytes ``start``..``end`` of ``file`` to the same place in ``fd``, in steps, leaving its holes out.

    ``go_on(n)`` is called for every n bytes done and may raise. Shorter than asked if the file ends early. Raises
    OSError if the source fails, WriteError if the destination does.
    """
    checksum, offset = 0, start
    for data_start, data_end in _ranges(file, start, end):
        checksum = zeros_checksum(checksum, data_start - offset)
        go_on(data_start - offset)
        offset = data_start
        while offset < data_end:
            part = step[: min(len(step), data_end - offset)]
            size = file.read_into(part, offset)
            if not size:
                return Copied(offset - start, checksum)
            checksum = crc64nvme(part[:size], checksum)
            _write(fd, part[:size], offset)
            offset += size
            go_on(size)
    return Copied(offset - start, checksum)


def zeros_checksum(checksum: int, size: int) -> int:
    """Continue a CRC64NVME with ``size`` zero bytes."""
    while size > 0:
        checksum = crc64nvme(memoryview(_ZEROS)[: min(size, STEP)], checksum)
        size -= STEP
    return checksum


def _ranges(file: OpenFile, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Ranges with data in ``start``..``end``; the last one, maybe empty, ends at ``end``."""
    if end - start < STEP or not isinstance(file, HasHoles):
        yield start, end
        return
    offset = start
    while offset < end:
        data_start, data_end = file.next_data(offset)
        data_start, data_end = min(data_start, end), min(data_end, end)
        if data_start >= data_end:
            break
        yield data_start, data_end
        offset = data_end
    if offset < end:
        yield end, end


def _write(fd: int, content: memoryview, offset: int) -> None:
    with writing():
        while content:
            written = os.pwrite(fd, content, offset)
            content, offset = content[written:], offset + written


def checksum_of(fd: int, start: int, end: int, step: memoryview) -> int:
    """CRC64NVME of what the device holds in ``start``..``end``; cached pages, all clean, are dropped first."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, start, end - start, os.POSIX_FADV_DONTNEED)
    checksum, offset = 0, start
    while offset < end:
        size = os.preadv(fd, [step[: min(len(step), end - offset)]], offset)
        if not size:
            break
        checksum = crc64nvme(step[:size], checksum)
        offset += size
    return checksum


class Attributing:
    """Gives files their owner, then mode, then times, as far as the options ask and this account may."""

    def __init__(self, options: TransferOptions) -> None:
        self._options = options
        self.mode_of_new = 0o600 if options.posix_permissions == "PRESERVE" else 0o666

    def apply(self, target: int | bytes, found: Found, atime_ns: int, dir_fd: int | None = None) -> bool:
        """For an open file, or the symlink ``target`` in ``dir_fd``; False if the owner could not be set."""
        owned = self._own(target, found, dir_fd)
        is_link = dir_fd is not None
        if self._options.posix_permissions == "PRESERVE" and not is_link:
            mode = stat.S_IMODE(found.mode)
            os.chmod(target, mode if owned else mode & ~(stat.S_ISUID | stat.S_ISGID))
        self._date(target, found, atime_ns, dir_fd)
        return owned

    def _own(self, target: int | bytes, found: Found, dir_fd: int | None) -> bool:
        uid = found.uid if self._options.uid == "INT_VALUE" else -1
        gid = found.gid if self._options.gid == "INT_VALUE" else -1
        if uid == gid == -1:
            return True
        try:
            if dir_fd is None:
                os.chown(target, uid, gid)
            else:
                os.chown(target, uid, gid, dir_fd=dir_fd, follow_symlinks=False)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL):
                return False
            raise
        return True

    def _date(self, target: int | bytes, found: Found, atime_ns: int, dir_fd: int | None) -> None:
        options = self._options
        if options.mtime == options.atime == "NONE":
            return
        if dir_fd is None:
            now = os.stat(target)
            times = self._times(now, found, atime_ns)
            os.utime(target, ns=times)
        else:
            now = os.stat(target, dir_fd=dir_fd, follow_symlinks=False)
            os.utime(target, ns=self._times(now, found, atime_ns), dir_fd=dir_fd, follow_symlinks=False)

    def _times(self, now: os.stat_result, found: Found, atime_ns: int) -> tuple[int, int]:
        atime = atime_ns if self._options.atime == "BEST_EFFORT" else now.st_atime_ns
        return atime, found.mtime_ns if self._options.mtime == "PRESERVE" else now.st_mtime_ns
