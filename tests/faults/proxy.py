"""An HTTP server between client and S3 server that fails on purpose, as told request by request."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

Fault = Literal[
    "pass",
    "503",
    "500",
    "200-with-error",
    "reset",
    "lost-answer",
    "stall",
    "corrupt",
    "truncated",
    "wrong-part-checksum",
    "expired",
    "denied",
    "missing",
    "taken",
    "untold",
    "corrupt-untold",
    "other-etag",
    "false-etag",
]
Decide = Callable[["Request"], Fault]

_TOLD = re.compile(rb"<Checksum(CRC64NVME|Type)>[^<]*</Checksum\1>")
_ETAG = re.compile(rb"[0-9a-f]{32}(?=-)")
_ERROR = b'<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>'


@dataclass(frozen=True)
class Request:
    """What a decision is made on. ``number`` counts the requests of this proxy from 1."""

    number: int
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class FaultProxy:
    """A running proxy. ``decide`` may be replaced at any time; ``seen`` grows with every request."""

    url: str
    decide: Decide = lambda request: "pass"
    seen: list[Request] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)

    def faults(self, first: int, fault: Fault) -> None:
        """Fail the next ``first`` PUT requests with ``fault``."""
        left = iter(range(first))
        self.decide = lambda request: fault if request.method == "PUT" and next(left, None) is not None else "pass"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.lock = threading.Lock()
        self.proxy = FaultProxy(f"http://127.0.0.1:{self.server_address[1]}")

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that are cut are what this is about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_PUT(self) -> None:
        proxy = self.server.proxy
        with self.server.lock:
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(len(proxy.seen) + 1, self.command, self.path, headers)
            proxy.seen.append(request)
            fault = proxy.decide(request)
        getattr(self, "_" + fault.replace("-", "_").replace("503", "slow_down").replace("500", "internal"))()

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT

    def _pass(self) -> None:
        self._forward(self._body())

    def _corrupt(self) -> None:
        """Change a byte on its way: of what is sent, or of the answer if nothing is."""
        body = self._body()
        if body:
            self._forward(_damaged(body))
        else:
            self._forward(body, damage=_damaged)

    def _truncated(self) -> None:
        """Pass on the headers of the answer and half of its body, then cut the connection."""
        self._forward(self._body(), damage=lambda content: content[: len(content) // 2])

    def _wrong_part_checksum(self) -> None:
        self._forward(self._body(), {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="})

    def _slow_down(self) -> None:
        self._body()
        self._answer(503, _ERROR % (b"SlowDown", b"Please reduce your request rate."))

    def _internal(self) -> None:
        self._body()
        self._answer(500, _ERROR % (b"InternalError", b"We encountered an internal error."))

    def _expired(self) -> None:
        self._body()
        self._answer(400, _ERROR % (b"ExpiredToken", b"The provided token has expired."))

    def _denied(self) -> None:
        self._body()
        self._answer(403, _ERROR % (b"AccessDenied", b"Access Denied."))

    def _missing(self) -> None:
        self._body()
        self._answer(404, _ERROR % (b"NoSuchKey", b"The specified key does not exist."))

    def _200_with_error(self) -> None:
        self._body()
        self._answer(200, _ERROR % (b"InternalError", b"We encountered an internal error."))

    def _reset(self) -> None:
        """Take half of the body, then cut the connection."""
        self.rfile.read(int(self.headers.get("content-length", 0)) // 2)
        self._cut()

    def _cut(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = True
        self.connection.close()

    def _taken(self) -> None:
        """Say that all is well."""
        self._body()
        self._answer(200, b"", {"etag": f'"{"0" * 32}"'})

    def _untold(self) -> None:
        """Pass on all but the checksums that the server tells."""
        self._forward(self._body(), tells_checksums=False)

    def _corrupt_untold(self) -> None:
        self._forward(_damaged(self._body()), tells_checksums=False)

    def _other_etag(self) -> None:
        self._forward(self._body(), tells_checksums=False, damage=lambda told: _ETAG.sub(b"0" * 32, told))

    def _false_etag(self) -> None:
        """Tell an ETag that looks like an MD5 and is none."""
        self._forward(self._body(), {"etag": f'"{"0" * 32}"'})

    def _lost_answer(self) -> None:
        """Pass the request on, then cut the connection instead of passing the answer back."""
        self._forward(self._body(), answered=False)

    def _stall(self) -> None:
        """Take half of the body, then wait until the test is over."""
        self.rfile.read(int(self.headers.get("content-length", 0)) // 2)
        self.server.proxy.let_go.wait()
        self.close_connection = True

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _forward(
        self,
        body: bytes,
        changed: dict[str, str] | None = None,
        *,
        answered: bool = True,
        tells_checksums: bool = True,
        damage: Callable[[bytes], bytes] = bytes,
    ) -> None:
        """Pass the request on with its own Host header, which is signed; ``damage`` is done to the answer's body."""
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        try:
            upstream.putrequest(
                self.command,
                self.path.removeprefix(f"http://{self.server.upstream}"),
                skip_host=True,
                skip_accept_encoding=True,
            )
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            assert len(self.headers.get_all("host", [])) == 1
            upstream.endheaders(body)
            response = upstream.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()} | (changed or {})
            content = response.read()
            if not tells_checksums:
                headers = {name: value for name, value in headers.items() if not name.startswith("x-amz-checksum")}
                content = _TOLD.sub(b"", content)
            size = int(headers.get("content-length", 0)) if self.command == "HEAD" else len(content)
            if answered:
                self._answer(response.status, damage(content), headers, size)
            else:
                self._cut()
        finally:
            upstream.close()

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, size: int | None = None) -> None:
        """``size``: what is promised of the body, and more than there is if the connection is to break."""
        size = len(body) if size is None else size
        self.send_response_only(status)
        for name, value in (headers or {"content-type": "application/xml"}).items():
            if name not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("content-length", str(size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            if len(body) < size:
                self._cut()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


def _damaged(content: bytes) -> bytes:
    """``content`` with another byte in its middle."""
    middle = len(content) // 2
    return content[:middle] + bytes(255 ^ byte for byte in content[middle : middle + 1]) + content[middle + 1 :]


@contextmanager
def fault_proxy(upstream: str, certificate: Path | None = None) -> Iterator[FaultProxy]:
    """A proxy in front of the server at ``upstream`` (a URL), on a free port.

    ``certificate``: a PEM file with key, then it speaks TLS.
    """
    server = _Server(upstream)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.proxy.url = server.proxy.url.replace("http://", "https://")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.proxy.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = urlsplit(url)
    return cast("str", parts.hostname), cast("int", parts.port)
