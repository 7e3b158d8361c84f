"""What past executions tell: the passes of a migration, what changed between them, and rates as they were measured.

Read from the reports of executions between the same source and destination with the same filters. A run of another
version may lack a figure: what it lacks is not measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from engine.decoding import from_builtins, from_json
from engine.execution.foretelling.held import was_held
from engine.execution.manifests import with_frozen_manifest
from engine.home import Home, list_execution_folders
from engine.model import FilterSpec, Migration
from engine.planning.churn import Churn, Pass
from engine.planning.cutover import Busiest
from engine.planning.values import Figure, Origin
from engine.reporting.report import REPORT

_LEAST_SECONDS = 0.05
"""What took less was too short to tell a rate."""

_LEAST_FILES, _LEAST_BYTES, _LEAST_DELETIONS = 1_000, 100_000_000, 1_000
"""What moved less was mostly waiting: for agents to start, for a listing."""

_KNEE_BYTES = 256 << 10
"""Smaller files than this on average tell files/s, larger ones bytes/s (published tests: 190 to 310 KB)."""


LATEST = 8
"""Executions of which the fastest listing counts."""

MOST_EXECUTIONS = 100
"""The latest executions that are looked through."""


class PastPass(msgspec.Struct, frozen=True):
    """An execution that has ended. ``files``, ``bytes``: sent because they were new or changed at the source.

    ``scan_seconds``: None where it was not timed. ``length``: seconds since the pass before it began, None where it
    does not tell what changed: the first one, one after an execution left unfinished, one that sends everything.
    ``complete``: it looked at all there is, and left nothing for the next one.
    """

    execution: str
    began_at: float
    seconds: float
    files: int
    bytes: int
    deletions: int
    status: str
    complete: bool
    scan_seconds: float | None = None
    length: float | None = None


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rates a second as executions had them, None where none tells; ``agents``: how many reached the first two.

    ``listing``: the highest of the last few, for a listing waits for what copies.

    ``files_per_second``: the highest of executions with small files; ``bytes_per_second``: with large ones. Both are
    lower bounds of the roofline of those agents; executions that a bandwidth limit held back have neither.
    ``listing``, ``destination_listing``, ``deleting`` and ``folder_times``: entries. ``verifying``: entries of the
    source. ``overhead``: seconds beside all that.
    """

    agents: int = 0
    files_per_second: Figure | None = None
    bytes_per_second: Figure | None = None
    listing: Figure | None = None
    destination_listing: Figure | None = None
    deleting: Figure | None = None
    folder_times: Figure | None = None
    verifying: Figure | None = None
    overhead: Figure | None = None


class History(msgspec.Struct, frozen=True):
    """Past passes, oldest first, and what they tell. ``entries``, ``folders``: of the source; ``held``: entries of the
    destination; ``asked``: of them, those that a verification had to ask for; all in the latest that tells."""

    passes: tuple[PastPass, ...]
    measured: Measured
    entries: int = 0
    folders: int = 0
    held: int = 0
    asked: int = 0
    busiest: Busiest | None = None

    @property
    def churn(self) -> Churn:
        """What the passes tell about changes."""
        return Churn(
            [
                Pass(each.began_at, each.length, each.files, each.bytes, each.deletions)
                for each in self.passes
                if each.length is not None
            ]
        )


def read_history(home: Home, migration: Migration) -> History:
    """What the executions of ``migration`` tell, whatever profile they were of. Raises JournalError."""
    return history_of(reports_of(home, migration))


def reports_of(home: Home, migration: Migration, *, any_filters: bool = False) -> list[dict[str, Any]]:
    """Reports of executions between the same two sides, oldest first; with other filters too, such as of test runs.

    Raises JournalError.
    """
    folders = list_execution_folders(home)[-MOST_EXECUTIONS:]
    if folders and not any_filters:
        migration = with_frozen_manifest(migration, home)
    found = (_report(folder, migration, any_filters=any_filters) for folder in folders)
    return [report for report in found if report is not None]


def history_of(reports: Sequence[dict[str, Any]]) -> History:
    """What ``reports`` of one migration tell, oldest first. Pure."""
    passes: list[PastPass] = []
    for report in reports:
        passes.append(_pass(report, passes[-1] if passes else None))
    whole = [(report, each) for report, each in zip(reports, passes, strict=True) if each.complete]
    if not whole:
        return History(tuple(passes), Measured())
    latest = whole[-1][0]
    entries, folders = _entries(latest), latest["folders"]["discovered"]
    listed = [report["verification"] for report, _ in whole if report.get("verification")]
    held = listed[-1]["listed"]["destination"] if listed else entries
    asked = listed[-1]["requests"].get("HEAD", 0) if listed else _adopted(reports)
    churned = [report for report, each in whole if each.length is not None]
    return History(tuple(passes), _measured([r for r, _ in whole]), entries, folders, held, asked, _busiest(churned))


def _report(folder: Path, migration: Migration, *, any_filters: bool) -> dict[str, Any] | None:
    """The report of an execution of ``migration``; None for others, for retries, and where there is none to read."""
    try:
        report: dict[str, Any] = from_json((folder / REPORT).read_bytes())
        same = (
            report["source"] == migration.source.url
            and report["destination"] == migration.destination.url
            and report["migration"]["destination"].get("endpoint_url") == migration.destination.endpoint_url
            and (any_filters or from_builtins(report["migration"]["filters"], FilterSpec) == migration.filters)
        )
        return report if same and report["retry"] is None else None
    except (OSError, msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError, AttributeError):
        return None


def _pass(report: dict[str, Any], before: PastPass | None) -> PastPass:
    files, size = report["files"]["transferred"], report["bytes"]["transferred"]
    drift = report.get("drift") or {}  # of reports that do not say what was mended
    mended = min(files, report.get("mended", drift.get("missing", 0) + drift.get("changed", 0)))
    complete = bool(report["listing_complete"]) and not report["files"]["pending"] and report["status"] != "CANCELLED"
    sends_all = report["migration"]["options"].get("transfer_mode") == "ALL"
    tells = before is not None and before.complete and complete and not sends_all
    return PastPass(
        report["execution"],
        report["started_at"],
        report["seconds"],
        files - mended,
        size * (files - mended) // files if files else 0,
        _deleted(report),
        report["status"],
        complete,
        report.get("phase_seconds", {}).get("listing"),
        report["started_at"] - before.began_at if tells and before is not None else None,
    )


def _entries(report: dict[str, Any]) -> int:
    return int(report["files"]["discovered"] + report["folders"]["discovered"])


def _moved(report: dict[str, Any]) -> tuple[int, int]:
    return report["files"]["transferred"], report["bytes"]["transferred"]


def _deleted(report: dict[str, Any]) -> int:
    return int(report["files"]["deleted"] + report["folders"]["deleted"])


def _adopted(reports: Sequence[dict[str, Any]]) -> int:
    """Entries that were there before: no ETag is recorded of them."""
    return sum(report["skipped"].get("adopted", 0) for report in reports)


def _busiest(reports: Sequence[dict[str, Any]]) -> Busiest | None:
    """The top folder with most of the changed bytes of these passes, if there are several."""
    files: dict[str, int] = {}
    size: dict[str, int] = {}
    for report in reports:
        for each in report.get("top_folders", ()):
            files[each["folder"]] = files.get(each["folder"], 0) + each["files"]
            size[each["folder"]] = size.get(each["folder"], 0) + each["bytes"]
    if len(files) < 2:
        return None
    all_files, all_bytes = sum(report["files"]["transferred"] for report in reports), sum(size.values())
    name = max(size, key=lambda folder: (size[folder], files[folder], folder))
    return Busiest(name, min(1.0, files[name] / all_files), size[name] / all_bytes if all_bytes else 0.0)


def _measured(reports: Sequence[dict[str, Any]]) -> Measured:
    def highest(found: list[Figure]) -> Figure | None:
        return max(found, key=lambda figure: (figure.value, figure.origin.at or 0.0), default=None)

    def latest(found: list[Figure]) -> Figure | None:
        return found[-1] if found else None

    agents = reports[-1]["migration"]["agents"]
    alike = [report for report in reports if report["migration"]["agents"] == agents and not was_held(report)]
    small = [r for r in alike if _moved(r)[0] >= _LEAST_FILES and _moved(r)[1] <= _KNEE_BYTES * _moved(r)[0]]
    large = [r for r in alike if _moved(r)[1] >= max(_LEAST_BYTES, _KNEE_BYTES * _moved(r)[0])]
    return Measured(
        agents,
        highest([figure for r in small if (figure := _rate(r, _moved(r)[0], r["transfer_seconds"]))]),
        highest([figure for r in large if (figure := _rate(r, _moved(r)[1], r["transfer_seconds"]))]),
        highest(_phases([r for r in reports[-LATEST:] if _entries(r) >= _LEAST_FILES], "listing", _entries)),
        latest(_phases(reports, "destination listing", _entries)),
        latest(_phases([r for r in reports if _deleted(r) >= _LEAST_DELETIONS], "deletions", _deleted)),
        latest(_phases(reports, "folders", lambda r: r["folders"]["discovered"])),
        latest([figure for r in reports if (figure := _verifying(r))]),
        _overhead(reports),
    )


def _phases(reports: Sequence[dict[str, Any]], phase: str, count: Any) -> list[Figure]:
    found = (_rate(report, count(report), report.get("phase_seconds", {}).get(phase, 0.0)) for report in reports)
    return [figure for figure in found if figure is not None]


def _verifying(report: dict[str, Any]) -> Figure | None:
    verification = report.get("verification")
    if not verification:
        return None
    return _rate(report, verification["files"] + verification["folders"], verification["seconds"])


def _overhead(reports: Sequence[dict[str, Any]]) -> Figure | None:
    """The median of the last few."""
    found = []
    for report in reports[-5:]:
        phases = report.get("phase_seconds", {})
        if "listing" in phases:  # in one session, from its begin to its end
            known = max(phases["listing"], report["transfer_seconds"])
            known += sum(seconds for name, seconds in phases.items() if name != "listing")
            known += (report.get("verification") or {}).get("seconds", 0.0)
            found.append(max(0.0, report["seconds"] - known))
    return Figure(median(found), _origin(reports[-1])) if found else None


def _rate(report: dict[str, Any], count: float, seconds: float) -> Figure | None:
    if count <= 0 or seconds < _LEAST_SECONDS:
        return None
    return Figure(count / seconds, _origin(report))


def _origin(report: dict[str, Any]) -> Origin:
    return Origin("execution", report["execution"], report["started_at"])
