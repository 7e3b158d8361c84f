"""Whether a run lists its destination first, and the listing: for what the state does not know or no longer vouches."""

from __future__ import annotations

import asyncio
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.catalog.destination import extra, listing_error, sort_listing
from engine.catalog.files import replacing
from engine.catalog.state import read_state
from engine.decoding import from_json
from engine.errors import DestinationError, StoppedError
from engine.execution.committer import Committer
from engine.journal.writer import Journal
from engine.locations.base import Inspects
from engine.model import Event, Migration, Status
from engine.names import text_of
from engine.reporting.report import DRIFT
from engine.survey.listing import list_entries
from engine.survey.scan import SurveyProgress

if TYPE_CHECKING:
    from engine.execution.session import Session

LISTING = "destination.parquet"
"""What the destination held before the run, in the execution's folder until it ends: as ``sort_listing`` leaves it."""

RUNS = "runs.json"
"""Beside a state: how many runs took its word since the destination was last listed, and what was found since."""

BEAT_SECONDS = 0.5


class Drift(msgspec.Struct, frozen=True):
    """What a listing of the destination has shown. ``missing``, ``changed``: of what was known; they were sent again.

    ``gone``: files known to be put there that the source has no more. ``foreign``: files that others put there.
    """

    missing: int
    changed: int
    gone: int
    gone_bytes: int
    foreign: int
    foreign_bytes: int


class Runs(msgspec.Struct, frozen=True):
    """``unlisted``: runs between the same two sides since one listed the destination.

    ``doubted``: entries that a verification since the last run found to differ at the destination.
    """

    unlisted: int = 0
    doubted: int = 0


class Reason(NamedTuple):
    """Why a destination is listed: a word for events, and a sentence's end. ``adopts``: nothing was known before."""

    kind: str
    text: str


def read_runs(state: Path) -> Runs:
    """The count beside a state; what cannot be read counts as none."""
    try:
        return from_json((state / RUNS).read_bytes(), Runs)
    except (FileNotFoundError, msgspec.DecodeError):
        return Runs()


def count_run(state: Path, *, listed: bool, mends: bool = True) -> None:
    """Record that a run ended; ``mends``: it looked at all that may have been doubted. Raises OSError."""
    before = read_runs(state)
    _write_runs(state, Runs(0 if listed else before.unlisted + 1, 0 if mends else before.doubted))


def count_doubts(state: Path, doubted: int) -> None:
    """Record that a verification found so many entries to differ, for the next run to say. Raises OSError."""
    _write_runs(state, Runs(read_runs(state).unlisted, doubted))


def _write_runs(state: Path, runs: Runs) -> None:
    with replacing(state / RUNS) as file:
        file.write(msgspec.json.encode(runs))


async def tell_doubts(state: Path, committer: Committer) -> None:
    """Say what this run does about differences that a verification has found since the last one."""
    doubted = read_runs(state).doubted
    if doubted:
        text = (
            f"the last verification found {doubted:,} {'entry' if doubted == 1 else 'entries'} missing or changed at "
            "the destination: not taken for unchanged, but copied again"
        )
        await committer.call(lambda journal: journal.add_event(Event(time.time(), "warning", text)))


def reason_to_list(migration: Migration, destination: Inspects, state: Path, *, known: bool) -> Reason | None:
    """Why this run has to list its destination first, or None. ``known``: something is known about it.

    Raises DestinationError.
    """
    options = migration.options
    if options.transfer_mode == "ALL":
        return None
    if not known:
        if destination.is_empty():
            return None
        return Reason(
            "adopting", "it holds data already, and nothing is known about it: what matches is not sent again"
        )
    if options.delta == "destination":
        return Reason("drift", "delta = destination")
    if options.drift_every and read_runs(state).unlisted + 1 >= options.drift_every:
        return Reason("drift", f"as every {options.drift_every} runs, to find what was changed or lost there")
    return None


async def list_destination(folder: Path, migration: Migration, reason: Reason, committer: Committer) -> Path:
    """List the destination into the execution's ``folder``, shown to people meanwhile, and stopped when asked to.

    Raises DestinationError that names a folder that cannot be listed; StoppedError, with the status set.
    """
    stop = threading.Event()
    found = [0]

    def work() -> Path:
        try:
            return _list(folder, migration, stop.is_set, lambda now: found.__setitem__(0, now.entries))
        finally:
            shutil.rmtree(folder / "destination", ignore_errors=True)

    began = time.time()
    await committer.call(
        lambda journal: journal.add_event(Event(began, reason.kind, f"listing the destination first: {reason.text}"))
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    listing = asyncio.create_task(asyncio.to_thread(work))
    ended = Status.INTERRUPTED
    try:
        while not listing.done():
            if await _cancelled(committer):
                ended = Status.CANCELLED
                stop.set()
            text = f"listing the destination: {found[0]:,} entries"
            await committer.call(partial(_beat, text=text))
            await asyncio.wait({listing}, timeout=BEAT_SECONDS)
        sorted_ = await listing
    except StoppedError as error:
        text = str(error)
        await committer.call(lambda journal: journal.set_status(ended, text, time.time()))
        raise
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
    lasted = time.time() - began
    await committer.call(
        lambda journal: journal.add_event(
            Event(time.time(), reason.kind, f"the destination holds {found[0]:,} entries, listed in {lasted:.1f} s")
        )
    )
    return sorted_


async def conclude_listing(session: Session, committer: Committer, entries: Sequence[Path]) -> None:
    """Count the run, and tell what the listing of its destination has shown, if there was one.

    ``entries``: segments of a complete listing of the source. Raises JournalError, OSError.
    """
    session.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    mends = session.migration.retry is None
    await asyncio.to_thread(count_run, session.state, listed=session.listing is not None, mends=mends)
    if session.listing is None:
        return
    state = [session.state / file.name for file in read_state(session.state).files]
    beside = await asyncio.to_thread(extra, session.listing, entries, state, session.folder / f".{LISTING}.spill")
    known = session.known
    found = Drift(known.missing, known.changed, beside.gone, beside.gone_bytes, beside.foreign, beside.foreign_bytes)
    with replacing(session.folder / DRIFT) as file:
        file.write(msgspec.json.encode(found))
    text = (
        f"at the destination: {found.missing:,} missing and {found.changed:,} changed since they were put there, sent "
        f"again; {found.gone:,} no longer at the source; {found.foreign:,} foreign, left alone"
    )
    await committer.call(lambda journal: journal.add_event(Event(time.time(), "drift", text)))


def _list(
    folder: Path, migration: Migration, cancelled: Callable[[], bool], on_progress: Callable[[SurveyProgress], None]
) -> Path:
    listing = list_entries(
        migration.destination, migration.filters, folder / "destination", cancelled=cancelled, on_progress=on_progress
    )
    broken = listing_error(listing.files)
    if broken is not None:
        raise DestinationError(
            f"the destination's folder {text_of(broken[0]) or '/'} cannot be listed: {broken[1]}; "
            "what is missing or changed there cannot be told"
        )
    return sort_listing(listing.files, folder / LISTING)


def _beat(journal: Journal, text: str) -> None:
    journal.heartbeat(time.time(), None)
    journal.set_status(Status.PREPARING, text, time.time())


async def _cancelled(committer: Committer) -> bool:
    """Answer what people asked meanwhile; whether one asked to cancel."""
    cancelled = False
    for command in await committer.call(Journal.pending_commands):
        cancelled = cancelled or command.verb == "cancel"
        outcome = "done" if command.verb == "cancel" else "not done: the destination is being listed; ask again soon"
        await committer.call(partial(Journal.answer, command=command.id, outcome=outcome, at=time.time()))
    return cancelled
