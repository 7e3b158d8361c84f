"""``xsync report``: what an execution did, and what it could not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from xsync_tui.cli import options

if TYPE_CHECKING:
    from engine.model import Snapshot
    from xsync_tui.cli.look import Look


@click.command
@options.execution
@options.as_json
def command(execution: str | None, as_json: bool) -> int:
    """Show what an execution did: ledger, tasks, failures and what helps; --json prints its report.json as it is."""
    from engine.errors import XsyncError
    from engine.home import find_execution, find_home
    from engine.journal.reader import SnapshotReader
    from xsync_tui.cli.outcome import summary_lines
    from xsync_tui.cli.output import current_look
    from xsync_tui.cli.running import REPORT_NAME, read_report

    folder = find_execution(find_home(), execution)
    report = folder / REPORT_NAME
    if not report.exists():
        raise XsyncError(f"{folder.name} has no report yet: it is written at the end. See: xsync status {folder.name}")
    if as_json:
        click.echo(report.read_bytes().rstrip())
        return 0
    with SnapshotReader(folder) as reader:
        snapshot, failures = reader.read(), reader.failures()
    look = current_look()
    summary = summary_lines(snapshot, failures, read_report(report), look, gone=False)
    files = [
        f" {path.name:<14} {path}" for path in sorted(folder.glob("report.*")) + sorted(folder.glob("files.parquet"))
    ]
    print("\n".join([*_head(snapshot, look), *summary, *_tasks(snapshot, look), *files]))
    return 0


def _head(snapshot: Snapshot, look: Look) -> list[str]:
    from xsync_tui.cli.clock import moment

    ended = moment(snapshot.ended_at, look.zone) if snapshot.ended_at else "-"
    return [
        f" execution    {snapshot.execution}",
        f" source       {look.text(snapshot.source)}",
        f" destination  {look.text(snapshot.destination)}",
        f" from         {moment(snapshot.started_at, look.zone)} to {ended}, on {look.text(snapshot.host)}",
    ]


def _tasks(snapshot: Snapshot, look: Look) -> list[str]:
    """A line per task; a single one would only repeat the ledger."""
    from engine.quantities import format_bytes, format_count

    if len(snapshot.tasks) < 2:
        return []
    rows = [f" {'task':<20} {'files':>13} {'transferred':>13} {'failed':>9} {'bytes':>9}"]
    for task in snapshot.tasks:
        counts = f"{format_count(task.files.discovered):>13} {format_count(task.files.transferred):>13}"
        failed = f"{format_count(task.files.failed):>9}"
        rows.append(f" {look.text(task.name, 20):<20} {counts} {failed} {format_bytes(task.bytes.transferred):>9}")
    return rows
