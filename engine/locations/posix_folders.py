"""Opens folders below a root name by name, so that no symlink and no ``..`` ever leads out of it; keeps some open."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal, TypeVar

from engine.locations.posix_twins import refuse_twin
from engine.names import is_safe_relative, text_of

MAX_OPEN_FOLDERS = 256
"""File descriptors that the cache of one location holds; the usual limit of a process is 1,024."""

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

MOVED = "its folder was moved away"
"""Why an entry fails whose folder at the destination is elsewhere by now."""

_LINK = b"/proc/self/fd/%d"

_OUTDATED = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
"""What a remembered folder answers once it was removed, replaced or mounted anew."""

_T = TypeVar("_T")


class Folder:
    """An open folder. ``fd`` serves as ``dir_fd`` for as long as this object is referred to, then it is closed."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


def opened_again(folder: Folder) -> Folder:
    """The same folder under a descriptor of its own. Raises OSError.

    The kernel tells every opening of a file once of writes that failed, for syncfs since it was opened (syncfs(2)).
    """
    return Folder(os.open(b".", FOLDER_FLAGS, dir_fd=folder.fd))


class Folders:
    """Open folders below ``root``, the most recently used ones remembered. For many threads.

    ``folds``: the file system takes different spellings for one name; a folder that is spelled otherwise than asked for
    is then refused with ENOTUNIQ.
    """

    def __init__(self, root: bytes) -> None:
        self.folds = False
        self._root = root
        self._lock = threading.Lock()
        self._open: OrderedDict[bytes, Folder] = OrderedDict()

    def open(self, path: bytes, *, create: bool = False) -> Folder:
        """The folder at ``path`` (b"" is the root), with its missing parents and itself made if ``create``.

        Folders that are made or, under ``create``, found without write permission and ours, are writable for us. Raises
        OSError: EINVAL for a path that would leave the root, ELOOP for a symlink in the way, ENOTDIR for a file.
        """
        with self._lock:
            found = self._open.get(path)
            if found is not None:
                self._open.move_to_end(path)
                return found
        if not is_safe_relative(path):
            raise OSError(errno.EINVAL, "the path would leave the location", path)
        folder = self._open_root() if not path else self._open_child(path, create)
        with self._lock:
            self._open[path] = folder
            while len(self._open) > MAX_OPEN_FOLDERS:
                self._open.popitem(last=False)
        return folder

    def within(self, path: bytes, act: Callable[[bytes, int], _T], *, create: bool = False) -> _T:
        """Return ``act(name, dir_fd)`` for the entry at ``path``; again if a remembered folder is outdated."""
        parent, _, name = path.rpartition(b"/")
        if not name or not is_safe_relative(name):
            raise OSError(errno.EINVAL, "the path would leave the location", path)
        with self._lock:
            remembered = self._open.get(parent)
            if remembered is not None:
                self._open.move_to_end(parent)
        folder = remembered or self.open(parent, create=create)
        try:
            return act(name, folder.fd)
        except OSError as error:
            if remembered is None or error.errno not in _OUTDATED:
                raise
        self.forget(parent)
        folder = self.open(parent, create=create)
        return act(name, folder.fd)

    def leads_to(self, path: bytes, fd: int) -> bool:
        """Whether ``path`` still is the open folder ``fd``; else it is forgotten.

        Who moves a folder away, or unmounts it, does not close it: what is written there is not where it belongs. The
        kernel tells without asking a file server. Where names fold it may spell them otherwise.
        """
        if self.folds or not path:
            return True
        try:
            here, root = os.readlink(_LINK % fd), os.readlink(_LINK % self.open(b"").fd)
        except OSError:
            return True  # no /proc, or a path that is too long for it
        if here == root.rstrip(b"/") + b"/" + path:
            return True
        self.forget(path)
        return False

    def forget(self, path: bytes) -> None:
        """No longer remember the folder at ``path`` and those above it."""
        with self._lock:
            while path:
                self._open.pop(path, None)
                path = path.rpartition(b"/")[0]
            self._open.pop(b"", None)

    def close(self) -> None:
        """Close all remembered folders that nobody uses."""
        with self._lock:
            self._open.clear()

    def _open_root(self) -> Folder:
        return Folder(os.open(self._root, FOLDER_FLAGS & ~os.O_NOFOLLOW))

    def _open_child(self, path: bytes, create: bool) -> Folder:
        parent_path, _, name = path.rpartition(b"/")
        parent = self.open(parent_path, create=create)
        try:
            folder = Folder(os.open(name, FOLDER_FLAGS, dir_fd=parent.fd))
        except FileNotFoundError:
            if not create:
                raise
            _make(name, parent.fd)
            folder = Folder(os.open(name, FOLDER_FLAGS, dir_fd=parent.fd))
        except NotADirectoryError as error:
            raise _in_the_way(path, name, parent.fd) from error
        if self.folds:
            refuse_twin(name, parent.fd)
        if create:
            _make_writable(folder.fd)
        return folder


def _make(name: bytes, dir_fd: int) -> None:
    try:
        os.mkdir(name, dir_fd=dir_fd)
    except FileExistsError:
        return  # another thread or agent was faster


def _make_writable(fd: int) -> None:
    found = os.fstat(fd)
    if found.st_uid == os.geteuid() and found.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        os.fchmod(fd, stat.S_IMODE(found.st_mode) | stat.S_IRWXU)


def _in_the_way(path: bytes, name: bytes, dir_fd: int) -> OSError:
    """What stands where the folder ``path`` should be."""
    code, what = _obstacle(name, dir_fd)
    return OSError(code, f"{what} is in the way at {text_of(path)}", path)


def _obstacle(name: bytes, dir_fd: int) -> tuple[int, Literal["a symlink", "a file"]]:
    try:
        mode = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return errno.ENOTDIR, "a file"
    return (errno.ELOOP, "a symlink") if stat.S_ISLNK(mode) else (errno.ENOTDIR, "a file")
