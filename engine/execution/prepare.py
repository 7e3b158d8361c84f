"""What a runner does before its first unit: locations, checks, locks, tasks, and what is already known."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import home, locks
from engine.errors import DestinationError, JournalError, RefusedError, SourceError, WrongDestinationError
from engine.execution.mounts import mounts_in_turn
from engine.execution.vanished import refuse_vanished
from engine.filters import Filters
from engine.locations.base import Location, ServerChecks
from engine.locations.registry import contains, destination_key, open_location
from engine.model import LocationSpec, Migration, TaskSnapshot
from engine.planning.partition import MOST_TASKS, TaskPlan, deal_unknown
from engine.planning.values import KNEE_BYTES
from engine.survey.cutting import cut
from engine.survey.report import latest_survey


@dataclass(frozen=True, slots=True)
class Sides:
    """Both ends of a migration, open and checked, with what identifies them.

    ``server_checks``: how the destination was seen to prove what it received. ``source_mounts``,
    ``destination_mounts``: what agents take in turn; of the source each with the identity it has there.
    ``marker_metadata``: the destination keeps the metadata of folder markers. ``folds_names``: it is a file system
    where names that differ in case or Unicode form alone are one. Found out once: an agent that tried it when it starts
    would touch a folder whose last times may be set by then.
    """

    source: Any
    destination: Any
    source_identity: str
    destination_identity: str
    server_checks: ServerChecks
    source_mounts: Sequence[tuple[LocationSpec, str]]
    destination_mounts: Sequence[LocationSpec]
    marker_metadata: bool = True
    folds_names: bool = False


def open_sides(migration: Migration) -> Sides:
    """Open and check both locations, at the same time.

    Raises SourceError, DestinationError; RefusedError if one lies inside the other; UsageError if filters or manifest
    cannot be used, here and not in every agent.
    """
    Filters(migration.filters)
    if contains(migration.source, migration.destination) and contains(migration.destination, migration.source):
        raise RefusedError(f"source and destination are the same folder: {migration.source.url}; choose another one")
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
        checks = pool.submit(_server_checks, writer)
        markers = pool.submit(_keeps_marker_metadata, writer)
        _try_backslashes(writer)
    destinations = mounts_in_turn(migration.destination, writer, DestinationError)
    return Sides(
        reader,
        writer,
        source_identity,
        destination_identity,
        checks.result(),
        source_mounts=mounts_in_turn(migration.source, reader, SourceError),
        destination_mounts=[spec for spec, _ in destinations],
        marker_metadata=markers.result(),
        folds_names=_folds_names(writer),
    )


def claim_destination(migration: Migration, execution: str) -> locks.FileLock:
    """Lock the destination against every other run of this account. Raises BusyError that says who holds it."""
    account = home.account_name(os.geteuid())
    holder = locks.Holder(execution, migration.name, account, socket.gethostname(), os.getpid(), time.time())
    identity, prefix = destination_key(migration.destination)
    return locks.destination_lock(home.find_home().locks, identity, prefix, holder)


def plan_tasks(sides: Sides, migration: Migration, spill: Path) -> Sequence[TaskPlan]:
    """Cut the source into tasks by its last complete survey, or by its top-level folders where there is none.

    ``spill``: for what queries do not keep in memory. Raises RefusedError if tasks by a level need a survey, or are
    too many.
    """
    surveys = home.find_home().surveys
    survey = latest_survey(surveys, sides.source_identity)
    found = None
    if survey is not None and not survey.partial:
        with suppress(JournalError):  # a catalog that cannot be read is like none: a run does without
            found = cut(
                surveys,
                survey,
                Filters(migration.filters),
                migration.agents,
                KNEE_BYTES,
                spill,
                level=migration.task_level,
            )
    if found is None:
        if migration.task_level is not None:
            raise RefusedError(
                f"tasks.level = {migration.task_level} needs the folders of the source: survey it first "
                f"(xsync survey {migration.source.url}), or leave the level out"
            )
        found = deal_unknown(sides.source.top_folders(), migration.agents)
    if len(found.tasks) > MOST_TASKS:
        raise RefusedError(
            f"tasks.level = {migration.task_level} makes {len(found.tasks):,} tasks, at most {MOST_TASKS:,} are "
            "possible: choose a lower level, or leave it out"
        )
    return found.tasks


def task_snapshots(plans: Sequence[TaskPlan], agents: Sequence[str]) -> list[TaskSnapshot]:
    """The tasks as the journal keeps them."""
    return [TaskSnapshot(plan.name, plan.include, plan.exclude, agents[plan.agent]) for plan in plans]


def agent_names(count: int) -> list[str]:
    """agent-1 .. agent-``count``."""
    return [f"agent-{number}" for number in range(1, count + 1)]


def _server_checks(destination: Any) -> ServerChecks:
    """Try an object with a wrong checksum; a server that does not say what is wrong with it counts as not checking."""
    if destination.capabilities.transport != "objects":
        return ""
    with suppress(DestinationError):
        if destination.probe_checksums():
            return "crc64nvme"
    with suppress(DestinationError):
        if destination.probe_hashes():
            return "md5"
    return ""


def _keeps_marker_metadata(destination: Any) -> bool:
    """Try a folder's marker: some servers make a folder of it and forget the rest."""
    if destination.capabilities.transport != "objects":
        return True
    try:
        return bool(destination.probe_markers())
    except DestinationError:
        return True


def _try_backslashes(destination: Any) -> None:
    """Find out whether names may hold them; what cannot be tried counts as kept."""
    if destination.capabilities.transport == "objects":
        with suppress(DestinationError):
            if not destination.probe_backslashes():
                destination.lose_backslashes()


def _folds_names(destination: Any) -> bool:
    """What check_destination() found by trying."""
    return destination.capabilities.transport == "files" and bool(destination.folders.folds)


def _source(migration: Migration) -> tuple[Location, str]:
    location = open_location(migration.source)
    refuse_vanished("source", migration.source, location)
    location.check_source()
    return location, location.identity()


def _destination(migration: Migration) -> tuple[Location, str]:
    present = [name for _, name in socket.if_nameindex()]
    if unknown := [name for name in migration.destination.interfaces if name not in present]:
        raise WrongDestinationError(
            f"interfaces: this host has no {', '.join(unknown)}; it has {', '.join(present)}. Correct [destination]"
        )
    location = open_location(migration.destination)
    refuse_vanished("destination", migration.destination, location)
    location.check_destination()
    return location, location.identity()
