"""The AWS Common Runtime: sends small objects, signs requests, computes CRC64NVME. The only importer of awscrt.

Make a client only in the process that uses it: its threads do not survive a fork.
"""

from __future__ import annotations

import base64
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from io import UnsupportedOperation
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from awscrt import auth, checksums, http, io, s3

from engine.transfer.retry import Fault, classify
from engine.transfer.target import Target

Header = tuple[str, str]

CREDENTIALS_SECONDS = 60.0
"""How long frozen credentials are used. A provider asked on every request costs 30 us each."""

_CONNECTIONS_GBPS = 100
"""Opens up to 250 connections: over a real network they, not CPU, limit small files."""

_LEAST_MEMORY = 256 << 20
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_ERROR_CODE = re.compile(rb"<Code>([^<]*)</Code>")
_ERROR_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")


def crc64nvme(data: bytes | bytearray | memoryview, previous: int = 0) -> int:
    """CRC64NVME of ``data``, continuing ``previous``."""
    checksum: int = checksums.crc64nvme(data, previous)
    return checksum


def combine_crc64nvme(first: int, second: int, second_size: int) -> int:
    """CRC64NVME of two blocks put together; ``second_size`` is the length of the second in bytes."""
    checksum: int = checksums.combine_crc64nvme(first, second, second_size)
    return checksum


def checksum_text(checksum: int) -> str:
    """A CRC64NVME as S3 headers have it."""
    return base64.b64encode(checksum.to_bytes(8, "big")).decode()


def checksum_value(text: str) -> int:
    """The CRC64NVME of a header; raises ValueError if it is none."""
    return int.from_bytes(base64.b64decode(text, validate=True), "big")


def fault_of(error: Any, status: int | None, body: bytes | None) -> Fault:
    """What went wrong with a request: the error that the runtime gave, the HTTP status and the error body, if any."""
    code, detail = error_in(body)
    if code is None:
        code = getattr(error, "name", None) or type(error).__name__
        detail = getattr(error, "message", None) or str(error)
    return classify(code, status, detail if status is None else f"{detail} (HTTP {status})")


def error_in(body: bytes | None) -> tuple[str | None, str]:
    """Code and message of an S3 error body, (None, "") if it holds none."""
    found = _ERROR_CODE.search(body) if body else None
    if found is None or not body:
        return None, ""
    message = _ERROR_MESSAGE.search(body)
    return found[1].decode(errors="replace"), message[1].decode(errors="replace") if message else ""


class Body:
    """The content of one request, copied once by the runtime; ``used`` is called right then."""

    __slots__ = ("_left", "used")

    def __init__(self, content: memoryview, used: Callable[[], None]) -> None:
        self._left = content
        self.used = used

    def readinto(self, buffer: memoryview) -> int:
        """Copy what fits."""
        content = self._left
        size = len(content)
        if len(buffer) < size:
            size = len(buffer)
            buffer[:] = content[:size]
            self._left = content[size:]
            return size
        buffer[:size] = content
        self._left = content[:0]
        self.used()
        return size

    def read(self, size: int = -1) -> bytes:
        """Required of a stream; the runtime calls ``readinto``."""
        raise UnsupportedOperation("this body is read once, from its start")

    def seek(self, offset: int, whence: int = 0) -> int:
        """Required of a stream; a body is never read twice."""
        raise UnsupportedOperation("this body is read once, from its start")


class Client:
    """One per process. ``put`` never blocks; callbacks run on one thread of the runtime and must be short."""

    def __init__(self, target: Target) -> None:
        self._target = target
        _set_proxy(target)
        self._always: list[Header] = [("host", target.host), *target.headers]
        self._renew = threading.Lock()
        self._signing = self._sign_config()
        loops = io.EventLoopGroup(1)
        bootstrap = io.ClientBootstrap(loops, io.DefaultHostResolver(loops))
        self._client = s3.S3Client(
            bootstrap=bootstrap,
            region=target.region,
            signing_config=self._signing,
            tls_mode=s3.S3RequestTlsMode.ENABLED if target.tls else s3.S3RequestTlsMode.DISABLED,
            tls_connection_options=_tls(target.ca_bundle) if target.tls and target.ca_bundle else None,
            throughput_target_gbps=_CONNECTIONS_GBPS,
            memory_limit=_LEAST_MEMORY,
            network_interface_names=[target.interface] if target.interface else None,
            retry_config=s3.S3RetryConfig(max_retries=1, backoff_scale_factor_ms=50, max_backoff_secs=1),
        )

    def put(
        self,
        path: str,
        headers: Sequence[Header],
        body: Body | None,
        on_headers: Callable[..., None],
        on_done: Callable[..., None],
    ) -> Any:
        """PUT an object at the quoted ``path``; returns a request that can be cancelled.

        ``headers`` hold content-length. ``on_headers(status_code=, headers=)`` and ``on_done(error=, status_code=,
        error_body=, ...)`` are the runtime's own, once each; they may come before this returns.
        """
        request = http.HttpRequest("PUT", path, http.HttpHeaders([*self._always, *headers]), body)
        return self._client.make_request(
            type=s3.S3RequestType.DEFAULT,
            operation_name="PutObject",
            request=request,
            signing_config=self._current(),
            on_headers=on_headers,
            on_done=on_done,
        )

    def sign(self, method: str, path: str, headers: Sequence[Header]) -> list[Header]:
        """The headers of a request that is sent by other means, with its signature; the body is not signed."""
        request = http.HttpRequest(method, path, http.HttpHeaders([*self._always, *headers]))
        auth.aws_sign_request(request, self._sign_config()).result()
        return list(request.headers)

    def renew_credentials(self) -> None:
        """Ask for credentials again before the next request."""
        self._renew_at = 0.0

    def close(self) -> None:
        """Let the runtime shut down; requests must have ended."""
        ended = self._client.shutdown_event
        del self._client
        ended.wait(5)

    def _current(self) -> Any:
        if time.monotonic() >= self._renew_at:
            with self._renew:
                if time.monotonic() >= self._renew_at:
                    self._signing = self._sign_config()
        return self._signing

    def _sign_config(self) -> Any:
        keys = self._target.keys()
        self._renew_at = time.monotonic() + CREDENTIALS_SECONDS
        return auth.AwsSigningConfig(
            algorithm=auth.AwsSigningAlgorithm.V4,
            credentials_provider=auth.AwsCredentialsProvider.new_static(*keys),
            region=self._target.region,
            service="s3",
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
            signed_body_value=auth.AwsSignedBodyValue.UNSIGNED_PAYLOAD,
            signed_body_header_type=auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
        )


def _tls(ca_bundle: str) -> Any:
    """Trust the certificates of a PEM file: the runtime refuses one that holds anything else, as OpenSSL does not."""
    options = io.TlsContextOptions()
    options.override_default_trust_store(b"\n".join(_CERTIFICATE.findall(Path(ca_bundle).read_bytes())))
    return io.ClientTlsContext(options).new_connection_options()


def _set_proxy(target: Target) -> None:
    """Make the runtime, which reads the environment itself, see the proxy that was decided on, or none."""
    if target.proxy is not None:
        name = "https_proxy" if target.tls else "http_proxy"
        os.environ[name] = os.environ[name.upper()] = target.proxy
        return
    host = urlsplit(f"//{target.host}").hostname or target.host
    for name in ("NO_PROXY", "no_proxy"):
        listed = os.environ.get(name, "")
        if host not in listed.split(","):
            os.environ[name] = f"{listed},{host}".strip(",")
