"""Ends an interrupted execution for good, without a runner: what it had copied counts, what it has open is given up.

The steps are those of any end: its results are folded into the state, the report is written, and one transaction
forgets the segments and says CANCELLED. Killed before that, it can be resumed, or ended once more. What could not be
removed from the destination stays in the journal; ending it again goes on with that.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from engine.catalog.audit import write_files_parquet
from engine.errors import UsageError
from engine.execution.committer import full_disk_named
from engine.execution.comparing.drift import LISTING
from engine.execution.earlier import resumable
from engine.execution.launch import superseded_error
from engine.execution.open_ends import give_up
from engine.execution.prepare import claim_destination
from engine.execution.session import SPILL, paths, state_folder_of
from engine.execution.succession import fold, settle
from engine.journal.reader import SnapshotReader
from engine.journal.records import this_runner
from engine.journal.writer import Journal
from engine.locks import runner_lock, wait_for_agents
from engine.model import Event, Status
from engine.reporting.report import AUDIT, REPORT, write_report

STUCK_SECONDS = 15.0
"""How long agents of the runner that was killed may take to go."""


class Ended(NamedTuple):
    """``discarded``: uploads given up; ``problem``: why something stays open at the destination; empty: nothing does.

    ``before``: it had ended as CANCELLED already.
    """

    discarded: int
    problem: str
    before: bool


def abandon(folder: Path, who: str) -> Ended:
    """End the interrupted execution in ``folder`` because ``who`` asked for it.

    Raises BusyError while anything works on it or at its destination, UsageError if it has ended otherwise,
    RefusedError if it was superseded, JournalError, OSError.
    """
    with runner_lock(folder), full_disk_named(folder):
        wait_for_agents(folder, STUCK_SECONDS)
        with Journal.open(folder) as journal:
            _refuse(journal)
            with claim_destination(journal.execution().migration, folder.name):
                again = journal.status() is Status.CANCELLED
                return _give_up_again(journal) if again else _end(journal, who)


def _refuse(journal: Journal) -> None:
    """Raise an error unless it was interrupted, or cancelled."""
    name, status, totals = journal.folder.name, journal.status(), journal.totals()
    if by := journal.superseded_by():
        raise superseded_error(name, by)
    if status is not Status.CANCELLED and not resumable(status, totals.files.pending, totals.listing_complete):
        raise UsageError(f"{name} has ended as {status}: there is nothing to cancel. See: xsync report {name}")


def _end(journal: Journal, who: str) -> Ended:
    folder, execution, now = journal.folder, journal.execution(), time.time()
    with journal.transaction():
        journal.set_runner(this_runner(), now)
        journal.set_status(Status.CANCELLING, "", now)
    entries, results = journal.segments("entries"), journal.segments("results")
    listed, decided = paths(folder, entries), paths(folder, results)
    write_files_parquet(listed, decided, folder / AUDIT)
    superseded: list[Path] = []
    sides = execution.source_identity, execution.destination_identity
    if any(sides):
        superseded = fold(state_folder_of(*sides), folder, sides, decided)
    discarded, problem = give_up(journal, listed)
    for each in superseded:
        settle(each)
    totals = journal.totals()
    left = f"{'' if totals.listing_complete else 'at least '}{totals.files.pending:,} files left"
    message = f"cancelled by {who} after it was interrupted, with {left}" + (f"; {problem}" if problem else "")
    ended_at = _report(journal, message)
    with journal.transaction():
        journal.add_event(Event(now, "cancel", f"{who} ended it for good: {left}, what it had copied counts"))
        if problem:
            journal.add_event(Event(now, "warning", problem))
        journal.drop_segments(None if not problem else "results")
        journal.set_status(Status.CANCELLED, message, ended_at)
    _let_go(journal)
    return Ended(discarded, problem, before=False)


def _give_up_again(journal: Journal) -> Ended:
    """What an end could not remove, from the destination or here."""
    listed = paths(journal.folder, journal.segments("entries"))
    is_open = bool(listed or journal.open_uploads() or journal.intents())
    discarded, problem = give_up(journal, listed) if is_open else (0, "")
    if is_open and not problem:
        with journal.transaction():
            journal.add_event(Event(time.time(), "cancel", "nothing is open at the destination any more"))
            journal.drop_segments()
    _let_go(journal)
    return Ended(discarded, problem, before=True)


def _let_go(journal: Journal) -> None:
    """Remove segments that the journal does not name any more, or never did."""
    kept = {segment.file for kind in ("entries", "results") for segment in journal.segments(kind)}
    for path in (journal.folder / LISTING, *journal.folder.glob("entries-*"), *journal.folder.glob("results-*")):
        if path.name not in kept:
            path.unlink(missing_ok=True)
    shutil.rmtree(journal.folder / SPILL, ignore_errors=True)


def _report(journal: Journal, message: str) -> float:
    """Write the report; returns when the last runner worked, which is what rates are told by."""
    folder = journal.folder
    with SnapshotReader(folder) as reader:
        snapshot = reader.read()
        ended_at = max([snapshot.started_at, *(sample.at for sample in reader.history(1))])
        snapshot = msgspec.structs.replace(snapshot, status=Status.CANCELLED, message=message, ended_at=ended_at)
        said = _written(folder)
        write_report(folder, snapshot, reader, said.get("transfer_seconds", 0.0), said.get("phase_seconds", {}))
    return ended_at


def _written(folder: Path) -> dict[str, Any]:
    """The report of the session before; empty if its runner was killed."""
    try:
        return cast("dict[str, Any]", json.loads((folder / REPORT).read_bytes()))
    except (OSError, ValueError):
        return {}
