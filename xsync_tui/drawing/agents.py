"""Agents of a run: panes with a line of what each did, or one cell each and rows for those that need a look. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.model import AgentSnapshot, Snapshot, Status, TaskSnapshot
from engine.quantities import format_bytes, format_count_short, format_duration, format_share
from xsync_tui.cli.clock import clock
from xsync_tui.drawing.figures import cross, rate
from xsync_tui.drawing.graph import spark
from xsync_tui.drawing.past import AgentPast
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, beside, fitted, row
from xsync_tui.drawing.seen import Seen
from xsync_tui.text import width_of

_WORDS = {"working": "moving", "stalled": "STALLED", "lost": "LOST"}
_ROLES = {"working": Role.GOOD, "stalled": Role.LOOK, "lost": Role.ALARM}
_WAITS = {"source": "source", "destination": "path", "limit": "limit", "cpu": "CPU", "idle": "work"}

_URGENT = {"lost": 0, "stalled": 1}
"""Of those that need a look, which comes first."""

_STALLED_SECONDS = 120.0
"""An agent is called stalled after so long (engine.execution.watch); who has looked for less knows no more."""

_WIDE_PANE, _SMALL_PANE = 38, 18
_STRIP_LINE = 20
_GAP = 2


class Look(NamedTuple):
    """What was seen and what the journal tells of the agents of ``snapshot``; ``top``: bytes/s that fill a line."""

    snapshot: Snapshot
    seen: Seen
    past: AgentPast
    now: float
    top: float = 0.0


def agents_block(look: Look, canvas: Canvas) -> list[Row]:
    """The agents in at most ``canvas.height`` rows, always in the order of their numbers.

    Panes of three rows where they fit, else of two, else one cell an agent and rows for those that need a look first.
    """
    agents = [_now(agent, look.snapshot) for agent in in_order(look.snapshot.agents)]
    if not agents or canvas.height < 1:
        return []
    heading = _heading(agents, canvas)
    room = canvas.height - 1
    look = look._replace(top=look.past.best(agent.name for agent in agents))
    for cells, rows, pane in ((_WIDE_PANE, 3, _wide), (_SMALL_PANE, 2, _small)):
        columns = _columns(len(agents), cells, canvas)
        if math.ceil(len(agents) / columns) * rows <= room:
            each = (canvas.width - 1 - _GAP * (columns - 1)) // columns
            drawn = [pane(agent, look, canvas._replace(width=each)) for agent in agents]
            return [heading, *_grid(drawn, columns, each)]
    return [heading, *_strip(agents, look, canvas._replace(height=room))]


def agents_rows(snapshot: Snapshot, canvas: Canvas) -> int:
    """Rows that ``agents_block`` wants on this width, were there no end to them."""
    count = len(in_order(snapshot.agents))
    if not count:
        return 0
    for most, cells, rows in ((4, _WIDE_PANE, 3), (16, _SMALL_PANE, 2)):
        if count <= most:
            return 1 + math.ceil(count / _columns(count, cells, canvas)) * rows
    return 1 + math.ceil(count / _strip_columns(canvas)) + 5


def in_order(agents: Sequence[AgentSnapshot]) -> list[AgentSnapshot]:
    """Agents that are not gone, by the number in their name: agent-2 before agent-10."""

    def number(agent: AgentSnapshot) -> tuple[int, str]:
        digits = re.search(r"(\d{1,9})$", agent.name)
        return (int(digits[1]) if digits else 10**9, agent.name)

    return sorted((agent for agent in agents if agent.state != "gone"), key=number)


def _now(agent: AgentSnapshot, snapshot: Snapshot) -> AgentSnapshot:
    """While the run is paused an agent that moves nothing is paused, not stalled."""
    if snapshot.status is Status.PAUSED and agent.state in ("working", "stalled") and agent.bytes_per_second <= 0:
        return msgspec.structs.replace(agent, state="paused")
    return agent


def task_table(snapshot: Snapshot, canvas: Canvas, first: int = 0) -> list[Row]:
    """The tasks of the partition, one row each: how far, how much is left, what failed, which agent prefers it."""
    heading = row(
        Piece(f" {'task':<20} {'done':>6}  {'files left':>10}  {'bytes left':>10}  {'failed':>7}  agent", Role.STRONG)
    )
    shown = snapshot.tasks[first : first + max(0, canvas.height - 1)]
    rows = [heading, *(_task_row(task, canvas) for task in shown)]
    return rows if snapshot.tasks else [heading, row(Piece(" no tasks yet: the source is being cut", Role.MUTED))]


def _task_row(task: TaskSnapshot, canvas: Canvas) -> Row:
    failed, name = task.files.failed, canvas.text(task.name, 20)
    left = f"{format_count_short(task.files.pending):>10}  {format_bytes(max(0, task.bytes.pending)):>10}"
    pieces = row(
        f" {name}{' ' * (20 - width_of(name))} {_done(task):>6}  {left}  ",
        Piece(f"{format_count_short(failed):>7}", Role.ALARM if failed else Role.PLAIN),
        f"  {canvas.text(task.agent, 12)}",
    )
    return fitted(pieces, canvas.width)


def _done(task: TaskSnapshot) -> str:
    """How much of a task is done: by bytes where it has any, else by files; what failed is not."""
    files, size = task.files, task.bytes
    done = size.done if size.source else files.discovered - files.pending - files.failed
    whole = size.source or files.discovered
    return format_share(done, whole) if whole else "-"


def _heading(agents: Sequence[AgentSnapshot], canvas: Canvas) -> Row:
    """How many do what; those that need a look last, marked."""
    counts = Counter(agent.state for agent in agents)
    pieces = [Piece(f" {len(agents)} agent{'s' * (len(agents) != 1)}:", Role.STRONG)]
    for state in sorted(counts, key=lambda state: _URGENT.get(state, -1)):
        mark = _mark(state, canvas).strip()
        said = " ".join(part for part in (mark, str(counts[state]), _word(state, canvas)) if part)
        pieces.append(Piece(f"  {said}", _ROLES.get(state, Role.MUTED)))
    return tuple(pieces)


def _grid(panes: Sequence[list[Row]], columns: int, cells: int) -> list[Row]:
    rows: list[Row] = []
    for start in range(0, len(panes), columns):
        line = panes[start : start + columns]
        block = line[0]
        for number, pane in enumerate(line[1:], start=1):
            block = beside(block, pane, cells * number + _GAP * (number - 1), " " * _GAP)
        rows += block
    return [(Piece(" "), *each) for each in rows]


def _wide(agent: AgentSnapshot, look: Look, canvas: Canvas) -> list[Row]:
    """Three rows: number, task, rate or what is wrong; the line; files/s, requests, what it waits for."""
    requests = f"{format_count_short(agent.files_per_second)} files/s  {agent.in_flight} open"
    waits = _waits(agent, look.seen)
    detail = f"{requests}  waits: {waits}" if waits else requests
    if agent.state in ("stalled", "lost"):
        detail = canvas.text(agent.path, canvas.width) if agent.state == "stalled" else "its work went to the others"
    elif agent.state == "ended":
        detail = f"{format_count_short(agent.files)} files, {format_bytes(agent.bytes)} since it joined"
    elif not waits and agent.path:
        detail += "  " + canvas.text(agent.path, max(0, canvas.width - width_of(detail) - 2))
    return [
        _pane_title(agent, look, canvas),
        _line(agent, look, canvas.width, canvas),
        fitted(row(Piece(detail, Role.MUTED)), canvas.width),
    ]


def _small(agent: AgentSnapshot, look: Look, canvas: Canvas) -> list[Row]:
    """Two rows: number, task, rate or what is wrong; the line."""
    return [_pane_title(agent, look, canvas), _line(agent, look, canvas.width, canvas)]


def _pane_title(agent: AgentSnapshot, look: Look, canvas: Canvas) -> Row:
    right, role = _right(agent, look, canvas), _ROLES.get(agent.state, Role.MUTED)
    left = f"{_mark(agent.state, canvas).strip()}{_number(agent, canvas)}"
    room = canvas.width - width_of(left) - width_of(right) - 2
    task = _task(agent, look.snapshot)
    if task is not None and room >= 4:
        over = task.files.discovered > 0 and task.files.pending <= 0
        done = " done, helps" if over and agent.state == "working" else f" {_done(task)}"
        name = canvas.text(task.name, max(4, room - len(done)))
        left += f" {name}" + (done if width_of(name) + len(done) <= room else "")
    return fitted(
        row(left, " " * max(1, canvas.width - width_of(left) - width_of(right)), Piece(right, role)), canvas.width
    )


def _right(agent: AgentSnapshot, look: Look, canvas: Canvas) -> str:
    """The rate of what moves; else a word, and since when."""
    match agent.state:
        case "working":
            return rate(agent.bytes_per_second, canvas)
        case "stalled":
            since = look.past.stands_since(agent.name) or look.seen.stands_since(agent.name) or look.now
            return f"STALLED {format_duration(max(_STALLED_SECONDS, look.now - since))}"
        case "lost":
            return f"LOST {clock(agent.reported_at, canvas.zone)[:5]}" if agent.reported_at else "LOST"
        case _:
            return _word(agent.state, canvas)


def _line(agent: AgentSnapshot, look: Look, cells: int, canvas: Canvas) -> Row:
    return spark(look.past.line(agent.name, look.now), look.past.window, look.top, look.now, cells, canvas)


def _waits(agent: AgentSnapshot, seen: Seen) -> str:
    found = seen.waits(agent) if agent.state in ("working", "draining", "stalled") else None
    return _WAITS[found] if found else ""


def _task(agent: AgentSnapshot, snapshot: Snapshot) -> TaskSnapshot | None:
    """What an agent works on: the task it reports, else the first of those it prefers that has something left."""
    named = [task for task in snapshot.tasks if task.name == agent.task]
    mine = [task for task in snapshot.tasks if task.agent == agent.name]
    left = [task for task in mine if task.files.pending > 0]
    return next(iter([*named, *left, *mine]), None)


def _columns(count: int, cells: int, canvas: Canvas) -> int:
    """Panes of at least ``cells`` side by side, as few as make no more rows: four are two and two, not 3 and 1."""
    most = min(count, max(1, (canvas.width - 1 + _GAP) // (cells + _GAP)))
    return math.ceil(count / math.ceil(count / most))


def _strip_columns(canvas: Canvas) -> int:
    return 32 if canvas.width < 110 else 50


def _strip(agents: Sequence[AgentSnapshot], look: Look, canvas: Canvas) -> list[Row]:
    """One cell an agent, in order; then rows: those that need a look, then the slowest."""
    columns = _strip_columns(canvas)
    found: list[Row] = []
    for start in range(0, len(agents), columns):
        cells = [Piece(f"{start + 1:>4} ")]
        for agent in agents[start : start + columns]:
            cells += [Piece(_glyph(agent.state, canvas), _ROLES.get(agent.state, Role.MUTED)), Piece(" ")]
        found.append(fitted(tuple(cells), canvas.width))
    room = canvas.height - len(found) - 1
    if room < 1:
        return found[: canvas.height]
    ranked = sorted(agents, key=lambda agent: _URGENT.get(agent.state, 2))[:room]
    last = f"last {format_duration(look.past.window.step * _STRIP_LINE * (2 if canvas.unicode else 1))}"
    found.append(row(Piece(f"   agent {'task':<12} {'rate':>10}  {last:<{_STRIP_LINE}}  state", Role.STRONG)))
    return [*found, *(_strip_row(agent, look, canvas) for agent in ranked)]


def _strip_row(agent: AgentSnapshot, look: Look, canvas: Canvas) -> Row:
    task = _task(agent, look.snapshot)
    name = canvas.text(task.name, 12) if task else "-"
    waits = _waits(agent, look.seen)
    state = (
        _right(agent, look, canvas) if agent.state != "working" else "moving" + (f", waits: {waits}" if waits else "")
    )
    start = row(
        f" {_mark(agent.state, canvas)} {_number(agent, canvas):>5} {name}{' ' * (12 - width_of(name))} ",
        f"{rate(agent.bytes_per_second, canvas):>10}  ",
    )
    line = _line(agent, look, _STRIP_LINE, canvas)
    return fitted((*start, *line, Piece(f"  {state}", _ROLES.get(agent.state, Role.MUTED))), canvas.width)


def _number(agent: AgentSnapshot, canvas: Canvas) -> str:
    """``agent-7`` is 7; other names stay."""
    return canvas.text(agent.name.removeprefix("agent-"), 12)


def _word(state: str, canvas: Canvas) -> str:
    return _WORDS.get(state) or canvas.text(state, 9)


def _mark(state: str, canvas: Canvas) -> str:
    return {"lost": cross(canvas), "stalled": "!"}.get(state, " ")


def _glyph(state: str, canvas: Canvas) -> str:
    glyphs = {
        "working": "█#",
        "draining": "▄-",
        "stalled": "!!",
        "lost": f"{cross(canvas)}x",
        "starting": "░/",
        "paused": "‖=",
    }
    return glyphs.get(state, "·.")[0 if canvas.unicode else 1]
