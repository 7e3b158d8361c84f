"""From a URL to the adapter behind it, imported on first use; and whether two locations lie in each other."""

from __future__ import annotations

import importlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import unquote_to_bytes

from engine.errors import UsageError
from engine.locations.mounts import mount_of, path_in_volume, read_mounts
from engine.model import LocationSpec

if TYPE_CHECKING:
    from engine.locations.base import Location

ADAPTERS = {
    "file": ("engine.locations.posix", "PosixLocation"),
    "s3": ("engine.locations.s3", "S3Location"),
}
"""URL scheme -> module and class; the class is called with the LocationSpec."""


_HALF_A_URL = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*:")


class _Place(NamedTuple):
    """A folder inside something that holds data; ``holder`` is the bucket or the file system."""

    holder: str
    path: bytes


def open_location(spec: LocationSpec) -> Location:
    """Make the adapter for ``spec``; touches nothing yet. Raises UsageError for a URL that no adapter serves."""
    module, name = ADAPTERS[scheme_of(spec.url)]
    return cast("Location", getattr(importlib.import_module(module), name)(spec))


def warm_up(scheme: str) -> None:
    """Do what it takes before a location of ``scheme`` can be used, so that processes forked from this one need not."""
    module = importlib.import_module(ADAPTERS[scheme][0])
    getattr(module, "warm_up", lambda: None)()


def scheme_of(url: str) -> str:
    """The scheme of ``url``; a bare path is a ``file``. Raises UsageError that lists the schemes there are.

    ``s3:/bucket`` and ``host:/export`` are refused: as names of folders they would be made here, and look like a copy.
    """
    scheme, separator, _ = url.partition("://")
    if not separator and _HALF_A_URL.match(url):
        raise UsageError(
            f"{url}: neither a URL nor a plain path: a bucket is s3://bucket/prefix, an export the folder where it is "
            f"mounted here; for a folder of this name write ./{url}"
        )
    if not separator:
        return "file"
    if scheme.lower() in ADAPTERS:
        return scheme.lower()
    known = ", ".join(f"{known}://" for known in ADAPTERS)
    raise UsageError(f"{url}: xsync cannot reach {scheme}://, only {known} and plain paths")


def file_path(url: str) -> bytes:
    """The absolute path that a ``file://`` URL (percent-encoded) or a bare path (as it is) means.

    Raises UsageError for a URL that names another host or holds a relative path.
    """
    if "://" not in url:
        if not url:
            raise UsageError("a location is empty: give a path or a URL such as s3://bucket/prefix")
        return os.path.abspath(os.fsencode(os.path.expanduser(url)))
    host, slash, path = url.partition("://")[2].partition("/")
    if not slash or host not in ("", "localhost"):
        raise UsageError(f"{url}: write file:///path with three slashes for a folder of this host")
    found = unquote_to_bytes("/" + path)
    if b"\0" in found:
        raise UsageError(f"{url}: a path cannot hold a NUL byte")
    return os.path.normpath(b"/" + found.lstrip(b"/"))


def bucket_and_prefix(url: str) -> tuple[str, str]:
    """The bucket and the key prefix, without slashes around it, of ``s3://bucket/prefix``. Raises UsageError."""
    bucket, _, prefix = url.partition("://")[2].partition("/")
    if not bucket:
        raise UsageError(f"{url}: name a bucket, as in s3://bucket/prefix")
    prefix = prefix.strip("/")
    if prefix and not {"", ".", ".."}.isdisjoint(prefix.split("/")):
        raise UsageError(f"{url}: a prefix cannot hold empty, . or .. segments")
    return bucket, prefix


def destination_key(spec: LocationSpec) -> tuple[str, bytes]:
    """What a lock of this destination is about: the bucket or this host's files, and the folder in it."""
    place = _places(spec)[0]
    return place.holder, place.path


def contains(outer: LocationSpec, inner: LocationSpec) -> bool:
    """Whether ``inner`` is ``outer`` or lies in it, also through symlinks and bind mounts."""
    return any(_holds(one, other) for one in _places(outer) for other in _places(inner))


def overlap(one: LocationSpec, other: LocationSpec) -> bool:
    """Whether one of two locations lies in the other."""
    return contains(one, other) or contains(other, one)


def _holds(outer: _Place, inner: _Place) -> bool:
    if outer.holder != inner.holder:
        return False
    return not outer.path or (inner.path + b"/").startswith(outer.path + b"/")


def _places(spec: LocationSpec) -> list[_Place]:
    """Every name under which the same data can be met: a file's real path, and its place in its file system."""
    if scheme_of(spec.url) == "s3":
        bucket, prefix = bucket_and_prefix(spec.url)
        return [_Place(f"s3 {(spec.endpoint_url or 'aws').rstrip('/').lower()} {bucket}", prefix.encode())]
    path = os.path.realpath(file_path(spec.url))
    mount = mount_of(path, read_mounts())
    volume = f"{mount.type} {mount.source if mount.is_network else mount.device}"
    return [_Place("files of this host", path.strip(b"/")), _Place(volume, path_in_volume(path, mount))]
