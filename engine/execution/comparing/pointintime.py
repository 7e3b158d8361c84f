"""The end of a run with verify_mode POINT_IN_TIME_CONSISTENT: both sides are listed again and compared."""

from __future__ import annotations

import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path

import msgspec

from engine.catalog.files import replacing
from engine.errors import LocationError
from engine.execution.committer import Committer
from engine.execution.comparing.verification import Facts, Progress, Verification, Verifier, distrust
from engine.execution.session import Session, held
from engine.journal.writer import Journal
from engine.model import Event, Limit, Status
from engine.reporting.report import DIFFERENCES, VERIFICATION

BEAT_SECONDS = 0.5


async def verify_session(session: Session, committer: Committer) -> str:
    """Prove that the destination equals what was read and that the source is as it was then; why not, or "".

    Works with the compacted state; leaves VERIFICATION and DIFFERENCES in the execution's folder. What is foreign at
    the destination is counted and no reason. Raises OSError, JournalError.
    """
    progress = [Progress("listing the source", 0)]
    limit = await committer.call(Journal.limit)
    work = asyncio.create_task(asyncio.to_thread(_verify, session, limit, progress))
    while not work.done():
        step, entries = progress[0]
        await committer.call(partial(_beat, text=f"{step}: {entries:,} entries"))
        await asyncio.wait({work}, timeout=BEAT_SECONDS)
    try:
        found = await work
    except LocationError as error:
        return f"not verified: {error}"
    with replacing(session.folder / VERIFICATION) as file:
        file.write(msgspec.json.encode(found))
    faults = {name: count for name, count in found.differences.items() if name != "foreign"}
    number = sum(faults.values())
    await committer.set_differences(number)
    text = ", ".join(f"{count:,} {name}" for name, count in sorted(found.differences.items())) or "nothing differs"
    event = Event(time.time(), "verified", f"{found.files:,} files and {found.folders:,} folders compared: {text}")
    await committer.call(lambda journal: journal.add_event(event))
    if not faults:
        return ""
    return (
        f"verification found {number:,} difference{'s'[: number != 1]} ({text}): see {session.folder / DIFFERENCES}. "
        "The next run copies again what is missing or changed at the destination"
    )


def _verify(session: Session, limit: Limit, progress: list[Progress]) -> Verification:
    sides, began_ns = session.sides, time.time_ns()
    with tempfile.TemporaryDirectory(prefix=".verify-", dir=session.folder) as folder:
        verifier = Verifier(
            session.migration,
            Path(folder),
            source=sides.source,
            destination=sides.destination,
            held=lambda listing: held(listing, sides.source, sides.destination, session.migration.options),
            began_at=session.execution.started_at,
            strict=True,
            limit=limit,
            on_progress=lambda now: progress.__setitem__(0, now),
        )
        found = verifier.run(Facts(session.state), session.folder / DIFFERENCES)
        if found.mendable:
            facts, tried_ns = Facts(session.state), round(session.execution.started_at * 1e9)
            distrust(facts, session.folder / DIFFERENCES, began_ns, Path(folder), sides.destination, tried_ns)
        return found


def _beat(journal: Journal, text: str) -> None:
    journal.heartbeat(time.time(), None)
    journal.set_status(Status.VERIFYING, text, time.time())
