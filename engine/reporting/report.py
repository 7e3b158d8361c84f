"""The report of an execution: DataSync's counters by their names, the exact ledger, what the audit trail adds up to.

``report.json`` holds all that ``report.html`` shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

import engine
from engine.catalog.audit_summary import AuditSummary, summarise
from engine.catalog.files import replacing
from engine.decoding import from_json
from engine.journal.reader import SnapshotReader, read_migration
from engine.model import Failure, Migration, Sample, Snapshot, Tally
from engine.reporting.report_html import render

REPORT = "report.json"
HTML = "report.html"
AUDIT = "files.parquet"

VERIFICATION = "verification.json"
DIFFERENCES = "differences.parquet"
"""Of a run that ended with a verification: its summary, and what differs."""

DRIFT = "drift.json"
"""Beside it: what a listing of the destination has shown (drift.Drift)."""

SHOWN_FAILURES = 100
"""Failures named in the report; files.parquet has all."""

SHOWN_SAMPLES = 180
"""Points of the throughput over time."""

AGENT_SHARES = 60
"""Shares of the time in which the work of each agent is shown."""

_DATASYNC_OPTIONS = (
    "verify_mode",
    "overwrite_mode",
    "transfer_mode",
    "preserve_deleted_files",
    "posix_permissions",
    "uid",
    "gid",
    "mtime",
    "atime",
    "bytes_per_second",
    "object_tags",
)


def report_of(
    snapshot: Snapshot,
    migration: Migration,
    failures: list[Failure],
    summary: AuditSummary,
    throughput: list[Sample],
    folder: Path,
    transfer_seconds: float,
    phases: Mapping[str, float],
) -> dict[str, Any]:
    """The report as JSON values; counters as DescribeTaskExecution names them, then ours.

    ``transfer_seconds``: from the first unit given out to copy until the last that came back, in the last session.
    ``phases``: seconds of its other parts, by name.
    """
    seconds = snapshot.seconds
    return {
        "execution": snapshot.execution,
        "profile": snapshot.profile,
        "xsync_version": engine.__version__,
        "host": snapshot.host,
        "source": snapshot.source,
        "destination": snapshot.destination,
        "status": snapshot.status,
        "message": snapshot.message,
        "started_at": snapshot.started_at,
        "ended_at": snapshot.ended_at,
        "seconds": seconds,
        "transfer_seconds": transfer_seconds,
        "phase_seconds": dict(phases),
        **_datasync(snapshot, migration, summary, seconds, transfer_seconds),
        "files": tally(snapshot.totals.files),
        "folders": tally(snapshot.totals.folders),
        "bytes": msgspec.to_builtins(snapshot.totals.bytes),
        "deletions": msgspec.to_builtins(snapshot.totals.deletions),
        "limit": _limit(snapshot, transfer_seconds),
        "listing_complete": snapshot.totals.listing_complete,
        "verified": summary.verified,
        "skipped": summary.skipped,
        "metadata_updates": summary.metadata_updates,
        "failure_counts": snapshot.failure_counts,
        "failures": msgspec.to_builtins(failures[:SHOWN_FAILURES]),
        "sizes": msgspec.to_builtins(summary.sizes),
        "top_folders": msgspec.to_builtins(summary.top_folders),
        "agents": msgspec.to_builtins(summary.agents),
        "agents_sent": {agent.name: agent.bytes for agent in snapshot.agents},
        "throughput": msgspec.to_builtins(throughput),
        "tasks": msgspec.to_builtins(snapshot.tasks),
        "migration": {
            "source": msgspec.to_builtins(migration.source),
            "destination": msgspec.to_builtins(migration.destination),
            "filters": msgspec.to_builtins(migration.filters),
            "options": msgspec.to_builtins(msgspec.structs.asdict(migration.options)),
            "agents": migration.agents,
            "limits": msgspec.to_builtins(migration.limits),
        },
        "retry": None if migration.retry is None else msgspec.to_builtins(migration.retry),
        "audit_trail": str(folder / AUDIT),
    }


def _limit(snapshot: Snapshot, transfer_seconds: float) -> dict[str, float | None]:
    """The bandwidth limit it had last, and the share of the agents' time in which somebody ``waited`` for one."""
    waited = sum(agent.times.limited for agent in snapshot.agents)
    time = transfer_seconds * len(snapshot.agents)
    return {
        "bytes_per_second": snapshot.limit_bytes_per_second,
        "waited": min(1.0, waited / time) if time > 0 else 0.0,
    }


def tally(counts: Tally) -> dict[str, int]:
    """A tally with its pending count, in the order of the ledger."""
    named: dict[str, int] = msgspec.to_builtins(counts)
    return named | {"pending": counts.pending}


def write_report(
    folder: Path,
    snapshot: Snapshot,
    reader: SnapshotReader,
    transfer_seconds: float,
    phases: Mapping[str, float] = MappingProxyType({}),
    estimate: Mapping[str, Any] | None = None,
    mended: int = 0,
    listed_before: Any = None,
) -> Path:
    """Write ``report.json`` and ``report.html`` into the execution's folder, after its audit trail.

    ``snapshot`` says how it ended; ``estimate``: what was said of it before, and how it came out; ``mended``: entries
    that were work only because the destination had lost or changed them; ``listed_before``: what
    an execution that went on did not list again (listed_before.ListedBefore). Raises OSError, JournalError.
    """
    report = report_of(
        snapshot,
        read_migration(folder),
        reader.failures(),
        summarise(folder / AUDIT, folder / ".report-spill", AGENT_SHARES),
        reader.history(SHOWN_SAMPLES),
        folder,
        transfer_seconds,
        phases,
    ) | {"drift": _kept(folder / DRIFT), "verification": _kept(folder / VERIFICATION), "estimate": estimate}
    report["mended"] = mended
    report["listed_before"] = msgspec.to_builtins(listed_before)
    with replacing(folder / HTML) as file:
        file.write(render(report).encode())
    with replacing(folder / REPORT) as file:
        file.write(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return folder / REPORT


def _kept(file: Path) -> Any:
    """What a step of the run left for the report, if it ran."""
    return from_json(file.read_bytes()) if file.exists() else None


def _datasync(
    snapshot: Snapshot, migration: Migration, summary: AuditSummary, seconds: float, transfer_seconds: float
) -> dict[str, Any]:
    """What DescribeTaskExecution says of a task in enhanced mode, as far as it means something here."""
    files, folders, sizes = snapshot.totals.files, snapshot.totals.folders, snapshot.totals.bytes
    options = msgspec.structs.asdict(migration.options)
    folders_kept = summary.not_deleted.get("folder", 0)
    files_kept = sum(summary.not_deleted.values()) - folders_kept
    return {
        "FilesTransferred": files.transferred,
        "FilesVerified": files.verified,
        "FilesSkipped": files.skipped,
        "FilesDeleted": files.deleted,
        "FilesFailed": {"Transfer": files.failed, "Delete": files_kept},
        "FilesListed": {"AtSource": files.discovered},
        "FoldersListed": {"AtSource": folders.discovered},
        "FoldersTransferred": folders.transferred,
        "FoldersVerified": folders.verified,
        "FoldersSkipped": folders.skipped,
        "FoldersDeleted": folders.deleted,
        "FoldersFailed": {
            "List": snapshot.failure_counts.get("folder not listed", 0),
            "Transfer": folders.failed,
            "Delete": folders_kept,
        },
        "BytesTransferred": sizes.transferred,
        "BytesWritten": sizes.transferred,
        "Options": {
            "".join(word.capitalize() for word in name.split("_")): options[name]
            for name in _DATASYNC_OPTIONS
            if name in options
        },
        "Includes": _rule(migration.filters.include),
        "Excludes": _rule(migration.filters.exclude),
        "Result": {"TotalDuration": round(seconds * 1000), "TransferDuration": round(transfer_seconds * 1000)},
    }


def _rule(patterns: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"FilterType": "SIMPLE_PATTERN", "Value": "|".join(patterns)}] if patterns else []
