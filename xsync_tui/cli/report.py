"""``xsync report``: what an execution did, and what it could not do."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from xsync_tui.cli import options

if TYPE_CHECKING:
    from engine.model import Snapshot
    from xsync_tui.cli.look import Look


@click.command
@options.execution
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html", "csv"]),
    help="text (the default); json: report.json; html: one page with charts; csv: a row for each file acted on.",
)
@click.option(
    "--failures",
    is_flag=True,
    help="Only what failed, one by one, to hand to whoever can mend it: as text, csv or json; also while it runs.",
)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False), help="Write to this file; without it, or -, to stdout."
)
@options.as_json
def command(execution: str | None, form: str | None, failures: bool, output: str | None, as_json: bool) -> int:
    """Show what an execution did: ledger, tasks, failures and what helps; --json is --format json."""
    from engine.home import find_execution, find_home

    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} exclude each other.")
    form = "json" if as_json else form or "text"
    if failures and form == "html":
        raise click.UsageError("--failures is for text, csv and json.")
    folder = find_execution(find_home(), execution)
    to = None if output in (None, "-") else str(options.writable(output))
    if failures:
        _failures(folder, form, to)
        return 0
    _existing(folder, "files.parquet" if form == "csv" else "report.json")
    with _opened(to) as out:
        _write(folder, form, out, to_file=to is not None)
    return 0


def _failures(folder: Path, form: str, output: str | None) -> None:
    """Write all that failed; of an execution under way what is known by now, which is said."""
    from engine.quantities import format_count
    from engine.reporting.failures import failures_of, write_failures_csv, write_failures_json, write_failures_text
    from xsync_tui.cli.outcome import remedy_for

    found = failures_of(folder, remedy_for)
    write = {"csv": write_failures_csv, "json": write_failures_json, "text": write_failures_text}[form]
    with _opened(output) as out:
        number = write(found, out)
    if output is not None:
        click.echo(f"{format_count(number)} failure{'s' * (number != 1)} in {output}", err=True)
    if not found.complete:
        click.echo(
            f"{format_count(number)} of {format_count(found.number)} that failed so far have their paths here: "
            "all have once the execution has ended.",
            err=True,
        )


def _existing(folder: Path, name: str) -> None:
    from engine.errors import XsyncError

    if not (folder / name).exists():
        from engine.journal.reader import read_succession

        if by := read_succession(folder).superseded_by:
            raise XsyncError(f"{folder.name} has no report: it was superseded by {by}. See: xsync report {by}")
        raise XsyncError(f"{folder.name} has no report yet: it is written at the end. See: xsync status {folder.name}")


@contextmanager
def _opened(output: str | None) -> Iterator[TextIO]:
    """Where the report goes, always in UTF-8. Raises XsyncError for a file that cannot be written or read."""
    from engine.errors import XsyncError

    if output is None:
        sys.stdout.flush()
        out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="")
        try:
            yield out
            out.flush()
        finally:
            out.detach()
        return
    try:
        with open(output, "w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        if error.filename not in (None, output):
            raise XsyncError(f"{error.filename} cannot be read: {error.strerror}") from error
        raise XsyncError(f"{output} cannot be written: {error.strerror}") from error


def _write(folder: Path, form: str, out: TextIO, *, to_file: bool) -> None:
    from xsync_tui.cli.running import REPORT_NAME, read_report

    if form == "csv":
        from engine.reporting.report_csv import write_csv

        write_csv(folder / "files.parquet", out)
    elif form == "html":
        from engine.reporting.report_html import render

        out.write(render(read_report(folder / REPORT_NAME)))
    elif form == "json":
        out.write((folder / REPORT_NAME).read_text("utf-8").rstrip() + "\n")
    else:
        out.write("\n".join(_text_lines(folder, to_file=to_file)) + "\n")


def _text_lines(folder: Path, *, to_file: bool) -> list[str]:
    from engine.journal.reader import SnapshotReader
    from xsync_tui.cli.outcome import summary_lines
    from xsync_tui.cli.output import current_look
    from xsync_tui.cli.running import REPORT_NAME, read_report

    with SnapshotReader(folder) as reader:
        snapshot, failures = reader.read(), reader.failures()
    look = current_look()
    look = look._replace(color=look.color and not to_file)
    summary = summary_lines(snapshot, failures, read_report(folder / REPORT_NAME), look, gone=False)
    files = [path.name for path in (*sorted(folder.glob("report.*")), *folder.glob("files.parquet"))]
    return [*_head(snapshot, look), *summary, *_tasks(snapshot, look), f" {', '.join(files)} in", f" {folder}"]


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
