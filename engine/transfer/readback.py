"""Reads back what was written: from the device, as far as the file system can.

A whole file is read past the cache, which takes half the time and CPU. A part of one is not: others write to the file,
and on some file systems a direct read holds them up.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os

from engine.transfer.crt import crc64nvme

_BLOCK = 4_096
"""What offset, length and memory of a read past the cache are multiples of."""

_DIRECT = getattr(os, "O_DIRECT", 0)
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_ATIME = getattr(os, "O_NOATIME", 0)


def open_unread(name: bytes, dir_fd: int) -> int:
    """Open for ``checksum_of``: past the cache, and without changing the access time, where that can be.

    Raises OSError.
    """
    flags = _FLAGS | _NO_ATIME | _DIRECT
    while True:
        try:
            return os.open(name, flags, dir_fd=dir_fd)
        except PermissionError:  # only the owner and root may keep the access time
            if not flags & _NO_ATIME:
                raise
            flags &= ~_NO_ATIME
        except OSError as error:
            if error.errno != errno.EINVAL or not flags & _DIRECT:
                raise
            flags &= ~_DIRECT


def pages(size: int) -> memoryview:
    """Memory for ``size`` bytes that reads past the cache can fill."""
    return memoryview(mmap.mmap(-1, max(1, -(-size // _BLOCK)) * _BLOCK))


def checksum_of(fd: int, start: int, end: int, step: memoryview) -> int:
    """CRC64NVME of what the device holds in ``start``..``end`` of a file that is synced. Raises OSError.

    What the cache holds of it is dropped first. ``step`` is best one of ``pages``.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, start, end - start, os.POSIX_FADV_DONTNEED)
    checksum, offset, may_pass = 0, start, True
    while offset < end:
        wanted = min(len(step), end - offset)
        try:
            size = os.preadv(fd, [step[: -(-wanted // _BLOCK) * _BLOCK]], offset)
        except OSError as error:
            if error.errno != errno.EINVAL or not may_pass:
                raise
            may_pass = False  # its blocks are larger, or the memory is no page
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~_DIRECT)
            continue
        if not size:
            break
        size = min(size, wanted)
        checksum = crc64nvme(step[:size], checksum)
        offset += size
    return checksum
