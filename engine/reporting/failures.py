"""All that failed in an execution, for whoever has to put it right: as CSV for a spreadsheet, as JSON for a program."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TextIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.audit import path_of_row, read_files_parquet
from engine.catalog.totals import NOT_DELETED
from engine.journal.reader import SnapshotReader
from engine.model import Snapshot
from engine.names import text_of
from engine.reporting.report_csv import harmless, moment

COLUMNS = ("path", "kind", "reason", "detail", "size", "mtime", "agent", "finished", "remedy")
"""path: in text form (names.py), / for the root itself. Size in bytes, times in UTC. remedy: what helps, in words."""


class FailedEntry(msgspec.Struct, frozen=True):
    """What failed; None is what is not known before the execution has ended."""

    path: str
    reason: str
    detail: str = ""
    kind: str | None = None
    size: int | None = None
    mtime: str | None = None
    agent: str | None = None
    finished: str | None = None
    remedy: str = ""


class Failures(NamedTuple):
    """What failed in ``snapshot``; ``complete``: it is all, from the audit trail, and not what its journal kept."""

    snapshot: Snapshot
    complete: bool
    entries: Iterator[FailedEntry]

    @property
    def number(self) -> int:
        """How many failed, as was counted."""
        return sum(self.snapshot.failure_counts.values())


def failures_of(folder: Path, remedy: Callable[[str], str]) -> Failures:
    """What failed in the execution in ``folder``; ``remedy``: what helps against a reason.

    From its audit trail in order of paths; before that is written, what the journal kept, as it happened. Memory is
    flat. Raises JournalError, and OSError as the entries are read.
    """
    audit = folder / "files.parquet"
    with SnapshotReader(folder) as reader:
        snapshot = reader.read()
        kept = [] if audit.exists() else reader.failures()
    entries = _from_audit(audit) if audit.exists() else (FailedEntry(f.path, f.reason, f.detail) for f in kept)
    said = (msgspec.structs.replace(entry, remedy=remedy(entry.reason)) for entry in entries)
    return Failures(snapshot, audit.exists() or len(kept) == sum(snapshot.failure_counts.values()), said)


def write_failures_csv(failures: Failures, out: TextIO) -> int:
    """Write a row for each after a header, with no cell that a spreadsheet takes for a formula; returns how many.

    Raises OSError.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    number = 0
    for number, entry in enumerate(failures.entries, 1):  # noqa: B007 - it is returned
        cells = (getattr(entry, column) for column in COLUMNS)
        writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in cells])
    return number


def write_failures_json(failures: Failures, out: TextIO) -> int:
    """Write one object: of what execution, counts by reason, and ``failures`` with the columns of the CSV.

    Returns how many. Raises OSError.
    """
    snapshot = failures.snapshot
    head = {
        "execution": snapshot.execution,
        "profile": snapshot.profile,
        "source": snapshot.source,
        "destination": snapshot.destination,
        "status": snapshot.status,
        "complete": failures.complete,
        "failure_counts": snapshot.failure_counts,
    }
    out.write(msgspec.json.encode(head).decode()[:-1] + ',"failures":[')
    number = 0
    for number, entry in enumerate(failures.entries, 1):
        out.write(("\n" if number == 1 else ",\n") + msgspec.json.encode(entry).decode())
    out.write("\n]}\n")
    return number


def write_failures_text(failures: Failures, out: TextIO) -> int:
    """Write a line for each: path, reason, detail; returns how many. Raises OSError."""
    number = 0
    for number, entry in enumerate(failures.entries, 1):  # noqa: B007 - it is returned
        out.write(": ".join(part for part in (entry.path, entry.reason, entry.detail) if part) + "\n")
    return number


def _from_audit(audit: Path) -> Iterator[FailedEntry]:
    wrong = pa.array(["failed", "not_deleted"], pa.string())
    found = (rows.filter(pc.is_in(rows["action"], wrong)).to_pylist() for rows in read_files_parquet(audit))
    for row in chain.from_iterable(found):
        reason = row["reason"] or "unknown"
        yield FailedEntry(
            text_of(path_of_row(row)) or "/",
            NOT_DELETED + reason if row["action"] == "not_deleted" else reason,
            text_of((row["detail"] or "").encode()),
            row["kind"],
            row["size"],
            moment(row["mtime_ns"]),
            row["agent"],
            moment(row["finished_ns"]),
        )
