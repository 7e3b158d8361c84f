"""File systems that fold names (SMB shares, ext4 with casefold, APFS): which entry a name really leads to there."""

from __future__ import annotations

import errno
import os

from engine.locations.posix_files import temporary_name
from engine.names import text_of

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def folds_names(dir_fd: int) -> bool:
    """Whether another spelling (case, or the decomposed form of é) leads to the same file. Raises OSError.

    Finds out with a temporary file of its own, which it removes.
    """
    stem = temporary_name()
    for spelled, other in ((stem + b"-e", stem + b"-E"), (stem + "é".encode(), stem + "e\u0301".encode())):
        try:
            os.close(os.open(spelled, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=dir_fd))
        except OSError as error:
            if error.errno in (errno.EILSEQ, errno.EINVAL):
                continue  # it takes no such names
            raise
        try:
            if _exists(other, dir_fd):
                return True
        finally:
            os.unlink(spelled, dir_fd=dir_fd)
    return False


def refuse_twin(name: bytes, dir_fd: int) -> None:
    """Raise OSError (ENOTUNIQ) if ``name`` leads to an entry of ``dir_fd`` that is spelled otherwise."""
    try:
        found = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return
    twin = name
    listed = os.open(b".", _FLAGS, dir_fd=dir_fd)
    try:
        with os.scandir(listed) as entries:
            for entry in entries:
                spelled = os.fsencode(entry.name)
                if spelled == name:
                    return
                if entry.inode() == found.st_ino:
                    twin = spelled
    finally:
        os.close(listed)
    raise OSError(errno.ENOTUNIQ, f"the destination takes it for {text_of(twin)}, which is there")


def _exists(name: bytes, dir_fd: int) -> bool:
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except OSError:
        return False
    return True
