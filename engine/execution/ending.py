"""What a runner does after its last unit: audit trail, state, report; then the status that everybody waits for."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.catalog.audit import write_files_parquet
from engine.execution.committer import Committer
from engine.execution.comparing.drift import LISTING, conclude_listing
from engine.execution.comparing.pointintime import verify_session
from engine.execution.comparing.removing import note_mounts
from engine.execution.foretelling.forecast import outcome as forecast_outcome
from engine.execution.session import SPILL, Session, paths
from engine.execution.succession import fold, settle
from engine.journal.reader import SnapshotReader
from engine.journal.writer import Journal
from engine.model import Status
from engine.reporting.report import AUDIT, write_report


class Outcome(NamedTuple):
    """How a session ended, one line about it, and how long units that copy were out."""

    status: Status
    message: str
    transfer_seconds: float


async def end(session: Session, committer: Committer, outcome: Outcome) -> None:
    """Write what remains of a session and set its final status. Raises JournalError, OSError.

    An execution with nothing left to do is folded into the state, after which its segments have served. One that can
    be resumed keeps them.
    """
    status, message, _ = outcome
    totals = committer.ledger.totals(listing_complete=True)
    listed_all = (await committer.call(Journal.totals)).listing_complete
    final = status is Status.CANCELLED or (status is not Status.INTERRUPTED and listed_all and not totals.files.pending)
    entries = await committer.call(lambda journal: journal.segments("entries"))
    results = await committer.call(lambda journal: journal.segments("results"))
    listed, decided = paths(session.folder, entries), paths(session.folder, results)
    await asyncio.to_thread(write_files_parquet, listed, decided, session.folder / AUDIT)
    if final and listed_all:
        await conclude_listing(session, committer, listed)
    superseded: list[Path] = []
    if final:
        sides = session.sides.source_identity, session.sides.destination_identity
        superseded = await asyncio.to_thread(fold, session.state, session.folder, sides, decided)
        await asyncio.to_thread(note_mounts, session, totals.deletions)
    problems = [message]
    if final and listed_all and session.migration.options.verify_mode == "POINT_IN_TIME_CONSISTENT":
        problems.append(await verify_session(session, committer))
    if any(problems[1:]):
        status, message = Status.ERROR, "; ".join(filter(None, problems))
        outcome = outcome._replace(status=status, message=message)
    session.resources.close()
    for folder in superseded:
        await asyncio.to_thread(settle, folder)
    ended_at = time.time()  # for both: they would say different seconds
    await asyncio.to_thread(_report, session, outcome, ended_at)

    def conclude(journal: Journal) -> None:
        with journal.transaction():
            if final:
                journal.drop_segments()
            journal.set_status(status, message, ended_at)

    await committer.call(conclude)
    shutil.rmtree(session.folder / SPILL, ignore_errors=True)
    for path in (*listed, *decided, session.folder / LISTING) if final else ():
        path.unlink(missing_ok=True)


def _report(session: Session, outcome: Outcome, ended_at: float) -> None:
    status, message, transfer_seconds = outcome
    with SnapshotReader(session.folder) as reader:
        snapshot = msgspec.structs.replace(reader.read(), status=status, message=message, ended_at=ended_at)
        whole = status is Status.SUCCESS and not session.before.segments
        said = forecast_outcome(session.folder, snapshot.seconds) if whole else None
        mended = session.known.missing + session.known.changed
        write_report(session.folder, snapshot, reader, transfer_seconds, session.phases, said, mended, session.listed)
