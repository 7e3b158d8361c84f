"""A retry: a new execution that covers only what failed in an earlier one, with the migration frozen in that."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine import home
from engine.catalog.audit import failed_paths
from engine.catalog.files import replacing
from engine.errors import RefusedError, UsageError, XsyncError
from engine.execution.earlier import resumable
from engine.filters import only_record
from engine.journal.reader import read_identities, read_migration, read_snapshot
from engine.journal.records import Execution, this_runner
from engine.journal.writer import Journal
from engine.model import Migration, Retry
from engine.reporting.report import AUDIT

ONLY = "only.list"
"""What a retry covers, in its own folder: FilterSpec.only."""


class Prepared(NamedTuple):
    """A retry that is ready to begin: its folder, and what it covers."""

    folder: Path
    covers: Retry


def prepare_retry(earlier: Path) -> Prepared | None:
    """Make the execution that retries what failed in ``earlier``; None if nothing did.

    It refuses to run between other sides than ``earlier`` did. Raises RefusedError while that still runs, UsageError
    if it has work left, XsyncError without its audit trail, JournalError, OSError.
    """
    _check_ended(earlier)
    found = read_migration(earlier)
    now = time.time()
    execution = home.new_execution_id(now, found.name)
    folder = home.private_folder(home.prepare_home().executions / execution)
    files = folders = 0
    with replacing(folder / ONLY) as file:
        for failed in failed_paths(earlier / AUDIT):
            file.write(only_record(failed.path, whole=failed.whole))
            files, folders = files + (not failed.is_folder), folders + failed.is_folder
    covers = Retry(earlier.name, files, folders)
    if not covers.files + covers.folders:
        shutil.rmtree(folder)
        return None
    frozen = Execution(execution, _restricted(found, covers, folder / ONLY), *read_identities(earlier), now)
    Journal.create(folder, frozen, this_runner()).close()
    return Prepared(folder, covers)


def _restricted(migration: Migration, covers: Retry, only: Path) -> Migration:
    filters = msgspec.structs.replace(migration.filters, only=str(only))
    # What a retry does not look at must not look deleted, nor missing at the destination.
    options = msgspec.structs.replace(
        migration.options, preserve_deleted_files="PRESERVE", delta="state", drift_every=0
    )
    return msgspec.structs.replace(migration, filters=filters, options=options, retry=covers)


def _check_ended(earlier: Path) -> None:
    snapshot = read_snapshot(earlier)
    name, totals = snapshot.execution, snapshot.totals
    if snapshot.runner_alive:
        raise RefusedError(
            f"{name} is running (pid {snapshot.runner_pid}): what fails can be retried when it has ended"
        )
    if snapshot.superseded_by:
        raise UsageError(f"{name} was superseded by {snapshot.superseded_by}: retry what failed in that")
    if resumable(snapshot.status, totals.files.pending, totals.listing_complete):
        raise UsageError(f"{name} is not finished: go on with it first: xsync resume {name}")
    if not (earlier / AUDIT).exists():
        raise XsyncError(f"{earlier / AUDIT} is missing: it says what failed. Copy what is left: xsync run")
