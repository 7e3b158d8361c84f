"""Reads a whole small file into a pooled buffer and says whether it stayed the same meanwhile."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import NamedTuple, Protocol

from engine.locations.base import Kept, OpenFile, Reads, RequestError
from engine.locations.extras import NOTHING, Extras
from engine.transfer.buffers import Buffer, Buffers
from engine.transfer.crt import crc64nvme
from engine.transfer.retry import Fault, Kind, classify
from engine.transfer.rows import Found

TRANSIENT = frozenset({errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EBUSY, errno.EHOSTDOWN, errno.EREMOTEIO})
"""What a file server answers while it is being restarted or moved."""


class Watch(Protocol):
    """Is told when a read begins, which may hang, and when it is over."""

    def reading(self) -> None:
        """A read begins."""

    def waiting(self) -> None:
        """It is over."""


class Reading(NamedTuple):
    """A file's content and what it was at that time. ``ticket`` bytes of memory are taken until it is sent."""

    buffer: Buffer
    content: memoryview
    ticket: int
    found: Found
    atime_ns: int
    checksum: int
    stable: bool
    kept: Kept | None = None
    extras: Extras = NOTHING


class TooLargeError(Exception):
    """The file has grown beyond what is read whole."""


def reason_of(error: OSError) -> tuple[str, str]:
    """Short reason and detail of a failed read."""
    replaced = error.errno in (errno.ELOOP, errno.EINVAL)  # by a link, by something else that is no file
    return "changed while read" if replaced else "unreadable", error.strerror or str(error)


def fault_of(error: OSError) -> Fault | None:
    """Why a read failed that may succeed later, or that a store refused; None for any other reason."""
    if isinstance(error, RequestError):
        return classify(error.code, error.status, error.detail)._replace(at_source=True)
    if error.errno in TRANSIENT:
        return Fault(Kind.TRANSIENT, *reason_of(error))
    return None


def proven_by_source(file: OpenFile, checksum: int, *, by_etag: bool = True) -> str | None:
    """How a file that was read whole is known to be what its source holds; None where that keeps nothing to tell by.

    ``checksum``: of what was read. Without ``by_etag`` ETags are not believed. Raises RequestError if it is something
    else.
    """
    if file.stored_checksum is None:
        return "etag" if by_etag and file.is_what_etag_says() else None
    if file.stored_checksum != checksum:
        raise RequestError("BadDigest", None, "what was received is not what the source's checksum says")
    return "stored-checksum"


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
        file.unsure,
    )
    return found, attributes.atime_ns


def as_file(file: OpenFile, found: Found) -> Found:
    """``found`` as a file of these attributes has it: the time of an object is not that of the file it stands for."""
    mtime_ns = file.attributes.mtime_ns
    return found if mtime_ns is None else found._replace(mtime_ns=mtime_ns)


def read_whole(
    source: Reads,
    path: bytes,
    buffers: Buffers,
    limit: int,
    ticket_of: Callable[[int], int],
    watch: Watch,
    allowed: Callable[[], bool],
    extras_of: Callable[[OpenFile], Extras] = lambda _: NOTHING,
    *,
    by_etag: bool = True,
) -> Reading | None:
    """Read the file at ``path``; None if ``allowed()`` ended while it waited for memory.

    ``ticket_of(size)`` says how much memory a body takes until it is sent. ``by_etag``: see proven_by_source. Raises
    OSError, and TooLargeError over ``limit``.
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
            extras = extras_of(file)
            stable = file.read_into(content, 0) == size and file.confirm() == file.identity
            checksum = crc64nvme(content)
            if stable:
                proven_by_source(file, checksum, by_etag=by_etag)
        except BaseException:
            buffers.give(buffer)
            buffers.release(ticket)
            raise
        found, atime_ns = attributes_of(file)
        return Reading(buffer, content, ticket, found, atime_ns, checksum, stable, file.kept, extras)
    finally:
        file.close()
        watch.waiting()
