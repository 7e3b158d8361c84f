"""Whether the endpoint of a bucket can be reached from here, and for how long the credentials will do."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median
from typing import Any

from engine.errors import LocationError
from engine.execution.checking.findings import Finding, failure, ok, warning
from engine.locations.credentials import current_credentials
from engine.model import LocationSpec
from engine.quantities import format_duration

CONNECT_SECONDS = 5.0
ROUNDS = 5
CERTIFICATE_SECONDS = 14 * 86_400
"""A certificate that ends within two weeks is worth a word before a migration of weeks."""

FAR_SECONDS = 0.010


def check_endpoint(location: Any) -> Iterator[Finding]:
    """Findings about the way to a bucket: name, connection, certificate, latency. ``location`` is an S3Location."""
    try:
        path = location.data_path()
    except LocationError as error:
        yield failure("network", str(error), "")
        return
    if path.proxy:
        yield ok("network", f"{path.host} is reached through a proxy, as HTTPS_PROXY or HTTP_PROXY says")
        return
    host, _, port = path.host.partition(":")
    address = (host, int(port or (443 if path.tls else 80)))
    try:
        addresses = sorted({str(found[4][0]) for found in socket.getaddrinfo(*address, type=socket.SOCK_STREAM)})
    except OSError as error:
        yield failure("network", f"{host} has no address: {error.strerror or error}", "See this host's DNS.")
        return
    try:
        seconds = median(_connect_seconds(address) for _ in range(ROUNDS))
    except OSError as error:
        why = error.strerror or error
        yield failure("network", f"{path.host} cannot be reached: {why}", "Open that port, or set HTTPS_PROXY.")
        return
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    name = f"{host} answers" if addresses == [host] else f"{host} is {addresses[0]}{more}"
    yield ok("network", f"{name}; connecting takes {seconds * 1_000:.1f} ms{_far(seconds)}")
    if path.tls:
        yield _certificate(address, path.ca_bundle)


def check_credentials(spec: LocationSpec, run_seconds: float | None, now: float) -> Finding:
    """Whether credentials are there, and last as long as ``run_seconds``, if that is known."""
    try:
        found = current_credentials(spec)
    except LocationError as error:
        return failure("credentials", str(error), "")
    if found.expires_at is not None:
        return ok("credentials", f"renew themselves; these end in {format_duration(max(0.0, found.expires_at - now))}")
    if found.token is None:
        return ok("credentials", "do not end")
    lasts = f"; the run takes about {format_duration(run_seconds)}" if run_seconds else ""
    return warning(
        "credentials",
        f"are temporary and cannot renew themselves{lasts}",
        "Use a role or aws_profile (SSO) that renews them, or the run stops for new ones when they end.",
    )


def _connect_seconds(address: tuple[str, int]) -> float:
    began = time.monotonic()
    socket.create_connection(address, CONNECT_SECONDS).close()
    return time.monotonic() - began


def _far(seconds: float) -> str:
    return " (far: many requests at once will be needed, which tune themselves)" if seconds > FAR_SECONDS else ""


def _certificate(address: tuple[str, int], ca_bundle: str | None) -> Finding:
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
        with (
            socket.create_connection(address, CONNECT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=address[0]) as secure,
        ):
            certificate, version = secure.getpeercert() or {}, secure.version()
    except (OSError, ssl.SSLError) as error:
        return failure("network", f"TLS with {address[0]} fails: {error}", "Set ca_bundle to its authority's file.")
    ends = ssl.cert_time_to_seconds(str(certificate.get("notAfter")))
    day = datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%d")
    if ends - time.time() < CERTIFICATE_SECONDS:
        return warning("network", f"the certificate of {address[0]} ends on {day}", "Have it renewed.")
    return ok("network", f"{version}, certificate valid until {day}")
