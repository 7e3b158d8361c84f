"""Report: what an execution came to, held against what was foretold; the newest one, or another of the profile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from textual import work

from engine.errors import XsyncError
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.handout_report import report_handout
from xsync_tui.drawing.report import View, body, tables_of
from xsync_tui.drawing.rows import Canvas, Role
from xsync_tui.keys import Key, Pane
from xsync_tui.screens.base import BaseScreen, Drawn
from xsync_tui.screens.exporting import export

CSV = "report.csv"
_FILES = ("report.json", "report.html", CSV, "files.parquet")
_LETTERS = {"tasks": "t", "agents": "a", "folders": "o"}


class Seen(NamedTuple):
    """The executions of the subject, oldest first, the chosen one's number from 0, its report and its files."""

    folders: Sequence[Path]
    number: int
    report: dict[str, Any]
    files: Sequence[Path]


class ReportScreen(BaseScreen[Seen]):
    """``[`` and ``]`` choose an execution, v a table, x exports it, c writes the audit trail as CSV."""

    place = "report"
    seconds = 2.0
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("report.before", "left_square_bracket", "one before", "choose(-1)"),
        Key("report.after", "right_square_bracket", "one after", "choose(1)"),
        Key("report.failures", "f", "failures", "app.go('failures')"),
        Key("report.log", "o", "log", "app.go('log')", footer=False),
        Key("report.view", "v", "next table", "table"),
        Key("report.export", "x", "export", "export"),
        Key("report.csv", "c", "csv of all", "csv"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._before = 0
        self._table = 0
        self._about = Subject()
        self._read: tuple[object, dict[str, Any]] = (None, {})

    def sample(self, subject: Subject, bridge: Bridge) -> Seen:
        """The chosen report. Raises XsyncError for one that is no JSON."""
        if subject != self._about:
            self._about, self._before = subject, 0
        folders = self._folders(subject, bridge)
        if not folders:
            return Seen((), 0, {}, ())
        number = max(0, len(folders) - 1 - self._before)
        folder = folders[number]
        files = [folder / name for name in _FILES if (folder / name).exists()]
        return Seen(folders, number, self._report(folder), files)

    def draw(self, value: Seen, canvas: Canvas, now: float) -> Drawn:
        """The report."""
        name = value.folders[value.number].name if value.folders else ""
        view = View(value.report, name, value.files, value.number + 1, len(value.folders), self._table, now=now)
        return Drawn(body(view, canvas))

    def panes(self) -> Sequence[Pane]:
        """What failed, and the tables."""
        report = self.value.report if self.value else {}
        if not report:
            return ()
        failed = [Pane("f", "failures", "app.go('failures')")] if report["failure_counts"] else []
        return [*failed, *(Pane(_LETTERS[name], name, f"show('{name}')") for name in tables_of(report))]

    def copies(self) -> tuple[str, str] | None:
        """Where the report is; the CSV once it was exported."""
        files = list(self.value.files) if self.value else []
        chosen = [file for file in files if file.name == CSV] or files
        return ("path", str(chosen[0])) if chosen else super().copies()

    def reason(self, key: Key) -> str:
        """What cannot be done now, and why."""
        seen = self.value
        match key.id:
            case "report.before" if seen is None or seen.number == 0:
                return "this is the first execution"
            case "report.after" if seen is None or seen.number + 1 >= len(seen.folders):
                return "this is the newest execution"
            case "report.failures" if seen is None or not seen.report.get("failure_counts"):
                return "nothing failed"
            case "report.view" | "report.export" | "report.csv" if seen is None or not seen.report:
                return "there is no report yet"
        return ""

    def action_choose(self, step: int) -> None:
        """Another execution."""
        if self.value is not None and self.value.folders:
            self._before = max(0, min(len(self.value.folders) - 1, self._before - step))
            self.reread()

    def action_show(self, table: str) -> None:
        """A table by its name."""
        if self.value is not None and self.value.report:
            self._table = tables_of(self.value.report).index(table)
            self.redraw()

    def action_table(self) -> None:
        """The next table."""
        self._table += 1
        self.redraw()

    def action_export(self) -> None:
        """Write the report as JSON and as Markdown into the current folder."""
        if self.value is None or not self.value.report:
            self.notice("There is no report yet.")
            return
        now, name, report = self.xsync.now(), self.facts.subject.name, self.value.report
        try:
            self.notice(export("report", name, now, report, report_handout(report, name, now, self.canvas.zone)))
        except XsyncError as error:
            self.notice(str(error), Role.ALARM)

    @work(group="export", exclusive=True)
    async def action_csv(self) -> None:
        """Write the audit trail as CSV beside the other files; json and html are there already."""
        if self.value is None or not self.value.report:
            return
        folder = self.value.folders[self.value.number]
        self.notice(f"Writing {folder / CSV}")
        try:
            count = await asyncio.to_thread(export_csv, folder)
        except XsyncError as error:
            self.notice(str(error), Role.ALARM)
        else:
            self.notice(f"{count:,} rows in {folder / CSV}")
        self.reread()

    def _folders(self, subject: Subject, bridge: Bridge) -> list[Path]:
        """Executions of the subject; of a profile without the steps of its test runs."""
        if subject.execution is not None or subject.profile is None:
            folder = bridge.folder_of(subject)
            return [] if folder is None else [folder]
        found = [each for each in bridge.executions() if each.snapshot is not None and not each.test]
        return [e.folder for e in found if e.snapshot is not None and e.snapshot.profile == subject.profile]

    def _report(self, folder: Path) -> dict[str, Any]:
        from xsync_tui.cli.running import REPORT_NAME, read_report

        path = folder / REPORT_NAME
        stamp = (path, path.stat().st_mtime_ns) if path.exists() else None
        if stamp is None:
            return {}
        if stamp != self._read[0]:
            self._read = (stamp, read_report(path))
        return self._read[1]


def export_csv(folder: Path) -> int:
    """Write ``report.csv`` from the audit trail in ``folder``, whole or not at all; returns how many rows.

    Raises XsyncError.
    """
    from engine.reporting.report_csv import write_csv

    aside = folder / f".{CSV}"
    try:
        with open(aside, "w", encoding="utf-8", newline="") as file:
            count = write_csv(folder / "files.parquet", file)
        aside.replace(folder / CSV)
    except OSError as error:
        raise XsyncError(f"{folder / CSV} cannot be written: {error.strerror or error}") from error
    return count
