"""A plan's tasks on wall-clock time: solid to the earliest end, hatched to the latest, and a window's end. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from engine.planning.plan import Plan, PlannedTask
from engine.quantities import format_bytes, format_count
from xsync_tui.cli.clock import clock_range
from xsync_tui.drawing.bars import wall
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row
from xsync_tui.text import width_of

_STEPS = (10, 30, 60, 120, 300, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200)
_DAY_STEPS = (1, 2, 7, 14, 28, 56, 112, 364, 728)
_DAY = 86_400
_TICK_CELLS = 9
_EARLY = 0.97
"""An agent that is done before this part of the whole helps the others."""


class Slow(NamedTuple):
    """A time in which a timetable allows less than the fleet could do; Unix times."""

    begins: float
    ends: float


def timeline_rows(
    plan: Plan, canvas: Canvas, most: int, *, window_ends: float | None = None, slow: Sequence[Slow] = ()
) -> list[Row]:
    """A heading with the time, a row for each task as far as ``most`` rows hold them, and when all is done."""
    room = max(1, most - 2)
    tasks = [each for each in plan.tasks if each.files or each.bytes] or list(plan.tasks[:1])
    shown = tasks if len(tasks) <= room else sorted(tasks, key=lambda each: -each.bytes)[: room - 1]
    names = min(max((width_of(canvas.text(each.name)) for each in shown), default=4), max(8, canvas.width // 5))
    axis = _axis(plan, canvas, canvas.width - names - 18, window_ends)
    head = Piece(f" {'task':<{names}} {'bytes':>8}  by   ", Role.STRONG)
    rows = [fitted((head, Piece(_ticks(axis, canvas))), canvas.width)]
    last = _last(plan)
    rows += [_task_row(task, plan, last, axis, names, canvas, window_ends, slow) for task in shown]
    if len(shown) < len(tasks):
        size = sum(each.bytes for each in tasks) - sum(each.bytes for each in shown)
        said = f" and {format_count(len(tasks) - len(shown))} more tasks with {format_bytes(size)}"
        rows.append(fitted((Piece(said, Role.MUTED),), canvas.width))
    return [*rows, _end_row(plan, axis, names, canvas, window_ends)]


class _Axis(NamedTuple):
    start: float
    seconds: float
    cells: int

    def cell(self, at: float) -> int:
        """Where a moment lies; 0..cells."""
        return max(0, min(self.cells, round((at - self.start) / self.seconds * self.cells)))


def _axis(plan: Plan, canvas: Canvas, cells: int, window_ends: float | None) -> _Axis:
    ends = max(plan.done_at[1], window_ends or 0.0)
    return _Axis(plan.start_at, max(1.0, (ends - plan.start_at) * 1.04), max(10, cells))


def _ticks(axis: _Axis, canvas: Canvas) -> str:
    """Clock times over the cells where they are."""
    least = axis.seconds / axis.cells * _TICK_CELLS
    step = next((each for each in _STEPS if each >= least), 0)
    label = "%H:%M:%S" if 0 < step < 60 else "%H:%M"
    if not step:
        step = next((each for each in _DAY_STEPS if each * _DAY >= least), _DAY_STEPS[-1]) * _DAY
        label = "%a %d" if axis.seconds < 21 * _DAY else "%d %b" if axis.seconds < 300 * _DAY else "%b %Y"
    offset = datetime.fromtimestamp(axis.start, canvas.zone).astimezone(canvas.zone).utcoffset()
    shift = offset.total_seconds() if offset is not None else 0.0
    at = -(-(axis.start + shift) // step) * step - shift
    text = ""
    while at < axis.start + axis.seconds:
        cell = axis.cell(at)
        said = datetime.fromtimestamp(at, canvas.zone).strftime(label)
        if cell + len(said) <= axis.cells and (not text or cell > len(text)):
            text = text.ljust(cell) + said
        at += step
    return text


def _task_row(
    task: PlannedTask,
    plan: Plan,
    last: Mapping[int, float],
    axis: _Axis,
    names: int,
    canvas: Canvas,
    window_ends: float | None,
    slow: Sequence[Slow],
) -> Row:
    name = canvas.text(task.name, names)
    begins = plan.start_at + task.begins
    bar = _bar(begins, begins + task.seconds.low, min(begins + task.seconds.high, plan.done_at[1]), axis, canvas, slow)
    if _helps(task, plan, last):
        bar = _helping(bar, axis.cell(plan.done_at[0]), canvas)
    pieces = [Piece(f" {name}{' ' * (names - width_of(name))} {format_bytes(task.bytes):>8} {task.agent:>3}  ")]
    pieces += _pieces(bar, axis, window_ends, canvas)
    return fitted(tuple(pieces), canvas.width)


def _bar(begins: float, low: float, high: float, axis: _Axis, canvas: Canvas, slow: Sequence[Slow]) -> str:
    solid, thin, hatch = ("█", "▄", "░") if canvas.unicode else ("#", "=", "/")
    first, last = axis.cell(begins), axis.cell(low)
    last = max(last, first + 1)
    cells = []
    for cell in range(first, last):
        at = axis.start + (cell + 0.5) * axis.seconds / axis.cells
        cells.append(thin if any(each.begins <= at < each.ends for each in slow) else solid)
    return " " * first + "".join(cells) + hatch * (axis.cell(high) - last)


def _helping(bar: str, until: int, canvas: Canvas) -> str:
    """The time in which the agent of a task that is done works on others'."""
    dot = "·" if canvas.unicode else "."
    room = until - len(bar)
    if room <= 0:
        return bar
    said = "helps".center(room, dot) if room >= 7 else dot * room
    return bar + said


def _last(plan: Plan) -> dict[int, float]:
    """When the last task of each agent begins, in seconds after the start."""
    found: dict[int, float] = {}
    for each in plan.tasks:
        found[each.agent] = max(each.begins, found.get(each.agent, 0.0))
    return found


def _helps(task: PlannedTask, plan: Plan, last: Mapping[int, float]) -> bool:
    """Whether its agent has nothing after it, and others are not done then."""
    end = task.begins + task.seconds.likely
    is_last = task.begins >= last[task.agent]
    return plan.agents > 1 and is_last and not task.helped and end < plan.duration_seconds.likely * _EARLY


def _pieces(bar: str, axis: _Axis, window_ends: float | None, canvas: Canvas) -> list[Piece]:
    """The bar with its roles, walls at both ends, and the window's end as a line through it."""
    text = bar.ljust(axis.cells)[: axis.cells]
    window = None if window_ends is None else min(axis.cells - 1, axis.cell(window_ends))
    pieces = [Piece(wall(canvas), Role.MUTED)]
    roles = {"░": Role.UNSURE, "/": Role.UNSURE, "█": Role.TIME, "▄": Role.TIME, "#": Role.TIME, "=": Role.TIME}
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or index == window or start == window or text[index] != text[start]:
            if start == window:
                past = text[start] != " "
                pieces.append(Piece("!" if past else wall(canvas), Role.ALARM if past else Role.CEILING))
            else:
                pieces.append(Piece(text[start:index], roles.get(text[start], Role.MUTED)))
            start = index
    return [*pieces, Piece(wall(canvas), Role.MUTED)]


def _end_row(plan: Plan, axis: _Axis, names: int, canvas: Canvas, window_ends: float | None) -> Row:
    done = f"done {clock_range(*plan.done_at, canvas.zone, plan.start_at)}"
    if window_ends is None:
        at = max(0, min(axis.cell(plan.done_at[0]), axis.cells - len(done)))
        return fitted(row(" " * (names + 17 + at), Piece(done, Role.STRONG)), canvas.width)
    window = min(axis.cells - 1, axis.cell(window_ends))
    said = f"window {'▲' if canvas.unicode else '^'}"
    left = max(0, min(axis.cell(plan.done_at[0]), window - len(said) - len(done)))
    gap = max(2, window + 1 - left - len(done) - len(said))
    return fitted(
        row(" " * (names + 17 + left), Piece(done, Role.STRONG), " " * gap, Piece(said, Role.CEILING)), canvas.width
    )
