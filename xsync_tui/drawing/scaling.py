"""The scaling curve: what so many agents reach, measured and predicted, under the link and the target. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from engine.quantities import counted, format_percent
from xsync_tui.drawing.bars import wall
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row
from xsync_tui.text import width_of

if TYPE_CHECKING:
    from engine.execution.testrun.ladder import TestRun
    from engine.planning.fitting import Range

LEFT = 7
"""Cells of the scale and its line."""

_FAR = 2.0
"""A link or target more than so many times above everything else is named in the heading, and squeezes nothing."""

_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


class Ceiling(NamedTuple):
    """A line across the picture: bytes/s, and what it says, such as ``link 20 Gbps``. ``hard``: nothing gets above."""

    name: str
    bytes_per_second: float
    hard: bool = False


class Curve(NamedTuple):
    """What is drawn; rates in bytes/s. ``each``: of an agent more, until all reach ``most`` (None: seen by no step).

    ``live``: how many agents are at work now, and their rate.
    """

    measured: Mapping[int, float] = {}
    predicted: Mapping[int, Range] = {}
    each: float | None = None
    most: float | None = None
    ceilings: tuple[Ceiling, ...] = ()
    live: tuple[int, float] | None = None

    def rate(self, agents: float) -> float:
        """Of the line at so many agents."""
        return min(agents * (self.each or 0.0), self.most or math.inf)


def curve_of(found: TestRun, ceilings: tuple[Ceiling, ...] = ()) -> Curve:
    """The curve of a test run: its steady steps, what it foretells for others, and the line through both."""
    measured = {step.agents: step.bytes_per_second for step in found.steps if step.steady}
    each = most = None
    if found.curve is not None and 1 in found.predictions:
        worth = found.curve.worth(1)
        unit = found.predictions[1].likely / worth if worth > 0 else 0.0
        each = unit * found.curve.each
        most = None if found.curve.ceiling is None else unit * found.curve.ceiling
    link = min((each.bytes_per_second for each in ceilings if each.hard), default=math.inf)
    ahead = {count: _below(rate, link) for count, rate in found.predictions.items() if count not in measured}
    most = min(most or math.inf, link)
    return Curve(measured, ahead, each, most if math.isfinite(most) else None, ceilings)


def link_said(curve: Curve) -> str:
    """From how many agents on the link is full, and how much of it the most that were tried fill; "" without a link."""
    link = next((each for each in curve.ceilings if each.hard), None)
    if link is None or not curve.measured or not curve.each:
        return ""
    most = max(curve.measured)
    share = format_percent(curve.measured[most] / link.bytes_per_second)
    filled = f"{counted(most, 'agent')} {'fills' if most == 1 else 'fill'} {share} of the {link.name}"
    needed = math.ceil(link.bytes_per_second / curve.each - 1e-9)
    if needed <= most:
        return filled
    if curve.most is not None and curve.most < link.bytes_per_second:
        return f"{filled}; more do not fill it"
    return f"{filled}; {needed:,} would fill it, more bring nothing"


def _below(rate: Range, link: float) -> Range:
    return type(rate)(min(rate.low, link), min(rate.likely, link), min(rate.high, link))


def scaling(curve: Curve, canvas: Canvas) -> list[Row]:
    """The picture in ``canvas.height`` rows: a heading, the field with its scale, and the numbers of agents."""
    highest = _highest(curve)
    if highest <= 0:
        return [(Piece(" No rate was measured yet.", Role.MUTED),)]
    near = [each for each in curve.ceilings if each.bytes_per_second <= _FAR * highest]
    top = max([highest, *(each.bytes_per_second for each in near)])
    counts = _counts(curve)
    field = _Field(canvas.width - LEFT, canvas.height - 2, top, max(counts) + 0.5)
    for each in near:
        field.ceiling(each, canvas)
    if curve.each:
        field.line(curve, canvas)
    _points(field, curve, canvas)
    top_said = top * 8 if canvas.bits else top
    unit, prefix = next((each for each in _UNITS if top_said >= 5 * each[0]), _UNITS[-1])
    name = f"{prefix}{'bit/s' if canvas.bits else 'B/s'}"
    far = [each for each in curve.ceilings if each not in near]
    return [_heading(name, far, curve, canvas), *_framed(field, top_said / unit, canvas), _axis(counts, field, canvas)]


class _Field:
    """Cells with roles, addressed by agents and bytes/s: agents 0 are the left edge, ``top`` is the first row."""

    def __init__(self, cells: int, rows: int, top: float, most: float) -> None:
        self.cells, self.rows, self._top, self._most = cells, rows, top, most
        self.grid = [[Piece(" ")] * cells for _ in range(rows)]

    def column(self, agents: float) -> int:
        return round(agents / self._most * (self.cells - 1))

    def row(self, rate: float) -> int:
        return round((1 - min(1.0, rate / self._top)) * (self.rows - 1))

    def put(self, row: int, column: int, text: str, role: Role) -> None:
        for index, char in enumerate(text[: self.cells - column]):
            self.grid[row][column + index] = Piece(char, role)

    def ceiling(self, each: Ceiling, canvas: Canvas) -> None:
        dash = "┄" if canvas.unicode else "-"
        row = self.row(each.bytes_per_second)
        name = f"{dash} {canvas.text(each.name, self.cells - 4)} "
        if self.grid[row][2].text == " ":
            self.put(row, 0, name, Role.CEILING)
        start = next((index for index, cell in enumerate(self.grid[row]) if cell.text == " " and index > 1), 0)
        start = width_of(name) if self.grid[row][0].text == dash else start
        self.put(row, start, dash * (self.cells - start), Role.CEILING)

    def line(self, curve: Curve, canvas: Canvas) -> None:
        """Dots in cells of two by four where the font has them, else a dot a cell; names of ceilings stay."""
        if not canvas.unicode:
            for column in range(self.cells):
                self._dot(self.row(curve.rate(column / (self.cells - 1) * self._most)), column, ".")
            return
        dots: dict[tuple[int, int], int] = {}
        high, wide = 4 * (self.rows - 1), 2 * self.cells
        for x in range(0, wide, 2):
            share = min(1.0, curve.rate(x / (wide - 1) * self._most) / self._top)
            y = round((1 - share) * high) + 1
            cell = (min(y // 4, self.rows - 1), x // 2)
            dots[cell] = dots.get(cell, 0) | _BRAILLE[min(y - 4 * cell[0], 3)]
        for (row, column), bits in dots.items():
            self._dot(row, column, chr(0x2800 + bits))

    def _dot(self, row: int, column: int, char: str) -> None:
        if not self.grid[row][column].text.isalnum():
            self.grid[row][column] = Piece(char, Role.BYTES)


_BRAILLE = (0x01, 0x02, 0x04, 0x40)
"""Bits of the left column of a braille cell, from the top."""


def _points(field: _Field, curve: Curve, canvas: Canvas) -> None:
    for agents, rate in curve.predicted.items():
        column = field.column(agents)
        for row in range(field.row(rate.high) + 1, field.row(rate.low)):
            field.put(row, column, "░" if canvas.unicode else "/", Role.UNSURE)
        field.put(field.row(rate.likely), column, "o" if canvas.unicode else "+", Role.UNSURE)
    for agents, measured in curve.measured.items():
        field.put(field.row(measured), field.column(agents), "●" if canvas.unicode else "o", Role.STRONG)
    if curve.live is not None:
        agents, now = curve.live
        field.put(field.row(now), field.column(agents), "◉" if canvas.unicode else "@", Role.LOOK)


def _highest(curve: Curve) -> float:
    live = [] if curve.live is None else [curve.live[1]]
    return max([0.0, *curve.measured.values(), *(each.likely for each in curve.predicted.values()), *live])


def _counts(curve: Curve) -> list[int]:
    live = [] if curve.live is None else [curve.live[0]]
    return sorted({*curve.measured, *curve.predicted, *live})


def _heading(unit: str, far: list[Ceiling], curve: Curve, canvas: Canvas) -> Row:
    marks = [("●", "o", "measured")] if curve.measured else []
    marks += [("◉", "@", "now")] if curve.live is not None else []
    marks += [("o", "+", "predicted")] if curve.predicted else []
    legend = [f"{full if canvas.unicode else ascii_} {word}" for full, ascii_, word in marks]
    legend += [f"{canvas.text(each.name, 20)} above" for each in far]
    while len(legend) > 1 and sum(map(width_of, legend)) + 2 * len(legend) > canvas.width - LEFT:
        del legend[-2]
    return (Piece(f" {unit:<6}", Role.STRONG), Piece("  ".join(legend), Role.MUTED))


def _framed(field: _Field, top: float, canvas: Canvas) -> list[Row]:
    middle = (field.rows - 1) / 2
    labels = {0: top, field.rows - 1: 0.0}
    if middle.is_integer() and field.rows >= 5:
        labels[int(middle)] = top / 2
    rows = []
    for index, cells in enumerate(field.grid):
        value = labels.get(index)
        scale = "" if value is None else f"{value:,.0f}" if value >= 20 or not value else f"{value:.1f}"
        rows.append((Piece(f"{scale:>{LEFT - 1}}{wall(canvas)}", Role.MUTED), *_joined(cells)))
    return rows


def _joined(cells: list[Piece]) -> Row:
    """Neighbours of one role as one piece."""
    found: list[Piece] = []
    for cell in cells:
        if found and found[-1].role is cell.role:
            found[-1] = Piece(found[-1].text + cell.text, cell.role)
        else:
            found.append(cell)
    return tuple(found)


def _axis(counts: list[int], field: _Field, canvas: Canvas) -> Row:
    text = " " * field.cells
    for count in counts:
        label = str(count)
        start = field.column(count) - len(label) // 2
        if not text[max(0, start - 1) : start + len(label) + 1].strip():
            text = text[:start] + label + text[start + len(label) :]
    return (Piece("agents ".rjust(LEFT), Role.MUTED), Piece(text[: field.cells].rstrip(), Role.MUTED))
