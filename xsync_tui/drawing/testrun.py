"""The body of the Test screen: before the start, step by step while it runs, the verdict, and what went wrong. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from engine.names import text_of
from engine.planning.measurement import Step
from engine.quantities import (
    counted,
    format_bytes,
    format_count,
    format_duration,
    format_duration_range,
    format_percent,
    format_rate,
)
from xsync_tui.cli.clock import clock
from xsync_tui.drawing.attribution import by_agents, steps_said, where_time_went
from xsync_tui.drawing.figures import cross
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, beside, headed
from xsync_tui.drawing.scaling import LEFT, Ceiling, Curve, curve_of, link_said, scaling
from xsync_tui.drawing.shapes import heading, lines_of, sentence, within, wrapped
from xsync_tui.drawing.verdict import changes_rows, next_step, verdict_rows

if TYPE_CHECKING:
    from engine.execution.testrun.ladder import Prepared, TestRun

_LEAST_FIELD = 5
_RIGHT = 37
_SHOWN_STEPS = 6

_START_SECONDS = 3.0
"""A step's time counts from its first byte, which its agents take so long for."""


Zoomed = Literal["", "curve", "where the time went"]


class Live(NamedTuple):
    """The step at work: ``number`` of ``steps`` with so many ``agents``; seconds since it began; the rate now."""

    number: int
    steps: int
    agents: int
    seconds: float
    most_seconds: float
    bytes_per_second: float = 0.0
    files_per_second: float = 0.0
    files: int = 0
    bytes: int = 0
    stopping: bool = False


class View(NamedTuple):
    """All that the screen shows. ``looking``: what is done before it can begin, in words. ``dollars``: of requests.

    ``found``: the last test run; ``since``: something else was sent since it; ``kept_in``: the profile's file.
    """

    prepared: Prepared | None = None
    dollars: float = 0.0
    looking: str = ""
    measured: Sequence[Step] = ()
    live: Live | None = None
    found: TestRun | None = None
    ceilings: tuple[Ceiling, ...] = ()
    since: bool = False
    kept_in: str = ""
    zoomed: Zoomed = ""
    trouble: str = ""
    now: float = 0.0


def body(view: View, canvas: Canvas) -> list[Row]:
    """The rows below the journey, the answer first; at most ``canvas.height``."""
    if view.trouble:
        rows = sentence(cross(canvas), "NOT TESTED", canvas.text(" ".join(view.trouble.split())), Role.ALARM, canvas, 6)
        rows += lines_of([" T tries again. Nothing of the profile was changed."])
    elif view.live is not None:
        rows = _running(view, view.live, canvas)
    elif view.looking:
        rows = [*sentence("", "", canvas.text(view.looking), Role.PLAIN, canvas), *_what_it_is(canvas)]
    elif view.prepared is not None:
        rows = _announced(view.prepared, view.dollars, canvas)
    elif view.found is not None:
        rows = _concluded(view, view.found, canvas)
    else:
        rows = [*sentence("", "", "What one agent reaches here is not measured yet.", Role.PLAIN, canvas)]
        rows += _what_it_is(canvas)
    return within(rows, canvas)


def _what_it_is(canvas: Canvas) -> list[Row]:
    text = (
        "A test run copies folders whose mix of sizes is most like the whole, with 1, 2, 4 agents, each step until its "
        "rate is steady. It says what one agent reaches, what limits it, and from how many agents on more bring "
        "nothing. It writes into the real destination, and what it copies counts: no later run sends it again."
    )
    rows: list[Row] = [(), *_paragraph(text, canvas), ()]
    return [
        *rows,
        *_paragraph("T looks for the folders and says what it would copy; nothing begins before you agree.", canvas),
    ]


def _announced(prepared: Prepared, dollars: float, canvas: Canvas) -> list[Row]:
    """What it is going to do: how much, into what, for how long, at what cost; and that it counts."""
    destination = canvas.text(prepared.request.migration.destination.url.removeprefix("file://"), 40)
    answer = (
        f"copies about {format_bytes(prepared.bytes)} in {counted(prepared.files, 'file')} into {destination} in "
        f"{format_duration_range(*prepared.seconds)}{_cost(prepared, dollars)}."
    )
    rows = sentence("", "TEST RUN", answer, Role.STRONG, canvas)
    rows += _paragraph("What is copied counts: no later run sends it again. S stops it cleanly at any time.", canvas)
    rows += [(), *_steps(prepared, {}, canvas)]
    if prepared.missing:
        counts = ", ".join(map(str, prepared.missing))
        rows += _paragraph(f"! No comparable folder is left for {counts} agents: not tried.", canvas, Role.LOOK)
    pace = prepared.request.pace
    took = f"{format_duration(pace.least)} to {format_duration(pace.most)}"
    text = f"Each step takes {took}, on folders of its own: no cache helps the next one. It goes on when you leave."
    return [*rows, (), *_paragraph(text, canvas)]


def _steps(prepared: Prepared, states: Mapping[int, str], canvas: Canvas) -> list[Row]:
    """Each step with its folders, what is to be copied, and how it is; or how like the whole its sizes are."""
    cells = canvas.width - 57
    rows = [
        heading(f" {'agents':>6}  {'folders':<{cells}} {'files':>11} {'bytes':>8}  {'state' if states else 'size mix'}")
    ]
    for step in prepared.steps:
        choice = step.choice
        files, size = sum(each.files for each in choice.bins), sum(each.bytes for each in choice.bins)
        state = states.get(step.agents, "waits") if states else f"{format_percent(1 - choice.distance)} like the whole"
        names = _folders(choice.folders, cells, canvas)
        role = Role.MUTED if state == "waits" else Role.PLAIN
        rows.append(
            (Piece(f" {step.agents:>6}  {names} {format_count(files):>11} {format_bytes(size):>8}  {state}", role),)
        )
    return rows


def _cost(prepared: Prepared, dollars: float) -> str:
    if not prepared.requests.counts:
        return ""
    return f"; requests cost at most ${dollars:,.2f}" if dollars >= 0.01 else "; requests cost less than $0.01"


def _folders(paths: Sequence[bytes], cells: int, canvas: Canvas) -> str:
    names = ["/" + text_of(path) for path in paths]
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    text = canvas.text(names[0], cells - len(more)) + more
    return text + " " * (cells - len(text))


def _running(view: View, live: Live, canvas: Canvas) -> list[Row]:
    """The step at work, those before it on the curve, and how to stop."""
    word = "STOPPING" if live.stopping else "TESTING"
    ends = live.stopping or live.seconds > live.most_seconds + _START_SECONDS
    until = "files under way are finished" if ends else f"steady, or {format_duration(live.most_seconds)} of copying"
    answer = (
        f"step {live.number} of {live.steps}, {counted(live.agents, 'agent')} for {format_duration(live.seconds)}: "
        f"{format_rate(live.bytes_per_second)}, {live.files_per_second:,.0f} files/s; until {until}."
    )
    rows = sentence("", word, answer, Role.STRONG, canvas, 2)
    if view.prepared is not None:
        states = {step.agents: _state(step) for step in view.measured}
        rows += [(), *_steps(view.prepared, states | {live.agents: "stopping" if live.stopping else "now"}, canvas)]
    moved = f" This step copied {counted(live.files, 'file')}, {format_bytes(live.bytes)}; they stay, and count."
    rows += [(Piece(moved),), ()]
    if view.measured:
        done = {step.agents: step.bytes_per_second for step in view.measured if step.steady}
        now = (live.agents, live.bytes_per_second) if live.bytes_per_second > 0 else None
        curve = Curve(done, ceilings=view.ceilings, live=now)
        right = where_time_went(view.measured[-1], canvas._replace(width=_RIGHT))
        left = _picture(curve, canvas, canvas.height - len(rows), True)
        rows += beside(left, right, canvas.width - _RIGHT - 1)
    return rows


def _state(step: Step) -> str:
    rate = format_rate(step.bytes_per_second)
    return f"{rate} {'steady' if step.ended == 'steady' else step.ended}"


def _concluded(view: View, found: TestRun, canvas: Canvas) -> list[Row]:
    """The verdict, the curve beside where the time went, what changes, the sample, and what to do next."""
    curve = curve_of(found, view.ceilings)
    if found.steps and view.zoomed:
        return _zoomed(view, found, curve, canvas)
    rows = verdict_rows(found.verdict, canvas)
    if said := link_said(curve):
        rows += _paragraph(said[:1].upper() + said[1:] + ".", canvas)
    changes = changes_rows(found.changes, canvas)
    last = _paragraph(f"Next: {next_step(found.verdict)}", canvas, Role.STRONG)
    right = headed("where the time went", _evidence(found, canvas))
    room = canvas.height - len(rows) - len(changes) - len(last)
    tail = _as_many(_tail(view, found, canvas), max(1, room - max(len(right), _LEAST_FIELD + 2)))
    if found.steps:
        left = headed("curve", _picture(curve, canvas, room - len(tail), bool(right)))
        rows += beside(left, right, canvas.width - _RIGHT - 1) if right else left
    return [*rows, *changes, *tail, *last]


def _zoomed(view: View, found: TestRun, curve: Curve, canvas: Canvas) -> list[Row]:
    """The verdict, and one part of what it rests on over all the room."""
    rows = verdict_rows(found.verdict, canvas)
    if view.zoomed == "curve":
        return [*rows, *headed("curve", _picture(curve, canvas, canvas.height - len(rows), False))]
    times: list[Row] = [(Piece(" "), *each) for each in _evidence(found, canvas, len(found.steps))]
    return [*rows, *headed("where the time went", times)]


def _picture(curve: Curve, canvas: Canvas, room: int, beside_it: bool) -> list[Row]:
    """The curve in ``room`` rows; never higher than half as wide, for its line is straight."""
    width = canvas.width - (_RIGHT + 2 if beside_it else 1)
    rows = max(_LEAST_FIELD, min(room - 2, (width - LEFT) // 3))
    return scaling(curve, canvas._replace(width=width, height=rows + rows % 2 - 1 + 2))


def _evidence(found: TestRun, canvas: Canvas, most: int = _SHOWN_STEPS) -> list[Row]:
    """Where the time went, and what each number of agents reached, of the last ``most`` steps."""
    if not found.steps:
        return []
    steady = sorted((step for step in found.steps if step.steady), key=lambda step: step.agents) or [*found.steps]
    shared = found.verdict.word in ("FLAT", "THROTTLED", "UNEVEN")
    step = steady[-1] if shared else steady[0]
    by_files = found.one is not None and found.one.files_measured and not found.one.bytes_measured
    narrow = canvas._replace(width=_RIGHT)
    return [*where_time_went(step, narrow), *by_agents(found.steps[-most:], canvas, by_files=by_files)]


def _as_many(paragraphs: Sequence[list[Row]], most: int) -> list[Row]:
    """Whole paragraphs in ``most`` rows, the first in any case."""
    rows: list[Row] = []
    for each in paragraphs:
        if rows and len(rows) + len(each) > most:
            break
        rows += each
    return rows


def _tail(view: View, found: TestRun, canvas: Canvas) -> list[list[Row]]:
    """What is left, the sample, and what was kept, in order of worth: a paragraph each."""
    if not found.steps:
        return []
    folders = [each for step in found.steps for each in step.folders]
    names = canvas.text("/" + folders[0], 20) + (f" and {len(folders) - 1} more" if len(folders) > 1 else "")
    size = f"{format_bytes(found.bytes)} in {format_duration(found.seconds)}"
    texts = [f"The run skips its {counted(found.files, 'file')}.{_left(view, found)}"]
    texts.append(f"Sample: {names}: {size}; its size mix is {format_percent(found.mix)} like the whole.")
    if found.stopped:
        texts.append("It was stopped: steps that were not steady count for nothing.")
    if found.one is not None and found.one.note:
        texts.append(f"{found.one.note[:1].upper()}{found.one.note[1:]}.")
    when = f"{clock(found.at, canvas.zone, view.now)}, {steps_said(found.steps)}"
    if view.kept_in:
        texts.append(f"Kept in {canvas.text(view.kept_in, canvas.width - 12)}.")
    return [_paragraph(text, canvas) for text in [*texts, f"{when}."]]


def _left(view: View, found: TestRun) -> str:
    """How long what is left takes with the most agents that were tried, as long as nothing else was sent since."""
    left = found.left
    if left is None or view.since:
        return ""
    took = format_duration_range(left.seconds.low, left.seconds.high)
    return f" Left {format_bytes(left.bytes)}: {took} with {counted(left.agents, 'agent')}."


def _paragraph(text: str, canvas: Canvas, role: Role = Role.PLAIN) -> list[Row]:
    return lines_of((f" {line}" for line in wrapped(text, canvas.width - 2)), role)
