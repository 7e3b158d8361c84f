"""Plan: how many agents, how long, what limits; every turn of a knob is worked out at once from what was read once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import msgspec
from textual import work
from textual.app import ComposeResult

from engine.errors import UsageError, XsyncError
from engine.planning.partition import MOST_TASKS
from engine.planning.plan import Plan
from engine.planning.values import Seconds
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.evidence import glyph_rows
from xsync_tui.drawing.facts import Subject, plain_url
from xsync_tui.drawing.frame import Act
from xsync_tui.drawing.handout import plan_handout
from xsync_tui.drawing.knobs import NAMES, Draft, cleared, is_auto, knobs, request_of_draft, stepped, typed
from xsync_tui.drawing.plan import PlanView, agents_here, plan_rows, starting
from xsync_tui.drawing.rows import Canvas, Role, Row
from xsync_tui.drawing.timeline import Slow
from xsync_tui.drawing.why import figure_count
from xsync_tui.keys import Key, Pane, Tier
from xsync_tui.screens.base import BaseScreen, Drawn
from xsync_tui.screens.exporting import export
from xsync_tui.screens.starting import at_work, before_start
from xsync_tui.screens.survey import profile_request
from xsync_tui.widgets.entry import Entry

if TYPE_CHECKING:
    from engine.execution.foretelling.planner import Gathered, PlanRequest
    from engine.model import Migration

WAS_SECONDS = 3.0
"""How long the answer keeps what it was before a change."""

MOST_AGENTS = 64
MOST_LEVEL = 3
"""So fine is what is read for the knobs: agents and levels beyond are worked out from it first, then read for."""

_MOST_SLOW = 200


class Ground(NamedTuple):
    """What plans stand on: what the profile asks for, and what was read; ``gathered`` is None without a survey."""

    request: PlanRequest | None
    gathered: Gathered | None
    key: tuple[object, ...] = ()
    problem: str = ""


class PlanScreen(BaseScreen[Ground]):
    """tab goes from knob to knob, + and - turn, enter types, backspace is auto again; i says why."""

    place = "plan"
    seconds = 1.0
    """A survey may end, or a test run tell more; what has not changed is not read again."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("plan.knob", "tab", "knob", "pane(1)", Tier.DRAFT),
        Key("plan.more", "plus,right", "turn up", "step(1)", Tier.DRAFT),
        Key("plan.less", "minus,left", "turn down", "step(-1)", Tier.DRAFT, footer=False),
        Key("plan.type", "enter", "type", "open", Tier.DRAFT),
        Key("plan.auto", "backspace", "auto", "auto", Tier.DRAFT, footer=False),
        Key("plan.why", "i", "why", "why"),
        Key("plan.export", "x", "export", "export"),
        Key("plan.test", "T", "test run", "app.go('test')", Tier.ACT, footer=False),
        Key("plan.run", "R", "run", "run", Tier.ACT),
    )

    def __init__(self) -> None:
        super().__init__()
        self._draft = Draft()
        self._plan: Plan | None = None
        self._knob = NAMES.index("agents")
        self._why = False
        self._of: Gathered | None = None
        self._before: Seconds | None = None
        self._was: tuple[Seconds, float] | None = None
        self._about: Subject | None = None

    @property
    def draft(self) -> Draft:
        """What was turned."""
        return self._draft

    @property
    def knob(self) -> str:
        """The knob that the cursor is on."""
        return NAMES[self._knob]

    # Reading, and working out.

    @property
    def is_read(self) -> bool:
        """Whether there is a plan too, where there can be one."""
        can = self.value is not None and self.value.gathered is not None and not self.trouble
        return super().is_read and not (can and self._plan is None)

    def sample(self, subject: Subject, bridge: Bridge) -> Ground:
        """Read what plans need, unless it is what was read before. Slow: the catalog of the survey."""
        from engine.execution.foretelling.planner import gather

        facts = bridge.facts(subject)
        if facts.profile is None:
            return Ground(
                None, None, problem=facts.problem or "A plan is of a saved profile: 1 lists them, N makes one."
            )
        request = profile_request(facts.profile, self.xsync.now())
        if facts.survey is None:
            return Ground(request, None)
        key = (subject, facts.profile, facts.survey, len(bridge.executions()))
        if self.value is not None and self.value.key == key:
            return self.value
        return Ground(request, gather(request, bridge.home, most_agents=MOST_AGENTS, most_level=MOST_LEVEL), key)

    def draw(self, value: Ground, canvas: Canvas, now: float) -> Drawn:
        """The body."""
        if self._about != self.facts.subject:
            self._about, self._draft, self._plan, self._of = self.facts.subject, Draft(), None, None
        if value.request is None:
            return Drawn(plan_rows(PlanView(now, problem=value.problem), canvas))
        if self._of is not value.gathered:
            self._of = value.gathered
            self._work_out()
        was = self._was[0] if self._was is not None and now < self._was[1] else None
        view = PlanView(
            now,
            self._plan,
            knobs(value.request, self._draft, self._plan, canvas.zone),
            self._knob,
            self.cursor if self.cursor or self._why else None,
            was,
            self._draft.by,
            self._slow(),
            surveyed=value.gathered is not None,
            why=self._why,
        )
        return Drawn(plan_rows(view, canvas))

    def count(self) -> int:
        """Figures that can be asked about."""
        return 0 if self._plan is None else figure_count(self._plan)

    def reason(self, key: Key) -> str:
        """Why a key can do nothing now."""
        if key.id == "plan.test":
            return ""
        if key.id == "plan.run" and at_work(self.facts.snapshot, self.xsync.now()):
            return "it runs: 5 shows it"
        if key.id == "plan.run" and self._plan is not None and len(self._plan.tasks) > MOST_TASKS:
            return f"a run has at most {MOST_TASKS:,} tasks: cut at a level nearer to the root, or evenly"
        return "" if self._plan is not None else "there is no plan yet: 2 surveys the source"

    def words(self, key: Key) -> str:
        """Both ways to turn a knob stand as one in the footer."""
        return "- change" if key.id == "plan.more" else key.words

    def panes(self) -> Sequence[Pane]:
        """The knobs, and what is below them."""
        if self._plan is None:
            return ()
        parts = [("w", "what if"), ("m", "limits"), ("t", "tasks"), ("i", "why")]
        return [Pane(name[0], name, f"show('{name}')") for name in NAMES] + [
            Pane(letter, name, f"show('{name}')") for letter, name in parts
        ]

    def legend(self, canvas: Canvas) -> list[Row]:
        """How well figures are known."""
        return glyph_rows(canvas)

    def _change(self, draft: Draft) -> None:
        """Work out the plan anew, and keep what it was for a moment."""
        if self._plan is None or draft == self._draft:
            return
        self._draft, self._before = draft, self._plan.duration_seconds
        self.cursor = 0 if not self._why else self.cursor
        self._work_out()
        self.redraw()

    @work(group="plan", exclusive=True)
    async def _work_out(self) -> None:
        """In a thread: milliseconds, but a second where a level has tens of thousands of folders."""
        from engine.execution.foretelling.planner import work_out

        ground = self.value
        if ground is None or ground.request is None or ground.gathered is None:
            return
        request = request_of_draft(ground.request, self._draft)
        made, settled = await asyncio.to_thread(work_out, request, ground.gathered)
        if self._of is not ground.gathered:
            return  # it is about another migration by now
        self._plan, before, self._before = made, self._before, None
        if before is not None and before != made.duration_seconds:
            self._was = before, self.xsync.now() + WAS_SECONDS
            self.set_timer(WAS_SECONDS + 0.05, self.redraw)
        if not settled:
            self._settle(request)
        self.redraw()

    @work(group="settle", exclusive=True)
    async def _settle(self, request: PlanRequest) -> None:
        """Read the catalog once more for just this request, where it may be cut finer."""
        from engine.execution.foretelling.planner import gather

        home, ground, draft = self.xsync.bridge.home, self.value, self._draft
        try:
            gathered = await asyncio.to_thread(gather, request, home, most_agents=MOST_AGENTS, most_level=MOST_LEVEL)
        except XsyncError as error:
            self.notice(str(error), Role.ALARM)
            return
        if ground is not None and self.value is ground and self._draft == draft:
            self.value = ground._replace(gathered=gathered)
            self.redraw()

    def _slow(self) -> list[Slow]:
        """When the timetable allows less than the fleet could do, as far as the plan reaches."""
        if self._plan is None or self.value is None or self.value.request is None:
            return []
        from engine.execution.foretelling.planner import timetable_of

        timetable = timetable_of(self.value.request.migration)
        found: list[Slow] = []
        at: float | None = self._plan.start_at if timetable is not None else None
        while at is not None and timetable is not None and at < self._plan.done_at[1] and len(found) < _MOST_SLOW:
            limit = timetable.limit(at)
            if limit.bytes_per_second is not None and limit.bytes_per_second < self._plan.bytes_per_second:
                found.append(Slow(at, limit.until or self._plan.done_at[1]))
            at = limit.until
        return found

    # Knobs.

    def widgets(self) -> ComposeResult:
        """Where a value is typed."""
        yield Entry(id="value")

    def on_mount(self) -> None:
        """Hide what is typed into."""
        self._entry = self.query_one("#value", Entry)
        self._entry.display = False

    def action_pane(self, panes: int) -> None:
        """To the next knob."""
        self._knob = (self._knob + panes) % len(NAMES)
        self.redraw()

    def action_show(self, name: str) -> None:
        """To a knob, to the figures of what if or of the limits, or to tasks or the reason below."""
        if self._plan is None:
            return
        figures = {"what if": 1, "limits": 1 + len(self._plan.what_if)}
        if name in NAMES:
            self._knob = NAMES.index(name)
        elif name in figures:
            self._move_to(figures[name])
        else:
            self._why = name == "why"
        self.redraw()

    def action_step(self, step: int) -> None:
        """Turn the knob."""
        if self.value is not None and self.value.request is not None and self._plan is not None:
            self._change(stepped(self.value.request, self._draft, self._plan, NAMES[self._knob], step))

    def action_auto(self) -> None:
        """The knob as the profile says, or as is best; where it is so already, back."""
        name = NAMES[self._knob]
        if is_auto(self._draft, name) or self._why:
            self.action_back()
        else:
            self._change(cleared(self._draft, name))

    def action_open(self) -> None:
        """Type a value."""
        if self._plan is not None:
            self._entry.value = ""
            self._entry.placeholder = f"{NAMES[self._knob]}: a value, enter; esc leaves it"
            self._show_entry(show=True)

    def on_input_submitted(self, event: Entry.Submitted) -> None:
        """Take what was typed, or say what is wrong with it."""
        ground = self.value
        if event.input is not self._entry or ground is None or ground.request is None:
            return
        try:
            draft = typed(ground.request, self._draft, NAMES[self._knob], event.value, self.canvas.zone)
        except UsageError as error:
            self.notice(str(error), Role.LOOK)
            return
        self._show_entry(show=False)
        self._change(draft)

    def on_entry_left(self, event: Entry.Left) -> None:
        """Away with what is typed into."""
        if event.entry is self._entry:
            self._show_entry(show=False)

    def _show_entry(self, *, show: bool) -> None:
        self._entry.display = show
        self.extra_rows = int(show)
        self.set_focus(self._entry if show else None)
        self.call_after_refresh(self.redraw)

    # Looking.

    def action_why(self) -> None:
        """What the figure under the cursor rests on, and back to the tasks."""
        self._why = self._plan is not None and not self._why
        self.redraw()

    def action_back(self) -> None:
        """Away with the reason, with the cursor, else back."""
        if self._why or self.cursor:
            self._why, self.cursor = False, 0
            self.redraw()
        else:
            super().action_back()

    def action_export(self) -> None:
        """Write the plan as JSON and as Markdown into the current folder."""
        if self._plan is None or self.value is None or self.value.request is None:
            return
        now, name = self.xsync.now(), self.facts.subject.name
        try:
            self.notice(export("plan", name, now, self._plan, plan_handout(self._plan, name, now, self.canvas.zone)))
        except XsyncError as error:
            self.notice(str(error), Role.ALARM)

    # Acting.

    def action_run(self) -> None:
        """Run what is planned, after its strip."""
        if self.refused("plan.run") or self._plan is None or self.value is None or self.value.request is None:
            return
        plan, request = self._plan, request_of_draft(self.value.request, self._draft)
        effect = starting(plan, self.canvas.text(plain_url(plan.destination)))
        if self._draft._replace(agents=None, cut=None) != Draft():
            effect += " link, use, from and by are of the plan alone: it starts now, with the profile's own limits."
        migration = msgspec.structs.replace(request.migration, agents=agents_here(plan))
        profile = self.facts.subject.profile
        ahead = partial(before_start, migration, profile)
        self.act(Act("R", "run", effect, "start"), lambda: _start(self.xsync.bridge, migration, profile), ahead)


def _start(bridge: Bridge, migration: Migration, profile: str | None) -> str:
    from engine.execution.launch import RunRequest, start

    launched = start(RunRequest(migration, profile), detached=True)
    bridge.runners.append(launched.process)
    return f"{'Continued' if launched.continued else 'Started'}: {launched.execution}. 5 shows it."
