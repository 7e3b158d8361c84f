"""Where objects go and how to get there, as both transports need it. Holds credentials in memory only."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote


class Keys(NamedTuple):
    """Credentials of one moment."""

    access_key: str
    secret_key: str
    token: str | None = None


class Target(NamedTuple):
    """A bucket prefix at an endpoint. ``prefix`` is that of the keys, empty or ending in ``/``.

    ``base`` is the quoted request path that a key below the prefix is appended to: ``/``, ``/bucket/prefix/``... ``keys`` is asked again every minute. ``proxy`` is a URL or None.
    """

    tls: bool
    host: str  # with port unless it is the default one
    base: str
    prefix: str
    region: str
    keys: Callable[[], Keys]
    ca_bundle: str | None = None
    proxy: str | None = None


def quoted(key: str) -> str:
    """A key as a request path has it, and as its signature expects it."""
    return quote(key, safe="/~")
