"""What an execution without a runner has open at its destination, uploads and temporary files: it is given up.

Nothing under its final name is touched: an upload that was completed in the last moment is gone as an upload.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from engine.catalog.folders import folders_with_entries
from engine.errors import DestinationError, LocationError, UnavailableError
from engine.execution.session import SPILL
from engine.execution.uploads import discard_intended
from engine.journal.reader import read_succession
from engine.journal.records import Execution
from engine.journal.writer import Journal
from engine.locations.posix_folders import Folders
from engine.locations.registry import open_location
from engine.locks import runner_lock
from engine.names import text_of
from engine.transfer.folders import sweep_folder

ANSWER_SECONDS = 30.0
"""How long a destination may take to say what it is: a mount whose server is gone never does."""

_T = TypeVar("_T")


class GivenUp(NamedTuple):
    """How many uploads were discarded, and why something may stay open; empty: nothing does."""

    discarded: int
    problem: str


def give_up(journal: Journal, listed: Sequence[Path]) -> GivenUp:
    """Discard what the execution has open, as far as the destination can be reached; the rest stays in the journal.

    To be called with runner and destination locked. ``listed``: its segments of entries: killed agents left temporary
    files in folders that they name. Raises JournalError, BusyError.
    """
    execution, taken = journal.execution(), list(_taken(journal))
    if not (listed or taken or journal.open_uploads() or journal.intents()):
        return GivenUp(0, "")
    problems: list[str] = []
    discarded = 0
    try:
        location = _within(ANSWER_SECONDS, lambda: _reach(execution))
    except (LocationError, OSError) as error:
        problems.append(str(error))
    else:
        try:
            discarded = _discard(journal, location, problems)
            for folder in taken:
                with runner_lock(folder), Journal.open(folder) as older:
                    discarded += _discard(older, location, problems)
            if location.capabilities.real_folders:
                _sweep(location.folders, folders_with_entries(listed, journal.folder / SPILL), problems)
        finally:
            location.close()
    return GivenUp(discarded, _words(journal, problems) if problems else "")


def _words(journal: Journal, problems: Sequence[str]) -> str:
    count = len(journal.open_uploads())
    what = f"{count:,} upload{'' if count == 1 else 's'}" if count else "uploads or temporary files"
    name = journal.folder.name
    return f"{what} may stay open at the destination: {problems[0].rstrip('.')}. Repeat it then: xsync cancel {name}"


def _taken(journal: Journal) -> Iterator[Path]:
    """Executions whose place it took, and maybe not yet what they had open: it may have been killed in between."""
    for name in journal.supersedes():
        folder = journal.folder.parent / name
        if folder.exists() and read_succession(folder).superseded_by == journal.folder.name:
            yield folder


def _reach(execution: Execution) -> Any:
    """The destination, if it is the one that was written to. Raises LocationError, OSError."""
    location: Any = open_location(execution.migration.destination)
    found = location.identity()
    if found != execution.destination_identity:
        location.close()
        raise DestinationError(
            f"the destination is not what it was (it was {execution.destination_identity}, it is {found}): "
            "is its file system still mounted?"
        )
    return location


def _discard(journal: Journal, location: Any, problems: list[str]) -> int:
    """Discard the uploads of a journal, and what it meant to begin; returns how many it knew and are gone."""
    discarded = 0
    try:
        for upload in journal.open_uploads():
            with _noted(problems):
                location.abort(upload.path, upload.upload_id)
                journal.end_upload(upload.id)
                discarded += 1
        intents = journal.intents()
        if intents and not location.capabilities.real_folders:  # there, they are temporary files
            discard_intended(location, intents)
        if not problems:
            journal.forget_uploads()
    except DestinationError as error:
        problems.append(str(error))
    return discarded


@contextmanager
def _noted(problems: list[str]) -> Iterator[None]:
    """What fails keeps no other from being tried, unless nothing can be reached. Raises UnavailableError."""
    try:
        yield
    except UnavailableError:
        raise
    except DestinationError as error:
        problems.append(str(error))


def _sweep(folders: Folders, paths: Iterator[bytes], problems: list[str]) -> None:
    """Remove temporaries from folders of the destination."""
    for path in paths:
        try:
            sweep_folder(folders.open(path).fd)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            problems.append(f"{text_of(path) or '/'} cannot be looked at: {error.strerror or error}")


def _within(seconds: float, ask: Callable[[], _T]) -> _T:
    """What ``ask`` returns or raises; DestinationError if it does neither in time: its thread is left alone."""
    found: list[_T] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            found.append(ask())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, name="reach", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not found:
        raise DestinationError(f"it has not answered for {seconds:.0f} s")
    return found[0]
