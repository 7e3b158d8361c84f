"""Run: one execution as it goes on, from any terminal; closing it touches nothing, acts go through their strip."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from textual import work

from engine.errors import UsageError, XsyncError
from engine.execution.launch import room_left
from engine.journal.reader import read_migration
from engine.journal.records import Command
from engine.model import Migration, Snapshot, Status
from engine.quantities import parse_rate
from xsync_tui.bridge import Bridge
from xsync_tui.cli.clock import clock_range
from xsync_tui.cli.headline import Life, life_of
from xsync_tui.cli.outcome import retryable, work_left
from xsync_tui.drawing.agents import in_order
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.figures import rate_both
from xsync_tui.drawing.frame import Act, Title
from xsync_tui.drawing.graph import SPANS, Window, window
from xsync_tui.drawing.past import AgentPast, FullDisk, Past, agents_window
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row
from xsync_tui.drawing.run import Pane, RunView, Zoomed, body, no_run, state_words
from xsync_tui.drawing.seen import Seen
from xsync_tui.keys import Key, Tier
from xsync_tui.keys import Pane as Jumped
from xsync_tui.screens import starting
from xsync_tui.screens.agreed import Limits, freeze_ends
from xsync_tui.screens.base import BaseScreen, Drawn
from xsync_tui.screens.value import ValueStrip

_ZOOMS: tuple[Zoomed, ...] = ("", "graph", "pane", "events")
_PANES = (
    Jumped("g", "graph", "show('graph')"),
    Jumped("a", "agents", "show('pane', 'agents')"),
    Jumped("t", "tasks", "show('pane', 'tasks')"),
    Jumped("e", "events", "show('events')"),
    Jumped("w", "the whole", "show('')"),
)


class RunFacts(NamedTuple):
    """What the screen has read; no snapshot: the subject was not run yet."""

    snapshot: Snapshot | None
    window: Window
    values: list[float | None]
    past: Past
    asked: list[Command]


class RunScreen(BaseScreen[RunFacts]):
    """The newest execution of the subject."""

    place = "run"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("run.failures", "f", "failures", "app.go('failures')"),
        Key("run.pane", "t", "tasks", "pane_kind"),
        Key("run.zoom", "z", "zoom", "zoom"),
        Key("run.shorter", "left_square_bracket", "shorter time", "span(-1)", footer=False),
        Key("run.longer", "right_square_bracket", "longer time", "span(1)", footer=False),
        Key("run.log", "o", "log", "app.go('log')", footer=False),
        Key("run.run", "R", "run", "run", Tier.ACT),
        Key("run.retry", "F", "retry failed", "retry", Tier.ACT),
        Key("run.pause", "P", "pause", "pause", Tier.ACT),
        Key("run.limit", "L", "limit", "limit", Tier.ACT),
        Key("run.agents", "A", "agents", "agents", Tier.ACT),
        Key("run.cancel", "C", "cancel", "cancel", Tier.DESTROY),
    )

    def __init__(self) -> None:
        super().__init__()
        self._seen = Seen()
        self._seen_of = ""
        self._last: Snapshot | None = None
        self._shows: Pane = "agents"
        self._zoomed: Zoomed = ""
        self._span = 1
        self._frozen: dict[tuple[Path, int], Migration] = {}
        self._limits = Limits()

    def sample(self, subject: Subject, bridge: Bridge) -> RunFacts:
        """The snapshot, the graph's buckets, and what the runner has not answered."""
        folder, now = bridge.folder_of(subject), self.xsync.now()
        if folder is None:
            return RunFacts(None, Window(now, 1.0, 1), [], Past(due=_due(subject, bridge, now)), [])
        snapshot = bridge.snapshot(folder)
        over = life_of(snapshot, now) in (Life.ENDED, Life.GONE)
        end = (snapshot.ended_at or snapshot.heartbeat_at) if over else now
        shown = window(snapshot.started_at, end, SPANS[self._span][1], self.canvas, over=over)
        found = bridge.samples(folder, shown.start, shown.step, shown.buckets)
        values = [found[at].bytes_per_second if at in found else None for at in range(shown.buckets)]
        past = self._past(folder, snapshot, shown, end, bridge)._replace(
            due=_due(subject, bridge, now), full=None if _is_over(snapshot) else _full(bridge.home.base)
        )
        return RunFacts(snapshot, shown, values, past, [] if over else bridge.unanswered(folder))

    def _past(self, folder: Path, snapshot: Snapshot, shown: Window, end: float, bridge: Bridge) -> Past:
        """What the journal tells of agents, limits and estimates."""
        agents = len(in_order(snapshot.agents))
        lines = agents_window(snapshot.started_at, end, SPANS[self._span][1], agents, self.canvas)
        rates = bridge.agent_rates(folder, *lines) if agents else {}
        earlier = bridge.earlier_agreements(folder)
        about = folder, len(earlier)  # to go on with others makes one more of them
        if about not in self._frozen:
            self._frozen = {about: read_migration(folder)}
        chosen = bridge.chosen_limits(folder)
        limits, then = self._limits.over(self._frozen[about], earlier, chosen, shown, snapshot)
        ends = freeze_ends(self.facts, folder.name)
        return Past(AgentPast(lines, rates), limits, then, bridge.estimates(folder), ends)

    def draw(self, value: RunFacts, canvas: Canvas, now: float) -> Drawn:
        """The dashboard."""
        snapshot = value.snapshot
        if snapshot is None:
            profile = self.facts.profile
            tested = profile is not None and profile.measured.date is not None
            return Drawn(no_run(self.facts.subject.name, canvas, value.past.due, now, tested=tested))
        self._look(snapshot, now)
        view = RunView(
            snapshot,
            now,
            self._seen,
            value.window,
            value.values,
            value.past,
            value.asked,
            self._shows,
            self._zoomed,
            self.cursor,
            self._handed,
        )
        state, liveness, role = state_words(view, canvas)
        name = self.facts.subject.name
        return Drawn(
            body(view, canvas), None, Title(name, snapshot.source, snapshot.destination, state, liveness, role)
        )

    def count(self) -> int:
        """Rows that can be scrolled: tasks, or what happened."""
        snapshot = self.value.snapshot if self.value else None
        if snapshot is None:
            return 0
        if self._zoomed == "events":
            return len(snapshot.events)
        return len(snapshot.tasks) if self._shows == "tasks" else 0

    def panes(self) -> Sequence[Jumped]:
        """Each part over the whole body, and all of them."""
        return _PANES

    def copies(self) -> tuple[str, str] | None:
        """What happened, or the task under the cursor, where one moves among them; else the run."""
        snapshot = self.value.snapshot if self.value else None
        if snapshot is not None and self._zoomed == "events" and snapshot.events:
            newest = sorted(snapshot.events, key=lambda event: event.at, reverse=True)
            return "event", newest[min(self.cursor, len(newest) - 1)].text
        if snapshot is not None and self._shows == "tasks" and snapshot.tasks:
            return "task", snapshot.tasks[min(self.cursor, len(snapshot.tasks) - 1)].name
        return super().copies()

    def words(self, key: Key) -> str:
        """What pause, run and the panes would do now."""
        snapshot = self.value.snapshot if self.value else None
        if key.id == "run.pause" and snapshot is not None and snapshot.status is Status.PAUSED:
            return "go on"
        if key.id == "run.pane":
            return "agents" if self._shows == "tasks" else "tasks"
        if key.id == "run.run" and snapshot is not None and _resumable(snapshot):
            return "resume"
        return key.words

    def reason(self, key: Key) -> str:
        """What state forbids."""
        if key.tier not in (Tier.ACT, Tier.DESTROY):
            return ""
        snapshot = self.value.snapshot if self.value else None
        if snapshot is None:
            return "" if key.id == "run.run" and self.facts.profile else "nothing has run yet"
        life = life_of(snapshot, self.xsync.now())
        runs = life in (Life.LIVE, Life.SILENT)
        if key.id in ("run.run", "run.retry") and not runs and self._handed:
            return "it was handed over: a run would replace what users wrote"
        match key.id:
            case "run.run":
                if runs:
                    return "it is paused: P goes on" if snapshot.status is Status.PAUSED else "it runs"
                return "" if _resumable(snapshot) or self.facts.profile else "it has no profile: use xsync run"
            case "run.retry":
                if runs:
                    return "it still runs: what failed can be retried when it has ended"
                if _resumable(snapshot):
                    return "R goes on with all that is left, what failed included"
                return "" if retryable(snapshot) else "nothing failed that a retry is for"
            case "run.cancel" if not runs and _resumable(snapshot):
                return ""
            case _:
                return "" if runs else "the runner is gone" if life is Life.GONE else "it has ended"

    def legend(self, canvas: Canvas) -> list[Row]:
        """The glyphs of graph and panes."""
        known = [("┄", "limit"), ("╌", "no data: no runner or agent then"), ("⣀", "zero")]
        plain = [("-", "limit"), ("?", "no data: no runner or agent then"), ("_", "zero")]
        rows: list[Row] = [(Piece(f" {glyph}  {words}"),) for glyph, words in (known if canvas.unicode else plain)]
        return [*rows, (Piece(f" [ ] time shown: {SPANS[self._span][0]}", Role.MUTED),)]

    # Looking.

    def action_pane_kind(self) -> None:
        """Agents or tasks."""
        self._shows = "agents" if self._shows == "tasks" else "tasks"
        self.cursor = 0
        self.redraw()

    def action_zoom(self) -> None:
        """The whole body for the graph, the agents, what happened; then back."""
        self._zoomed = _ZOOMS[(_ZOOMS.index(self._zoomed) + 1) % len(_ZOOMS)]
        self.cursor = 0
        self.redraw()

    def action_show(self, zoomed: Zoomed, pane: Pane | None = None) -> None:
        """One part over the whole body, or all of them."""
        self._zoomed, self._shows, self.cursor = zoomed, pane or self._shows, 0
        self.redraw()

    def action_span(self, step: int) -> None:
        """A shorter or longer time in the graph."""
        self._span = max(0, min(len(SPANS) - 1, self._span + step))
        self.notice(f"The graph shows: {SPANS[self._span][0]}.", Role.MUTED)
        self.reread()

    # Acting.

    def action_pause(self) -> None:
        """Pause, or go on."""
        snapshot = self._may("run.pause")
        if snapshot is None:
            return
        name = self.facts.subject.name
        if snapshot.status is Status.PAUSED:
            act = Act("P", f"go on with {name}", "Agents send again at once.", "go on", "stay paused")
            self.act(act, self.ask_runner("resume"))
        else:
            effect = (
                "Agents finish the requests they have under way, then stop. Nothing is lost; the end moves later by as "
                "long as you pause."
            )
            self.act(Act("P", f"pause {name}", effect, "pause", "keep running"), self.ask_runner("pause"))

    def action_limit(self) -> None:
        """A bandwidth limit for all agents together."""
        snapshot = self._may("run.limit")
        if snapshot is None:
            return
        until = snapshot.limit_until
        holds = f"until {clock_range(until, until, None, self.xsync.now())}" if until else "until the run ends"

        def explain(text: str) -> str:
            rate = limit_of(text)
            if rate is None:
                return f"From now on nothing limits the agents, {holds}."
            return f"From now on all agents together send at most {rate_both(rate, self.canvas)}, {holds}."

        effect = f"A limit for all agents together, {holds}; the timetable waits as long."
        what = "a rate (500 Mbit/s, 60 MB/s) or none"
        act = Act("L", f"limit {self.facts.subject.name}", effect, "limit", typed=what)
        self._act_on_value(act, explain, lambda text: ("limit", {"bytes_per_second": limit_of(text)}))

    def action_agents(self) -> None:
        """More agents, or one less."""
        snapshot = self._may("run.agents")
        if snapshot is None:
            return
        names = [agent.name for agent in snapshot.agents if agent.state not in ("lost", "gone")]

        def explain(text: str) -> str:
            more, drained = agents_of(text, names)
            if more:
                return f"Starts {more} more agent{'s' * (more > 1)}, which take work of the task with most left."
            return f"{drained} finishes what it holds, then leaves; the others take its work."

        def asked(text: str) -> tuple[str, dict[str, Any]]:
            more, drained = agents_of(text, names)
            return ("add_agent", {"": more}) if more else ("drain_agent", {"agent": drained})

        effect = f"There are {len(names)}: {', '.join(names)}. What one leaves undone, the others do."
        what = "+ and how many more, or - and the one to leave"
        act = Act("A", f"agents of {self.facts.subject.name}", effect, "do it", typed=what)
        self._act_on_value(act, explain, asked)

    def action_cancel(self) -> None:
        """End it for good, once its name is typed."""
        snapshot = self._may("run.cancel")
        if snapshot is None:
            return
        subject, runs = self.facts.subject, starting.at_work(snapshot, self.xsync.now())
        do = self.ask_runner("cancel") if runs else partial(starting.end, self.xsync.bridge, subject)
        self.act(starting.cancel_act(subject.name, runs=runs), do)

    def action_run(self) -> None:
        """Resume it, or run its profile again."""
        if self.refused("run.run"):
            return
        snapshot, subject = self.value.snapshot if self.value else None, self.facts.subject
        bridge, profile = self.xsync.bridge, self.facts.profile
        if snapshot is not None and _resumable(snapshot):
            ahead = partial(starting.before_resume, bridge, subject, profile)
            self.act(starting.resume_act(subject.name), partial(starting.resume, bridge, subject), ahead)
        elif profile is not None:
            run = partial(starting.run, bridge, profile)
            self.act(starting.run_act(profile), run, partial(starting.before_run, profile))

    def action_retry(self) -> None:
        """Run what failed once more."""
        if not self.refused("run.retry"):
            subject = self.facts.subject
            self.act(starting.retry_act(subject.name), partial(starting.retry, self.xsync.bridge, subject))

    @work(group="act")
    async def _act_on_value(
        self, act: Act, explain: Callable[[str], str], command: Callable[[str], tuple[str, dict[str, Any]]]
    ) -> None:
        """Ask for a value in the strip; once it is confirmed, ask the runner for what it stands for."""
        strip = ValueStrip(act, explain)
        if not await self.app.push_screen_wait(strip):
            return
        verb, arguments = command(strip.value)
        times = arguments.pop("", 1)
        self.notice(f"{act.name}: asked, waiting for the answer.", Role.MUTED)
        try:
            for _ in range(times):
                said, role = await asyncio.to_thread(self.ask_runner(verb, arguments)), Role.PLAIN
        except XsyncError as error:
            said, role = str(error), Role.ALARM
        self.notice(said, role)
        self.reread()

    @property
    def _handed(self) -> bool:
        """Whether a cutover has handed it over."""
        return self.facts.cutover is not None and "hand-over" in self.facts.cutover.steps

    def _look(self, snapshot: Snapshot, now: float) -> None:
        if snapshot.execution != self._seen_of:
            self._seen, self._seen_of = Seen(), snapshot.execution
        if snapshot is not self._last:
            self._last = snapshot
            self._seen.add(snapshot, now)

    def _may(self, key_id: str) -> Snapshot | None:
        """The snapshot if a key can do something now; else says why not."""
        if self.refused(key_id) or self.value is None:
            return None
        return self.value.snapshot


def limit_of(text: str) -> float | None:
    """Bytes/s of a limit as it is typed, None for ``none``. Raises UsageError."""
    return None if text.strip().lower() in ("none", "no") else float(parse_rate(text))


def agents_of(text: str, names: list[str]) -> tuple[int, str]:
    """How many more agents, or the one that is to leave: ``+2``, ``-3``, ``-agent-3``. Raises UsageError."""
    sign, rest = text.strip()[:1], text.strip()[1:].strip()
    if sign == "+" and rest.isdecimal() and 1 <= int(rest) <= 64:
        return int(rest), ""
    found = [name for name in names if sign == "-" and rest and name in (rest, f"agent-{rest}")]
    if found:
        return 0, found[0]
    raise UsageError(f"{text!r}: expected +1 to +64 for more agents, or - and one of: {', '.join(names) or 'none'}")


def _resumable(snapshot: Snapshot) -> bool:
    """Whether R goes on with it, as ``xsync resume`` would."""
    if snapshot.status in (Status.SUCCESS, Status.CANCELLED, Status.SUPERSEDED):
        return False
    return snapshot.status is not Status.ERROR or work_left(snapshot)


def _is_over(snapshot: Snapshot) -> bool:
    """Whether it has ended with nothing left to record."""
    return snapshot.status.ended and not _resumable(snapshot)


def _full(folder: Path) -> FullDisk | None:
    free = room_left(folder)
    return None if free is None else FullDisk(str(folder), free)


def _due(subject: Subject, bridge: Bridge, now: float) -> float | None:
    """When the schedule of its profile runs it next; a named execution is one that was."""
    if subject.profile is None or subject.execution is not None:
        return None
    try:
        return bridge.schedules(now)[0].get(subject.profile)
    except XsyncError:  # a record that is damaged hides no run: Home and xsync schedule list say what is wrong
        return None
