"""Makes listings and results durable in groups: segment, fsync, journal row; only then do they count."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute

from engine.catalog.compaction import merge_results
from engine.catalog.segments import RowGroup, Written, write_entries, write_results
from engine.errors import JournalError, StorageFullError
from engine.execution.coordination.messages import Chunk
from engine.execution.failures import failures_in_entries, failures_in_results
from engine.execution.ledger import Ledger
from engine.journal.records import Segment, SegmentKind
from engine.journal.writer import Journal
from engine.locations.base import PartResult
from engine.model import Action, Deletions

GROUP_SECONDS = 1.0
"""How long rows gather before they are committed, unless an agent waits for them."""

GROUP_ROWS = 200_000
"""Rows after which a commit does not wait."""

MERGE_SEGMENTS = 64
"""Result segments that are merged into one when so many small ones have gathered."""

_T = TypeVar("_T")


class Committed(NamedTuple):
    """What one commit made durable."""

    chunks: list[Chunk]
    scans: int


@dataclass(slots=True)
class _Group:
    """Rows waiting for a commit."""

    entries: list[pa.Table] = field(default_factory=list)
    results: list[pa.Table] = field(default_factory=list)
    unchanged: list[pa.Table] = field(default_factory=list)
    parts: list[tuple[int, Sequence[PartResult]]] = field(default_factory=list)
    ended_uploads: list[int] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(table.num_rows for table in (*self.entries, *self.results))

    def __bool__(self) -> bool:
        return bool(self.entries or self.results or self.unchanged or self.parts or self.ended_uploads)


class Committer:
    """The only writer of an execution's segments and journal; all its writing happens on one thread."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger([])
        self.proof: Callable[[], Awaitable[None]] | None = None
        """Asked before anything counts, after the last of it was reported; raises if it does not."""
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._group = _Group()
        self._session = self._number = 0
        self._last_commit = 0.0
        self._merge_at = MERGE_SEGMENTS
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Open the journal on the committer's thread. Raises JournalError."""
        loop = asyncio.get_running_loop()
        self._journal = await loop.run_in_executor(self._thread, Journal.open, self._folder)
        self._session = 1 + await self.call(_last_segment)

    @property
    def first_unit(self) -> int:
        """Above every unit id, and so every listing, of earlier sessions."""
        return self._session << 32

    async def call(self, function: Callable[[Journal], _T]) -> _T:
        """Run ``function`` with the journal, on its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, self._journal)

    def add_scan(self, rows: pa.Table) -> None:
        """Take the ENTRY_SCHEMA rows of one scan."""
        self._group.entries.append(rows)

    def add_results(self, rows: pa.Table) -> None:
        """Take RESULT_SCHEMA rows; RELEASED ones are no results."""
        decided = rows.filter(pa.compute.not_equal(rows["action"], int(Action.RELEASED)))
        if decided.num_rows:
            self._group.results.append(decided)

    def add_unchanged(self, rows: pa.Table) -> None:
        """Take ENTRY_SCHEMA rows that need no work."""
        if rows.num_rows:
            self._group.unchanged.append(rows)

    def add_parts(self, upload: int, parts: Sequence[PartResult]) -> None:
        """Take finished parts of an open upload."""
        self._group.parts.append((upload, parts))

    def end_upload(self, upload: int) -> None:
        """Forget an upload together with recording its file's result: a crash in between must find one of both."""
        self._group.ended_uploads.append(upload)

    def due(self, *, urgent: bool) -> bool:
        """Whether it is time to commit. ``urgent``: an agent has nothing to do until then."""
        waited = time.monotonic() - self._last_commit >= GROUP_SECONDS
        return bool(self._group) and (
            waited or (urgent and bool(self._group.entries)) or self._group.rows >= GROUP_ROWS
        )

    async def commit(self, *, listing_complete: bool = False) -> Committed:
        """Make everything taken so far durable. Raises StorageFullError, JournalError, and what ``proof`` does."""
        async with self._turn:
            group, self._group = self._group, _Group()
            try:
                if self.proof is not None:
                    await self.proof()
            except BaseException:
                self._put_back(group)
                raise
            writing = asyncio.ensure_future(self.call(lambda journal: self._write(journal, group, listing_complete)))
            try:
                chunks = await asyncio.shield(writing)
            except asyncio.CancelledError:
                # The thread cannot be stopped: what it commits now must not be committed once more.
                await asyncio.wait([writing])
                if writing.exception() is not None:
                    self._put_back(group)
                raise
            except Exception:
                self._put_back(group)
                raise
            self._last_commit = time.monotonic()
            await self.call(self._merge)
        return Committed(chunks, len(group.entries))

    async def set_deletions(self, deletions: Deletions | None) -> None:
        """Put into the ledger what REMOVE found at the destination; it is durable with the next commit."""

        def put(_: Journal) -> None:
            self.ledger.deletions = deletions

        await self.call(put)

    async def set_differences(self, count: int) -> None:
        """Record how many entries the verification after the last commit found to differ."""

        def put(journal: Journal) -> None:
            self.ledger.differences = count
            with journal.transaction():
                journal.set_totals(self.ledger.totals(listing_complete=True), self.ledger.by_task())

        await self.call(put)

    async def close(self) -> None:
        """Close the journal and end the thread."""
        await self.call(Journal.close)
        self._thread.shutdown()

    def _put_back(self, group: _Group) -> None:
        later = self._group
        self._group = _Group(
            group.entries + later.entries,
            group.results + later.results,
            group.unchanged + later.unchanged,
            group.parts + later.parts,
            group.ended_uploads + later.ended_uploads,
        )

    def _write(self, journal: Journal, group: _Group, listing_complete: bool) -> list[Chunk]:
        try:
            with full_disk_named(self._folder):
                return self._write_group(journal, group, listing_complete)
        except OSError as error:
            raise JournalError(f"{self._folder} cannot be written: {error.strerror or error}") from error

    def _write_group(self, journal: Journal, group: _Group, listing_complete: bool) -> list[Chunk]:
        entries = write_entries(self._name("entries"), pa.concat_tables(group.entries)) if group.entries else None
        results = write_results(self._name("results"), pa.concat_tables(group.results)) if group.results else None
        ledger = self.ledger.copy()
        for table in group.entries:
            ledger.listed(table)
        for table in group.unchanged:
            ledger.unchanged(table)
        for table in group.results:
            ledger.acted(table)
        failures = [*failures_in_entries(group.entries), *failures_in_results(group.results)]
        with journal.transaction():
            if entries is not None:
                journal.add_segment(_segment("entries", entries))
            if results is not None:
                journal.add_segment(_segment("results", results))
            for upload, parts in group.parts:
                journal.add_parts(upload, parts)
            for upload in group.ended_uploads:
                journal.end_upload(upload)
            journal.add_failures(failures)
            journal.set_totals(ledger.totals(listing_complete=listing_complete), ledger.by_task())
        self.ledger = ledger
        return chunks_of(entries.path.name, entries.groups) if entries else []

    def _name(self, kind: str) -> Path:
        self._number += 1
        return self._folder / f"{kind}-{self._session:06d}-{self._number:06d}.parquet"

    def _merge(self, journal: Journal) -> None:
        """Keep the number of result segments small: many small files read slowly. What fails is tried again later."""
        small = [segment for segment in journal.segments("results") if not segment.info.get("merged")]
        if len(small) < self._merge_at:
            return
        out = self._name("results")
        try:
            merged = merge_results([self._folder / segment.file for segment in small], out)
        except JournalError:
            self._merge_at = 2 * len(small)
            return
        self._merge_at = MERGE_SEGMENTS
        segment = msgspec.structs.replace(_segment("results", merged), info={"merged": True})
        journal.replace_segments([old.id for old in small], segment)
        for old in small:
            (self._folder / old.file).unlink(missing_ok=True)


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Raise StorageFullError where what writes into an execution's folder finds its disk full."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise StorageFullError(
            f"The disk is full: {folder} cannot be written. Free space there, then go on: "
            f"xsync resume {folder.name}. Nothing that was recorded is lost."
        ) from error


def chunks_of(segment: str, groups: Iterable[RowGroup]) -> list[Chunk]:
    """The row groups of a segment of entries, as work to be compared."""
    return [Chunk(group.task, segment, group.number, group.files, group.bytes) for group in groups]


def _segment(kind: SegmentKind, written: Written) -> Segment:
    return Segment(kind, written.path.name, written.rows, written.bytes)


def _last_segment(journal: Journal) -> int:
    return max((segment.id for kind in ("entries", "results") for segment in journal.segments(kind)), default=0)
