"""Cutover: how ready it is, what would help, and the checklist, which is the one of ``xsync cutover``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import work

from engine.errors import XsyncError
from engine.execution.cutover.record import STEPS, Cutover
from engine.execution.cutover.signoff import rollback_note
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.cutover import Pane, View, body
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.frame import Act
from xsync_tui.drawing.rows import Canvas, Piece, Role
from xsync_tui.drawing.runbook import runbook
from xsync_tui.jobs import CutoverJob
from xsync_tui.keys import Key, Tier
from xsync_tui.keys import Pane as Jumped
from xsync_tui.screens.base import BaseScreen, Drawn
from xsync_tui.screens.exporting import export
from xsync_tui.screens.starting import at_work, run

if TYPE_CHECKING:
    from engine.execution.foretelling.passes import History
    from engine.planning.cutover import Readiness
    from engine.planning.freeze import Verify
    from profiles.schema import Profile
    from xsync_tui.cli.cutover_steps import Checklist

_FRESH_SECONDS = 30.0
"""A prediction older than this is made anew: the source goes on changing."""

_STOP_SECONDS = 2.0


class Seen(NamedTuple):
    """What is known of the cutover. ``ready`` is None where there is no profile to ask."""

    history: History | None = None
    ready: Readiness | None = None
    record: Cutover | None = None
    schedule: bool = False


class CutoverScreen(BaseScreen[Seen]):
    """v shows readiness or checklist; enter begins, goes on, or answers; each typed confirmation is the command's."""

    place = "cutover"
    seconds = 1.0
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("cutover.step", "enter", "begin", "open", Tier.ACT),
        Key("cutover.view", "v", "checklist", "view"),
        Key("cutover.verify", "m", "verify mode", "verify"),
        Key("cutover.export", "x", "export", "export"),
        Key("cutover.pass", "R", "next pass", "next_pass", Tier.ACT),
        Key("cutover.stop", "S", "stop", "stop", Tier.ACT),
    )

    def __init__(self) -> None:
        super().__init__()
        self._pane: Pane = "readiness"
        self._verify: Verify = "POINT_IN_TIME_CONSISTENT"
        self._job: CutoverJob | None = None
        self._at: str | None = None
        self._made: tuple[object, float, Seen] = (None, 0.0, Seen())

    def sample(self, subject: Subject, bridge: Bridge) -> Seen:
        """Readiness, at most every 30 s or when an execution begins; the record each time. Raises XsyncError."""
        from engine.execution.cutover.record import read_cutover
        from engine.execution.scheduling.schedule import read_record

        profile = bridge.profiles().get(subject.profile or "")
        if profile is None or isinstance(profile, str):
            return Seen()
        executions = bridge.home.executions
        key = (subject, id(profile), self._verify, executions.stat().st_mtime_ns if executions.is_dir() else 0)
        if key != self._made[0] or time.monotonic() - self._made[1] > _FRESH_SECONDS:
            self._made = (key, time.monotonic(), self._ask(profile, bridge))
        record = read_cutover(bridge.home, profile.name)
        return self._made[2]._replace(record=record, schedule=read_record(bridge.home, profile.name) is not None)

    def _ask(self, profile: Profile, bridge: Bridge) -> Seen:
        from profiles.convert import to_migration
        from xsync_tui.cli.cutover import readiness_of

        return Seen(*readiness_of(bridge.home, profile, to_migration(profile), self._verify))

    def draw(self, value: Seen, canvas: Canvas, now: float) -> Drawn:
        """The pane that was chosen; both where there is room."""
        job = self._mine()
        following = None if value.record is None else value.record.next
        if following is not None and following != self._at:
            self.cursor = list(STEPS).index(following)
        self._at = following
        if self.facts.profile is None:
            return Drawn([(Piece(" A cutover is of a saved profile: choose one on Home."),)])
        view = self._view(value, self.facts.profile.name, now)._replace(
            pane=self._pane,
            cursor=self.cursor,
            looking="Reading what past passes tell.",
            trouble=job.trouble if job is not None else "",
        )
        return Drawn(body(view if job is None else view._replace(work=job.work), canvas))

    def _view(self, value: Seen, profile: str, now: float) -> View:
        """What is known."""
        verifies = self._verify == "POINT_IN_TIME_CONSISTENT"
        return View(
            profile, value.history, value.ready, value.record, verifies=verifies, schedule=value.schedule, now=now
        )

    def count(self) -> int:
        """Steps of the checklist."""
        return len(STEPS)

    def words(self, key: Key) -> str:
        """What enter and v do now."""
        job = self._mine()
        match key.id:
            case "cutover.step" if job is not None and job.question:
                return "answer"
            case "cutover.step" if self.value is not None and self.value.record is not None:
                return "go on"
            case "cutover.view" if self._pane == "checklist":
                return "readiness"
        return key.words

    def reason(self, key: Key) -> str:
        """What cannot be done now, and why."""
        job, seen = self._mine(), self.value
        if key.tier is Tier.ACT and (self.facts.profile is None or seen is None or seen.ready is None):
            return "a cutover is of a saved profile"
        working = job is not None and job.at_work
        match key.id:
            case "cutover.step" if working and job is not None and not job.question:
                return "a step is at work"
            case "cutover.step" if seen is not None and seen.record is not None and seen.record.next is None:
                return "it is handed over"
            case "cutover.pass" if working:
                return "the cutover is at work"
            case "cutover.pass" if at_work(self.facts.snapshot, self.xsync.now()):
                return "a run is at work: 5 shows it"
            case "cutover.pass" if seen is not None and seen.record is not None and seen.record.next is None:
                return "it is handed over: a pass would replace what users wrote"
            case "cutover.export" if seen is None or seen.ready is None:
                return "a cutover is of a saved profile"
            case "cutover.stop" if not working:
                return "nothing is at work"
        return ""

    def panes(self) -> Sequence[Jumped]:
        """Readiness and checklist."""
        if self.facts.profile is None:
            return ()
        return [Jumped("r", "readiness", "show('readiness')"), Jumped("c", "checklist", "show('checklist')")]

    def action_show(self, pane: Pane) -> None:
        """One of the two."""
        self._pane = pane
        self.redraw()

    def action_view(self) -> None:
        """Readiness or checklist."""
        self._pane = "checklist" if self._pane == "readiness" else "readiness"
        self.redraw()

    def action_export(self) -> None:
        """Write the cutover as JSON, and as Markdown for who stands beside it, into the current folder."""
        seen, profile = self.value, self.facts.profile
        if seen is None or seen.ready is None or seen.history is None or profile is None:
            self.notice("There is nothing to export: a cutover is of a saved profile.")
            return
        from profiles.convert import to_migration
        from xsync_tui.cli.cutover_view import readiness_json

        now = self.xsync.now()
        begun = seen.record or Cutover(profile.name, to_migration(profile), now, self.xsync.bridge.who())
        sides = begun.migration.source.url, begun.migration.destination.url
        text = runbook(self._view(seen, profile.name, now), sides, rollback_note(begun), self.canvas.zone)
        value = readiness_json(profile.name, seen.history, seen.ready) | {"cutover": seen.record}
        try:
            self.notice(export("cutover", profile.name, now, value, text))
        except XsyncError as error:
            self.notice(str(error), Role.ALARM)

    def action_verify(self) -> None:
        """Compare both sides after the final delta, or trust what it sent; a choice for the next cutover from here."""
        whole = self._verify == "POINT_IN_TIME_CONSISTENT"
        self._verify = "ONLY_FILES_TRANSFERRED" if whole else "POINT_IN_TIME_CONSISTENT"
        self.notice(
            "After the final delta both sides are compared."
            if not whole
            else "Only what the final delta sends is verified; both sides are not compared after it."
        )
        self.reread()

    def action_open(self) -> None:
        """Answer the question that waits; else begin or go on, behind a strip."""
        job = self._mine()
        if job is not None and job.question:
            self._answer(job)
        elif not self.refused("cutover.step"):
            self._begin()

    @work(group="act")
    async def _answer(self, job: CutoverJob) -> None:
        from xsync_tui.screens.strip import Strip

        question = job.question
        effect = question.partition(", type ")[0] + "."
        act = Act("enter", "confirm", effect, "confirm", "wait", typed=job.profile)
        if await self.app.push_screen_wait(Strip(act)) and job.question == question:
            job.answer(job.profile)
        self.redraw()

    def _begin(self) -> None:
        seen, profile = self.value, self.facts.profile
        if seen is None or seen.ready is None or profile is None:
            return
        ready, verifies = seen.ready, self._verify == "POINT_IN_TIME_CONSISTENT"
        step = "readiness" if seen.record is None else seen.record.next

        def begin() -> str:
            from profiles.convert import to_migration
            from xsync_tui.cli.cutover_steps import Checklist

            job = self._job = CutoverJob(profile.name)
            steps = Checklist(
                self.xsync.bridge.home,
                profile.name,
                to_migration(profile),
                readiness=ready,
                verifies=verifies,
                wait_quiet=None,
                yes=False,
                talk=job,
            )

            job.say("It goes on by itself, and waits where a person has to decide.")
            job.start(lambda: _carry_out(steps))
            self._pane = "checklist"
            return ""

        number = list(STEPS).index(step) + 1 if step else len(STEPS)
        effect = f"The checklist goes on with step {number} of {len(STEPS)}, {STEPS[step or 'hand-over']}."
        if step == "readiness":
            effect = "The checklist begins. It asks for the profile's name before anything happens."
        self.act(Act("enter", f"cutover of {profile.name}", effect, "go on", asked=False), begin)

    def action_next_pass(self) -> None:
        """Behind a strip: one more run of the profile."""
        profile = self.facts.profile
        if self.refused("cutover.pass") or profile is None:
            return

        effect = "One more pass runs: what changed since the last one is sent. Users go on at the source."
        self.act(
            Act("R", f"next pass of {profile.name}", effect, "run it", asked=False),
            partial(run, self.xsync.bridge, profile),
        )

    def action_stop(self) -> None:
        """Behind a strip: no step follows."""
        job = self._mine()
        if self.refused("cutover.stop") or job is None:
            return

        def stop() -> str:
            job.stop()
            return "Stopped. What is done is recorded; a final delta that runs goes on."

        effect = "No step follows. What is done stays recorded, and enter goes on from there."
        self.act(Act("S", "stop the checklist", effect, "stop", "go on", asked=False), stop)

    def on_unmount(self) -> None:
        """The app is closed: no step follows."""
        if self._job is not None and self._job.at_work:
            self._job.stop()
            self._job.join(_STOP_SECONDS)

    @property
    def question(self) -> str:
        """What waits for a person; empty if nothing does."""
        job = self._mine()
        return "" if job is None else job.question

    def _mine(self) -> CutoverJob | None:
        job = self._job
        return job if job is not None and job.profile == self.xsync.subject.profile else None


def _carry_out(steps: Checklist) -> None:
    """What it comes to is in its record, and in what it said."""
    steps.run(restart=False)
