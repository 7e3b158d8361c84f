"""Makes a name of a file at the destination out of another one that is there already: a hard link."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from engine.locations.posix import PosixLocation
from engine.locations.posix_files import identity_of, temporary_name
from engine.locations.posix_folders import Folder
from engine.model import Identity
from engine.transfer.rows import Found
from engine.transfer.writing import WriteError

HARD_LINK = "hard link"
"""What files may have to go without that were one."""

_CANNOT = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV, errno.ENOSYS, errno.EACCES)
_TIME_STEPS_NS = (1, 100, 1_000, 1_000_000_000)
"""What file systems round times down to."""


class NoLink(Enum):
    """Why a name has to be copied. NOT_NOW: the other one is not at the destination as it should be."""

    CANNOT = "the destination cannot"
    NOT_NOW = "not now"
    NOT_SAME = "they are no longer one file"


class Link(NamedTuple):
    """A hard link under a temporary name; without one: the name is a link to the right file already."""

    temporary: bytes
    found: Found


def make_link(
    source: PosixLocation,
    destination: PosixLocation,
    leader: bytes,
    path: bytes,
    folder: Folder,
    *,
    timed: bool,
    read_ns: int,
) -> Link | NoLink:
    """Link ``leader`` at the destination into ``folder``, where ``path`` is to be.

    Only if both names at the source are one file, and the destination's leader has its size and its mtime. Without
    ``timed`` nothing there tells a leader of today from an older one. ``read_ns``: before the leader was read, in ns
    since the epoch: where that is unsure, so is this name, or it would stay what a leader that is sent again was.
    Raises OSError if the source cannot be looked at, WriteError.
    """
    ours, theirs = source.status(path), source.status(leader)
    device = os.stat(source.root).st_dev
    identity = identity_of(ours, device)
    if not stat.S_ISREG(ours.st_mode) or identity != identity_of(theirs, device):
        return NoLink.NOT_SAME
    try:
        there = destination.status(leader)
        if not timed or not _is_copy(there, theirs):
            return NoLink.NOT_NOW
        found = _found(identity, ours, unsure=identity.is_unsure(read_ns))
        if _is_linked(path.rpartition(b"/")[2], folder, there):
            return Link(b"", found)
        temporary = temporary_name()
        destination.folders.within(
            leader,
            lambda name, fd: os.link(name, temporary, src_dir_fd=fd, dst_dir_fd=folder.fd, follow_symlinks=False),
        )
    except (FileNotFoundError, NotADirectoryError):
        return NoLink.NOT_NOW
    except OSError as error:
        if error.errno in _CANNOT:
            return NoLink.CANNOT
        raise WriteError(error) from error
    return Link(temporary, found)


def _found(identity: Identity, status: os.stat_result, *, unsure: bool) -> Found:
    return Found(
        identity.size,
        identity.mtime_ns,
        identity.ctime_ns,
        identity.device,
        identity.inode,
        status.st_mode,
        status.st_uid,
        status.st_gid,
        unsure,
    )


def _is_copy(there: os.stat_result, here: os.stat_result) -> bool:
    rounded = {here.st_mtime_ns // step * step for step in _TIME_STEPS_NS}
    return stat.S_ISREG(there.st_mode) and there.st_size == here.st_size and there.st_mtime_ns in rounded


def _is_linked(name: bytes, folder: Folder, leader: os.stat_result) -> bool:
    with suppress(FileNotFoundError):
        found = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
        return (found.st_dev, found.st_ino) == (leader.st_dev, leader.st_ino)
    return False


def relink(destination: PosixLocation, path: bytes, leader: bytes) -> bool:
    """Make the restored file at ``path`` another name of ``leader``, if they look the same; False if that cannot be.

    Raises OSError.
    """
    ours, theirs = destination.status(path), destination.status(leader)
    if (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino):
        return True
    if not stat.S_ISREG(ours.st_mode) or _seen(ours) != _seen(theirs):
        return False
    temporary = temporary_name()

    def replace(name: bytes, dir_fd: int) -> None:
        destination.folders.within(
            leader, lambda first, fd: os.link(first, temporary, src_dir_fd=fd, dst_dir_fd=dir_fd, follow_symlinks=False)
        )
        os.rename(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)

    try:
        destination.folders.within(path, replace)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def _seen(found: os.stat_result) -> tuple[int, ...]:
    return found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns
