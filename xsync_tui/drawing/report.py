"""The body of the Report screen: foretold against taken, ledger, failures by cause, tasks, agents, its files. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.decoding import from_builtins
from engine.model import Status, Tally
from engine.quantities import counted, format_bytes, format_count, format_count_short, format_duration, format_rate
from xsync_tui.cli.clock import clock
from xsync_tui.cli.outcome import foretold, held, remedy_for
from xsync_tui.drawing.bars import bar_piece
from xsync_tui.drawing.figures import check, cross
from xsync_tui.drawing.ledger import ledger
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, beside, headed
from xsync_tui.drawing.shapes import heading, lines_of, sentence, unsure, within, wrapped
from xsync_tui.text import cut_end

_SHOWN = 4
_WIDE = 110
_HEADS = {"tasks": "task", "agents": "agent", "folders": "folder with most bytes"}


class View(NamedTuple):
    """A report (``report.json``; empty: there is none), its execution, and the files of it that exist.

    ``number`` of ``of``: which one of the profile's executions, the newest being the last. ``table``: which table is
    shown where there is no room for all.
    """

    report: Mapping[str, Any]
    execution: str = ""
    files: Sequence[Path] = ()
    number: int = 1
    of: int = 1
    table: int = 0
    looking: str = ""
    trouble: str = ""
    now: float = 0.0


def body(view: View, canvas: Canvas) -> list[Row]:
    """The rows below the journey, the answer first; at most ``canvas.height``."""
    report = view.report
    if view.trouble:
        return sentence(cross(canvas), "NO REPORT", canvas.text(" ".join(view.trouble.split())), Role.ALARM, canvas, 6)[
            : canvas.height
        ]
    if not report:
        return _nothing(view, canvas)[: canvas.height]
    tail = _files(view, canvas)
    rows = [*_answer(report, canvas), *_range_taken(report, canvas), *_amounts(view, canvas)]
    rows += ledger(_tally(report), canvas)
    rows += headed("failures", _failures(report, canvas))
    room = canvas.height - len(rows) - len(tail)
    rows += _tables(report, view.table, canvas._replace(height=max(0, room)))
    return within([*rows[: max(0, canvas.height - len(tail))], *tail], canvas)


def _nothing(view: View, canvas: Canvas) -> list[Row]:
    if view.looking:
        return lines_of([f" {canvas.text(view.looking)}"])
    if not view.execution:
        return sentence("", "", "Nothing has run yet. 5 runs it; its report is here at the end.", Role.PLAIN, canvas)
    text = f"{canvas.text(view.execution, 50)} has no report yet: it is written at the end. 5 shows how far it is."
    return [*sentence("", "", text, Role.PLAIN, canvas), *_which(view, canvas)]


def _answer(report: Mapping[str, Any], canvas: Canvas) -> list[Row]:
    """What was said against what it took; of an execution that nothing was said of, what it took."""
    fine = report["status"] == Status.SUCCESS
    mark, role = (check(canvas), Role.GOOD) if fine else (cross(canvas), Role.ALARM)
    failed = sum(report["failure_counts"].values())
    trouble = "" if fine else f"; {counted(failed, 'entry', 'entries')} failed" if failed else ""
    text = foretold(report) or f"took {format_duration(report['seconds'])}; nothing was foretold of it"
    rows = sentence(mark, report["status"], f"{text}{trouble}.", role, canvas)
    if report["message"] and not fine:
        rows += lines_of(f" ! {line}" for line in wrapped(canvas.text(report["message"]), canvas.width - 4, 2))
    return rows


def _range_taken(report: Mapping[str, Any], canvas: Canvas) -> list[Row]:
    """The range that was foretold, hatched, and what it took as a bar below it, on one scale."""
    said = report.get("estimate")
    if not said:
        return []
    low, high, took = said["seconds"]["low"], said["seconds"]["high"], said["took_seconds"]
    top, cells = max(high, took, 1e-9) * 1.02, canvas.width - 12
    first, last = round(low / top * cells), max(round(high / top * cells), round(low / top * cells) + 1)
    sure = "█" if canvas.unicode else "#"
    hatched = (Piece(sure * first, Role.TIME), Piece(unsure(canvas) * (last - first), Role.UNSURE))
    return [
        (Piece(f" {'foretold':<9} "), *hatched),
        (Piece(f" {'took':<9} "), bar_piece(took / top, cells, Role.GOOD if held(said) else Role.LOOK, canvas)),
    ]


def _amounts(view: View, canvas: Canvas) -> list[Row]:
    report = view.report
    size, sending = report["bytes"]["transferred"], report.get("transfer_seconds")
    rate = f", {format_rate(size / sending)} while transferring" if sending else ""
    ended = clock(report["ended_at"], canvas.zone, view.now) if report["ended_at"] else "?"
    began = clock(report["started_at"], canvas.zone, view.now)
    parts = ", ".join(f"{name} {format_duration(seconds)}" for name, seconds in report.get("phase_seconds", {}).items())
    text = f"{format_bytes(size)} sent{rate}. {began} - {ended} on {canvas.text(report['host'], 20)}."
    rows = _paragraph(text, canvas) + (_paragraph(f"Of that: {parts}.", canvas) if parts else [])
    return [*rows, *_which(view, canvas)]


def _which(view: View, canvas: Canvas) -> list[Row]:
    if view.of < 2:
        return []
    text = f" Execution {view.number} of {view.of}, {canvas.text(view.execution, 44)}; [ ] shows another."
    return [(Piece(cut_end(text, canvas.width), Role.MUTED),)]


def _tally(report: Mapping[str, Any]) -> Tally:
    return from_builtins({key: count for key, count in report["files"].items() if key != "pending"}, Tally)


def _failures(report: Mapping[str, Any], canvas: Canvas) -> list[Row]:
    """By cause, most first: how many, what helps, and an example."""
    counts = sorted(report["failure_counts"].items(), key=lambda item: (-item[1], item[0]))
    rows: list[Row] = []
    for reason, number in counts[:_SHOWN]:
        helps = remedy_for(reason)
        text = f" {cross(canvas)} {format_count(number)} failed: {canvas.text(reason, 40)}"
        rows.append((Piece(cut_end(text, canvas.width), Role.ALARM),))
        example = next((each for each in report["failures"] if each["reason"] == reason), None)
        shown = "" if example is None else f"such as {canvas.text(example['path'], 40)}"
        rows += lines_of(
            f"     {line}" for line in wrapped(" ".join(filter(None, (helps, shown))), canvas.width - 6, 2)
        )
    if len(counts) > _SHOWN:
        rows.append((Piece(f"   and {counted(len(counts) - _SHOWN, 'other cause')}: f shows all"),))
    return rows


def _tables(report: Mapping[str, Any], chosen: int, canvas: Canvas) -> list[Row]:
    """Tasks, agents and the folders with most bytes, side by side; where there is no room for all, one of them."""
    if canvas.height < 3:
        return []
    wide = canvas.width >= _WIDE
    cells = (canvas.width - 4) // 3 if wide else canvas.width
    each = canvas._replace(width=cells)
    tasks = [(task["name"], task["files"], task["bytes"]["transferred"]) for task in report["tasks"]]
    work = [(agent["agent"] or "several", agent["files"], agent["bytes"]) for agent in report["agents"]]
    folders = [(folder["folder"] or "/", folder["files"], folder["bytes"]) for folder in report.get("top_folders", ())]
    split = [(name, files["transferred"], size) for name, files, size in tasks] if len(tasks) > 1 else []
    values = {"tasks": split, "agents": work, "folders": folders}
    tables = [headed(name, _table(_HEADS[name], values[name], each)) for name in tables_of(report)]
    if not tables:
        return []
    if not wide:
        return _cut(tables[chosen % len(tables)], canvas.height, len(tables), canvas)
    rows = [table[: canvas.height - 1] for table in tables]
    joined = rows[-1]
    for table in reversed(rows[:-1]):
        joined = beside(table, joined, cells, "  ")
    return [(), *joined]


def tables_of(report: Mapping[str, Any]) -> list[str]:
    """The tables that there are of a report, in the order in which v shows them."""
    there = {"tasks": len(report["tasks"]) > 1, "agents": report["agents"], "folders": report.get("top_folders")}
    return [name for name, values in there.items() if values]


def _cut(table: list[Row], most: int, tables: int, canvas: Canvas) -> list[Row]:
    """As much of a table as there is room for; how many rows are left out, and that there are others."""
    more = [f"{len(table) - most + 1:,} more"] if len(table) > most - (tables > 1) else []
    more += ["v shows another table"] if tables > 1 else []
    if not more:
        return table
    return [*table[: most - 1], (Piece(f" {'; '.join(more)}", Role.MUTED),)]


def _table(name: str, values: Sequence[tuple[str, int, int]], canvas: Canvas) -> list[Row]:
    """A row each with its files, bytes, and bytes as a bar; the bars share one scale."""
    cells = max(12, min(24, canvas.width - 34))
    room = max(4, min(24, canvas.width - cells - 20))
    top = max((size for _, _, size in values), default=0) or 1
    rows = [heading(f" {cut_end(name, cells):<{cells}} {'files':>7} {'bytes':>8}")]
    for label, files, size in values:
        shown = canvas.text(label, cells)
        text = f" {shown:<{cells}} {format_count_short(files):>7} {format_bytes(size):>8} "
        rows.append((Piece(text), bar_piece(size / top, room, Role.BYTES, canvas)))
    return rows


def _files(view: View, canvas: Canvas) -> list[Row]:
    """Where its files are, with their full paths."""
    if not view.files:
        return []
    folder = view.files[0].parent
    names = ", ".join(path.name for path in view.files)
    return [
        (Piece(cut_end(f" Files: {canvas.text(names)}, in", canvas.width)),),
        (Piece(f" {canvas.text(str(folder), canvas.width - 1)}", Role.STRONG),),
    ]


def _paragraph(text: str, canvas: Canvas) -> list[Row]:
    return lines_of(f" {line}" for line in wrapped(text, canvas.width - 2))
