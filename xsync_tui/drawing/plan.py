"""The Plan screen's body: the answer, knobs, what if, limits, tasks on the clock, cost, evidence. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from engine.planning.fleet import spoken
from engine.planning.plan import WIDE, WIDE_ADVICE, Plan
from engine.planning.useful import WorkLimit
from engine.planning.values import Seconds
from engine.quantities import counted, format_bytes, format_count, format_duration, format_duration_range, format_rate
from xsync_tui.cli.clock import moment
from xsync_tui.drawing.bars import wall
from xsync_tui.drawing.evidence import legend, mark
from xsync_tui.drawing.limits import NO_GAIN, limit_rows, what_if_rows
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, beside, fitted, headed, row, width
from xsync_tui.drawing.timeline import Slow, timeline_rows
from xsync_tui.drawing.why import why_rows
from xsync_tui.text import width_of

_LEAST_TASK_ROWS = 4
_MOST_LIMIT_ROWS = 8


class Knob(NamedTuple):
    """Something that can be changed. ``typed``: what is being entered in its place."""

    name: str
    value: str
    auto: bool = True
    typed: str | None = None


class PlanView(NamedTuple):
    """What the screen shows at ``now`` (Unix time).

    ``knob`` and ``figure``: where the cursor is, of knobs and of figures (why.py); None: not there. ``was``: what it
    took before the last change. ``window_ends``: when it has to be done. ``why``: what the figure rests on, in place
    of the tasks. ``problem``: what is wrong, and what to do.
    """

    now: float
    plan: Plan | None = None
    knobs: Sequence[Knob] = ()
    knob: int | None = None
    figure: int | None = None
    was: Seconds | None = None
    window_ends: float | None = None
    slow: Sequence[Slow] = ()
    problem: str = ""
    surveyed: bool = True
    why: bool = False


def plan_rows(view: PlanView, canvas: Canvas) -> list[Row]:
    """At most ``canvas.height`` rows; the first is the answer."""
    plan = view.plan
    head = [fitted(_answer(view, canvas), canvas.width), knob_row(view, canvas)]
    if plan is None:
        return [head[0], *([head[1]] if view.knobs else []), *_nothing_yet(view, canvas)][: canvas.height]
    found = plan.what_if
    middle = _beside(plan, view.figure, canvas)
    told = [] if view.why and not view.figure else _warnings(plan, canvas)
    foot = [_fits(view, plan, canvas), *told, fitted(legend(plan.rests_on, canvas), canvas.width)]
    room = canvas.height - len(head) - len(foot) - len(middle)
    if room < _LEAST_TASK_ROWS:
        middle = middle[: max(len(found) + 1, len(middle) - (_LEAST_TASK_ROWS - room))]
        room = canvas.height - len(head) - len(foot) - len(middle)
    if view.why:
        why = why_rows(plan, view.figure or 0, canvas, _held(view, plan, canvas))
        tasks = headed("why", _as_far(why, max(3, room), canvas))
        tasks += [()] * (room - len(tasks))
    else:
        tasks = timeline_rows(plan, canvas, max(3, room), window_ends=view.window_ends, slow=view.slow)
        tasks = headed("tasks", tasks)
    return [*head, *middle, *tasks, *foot][: canvas.height]


def _as_far(rows: list[Row], room: int, canvas: Canvas) -> list[Row]:
    """As many as there is room for; where that is not all, the last one says so."""
    if len(rows) <= room:
        return rows
    text = "".join(piece.text for piece in rows[room - 1]).rstrip()
    left = fitted(rows[room - 1], min(width_of(text), canvas.width - 4))
    return [*rows[: room - 1], (*left, Piece(" ...", Role.MUTED))]


def agents_here(plan: Plan) -> int:
    """How many agents of the plan a run on this host begins with: those it holds."""
    return plan.agents if plan.here is None else plan.here.agents


def starting(plan: Plan, destination: str) -> str:
    """What a run from the plan does, and how much of the plan that is where this host is too small for all of it."""
    agents = counted(agents_here(plan), "agent")
    copies = f"Copies {format_bytes(plan.dataset.bytes)} to {destination} with {agents}"
    if plan.here is None or plan.room is None:
        return f"{copies}, in the background."
    fleet = counted(plan.agents, "agent") + ("" if plan.hosts == 1 else f" on {plan.hosts} hosts")
    took = format_duration_range(plan.here.seconds.low, plan.here.seconds.high)
    holds = f", and this one holds {plan.room.said}" if plan.agents > plan.room.agents else ""
    return (
        f"{copies} on this host, in the background: here it takes {took}. The plan has {fleet}, but all agents of a "
        f"run are on one host{holds}."
    )


def knob_row(view: PlanView, canvas: Canvas) -> Row:
    """Each knob with its value: ``target [20 Gbps]  agents [4 auto]``."""
    for gap in ("  ", " "):
        pieces: list[Piece] = []
        for index, each in enumerate(view.knobs):
            value = each.value if each.typed is None else f"{each.typed}_"
            role = Role.HERE if index == view.knob else Role.STRONG if not each.auto else Role.PLAIN
            pieces += [
                *([Piece(gap[1:])] if pieces else []),
                Piece(f" {each.name} ", Role.MUTED, each.name),
                Piece(f"[{canvas.text(value)}]", role),
            ]
        if width(tuple(pieces)) <= canvas.width:
            break
    return fitted(tuple(pieces), canvas.width)


def _answer(view: PlanView, canvas: Canvas) -> Row:
    if view.problem:
        return row(Piece(f" ! {canvas.text(view.problem)}", Role.ALARM))
    plan = view.plan
    if plan is None:
        said = "Reading the survey." if view.surveyed else "Not surveyed yet: there is nothing to plan with."
        return row(Piece(f" {said}", Role.STRONG))
    late = None if view.window_ends is None else plan.done_at[1] - view.window_ends
    limit = f"{spoken(plan.binding_limit)} {mark(plan.binding_limit.origin, canvas)}"
    if plan.work is not None:
        limit = "the work itself"
    if _slow_seconds(view, plan) > plan.duration_seconds.likely / 2:
        limit = "the timetable"
    took = format_duration_range(plan.duration_seconds.low, plan.duration_seconds.high)
    was = "" if view.was is None else f" (was {format_duration_range(view.was.low, view.was.high)})"
    copied = f"{_who(plan)} {format_bytes(plan.dataset.bytes)} in {took}"
    if _unreached(plan):
        return _cut_to(_unreached_sentences(plan, limit, took, was), Role.LOOK, canvas)
    if late is not None and late > 0:
        ends = (
            f"up to {format_duration(late)} past {datetime.fromtimestamp(view.window_ends or 0.0, canvas.zone):%H:%M}"
        )
        texts = [f"! {copied}{was}: {ends}. The limit is {limit}", f"! {copied}{was}: {ends}.", f"! {copied}: {ends}."]
        return _cut_to(texts, Role.LOOK, canvas)
    if plan.work is not None and limit == "the work itself":
        return _cut_to(_work_sentences(plan.work, f"{copied}{was}"), Role.STRONG, canvas)
    if _wide(plan) and not was:
        copied += ": wide, T (test run) narrows it"
    texts = [f"{copied}{was}. The limit is {limit}", f"{copied}{was}. Limit: {limit}", f"{copied}{was}."]
    return _cut_to(texts, Role.STRONG, canvas)


def _held(view: PlanView, plan: Plan, canvas: Canvas) -> list[str]:
    """What holds the answer back beside what agents do: the timetable; and by when it has to be done."""
    found, slow = [], _slow_seconds(view, plan)
    if slow >= 60:
        likely = format_duration(plan.duration_seconds.likely)
        found.append(
            f"the timetable allows less than the agents can for {format_duration(slow)} of the likely {likely}"
        )
    if view.window_ends is not None and plan.done_at[1] > view.window_ends:
        late = format_duration(plan.done_at[1] - view.window_ends)
        found.append(f"the window ends {moment(view.window_ends, canvas.zone)}, up to {late} before it is done")
    return found


def _slow_seconds(view: PlanView, plan: Plan) -> float:
    """How much of the likely time a timetable holds it back."""
    ends = plan.start_at + plan.duration_seconds.likely
    return sum(max(0.0, min(each.ends, ends) - max(each.begins, plan.start_at)) for each in view.slow)


def _who(plan: Plan) -> str:
    hosts = "" if plan.hosts == 1 else f" on {plan.hosts} hosts"
    return "1 agent copies" if plan.agents == 1 else f"{plan.agents} agents{hosts} copy"


def _wide(plan: Plan) -> bool:
    return plan.duration_seconds.low > 0 and plan.duration_seconds.high / plan.duration_seconds.low > WIDE


def _work_sentences(work: WorkLimit, copied: str) -> list[str]:
    """That no more agents are planned because there is too little for them to do."""
    hardly = "hardly help" if work.kind in ("start", "soon") else "not help"
    more = "more hosts are not worth it" if work.kind == "host" else f"more agents would {hardly}"
    return [f"{copied}. The limit is the work itself: {more}", f"{copied}: {more}", f"{copied}.", copied]


def _unreached(plan: Plan) -> bool:
    return plan.work is None and plan.share is not None and plan.share < plan.utilisation * (1 - 1e-9)


def _unreached_sentences(plan: Plan, limit: str, took: str, was: str) -> list[str]:
    wanted = format_rate((plan.target_bytes_per_second or 0.0) * plan.utilisation)
    rate = format_rate(plan.bytes_per_second)
    if plan.next_limit.bytes_per_second <= plan.bytes_per_second * NO_GAIN:
        said = f"! No number of agents reaches {wanted}: {limit} gives {rate}"
        short = f"! {wanted} is not reached: {limit} gives {rate}."
        return [f"{said}, {took}{was}.", f"{said}, {took}.", f"{said}.", short]
    said = f"! {_who(plan)} at {rate}, not {wanted}: {took}"
    return [f"{said}{was}. The limit is {limit}", f"{said}{was}.", f"{said}."]


def _cut_to(texts: Sequence[str], role: Role, canvas: Canvas) -> Row:
    """The first that fits, else the last."""
    text = next((each for each in texts if len(each) < canvas.width), texts[-1])
    return row(Piece(f" {text}", role))


def _beside(plan: Plan, figure: int | None, canvas: Canvas) -> list[Row]:
    """What if on the left, limits on the right; where the cursor is counts through both, after the answer."""
    at = None if figure is None else figure - 1
    count = len(plan.what_if)
    ours = headed("what if", what_if_rows(plan, canvas, at if at is not None and at < count else None))
    left = max(map(width, ours)) + 1
    theirs = limit_rows(
        plan, canvas._replace(width=canvas.width - left - 1), at - count if at is not None and at >= count else None
    )
    if len(theirs) > _MOST_LIMIT_ROWS and canvas.height < 30:
        theirs = [*theirs[: _MOST_LIMIT_ROWS - 1], theirs[-1]]
    return [fitted(each, canvas.width) for each in beside(ours, headed("limits", theirs), left, wall(canvas))]


def _fits(view: PlanView, plan: Plan, canvas: Canvas) -> Row:
    """Whether the window holds it, what it costs, what it needs of the network."""
    pieces: list[Piece] = []
    if view.window_ends is not None:
        spare = view.window_ends - plan.done_at[1]
        if spare >= 0:
            done = "✓" if canvas.unicode else "ok"
            pieces.append(Piece(f" {done} fits the window, {format_duration(spare)} to spare. ", Role.GOOD))
        elif plan.done_at[0] > view.window_ends:
            after = format_duration(plan.done_at[0] - view.window_ends)
            pieces.append(Piece(f" ! does not fit the window, {after} too long at best. ", Role.ALARM))
        else:
            pieces.append(Piece(f" ! may pass the window by {format_duration(-spare)}. ", Role.LOOK))
    if plan.cost.run is not None:
        cheapest = min((each.first.dollars for each in plan.cost.datasync), default=None)
        theirs = "" if cheapest is None else f" (DataSync: {_dollars(cheapest)})"
        pieces.append(Piece(f" S3 requests {_dollars(plan.cost.run.dollars)}{theirs}. "))
    else:
        pieces.append(Piece(" Neither side is AWS: no bill. ", Role.MUTED))
    network = plan.network.datasync
    if network is not None and network.addresses:
        addresses = Piece(f" DataSync: {format_count(network.addresses)} IPs", Role.MUTED)
        pieces += [addresses] if width((*pieces, addresses)) <= canvas.width else []
    return fitted(tuple(pieces), canvas.width)


def _warnings(plan: Plan, canvas: Canvas) -> list[Row]:
    """As many as there is room for in two rows, four on a high screen."""
    told = [each for each in plan.warnings if each != WIDE_ADVICE]
    most = 2 if canvas.height < 30 else 4
    rows = []
    for each in told[: most if len(told) <= most else most - 1]:
        text = canvas.text(each)
        start = textwrap.wrap(text, canvas.width - 9)[0] if len(text) > canvas.width - 3 else text
        rows.append(fitted(row(Piece(f" ! {start}{' ... i' if start != text else ''}", Role.LOOK)), canvas.width))
    if len(told) > most:
        rows.append(fitted(row(Piece(f" ! and {len(told) - len(rows)} more to look at: i", Role.LOOK)), canvas.width))
    return rows


def _nothing_yet(view: PlanView, canvas: Canvas) -> list[Row]:
    if view.surveyed or view.problem:
        return []
    said = (
        "A plan needs to know how many files of which sizes there are, and in which folders. "
        "The survey finds that out, and writes nothing to the source: 2 goes there, R starts it."
    )
    return [(), *(row(Piece(f" {text}", Role.MUTED)) for text in textwrap.wrap(said, canvas.width - 2))]


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount < 10 else f"${amount:,.0f}"
