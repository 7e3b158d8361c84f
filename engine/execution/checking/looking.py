"""A first look at one side of a migration that is still being described."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from engine.errors import LocationError, UsageError
from engine.execution.checking.findings import Finding, failure, ok
from engine.execution.checking.network import check_credentials, check_endpoint
from engine.locations.registry import file_path, open_location, overlap, scheme_of
from engine.model import LocationSpec
from engine.names import text_of
from engine.quantities import format_bytes

if TYPE_CHECKING:
    from engine.locations.s3 import S3Location


def look_at_source(spec: LocationSpec) -> Iterator[Finding]:
    """Findings about a place that data is to come from: whether its root can be listed. Nothing is written."""
    yield from _look(spec, "source", _source)


def look_at_destination(spec: LocationSpec, source: LocationSpec | None = None) -> Iterator[Finding]:
    """Findings about a place that data is to go to. Nothing that anyone sees is written.

    A bucket is listed, and an upload begun and taken back; of a folder it is asked who may write to it.
    """
    try:
        if source is not None and overlap(source, spec):
            yield failure("destination", "it lies in the source, or the source in it", "Choose another place.")
            return
    except (LocationError, UsageError, OSError) as error:
        yield failure("destination", str(error), "")
        return
    yield from _look(spec, "destination", _destination)


def _look(spec: LocationSpec, about: str, ask: Any) -> Iterator[Finding]:
    try:
        location = open_location(spec)
    except (LocationError, UsageError) as error:
        yield failure(about, str(error), "")
        return
    try:
        if location.capabilities.scheme == "s3":
            from engine.locations.credentials import identity_of

            credentials = check_credentials(spec, None, time.time())
            yield credentials
            if credentials.level == "failure":
                return
            yield ok("identity", identity_of(spec, cast("S3Location", location).connection.endpoint))
            network = list(check_endpoint(location))
            yield from network
            if any(each.level == "failure" for each in network):
                return
        yield ask(location, spec)
    except (LocationError, UsageError) as error:
        yield failure(about, str(error), "")
    finally:
        location.close()


def _source(location: Any, spec: LocationSpec) -> Finding:
    location.check_source()
    return ok("source", location.describe())


def _destination(location: Any, spec: LocationSpec) -> Finding:
    if scheme_of(spec.url) == "file":
        return _folder(file_path(spec.url))
    location.check_destination()
    return ok("destination", f"{location.describe()}; it can be listed, and an upload can be begun")


def _folder(path: bytes) -> Finding:
    nearest = path
    while not os.path.lexists(nearest) and nearest != b"/":
        nearest = os.path.dirname(nearest)
    named = text_of(nearest)
    if not os.path.isdir(nearest):
        return failure("destination", f"{named} is a file, not a folder", "Choose another place.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        return failure("destination", f"{named} cannot be written to by this account", "Change its mode, or be root.")
    room = os.statvfs(nearest)
    free = f"{format_bytes(room.f_bavail * room.f_frsize)} free"
    return ok("destination", f"{free}; it will be made in {named}" if nearest != path else f"a folder; {free}")
