"""The Survey screen's body: what decides, what there is, sizes by time, folders or another view, hazards. Pure."""

from __future__ import annotations

import textwrap
from typing import Literal, NamedTuple

from engine.planning.sizes import SizeTimes, decides
from engine.planning.values import Origin
from engine.quantities import format_bytes, format_count, format_count_short, format_duration, format_share
from engine.survey.facts import Bin, Hazard
from engine.survey.report import SurveyReport
from xsync_tui.cli.look import Look
from xsync_tui.cli.survey_facts import fact_lines
from xsync_tui.drawing.bars import bar_piece
from xsync_tui.drawing.evidence import day
from xsync_tui.drawing.folders import FolderTable, folder_rows, left_over
from xsync_tui.drawing.histogram import histogram_rows
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row

Pane = Literal["folders", "ages", "kinds", "facts", "hazards"]

PANES: tuple[Pane, ...] = ("folders", "ages", "kinds", "facts", "hazards")

_DAY = 86_400

OLD_SECONDS = 7 * _DAY
"""As old as this a survey is worth a word."""

_LARGE = 100_000
"""Entries directly in one folder that are many for tools that list it whole."""


class Scanning(NamedTuple):
    """A survey that goes on: what it has found so far, and what it does now in words, ``""`` while it lists."""

    files: int = 0
    entries: int = 0
    bytes: int = 0
    seconds: float = 0.0
    errors: int = 0
    step: str = ""
    stopping: bool = False


class SurveyView(NamedTuple):
    """What the screen shows at ``now`` (Unix time).

    ``times`` and ``origin``: of ``report``'s bins, by what one agent does. ``problem``: why there is no more than that.
    """

    now: float
    report: SurveyReport | None = None
    times: SizeTimes | None = None
    origin: Origin | None = None
    table: FolderTable | None = None
    scanning: Scanning | None = None
    pane: Pane = "folders"
    zoomed: bool = False
    problem: str = ""


def survey_rows(view: SurveyView, canvas: Canvas) -> list[Row]:
    """At most ``canvas.height`` rows; the first is the answer."""
    report = view.report
    rows = [fitted(each, canvas.width) for each in (_problem(view, canvas) or [_answer(view, canvas)])]
    if view.scanning is not None:
        rows.append(_counter(view.scanning, report, canvas))
    elif report is not None:
        rows.append(_totals(report, view.now, canvas))
    if report is None or view.times is None or view.origin is None:
        return [*rows, *_nothing_yet(view, canvas)][: canvas.height]
    if view.scanning is not None:
        since = f" below: the last survey, of {day(report.surveyed_at, canvas)}"
        rows.append(fitted(row(Piece(since, Role.MUTED)), canvas.width))
    if report.files and not view.zoomed:
        rows += histogram_rows(view.times, view.origin, canvas)
    last = [] if view.pane == "hazards" else [_hazards(report, view, canvas)]
    room = canvas.height - len(rows) - len(last)
    return [*rows, *_pane(view, report, canvas, room)[: max(0, room)], *last][: canvas.height]


def _problem(view: SurveyView, canvas: Canvas) -> list[Row]:
    """What is wrong, as long as it is: paths in it are what a person needs."""
    texts = textwrap.wrap(canvas.text(view.problem), canvas.width - 4)
    return [row(Piece(f" {' ' if index else '!'} {text}", Role.ALARM)) for index, text in enumerate(texts)]


def _answer(view: SurveyView, canvas: Canvas) -> Row:
    if view.scanning is not None:
        scanning = view.scanning
        doing = "stopping" if scanning.stopping else canvas.text(scanning.step) or "listing"
        sizes = f", {format_bytes(scanning.bytes / scanning.files)} each" if scanning.files else ""
        return row(Piece(f" So far {format_count_short(scanning.files)} files{sizes}: {doing}.", Role.STRONG))
    if view.report is None:
        return row(Piece(" Not surveyed yet: nothing is known of how much there is.", Role.STRONG))
    if view.times is None:
        return row(Piece(" Reading the survey.", Role.STRONG))
    return row(Piece(f" {decides(view.times, so_far=view.report.partial)}", Role.STRONG))


def _totals(report: SurveyReport, now: float, canvas: Canvas) -> Row:
    least = "at least " if report.partial else ""
    state = Piece("PARTIAL" if report.partial else "complete", Role.LOOK if report.partial else Role.GOOD)
    days = int((now - report.surveyed_at) / _DAY)
    is_old = now - report.surveyed_at > OLD_SECONDS
    when = day(report.surveyed_at, canvas)
    cramped = canvas.width < 100 and (report.partial or is_old)
    pieces = [
        Piece(f" {least}{format_count(report.files)} files  {format_bytes(report.bytes)}  "),
        Piece("" if cramped else f"{format_count(report.directories)} folders  "),
        state,
        Piece(f"  {format_duration(report.seconds)}  {format_count_short(report.entries_per_second)}/s  "),
        Piece(f"! {when}, {days} days old", Role.LOOK) if is_old else Piece(when),
    ]
    return fitted(tuple(pieces), canvas.width)


def _counter(scanning: Scanning, report: SurveyReport | None, canvas: Canvas) -> Row:
    """What was found while it goes on; no share, for the total is not known."""
    rate = f"{format_count_short(scanning.entries / scanning.seconds)}/s" if scanning.seconds else "?"
    before = "" if report is None else f"  (last survey: {format_count_short(report.files)})"
    errors = Piece(f"  ! {format_count(scanning.errors)} unreadable" if scanning.errors else "", Role.LOOK)
    return fitted(
        (
            Piece(" PARTIAL ", Role.LOOK),
            Piece(f"{format_count(scanning.files)} files  {format_bytes(scanning.bytes)}  ", Role.STRONG),
            Piece(f"{rate}  {format_duration(scanning.seconds)}{before}"),
            errors,
        ),
        canvas.width,
    )


def _nothing_yet(view: SurveyView, canvas: Canvas) -> list[Row]:
    said = ""
    if view.scanning is not None:
        said = (
            "Sizes, folders and hazards are computed when all is listed. Nothing is written to the source. "
            "C stops it: what was found is kept, and the next survey goes on from there within 12 hours."
        )
    elif view.report is None and not view.problem:
        said = (
            "A survey lists names, sizes and times; it opens no file and writes nothing there. A million files take "
            "a few seconds on a local disk, longer over a network. R starts it."
        )
    return [(), *[row(Piece(f" {text}", Role.MUTED)) for text in textwrap.wrap(said, canvas.width - 2)]]


def _hazards(report: SurveyReport, view: SurveyView, canvas: Canvas) -> Row:
    """All kinds in one row, the most frequent first, and what the table above does not show."""
    found = sorted(report.hazards, key=lambda each: -each.count)
    more = ""
    if view.pane == "folders" and view.table is not None:
        more = left_over(view.table, canvas.height)
    if not found:
        widest = report.layout.widest_directory
        wide = f"; the widest folder holds {format_count(widest.entries)}" if widest.entries > _LARGE else ""
        done = "✓" if canvas.unicode else "ok"
        text = f" {done} no hazards{wide}{f'; {more}' if more else ''}"
        return fitted(row(Piece(text, Role.GOOD)), canvas.width)
    total = sum(each.count for each in found)
    said = ", ".join(f"{format_count(each.count)} {canvas.text(each.kind)}" for each in found)
    text = f" ! {format_count(total)} hazards: {said}"
    if len(text) > canvas.width:
        text = text[: canvas.width - 8].rpartition(",")[0] or text[: canvas.width - 8]
        text += ", v all"
    return fitted(row(Piece(text, Role.LOOK)), canvas.width)


def _pane(view: SurveyView, report: SurveyReport, canvas: Canvas, room: int) -> list[Row]:
    if view.pane == "folders" and view.table is not None:
        return folder_rows(view.table, canvas, room)
    if view.pane == "ages":
        return _ages(report, canvas)
    if view.pane == "kinds":
        rows = [(canvas.text(each.extension or "(none)", 14), each.files, each.bytes) for each in report.extensions]
        return _two_bars("Extension", rows, report, canvas)
    if view.pane == "hazards":
        return _all_hazards(report.hazards, canvas)
    lines = fact_lines(report, Look(canvas.width, canvas.height, canvas.unicode, zone=canvas.zone))
    head = row(Piece(" Facts", Role.STRONG))
    return [head, *(fitted(row(text), canvas.width) for line in lines for text in _wrapped(line.text, canvas))]


def _ages(report: SurveyReport, canvas: Canvas) -> list[Row]:
    rows = [(_age_label(each), each.files, each.bytes) for each in report.age_histogram]
    filled = [index for index, each in enumerate(rows) if each[1]]
    return _two_bars("Modified", rows[: filled[-1] + 1] if filled else [], report, canvas)


def _two_bars(head: str, rows: list[tuple[str, int, int]], report: SurveyReport, canvas: Canvas) -> list[Row]:
    cells = (canvas.width - 16 - 2 * 16) // 2
    found: list[Row] = [
        fitted(
            (
                Piece(f" {head:<14} ", Role.STRONG),
                Piece(f"{'files':<{cells + 16}}", Role.FILES),
                Piece("bytes", Role.BYTES),
            ),
            canvas.width,
        )
    ]
    for label, files, size in rows:
        pieces = [Piece(f" {label:<14} ")]
        for part, whole, figure, role in (
            (files, report.files, format_count_short(files), Role.FILES),
            (size, report.bytes, format_bytes(size), Role.BYTES),
        ):
            pieces.append(bar_piece(part / whole if whole else 0.0, cells, role, canvas))
            pieces.append(Piece(f"{figure:>7} {format_share(part, whole) if whole else '0 %':>6}  "))
        found.append(fitted(tuple(pieces), canvas.width))
    return found


def _age_label(of: Bin) -> str:
    """``1-7 days``, ``from 10 years``: ages in the unit of their lower end."""
    if of.to is None:
        return f"> {_days(of.from_)}"
    return "today" if of.to <= 1 else f"< {_days(of.to)}"


def _days(days: int) -> str:
    if days < 60:
        return f"{days} day{'s' if days > 1 else ''}"
    return f"{days // 30} months" if days < 365 else f"{days // 365} year{'s' if days >= 730 else ''}"


def _all_hazards(hazards: tuple[Hazard, ...], canvas: Canvas) -> list[Row]:
    rows = [row(Piece(" Hazards", Role.STRONG))]
    if not hazards:
        return [*rows, row(Piece(" none that a migration would meet", Role.GOOD))]
    for each in sorted(hazards, key=lambda each: -each.count):
        start = f" ! {format_count(each.count)} {canvas.text(each.kind)}: "
        example = canvas.text(each.examples[0], max(8, canvas.width - len(start))) if each.examples else ""
        rows.append(fitted(row(Piece(start + example, Role.LOOK)), canvas.width))
        rows += [row(f"   {text}") for text in textwrap.wrap(canvas.text(each.advice), canvas.width - 4)]
    return rows


def _wrapped(text: str, canvas: Canvas) -> list[str]:
    return textwrap.wrap(text, canvas.width, subsequent_indent="   ", drop_whitespace=False) or [""]
