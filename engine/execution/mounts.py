"""One export that is mounted several times: agents take the mounts in turn, so that several connections carry it."""

from __future__ import annotations

import os

from msgspec.structs import replace

from engine.errors import LocationError, UsageError
from engine.locations.base import Location
from engine.locations.registry import file_path, open_location
from engine.model import LocationSpec


def mounts_in_turn(spec: LocationSpec, first: Location, failure: type[LocationError]) -> list[tuple[LocationSpec, str]]:
    """Every mount of ``spec``, ``first`` being its own, each with the identity its location has.

    Raises ``failure`` for one that is missing, or is not the very same folder; UsageError for what is no folder.
    """
    turns = [(replace(spec, mounts=()), first.identity())]
    if not spec.mounts:
        return turns
    if first.capabilities.scheme != "file":
        raise UsageError(f"mounts are for folders, and {spec.url} is none; leave them out")
    expected = _fingerprint(spec.url, failure)
    for url in spec.mounts:
        if _fingerprint(url, failure) != expected:
            raise failure(f"{url} is not the same folder as {spec.url}: mounts must all be mounts of one export")
        other = replace(spec, url=url, mounts=())
        location = open_location(other)
        turns.append((other, location.identity()))
        location.close()
    return turns


def _fingerprint(url: str, failure: type[LocationError]) -> tuple[int, int]:
    """What two mounts of one folder have in common: its inode, and to the nanosecond when it was last changed."""
    try:
        found = os.stat(file_path(url))
    except OSError as error:
        why = f"the mount {url} cannot be used: {error.strerror}. Mount it, or take it off the list."
        raise failure(why) from error
    return found.st_ino, found.st_ctime_ns
