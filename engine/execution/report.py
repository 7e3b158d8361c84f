"""The report of an execution: DataSync's counters by their names, the exact ledger, and the audit trail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from engine.catalog.files import replacing
from engine.model import Failure, Snapshot, Tally

REPORT = "report.json"
SHOWN_FAILURES = 100
"""Failures named in the report; files.parquet has all."""


def report_of(snapshot: Snapshot, failures: list[Failure], folder: Path, transfer_seconds: float) -> dict[str, Any]:
    """The report as JSON values; counters as DescribeTaskExecution names them, then ours.

    ``transfer_seconds``: from the first unit given out to copy until the last that came back, in the last session.
    """
    files, folders, sizes = snapshot.totals.files, snapshot.totals.folders, snapshot.totals.bytes
    seconds = (snapshot.ended_at or snapshot.heartbeat_at) - snapshot.started_at
    return {
        "execution": snapshot.execution,
        "profile": snapshot.profile,
        "source": snapshot.source,
        "destination": snapshot.destination,
        "status": snapshot.status,
        "message": snapshot.message,
        "started_at": snapshot.started_at,
        "ended_at": snapshot.ended_at,
        "seconds": seconds,
        "transfer_seconds": transfer_seconds,
        "FilesTransferred": files.transferred,
        "FilesVerified": files.verified,
        "FilesSkipped": files.skipped,
        "FilesDeleted": files.deleted,
        "FilesFailed": {"Transfer": files.failed},
        "FilesListed": {"AtSource": files.discovered},
        "FoldersListed": {"AtSource": folders.discovered},
        "FoldersTransferred": folders.transferred,
        "FoldersSkipped": folders.skipped,
        "FoldersFailed": {"Transfer": folders.failed},
        "BytesTransferred": sizes.transferred,
        "BytesWritten": sizes.transferred,
        "files": tally(files),
        "folders": tally(folders),
        "bytes": {"source": sizes.source, "transferred": sizes.transferred, "pending": sizes.pending},
        "listing_complete": snapshot.totals.listing_complete,
        "failure_counts": snapshot.failure_counts,
        "failures": msgspec.to_builtins(failures[:SHOWN_FAILURES]),
        "tasks": msgspec.to_builtins(snapshot.tasks),
        "audit_trail": str(folder / "files.parquet"),
    }


def tally(counts: Tally) -> dict[str, int]:
    """A tally with its pending count, in the order of the ledger."""
    named: dict[str, int] = msgspec.to_builtins(counts)
    return named | {"pending": counts.pending}


def write_report(folder: Path, snapshot: Snapshot, failures: list[Failure], transfer_seconds: float) -> Path:
    """Write ``report.json`` into the execution's folder. Raises OSError."""
    path = folder / REPORT
    with replacing(path) as file:
        file.write(
            msgspec.json.format(msgspec.json.encode(report_of(snapshot, failures, folder, transfer_seconds)), indent=2)
        )
    return path
