"""Sizes of files as three bars each: how many, how many bytes, and how much of the transfer's time. Pure."""

from __future__ import annotations

from typing import NamedTuple

from engine.planning.sizes import LARGEST_ROW, SMALLEST_ROW, SizeTimes
from engine.planning.values import Origin, SizeBin
from engine.quantities import format_bytes, format_share
from xsync_tui.drawing.bars import bar_piece, wall
from xsync_tui.drawing.evidence import mark
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted
from xsync_tui.text import width_of

LABEL_CELLS = 12
SHARE_CELLS = 6
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_SERIES = (Role.FILES, Role.BYTES, Role.TIME)


class Marks(NamedTuple):
    """What is pointed out. ``where`` the files are, in words from outside; ``""``: everywhere.

    Indexes of rows: ``cursor``, and ``only``, by which the other pane is filtered. ``here``: keys are for this pane.
    """

    where: str = ""
    cursor: int | None = None
    only: int | None = None
    here: bool = False


NO_MARKS = Marks()


def histogram_rows(times: SizeTimes, origin: Origin, canvas: Canvas, marks: Marks = NO_MARKS) -> list[Row]:
    """A heading, a row for each bin, and the knee as a line between them; ``origin``: what the time rests on.

    The bars of all three columns have one scale, so that they can be compared.
    """
    edge, knee = wall(canvas), _knee(times, canvas)
    column = (canvas.width - LABEL_CELLS - 4) // 3
    files = f"files {canvas.text(marks.where, column - 8)}" if marks.where else "files"
    heads = (_padded(files, column - 1), "bytes", f"time, 1 agent {mark(origin, canvas)}")
    row: list[Piece] = [Piece(" "), Piece("Size", Role.HERE if marks.here else Role.STRONG)]
    row.append(Piece(" " * (LABEL_CELLS - 4)))
    for head, role in zip(heads, _SERIES, strict=True):
        row += [Piece(edge, Role.MUTED), Piece(f" {head:<{column - 1}}", role)]
    rows: list[Row] = [fitted(tuple(row), canvas.width)]
    most = max((share for each in _shares(times) for share in each), default=0.0)
    for index, (each, shares) in enumerate(zip(times.bins, _shares(times), strict=True)):
        if index == times.knee_index:
            rows.append(knee)
        parts = (each.bin.files, times.files), (each.bin.bytes, times.bytes), (each.seconds, times.seconds)
        here = index == marks.cursor and marks.here
        sign = _sign(here, index == marks.only, canvas)
        role = Role.HERE if here else Role.STRONG if index == marks.only else Role.PLAIN
        pieces = [Piece(f"{sign}{size_label(each.bin):<{LABEL_CELLS}}", role)]
        for share, part, role in zip(shares, parts, _SERIES, strict=True):
            drawn = bar_piece(share / most if most else 0.0, column - SHARE_CELLS - 2, role, canvas)
            figure = format_share(*part) if part[1] else "0 %"
            pieces += [Piece(edge, Role.MUTED), drawn, Piece(f" {figure:>{SHARE_CELLS}} ")]
        rows.append(fitted(tuple(pieces), canvas.width))
    if times.knee_index == len(times.bins):
        rows.append(knee)
    return rows


def _sign(here: bool, only: bool, canvas: Canvas) -> str:
    if here:
        return "▶" if canvas.unicode else ">"
    return " " if not only else "»" if canvas.unicode else "="


def _padded(text: str, cells: int) -> str:
    return text + " " * (cells - width_of(text))


def size_label(of: SizeBin) -> str:
    """``empty``, ``< 1 kB``, ``10-100 kB``, ``100 kB-1 MB``, ``> 1 GB``: at most LABEL_CELLS."""
    if of.high <= 1:
        return "empty"
    if of.low < SMALLEST_ROW and of.high <= SMALLEST_ROW:
        return f"< {_round(of.high)}"
    if of.low >= LARGEST_ROW:
        return f"> {_round(of.low)}"
    low, high = _round(of.low), _round(of.high)
    number, unit = low.split()
    return f"{number}-{high}" if high.endswith(f" {unit}") else f"{low}-{high}"


def _knee(times: SizeTimes, canvas: Canvas) -> Row:
    """The line between the sizes that cost files/s and those that cost bytes/s."""
    dash = "┄" if canvas.unicode else "-"
    said = f" knee {format_bytes(times.knee_bytes)}: above this line a file costs time, below it its bytes do "
    room = max(0, canvas.width - len(said))
    return fitted((Piece(dash * min(3, room) + said + dash * max(0, room - 3), Role.CEILING),), canvas.width)


def _shares(times: SizeTimes) -> list[tuple[float, float, float]]:
    files, size, seconds = max(1, times.files), max(1, times.bytes), times.seconds or 1.0
    return [(each.bin.files / files, each.bin.bytes / size, each.seconds / seconds) for each in times.bins]


def _round(size: int) -> str:
    power = next(power for power in reversed(range(len(_UNITS))) if size >= 1000**power or not power)
    return f"{size // 1000**power} {_UNITS[power]}"
