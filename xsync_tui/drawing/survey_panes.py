"""The lower pane of the Survey screen: folders, a map of them, ages, extensions, hazards, facts, samples. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Literal

from engine.quantities import format_bytes, format_count, format_count_short, format_share
from engine.survey.facts import Bin, Compressibility, Hazard
from engine.survey.report import SurveyReport
from xsync_tui.cli.look import Look
from xsync_tui.cli.survey_facts import fact_lines
from xsync_tui.drawing.bars import bar_piece
from xsync_tui.drawing.folders import FolderTable, folder_rows, scrolled
from xsync_tui.drawing.icicle import icicle_rows
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row
from xsync_tui.text import width_of

Pane = Literal["folders", "map", "ages", "kinds", "facts", "hazards", "samples"]

MAP_WIDTH, MAP_HEIGHT = 100, 26
"""From here on a canvas has room for the map."""

_LABEL_CELLS = 14


def panes_of(report: SurveyReport, canvas: Canvas) -> tuple[Pane, ...]:
    """What there is to see of a report on a canvas, in order."""
    there: list[Pane] = ["folders"]
    if canvas.width >= MAP_WIDTH and canvas.height >= MAP_HEIGHT:
        there.append("map")
    there += ["ages", "kinds", "hazards", "facts"]
    if report.compressibility is not None:
        there.append("samples")
    return tuple(there)


def pane_length(pane: Pane, report: SurveyReport, table: FolderTable | None, canvas: Canvas) -> int:
    """How many rows a cursor can be on there."""
    match pane:
        case "folders" | "map":
            return 0 if table is None else len(table.folders)
        case "ages":
            return len(_ages(report))
        case "kinds":
            return len(report.extensions)
        case "hazards":
            return len(report.hazards)
        case "samples":
            return 0 if report.compressibility is None else len(report.compressibility.by_extension)
        case "facts":
            return len(_facts(report, canvas))


def pane_rows(
    pane: Pane,
    report: SurveyReport,
    table: FolderTable | None,
    cursor: int | None,
    canvas: Canvas,
    room: int,
    *,
    filtered: bool = False,
) -> list[Row]:
    """A heading and at most ``room`` - 1 rows, those around ``cursor`` (None: the keys are another pane's).

    ``filtered``: folders and sizes are; ages and extensions say that they are not.
    """
    match pane:
        case "folders":
            return [] if table is None else folder_rows(table._replace(cursor=cursor), canvas, room)
        case "map":
            return [] if table is None else icicle_rows(table, report.layout.folders, cursor, canvas, room)
        case "ages":
            return _two_bars("Modified", _ages(report), report, cursor, canvas, room, filtered)
        case "kinds":
            kinds = [(each.extension or "(none)", each.files, each.bytes) for each in report.extensions]
            return _two_bars("Extension", kinds, report, cursor, canvas, room, filtered)
        case "facts":
            lines = _facts(report, canvas)
            first = max(0, min(cursor or 0, len(lines) - room + 1))
            return [_head("Facts", cursor), *lines[first : first + max(0, room - 1)]]
        case "hazards":
            return _hazards(report.hazards, cursor, canvas, room)
        case "samples":
            return [] if report.compressibility is None else _samples(report.compressibility, cursor, canvas, room)


def _head(text: str, cursor: int | None) -> Row:
    return row(" ", Piece(text, Role.STRONG if cursor is None else Role.HERE))


def _sign(index: int, cursor: int | None, canvas: Canvas) -> tuple[str, Role]:
    """How a row begins, and its role."""
    if index != cursor:
        return " ", Role.PLAIN
    return "▶" if canvas.unicode else ">", Role.HERE


def _ages(report: SurveyReport) -> list[tuple[str, int, int]]:
    rows = [(_age_label(each), each.files, each.bytes) for each in report.age_histogram]
    filled = [index for index, each in enumerate(rows) if each[1]]
    return rows[: filled[-1] + 1] if filled else []


def _two_bars(
    head: str,
    rows: Sequence[tuple[str, int, int]],
    report: SurveyReport,
    cursor: int | None,
    canvas: Canvas,
    room: int,
    filtered: bool,
) -> list[Row]:
    files_head = "files, of the whole survey" if filtered else "files"
    cells = (canvas.width - _LABEL_CELLS - 2 - 2 * 16) // 2
    found: list[Row] = [
        fitted(
            (
                *_head(head, cursor),
                Piece(" " * (_LABEL_CELLS + 1 - len(head))),
                Piece(f"{files_head:<{cells + 16}}", Role.FILES),
                Piece("bytes", Role.BYTES),
            ),
            canvas.width,
        )
    ]
    first = scrolled(cursor or 0, len(rows), max(1, room - 1))
    for index, (label, files, size) in enumerate(rows[first : first + room - 1], first):
        sign, role = _sign(index, cursor, canvas)
        text = canvas.text(label, _LABEL_CELLS)
        pieces = [Piece(f"{sign}{text}", role), Piece(" " * (_LABEL_CELLS + 1 - width_of(text)))]
        for part, whole, figure, series in (
            (files, report.files, format_count_short(files), Role.FILES),
            (size, report.bytes, format_bytes(size), Role.BYTES),
        ):
            pieces.append(bar_piece(part / whole if whole else 0.0, cells, series, canvas))
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


def _facts(report: SurveyReport, canvas: Canvas) -> list[Row]:
    lines = fact_lines(report, Look(canvas.width, canvas.height, canvas.unicode, zone=canvas.zone))
    texts = [
        part
        for line in lines
        for part in textwrap.wrap(line.text, canvas.width, subsequent_indent="   ", drop_whitespace=False) or [""]
    ]
    return [fitted(row(text), canvas.width) for text in texts]


def _hazards(hazards: Sequence[Hazard], cursor: int | None, canvas: Canvas, room: int) -> list[Row]:
    """Each kind with what xsync does about it and where; where there is no room for all, that under the cursor."""
    head = _head("Hazards", cursor)
    if not hazards:
        return [head, row(Piece(" none that a migration would meet", Role.GOOD))]
    ranked = sorted(hazards, key=lambda each: -each.count)
    blocks = [_hazard(each, *_sign(index, cursor, canvas), canvas) for index, each in enumerate(ranked)]
    if sum(map(len, blocks)) > room - 1:
        blocks = [block if index == (cursor or 0) else block[:1] for index, block in enumerate(blocks)]
    rows = [each for block in blocks for each in block]
    above = sum(map(len, blocks[: cursor or 0]))
    first = max(0, min(above, len(rows) - room + 1))
    return [head, *rows[first : first + max(0, room - 1)]]


def _hazard(of: Hazard, sign: str, role: Role, canvas: Canvas) -> list[Row]:
    title = f" ! {format_count(of.count)} x {canvas.text(of.kind)}"
    rows = [fitted(row(Piece(sign, role), Piece(title[1:], role if role is Role.HERE else Role.LOOK)), canvas.width)]
    rows += [row(f"   {text}") for text in textwrap.wrap(canvas.text(of.advice), canvas.width - 4)]
    return rows + [row("   ", Piece(canvas.text(each, canvas.width - 4), Role.MUTED)) for each in of.examples]


def _samples(found: Compressibility, cursor: int | None, canvas: Canvas, room: int) -> list[Row]:
    """What compression leaves of each extension, the whole in the heading."""
    error = "" if found.error is None else f" +-{max(1.0, 100 * found.error):.0f}"
    said = (
        f"  zstd -{found.level} leaves {100 * found.ratio:.0f}{error} %: {format_bytes(found.sampled_bytes)} sampled, "
        f"for {format_share(found.covered, 1.0)} of the bytes"
    )
    rows = [fitted((*_head("Compression", cursor), Piece(said)), canvas.width)]
    first = scrolled(cursor or 0, len(found.by_extension), max(1, room - 1))
    cells = canvas.width - _LABEL_CELLS - 30
    for index, each in enumerate(found.by_extension[first : first + room - 1], first):
        sign, role = _sign(index, cursor, canvas)
        text = canvas.text(each.extension or "(none)", _LABEL_CELLS)
        pieces = (
            Piece(f"{sign}{text}", role),
            Piece(" " * (_LABEL_CELLS + 1 - width_of(text))),
            bar_piece(each.ratio, cells, Role.BYTES, canvas, track=True),
            Piece(f" {100 * each.ratio:>3.0f} %  of {format_bytes(each.sampled_bytes):>7} sampled"),
        )
        rows.append(fitted(pieces, canvas.width))
    return rows
