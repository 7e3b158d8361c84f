"""One PutObject in flight: the small bodies through the runtime, the large ones through a sender."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from engine.transfer.buffers import BODY_STEP, Buffer
from engine.transfer.crt import Body, Header, fault_of
from engine.transfer.proof import DAMAGED
from engine.transfer.reading import Reading
from engine.transfer.retry import Fault, Kind, SendError
from engine.transfer.rows import Rows
from engine.transfer.shared import Shared
from engine.transfer.writing import InterruptedCopyError

LARGE_BODY = 1 << 20
"""From this size on a body goes through a sender, which copies less but takes a thread for each."""

_SLOWEST_BYTES_PER_SECOND = 100_000
"""A request may take this much longer for its size before it counts as stalled."""

HEAD_BYTES = 750
"""What a request takes of the bandwidth besides its body: line, headers, metadata and signature, about."""

_STOPPED = Fault(Kind.CANCELLED, "stopped", "the unit has to stop")


def ticket_of(size: int) -> int:
    """Memory taken until a body of ``size`` bytes is sent: the runtime holds a copy of the small ones."""
    return size if size >= LARGE_BODY else 2 * size


class Owner(Protocol):
    """The unit that a request belongs to."""

    rows: Rows

    def allowed(self) -> bool:
        """Whether rows may still be sent."""

    def failed(self, row: int, fault: Fault) -> None:
        """The request of ``row`` failed."""


class Put:
    """Holds a place in the window, a ticket and a buffer; gives each back when it is not needed any more."""

    __slots__ = (
        "_buffer",
        "_expected",
        "_owner",
        "_reading",
        "_request",
        "_row",
        "_sent",
        "_shared",
        "deadline",
        "etag",
        "stalled",
    )

    def __init__(self, owner: Owner, row: int, reading: Reading, shared: Shared, expected_etag: str) -> None:
        """``expected_etag``: what the answer must say, or ""."""
        self._owner = owner
        self._row = row
        self._reading = reading
        self._shared = shared
        self._buffer: Buffer | None = reading.buffer
        self._request: Any = None
        self._sent = 0
        self._expected = expected_etag
        self.etag = ""
        self.stalled = False
        self.deadline = 0.0

    def start(self, path: str, headers: list[Header]) -> None:
        """Send; the owner's row is resolved, or its ``failed`` called, when it is over."""
        size = len(self._reading.content)
        shared = self._shared
        if size >= LARGE_BODY:
            shared.crew.submit(lambda: self._send(path, headers))
            return
        if not shared.throttle.take(size + HEAD_BYTES, self._owner.allowed, small=True):
            self._finished(_STOPPED)
            return
        self.deadline = shared.control.clock() + shared.config.stall_seconds + size / _SLOWEST_BYTES_PER_SECOND
        shared.in_flight[id(self)] = self
        body = Body(self._reading.content, self._give_buffer) if size else None
        request = shared.client.put(path, headers, body, self._on_headers, self._on_done)
        if id(self) in shared.in_flight:
            self._request = request

    def cancel(self) -> None:
        """Stop a request that makes no progress; it counts as a failed attempt."""
        request = self._request
        if request is not None:
            self.stalled = True
            request.cancel()

    def abandon(self) -> None:
        """Give everything back."""
        self._shared.in_flight.pop(id(self), None)
        self._request = None
        self._give_buffer()
        self._shared.buffers.release(self._reading.ticket)
        self._shared.gate.leave()

    def _give_buffer(self) -> None:
        buffer, self._buffer = self._buffer, None
        if buffer is not None and self._reading.ticket:
            self._shared.buffers.give(buffer)

    def _on_headers(self, *, status_code: int, headers: list[Header], **_: object) -> None:
        for name, value in headers:
            if len(name) == 4 and name.lower() == "etag":
                self.etag = value.strip('"')

    def _on_done(self, *, error: Any, status_code: int | None, error_body: bytes | None, **_: object) -> None:
        if error is None:
            self._finished(None)
            return
        fault = fault_of(error, status_code, error_body)
        if self.stalled and fault.kind is Kind.CANCELLED:
            fault = Fault(Kind.TRANSIENT, "stalled", f"no answer in {self._shared.config.stall_seconds:g} s")
        self._finished(fault)

    def _send(self, path: str, headers: list[Header]) -> None:
        try:
            answer = self._shared.sender.put(path, headers, self._steps())
            self.etag = answer.headers.get("etag", "").strip('"')
            self._finished(None)
        except SendError as error:
            self._finished(error.fault)
        except InterruptedCopyError:
            self._finished(_STOPPED)
        except Exception as error:
            self._finished(Fault(Kind.PERMANENT, type(error).__name__, str(error)))

    def _steps(self) -> Iterator[memoryview]:
        content = self._reading.content
        for offset in range(0, len(content), BODY_STEP):
            for piece in self._shared.throttle.pieces(content[offset : offset + BODY_STEP], self._owner.allowed):
                yield piece
                self._sent += len(piece)
                self._shared.count(0, len(piece))

    def _finished(self, fault: Fault | None) -> None:
        reading = self._reading
        self.abandon()
        if fault is None and self._expected not in ("", self.etag) and reading.content:  # markers may have any ETag
            fault = DAMAGED
        if fault is not None:
            self._shared.count(0, -self._sent)
            self._owner.failed(self._row, fault)
            return
        self._shared.gate.succeeded()
        self._shared.count(1, len(reading.content) - self._sent)
        self._owner.rows.transferred(self._row, len(reading.content), reading.checksum, self.etag, self._verified())

    def _verified(self) -> str | None:
        if self._expected:
            return "etag" if self.etag == self._expected else None
        return "server-checked" if self._shared.config.server_checks else None
