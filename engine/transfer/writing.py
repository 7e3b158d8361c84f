"""Writes files under temporary names: content with its holes, then owner, mode and times."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast, runtime_checkable

from engine.locations.base import OpenFile
from engine.locations.extras import Xattrs
from engine.locations.metadata import FileAttributes
from engine.locations.posix_files import XATTRS, set_attributes
from engine.model import TransferOptions
from engine.transfer.crt import crc64nvme
from engine.transfer.holes import HoleMap
from engine.transfer.rows import Found

if TYPE_CHECKING:
    from engine.locations.posix import PosixLocation
    from engine.transfer.shared import Shared

STEP = 256 << 10
"""Bytes read and written at once: what a core's cache still holds when the checksum is made and when it is written."""

SEARCHED_BYTES = 1 << 20
"""Smaller files are not searched for holes unless there seem to be some."""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

_ZEROS = bytes(1 << 20)
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
    """An open file that knows which of its ranges hold data. ``is_sparse``: some seem not to."""

    is_sparse: bool

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


class _Writing:
    """A class, as a generator takes four times as long and a small file needs several."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Nothing has failed yet."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise WriteError(error) from error


_WRITING = _Writing()


def writing() -> _Writing:
    """For a ``with`` that turns every OSError into a WriteError."""
    return _WRITING


class Copied(NamedTuple):
    """``size`` bytes were copied; ``checksum`` is the CRC64NVME of all bytes, holes read as zeros."""

    size: int
    checksum: int


def whole(content: memoryview) -> Iterable[memoryview]:
    """A step that may be written at once."""
    return (content,)


def copy_range(
    file: OpenFile,
    fd: int,
    start: int,
    end: int,
    step: memoryview,
    go_on: Callable[[int], None],
    pieces: Callable[[memoryview], Iterable[memoryview]] = whole,
    lengths: Sequence[int] = (),
) -> Copied:
    """Copy bytes ``start``..``end`` of ``file`` to the same place in ``fd``, in steps, leaving its holes out.

    ``lengths`` (extras.Extras) say where a source that knows no holes had some; what is there and not zero is written
    all the same. ``pieces(step)`` hands out a step as it may be written. ``go_on(n)`` is called for every n bytes done.
    Both may raise. Shorter than asked if the file ends early. Raises OSError if the source fails, WriteError if the
    destination does.
    """
    checksum, offset, holes = 0, start, HoleMap(lengths)
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
            for piece in pieces(part[:size]):
                for content, place in holes.pieces(piece, offset):
                    write_at(fd, content, place)
                offset += len(piece)
                go_on(len(piece))
    return Copied(offset - start, checksum)


def zeros_checksum(checksum: int, size: int) -> int:
    """Continue a CRC64NVME with ``size`` zero bytes."""
    while size > 0:
        checksum = crc64nvme(memoryview(_ZEROS)[: min(size, len(_ZEROS))], checksum)
        size -= len(_ZEROS)
    return checksum


def is_dense(file: OpenFile, size: int) -> bool:
    """Whether ``size`` bytes of a file hold no holes, or too small ones to look for."""
    return size < SEARCHED_BYTES and not getattr(file, "is_sparse", False)


def _ranges(file: OpenFile, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Ranges with data in ``start``..``end``; the last one, maybe empty, ends at ``end``."""
    # asked first for what costs nothing: isinstance of a protocol takes as long as writing a small file
    if is_dense(file, end - start) or not isinstance(file, HasHoles):
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


def write_at(fd: int, content: memoryview, offset: int) -> None:
    """Write all of ``content``. Raises WriteError."""
    with writing():
        while content:
            written = os.pwrite(fd, content, offset)
            content, offset = content[written:], offset + written


class Attributing:
    """Gives files their owner, mode, xattrs and times, as far as the options ask and this account may.

    ``keeps_xattrs``: the destination knows extended attributes.
    """

    def __init__(self, options: TransferOptions, *, keeps_xattrs: bool) -> None:
        self.keeps_xattrs = keeps_xattrs
        self.mode_of_new = 0o600 if options.posix_permissions == "PRESERVE" else 0o666
        self._mode = options.posix_permissions == "PRESERVE"
        self._uid = options.uid == "INT_VALUE"
        self._gid = options.gid == "INT_VALUE"
        self._mtime = options.mtime == "PRESERVE"
        self._atime = options.atime == "BEST_EFFORT"

    def apply(
        self, target: int | bytes, found: Found, atime_ns: int, xattrs: Xattrs, dir_fd: int | None = None
    ) -> tuple[str, ...]:
        """For an open file or folder, or the symlink ``target`` in ``dir_fd``; returns what could not be kept."""
        attributes = FileAttributes(
            mode=stat.S_IMODE(found.mode) if self._mode else None,
            uid=found.uid if self._uid else None,
            gid=found.gid if self._gid else None,
            mtime_ns=found.mtime_ns if self._mtime else None,
            atime_ns=atime_ns if self._atime else None,
        )
        missed = set_attributes(target, attributes, xattrs if self.keeps_xattrs else None, dir_fd)
        return (*missed, XATTRS) if xattrs and not self.keeps_xattrs else missed


def attributing_of(shared: Shared) -> Attributing:
    """For the files and folders of a destination that has them."""
    destination = cast("PosixLocation", shared.destination)
    return Attributing(shared.config.options, keeps_xattrs=destination.keeps_xattrs)
