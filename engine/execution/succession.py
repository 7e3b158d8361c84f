"""How a runner takes the place of interrupted executions, and folds what they had done into the state at its end.

In this order, so that a crash between any two steps leaves a truth: the new execution names whose place it is to take
(from its first moment); its runner, which holds the destination, marks them before its first unit, and takes over what
they have open; they keep their results, which count for the state, until the new one has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from engine import home
from engine.catalog.audit import write_files_parquet
from engine.catalog.compaction import compact
from engine.errors import BusyError, JournalError
from engine.execution.comparing.drift import LISTING
from engine.execution.earlier import differences, resumable
from engine.journal.reader import read_identities, read_segments, read_standing, read_succession
from engine.journal.records import SegmentKind
from engine.journal.writer import Journal
from engine.locks import FileLock, runner_lock, wait_for_agents
from engine.model import Event, Status
from engine.reporting.report import AUDIT

STUCK_SECONDS = 15.0
"""How long agents of an earlier execution, or a resume of it that is just refused, may take to go."""


def take_places(journal: Journal, warn: Callable[[str], None], *, real_folders: bool) -> None:
    """Mark the executions whose place this one takes, and take over what they have open at the destination.

    To be called with the destination locked, both sides known, and nothing done yet. ``warn`` gets a sentence for what
    stays as it is. ``real_folders``: of the destination; killed agents left temporary files there, which are removed in
    folders that this execution looks at. Raises BusyError while something of them still lives, JournalError.
    """
    execution = journal.execution()
    sides = execution.source_identity, execution.destination_identity
    with ExitStack() as held:
        older = []
        for name in journal.supersedes():
            folder = journal.folder.parent / name
            if not folder.exists():
                continue
            before = read_identities(folder)
            if any(before) and before != sides:
                warn(f"{name} stays as it is: it was interrupted between other sides, at the same place")
                continue
            held.enter_context(_claimed(folder))
            wait_for_agents(folder, STUCK_SECONDS)  # one that hangs could still write
            older.append(held.enter_context(Journal.open(folder)))
        for other in older:
            _take(journal, other)
            if real_folders and other.execution().migration.filters != execution.migration.filters:
                warn(
                    f"{other.execution().id} may have left temporary files in folders that the filters now leave out: "
                    "in an hour xsync cleanup removes them"
                )


def superseded_between(sides: tuple[str, str]) -> Iterator[Path]:
    """Folders of superseded executions between these sides that still have segments."""
    for folder in home.list_execution_folders(home.find_home()):
        with suppress(JournalError):
            if read_identities(folder) != sides or not read_succession(folder).superseded_by:
                continue
            if read_segments(folder, "results") or read_segments(folder, "entries"):
                yield folder


def cancelled_before(execution: str, sides: tuple[str, str]) -> bool:
    """Whether the latest other execution between these sides was cancelled, and has removed no temporaries."""
    for folder in reversed(home.list_execution_folders(home.find_home())):
        with suppress(JournalError):
            if folder.name != execution and read_identities(folder) == sides:
                return read_standing(folder).status is Status.CANCELLED
    return False


def results_of(folders: Sequence[Path]) -> Mapping[str, Sequence[Path]]:
    """Result segments by execution, as ``compact`` takes them. Raises JournalError."""
    return {folder.name: _paths(folder, "results") for folder in folders}


def fold(state: Path, folder: Path, sides: tuple[str, str], decided: Sequence[Path]) -> list[Path]:
    """Put the results of the execution in ``folder``, and of superseded ones between these ``sides``, into ``state``.

    Returns the folders of those, which can be settled then. Raises JournalError, OSError.
    """
    superseded = list(superseded_between(sides))
    compact(state, {**results_of(superseded), folder.name: decided})  # at once: the newest fact wins
    return superseded


def settle(folder: Path) -> None:
    """Let go of the segments of a superseded execution whose results the state holds; its audit trail stays.

    Raises JournalError, BusyError, OSError.
    """
    with runner_lock(folder), Journal.open(folder) as journal:
        listed, decided = _paths(folder, "entries"), _paths(folder, "results")
        write_files_parquet(listed, decided, folder / AUDIT)
        journal.drop_segments()
    for path in (*listed, *decided, folder / LISTING):
        path.unlink(missing_ok=True)


def _take(journal: Journal, older: Journal) -> None:
    execution, other = journal.execution(), older.execution()
    by = older.superseded_by()
    totals = older.totals()
    if by != execution.id:
        if not resumable(older.status(), totals.files.pending, totals.listing_complete):
            return  # somebody went on with it, and it has ended, since this one was asked for
        older.supersede(execution.id, time.time())
        journal.add_event(Event(time.time(), "supersedes", f"takes the place of {other.id}, which was interrupted"))
    # Parts that were sent can be used by what would have sent them in the same way.
    differs = differences(other.migration, execution.migration)
    usable = not any(key.startswith(("source.", "destination.", "options.")) for key in differs)
    journal.take_uploads(older.open_uploads(), older.intents().items(), usable=usable)
    older.forget_uploads()


def _claimed(folder: Path) -> FileLock:
    deadline = time.monotonic() + STUCK_SECONDS
    while True:
        try:
            return runner_lock(folder)
        except BusyError:
            if time.monotonic() >= deadline:
                raise


def _paths(folder: Path, kind: SegmentKind) -> list[Path]:
    return [folder / segment.file for segment in read_segments(folder, kind)]
