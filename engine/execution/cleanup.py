"""What broken runs left behind at a destination: open uploads and temporary files; only what is surely ours goes.

An upload is ours if a journal of this account has it, or if its key is one that a journal meant to upload to and it was
begun after that (safety.md, Parts). A temporary file is ours by its name, once it is too old for a run on another host.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from engine import home, locks
from engine.errors import BusyError, DestinationError, JournalError
from engine.execution.earlier import resumable
from engine.execution.uploads import CLOCK_SKEW_SECONDS
from engine.journal.reader import read_identities, read_left_open, read_migration, read_snapshot
from engine.journal.writer import Journal
from engine.locations.base import OpenUpload
from engine.locations.registry import destination_key, open_location, scheme_of
from engine.model import LocationSpec
from engine.names import OWN_PREFIX

QUIET_SECONDS = 3600.0
"""A temporary file of no journal here that changed since then may belong to a run on another host: it stays."""

_TEMPORARY = re.compile(re.escape(OWN_PREFIX.decode()) + r"[0-9a-f]{16}")


class Leftover(NamedTuple):
    """An upload or temporary file. ``path``: below the destination. ``initiated_at``: seconds since the epoch.

    ``ours``: journal, intent or temporary; "" for what is listed and never touched. ``execution`` has it in its
    journal; ``resumable``: that one could still go on with it. ``upload``: its row there.
    """

    path: bytes
    upload_id: str
    initiated_at: float
    ours: str = ""
    execution: str | None = None
    resumable: bool = False
    upload: int | None = None


class Cleaner:
    """Works on one destination while it is locked against runs of this account; see ``cleaning``."""

    def __init__(self, spec: LocationSpec, location: Any) -> None:
        self._spec = spec
        self._location = location
        self._prefix = destination_key(spec)[1]
        self._uploads: dict[tuple[bytes, str], tuple[str, bool, int]] = {}
        self._intents: dict[bytes, tuple[float, str]] = {}
        for folder in home.list_execution_folders(home.find_home()):
            self._read(folder)

    def leftovers(self) -> Iterator[Leftover]:
        """All that is open below the destination, whoever made it. Raises DestinationError."""
        for found in self._location.open_uploads():
            yield self._judge(found)

    def discard(self, leftover: Leftover) -> None:
        """Abort an upload of ours, or remove a temporary file. Raises DestinationError, JournalError, BusyError."""
        if not leftover.ours:
            raise DestinationError(f"{leftover.upload_id} is not known to be xsync's: it is left alone")
        self._location.abort(leftover.path, leftover.upload_id)
        if leftover.upload is not None and leftover.execution is not None:
            folder = home.find_home().executions / leftover.execution
            with locks.runner_lock(folder), Journal.open(folder) as journal:
                journal.end_upload(leftover.upload)

    def _judge(self, found: OpenUpload) -> Leftover:
        whole = _join(self._prefix, found.path)
        known = self._uploads.get((whole.rpartition(b"/")[0], found.upload_id))
        if known is not None:
            return Leftover(*found, "journal", *known)
        if scheme_of(self._spec.url) == "file":
            quiet = found.initiated_at < time.time() - QUIET_SECONDS
            return Leftover(*found, "temporary" if quiet and _TEMPORARY.fullmatch(found.upload_id) else "")
        intended_at, execution = self._intents.get(whole, (float("inf"), ""))
        if found.initiated_at >= intended_at - CLOCK_SKEW_SECONDS:
            return Leftover(*found, "intent", execution)
        return Leftover(*found)

    def _read(self, folder: Path) -> None:
        """Take in what the journal of an execution with this destination, or one in it or around it, has open."""
        try:
            spec = read_migration(folder).destination
            identity = read_identities(folder)[1]
            if not identity or _holder(spec, identity) != _holder(self._spec, self._location.identity()):
                return
            uploads, intents = read_left_open(folder)
            snapshot = read_snapshot(folder)
        except JournalError:
            return  # damaged or of another version: nothing of it is known to be ours
        totals = snapshot.totals
        goes_on = resumable(snapshot.status, totals.files.pending, totals.listing_complete)
        prefix = destination_key(spec)[1]
        for number, path, upload_id in uploads:
            place = _join(prefix, path).rpartition(b"/")[0]
            self._uploads[place, upload_id] = (folder.name, goes_on, number)
        for path, at in intents.items():
            known = self._intents.setdefault(_join(prefix, path), (at, folder.name))
            if at < known[0]:
                self._intents[_join(prefix, path)] = (at, folder.name)


@contextmanager
def cleaning(spec: LocationSpec) -> Iterator[Cleaner]:
    """Hold the destination while it is looked at and cleaned. Raises BusyError if a run of this account holds it."""
    place = destination_key(spec)
    account = home.account_name(os.geteuid())
    holder = locks.Holder("cleanup", None, account, socket.gethostname(), os.getpid(), time.time())
    with locks.destination_lock(home.prepare_home().locks, *place, holder):
        location = open_location(spec)
        try:
            yield Cleaner(spec, location)
        finally:
            location.close()


def discard_all(cleaner: Cleaner, leftovers: Iterable[Leftover]) -> list[tuple[Leftover, str]]:
    """Discard what is ours among ``leftovers``; returns those that could not be, and why."""
    failed = []
    for leftover in leftovers:
        if leftover.ours:
            try:
                cleaner.discard(leftover)
            except (DestinationError, JournalError, BusyError) as error:
                failed.append((leftover, str(error)))
    return failed


def _holder(spec: LocationSpec, identity: str) -> str:
    """What holds the data: of a bucket its identity without the prefix, so that one made anew is another."""
    name, prefix = destination_key(spec)
    if scheme_of(spec.url) == "file":
        return name
    return identity.removesuffix(f"/{prefix.decode()}/" if prefix else "/")


def _join(prefix: bytes, path: bytes) -> bytes:
    return b"/".join(part for part in (prefix, path) if part)
