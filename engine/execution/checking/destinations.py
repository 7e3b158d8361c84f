"""Whether a destination takes what it will be given: a canary, checksums, ownership, room, versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.errors import LocationError
from engine.execution.checking.findings import Expected, Finding, failure, ok, warning
from engine.locations.base import Trial
from engine.model import Migration
from engine.quantities import format_bytes, format_count

MOST_SKEW_SECONDS = 2.0
"""Files changed within 2 s of their listing are looked at again: clocks further apart would hide them."""

SIGNING_SECONDS = 900.0
"""S3 refuses requests whose time is more than 15 minutes off (RequestTimeTooSkewed)."""


def check_destination(destination: Any, migration: Migration, expected: Expected | None) -> Iterator[Finding]:
    """Findings about an open location; what is written for them is removed again."""
    try:
        destination.check_destination()
        trial: Trial = destination.try_out()
    except LocationError as error:
        yield failure("destination", str(error), "")
        return
    times = f"written in {trial.write_seconds * 1_000:.0f} ms, read in {trial.read_seconds * 1_000:.0f} ms"
    yield ok("destination", f"{destination.describe()}; a canary was {times}")
    yield _deletion(trial, migration)
    yield from _checksums(trial)
    yield from _metadata(trial, migration)
    yield from _room(trial, expected)
    yield _skew(trial, signed=destination.capabilities.transport == "objects")
    yield from _versions(destination, migration)


def _deletion(trial: Trial, migration: Migration) -> Finding:
    if not trial.cannot_delete:
        return ok("destination", "the canary was deleted again")
    text = f"the canary cannot be deleted: {trial.cannot_delete}"
    if migration.options.preserve_deleted_files == "REMOVE":
        return failure("destination", text, "preserve_deleted_files = REMOVE needs the right to delete: grant it.")
    return warning("destination", text, "Files that change their type cannot replace their old form; grant deletion.")


def _checksums(trial: Trial) -> Iterator[Finding]:
    if trial.checks_checksums is None or trial.checks_uploads is None:
        return
    unchecked = [
        what
        for what, checked in (("objects", trial.checks_checksums), ("uploads in parts", trial.checks_uploads))
        if not checked
    ]
    if trial.hashes_bodies:
        yield ok(
            "destination",
            "the server does not know CRC64NVME; its ETags are MD5s, which are compared with what was sent",
        )
    elif unchecked:
        yield warning(
            "destination",
            f"the server took {' and '.join(unchecked)} with a wrong CRC64NVME",
            "They are not verified by the server: run xsync verify --read-source afterwards, or another server.",
        )
    else:
        yield ok("destination", "the server refuses wrong checksums, of objects and of uploads in parts")


def _metadata(trial: Trial, migration: Migration) -> Iterator[Finding]:
    wants_owner = "INT_VALUE" in (migration.options.uid, migration.options.gid)
    if trial.keeps_owner is False and wants_owner:
        yield warning(
            "destination",
            "owners cannot be set: files will belong to the account that runs xsync",
            "Run as root, and export the share without root_squash; or set uid and gid to NONE.",
        )
    if trial.keeps_xattrs is False:
        yield warning("destination", "extended attributes cannot be set", "They and POSIX ACLs will be lost.")
    if trial.keeps_backslashes is False:
        yield warning(
            "destination",
            "the server makes a / of \\ in names",
            "Files and folders with a \\ in their path fail: rename them, or use another server.",
        )
    if trial.folds_names:
        yield warning(
            "destination",
            "names that differ in case or Unicode form alone are one name there",
            "The first copied keeps the name, others fail: xsync survey --for lists them.",
        )


def _room(trial: Trial, expected: Expected | None) -> Iterator[Finding]:
    if trial.free_bytes is None:
        return
    free = f"{format_bytes(trial.free_bytes)} free"
    if trial.free_files is not None:
        free += f", room for {format_count(trial.free_files)} files"
    if expected is None:
        yield ok("destination", f"{free}; what is to come is not known: xsync survey")
    elif expected.bytes > trial.free_bytes or (trial.free_files is not None and expected.files > trial.free_files):
        yield warning(
            "destination",
            f"{free}, and the source has {format_bytes(expected.bytes)} in {format_count(expected.files)} files",
            "It may be there in part already; else make room, or the run will pause when the disk is full.",
        )
    else:
        yield ok("destination", f"{free} for {format_bytes(expected.bytes)} in {format_count(expected.files)} files")


def _skew(trial: Trial, *, signed: bool) -> Finding:
    skew = trial.clock_skew_seconds
    text = f"the destination's clock is {abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}"
    if signed and abs(skew) > SIGNING_SECONDS:
        return failure("clock", text, "S3 refuses requests 15 minutes off: set this host's clock (chrony, ntp).")
    if abs(skew) > MOST_SKEW_SECONDS:
        return warning("clock", text, "Changes are told by clocks: set them (chrony, ntp).")
    return ok("clock", text)


def _versions(destination: Any, migration: Migration) -> Iterator[Finding]:
    if destination.capabilities.transport != "objects":
        return
    try:
        versions = destination.keeps_versions()
    except LocationError:
        return
    if versions and migration.options.preserve_deleted_files == "REMOVE":
        yield warning(
            "destination",
            "the bucket keeps versions: what is deleted or replaced stays as a noncurrent version, and costs",
            "Expire noncurrent versions by a lifecycle rule if they are not wanted.",
        )
