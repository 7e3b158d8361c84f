"""Reads a whole small file into a pooled buffer and says whether it stayed the same meanwhile."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import NamedTuple, Protocol

from engine.locations.base import OpenFile, Reads
from engine.transfer.buffers import Buffers
from engine.transfer.crt import crc64nvme
from engine.transfer.rows import Found


class Watch(Protocol):
    """Is told when a read begins, which may hang, and when it is over."""

    def reading(self) -> None:
        """A read begins."""

    def waiting(self) -> None:
        """It is over."""


class Reading(NamedTuple):
    """A file's content and what it was at that time. ``ticket`` bytes of memory are taken until it is sent."""

    buffer: bytearray
    content: memoryview
    ticket: int
    found: Found
    atime_ns: int
    checksum: int
    stable: bool


class TooLargeError(Exception):
    """The file has grown beyond what is read whole."""


def reason_of(error: OSError) -> tuple[str, str]:
    """Short reason and detail of a failed read."""
    replaced = error.errno in (errno.ELOOP, errno.EINVAL)  # by a link, by something else that is no file
    return "changed while read" if replaced else "unreadable", error.strerror or str(error)


def attributes_of(file: OpenFile) -> tuple[Found, int]:
    """Identity and attributes of an open file, and its access time (ns)."""
    identity, attributes = file.identity, file.attributes
    found = Found(
        identity.size,
        identity.mtime_ns,
        identity.ctime_ns,
        identity.device,
        identity.inode,
        attributes.mode,
        attributes.uid,
        attributes.gid,
    )
    return found, attributes.atime_ns


def read_whole(
    source: Reads,
    path: bytes,
    buffers: Buffers,
    limit: int,
    ticket_of: Callable[[int], int],
    watch: Watch,
    allowed: Callable[[], bool],
) -> Reading | None:
    """Read the file at ``path``; None if ``allowed()`` ended while it waited for memory.

    ``ticket_of(size)`` says how much memory a body takes until it is sent. Raises OSError, and TooLargeError over
    ``limit``.
    """
    watch.reading()
    file = source.open_file(path)
    try:
        size = file.identity.size
        if size > limit:
            raise TooLargeError
        watch.waiting()
        ticket = ticket_of(size)
        if not buffers.reserve(ticket, allowed):
            return None
        watch.reading()
        buffer = buffers.take(size)
        try:
            content = memoryview(buffer)[:size]
            stable = file.read_into(content, 0) == size and file.confirm() == file.identity
        except BaseException:
            buffers.give(buffer)
            buffers.release(ticket)
            raise
        found, atime_ns = attributes_of(file)
        return Reading(buffer, content, ticket, found, atime_ns, crc64nvme(content), stable)
    finally:
        file.close()
        watch.waiting()
