"""What an execution came to: its exit code, and the JSON and words that say it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.decoding import from_builtins
from engine.model import Failure, Retry, Snapshot, Status, Tally
from engine.quantities import (
    counted,
    format_bytes,
    format_count,
    format_duration,
    format_duration_range,
    format_rate,
    in_duration_range,
)
from engine.reporting.reasons import skipped
from xsync_tui.cli.look import Line, Look, Role, canvas_of, paint
from xsync_tui.drawing.ledger import ledger
from xsync_tui.drawing.rows import plain

SOME_FAILED = 3
REFUSED = 4
STOPPED = 5

_NOT_LISTED = "folder not listed"

EXAMPLES = 3
"""Paths shown for each reason of failure."""

_REMEDIES = (
    ("not at the source", "Mend the manifest, or wait for the file; then: xsync retry"),
    ("changed", "It was written to while it was read: run again when it is quiet."),
    ("unreadable", "This account may not read it: run as an account that may."),
    ("permission", "This account may not read it: run as an account that may."),
    ("not listed", "What the folder holds is unknown: let this account read it, then run again."),
    ("collides", "Two names become one at the destination: rename one of them."),
    ("too long", "The destination cannot hold such a name: shorten the path."),
    ("another type", "What is there became something else at the source: a run with --delete removes what it left."),
    ("too large", "The destination cannot hold a file of this size."),
    ("utf-8", 'Rename it, or let xsync escape such names: invalid_names = "escape".'),
    ("backslash", "Rename it, or use a server that keeps a \\ in names."),
    ("unsafe", "The destination cannot hold such a name: rename it."),
    ("no space", "Free space at the destination, then run again."),
    ("denied", "The server does not let this account do it: check the policy of the bucket."),
    ("kills", "Each agent that took it died: look at the file, and at the agents' memory."),
    ("checksum", "What arrived was not what was sent, each time: look at the network."),
    ("busy", "The server asked to slow down for five minutes: run again later."),
    ("transfer error", "It was tried for five minutes: run again when the server is well."),
    ("upload not", "It was tried for five minutes: run again when the server is well."),
    ("archived", "Restore the object from its archive class first, then run again."),
)


def ended_status(snapshot: Snapshot, *, gone: bool) -> Status:
    """The state to report: an execution whose runner is ``gone`` was interrupted, whatever it last wrote."""
    return Status.INTERRUPTED if gone and not snapshot.status.ended else snapshot.status


def exit_code(snapshot: Snapshot, *, gone: bool) -> int:
    """0 done, 3 done but some failed or differ, 4 done but deletions were refused, 5 stopped, 1 an error."""
    match ended_status(snapshot, gone=gone):
        case Status.SUCCESS:
            return 0
        case Status.CANCELLED | Status.INTERRUPTED | Status.SUPERSEDED:
            return STOPPED
        case Status.ERROR if held_back(snapshot):
            return REFUSED
        case Status.ERROR if (snapshot.failure_counts or snapshot.totals.differences) and not work_left(snapshot):
            return SOME_FAILED
        case Status.ERROR:
            return 1
        case _:
            return 0


def retryable(snapshot: Snapshot) -> bool:
    """Whether a retry has something to do: all else is done."""
    return exit_code(snapshot, gone=False) == SOME_FAILED and bool(snapshot.failure_counts)


def held_back(snapshot: Snapshot) -> bool:
    """Whether all was copied and the deletions were held back for safety."""
    deletions = snapshot.totals.deletions
    return deletions is not None and deletions.refused and not work_left(snapshot)


def work_left(snapshot: Snapshot) -> bool:
    """Whether files are undecided, or folders not listed for another reason than that they cannot be.

    Of what is superseded nothing is left: that is the business of the newer execution.
    """
    totals = snapshot.totals
    if snapshot.status is Status.SUPERSEDED:
        return False
    return totals.files.pending > 0 or not (totals.listing_complete or _NOT_LISTED in snapshot.failure_counts)


def files_left(snapshot: Snapshot) -> str:
    """How many files are undecided, in words; more may follow while the listing is not complete."""
    least = "" if snapshot.totals.listing_complete else "at least "
    return f"{least}{format_count(snapshot.totals.files.pending)} files left"


def counts_json(snapshot: Snapshot) -> dict[str, Any]:
    """The ledger as design.md, section 10, names it, with failures by reason."""
    totals = snapshot.totals
    return {
        "files": tally_json(totals.files),
        "folders": tally_json(totals.folders),
        "bytes": {
            "source": totals.bytes.source,
            "transferred": totals.bytes.transferred,
            "pending": totals.bytes.pending,
            "failed": totals.bytes.failed,
        },
        "failures": snapshot.failure_counts,
        **({} if totals.deletions is None else {"deletions": msgspec.to_builtins(totals.deletions)}),
    }


def tally_json(tally: Tally) -> dict[str, int]:
    """A tally with its ``pending``."""
    return {**msgspec.to_builtins(tally), "pending": tally.pending}


def snapshot_json(snapshot: Snapshot, life: str, now: float) -> dict[str, Any]:
    """One JSON line of what streams; ``life``: live, silent, gone or ended."""
    eta = snapshot.eta_seconds
    return {
        "type": "snapshot",
        "execution": snapshot.execution,
        "profile": snapshot.profile,
        "source": snapshot.source,
        "destination": snapshot.destination,
        "status": snapshot.status,
        "life": life,
        "runner": {"pid": snapshot.runner_pid, "host": snapshot.host, "heartbeat_at": snapshot.heartbeat_at},
        "started_at": snapshot.started_at,
        "ended_at": snapshot.ended_at,
        "seconds": seconds_of(snapshot, now),
        **counts_json(snapshot),
        "listing_complete": snapshot.totals.listing_complete,
        "files_per_second": snapshot.files_per_second,
        "bytes_per_second": snapshot.bytes_per_second,
        "limit_bytes_per_second": snapshot.limit_bytes_per_second,
        "limit_until": snapshot.limit_until,
        "eta_seconds": {"low": eta[0], "high": eta[1]} if eta else None,
        "message": snapshot.message,
        "superseded_by": snapshot.superseded_by or None,
        "supersedes": snapshot.supersedes,
        "agents": snapshot.agents,
        "tasks": [{**msgspec.to_builtins(task), "files": tally_json(task.files)} for task in snapshot.tasks],
        "events": snapshot.events,
    }


def result_json(snapshot: Snapshot, report: dict[str, Any], report_path: Path | None, *, gone: bool) -> dict[str, Any]:
    """The last JSON line of a run; ``report`` is what the runner wrote at its end, empty if it did not."""
    return {
        "type": "result",
        "execution": snapshot.execution,
        "status": ended_status(snapshot, gone=gone),
        "seconds": snapshot.seconds,
        "transfer_seconds": report.get("transfer_seconds"),
        **counts_json(snapshot),
        "listed_before": report.get("listed_before"),
        "report": str(report_path) if report_path else None,
        "message": snapshot.message,
        "superseded_by": snapshot.superseded_by or None,
    }


def seconds_of(snapshot: Snapshot, now: float) -> float:
    """Seconds from the start to the end, or to ``now``."""
    return max(0.0, (snapshot.ended_at or now) - snapshot.started_at)


def summary_lines(
    snapshot: Snapshot, failures: list[Failure], report: dict[str, Any], look: Look, *, gone: bool
) -> list[str]:
    """What a person reads at the end: state, exact ledger, failures by reason with examples, how to go on.

    ``report`` is what the runner wrote at its end, empty if it did not.
    """
    roles = {0: Role.GOOD, SOME_FAILED: Role.LOOK, STOPPED: Role.LOOK}
    lines = [
        Line(_first_line(snapshot, report, look, gone=gone), roles.get(exit_code(snapshot, gone=gone), Role.ALARM)),
        *(Line(row) for row in plain(ledger(snapshot.totals.files, canvas_of(look)))),
        *(Line(f" {row}") for row in _foretold(report)),
    ]
    # Of a drained or cancelled execution the message only says so again.
    if snapshot.message and snapshot.status not in (Status.CANCELLED, Status.INTERRUPTED):
        lines.append(Line(f" ! {look.text(snapshot.message)}", Role.LOOK))
    lines += [Line(f" ! {look.text(text)}", Role.LOOK) for text in _warnings(snapshot)]
    if reasons := "; ".join(f"{count} {look.text(why)}" for why, count in skipped(report)):
        lines.append(Line(f" skipped: {reasons}"))
    lines += deletion_lines(snapshot)
    lines += failure_lines(snapshot.failure_counts, failures, look)
    if report.get("retry"):
        lines += [Line(" " + line) for line in _covered(snapshot, from_builtins(report["retry"], Retry))]
    elif snapshot.failure_counts and exit_code(snapshot, gone=gone) == SOME_FAILED:
        lines.append(Line(f" Once that is put right: xsync retry {snapshot.execution}"))
    if exit_code(snapshot, gone=gone) == STOPPED or work_left(snapshot):
        lines += _how_to_go_on(snapshot)
    return paint(lines, look, cut=False)


def _warnings(snapshot: Snapshot) -> list[str]:
    """What the runner warned of, each once, and nothing that the message says."""
    found = dict.fromkeys(event.text for event in snapshot.events if event.kind == "warning")
    return [text for text in found if text not in snapshot.message]


def _foretold(report: dict[str, Any]) -> list[str]:
    said = foretold(report)
    return [f"{said[:1].upper()}{said[1:]}."] if said else []


def foretold(report: Mapping[str, Any]) -> str:
    """``foretold 6 h 05 - 7 h 10, took 6 h 22: inside``; empty if nothing was said of it before."""
    said = report.get("estimate")
    if not said:
        return ""
    low, high, took = said["seconds"]["low"], said["seconds"]["high"], said["took_seconds"]
    how = "inside" if held(said) else "sooner" if took < low else "later"
    return f"foretold {format_duration_range(low, high)}, took {format_duration(took)}: {how}"


def held(said: Mapping[str, Any]) -> bool:
    """Whether the ``estimate`` of a report held, as it is said: in the units of the range."""
    return in_duration_range(said["took_seconds"], said["seconds"]["low"], said["seconds"]["high"])


def covers_line(retry: Retry) -> str:
    """What a retry covers, in one sentence."""
    found = [(retry.files, "file"), (retry.folders, "folder")]
    words = [f"{format_count(count)} {word}{'s' if count > 1 else ''}" for count, word in found if count]
    whole = " (all it holds, where it could not be listed)" if retry.folders else ""
    return f"Covers only what failed in {retry.of}: {' and '.join(words)}{whole}."


def _covered(snapshot: Snapshot, retry: Retry) -> list[str]:
    gone = retry.files - snapshot.totals.files.discovered
    if snapshot.totals.listing_complete and gone > 0 and not retry.folders:
        return [covers_line(retry), f"{format_count(gone)} of them are no longer at the source."]
    return [covers_line(retry)]


def deletion_lines(snapshot: Snapshot) -> list[Line]:
    """What was deleted, and what is at the destination alone and stays."""
    totals = snapshot.totals
    lines = []
    if totals.files.deleted or totals.folders.deleted:
        counts = f"{counted(totals.files.deleted, 'file')} and {counted(totals.folders.deleted, 'folder')}"
        lines.append(Line(f" {counts} deleted at the destination"))
    found = totals.deletions
    if found is not None and found.versioned:
        lines.append(Line(" The bucket keeps versions: noncurrent ones stay and cost.", Role.LOOK))
    if found is not None and found.foreign_files + found.foreign_folders:
        counts = f"{counted(found.foreign_files, 'file')} and {counted(found.foreign_folders, 'folder')}"
        lines.append(Line(f" {counts} at the destination were not put there by xsync and stay: {found.listed_in}"))
    return lines


def _first_line(snapshot: Snapshot, report: dict[str, Any], look: Look, *, gone: bool) -> str:
    size, seconds = snapshot.totals.bytes.transferred, snapshot.seconds
    name = look.text(snapshot.profile or snapshot.execution)
    moved = f"{format_bytes(size)} in {format_duration(seconds)}"
    sending = report.get("transfer_seconds")
    if snapshot.status is Status.SUCCESS and not size and not snapshot.totals.files.transferred:
        moved, sending = f"nothing had to be sent, in {format_duration(seconds)}", None
    rate = f", {format_rate(size / sending)} while transferring" if sending else ""
    return f" {name}  {ended_status(snapshot, gone=gone)}  {moved}{rate}"


def remedy_for(reason: str) -> str:
    """What helps against a reason of failure; empty if nothing is known to."""
    return next((text for word, text in _REMEDIES if word in reason.lower()), "")


def failure_lines(counts: dict[str, int], failures: list[Failure], look: Look) -> list[Line]:
    """Failures by reason, most first: how many, what helps, and a few paths with their detail."""
    lines = []
    for reason, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        lines.append(Line(f" {look.cross} {format_count(number)} failed: {look.text(reason)}", Role.ALARM))
        if remedy := remedy_for(reason):
            lines.append(Line(f"     {remedy}"))
        examples = [failure for failure in failures if failure.reason == reason][:EXAMPLES]
        for failure in examples:
            detail = f": {failure.detail}" if failure.detail else ""
            lines.append(Line("     " + look.text(failure.path + detail)))
    return lines


def _how_to_go_on(snapshot: Snapshot) -> list[Line]:
    left = f" {files_left(snapshot)}; no half file under its final name."
    if snapshot.status is Status.SUPERSEDED:
        return [Line(f" Superseded by {snapshot.superseded_by}: what it had copied counts there.")]
    if snapshot.status is Status.CANCELLED:
        return [Line(f"{left} Cancelled for good: run it again to copy them.")]
    ways = (
        Line(f"   xsync resume {snapshot.execution}"),
        Line(f"   xsync cancel {snapshot.execution}  (ends it for good)"),
    )
    return [Line(f"{left} Go on, or end it:"), *ways]
