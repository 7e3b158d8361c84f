"""Looks at a source once more, past all that is remembered of it: is a path, in any spelling, really not there?"""

from __future__ import annotations

import errno
import os
import stat
from itertools import product
from types import TracebackType
from typing import Any, Self, cast

from engine.errors import LocationError
from engine.locations.base import Location
from engine.locations.posix_folders import FOLDER_FLAGS
from engine.model import Kind
from engine.names import NameError_, key_of, path_of

MOST_SPELLINGS = 64
"""Names that one key may stand for, before it is better left alone."""

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What a path answers that is not there, or whose parent is a file or link by now. Anything else tells nothing."""


class Look:
    """Looks at paths of ``source``; neighbouring ones are fastest. A context manager, for one thread."""

    def __init__(self, source: Location) -> None:
        self._source = cast("Any", source)
        self._is_files = source.capabilities.transport == "files"
        self._root: int = os.open(self._source.root, FOLDER_FLAGS & ~os.O_NOFOLLOW) if self._is_files else -1
        self._parent: bytes | None = None
        self._fd = -1

    def kind_at(self, path: bytes, *, folder: bool) -> Kind | None:
        """What is at ``path``, or None if nothing is; at an object store only what is of the same form.

        ``folder``: the form that is asked for. Raises OSError or LocationError if that cannot be told.
        """
        if not self._is_files:
            found = self._source.head(path + b"/" if folder else path)
            return None if found is None else (Kind.FOLDER if folder else Kind.FILE)
        parent, _, name = path.rpartition(b"/")
        if parent != self._parent:
            self._forget()
            self._fd = self._open(parent)
            self._parent = parent
        if self._fd < 0:
            return None
        try:
            mode = os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return None
        return Kind.FOLDER if stat.S_ISDIR(mode) else Kind.FILE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget()
        if self._root >= 0:
            os.close(self._root)

    def _open(self, path: bytes) -> int:
        """The folder at ``path``, opened name by name from the root; -1 if it is not there."""
        fd = os.open(b".", FOLDER_FLAGS, dir_fd=self._root)
        for name in path.split(b"/") if path else ():
            above = fd
            try:
                fd = os.open(name, FOLDER_FLAGS, dir_fd=above)
            except OSError as error:
                if error.errno not in _GONE:
                    raise
                return -1
            finally:
                os.close(above)
        return fd

    def _forget(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._parent = -1, None


def spellings(path: bytes) -> list[bytes]:
    """All paths whose key at an object store is that of ``path``. Raises LocationError if there are too many."""
    key = key_of(path)
    choices = [sorted({path_of(part), part.encode()}) for part in key.split("/")]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MOST_SPELLINGS:
        raise LocationError(f"{count:,} names could stand for this key")
    return [found for parts in product(*choices) if _key(found := b"/".join(parts)) == key]


def _key(path: bytes) -> str | None:
    try:
        return key_of(path)
    except NameError_:
        return None
