"""A survey drawn as plain lines: the answer, sizes as bars for files and bytes, folders, facts, hazards."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.quantities import counted, format_bytes, format_count, format_count_short, format_duration, format_share
from engine.survey.answer import answer
from xsync_tui.cli.look import Line, Look, Role, paint
from xsync_tui.cli.survey_facts import fact_lines
from xsync_tui.text import width_of

if TYPE_CHECKING:
    from engine.survey.facts import Bin, FolderStatistics, Hazard
    from engine.survey.report import SurveyReport

TOP_FOLDERS = 8
EXAMPLES = 2

_LABEL_CELLS = 15
_FIGURE_CELLS = 15  # "12.4 M  <0.1 %"
_SMALL = 1_000
_DAY = 86_400
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def survey_lines(report: SurveyReport, look: Look) -> list[str]:
    """Draw what a survey found."""
    lines = [Line(text, Role.TITLE) for text in textwrap.wrap(f" {answer(report)}", look.width, subsequent_indent=" ")]
    lines += _totals(report, look)
    if report.files:
        lines += _histogram(report, look)
    lines += _folders(_top(report.layout.folders), report.bytes, report.surveyed_at, look)
    lines += fact_lines(report, look)
    return paint([*lines, *hazard_lines(report.hazards, look)], look)


def folder_lines(
    path: str, folders: Sequence[FolderStatistics], at: float, when: str, look: Look, *, partial: bool
) -> list[str]:
    """Draw the children of one folder, the largest first, all of them; ``at``: Unix time of the survey, as ``when``."""
    files, size = sum(each.files for each in folders), sum(each.bytes for each in folders)
    of = "PARTIAL survey" if partial else "survey"
    head = f" {look.text(path or '/')}: {counted(files, 'file')}, {format_bytes(size)}  ({of} of {when})"
    return paint([Line(head, Role.TITLE), *_folders(folders, size, at, look, own=path, most=len(folders))], look)


def counter_line(files: int, entries: int, size: int, seconds: float, look: Look) -> str:
    """What was seen so far; no share, for the total is not known."""
    rate = format_count_short(entries / seconds) if seconds else "?"
    seen = f" so far: {counted(files, 'file')}  {format_bytes(size)}  {format_count(entries)} entries  {rate}/s"
    return paint([Line(f"{seen}  {format_duration(seconds)}")], look)[0]


def size_label(low: int, high: int | None) -> str:
    """The name of a bin of the histogram, from ``low`` to below ``high`` bytes: ``1 kB - 10 kB``."""
    if high is None:
        return f"from {_round_size(low)}"
    if high <= 1:
        return "empty"
    return f"{_round_size(low)} - {_round_size(high)}" if low > 1 else f"below {_round_size(high)}"


def hazard_lines(hazards: Sequence[Hazard], look: Look) -> list[Line]:
    """Each kind with some paths, and below it what to do about it."""
    lines = []
    for each in sorted(hazards, key=lambda each: -each.count):
        start = f" ! {format_count(each.count)} x {look.text(each.kind)}: "
        room = max(0, look.width - width_of(start))
        examples = look.text(", ".join(each.examples[:EXAMPLES]))
        if width_of(examples) > room:
            examples = look.text(each.examples[0], room)  # cut as a path, not across two
        lines.append(Line(start + examples, Role.LOOK))
        lines += [Line(f"   {text}") for text in textwrap.wrap(each.advice, look.width - 3)]
    return lines


def _round_size(size: int) -> str:
    power = next(power for power in reversed(range(len(_UNITS))) if size >= 1000**power or not power)
    return f"{size / 1000**power:g} {_UNITS[power]}"


def _totals(report: SurveyReport, look: Look) -> list[Line]:
    state = "PARTIAL, stopped before the end" if report.partial else "complete"
    took = f"{format_duration(report.seconds)}  {format_count_short(report.entries_per_second)} entries/s"
    place = look.text(report.location, max(8, look.width - width_of(f"   {state}  {took}")))
    counts = [
        f"{'at least ' if report.partial else ''}{counted(report.files, 'file')}",
        format_bytes(report.bytes),
        f"{counted(report.directories, 'folder')}",
        f"{counted(report.symlinks, 'link')}",
        *([f"{format_count(report.specials)} special"] if report.specials else []),
    ]
    return [
        Line(f" {place}  {state}  {took}", Role.LOOK if report.partial else Role.PLAIN),
        Line(f" {'  '.join(counts)}"),
    ]


def _histogram(report: SurveyReport, look: Look) -> list[Line]:
    """A row per bin from the first to the last with files; bars of both columns have one scale."""
    rows = _rows(report.size_histogram)
    cells = max(4, (look.width - _LABEL_CELLS - 2 * _FIGURE_CELLS - 8) // 2)
    largest = max(max(files / report.files, size / max(1, report.bytes)) for _, files, size in rows)
    wall = "│" if look.unicode else "|"
    column = cells + 1 + _FIGURE_CELLS
    lines = [Line(f" {'size':<{_LABEL_CELLS}} {wall} {'files':<{column}} {wall} bytes", Role.TITLE)]
    for label, files, size in rows:
        columns = [
            f"{_bar(part, whole, largest, cells, look):<{cells}} {figure:>7} {format_share(part, whole):>7}"
            for part, whole, figure in (
                (files, report.files, format_count_short(files)),
                (size, report.bytes, format_bytes(size)),
            )
        ]
        lines.append(Line(f" {label:<{_LABEL_CELLS}} {wall} {columns[0]} {wall} {columns[1]}"))
    return lines


def _rows(bins: Sequence[Bin]) -> list[tuple[str, int, int]]:
    """Label, files and bytes from the first to the last bin with files; those below 1 kB are one row."""
    rows: dict[str, tuple[int, int]] = {}
    for each in bins:
        small = each.to is not None and 1 < each.to <= _SMALL
        label = size_label(1, _SMALL) if small else size_label(each.from_, each.to)
        files, size = rows.get(label, (0, 0))
        rows[label] = (files + each.files, size + each.bytes)
    filled = [index for index, (files, _) in enumerate(rows.values()) if files]
    return [(label, *counts) for label, counts in rows.items()][filled[0] : filled[-1] + 1]


def _bar(part: int, whole: int, largest: float, cells: int, look: Look) -> str:
    """A bar that is full at the ``largest`` share; whatever is not zero shows at least an eighth, nothing in ASCII."""
    if not part or not whole:
        return ""
    full, eighths = divmod(max(1, round(part / whole / largest * cells * 8)), 8)
    return "█" * full + _EIGHTHS[eighths] if look.unicode else "#" * full


def _top(folders: Sequence[FolderStatistics]) -> Sequence[FolderStatistics]:
    """The folders of the first level; where all is in one, those of the second too."""
    first = [each for each in folders if "/" not in each.path]
    return first if len(first) > 1 else folders


def _folders(
    folders: Sequence[FolderStatistics], size: int, at: float, look: Look, *, own: str = "", most: int = TOP_FOLDERS
) -> list[Line]:
    """The largest folders: what is in them, how long ago a file of theirs was modified, and what changed in a week."""
    if not folders:
        return []
    cells = max(8, look.width - 46)
    head = f"{'files':>7} {'bytes':>8} {'share':>7} {'mtime':>8} {'ctime 7 d':>10}"
    lines = [Line(f" {'folder':<{cells}} {head}", Role.TITLE)]
    shown = sorted(folders, key=lambda each: (-each.bytes, each.path))
    for each in shown[:most]:
        path = look.text("(directly in it)" if each.path == own else each.path, cells)
        path += " " * (cells - width_of(path))
        week = each.changed.week if each.changed else None
        changed = "" if week is None else format_bytes(week.bytes + week.arrived_bytes)
        figures = (
            f"{format_count_short(each.files):>7} {format_bytes(each.bytes):>8} {format_share(each.bytes, size):>7}"
        )
        lines.append(Line(f" {path} {figures} {_age(each.newest_at, at):>8} {changed:>10}".rstrip()))
    if len(shown) > most:
        lines.append(
            Line(f" and {format_count(len(shown) - most)} more: --folder PATH shows what is in one, --json all")
        )
    return lines


def _age(newest: float | None, now: float) -> str:
    """How long before the survey that was, in one unit: ``2 min``, ``3 d``, ``16 mo``, ``12 y``."""
    if newest is None:
        return "-"
    seconds = max(0.0, now - newest)
    if seconds < _DAY:
        return format_duration(seconds).partition(" h ")[0] + (" h" if seconds >= 3_600 else "")
    days = int(seconds // _DAY)
    return f"{days} d" if days < 60 else f"{days // 30} mo" if days < 730 else f"{days // 365} y"
