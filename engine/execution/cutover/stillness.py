"""Whether a source may still change, as far as that can be told without writing to it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow.compute as pc

from engine.catalog.destination import listing_error
from engine.catalog.merging import read
from engine.errors import SourceError, StoppedError
from engine.execution.comparing.verification import Progress
from engine.locations.mounts import mount_of, read_mounts
from engine.locations.registry import file_path, scheme_of
from engine.model import FilterSpec, LocationSpec
from engine.names import text_of
from engine.quantities import format_count, format_duration
from engine.survey.listing import list_entries


class Seen(NamedTuple):
    """The newest change in a listing (seconds since the epoch, by the source's clock), None of an empty source."""

    newest_at: float | None
    entries: int

    def quiet_seconds(self, now: float) -> float:
        """For how long nothing changed; 0 if a time lies in the future."""
        return float("inf") if self.newest_at is None else max(0.0, now - self.newest_at)


def read_only_mount(spec: LocationSpec) -> str | None:
    """Where the source is mounted read-only on this host, in words; None if it is not, or is no folder.

    A second mount elsewhere, or another host, may still write: a mount tells nothing about those.
    """
    if scheme_of(spec.url) != "file":
        return None
    mounts = read_mounts()
    found = [mount_of(os.path.realpath(file_path(url)), mounts) for url in (spec.url, *spec.mounts)]
    if not all("ro" in mount.options for mount in found):
        return None
    return ", ".join(f"{mount.type} at {text_of(mount.point)}" for mount in found)


def look(
    spec: LocationSpec,
    filters: FilterSpec,
    folder: Path,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Seen:
    """List the source to see when it last changed: ctime of files and folders, LastModified of objects.

    ``folder`` takes the listing meanwhile. Raises SourceError, StoppedError.
    """
    newest = None
    with tempfile.TemporaryDirectory(prefix=".look-", dir=folder) as aside:
        listing = list_entries(
            spec,
            filters,
            Path(aside),
            cancelled=cancelled,
            on_progress=lambda now: on_progress(Progress("looking at the source", now.entries)),
        )
        broken = listing_error(listing.files)
        if broken is not None:
            raise SourceError(f"the source's folder {text_of(broken[0]) or '/'} cannot be listed: {broken[1]}")
        for file in listing.files:
            for rows in read(file, ["mtime_ns", "ctime_ns"]):
                # A bucket has no ctime; on a file system mtime can be set to anything, and ctime cannot.
                changed = pc.if_else(pc.equal(rows["ctime_ns"], 0), rows["mtime_ns"], rows["ctime_ns"])
                newest = max(filter(None, (newest, pc.max(changed).as_py())), default=None)
    return Seen(None if newest is None else newest / 1e9, listing.entries)


def wait_until_quiet(
    look_once: Callable[[], Seen],
    seconds: float,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Seen:
    """Look again and again until nothing changed for ``seconds``. Raises StoppedError, and what ``look_once`` does."""
    while True:
        seen = look_once()
        until = clock() + seconds - seen.quiet_seconds(clock())
        if until <= clock():
            return seen
        while clock() < until:
            if cancelled():
                raise StoppedError("stopped while waiting for the source to be quiet")
            sleep(min(1.0, max(0.0, until - clock())))


def words(seen: Seen, now: float, spec: LocationSpec) -> str:
    """What is known of a source that is not mounted read-only, and what is not."""
    if seen.newest_at is None:
        return "the source is empty"
    quiet = seen.quiet_seconds(now)
    ahead = f" (a time of it lies {format_duration(seen.newest_at - now)} ahead of this clock)" if quiet == 0 else ""
    deletions = "; deletions leave no trace in a bucket" if scheme_of(spec.url) == "s3" else ""
    return (
        f"no change seen for {format_duration(quiet)} among {format_count(seen.entries)} entries{ahead}{deletions}; "
        "whether it can still be written to is not known"
    )
