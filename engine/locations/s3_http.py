"""HTTP/1.1 as the data path reads it: kept connections, and bodies received straight into the reader's memory.

With urllib3 a small GET takes three times the CPU: most of it is parsing headers into objects that nobody asks for.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Protocol
from urllib.parse import urlsplit

CONNECT_SECONDS = 10.0
STALL_SECONDS = 60.0
"""How long a server may send nothing while it owes something."""

_HEAD_BYTES = 64 << 10
"""Room for status line and headers; what has come of the body with them is copied from here."""

_DRAIN_BYTES = 256 << 10
"""So much of a body that nobody wants is read to keep its connection; beyond, a new one is cheaper."""


class TransportError(OSError):
    """No answer, or not a whole one. ``reached``: the server was connected to."""

    def __init__(self, message: str, *, reached: bool = True, trusted: bool = True) -> None:
        super().__init__(message)
        self.reached = reached
        self.trusted = trusted


class _Stale(Exception):
    """A kept connection was closed by the server before it answered anything."""


class Address(Protocol):
    """Where to connect: of DataPath, what this module needs."""

    @property
    def tls(self) -> bool:
        """Whether to speak TLS."""

    @property
    def host(self) -> str:
        """Host, with its port unless it is the default one."""

    @property
    def ca_bundle(self) -> str | None:
        """File with certificates to trust."""

    @property
    def proxy(self) -> str | None:
        """URL of a proxy."""


class _Wire:
    """One connection and the bytes that came too early."""

    __slots__ = ("end", "head", "sock", "start", "used")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.head = bytearray(_HEAD_BYTES)
        self.start = self.end = 0
        self.used = False

    def receive_head(self) -> bytes:
        """Status line and headers; the rest stays in ``head``."""
        self.start = self.end = 0
        view = memoryview(self.head)
        while True:
            size = self.sock.recv_into(view[self.end :])
            if not size:
                if self.used and not self.end:
                    raise _Stale
                raise TransportError("the server closed the connection before it answered")
            seen = max(0, self.end - 3)
            self.end += size
            found = self.head.find(b"\r\n\r\n", seen, self.end)
            if found >= 0:
                self.start = found + 4
                return bytes(view[:found])
            if self.end == len(self.head):
                raise TransportError("the headers of the answer are too long")

    def receive_into(self, view: memoryview) -> int:
        """Fill ``view``; fewer bytes only when the server has closed the connection."""
        wanted = len(view)
        done = min(self.end - self.start, wanted)
        if done:
            view[:done] = memoryview(self.head)[self.start : self.start + done]
            self.start += done
        receive = self.sock.recv_into
        while done < wanted:  # TLS hands out 16 KiB at a time: a step passes here some twenty times
            size = receive(view[done:], wanted - done)
            if not size:
                break
            done += size
        return done

    def receive_line(self) -> bytes:
        """A line of the framing of a chunked body, without its end."""
        line = bytearray()
        byte = memoryview(bytearray(1))
        while not line.endswith(b"\r\n"):
            if len(line) > 1_000 or not self.receive_into(byte):
                raise TransportError("the body of the answer is not as HTTP has it")
            line += byte
        return bytes(line[:-2])


class Reply:
    """An answer whose body is still to be read. Header names are lower case."""

    __slots__ = ("_chunked", "_keep", "_left", "_pool", "_wire", "headers", "status")

    def __init__(self, pool: Pool, wire: _Wire, method: str, head: bytes) -> None:
        first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        try:
            self.status = int(first[9:12])
            headers: dict[str, str] = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            self.headers = headers
            length = headers.get("content-length")
            self._left: int | None = int(length) if length is not None else None
        except ValueError as error:
            wire.sock.close()
            raise TransportError("the answer is not HTTP") from error
        self._pool = pool
        self._wire: _Wire | None = wire
        self._keep = first.startswith("HTTP/1.1") and headers.get("connection", "").lower() != "close"
        self._chunked = "transfer-encoding" in headers and headers["transfer-encoding"].lower() == "chunked"
        if method == "HEAD" or self.status in (204, 304):
            self._left, self._chunked = 0, False
        elif self._chunked:
            self._left = self._next_chunk()

    def read_into(self, view: memoryview) -> int:
        """Fill ``view``; fewer bytes than that only at the end of the body. Raises TransportError."""
        done = 0
        while done < len(view) and self._left != 0:
            done += self._receive(view[done:] if self._left is None else view[done : done + self._left])
        return done

    def read(self, limit: int) -> bytes:
        """What is left of the body, up to ``limit`` bytes. Raises TransportError."""
        buffer = bytearray(limit)
        return bytes(buffer[: self.read_into(memoryview(buffer))])

    def close(self) -> None:
        """Give the connection back if the body is read, or nearly so; idempotent."""
        wire = self._wire
        if wire is None:
            return
        try:
            if self._keep and self._left and self._left <= _DRAIN_BYTES:
                self.read(_DRAIN_BYTES)
        except TransportError:
            self._keep = False
        self._wire = None
        if self._keep and self._left == 0:
            self._pool.give_back(wire)
        else:
            wire.sock.close()

    def _receive(self, view: memoryview) -> int:
        assert self._wire is not None, "the answer is closed"
        try:
            size = self._wire.receive_into(view)
        except OSError as error:
            self._keep = False
            raise _transport_error(error) from error
        if self._left is None:
            if size < len(view):
                self._left = 0
                self._keep = False
            return size
        self._left -= size
        if size < len(view):
            self._keep = False
            raise TransportError(f"the connection closed {self._left:,} bytes before the end of the answer")
        if self._chunked and not self._left:
            self._wire.receive_line()
            self._left = self._next_chunk()
        return size

    def _next_chunk(self) -> int:
        assert self._wire is not None
        try:
            size = int(self._wire.receive_line().partition(b";")[0], 16)
        except ValueError as error:
            raise TransportError("the body of the answer is not as HTTP has it") from error
        if not size:
            while self._wire.receive_line():
                pass  # trailers
        return size


class Pool:
    """Connections to one address, kept between requests; for any thread."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._context = ssl.create_default_context(cafile=address.ca_bundle) if address.tls else None
        self._idle: list[_Wire] = []
        self._lock = threading.Lock()
        self._closed = False

    def request(self, method: str, target: str, headers: Mapping[str, str]) -> Reply:
        """Send a request without a body; the caller closes the answer. Raises TransportError.

        Once more over a new connection if a kept one was closed meanwhile: the requests sent here may be repeated.
        """
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        via_proxy = self._address.proxy and not self._address.tls
        target = f"http://{self._address.host}{target}" if via_proxy else target
        message = f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogateescape")
        while True:
            wire = self._take()
            try:
                try:
                    wire.sock.sendall(message)
                    head = wire.receive_head()
                except (BrokenPipeError, ConnectionResetError) as error:
                    if wire.used:
                        raise _Stale from error
                    raise
            except _Stale:
                wire.sock.close()
                continue
            except OSError as error:
                wire.sock.close()
                raise _transport_error(error) from error
            return Reply(self, wire, method, head)

    def give_back(self, wire: _Wire) -> None:
        """Keep a connection whose answer was read."""
        wire.used = True
        with self._lock:
            if not self._closed:
                self._idle.append(wire)
                return
        wire.sock.close()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for wire in idle:
            wire.sock.close()

    def _take(self) -> _Wire:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        try:
            return _Wire(self._connect())
        except (OSError, HTTPException) as error:
            raise _transport_error(error, reached=False) from error

    def _connect(self) -> socket.socket:
        address = self._address
        place = urlsplit(address.proxy) if address.proxy else urlsplit(f"//{address.host}")
        port = place.port or (443 if address.tls and not address.proxy else 80)
        host = place.hostname or ""
        connection: HTTPConnection
        if self._context is not None:
            connection = HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=self._context)
            if address.proxy:
                connection.set_tunnel(address.host)
        else:
            connection = HTTPConnection(host, port, timeout=CONNECT_SECONDS)
        connection.connect()
        sock: socket.socket = connection.sock
        sock.settimeout(STALL_SECONDS)
        return sock


def _transport_error(error: Exception, *, reached: bool = True) -> TransportError:
    if isinstance(error, TransportError):
        return error
    if isinstance(error, TimeoutError):
        return TransportError(f"nothing came for {STALL_SECONDS:g} s", reached=reached)
    trusted = not isinstance(error, ssl.SSLCertVerificationError)
    return TransportError(str(error) or type(error).__name__, reached=reached, trusted=trusted)
