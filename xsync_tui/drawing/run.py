"""The Run screen: the answer, how far it is, throughput, agents or tasks, the exact ledger, what happened. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from engine.journal.records import Command
from engine.model import Event, Snapshot, Status
from engine.quantities import format_count, format_count_short, format_duration
from xsync_tui.cli.clock import clock, clock_range
from xsync_tui.cli.headline import Life, gone_lines, life_of, sentence
from xsync_tui.cli.look import Line, look_of
from xsync_tui.cli.look import Role as LineRole
from xsync_tui.cli.outcome import exit_code, held_back, work_left
from xsync_tui.cli.plain_view import deleted_lines, failed_lines
from xsync_tui.drawing.agents import agents_block, agents_rows, in_order, task_table
from xsync_tui.drawing.figures import bar, rate, rate_both
from xsync_tui.drawing.graph import Window, ceiling, graph
from xsync_tui.drawing.ledger import ledger
from xsync_tui.drawing.progress import copied, percent_done, share_done
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row, width
from xsync_tui.drawing.seen import Moved, Seen
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
_ASKED_STATE = {"pause": "PAUSING", "resume": "RESUMING", "cancel": "CANCELLING", "drain": "STOPPING"}

_GRAPH_ROWS, _LEAST_GRAPH = 6, 4
_BAR_CELLS = 20


class RunView(NamedTuple):
    """What the screen draws from; ``now`` in seconds since the epoch.

    ``values``: bytes/s of the buckets of ``window``, None where there is no sample; ``asked``: commands that the runner
    has not answered yet; ``first``: row at which tasks and events begin.
    """

    snapshot: Snapshot
    now: float
    seen: Seen
    window: Window
    values: Sequence[float | None]
    asked: Sequence[Command] = ()
    pane: Pane = "agents"
    zoomed: Zoomed = ""
    first: int = 0


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
        return [_row(line, canvas) for line in gone_lines(snapshot, now, look, "R goes on with them.")]
    go_on = "P goes on." if snapshot.status is Status.PAUSED else "R goes on with them."
    said = _paused(view, canvas) if snapshot.status is Status.PAUSED else sentence(snapshot, now, look, go_on)
    rows = [fitted(row(Piece(f" {said}", Role.STRONG)), canvas.width)]
    moved = view.seen.moved(snapshot, now)
    if moved is not None:
        rows.append(fitted(row(Piece(f" ! {_moved(moved, view, canvas)}", Role.LOOK)), canvas.width))
    if snapshot.message and snapshot.status not in (Status.CANCELLED, Status.INTERRUPTED):
        rows.append(row(Piece(f" ! {canvas.text(snapshot.message, canvas.width - 3)}", Role.LOOK)))
    return rows


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
        bottom += _next_steps(snapshot, canvas)
    room = canvas.height - len(top) - len(bottom)
    middle = _pane_rows(view, canvas)
    left = room - middle
    happened = min(len(snapshot.events) + len(view.asked), max(2, left - _GRAPH_ROWS if left < 14 else left // 2))
    drawn = max(_LEAST_GRAPH, left - happened)
    middle = max(0, min(middle, room - drawn))
    rows = [*top, *_graph(view, canvas._replace(height=drawn)), *_pane(view, canvas._replace(height=middle)), *bottom]
    return [*rows, *events(view, canvas._replace(height=canvas.height - len(rows)))][: canvas.height]


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
    """The limit that holds, in both units, and until when; empty if there is none."""
    limit, until = view.snapshot.limit_bytes_per_second, view.snapshot.limit_until
    if limit is None:
        return ""
    return f"limit {rate_both(limit, canvas)}" + (
        f" until {clock_range(until, until, canvas.zone, view.now)}" if until else ""
    )


def no_run(name: str, canvas: Canvas) -> list[Row]:
    """The screen of a profile that has not been run."""
    said = f"{canvas.text(name, 24)} has not been run yet: nothing is at the destination by xsync."
    how = "R starts it, once the strip is confirmed; 3 shows how long it will take, 4 measures that first."
    cells = canvas.width - 2
    rows = [row(Piece(f" {line}", Role.STRONG)) for line in wrapped(said, cells)]
    return [*rows, *(row(f" {line}") for line in wrapped(how, cells))]


def _event(event: Event, view: RunView, canvas: Canvas) -> Row:
    start = f" {clock(event.at, canvas.zone, view.now)} "
    text = canvas.text(event.text, max(0, canvas.width - width_of(start)))
    return row(Piece(start, Role.MUTED), Piece(text, _EVENT_ROLES.get(event.kind, Role.PLAIN)))


def _paused(view: RunView, canvas: Canvas) -> str:
    """Since when and by whom, where its event is still known."""
    pause = next((event for event in reversed(view.snapshot.events) if event.kind == "pause"), None)
    if pause is None:
        return "Paused: nothing is sent. P goes on."
    who = canvas.text(pause.text.partition(" asked to")[0], 30)
    return f"Paused since {clock(pause.at, canvas.zone, view.now)} by {who}: nothing is sent. P goes on."


def _moved(moved: Moved, view: RunView, canvas: Canvas) -> str:
    """How the end moved, since when, and the likeliest reason, if there is one."""
    way = "later" if moved.seconds > 0 else "earlier"
    start = (
        f"moved {way} by {format_duration(abs(moved.seconds))} since {clock(moved.since, canvas.zone, view.now)[:5]}"
    )
    why = _reason(moved, view, canvas)
    return f"{start}: {why}" if why else f"{start}."


def _reason(moved: Moved, view: RunView, canvas: Canvas) -> str:
    if moved.seconds > 0:
        for state, word in (("lost", "lost"), ("stalled", "stalled")):
            names = [canvas.text(agent.name, 12) for agent in in_order(view.snapshot.agents) if agent.state == state]
            if names:
                return f"{', '.join(names[:3])}{' and others' if len(names) > 3 else ''} {word}"
    kinds = ("limit", "pause", "add_agent", "drain_agent", "agent-lost")
    since = [event for event in view.snapshot.events if event.at >= moved.since and event.kind in kinds]
    if since:
        return canvas.text(since[-1].text, 40)
    before, after = rate(moved.rate_before, canvas), rate(moved.rate, canvas)
    return f"the rate went from {before} to {after}" if before != after else ""


def _next_steps(snapshot: Snapshot, canvas: Canvas) -> list[Row]:
    """What to do once it has ended."""
    again = "xsync run SOURCE DESTINATION" if snapshot.profile is None else "R"
    if exit_code(snapshot, gone=False) == 0:
        steps = [("7", "what was said and what it took, and the report to keep")]
        steps.append((again, "another pass: sends only what changed since"))
        if snapshot.profile is not None:
            steps.append(("6", "cutover: freeze, last pass, verification, hand-over"))
    elif held_back(snapshot):
        steps = [("7", "the report, with the list of what would have been deleted, and why it was not")]
    elif snapshot.failure_counts and not work_left(snapshot):
        failed = format_count(snapshot.totals.files.failed)
        steps = [
            ("f", f"the {failed} that failed, by cause and what helps"),
            ("F", "retries only them, once that is put right"),
            ("7", "the report to keep"),
        ]
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
    """Rows that the agents or tasks want; what has no runner has neither."""
    if life_of(view.snapshot, view.now) not in (Life.LIVE, Life.SILENT):
        return 0
    if view.pane == "tasks":
        return 1 + max(1, min(16, len(view.snapshot.tasks)))
    return agents_rows(view.snapshot, canvas)


def _pane(view: RunView, canvas: Canvas) -> list[Row]:
    if canvas.height < 1:
        return []
    if view.pane == "tasks":
        return task_table(view.snapshot, canvas, min(view.first, max(0, len(view.snapshot.tasks) - 1)))
    return agents_block(view.snapshot, view.seen, view.now, canvas)


def _graph(view: RunView, canvas: Canvas) -> list[Row]:
    snapshot = view.snapshot
    over = life_of(snapshot, view.now) in (Life.ENDED, Life.GONE)
    limit = None if over else snapshot.limit_bytes_per_second
    top = ceiling(view.values, limit, limit_sentence(view, canvas), canvas)
    end = (snapshot.ended_at or snapshot.heartbeat_at) if over else view.now
    return graph(view.values, view.window, top, end, canvas)


def _zoomed(view: RunView, canvas: Canvas) -> list[Row]:
    if view.zoomed == "graph":
        return _graph(view, canvas)
    if view.zoomed == "events":
        return [
            row(Piece(" What happened, newest first", Role.STRONG)),
            *events(view, canvas._replace(height=canvas.height - 1)),
        ]
    return _pane(view, canvas)


def _row(line: Line, canvas: Canvas) -> Row:
    return fitted(row(Piece(line.text, _ROLES[line.role])), canvas.width)
