"""Sends parts of one large file: each is read and sent in steps, and counts only if the file stayed what it was."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast
from urllib.parse import quote

import pyarrow as pa

from engine.errors import DestinationError, LocationError, UploadGoneError
from engine.locations.base import CopiesObjects, HasExtras, OpenFile, PartResult, Reads, RequestError
from engine.locations.etags import new_hash
from engine.locations.posix import PosixLocation
from engine.names import key_of
from engine.transfer import retry
from engine.transfer.buffers import BODY_STEP
from engine.transfer.copying import reason_for
from engine.transfer.crt import Header, checksum_value, crc64nvme
from engine.transfer.proof import DAMAGED
from engine.transfer.readback import checksum_of
from engine.transfer.reading import fault_of, reason_of
from engine.transfer.retry import Fault, Kind, SendError
from engine.transfer.shared import Shared
from engine.transfer.spent import Spent
from engine.transfer.target import quoted
from engine.transfer.units import PART_SCHEMA, PartsUnit, UnitOutcome, to_ipc
from engine.transfer.writing import STEP, InterruptedCopyError, WriteError, copy_range, write_reason_of


class _ChangedError(Exception):
    """The file is no longer what it was when its upload began, or the upload is gone."""


class _PartError(Exception):
    """A part cannot be sent."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)


class Parts:
    """One PartsUnit under way. ``on_outcome`` is called once, by a thread of the crew."""

    def __init__(self, shared: Shared, unit: PartsUnit, on_outcome: Callable[[UnitOutcome], None]) -> None:
        self._shared = shared
        self._unit = unit
        self._on_outcome = on_outcome
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._left = unit.last_part - unit.first_part + 1
        self._done: list[PartResult] = []
        self._changed = False
        self._error = ""
        self._fatal = ""

    def begin(self) -> None:
        """Let the crew send the parts."""
        for number in range(self._unit.first_part, self._unit.last_part + 1):
            self._shared.crew.submit(partial(self._run, number))

    def allowed(self) -> bool:
        """Whether parts may still be sent and would be of use."""
        return not (self._changed or self._error or self._fatal) and self._shared.control.allows(self._unit.epoch)

    def _run(self, number: int) -> None:
        """Send one part. Never raises; the last one hands over the outcome."""
        try:
            self._try(number)
        except (_ChangedError, FileNotFoundError, UploadGoneError):
            self._changed = True
        except InterruptedCopyError:
            pass
        except _PartError as error:
            self._error = self._error or str(error)
        except OSError as error:
            self._error = self._error or ": ".join(reason_of(error))
        except LocationError as error:
            self._fatal = str(error)
        except WriteError as error:
            self._error = self._error or ": ".join(write_reason_of(error.error))
        except Exception as error:
            self._error = self._error or f"unexpected error: {type(error).__name__}: {error}"
        with self._lock:
            self._left -= 1
            last = not self._left
        if last:
            self._on_outcome(self._outcome())

    def _outcome(self) -> UnitOutcome:
        unit = self._unit
        parts = [part._asdict() for part in sorted(self._done)]
        return UnitOutcome(
            unit.id,
            unit.epoch,
            to_ipc(pa.Table.from_pylist(parts, schema=PART_SCHEMA)),
            source_changed=self._changed,
            error=self._error,
            fatal=self._fatal,
            seconds=time.monotonic() - self._began,
        )

    def _try(self, number: int) -> None:
        """Send one part, again and again while that can help."""
        shared = self._shared
        attempt, began = 0, shared.control.clock()
        while self.allowed():
            fault = self._attempt(number)
            if fault is None:
                return
            attempt += 1
            delay = self._judge(fault, attempt, shared.control.clock() - began)
            shared.pause(delay, self.allowed)

    def _judge(self, fault: Fault, attempt: int, elapsed: float) -> float:
        """Seconds to wait before the next attempt; raises if there is to be none."""
        shared = self._shared
        if fault.kind is Kind.THROTTLED:
            shared.gate.slowed()
        if fault.code == "NoSuchUpload":
            raise _ChangedError
        if attempt == 1 and shared.renews(fault):
            return 0.0
        of_all = retry.concerns_all(fault.kind, attempt, succeeded=shared.succeeded)
        delay = retry.delay(attempt, elapsed, shared.config.retry_seconds, random.random())
        if of_all or (delay is None and fault.kind is Kind.UNREACHABLE):
            self._fatal = str(fault)
            raise InterruptedCopyError
        if delay is None or not (of_all is None or retry.retryable(fault.kind)):
            raise _PartError(reason_for(fault), str(fault))
        return delay

    def _attempt(self, number: int) -> Fault | None:
        """Send one part once; why it failed, or None when it is done."""
        if not self._shared.gate.enter(self.allowed):
            return None
        counted = _Counted(self._shared, self.allowed)
        part = None
        self._shared.active[id(counted)] = self._unit.path
        try:
            part = self._send(number, counted)
        except SendError as error:
            return error.fault
        except OSError as error:
            fault = fault_of(error)
            if fault is None:
                raise
            return fault
        finally:
            self._shared.gate.leave()
            self._shared.active.pop(id(counted))
            if part is None:
                counted.rewind()
        self._shared.gate.succeeded()
        self._shared.succeeded = True
        with self._lock:
            self._done.append(part)
        return None

    def _send(self, number: int, counted: _Counted) -> PartResult:
        unit = self._unit
        start = (number - 1) * unit.part_size
        end = min(start + unit.part_size, unit.identity.size)
        if self._shared.copies_itself and (copied := self._have_copied(number, start, end, counted)) is not None:
            return copied
        file = cast("Reads", self._shared.source).open_file(unit.path, start, end)
        step = self._shared.buffers.take(BODY_STEP)
        try:
            if file.identity != unit.identity:
                raise _ChangedError
            to_files = self._shared.destination.capabilities.transport == "files"
            send = self._write if to_files else self._upload
            checksum, etag = send(file, number, start, end, memoryview(step), counted)
            if file.confirm() != unit.identity:
                raise _ChangedError
            return PartResult(number, end - start, checksum, etag)
        finally:
            self._shared.buffers.give(step)
            file.close()

    def _have_copied(self, number: int, start: int, end: int, counted: _Counted) -> PartResult | None:
        """Let the server copy a part; None if it does not say what it copied, so that this can be checked."""
        unit, shared = self._unit, self._shared
        file = cast("Reads", shared.source).open_file(unit.path, 0, 0)
        file.close()
        if file.identity != unit.identity or file.kept is None:
            raise _ChangedError
        headers = {
            "x-amz-copy-source-range": f"bytes={start}-{end - 1}",
            "x-amz-copy-source-if-match": f'"{file.kept.etag}"',
        }
        path, _, query = self._address(number).partition("?")
        try:
            done = cast("CopiesObjects", shared.destination).duplicate(shared.source, unit.path, path, headers, query)
        except RequestError as error:
            if error.status == 412:
                raise _ChangedError from error
            raise
        if done.checksum is None:
            return None
        counted.add(end - start)
        return PartResult(number, end - start, done.checksum, done.etag)

    def _upload(
        self, file: OpenFile, number: int, start: int, end: int, step: memoryview, counted: _Counted
    ) -> tuple[int, str]:
        """UploadPart; the server's checksum of the part, where it tells one, must equal ours."""
        began = self._shared.control.clock()
        body = _Body(file, start, end, step, counted, hashed=self._shared.config.server_checks == "md5")
        headers: list[Header] = [("content-length", str(end - start))]
        try:
            answer = self._shared.sender.put(self._address(number), headers, body.steps())
        except _ReadError as error:
            raise error.error from None
        finally:
            self._spend(began, body.seconds, counted)
        stored = answer.headers.get("x-amz-checksum-crc64nvme")
        etag = answer.headers.get("etag", "").strip('"')
        if (stored is not None and checksum_value(stored) != body.checksum) or body.etag not in (None, etag):
            raise SendError(DAMAGED)
        return body.checksum, etag

    def _spend(self, began: float, reading: float, counted: _Counted) -> None:
        """Of the time since ``began``, what was neither reading nor waiting for the limit was the destination's."""
        self._shared.spent.source(reading)
        self._shared.spent.destination(self._shared.control.clock() - began - reading - counted.limited)

    def _address(self, number: int) -> str:
        unit = self._unit
        key = quoted(key_of(unit.path, self._shared.config.options.invalid_names))
        upload = quote(unit.upload_id, safe="~")
        return f"{self._shared.target.base}{key}?partNumber={number}&uploadId={upload}"

    def _write(
        self, file: OpenFile, number: int, start: int, end: int, step: memoryview, counted: _Counted
    ) -> tuple[int, str]:
        """Write the part to its place in the temporary file and, if asked for, read it back from the device."""
        unit = self._unit
        try:
            fd = cast("PosixLocation", self._shared.destination).open_temporary(unit.path, unit.upload_id)
        except UploadGoneError:
            raise
        except DestinationError as error:
            raise _PartError("not written", str(error)) from error
        spent, began = self._shared.spent, self._shared.control.clock()
        try:
            pieces = partial(_written, counted, spent)
            try:
                copied = copy_range(file, fd, start, end, step[:STEP], counted.add, pieces, self._lengths(file))
            finally:
                spent.source(self._shared.control.clock() - began - counted.limited)
            if copied.size != end - start:
                raise _ChangedError
            self._settle(fd, start, end, step, copied.checksum)
            return copied.checksum, ""
        finally:
            os.close(fd)

    def _lengths(self, file: OpenFile) -> Sequence[int]:
        """Where the file had holes, if the source keeps it in words."""
        source = self._shared.source
        return source.extras(self._unit.path, file).lengths if isinstance(source, HasExtras) and file.kept else ()

    def _settle(self, fd: int, start: int, end: int, step: memoryview, checksum: int) -> None:
        """Have the part on the device, whatever is verified: a resume after a crash of this host takes it for sent."""
        try:
            os.fdatasync(fd)
            if self._shared.config.options.verify_mode == "NONE":
                return
            stored = checksum_of(fd, start, end, step)
        except OSError as error:
            raise WriteError(error) from error
        if stored != checksum:
            raise _PartError("checksum mismatch", "the destination holds something else than was written")


class _Counted:
    """Progress of one attempt, taken back if it fails. ``limited``: seconds that it waited for the bandwidth limit."""

    def __init__(self, shared: Shared, allowed: Callable[[], bool]) -> None:
        self._shared = shared
        self._allowed = allowed
        self._bytes = 0
        self.limited = 0.0

    def add(self, size: int) -> None:
        """Count ``size`` bytes; raises InterruptedCopyError once the unit has to stop."""
        self._bytes += size
        self._shared.count(0, size)
        if not self._allowed():
            raise InterruptedCopyError

    def pieces(self, content: memoryview) -> Iterator[memoryview]:
        """``content`` in pieces, each when the bandwidth limit lets it go on. Raises InterruptedCopyError."""
        clock = self._shared.control.clock
        began = clock()
        for piece in self._shared.throttle.pieces(content, self._allowed):
            self.limited += clock() - began
            yield piece
            began = clock()

    def rewind(self) -> None:
        """Take back what was counted."""
        self._shared.count(0, -self._bytes)


def _written(counted: _Counted, spent: Spent, content: memoryview) -> Iterator[memoryview]:
    return spent.writes(counted.pieces(content))


class _ReadError(Exception):
    """The source failed while its bytes were sent; a plain OSError would pass for one of the connection."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class _Body:
    """Bytes ``start``..``end`` of a file, a step at a time through one buffer, and their CRC64NVME in the end.

    ``seconds``: what it took to read them. With ``hashed``: also the ETag that they make.
    """

    def __init__(
        self, file: OpenFile, start: int, end: int, step: memoryview, counted: _Counted, *, hashed: bool
    ) -> None:
        self._file = file
        self._start = start
        self._end = end
        self._step = step
        self._counted = counted
        self.checksum = 0
        self.seconds = 0.0
        self._hash = new_hash() if hashed else None

    @property
    def etag(self) -> str | None:
        """What the server must call the part; None if it was not hashed."""
        return self._hash.hexdigest() if self._hash is not None else None

    def steps(self) -> Iterator[memoryview]:
        """The content; each step is valid until the next is asked for."""
        offset = self._start
        while offset < self._end:
            part = self._step[: min(len(self._step), self._end - offset)]
            began = time.monotonic()
            try:
                size = self._file.read_into(part, offset)
            except OSError as error:
                raise _ReadError(error) from error
            self.seconds += time.monotonic() - began
            if size != len(part):
                raise _ChangedError
            self.checksum = crc64nvme(part, self.checksum)
            if self._hash is not None:
                self._hash.update(part)
            for piece in self._counted.pieces(part):
                yield piece
                self._counted.add(len(piece))
            offset += size
