"""System calls that Python lacks: syncfs and a rename that replaces nothing."""

from __future__ import annotations

import ctypes
import errno
import os

_libc = ctypes.CDLL(None, use_errno=True)
_RENAME_NOREPLACE = 1


def syncfs_proves() -> bool:
    """Whether syncfs reports failed writes: from Linux 5.8 on."""
    if not hasattr(_libc, "syncfs") or os.uname().sysname != "Linux":
        return False
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int("".join(filter(str.isdigit, minor)) or 0)) >= (5, 8)


def syncfs(fd: int) -> None:
    """Write everything of the file system of ``fd`` to its device. Raises OSError if any write failed."""
    if _libc.syncfs(fd):
        _raise(ctypes.get_errno())


def rename_new(old: bytes, new: bytes, dir_fd: int) -> None:
    """Rename inside a folder; raises FileExistsError instead of replacing anything."""
    if not _libc.renameat2(dir_fd, old, dir_fd, new, _RENAME_NOREPLACE):
        return
    code = ctypes.get_errno()
    if code not in (errno.EINVAL, errno.ENOSYS):
        _raise(code)
    # The file system cannot: a hard link never replaces either.
    os.link(old, new, src_dir_fd=dir_fd, dst_dir_fd=dir_fd, follow_symlinks=False)
    os.unlink(old, dir_fd=dir_fd)


def _raise(code: int) -> None:
    raise OSError(code, os.strerror(code))
