"""Charts as SVG text that stands inside an HTML page: no script, colours by class. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from engine.quantities import format_duration

WIDTH = 720
_LEFT, _TOP, _PLOT_HEIGHT, _BOTTOM = 76, 10, 150, 22
_ROW, _LABEL, _VALUE, _LABEL_CHARACTERS = 22, 190, 130, 30


class Point(NamedTuple):
    """A value at ``at``, in seconds."""

    at: float
    value: float


class Bar(NamedTuple):
    """A bar of a chart; ``text`` says its value. ``label`` and ``text`` are plain text: they are escaped here."""

    label: str
    value: float
    text: str


def over_time(title: str, points: Sequence[Point], written: Callable[[float], str], gap: float) -> str:
    """An area over the seconds since the first point; it is broken where points are more than ``gap`` seconds apart.

    ``written`` formats a value of the vertical axis.
    """
    start, end = points[0].at, points[-1].at
    top = _nice(max(point.value for point in points))
    span = max(end - start, 1e-9)
    room = WIDTH - _LEFT - 10

    def place(point: Point) -> tuple[float, float]:
        return _LEFT + (point.at - start) / span * room, _TOP + _PLOT_HEIGHT * (1 - point.value / top)

    areas = [_area([place(point) for point in run]) for run in _runs(points, gap)]
    lines = [_level(top * share, share, written) for share in (0.0, 0.5, 1.0)]
    height = _TOP + _PLOT_HEIGHT + _BOTTOM
    times = [
        f'<text x="{_LEFT + room * share:.0f}" y="{height - 5}" text-anchor="{anchor}">'
        f"{escape(format_duration(span * share))}</text>"
        for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    ]
    return _svg(title, height, [*areas, *lines, *times])


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Horizontal bars with their labels and values, one row each."""
    top = max((row.value for row in rows), default=0) or 1
    room = WIDTH - _LABEL - _VALUE
    drawn = []
    for number, (label, value, text) in enumerate(rows):
        y = number * _ROW
        width = max(room * value / top, 1.0 if value else 0.0)
        drawn.append(
            f'<text x="{_LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(_cut(label))}</text>'
            f'<rect class="bar" x="{_LABEL}" y="{y + 4}" width="{width:.1f}" height="{_ROW - 8}"/>'
            f'<text x="{_LABEL + width + 6:.1f}" y="{y + 15}">{escape(text)}</text>'
        )
    return _svg(title, len(rows) * _ROW + 2, drawn)


def spark(title: str, values: Sequence[float], top: float) -> str:
    """A small area without axes; ``top`` is the value at its upper edge, the same for all that are compared."""
    step = 160 / max(len(values) - 1, 1)
    places = [(number * step, 22 - 20 * value / (top or 1)) for number, value in enumerate(values)]
    return (
        f'<svg class="spark" viewBox="0 0 160 24" role="img" aria-label="{escape(title, quote=True)}">'
        f"{_area(places, floor=22)}</svg>"
    )


def _svg(title: str, height: float, content: Sequence[str]) -> str:
    said = escape(title, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{said}">{"".join(content)}</svg>'


def _area(places: Sequence[tuple[float, float]], floor: float = _TOP + _PLOT_HEIGHT) -> str:
    if len(places) == 1:  # one sample is still something to see
        places = [(places[0][0] - 1, places[0][1]), (places[0][0] + 1, places[0][1])]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    first, last = places[0][0], places[-1][0]
    return (
        f'<polygon class="area" points="{first:.1f},{floor:.1f} {line} {last:.1f},{floor:.1f}"/>'
        f'<polyline class="line" points="{line}"/>'
    )


def _runs(points: Sequence[Point], gap: float) -> list[list[Point]]:
    runs: list[list[Point]] = [[points[0]]]
    for point in points[1:]:
        if point.at - runs[-1][-1].at > gap:
            runs.append([])
        runs[-1].append(point)
    return runs


def _level(value: float, share: float, written: Callable[[float], str]) -> str:
    y = _TOP + _PLOT_HEIGHT * (1 - share)
    return (
        f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - 10}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(written(value))}</text>'
    )


def _nice(value: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below ``value``; at least 1."""
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if value <= factor * step:
                return factor * step
        step *= 10


def _cut(label: str) -> str:
    return label if len(label) <= _LABEL_CHARACTERS else label[: _LABEL_CHARACTERS - 1] + "…"
