"""What an execution that goes on does not list again: when that was listed, and what follows for later changes."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from engine.errors import JournalError


class ListedBefore(msgspec.Struct, frozen=True):
    """When earlier sessions listed (seconds since the epoch). ``complete``: the source is not listed again at all."""

    began_at: float
    ended_at: float
    complete: bool


def listed_before(folder: Path) -> ListedBefore | None:
    """Of the execution in ``folder``; None if nothing is listed yet. Raises JournalError."""
    from engine.journal.reader import read_segments, read_snapshot

    segments = [folder / segment.file for segment in read_segments(folder, "entries")]
    if not segments:
        return None
    try:
        ended_at = max(path.stat().st_mtime for path in segments)
    except OSError as error:
        raise JournalError(f"what {folder.name} has listed cannot be read: {error}") from error
    snapshot = read_snapshot(folder)
    return ListedBefore(snapshot.started_at, ended_at, snapshot.totals.listing_complete)


def words(listed: ListedBefore) -> str:
    """A sentence without its full stop, in UTC."""
    began, ended = (time.strftime("%Y-%m-%d %H:%M", time.gmtime(at)) for at in (listed.began_at, listed.ended_at))
    day, _, minute = ended.partition(" ")
    span = began if began == ended else f"{began} - {minute if began.startswith(day) else ended}"
    if listed.complete:
        return f"the source was listed {span} UTC, and is not again: what changed there since is for the next run"
    return f"folders listed {span} UTC are not listed again: what changed in them since is for the next run"
