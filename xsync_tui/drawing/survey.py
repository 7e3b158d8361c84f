"""The Survey screen's body: what decides, what there is, sizes by time, a pane below them, hazards. Pure."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from engine.planning.sizes import SizeTime, SizeTimes, decides
from engine.planning.values import Origin, Roofline, SizeBin
from engine.quantities import counted, format_bytes, format_count, format_count_short, format_duration, format_share
from engine.survey.report import SurveyReport
from xsync_tui.drawing.evidence import day
from xsync_tui.drawing.filtered import EVERYTHING, Look
from xsync_tui.drawing.folders import FolderTable, in_order, left_over
from xsync_tui.drawing.histogram import Marks, histogram_rows, size_label
from xsync_tui.drawing.journey import OLD_SECONDS
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, headed, row, width
from xsync_tui.drawing.survey_panes import Pane, pane_rows
from xsync_tui.drawing.survey_why import survey_why_rows

_DAY = 86_400

_LARGE = 100_000
"""Entries directly in one folder that are many for tools that list it whole."""


class Scanning(NamedTuple):
    """A survey that goes on: what it has found so far, and what it does now in words, ``""`` while it lists.

    ``bins`` between powers of ten up to ``largest`` (bytes); ``waiting``: folders that are known and not begun.
    """

    files: int = 0
    entries: int = 0
    bytes: int = 0
    seconds: float = 0.0
    errors: int = 0
    step: str = ""
    stopping: bool = False
    bins: tuple[SizeBin, ...] = ()
    largest: int = 0
    waiting: int = 0


class SurveyView(NamedTuple):
    """What the screen shows at ``now`` (Unix time).

    ``times`` and ``origin``: of what the upper pane shows, by what one agent does; of all files that ``scanning`` found
    while that goes on, else of what is looked at. ``cursor``: in the pane that has the keys, the upper one where
    ``above``. ``reading``: the folder that is read in the catalog now. ``problem``: why there is no more than that.
    ``why``: what the figures rest on, by what ``one`` agent does, stands in place of what is below them.
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
    look: Look = EVERYTHING
    above: bool = False
    cursor: int = 0
    reading: str | None = None
    one: Roofline | None = None
    why: bool = False


def survey_rows(view: SurveyView, canvas: Canvas) -> list[Row]:
    """At most ``canvas.height`` rows; the first is the answer."""
    report = view.report
    said = _problem(view, canvas) or _answer(view, canvas)
    rows = [fitted(each, canvas.width) for each in said]
    if view.scanning is not None:
        rows.append(_counter(view.scanning, canvas))
    elif report is not None:
        rows.append(_totals(report, view.now, canvas))
    if view.why and report is not None and view.times is not None and view.one is not None and view.times.bins:
        return _why(view, report, view.times, view.one, rows, canvas)
    if view.times is not None and view.origin is not None and view.times.bins and not (report and view.zoomed):
        rows += headed("sizes", histogram_rows(view.times, view.origin, canvas, _marks(view)))
    if report is None or view.times is None:
        return [*rows, *_nothing_yet(view, canvas)][: canvas.height]
    if view.scanning is not None:
        rows.append(_between(view.scanning, report, canvas))
    room = max(0, canvas.height - len(rows) - (view.pane != "hazards"))
    last = [] if view.pane == "hazards" else headed("hazards", [_hazards(report, view, canvas, room)])
    cursor = None if view.above else view.cursor
    filtered = view.look != EVERYTHING
    pane = pane_rows(view.pane, report, view.table, cursor, canvas, room, filtered=filtered)
    if view.reading is not None and pane:
        pane = [_reading(view.reading, canvas), *pane[1:]]
    return [*rows, *headed(view.pane, pane[:room]), *last][: canvas.height]


def _why(
    view: SurveyView, report: SurveyReport, times: SizeTimes, one: Roofline, rows: list[Row], canvas: Canvas
) -> list[Row]:
    """What the figures rest on, by the time of the row under the cursor, else of the longest."""
    marks = _marks(view)
    at = marks.cursor if marks.cursor is not None and marks.cursor < len(times.bins) else marks.only
    row = times.bins[at] if at is not None else max(times.bins, key=lambda each: each.seconds)
    why = survey_why_rows(times, one, report, row, canvas, filtered=marks.only is not None)
    sizes = [] if view.origin is None else histogram_rows(times, view.origin, canvas, marks)
    if len(rows) + len(sizes) + len(why) > canvas.height:
        sizes = []
    return [*rows, *sizes, *why][: canvas.height]


def _problem(view: SurveyView, canvas: Canvas) -> list[Row]:
    """What is wrong, as long as it is: paths in it are what a person needs."""
    lines = (canvas.text(line) for line in view.problem.splitlines())
    texts = [part for line in lines for part in textwrap.wrap(line, canvas.width - 4)]
    return [row(Piece(f" {' ' if index else '!'} {text}", Role.ALARM)) for index, text in enumerate(texts)]


def _answer(view: SurveyView, canvas: Canvas) -> list[Row]:
    """One sentence, in two rows where it has to be."""
    texts = textwrap.wrap(_sentence(view, canvas), canvas.width - 2)
    return [row(Piece(f" {text}", Role.STRONG)) for text in texts[:2]]


def _sentence(view: SurveyView, canvas: Canvas) -> str:
    scanning, times = view.scanning, view.times
    if scanning is not None:
        if scanning.stopping:
            return "Stopping: what was found is kept."
        if times is None or not times.files:
            return "No file was found yet."
        return decides(times, so_far=True)
    if view.report is None:
        return "Not surveyed yet: nothing is known of how much there is."
    if times is None:
        return "Reading the survey."
    if view.look.only is not None and view.table is not None:
        found = next((each for each in times.bins if each.bin.low == view.look.only), None)
        if found is not None:
            return _of_sizes(found, times, view.table, canvas)
    said = decides(times, so_far=view.report.partial)
    if not view.look.path and not view.look.own:
        return said
    where = _where(view.look, canvas, 24)
    return f"{where[0].upper()}{where[1:]} {said[0].lower()}{said[1:]}".replace("but they take", "but take")


def _of_sizes(found: SizeTime, times: SizeTimes, table: FolderTable, canvas: Canvas) -> str:
    """What the files of one row are, and where most of them lie."""
    seconds = format_share(found.seconds, times.seconds) if times.seconds else "0 %"
    said = f"Files of {size_label(found.bin)} take {seconds} of the time"
    folders = in_order(table)
    if not folders:
        return f"{said}."
    files = table.sort == "files" or not table.bytes
    share = format_share(folders[0].files, table.files) if files else format_share(folders[0].bytes, table.bytes)
    path = folders[0].path
    where = "directly in it" if path == table.path else f"in {canvas.text(path.rpartition('/')[2], 24)}"
    return f"{said}; {share} of {'them' if files else 'their bytes'} lie {where}."


def _where(look: Look, canvas: Canvas, cells: int) -> str:
    """``in /2024``, in words."""
    path = canvas.text("/" + look.path, cells)
    return f"directly in {path}" if look.own else f"in {path}"


def _marks(view: SurveyView) -> Marks:
    if view.scanning is not None or view.times is None:
        return Marks()
    look = view.look
    only = next((index for index, each in enumerate(view.times.bins) if each.bin.low == look.only), None)
    where = "" if not look.path and not look.own else f"{'directly ' if look.own else ''}in /{look.path}"
    return Marks(where, view.cursor if view.above else None, only, view.above)


def _reading(path: str, canvas: Canvas) -> Row:
    said = f" computing {canvas.text('/' + path, canvas.width - 44)} from the catalog"
    return fitted(row(Piece(said, Role.LOOK), Piece("  backspace leaves it")), canvas.width)


def _totals(report: SurveyReport, now: float, canvas: Canvas) -> Row:
    least = "at least " if report.partial else ""
    state = Piece("PARTIAL" if report.partial else "complete", Role.LOOK if report.partial else Role.GOOD)
    days = int((now - report.surveyed_at) / _DAY)
    is_old = now - report.surveyed_at > OLD_SECONDS
    when = day(report.surveyed_at, canvas)
    pieces = [
        Piece(f" {least}{counted(report.files, 'file')}  {format_bytes(report.bytes)}"),
        Piece(f"  {counted(report.directories, 'folder')}"),
        Piece("  "),
        state,
        Piece(f"  {format_duration(report.seconds)}  {format_count_short(report.entries_per_second)}/s"),
        Piece(f"  ! {when}, {days} days old" if is_old else f"  {when}", Role.LOOK if is_old else Role.PLAIN),
    ]
    for spare in (1, 4):  # folders first, then the time it took
        if width(tuple(pieces)) > canvas.width:
            pieces[spare] = Piece("")
    return fitted(tuple(pieces), canvas.width)


def _counter(scanning: Scanning, canvas: Canvas) -> Row:
    """What was found while it goes on; no share, for the total is not known."""
    rate = f"{format_count_short(scanning.entries / scanning.seconds)}/s" if scanning.seconds else "?"
    pieces = [
        Piece(" PARTIAL", Role.LOOK),
        Piece(f" {counted(scanning.files, 'file')}  {format_bytes(scanning.bytes)}", Role.STRONG),
        Piece(f"  {rate}  {format_duration(scanning.seconds)}"),
        Piece(f"  ! {format_count(scanning.errors)} unreadable" if scanning.errors else "", Role.LOOK),
    ]
    queued = f"  {format_count(scanning.waiting)}" if scanning.waiting else ""
    room = canvas.width - width(tuple(pieces))
    more = next((queued + word for word in (" folders queued", " queued") if len(queued + word) <= room), "")
    return fitted((*pieces, Piece(more if queued else "")), canvas.width)


def _between(scanning: Scanning, report: SurveyReport, canvas: Canvas) -> Row:
    """What it does if it does not list, and what stands below."""
    doing = f" {canvas.text(scanning.step, canvas.width - 54)} " if scanning.step else ""
    since = f" below: the last survey, of {day(report.surveyed_at, canvas)}: {counted(report.files, 'file')}"
    return fitted(row(Piece(doing, Role.STRONG), Piece(since, Role.MUTED)), canvas.width)


def _nothing_yet(view: SurveyView, canvas: Canvas) -> list[Row]:
    said = ""
    if view.scanning is not None:
        said = (
            "Folders, ages and hazards are computed when all is listed. Nothing is written to the source. "
            "C stops it: what was found is kept, and the next survey goes on from there within 12 hours."
        )
    elif view.report is None and not view.problem:
        said = (
            "A survey lists names, sizes and times; it opens no file and writes nothing there. A million files take "
            "a few seconds on a local disk, longer over a network. R starts it."
        )
    doing = canvas.text(view.scanning.step, canvas.width - 2) if view.scanning is not None else ""
    first = row(Piece(f" {doing}", Role.STRONG)) if doing else ()
    return [first, *[row(Piece(f" {text}", Role.MUTED)) for text in textwrap.wrap(said, canvas.width - 2)]]


def _hazards(report: SurveyReport, view: SurveyView, canvas: Canvas, room: int) -> Row:
    """All kinds in one row, the most frequent first, and what the table of ``room`` rows above does not show."""
    found = sorted(report.hazards, key=lambda each: -each.count)
    more = ""
    if view.pane == "folders" and view.table is not None:
        more = left_over(view.table, room)
    if not found:
        widest = report.layout.widest_directory
        wide = f"; the widest folder holds {format_count(widest.entries)}" if widest.entries > _LARGE else ""
        done = "✓" if canvas.unicode else "ok"
        text = f" {done} no hazards{wide}{f'; {more}' if more else ''}"
        return fitted(row(Piece(text, Role.GOOD)), canvas.width)
    total = sum(each.count for each in found)
    said = ", ".join(f"{format_count(each.count)} x {canvas.text(each.kind)}" for each in found)
    text = f" ! {format_count(total)} hazard{'' if total == 1 else 's'}: {said}"
    if len(text) > canvas.width:
        text = text[: canvas.width - 8].rpartition(",")[0] or text[: canvas.width - 8]
        text += ", v all"
    return fitted(row(Piece(text, Role.LOOK)), canvas.width)
