"""Throughput over time in buckets fixed by the clock, so that only the newest cell changes between two looks. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from xsync_tui.drawing.figures import divider, rate
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, row

SPANS: tuple[tuple[str, float | None], ...] = (
    ("15 min", 900.0),
    ("1 h", 3_600.0),
    ("6 h", 21_600.0),
    ("all", None),
)
"""What ``[`` and ``]`` choose from: words, and seconds (None: the whole run)."""

GUTTER = 8
"""Cells left of the graph: a figure or the unit, and the axis."""

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)
"""Seconds of a bucket while the run is younger than the span: few, since each change redraws the whole graph."""

_LEFT, _RIGHT = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
"""Dots of a braille cell from the bottom up (Unicode, block U+2800)."""

_JITTER_SECONDS = 5.0
"""A runner writes twice a second; shorter holes than this are its haste elsewhere, not a time without a runner."""


class Window(NamedTuple):
    """``buckets`` times of ``step`` seconds from ``start`` on (seconds since the epoch, a multiple of ``step``)."""

    start: float
    step: float
    buckets: int

    @property
    def end(self) -> float:
        """Where the last bucket ends."""
        return self.start + self.step * self.buckets

    def bucket(self, at: float) -> int:
        """The number of the bucket that holds ``at``; may lie outside."""
        return int((at - self.start) // self.step)


class Ceiling(NamedTuple):
    """Bytes/s at the top of a graph, the words in it, and the limit of each bucket, to be drawn where it lay.

    A ``rate`` of 0: nothing gives the graph a scale.
    ``steps``: the top is a limit that did not always hold, so that its line has gaps.
    """

    rate: float
    words: str
    limits: Sequence[float | None] = ()
    steps: bool = False


def window(started: float, now: float, span: float | None, canvas: Canvas, *, over: bool = False) -> Window:
    """The buckets that a graph on ``canvas`` shows: the last ``span`` seconds, or the whole run while it is shorter.

    Two buckets a cell in Unicode, one in ASCII. A short run that is ``over`` fills the graph: nothing moves any more.
    """
    count = _cells(canvas) * (2 if canvas.unicode else 1)
    if over and now - started < count * _STEPS[0]:
        return Window(started, max(1.0, now - started) / count, count)
    exact = None if span is None else float(max(1, math.ceil(span / count)))
    found = steps_window(started, now, None, count, _STEPS)
    return found if exact is None or exact >= found.step else _window(started, now, exact, count)


def steps_window(started: float, now: float, span: float | None, count: int, steps: Sequence[int]) -> Window:
    """``count`` buckets of one of ``steps`` seconds: the last ``span``, or the whole run while it is shorter."""

    def least(seconds: float) -> float:
        whole = max(seconds, 1.0) / count
        return float(next((step for step in steps if step >= whole), math.ceil(whole / steps[-1]) * steps[-1]))

    step = least(now - started)
    return _window(started, now, step if span is None else min(step, least(span)), count)


def _window(started: float, now: float, step: float, count: int) -> Window:
    first, last = started // step, now // step
    return Window(max(first, last - count + 1) * step, step, count)


def ceiling(
    values: Sequence[float | None],
    limit: float | None,
    limited: str | None,
    canvas: Canvas,
    limits: Sequence[float | None] = (),
    *,
    moved: bool = False,
) -> Ceiling:
    """The highest limit of the time shown, or the best seen where there was none or it moved more.

    ``limit``: what holds now, and in words ``limited``, None if it is over. ``limits``: by bucket. ``moved``: bytes
    were copied, though no sample tells of it: a run of a few seconds ends before there are two.
    """
    best = max((value for value in values if value is not None), default=0.0)
    highest = max((each for each in (*limits, limit) if each is not None), default=0.0)
    if best > highest * 1.02:
        words = f"best seen {rate(best, canvas)}"
        return Ceiling(best, f"{words}, {limited}" if limited else words, limits)
    if highest <= 0:
        over = limited is None
        if moved:
            words = "too short to draw a rate" if over else ""
        else:
            words = "no byte was sent" if over else "nothing moved yet"
        return Ceiling(0.0, ", ".join(part for part in (words, limited) if part))
    stepped = any(each is None or each < 0.99 * highest for each in limits)
    if limit is not None and limit >= 0.99 * highest:
        return Ceiling(highest, limited or "", limits, stepped)
    now = "" if limited is None else f", now {limited.removeprefix('limit ') or 'none'}"
    return Ceiling(highest, f"limit was {rate(highest, canvas)}{now}", limits, stepped)


def graph(values: Sequence[float | None], shown: Window, top: Ceiling, now: float, canvas: Canvas) -> list[Row]:
    """``canvas.height`` rows, at least 3: the ceiling with its words, the line, the axis with clock times.

    ``values``: bytes/s of the window's buckets, None where there is no sample; ``now``: what lies behind is empty.
    """
    height, cells = max(1, canvas.height - 2), _cells(canvas)
    known = _mended(values, shown, now)
    draw = _braille if canvas.unicode else _ascii
    drawn = draw(known, top.rate or 1.0, height, cells)
    number, unit = _scale(top.rate, canvas) if top.rate else ("", "")
    edge = divider(canvas)
    dash = "┄" if canvas.unicode else "-"
    marks = _marks(top, height, cells, canvas)
    labels = [number, unit, *[""] * max(0, height - 2), "0"][: height + 1]
    labels[-1] = "0"
    line = _ceiling_line(top.words, cells, canvas)
    if top.steps:
        words = len(line.rstrip(dash))
        line = line[:words] + "".join(dash if mark < 0 else " " for mark in marks[words:])
    found = [row(f"{labels[0]:>{GUTTER - 1}}{edge}", Piece(line, Role.CEILING))]
    for number_of_row, text in enumerate(drawn):
        label = labels[number_of_row + 1]
        marked = [mark == number_of_row for mark in marks]
        found.append((Piece(f"{label:>{GUTTER - 1}}{edge}"), *_pieces(text, marked, dash)))
    return [*found, _axis(shown, cells, canvas)]


def _marks(top: Ceiling, height: int, cells: int, canvas: Canvas) -> list[int]:
    """The row in which each cell's limit lies; -1 for the ceiling itself, ``height`` where there was none."""
    each = 2 if canvas.unicode else 1
    limits = [None if at >= len(top.limits) else top.limits[at] for at in range(0, cells * each, each)]
    rate = top.rate or 1.0
    return [
        height if limit is None else -1 if limit >= 0.99 * rate else height - 1 - int(limit / rate * height)
        for limit in limits
    ]


def spark(values: Sequence[float | None], shown: Window, top: float, now: float, cells: int, canvas: Canvas) -> Row:
    """One row of ``cells``, filled to the height of the newest values of a window.

    Blank before the first and behind the last; without data between, and where an end is long past.
    """
    per_cell = 2 if canvas.unicode else 1
    known = _mended(values, shown, now)
    first = next((at for at, value in enumerate(known) if value is not None), len(known))
    hidden = max(0, len(known) - cells * per_cell)
    known, first = known[hidden:], first - hidden
    text = ""
    for cell in range(0, len(known), per_cell):
        text += _spark_cell(known[cell : cell + per_cell], top, canvas) if cell + per_cell > first else " "
    return tuple(_pieces(text + " " * (cells - len(text)), (), ""))


def _spark_cell(values: Sequence[float | str | None], top: float, canvas: Canvas) -> str:
    if all(value is None for value in values):
        return "╌" if canvas.unicode else "?"
    levels = 4 if canvas.unicode else 3
    heights = [
        math.ceil(min(1.0, value / top) * levels) if isinstance(value, int | float) and top > 0 else 0
        for value in values
    ]
    if not canvas.unicode:
        return "_.:|"[heights[0]]
    dots = 0
    for bits, height, value in zip((_LEFT, _RIGHT), heights, values, strict=False):
        dots |= sum(bits[: max(1, height)]) if value is not None else 0
    return chr(0x2800 + dots)


def _cells(canvas: Canvas) -> int:
    return max(8, canvas.width - GUTTER)


def _mended(values: Sequence[float | None], shown: Window, now: float) -> list[float | str | None]:
    """Values up to ``now``: what the newest bucket lacks is still to come, short holes before others are closed."""
    known: list[float | str | None] = list(values[: max(0, shown.bucket(now) + 1)])
    while known and known[-1] is None and shown.start + shown.step * len(known) > now - _JITTER_SECONDS:
        known.pop()
    start = 0
    for missing, group in groupby(list(known), key=lambda value: value is None):
        length = len(list(group))
        if missing and start + length < len(known) and length * shown.step < _JITTER_SECONDS:
            known[start : start + length] = [known[start - 1] if start else 0.0] * length
        start += length
    return known


def _braille(values: Sequence[float | str | None], top: float, height: int, cells: int) -> list[str]:
    """A line joined from value to value; a time without data is dashed on the ground."""
    grid = [[0] * cells for _ in range(height)]
    before: int | None = None
    for index, value in enumerate(values[: 2 * cells]):
        if not isinstance(value, int | float):
            before = None
            continue
        level = round(max(0.0, min(1.0, value / top)) * (4 * height - 1))
        low, high = (level, level) if before is None else (min(level, before + 1), max(level, before - 1))
        bits = _RIGHT if index % 2 else _LEFT
        for dot in range(low, high + 1):
            grid[height - 1 - dot // 4][index // 2] |= bits[dot % 4]
        before = level
    rows = ["".join(chr(0x2800 + dots) if dots else " " for dots in each) for each in grid]
    ground = [
        "╌" if rows[-1][cell] == " " and values[2 * cell] is None else rows[-1][cell]
        for cell in range(min(cells, (len(values) + 1) // 2))
    ]
    rows[-1] = "".join(ground) + rows[-1][len(ground) :]
    return rows


def _ascii(values: Sequence[float | str | None], top: float, height: int, cells: int) -> list[str]:
    """Columns of a third of a cell; ``_`` is a measured zero, ``?`` no data."""
    rows = [[" "] * cells for _ in range(height)]
    for index, value in enumerate(values[:cells]):
        if not isinstance(value, int | float):
            rows[-1][index] = "?"
            continue
        level = round(max(0.0, min(1.0, value / top)) * 3 * height)
        for up in range(height):
            filled = max(0, min(3, level - 3 * up))
            rows[height - 1 - up][index] = " .:|"[filled]
        if level == 0:
            rows[-1][index] = "_" if value <= 0 else "."
    return ["".join(each) for each in rows]


def _pieces(text: str, marked: Sequence[bool], dash: str) -> list[Piece]:
    """Cells by what they mean: data, no data, and the limit, where it is ``marked`` and nothing else is drawn."""

    def role(cell: int) -> Role:
        if text[cell] in "╌?":
            return Role.ALARM
        if text[cell] != " ":
            return Role.BYTES
        return Role.CEILING if cell < len(marked) and marked[cell] else Role.PLAIN

    pieces = []
    for meaning, group in groupby(range(len(text)), key=role):
        run = "".join(text[cell] for cell in group)
        pieces.append(Piece(dash * len(run) if meaning is Role.CEILING else run, meaning))
    return pieces


def _ceiling_line(words: str, cells: int, canvas: Canvas) -> str:
    dash = "┄" if canvas.unicode else "-"
    text = f"{dash * 3} {canvas.text(words, cells - 6)} "
    return text + dash * (cells - len(text))


def _scale(top: float, canvas: Canvas) -> tuple[str, str]:
    """The figure at the top, as short as it is exact, and its unit."""
    number, unit = rate(top, canvas).split(" ")
    return (number.rstrip("0").rstrip(".") if "." in number else number), unit


def _axis(shown: Window, cells: int, canvas: Canvas) -> Row:
    """Clock times at the quarters; the last ends where the window ends."""
    line = [" "] * cells
    for quarter in range(4):
        column = cells * quarter // 4
        _put(line, column, _time(shown.start + (shown.end - shown.start) * column / cells, shown, canvas))
    last = _time(shown.end, shown, canvas)
    _put(line, cells - len(last), last)
    corner = "└" if canvas.unicode else "+"
    return row(Piece(f"{'':>{GUTTER - 1}}{corner}{''.join(line)}", Role.MUTED))


def _put(line: list[str], column: int, text: str) -> None:
    free = all(char == " " for char in line[max(0, column - 1) : column + len(text)])
    if free and 0 <= column <= len(line) - len(text):
        line[column : column + len(text)] = text


def _time(at: float, shown: Window, canvas: Canvas) -> str:
    moment = datetime.fromtimestamp(at, canvas.zone)
    seconds = shown.step * shown.buckets
    return f"{moment:%H:%M:%S}" if seconds < 300 else f"{moment:%H:%M}" if seconds < 82_800 else f"{moment:%a %H:%M}"
