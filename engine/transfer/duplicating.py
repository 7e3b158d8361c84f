"""Copies objects to an object store: by the server itself where it can, else through this agent. All is kept."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable
from typing import cast

from engine.locations.base import CopiesObjects, OpenFile, RequestError
from engine.locations.etags import PLAIN_ETAG
from engine.locations.extras import MAX_DECODED_BYTES
from engine.transfer.copying import FOLDER, SMALL_FILE
from engine.transfer.crt import Header, crc64nvme
from engine.transfer.objects import ObjectCopying
from engine.transfer.put import ticket_of
from engine.transfer.reading import Reading, TooLargeError, attributes_of, proven_by_source, read_whole
from engine.transfer.retry import SendError
from engine.transfer.rows import Found
from engine.transfer.shared import Shared
from engine.transfer.sides import put_side
from engine.transfer.units import CopyUnit, UnitOutcome


class Duplicating(ObjectCopying):
    """One CopyUnit between object stores. A folder is its marker, if it has one."""

    def __init__(self, shared: Shared, unit: CopyUnit, agent: str, on_outcome: Callable[[UnitOutcome], None]) -> None:
        super().__init__(shared, unit, agent, on_outcome)
        self._keeps_tags = shared.config.options.object_tags == "PRESERVE"
        self._store = cast("CopiesObjects", shared.source)
        self._side_lock = threading.Lock()
        self._brought: set[bytes] = set()

    def copy(self, row: int) -> None:
        """Copy the object of ``row``; the side objects of its folder come first, once a unit."""
        path = self.path(row)
        try:
            self._bring_sides(self.rows.dirs[row])
            if self.rows.kinds[row] != FOLDER:
                self.duplicate(row, path, self._place(row))
            elif path:
                self._copy_marker(row, path)
            else:
                self.rows.skipped(row, "no marker")  # what the root has is in a side object
        except SendError as error:
            self.failed(row, error.fault)

    def look_aside(self, row: int) -> None:
        """Look at what the destination holds; an object that is adopted may need a side object, too."""
        try:
            self._bring_sides(self.rows.dirs[row])
        except SendError as error:
            self.failed(row, error.fault)
        else:
            super().look_aside(row)

    def _copy_marker(self, row: int, path: bytes) -> None:
        """Send what a marker has; servers that keep no metadata of markers do not copy them either."""
        kept = self._store.marker(path) if self.rows.listed("etag")[row] else None
        if kept is None:
            self.rows.skipped(row, "no marker")
            return
        nothing = bytearray()
        found = self.rows.found_in_listing(row)
        self._send(
            row,
            self._place(row) + "/",
            Reading(nothing, memoryview(nothing), 0, found, 0, crc64nvme(nothing), True, kept=kept),
        )

    def _bring_sides(self, folder: bytes) -> None:
        """Copy the side objects of what is in ``folder``. Raises OSError, SendError."""
        with self._side_lock:
            if folder in self._brought:
                return
            for side in self._store.side_objects(folder):
                put_side(self.shared, side, self._read_side(side), self.allowed)
            self._brought.add(folder)

    def _read_side(self, path: bytes) -> bytes:
        file = self._store.open_file(path)
        try:
            buffer = memoryview(bytearray(min(file.identity.size, MAX_DECODED_BYTES)))
            content = bytes(buffer[: file.read_into(buffer, 0)])
            proven_by_source(file, crc64nvme(content))
            return content
        finally:
            file.close()

    def _headers(self, row: int, reading: Reading, proof: Header) -> list[Header]:
        kept = reading.kept
        assert kept is not None
        headers = [
            *self._fixed,
            ("content-length", str(len(reading.content))),
            proof,
            *kept.headers.items(),
            *[("x-amz-meta-" + key, value) for key, value in kept.metadata.items()],
        ]
        if kept.tags and self._keeps_tags:
            is_folder = self.rows.kinds[row] == FOLDER
            tags = self._store.tags(self.path(row) + b"/" if is_folder else self.path(row))
            headers.append(("x-amz-tagging", tags))
        return headers

    @abstractmethod
    def duplicate(self, row: int, path: bytes, place: str) -> None:
        """Copy the object at ``path`` to the quoted request path ``place``. Raises OSError."""


class Forwarding(Duplicating):
    """Objects that pass through this agent."""

    def duplicate(self, row: int, path: bytes, place: str) -> None:
        """Read an object and send it with all that it had."""
        shared = self.shared
        try:
            reading = read_whole(
                self.source,
                path,
                shared.buffers,
                SMALL_FILE,
                ticket_of,
                shared.readers,
                self.allowed,
                by_etag=shared.config.options.verify_mode != "NONE",
            )
        except TooLargeError:
            self.rows.failed(row, "changed while read", "it has become a large object since it was listed")
            return
        if reading is None:
            self.rows.released(row)
        else:
            self._send(row, place, reading)


class ServerCopying(Duplicating):
    """Objects that the server copies; not a byte comes by here."""

    def duplicate(self, row: int, path: bytes, place: str) -> None:
        """Have the version copied that was listed, or the one that has taken its place."""
        shared = self.shared
        etag = self.rows.listed("etag")[row]
        found = self.rows.found_in_listing(row)
        if not shared.gate.enter(self.allowed):
            self.rows.released(row)
            return
        try:
            shared.readers.reading()
            for _ in range(2):
                try:
                    self._have_copied(row, path, place, etag, found)
                    return
                except RequestError as error:
                    if error.status != 412:
                        raise
                now = self._look(path)
                if now.kept is None or now.kept.etag == etag:
                    self.rows.skipped(row, "exists")
                    return
                etag, found = now.kept.etag, attributes_of(now)[0]
            self.rows.failed(row, "changed while read", "it changed twice")
        finally:
            shared.readers.waiting()
            shared.gate.leave()

    def _have_copied(self, row: int, path: bytes, place: str, etag: str | None, found: Found) -> None:
        shared = self.shared
        headers = dict(self._fixed) | {"x-amz-checksum-algorithm": "CRC64NVME"}
        if etag:
            headers["x-amz-copy-source-if-match"] = f'"{etag}"'
        if not self._keeps_tags:
            headers |= {"x-amz-tagging-directive": "REPLACE"}
        done = cast("CopiesObjects", shared.destination).duplicate(shared.source, path, place, headers)
        shared.gate.succeeded()
        checksum, verified = done.checksum, None
        if etag and done.etag == etag and len(etag) == PLAIN_ETAG:
            verified = "etag"
        elif found.size and shared.config.options.verify_mode != "NONE":
            checksum, verified = self._compare(path, found.size)
        self.rows.found[row] = found
        shared.count(1, found.size)
        self.rows.transferred(row, found.size, checksum, done.etag, verified)

    def _compare(self, path: bytes, size: int) -> tuple[int | None, str]:
        """The checksum of a copy, and how the copy was compared with its source. Raises RequestError if it differs."""
        before = self._look(path)
        after = cast("CopiesObjects", self.shared.destination).open_file(path, 0, 0)
        after.close()
        one, other = before.stored_checksum, after.stored_checksum
        if after.identity.size != size or (one is not None and other is not None and one != other):
            raise RequestError("BadDigest", None, "the copy is not what its source is")
        return other, "size-only" if one is None or other is None else "stored-checksum"

    def _look(self, path: bytes) -> OpenFile:
        file = self.source.open_file(path, 0, 0)
        file.close()
        return file
