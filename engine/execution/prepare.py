"""What a runner does before its first unit: locations, checks, locks, tasks, and what is already known."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from engine import home, locks
from engine.errors import DestinationError, RefusedError, SourceError
from engine.execution.mounts import mounts_in_turn
from engine.locations.base import Location
from engine.locations.registry import contains, destination_key, open_location
from engine.model import LocationSpec, Migration, TaskSnapshot
from engine.planning.partition import FolderWeight, TaskPlan, partition
from engine.survey.report import latest_survey

KNEE_BYTES = 256 << 10
"""The size at which files/s and bytes/s bind alike until it is measured; published tests give 190 to 310 KB."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both ends of a migration, open and checked, with what identifies them.

    ``server_checks``: the destination was seen to refuse an object with a wrong checksum. ``source_mounts``,
    ``destination_mounts``: what agents take in turn; of the source each with the identity it has there.
    ``marker_metadata``: the destination keeps the metadata of folder markers.
    """

    source: Any
    destination: Any
    source_identity: str
    destination_identity: str
    server_checks: bool
    source_mounts: Sequence[tuple[LocationSpec, str]]
    destination_mounts: Sequence[LocationSpec]
    marker_metadata: bool = True


def open_sides(migration: Migration) -> Sides:
    """Open and check both locations, at the same time.

    Raises SourceError, DestinationError; RefusedError if one lies inside the other.
    """
    if contains(migration.source, migration.destination):
        raise RefusedError(
            f"the destination {migration.destination.url} lies inside the source {migration.source.url}: "
            "the run would copy its own copies; choose a folder outside the source"
        )
    if contains(migration.destination, migration.source):
        raise RefusedError(
            f"the source {migration.source.url} lies inside the destination {migration.destination.url}: "
            "the run could overwrite what it reads; choose another folder"
        )
    with ThreadPoolExecutor(2) as pool:
        source, destination = pool.submit(_source, migration), pool.submit(_destination, migration)
        (reader, source_identity), (writer, destination_identity) = source.result(), destination.result()
    destinations = mounts_in_turn(migration.destination, writer, DestinationError)
    return Sides(
        reader,
        writer,
        source_identity,
        destination_identity,
        _server_checks(writer),
        source_mounts=mounts_in_turn(migration.source, reader, SourceError),
        destination_mounts=[spec for spec, _ in destinations],
        marker_metadata=_keeps_marker_metadata(writer),
    )


def claim_destination(migration: Migration, execution: str) -> locks.FileLock:
    """Lock the destination against every other run of this account. Raises BusyError that says who holds it."""
    account = home.account_name(os.geteuid())
    holder = locks.Holder(execution, migration.name, account, socket.gethostname(), os.getpid(), time.time())
    identity, prefix = destination_key(migration.destination)
    return locks.destination_lock(home.find_home().locks, identity, prefix, holder)


def plan_tasks(sides: Sides, agents: int) -> list[TaskPlan]:
    """Cut the source into tasks by top-level folder, weighed by its latest survey if there is one."""
    survey = latest_survey(home.find_home().surveys, sides.source_identity)
    counted = {} if survey is None else {folder.path: folder for folder in survey.top_folders()}
    folders = []
    for name in sides.source.top_folders():
        known = counted.get(name)
        folders.append(FolderWeight(name, known.files if known else None, known.bytes if known else None))
    return partition(folders, agents, KNEE_BYTES)


def task_snapshots(plans: Sequence[TaskPlan], agents: Sequence[str]) -> list[TaskSnapshot]:
    """The tasks as the journal keeps them."""
    return [TaskSnapshot(plan.name, plan.include, plan.exclude, agents[plan.agent]) for plan in plans]


def agent_names(count: int) -> list[str]:
    """agent-1 .. agent-``count``."""
    return [f"agent-{number}" for number in range(1, count + 1)]


def _server_checks(destination: Any) -> bool:
    """Try an object with a wrong checksum; a server that does not say what is wrong with it counts as not checking."""
    if destination.capabilities.transport != "objects":
        return False
    try:
        return bool(destination.probe_checksums())
    except DestinationError:
        return False


def _keeps_marker_metadata(destination: Any) -> bool:
    """Try a folder's marker: some servers make a folder of it and forget the rest."""
    if destination.capabilities.transport != "objects":
        return True
    try:
        return bool(destination.probe_markers())
    except DestinationError:
        return True


def _source(migration: Migration) -> tuple[Location, str]:
    location = open_location(migration.source)
    location.check_source()
    return location, location.identity()


def _destination(migration: Migration) -> tuple[Location, str]:
    present = [name for _, name in socket.if_nameindex()]
    if unknown := [name for name in migration.destination.interfaces if name not in present]:
        raise DestinationError(
            f"interfaces: this host has no {', '.join(unknown)}; it has {', '.join(present)}. Correct [destination]"
        )
    location = open_location(migration.destination)
    location.check_destination()
    return location, location.identity()
