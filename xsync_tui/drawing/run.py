"""The Run screen: the answer, how far it is, throughput, agents or tasks, the exact ledger, what happened. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from engine.journal.records import Command
from engine.model import Event, Snapshot, Status
from engine.quantities import (
    counted,
    format_bytes,
    format_count,
    format_count_short,
    format_duration,
    format_duration_range,
)
from xsync_tui.cli.clock import clock, clock_range
from xsync_tui.cli.headline import Life, gone_lines, life_of, sentence
from xsync_tui.cli.look import Line, look_of
from xsync_tui.cli.look import Role as LineRole
from xsync_tui.cli.outcome import exit_code, held_back, remedy_for, work_left
from xsync_tui.cli.plain_view import deleted_lines, failed_lines
from xsync_tui.drawing.agents import Look, agents_block, agents_rows, in_order, task_table
from xsync_tui.drawing.figures import bar, rate, rate_both
from xsync_tui.drawing.graph import Window, ceiling, graph
from xsync_tui.drawing.ledger import ledger
from xsync_tui.drawing.past import Moved, Past, moved, window_end
from xsync_tui.drawing.progress import copied, percent_done, share_done
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, headed, row, width
from xsync_tui.drawing.seen import Seen
from xsync_tui.drawing.shapes import wrapped
from xsync_tui.text import width_of

Pane = Literal["agents", "tasks"]
Zoomed = Literal["", "graph", "pane", "events"]

_ROLES = {
    LineRole.PLAIN: Role.PLAIN,
    LineRole.TITLE: Role.STRONG,
    LineRole.LOOK: Role.LOOK,
    LineRole.ALARM: Role.ALARM,
    LineRole.GOOD: Role.GOOD,
}
_EVENT_ROLES = {"agent-lost": Role.ALARM, "error": Role.ALARM, "warning": Role.LOOK, "unit-halved": Role.LOOK}
_EXPLAIN = ("limit", "pause", "drain_agent", "agent-lost", "add_agent")
"""Events that move an end, the likeliest reason first."""

_ASKED_STATE = {"pause": "PAUSING", "resume": "RESUMING", "cancel": "CANCELLING", "drain": "STOPPING"}

_GRAPH_ROWS, _LEAST_GRAPH = 6, 4
_BAR_CELLS = 20
_MESSAGE_ROWS = 3


class RunView(NamedTuple):
    """What the screen draws from; ``now`` in seconds since the epoch.

    ``values``: bytes/s of the buckets of ``window``, None where there is no sample; ``asked``: commands that the runner
    has not answered yet; ``first``: row at which tasks and events begin; ``handed``: over to users, by a cutover.
    """

    snapshot: Snapshot
    now: float
    seen: Seen
    window: Window
    values: Sequence[float | None]
    past: Past = Past()
    asked: Sequence[Command] = ()
    pane: Pane = "agents"
    zoomed: Zoomed = ""
    first: int = 0
    handed: bool = False


def state_words(view: RunView, canvas: Canvas) -> tuple[str, str, Role]:
    """For the title: the state, or what was asked and is not acknowledged yet; whether it is still true; its role."""
    snapshot, now = view.snapshot, view.now
    beat = snapshot.heartbeat_at
    match life_of(snapshot, now):
        case Life.GONE:
            since = f"since {clock(beat, canvas.zone, now)} ({format_duration(now - beat)})"
            return f"RUNNER GONE {since}", "", Role.ALARM
        case Life.ENDED:
            role = Role.GOOD if snapshot.status is Status.SUCCESS else Role.LOOK
            return str(snapshot.status), f"ended {clock(snapshot.ended_at or beat, canvas.zone, now)[:5]}", role
        case Life.SILENT:
            return str(snapshot.status), f"silent {format_duration(now - beat)}", Role.LOOK
        case _:
            asked = next((each for each in reversed(view.asked) if each.verb in _ASKED_STATE), None)
            if asked is not None:
                who = canvas.text(asked.who.partition("@")[0], 12)
                return f"{_ASKED_STATE[asked.verb]} asked {clock(asked.asked_at, canvas.zone)} by {who}", "", Role.LOOK
            role = Role.MUTED if snapshot.status is Status.PAUSED else Role.GOOD
            return str(snapshot.status), "live", role


def answer(view: RunView, canvas: Canvas) -> list[Row]:
    """One sentence, or the lines that say what is safe and how to go on; below it, what a person may have to know."""
    snapshot, now, look = view.snapshot, view.now, look_of(canvas)
    if life_of(snapshot, now) is Life.GONE:
        go_on = "Make room, then R goes on with them." if view.past.full else "R goes on with them."
        return [*(_row(line, canvas) for line in gone_lines(snapshot, now, look, go_on)), *_full(view, canvas)]
    go_on = "P goes on." if snapshot.status is Status.PAUSED else "R goes on with them."
    said = _paused(view, canvas) if snapshot.status is Status.PAUSED else sentence(snapshot, now, look, go_on)
    rows = [fitted(row(Piece(f" {said}", Role.STRONG)), canvas.width)]
    if late := _late(view, canvas):
        gap = min(2, canvas.width - width_of(said) - width_of(late) - 1)
        beside = row(Piece(f" {said}", Role.STRONG), Piece(" " * gap + late, Role.LOOK))
        rows = [beside] if gap > 0 else [*rows, fitted(row(Piece(f" {late}", Role.LOOK)), canvas.width)]
    change = moved(view.past.estimates, snapshot, now)
    if change is not None:
        rows.append(fitted(row(Piece(f" ! {_moved(change, view, canvas)}", Role.LOOK)), canvas.width))
    if snapshot.message and snapshot.status not in (Status.CANCELLED, Status.INTERRUPTED):
        rows += _message(snapshot, canvas)
    return [*rows, *_full(view, canvas)]


def body(view: RunView, canvas: Canvas) -> list[Row]:
    """All below the journey, at most ``canvas.height`` rows, each at most ``canvas.width`` cells."""
    top = [*answer(view, canvas), progress(view, canvas)]
    if view.zoomed:
        return [*top, *_zoomed(view, canvas._replace(height=canvas.height - len(top)))][: canvas.height]
    snapshot = view.snapshot
    look = look_of(canvas)
    lines = [*deleted_lines(snapshot), *failed_lines(snapshot, look)]
    bottom = [*ledger(snapshot.totals.files, canvas), *(_row(line, canvas) for line in lines)]
    if snapshot.status.ended:
        bottom += _next_steps(view, canvas)
    room = canvas.height - len(top) - len(bottom)
    middle = _pane_rows(view, canvas)
    left = room - middle
    happened = min(len(snapshot.events) + len(view.asked), max(2, left - _GRAPH_ROWS if left < 14 else left // 2))
    drawn = max(_LEAST_GRAPH, left - happened)
    middle = max(0, min(middle, room - drawn))
    rows = [*top, *_graph(view, canvas._replace(height=drawn)), *_pane(view, canvas._replace(height=middle)), *bottom]
    happened_rows = events(view, canvas._replace(height=canvas.height - len(rows)))
    return [*rows, *headed("events", happened_rows)][: canvas.height]


def progress(view: RunView, canvas: Canvas) -> Row:
    """Rate, copied of found with its bar, and how far the listing is; shares only once the total stands still."""
    snapshot = view.snapshot
    totals, moves = snapshot.totals, life_of(snapshot, view.now) in (Life.LIVE, Life.SILENT)
    rates = [rate(snapshot.bytes_per_second, canvas), f"{format_count_short(snapshot.files_per_second)} files/s"]
    parts = [*(rates if moves else []), *copied(snapshot)]
    share = share_done(snapshot)
    if totals.listing_complete:
        last = [percent_done(snapshot, share), "listed all"]
    else:
        last = [f"{format_count_short(totals.folders.discovered)} folders so far"]
    pieces: list[Piece] = []
    for number, part in enumerate(parts):
        pieces.append(
            Piece(f"{' ' if number == 0 else '  '}{part}", Role.STRONG if number == 0 and moves else Role.PLAIN)
        )
    room = canvas.width - width(tuple(pieces)) - sum(width_of(part) + 2 for part in last)
    if totals.listing_complete and room >= 8:
        drawn = share if snapshot.status.ended else min(share, 0.999)
        pieces += [Piece("  "), *bar(drawn, min(_BAR_CELLS, room - 2), canvas), Piece(f" {last.pop(0)}")]
    for part in last:
        if width(tuple(pieces)) + width_of(part) + 2 <= canvas.width:
            pieces.append(Piece(f"  {part}"))
    return fitted(tuple(pieces), canvas.width)


def events(view: RunView, canvas: Canvas) -> list[Row]:
    """The newest first: what was asked and is not acknowledged, then what happened."""
    rows = []
    for asked in reversed(view.asked):
        what = f"{asked.verb.replace('_', ' ')} asked by {canvas.text(asked.who, 30)}: not acknowledged yet"
        rows.append(row(Piece(f" {clock(asked.asked_at, canvas.zone, view.now)} "), Piece(what, Role.LOOK)))
    newest = sorted(view.snapshot.events, key=lambda event: event.at, reverse=True)
    rows += [_event(event, view, canvas) for event in newest[: max(0, canvas.height) + view.first]]
    first = min(view.first, max(0, len(rows) - 1))
    return [fitted(each, canvas.width) for each in rows[first : first + max(0, canvas.height)]]


def limit_sentence(view: RunView, canvas: Canvas) -> str:
    """The limit that holds, in both units, until when, and what comes then; empty if there is none to come either."""
    limit, until, then = view.snapshot.limit_bytes_per_second, view.snapshot.limit_until, view.past.then
    if limit is None and (until is None or then is None or then.bytes_per_second is None):
        return ""
    words = "no limit" if limit is None else f"limit {rate_both(limit, canvas)}"
    if until:
        words += f" until {clock_range(until, until, canvas.zone, view.now)}"
        if then is not None:
            words += ", then " + ("none" if then.bytes_per_second is None else rate(then.bytes_per_second, canvas))
    return words


def no_run(name: str, canvas: Canvas, due: float | None = None, now: float = 0.0, *, tested: bool = False) -> list[Row]:
    """The screen of a profile not run yet; ``due``: when its schedule begins it; ``tested``: a test run was made."""
    said = f"{canvas.text(name, 24)} has not been run yet"
    said += ": only what test runs copied is at the destination by xsync." if tested else "."
    how = "R starts it, once the strip is confirmed; 3 shows how long it will take"
    how += "." if tested else ", 4 measures that first."
    if due is not None:
        how += f" Its schedule begins it at {clock_range(due, due, canvas.zone, now)}."
    cells = canvas.width - 2
    rows = [row(Piece(f" {line}", Role.STRONG)) for line in wrapped(said, cells)]
    return [*rows, *(row(f" {line}") for line in wrapped(how, cells))]


def _event(event: Event, view: RunView, canvas: Canvas) -> Row:
    start = f" {clock(event.at, canvas.zone, view.now)} "
    text = canvas.text(event.text, max(0, canvas.width - width_of(start)))
    return row(Piece(start, Role.MUTED), Piece(text, _EVENT_ROLES.get(event.kind, Role.PLAIN)))


def _message(snapshot: Snapshot, canvas: Canvas) -> list[Row]:
    """What the run said; where that ended it early, also what helps and what is safe."""
    lines = wrapped(canvas.text(snapshot.message), canvas.width - 3)[:_MESSAGE_ROWS]
    rows = [row(Piece(f" {'!' if at == 0 else ' '} {line}", Role.LOOK)) for at, line in enumerate(lines)]
    if snapshot.status is not Status.ERROR or not work_left(snapshot):
        return rows
    if snapshot.message in snapshot.failure_counts and (remedy := remedy_for(snapshot.message)):
        rows.append(fitted(row(f"   {remedy}"), canvas.width))
    done = counted(snapshot.totals.files.transferred, "file")
    return [*rows, fitted(row(f"   Safe: {done} transferred, no half file under its final name."), canvas.width)]


def _full(view: RunView, canvas: Canvas) -> list[Row]:
    """That nothing can be recorded any more, and where."""
    if (full := view.past.full) is None:
        return []
    said = f"   The disk of the state folder is full ({format_bytes(full.free)} free): "
    return [fitted(row(Piece(said + canvas.text(full.path, canvas.width - width_of(said)), Role.ALARM)), canvas.width)]


def _paused(view: RunView, canvas: Canvas) -> str:
    """Since when and by whom, where its event is still known."""
    pause = next((event for event in reversed(view.snapshot.events) if event.kind == "pause"), None)
    if pause is None:
        return "Paused: nothing is sent. P goes on."
    who = canvas.text(pause.text.partition(" asked to")[0], 30)
    return f"Paused since {clock(pause.at, canvas.zone, view.now)} by {who}: nothing is sent. P goes on."


def _late(view: RunView, canvas: Canvas) -> str:
    """By how much the end passes the window, if it may; else what becomes of the next scheduled run."""
    snapshot, end, due = view.snapshot, window_end(view.past, view.snapshot), view.past.due
    if snapshot.eta_seconds is None or snapshot.status is not Status.TRANSFERRING:
        return ""
    low, high = (view.now + seconds for seconds in snapshot.eta_seconds)
    if end is not None and high > end:
        by = format_duration(high - end) if low <= end else format_duration_range(low - end, high - end)
        window = f"the window ({clock_range(end, end, canvas.zone, view.now)})"
        return f"! {'may pass' if low <= end else 'passes'} {window} by {by}"
    if due is not None and high > due:
        when = clock_range(due, due, canvas.zone, view.now)
        return f"! {'may still run' if low <= due else 'still runs'} at {when}: the next one, due then, is skipped"
    return ""


def _moved(moved: Moved, view: RunView, canvas: Canvas) -> str:
    """How the end moved, since when, and the likeliest reason, if there is one."""
    way = "later" if moved.seconds > 0 else "earlier"
    start = (
        f"moved {way} by {format_duration(abs(moved.seconds))} since {clock(moved.since, canvas.zone, view.now)[:5]}"
    )
    why = _reason(moved, view, canvas, canvas.width - width_of(start) - 5)
    return f"{start}: {why}" if why else f"{start}."


def _reason(moved: Moved, view: RunView, canvas: Canvas, cells: int) -> str:
    if moved.seconds > 0:
        for state, word in (("lost", "lost"), ("stalled", "stalled")):
            names = [canvas.text(agent.name, 12) for agent in in_order(view.snapshot.agents) if agent.state == state]
            if names:
                return f"{', '.join(names[:3])}{' and others' if len(names) > 3 else ''} {word}"
    since = [event for event in view.snapshot.events if event.at >= moved.since and event.kind in _EXPLAIN]
    if since:
        return canvas.text(min(reversed(since), key=lambda event: _EXPLAIN.index(event.kind)).text, cells)
    before, after = rate(moved.rate_before, canvas), rate(moved.rate, canvas)
    return f"the rate went from {before} to {after}" if before != after else ""


def _next_steps(view: RunView, canvas: Canvas) -> list[Row]:
    """What to do once it has ended."""
    snapshot, due = view.snapshot, view.past.due
    itself = "" if due is None else f"; by itself at {clock_range(due, due, canvas.zone, view.now)}"
    again = "xsync run SOURCE DESTINATION" if snapshot.profile is None else "R"
    if view.handed:
        steps = [
            ("6", "handed over to its users: a run would replace what they wrote; ways back"),
            ("7", "the report to keep"),
        ]
    elif exit_code(snapshot, gone=False) == 0:
        steps = [("7", "what was said and what it took, and the report to keep")]
        steps.append((again, f"another pass: sends only what changed since{itself}"))
        if snapshot.profile is not None:
            steps.append(("6", "cutover: freeze, last pass, verification, hand-over"))
    elif snapshot.status is Status.SUPERSEDED:
        steps = [("1", "the newer one stands on Home"), (again, "runs it again: what is at the destination is skipped")]
    elif held_back(snapshot):
        steps = [("7", "the report, with the list of what would have been deleted, and why it was not")]
    elif snapshot.failure_counts and not work_left(snapshot):
        failed = format_count(snapshot.totals.files.failed)
        steps = [
            ("f", f"the {failed} that failed, by cause and what helps"),
            ("F", "retries only them, once that is put right"),
            ("7", "the report to keep"),
        ]
    elif snapshot.totals.differences and not work_left(snapshot):
        steps = [(again, "copies again what was found missing or changed"), ("7", "the report, with what differs")]
    elif snapshot.status is Status.CANCELLED:
        steps = [(again, "runs it again: what is at the destination is skipped"), ("7", "the report to keep")]
    else:
        steps = [
            ("R", "goes on where it ended; nothing finished is sent again"),
            ("o", "what the runner said"),
            ("7", "the report"),
        ]
    return [fitted(row("   ", Piece(key, Role.KEY), f" {what}"), canvas.width) for key, what in steps]


def _pane_rows(view: RunView, canvas: Canvas) -> int:
    """Rows that the agents or tasks want; what has ended has neither."""
    if life_of(view.snapshot, view.now) is Life.ENDED:
        return 0
    if view.pane == "tasks":
        return 1 + max(1, min(16, len(view.snapshot.tasks)))
    return agents_rows(view.snapshot, canvas)


def _pane(view: RunView, canvas: Canvas) -> list[Row]:
    if canvas.height < 1:
        return []
    if view.pane == "tasks":
        table = task_table(view.snapshot, canvas, min(view.first, max(0, len(view.snapshot.tasks) - 1)))
        return headed("tasks", table)
    snapshot, now = view.snapshot, view.now
    if life_of(snapshot, now) is Life.GONE:
        now = snapshot.heartbeat_at
    return headed("agents", agents_block(Look(snapshot, view.seen, view.past.agents, now), canvas))


def _graph(view: RunView, canvas: Canvas) -> list[Row]:
    snapshot = view.snapshot
    over = life_of(snapshot, view.now) in (Life.ENDED, Life.GONE)
    limit = None if over else snapshot.limit_bytes_per_second
    words = None if over else limit_sentence(view, canvas)
    end = (snapshot.ended_at or snapshot.heartbeat_at) if over else view.now
    limits = view.past.limits[: view.window.bucket(end) + 1] if over else view.past.limits
    if snapshot.status in (Status.QUEUED, Status.LAUNCHING) and not over and limits:  # the runner has set none yet
        limit = limits[min(view.window.bucket(end), len(limits) - 1)]
        words = "" if limit is None else f"limit {rate_both(limit, canvas)}"
    top = ceiling(view.values, limit, words, canvas, limits, moved=snapshot.totals.bytes.transferred > 0)
    return headed("graph", graph(view.values, view.window, top, end, canvas))


def _zoomed(view: RunView, canvas: Canvas) -> list[Row]:
    if view.zoomed == "graph":
        return _graph(view, canvas)
    if view.zoomed == "events":
        return [
            row(Piece(" What happened, newest first", Role.STRONG, "events")),
            *events(view, canvas._replace(height=canvas.height - 1)),
        ]
    return _pane(view, canvas)


def _row(line: Line, canvas: Canvas) -> Row:
    return fitted(row(Piece(line.text, _ROLES[line.role])), canvas.width)
