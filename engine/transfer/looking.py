"""Finds out whether an entry has to be sent at all: by a look at the destination, by its content, by its age."""

from __future__ import annotations

import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, cast

from engine.locations.base import OpenFile, Reads
from engine.locations.extras import Extras
from engine.locations.metadata import FileAttributes, parse_metadata
from engine.model import ADOPTED, HELD_BACK, SAME_CONTENT, TIME_UNITS_NS, Kind, Look
from engine.transfer.crt import crc64nvme
from engine.transfer.reading import attributes_of
from engine.transfer.rows import Found, Rows
from engine.transfer.shared import Shared
from engine.transfer.units import IN_PARTS

METADATA = "metadata"
"""Reason of a TRANSFERRED row that had its metadata set, and no byte sent."""

NEWER = "newer at the destination"
AGE_UNKNOWN = "age unknown at the destination"
"""Reasons of SKIPPED rows with overwrite_mode NEWER."""

STEP = 1 << 20

_IDENTITY = 5
"""Fields of Found that are the identity of a file."""

MILLISECOND_NS = 10**6
"""Some tools keep times in milliseconds in metadata."""


class Seen(NamedTuple):
    """What the destination holds. ``told``: of the file that it stands for, None where nothing says."""

    size: int
    told: FileAttributes
    is_link: bool
    etag: str = ""
    checksum: int | None = None


class Updated(NamedTuple):
    """What became of a metadata update: ``done``, ``held_back`` with a reason, or neither: send the entry."""

    done: bool
    etag: str = ""
    held_back: str = ""


class Content(NamedTuple):
    """An open source file that was read to its end, and has not changed meanwhile, or is known by its time."""

    file: OpenFile
    found: Found
    atime_ns: int
    checksum: int | None


class ExtrasOf(Protocol):
    """What the source knows of a row beyond DataSync's keys."""

    def __call__(self, row: int, file: OpenFile | None = None) -> Extras:
        """See base.HasExtras."""


class Looking(ABC):
    """The looks that the rows of a unit ask for. For any thread; a row is in the hands of one at a time."""

    def __init__(
        self, shared: Shared, rows: Rows, small: int, allowed: Callable[[], bool], extras_of: ExtrasOf
    ) -> None:
        self._allowed = allowed
        self._extras_of = extras_of
        self._shared = shared
        self._rows = rows
        self._source = cast("Reads", shared.source)
        self._small = small
        self._looks = rows.hints("look")
        self._minds_age = shared.config.options.overwrite_mode == "NEWER"
        self._aged: set[int] = set()

    def wanted(self, row: int) -> bool:
        """Whether ``row`` must be looked at before it is copied."""
        return bool(self._looks[row]) or (self._minds_age and row not in self._aged)

    def settle(self, row: int) -> bool:
        """Look; whether that has resolved the row. If not, it is to be sent, and ``wanted`` no more. Raises OSError."""
        look = Look(self._looks[row] or 0)
        settled = bool(look) and self._settled(row, look)
        if not settled and self._minds_age:
            settled = self._too_old(row)
        if not settled and look and (self._rows.listed("size")[row] or 0) > self._small:
            self._rows.released(row, IN_PARTS)
            settled = True
        self._looks[row] = 0
        self._aged.add(row)
        return settled

    @abstractmethod
    def see(self, row: int) -> Seen | None:
        """What the destination holds at ``row``, or None. Raises OSError."""

    @abstractmethod
    def update(self, row: int, content: Content, etag: str) -> Updated:
        """Give what the destination holds the metadata of ``content``, if it is what is known. Raises OSError."""

    def _settled(self, row: int, look: Look) -> bool:
        if look is Look.ADOPT:
            return self._adopt(row)
        content = self._content(row)
        if content is None:
            return False
        known, etag = self._rows.hints("known_checksum")[row], self._rows.hints("known_etag")[row] or ""
        try:
            if content.checksum != known:
                return False
            if look is Look.COMPARE and self._is_as_listed(row, content.found):
                # Nobody has looked at the destination: what was recorded of it is no verification.
                self._skip(row, SAME_CONTENT, content.found, known, etag, None)
                return True
            return self._updated(row, content, etag, "stored-checksum")
        finally:
            content.file.close()

    def _is_as_listed(self, row: int, found: Found) -> bool:
        """Whether a file still is what was compared with the facts: else the destination has not its metadata."""
        return found[:_IDENTITY] == self._rows.found_in_listing(row)[:_IDENTITY]

    def _updated(self, row: int, content: Content, etag: str, verified: str | None) -> bool:
        """Give what the destination holds the metadata of ``content``; False if the row has to be sent."""
        if self._shared.config.options.overwrite_mode == "NEVER":
            return False
        updated = self.update(row, content, etag)
        if updated.held_back:
            self._skip(row, HELD_BACK, content.found, content.checksum, etag, None, updated.held_back)
        elif updated.done:
            self._rows.found[row] = content.found
            self._rows.transferred(row, 0, content.checksum, updated.etag or etag, verified, reason=METADATA)
        return updated.done or bool(updated.held_back)

    def _content(self, row: int) -> Content | None:
        """What is at the source; what comes out of a bucket passes the bandwidth limit as what is sent does."""
        path = self._rows.path(row)
        if self._shared.source.capabilities.transport == "files":
            return read_content(self._source, path, self._allowed)
        return read_content(
            self._source, path, self._allowed, lambda size: self._shared.throttle.take(size, self._allowed)
        )

    def _adopt(self, row: int) -> bool:
        """Take what nothing is known about for the row's copy, if its content or its time says so.

        Where it tells of other attributes than the source has, it is given those.
        """
        seen = self.see(row)
        listed = self._rows.found_in_listing(row)
        if seen is None or (self._rows.is_file(row) and (seen.size != listed.size or seen.is_link)):
            return False
        is_file = self._rows.kinds[row] == Kind.FILE
        if self._shared.config.options.checksum and is_file:
            return self._adopt_content(row, seen)
        here = self._attributes_at_source(row)
        if here is None or here.mtime_ns is None or not self._same_time(seen.told.mtime_ns, here.mtime_ns):
            return False
        if self._tells_of(seen.told, here):
            self._skip(row, ADOPTED, listed, seen.checksum, seen.etag, None)
            return True
        if not is_file:
            return False
        file = self._source.open_file(self._rows.path(row), 0, 0)
        content = Content(file, *attributes_of(file), seen.checksum)
        try:
            return self._is_as_listed(row, content.found) and self._updated(row, content, seen.etag, None)
        finally:
            file.close()

    def _adopt_content(self, row: int, seen: Seen) -> bool:
        content = None if seen.checksum is None else self._content(row)
        if content is None:
            return False
        try:
            if content.checksum != seen.checksum:
                return False
            if not self._tells_of(seen.told, _attributes(content.file)):
                return self._updated(row, content, seen.etag, "stored-checksum")
        finally:
            content.file.close()
        self._skip(row, ADOPTED, content.found, seen.checksum, seen.etag, "stored-checksum")
        return True

    def _tells_of(self, there: FileAttributes, here: FileAttributes) -> bool:
        """Whether those attributes that are kept, and that both sides tell, are the same."""
        options = self._shared.config.options
        kept = (
            options.posix_permissions == "PRESERVE" and (there.mode, here.mode),
            options.uid == "INT_VALUE" and (there.uid, here.uid),
            options.gid == "INT_VALUE" and (there.gid, here.gid),
        )
        same = all(None in pair or pair[0] == pair[1] for pair in kept if pair)
        times = there.mtime_ns, here.mtime_ns
        return same and (options.mtime != "PRESERVE" or None in times or self._same_time(*times))

    def _same_time(self, there_ns: int | None, here_ns: int | None) -> bool:
        units = (MILLISECOND_NS,) if self._shared.destination.capabilities.transport == "objects" else TIME_UNITS_NS
        return here_ns is not None and _same_time(there_ns, here_ns, units)

    def _too_old(self, row: int) -> bool:
        """Skip the row if what the destination holds is newer, or of an unknown age."""
        if not self._rows.is_file(row):
            return False
        seen = self.see(row)
        here = self._attributes_at_source(row) if seen is not None else None
        if seen is None or here is None or here.mtime_ns is None:
            return False
        reason = too_old(seen.told.mtime_ns, here.mtime_ns)
        if reason:
            self._rows.skipped(row, reason)
        return bool(reason)

    def _attributes_at_source(self, row: int) -> FileAttributes | None:
        """Those of the file that the row is about; an object's listing does not say them."""
        if self._shared.source.capabilities.transport == "files":
            listed = self._rows.found_in_listing(row)
            return FileAttributes(stat.S_IMODE(listed.mode), None, listed.uid, listed.gid, listed.mtime_ns)
        if not self._rows.is_file(row):
            return None
        file = self._source.open_file(self._rows.path(row), 0, 0)
        file.close()
        return _attributes(file)

    def _skip(
        self,
        row: int,
        reason: str,
        found: Found,
        checksum: int | None,
        etag: str,
        verified: str | None,
        detail: str = "",
    ) -> None:
        self._rows.found[row] = found
        self._rows.skipped(row, reason, checksum, etag, verified, detail)


def _attributes(file: OpenFile) -> FileAttributes:
    """What a source tells of a file: of an object what its metadata says, and its own time if that says none."""
    mode, uid, gid, _, mtime_ns = file.attributes
    if file.kept is not None:
        return parse_metadata(file.kept.metadata)._replace(mtime_ns=mtime_ns)
    return FileAttributes(stat.S_IMODE(mode), None, uid, gid, file.identity.mtime_ns if mtime_ns is None else mtime_ns)


def read_content(
    source: Reads, path: bytes, allowed: Callable[[], bool], take: Callable[[int], bool] = lambda _: True
) -> Content | None:
    """Read a whole file for its checksum, or take the one its store keeps; the caller closes it. Raises OSError.

    ``take(size)`` waits until bytes that were received are within the bandwidth limit. None if the file changed
    meanwhile, or either of the two ended.
    """
    file = source.open_file(path, 0, 0)
    if file.stored_checksum is not None:
        return Content(file, *attributes_of(file), file.stored_checksum)
    file.close()
    file = source.open_file(path)
    try:
        checksum, offset, size = 0, 0, file.identity.size
        step = memoryview(bytearray(min(STEP, size)))
        while offset < size and allowed() and (count := file.read_into(step[: min(STEP, size - offset)], offset)):
            if not take(count):
                break
            checksum = crc64nvme(step[:count], checksum)
            offset += count
        if offset == size and file.confirm() == file.identity:
            return Content(file, *attributes_of(file), checksum)
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def too_old(there_ns: int | None, mtime_ns: int) -> str:
    """Why an entry of ``mtime_ns`` does not replace, with overwrite_mode NEWER, what is there; "" if it does."""
    if there_ns is None:
        return AGE_UNKNOWN
    return NEWER if there_ns > mtime_ns else ""


def _same_time(stored_ns: int | None, mtime_ns: int, units_ns: Iterable[int]) -> bool:
    """Whether a stored time is ``mtime_ns``, cut short to one of ``units_ns`` that it is a multiple of."""
    if stored_ns is None:
        return False
    return any(stored_ns % unit == 0 and 0 <= mtime_ns - stored_ns < unit for unit in (1, *units_ns))
