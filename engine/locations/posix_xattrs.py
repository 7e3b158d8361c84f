"""Extended attributes of files, folders and links, POSIX ACLs among them: which are copied, reading, setting."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from engine.locations.extras import Xattrs

ACLS = (b"system.posix_acl_access", b"system.posix_acl_default")

_COPIED = ("user.", "trusted.", "security.", "system.posix_acl_access", "system.posix_acl_default")
_LEFT_ALONE = ("security.selinux", "trusted.overlay.")
"""Labels are made by the host's own policy; overlayfs keeps its books in the others."""

_NONE = (errno.EOPNOTSUPP, errno.ENODATA)
_REFUSED = (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSPC, errno.E2BIG, errno.ERANGE)
"""What a file system answers that does not take an attribute, or not from this account, or not so large."""

_IS_LINUX = hasattr(os, "listxattr")


def keeps_xattrs(folder: bytes) -> bool:
    """Whether the file system of ``folder`` knows any extended attributes. To be asked once: it costs calls."""
    return _IS_LINUX and any(_answers(folder, name) for name in ("user.xsync", "security.capability", *_COPIED[3:]))


def read_xattrs(target: int | bytes) -> Xattrs:
    """Those of an open file or folder, or of what is at a path itself, links not followed. Raises OSError.

    What this account may not see is not there.
    """
    names = _list(target)
    return tuple(_read(target, names)) if names else ()


def set_xattrs(target: int | bytes, xattrs: Xattrs, *, with_acls: bool) -> Xattrs:
    """Give a target exactly ``xattrs``, the ACLs last; returns what could not be set. Raises OSError.

    Others are removed, such as ACLs that a new file inherits from its folder; not ACLs without ``with_acls``.
    """
    wanted = {os.fsdecode(name): value for name, value in xattrs if with_acls or name not in ACLS}
    for name in _list(target):
        if name not in wanted and (with_acls or not name.startswith("system.")):
            _remove(target, name)
    return _set(target, sorted(wanted.items(), key=lambda pair: pair[0].startswith("system."))) if wanted else ()


def beneath(fd: int, name: bytes) -> bytes:
    """A path to ``name`` in the open folder ``fd``: there are no calls for attributes relative to one."""
    return b"/proc/self/fd/%d/%b" % (fd, name)


def _answers(folder: bytes, name: str) -> bool:
    try:
        os.getxattr(folder, name)
    except OSError as error:
        return error.errno != errno.EOPNOTSUPP
    return True


def _list(target: int | bytes) -> list[str]:
    try:
        names = os.listxattr(target) if isinstance(target, int) else os.listxattr(target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NONE:
            return []
        raise
    return [name for name in names if name.startswith(_COPIED) and not name.startswith(_LEFT_ALONE)] if names else []


def _read(target: int | bytes, names: Iterable[str]) -> Iterable[tuple[bytes, bytes]]:
    for name in sorted(names):
        try:
            value = os.getxattr(target, name, follow_symlinks=isinstance(target, int))
        except OSError as error:
            if error.errno not in (*_NONE, errno.EPERM, errno.EACCES):
                raise
            continue
        yield os.fsencode(name), value


def _set(target: int | bytes, wanted: Iterable[tuple[str, bytes]]) -> Xattrs:
    missed = []
    for name, value in wanted:
        try:
            os.setxattr(target, name, value, follow_symlinks=isinstance(target, int))
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            missed.append((os.fsencode(name), value))
    return tuple(missed)


def _remove(target: int | bytes, name: str) -> None:
    try:
        os.removexattr(target, name, follow_symlinks=isinstance(target, int))
    except OSError as error:
        if error.errno not in (*_NONE, *_REFUSED):
            raise
