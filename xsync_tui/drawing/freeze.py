"""The freeze of a cutover as a bar of its parts against the window, hatched to its high end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.planning.freeze import Freeze
from engine.planning.values import Seconds
from engine.quantities import format_duration
from xsync_tui.drawing.bars import wall
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row
from xsync_tui.drawing.shapes import seconds_range, unsure
from xsync_tui.text import width_of

_NAME = 20
_FILLS = (("█", "#"), ("▓", "="), ("▒", ":"), ("▚", "+"), ("▞", "*"), ("▤", "%"), ("▥", "@"))
_ROLES = (Role.FILES, Role.BYTES, Role.TIME)
_PARTS = ("look at the source", "scan", "delta", "deletions", "folder times", "verification", "start and end")


class Bar(NamedTuple):
    """A freeze with its name: ``now``, ``after 2 more passes``."""

    name: str
    freeze: Freeze


def freeze_rows(bars: Sequence[Bar], window: float | None, canvas: Canvas) -> list[Row]:
    """A row for each bar on one scale, the window a line through all; then what each part takes in the first one."""
    longest = max(bar.freeze.whole.high for bar in bars)
    top = max(longest, window or 0.0) * 1.05 or 1.0
    cells = canvas.width - _NAME - 19
    at = None if window is None else min(cells - 1, int(window / top * cells))
    rows = []
    for bar in bars:
        whole = bar.freeze.whole
        fits = window is None or whole.high <= window
        took = seconds_range(whole.low, whole.high)
        room = _NAME + 16 - len(took)
        text = f" {canvas.text(bar.name, room - 1):<{room}}{took}  "
        rows.append((Piece(text, Role.PLAIN if fits else Role.LOOK), *_drawn(bar.freeze, top, cells, at, canvas)))
    return [*rows, _scale(window, top, cells, at, canvas), *_legend(bars[0].freeze, canvas)]


def _drawn(found: Freeze, top: float, cells: int, at: int | None, canvas: Canvas) -> Row:
    """Each part solid for as long as it takes at least, in turn; then the hatch to the high end."""
    grid = [Piece(" ")] * cells
    began = 0.0
    for name, seconds in found.parts.items():
        fill, role = _look(name, canvas)
        first, last = _cell(began, top, cells), _cell(began + seconds.low, top, cells)
        grid[first:last] = [Piece(fill, role)] * (last - first)
        began += seconds.low
    first, last = _cell(began, top, cells), max(_cell(found.whole.high, top, cells), 1)
    grid[first:last] = [Piece(unsure(canvas), Role.UNSURE)] * (last - first)
    if at is not None:
        grid[at] = Piece(wall(canvas), Role.CEILING)
    return tuple(grid[:cells])


def _cell(seconds: float, top: float, cells: int) -> int:
    return min(cells, round(seconds / top * cells))


def _look(name: str, canvas: Canvas) -> tuple[str, Role]:
    index = _PARTS.index(name)
    return _FILLS[index][0 if canvas.unicode else 1], _ROLES[index % len(_ROLES)]


def _scale(window: float | None, top: float, cells: int, at: int | None, canvas: Canvas) -> Row:
    """The name of the line, ending below it or beginning there."""
    left = _NAME + 18
    if window is None or at is None:
        return (Piece(" " * left + f"0 .. {format_duration(top)}", Role.MUTED),)
    text = f"window {format_duration(window)}"
    start = at - len(text) - 1 if at > len(text) else at + 2
    below = (" " * start + text).ljust(at) + ("^" if start < at else "")
    if start > at:
        below = " " * at + "^ " + text
    return (Piece(" " * left + below[:cells], Role.CEILING),)


def _legend(found: Freeze, canvas: Canvas) -> list[Row]:
    """Each part with its fill and how long it takes, in as many rows as needed."""
    rows: list[list[Piece]] = [[]]
    used = 0
    for name, seconds in found.parts.items():
        fill, role = _look(name, canvas)
        text = f" {name} {_said(seconds)}"
        if used + width_of(text) + 3 > canvas.width - 1:
            rows.append([])
            used = 0
        rows[-1] += [Piece("  "), Piece(fill, role), Piece(text)]
        used += width_of(text) + 3
    return [tuple(row) for row in rows if row]


def _said(seconds: Seconds) -> str:
    return seconds_range(seconds.low, seconds.high).removeprefix("about ")
