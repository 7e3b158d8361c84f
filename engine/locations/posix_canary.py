"""What a folder turns out to do: a small file of our own, written, read, given away and removed again."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from engine.errors import DestinationError
from engine.locations.base import Trial
from engine.locations.posix_files import temporary_name
from engine.locations.posix_twins import folds_names
from engine.names import text_of

_BODY = b"xsync canary"

_STRANGER = 65_000
"""An id that is nobody's here as a rule: only who may give files away can give one to it."""


def try_out(root: bytes) -> Trial:
    """Write a file into folder ``root``, read it, change what it has, remove it.

    Ownership and xattrs are tried because NFS servers may squash root, and mounts may lack xattrs: nothing else says
    so. Raises DestinationError.
    """
    text = text_of(root)
    dir_fd = _open_folder(root)
    name = temporary_name()
    try:
        began = time.monotonic()
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=dir_fd)
        try:
            os.write(fd, _BODY)
            os.fsync(fd)
            written = time.monotonic()
            skew = os.fstat(fd).st_mtime - time.time()
            keeps_owner, keeps_xattrs = _keeps_owner(fd), _keeps_xattrs(fd)
            body = os.pread(fd, len(_BODY) + 1, 0)
        finally:
            os.close(fd)
        if body != _BODY:
            raise DestinationError(f"{text} gave back other bytes than were written to it")
        read = time.monotonic()
        cannot_delete = ""
        try:
            os.unlink(name, dir_fd=dir_fd)
        except OSError as error:
            cannot_delete = f"{error.strerror}; {text_of(name)} stays there"
        room = os.fstatvfs(dir_fd)
        return Trial(
            write_seconds=written - began,
            read_seconds=read - written,
            clock_skew_seconds=skew,
            cannot_delete=cannot_delete,
            keeps_owner=keeps_owner,
            keeps_xattrs=keeps_xattrs,
            folds_names=_folds(dir_fd),
            free_bytes=room.f_bavail * room.f_frsize,
            free_files=room.f_favail if room.f_files else None,
        )
    except OSError as error:
        with suppress(OSError):
            os.unlink(name, dir_fd=dir_fd)
        raise DestinationError(f"nothing can be written to {text}: {error.strerror}") from error
    finally:
        os.close(dir_fd)


def _open_folder(root: bytes) -> int:
    try:
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise DestinationError(f"{text_of(root)} cannot be opened: {error.strerror}") from error


def _keeps_owner(fd: int) -> bool:
    try:
        os.fchown(fd, _STRANGER, _STRANGER)
    except OSError:
        return False
    found = os.fstat(fd)
    return (found.st_uid, found.st_gid) == (_STRANGER, _STRANGER)  # a squashing server may say yes and not do it


def _keeps_xattrs(fd: int) -> bool:
    try:
        os.setxattr(fd, b"user.xsync", b"1")
        return os.getxattr(fd, b"user.xsync") == b"1"
    except OSError:
        return False


def _folds(dir_fd: int) -> bool | None:
    try:
        return folds_names(dir_fd)
    except OSError:
        return None
