"""Copies small files, symlinks and folder markers to an object store: read, confirm, check the lease, PUT."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.locations.metadata import metadata_of
from engine.locations.s3_options import stored_as
from engine.names import BACKSLASH, BACKSLASH_DETAIL, NameError_, check_key, key_of
from engine.transfer.copying import FILE, FOLDER, SMALL_FILE, SYMLINK, Copying
from engine.transfer.crt import Header, crc64nvme
from engine.transfer.proof import proof_of
from engine.transfer.put import Put, ticket_of
from engine.transfer.reading import Reading, TooLargeError, read_whole
from engine.transfer.retry import SendError
from engine.transfer.shared import Shared
from engine.transfer.sides import with_extras
from engine.transfer.target import quoted
from engine.transfer.units import CopyUnit, UnitOutcome


class _Folder(NamedTuple):
    """What the keys of one folder share."""

    path: bytes
    quoted: str  # request path, ends in "/"
    room: int  # bytes left for a name in a key


class ObjectCopying(Copying):
    """One CopyUnit on its way to an object store."""

    def __init__(self, shared: Shared, unit: CopyUnit, agent: str, on_outcome: Callable[[UnitOutcome], None]) -> None:
        super().__init__(shared, unit, agent, on_outcome)
        self._folder: _Folder | None = None
        self._fixed = _fixed_headers(shared)

    def copy(self, row: int) -> None:
        """Read ``row`` and send it."""
        kind = self.rows.kinds[row]
        if kind == FILE:
            self._copy_file(row, self._place(row))
        elif kind == SYMLINK:
            self._copy_symlink(row, self._place(row))
        elif kind == FOLDER:
            self._copy_folder(row)
        else:
            self.rows.skipped(row, "special")

    def _copy_file(self, row: int, path: str) -> None:
        shared = self.shared
        for _ in range(2):
            try:
                reading = read_whole(
                    self.source,
                    self.path(row),
                    shared.buffers,
                    SMALL_FILE,
                    ticket_of,
                    shared.readers,
                    self.allowed,
                    lambda file: self.extras(row, file),
                )
            except TooLargeError:
                self.rows.failed(row, "changed while read", "it has become a large file since it was listed")
                return
            if reading is None:
                self.rows.released(row)
                return
            if reading.stable:
                self._send(row, path, reading)
                return
            self._drop(reading)
        self.rows.failed(row, "changed while read", "it changed twice")

    def _copy_symlink(self, row: int, path: str) -> None:
        self.shared.readers.reading()
        target = self.source.read_link(self.path(row))
        self.shared.readers.waiting()
        self._send(row, path, self._without_file(row, target))

    def _copy_folder(self, row: int) -> None:
        shared = self.shared
        if self.path(row):
            self._send(row, self._place(row) + "/", self._without_file(row, b""))
        elif not shared.config.marker_metadata:
            self._keep_root(row)
        elif shared.target.has_prefix:
            self._send(row, shared.target.base, self._without_file(row, b""))
        else:
            self.rows.skipped(row, "bucket root")

    def _keep_root(self, row: int) -> None:
        """What the root has goes aside where markers keep nothing."""
        reading = self._without_file(row, b"")
        try:
            self._metadata(row, reading, forgotten=True)
        except SendError as error:
            self.failed(row, error.fault)
            return
        self.rows.transferred(row, 0, None)

    def _without_file(self, row: int, content: bytes) -> Reading:
        """The body of what is no file, with its attributes as listed."""
        buffer = bytearray(content)
        found = self.rows.found_in_listing(row)
        atime_ns = self.rows.listed("atime_ns")[row] or 0
        extras = self.extras(row)
        return Reading(buffer, memoryview(buffer), 0, found, atime_ns, crc64nvme(buffer), True, extras=extras)

    def _drop(self, reading: Reading) -> None:
        if reading.ticket:
            self.shared.buffers.give(reading.buffer)
            self.shared.buffers.release(reading.ticket)

    def _place(self, row: int) -> str:
        """The quoted request path of a row; raises NameError_ if the destination cannot hold its key."""
        rows = self.rows
        if not self.shared.destination.capabilities.keeps_backslashes and b"\\" in self.path(row):
            raise NameError_(BACKSLASH, self.path(row), BACKSLASH_DETAIL)
        folder = self._folder
        if folder is None or folder.path != rows.dirs[row]:
            folder = self._folder_at(rows.dirs[row])
        name = key_of(rows.names[row], self.shared.config.options.invalid_names)
        problem = check_key(name, folder.room - (rows.kinds[row] == FOLDER))
        if problem:
            raise NameError_(problem, self.path(row))
        return folder.quoted + quoted(name)

    def _folder_at(self, path: bytes) -> _Folder:
        shared = self.shared
        key = key_of(path, shared.config.options.invalid_names)
        key = key + "/" if key else ""
        room = shared.destination.capabilities.max_key_bytes - len(key.encode())
        folder = self._folder = _Folder(path, shared.target.base + quoted(key), room)
        return folder

    def _send(self, row: int, path: str, reading: Reading) -> None:
        try:
            proof = proof_of(self.shared.config.server_checks, reading.content, reading.checksum)
            headers = self._headers(row, reading, proof.header)
        except SendError as error:
            self._drop(reading)
            self.failed(row, error.fault)
            return
        except BaseException:
            self._drop(reading)
            raise
        if not self.shared.gate.enter(self.allowed):
            self._drop(reading)
            self.rows.released(row)
            return
        self.rows.found[row] = reading.found
        put = Put(self, row, reading, self.shared, proof.etag)
        try:
            put.start(path, headers)
        except BaseException:
            put.abandon()
            raise

    def _headers(self, row: int, reading: Reading, proof: Header) -> list[Header]:
        forgotten = self.rows.kinds[row] == FOLDER and not self.shared.config.marker_metadata
        metadata = self._metadata(row, reading, forgotten=forgotten)
        return [
            *self._fixed,
            ("content-length", str(len(reading.content))),
            proof,
            *[("x-amz-meta-" + key, value) for key, value in metadata.items()],
        ]

    def _metadata(self, row: int, reading: Reading, *, forgotten: bool) -> dict[str, str]:
        """The metadata of an object, after what does not fit was sent. Raises SendError."""
        found, path = reading.found, self.path(row)
        metadata = metadata_of(
            self.rows.kinds[row],
            found.mode,
            found.uid,
            found.gid,
            found.mtime_ns,
            reading.atime_ns,
            self.shared.config.options,
            None if path.isascii() else path,
        )
        if not (reading.extras or forgotten):
            return metadata
        metadata, missed = with_extras(self.shared, path, metadata, reading.extras, self.allowed, forgotten=forgotten)
        self.not_kept.update(missed)
        return metadata


def _fixed_headers(shared: Shared) -> list[Header]:
    headers: list[Header] = [*stored_as(shared.config.destination).items()]
    if shared.config.options.overwrite_mode == "NEVER":
        headers.append(("if-none-match", "*"))
    return headers
