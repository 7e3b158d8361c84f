"""Where objects go and how to get there, as both transports need it. Holds credentials in memory only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import quote

from engine.locations.base import Location
from engine.locations.registry import bucket_and_prefix
from engine.model import LocationSpec

if TYPE_CHECKING:
    from engine.locations.s3 import S3Location


class Keys(NamedTuple):
    """Credentials of one moment."""

    access_key: str
    secret_key: str
    token: str | None = None


class Target(NamedTuple):
    """A bucket, or a prefix in it, at an endpoint.

    ``base`` is the quoted request path that a key below the prefix is appended to: ``/``, ``/bucket/prefix/``...
    ``host`` has a port unless it is the default one. ``keys`` is asked again every minute. ``proxy`` is a URL or None.
    ``headers`` go with every request. ``interface``: the network interface that connections are made through, or None.
    """

    tls: bool
    host: str
    base: str
    has_prefix: bool
    region: str
    keys: Callable[[], Keys]
    ca_bundle: str | None = None
    proxy: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    interface: str | None = None


def target_of(destination: Location, spec: LocationSpec) -> Target:
    """How to reach an object store. Raises LocationError."""
    from engine.locations.credentials import current_credentials  # only object stores need botocore

    path = cast("S3Location", destination).data_path()

    def keys() -> Keys:
        found = current_credentials(spec)
        return Keys(found.access_key, found.secret_key, found.token)

    has_prefix = bool(bucket_and_prefix(spec.url)[1])
    headers = tuple(path.headers.items())
    interface = spec.interfaces[0] if spec.interfaces else None
    return Target(
        path.tls, path.host, path.base, has_prefix, path.region, keys, path.ca_bundle, path.proxy, headers, interface
    )


def quoted(key: str) -> str:
    """A key as a request path has it, and as its signature expects it."""
    return quote(key, safe="/~")
