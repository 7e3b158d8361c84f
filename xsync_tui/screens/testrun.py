"""Test run: what it would copy, each step while it runs, and the verdict with what it changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from engine.errors import XsyncError
from engine.home import JOURNAL_NAME
from xsync_tui import testing
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.frame import Act
from xsync_tui.drawing.handout_testrun import handout_of_test
from xsync_tui.drawing.rows import Canvas, Role
from xsync_tui.drawing.scaling import Ceiling
from xsync_tui.drawing.testrun import Live, View, Zoomed, body
from xsync_tui.jobs import TestRunJob
from xsync_tui.keys import Key, Pane, Tier
from xsync_tui.screens.base import BaseScreen, Drawn
from xsync_tui.screens.exporting import export

if TYPE_CHECKING:
    from engine.execution.testrun.ladder import TestRun
    from profiles.schema import Profile

_PANES = (
    Pane("c", "curve", "show('curve')"),
    Pane("t", "where the time went", "show('where the time went')"),
    Pane("w", "the whole", "show('')"),
)

_STOP_SECONDS = 2.0

_TROUBLE_SECONDS = 86_400.0
"""So long what went wrong stands before what an earlier test run found."""

_GONE = "Its process ended before the test run was over; what it copied stays, and counts."


class Seen(NamedTuple):
    """What is on disk: the newest test run, the one that has a process, and the lines across the curve.

    ``live``: the step at work. ``since``: something else was sent since the newest one.
    """

    found: TestRun | None
    ceilings: tuple[Ceiling, ...]
    last: testing.AtWork | None = None
    live: Live | None = None
    since: bool = False


class TestScreen(BaseScreen[Seen]):
    """T looks for folders, enter begins, S stops. The test run is a process of its own, and goes on without the app."""

    __test__ = False

    place = "test"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("test.begin", "enter", "begin", "open", Tier.ACT),
        Key("test.look", "T", "test run", "look", Tier.ACT),
        Key("test.export", "x", "export", "export"),
        Key("test.stop", "S", "stop", "stop", Tier.ACT),
    )

    def __init__(self) -> None:
        super().__init__()
        self._job: TestRunJob | None = None
        self._zoomed: Zoomed = ""
        self._read: tuple[object, TestRun | None] = (None, None)

    def sample(self, subject: Subject, bridge: Bridge) -> Seen:
        """The newest test run between the two sides of the profile, and the one at work."""
        profile = bridge.profiles().get(subject.profile or "")
        if profile is None or isinstance(profile, str):
            return Seen(None, ())
        job = self._mine()
        begun = job is not None and job.process is not None
        last = testing.last(bridge.home, profile.name)
        if job is not None and begun:
            job.seen()
        folder = bridge.home.test_runs
        stamp = (subject, folder.stat().st_mtime_ns) if folder.is_dir() else None
        if stamp is not None and stamp != self._read[0]:
            from engine.execution.testrun.ladder import latest_test_run
            from profiles.convert import to_migration

            migration = to_migration(profile)
            found = latest_test_run(folder, migration.source.url, migration.destination.url)
            self._read = (stamp, found)
        found = self._read[1] if stamp is not None else None
        live = self._live(last, bridge) if last is not None and last.alive else None
        return Seen(found, ceilings_of(profile), last, live, self._sent_since(found, subject, bridge))

    def _live(self, last: testing.AtWork, bridge: Bridge) -> Live:
        """The step at work, as the journal of its execution has it."""
        progress, prepared = last.progress, last.prepared
        began = progress.step_began_at or progress.began_at
        live = Live(
            min(len(progress.measured) + 1, len(prepared.steps)),
            len(prepared.steps),
            progress.agents,
            self.xsync.now() - began,
            prepared.request.pace.most,
            stopping=last.stopping,
        )
        folder = bridge.home.executions / progress.execution
        if not progress.execution or not (folder / JOURNAL_NAME).exists():
            return live
        snapshot = bridge.snapshot(folder)
        return live._replace(
            bytes_per_second=snapshot.bytes_per_second,
            files_per_second=snapshot.files_per_second,
            files=sum(agent.files for agent in snapshot.agents),
            bytes=sum(agent.bytes for agent in snapshot.agents),
        )

    @staticmethod
    def _sent_since(found: TestRun | None, subject: Subject, bridge: Bridge) -> bool:
        newest = bridge.folder_of(subject)
        if found is None or newest is None or newest.name in [step.execution for step in found.steps]:
            return False
        return bridge.snapshot(newest).started_at > found.at

    def draw(self, value: Seen, canvas: Canvas, now: float) -> Drawn:
        """What is at work, else what was found last."""
        job, last, found = self._mine(), value.last, value.found
        view = View(found=found, ceilings=value.ceilings, since=value.since, now=now)
        if last is not None and value.live is not None:
            view = view._replace(prepared=last.prepared, measured=last.progress.measured, live=value.live)
        elif job is not None and (job.trouble or job.looking or job.prepared is not None):
            view = view._replace(prepared=job.prepared, dollars=job.dollars, looking=job.looking, trouble=job.trouble)
        elif last is not None and _came_to_nothing(last, found, now):
            view = view._replace(trouble=last.progress.trouble or _GONE)
        elif last is not None and found is not None and last.progress.found == found.id:
            view = view._replace(kept_in=last.progress.kept_in)
        return Drawn(body(view._replace(zoomed=self._zoomed), canvas))

    def reason(self, key: Key) -> str:
        """What cannot be done now, and why."""
        job, live = self._mine(), self.value.live if self.value else None
        if self.facts.profile is None:
            return "a test run needs a saved profile" if key.tier is Tier.ACT else ""
        match key.id:
            case "test.begin" if job is not None and job.looking and job.prepared is None:
                return "the folders are still being looked for"
            case "test.begin" if live is not None or job is None or job.prepared is None or job.at_work:
                return "T comes first: it says what would be copied"
            case "test.look" if live is not None or (job is not None and job.at_work):
                return "a test run is at work"
            case "test.stop" if live is None or live.stopping:
                return "nothing is at work"
            case "test.export" if self.value is None or self.value.found is None:
                return "no test run has ended yet"
        return ""

    def panes(self) -> Sequence[Pane]:
        """Curve and times of a test run that is over, each over the whole body, and all of it."""
        seen, job = self.value, self._mine()
        if seen is None or seen.found is None or not seen.found.steps or seen.live is not None:
            return ()
        if job is not None and (job.trouble or job.looking or job.prepared is not None):
            return ()
        return _PANES

    def action_show(self, zoomed: Zoomed) -> None:
        """One part over the whole body, or all of them."""
        self._zoomed = zoomed
        self.redraw()

    def action_back(self) -> None:
        """Out of a part, else back."""
        if self._zoomed and not self._notice:
            self.action_show("")
        else:
            super().action_back()

    def copies(self) -> tuple[str, str] | None:
        """The command that does the same."""
        name = self.facts.subject.profile
        return ("command", f"xsync test-run {name} --ladder") if name else None

    def action_look(self) -> None:
        """Choose the folders; nothing is copied."""
        live = self.value is not None and self.value.live is not None
        if live or (self._job is not None and self._job.at_work):
            self.notice("A test run is at work.", Role.LOOK)
            return
        profile = self.facts.profile
        if profile is None:
            self.notice(
                "A test run needs a saved profile: xsync test-run SOURCE DESTINATION does it without.", Role.LOOK
            )
            return
        from profiles.convert import to_migration

        self._job = TestRunJob(profile.name, to_migration(profile), self.xsync.test_step_seconds)
        self._job.look()
        self.notice("")

    def action_open(self) -> None:
        """Begin: this screen is the review."""
        job = self._mine()
        if not self.refused("test.begin") and job is not None:
            job.begin(self.xsync.bridge)
            self.notice("")

    def action_stop(self) -> None:
        """Behind a strip: end the step at work, and the test."""
        name = self.xsync.subject.profile
        if self.refused("test.stop") or name is None:
            return
        home = self.xsync.bridge.home

        def stop() -> str:
            testing.stop(home, name)
            return "Stopping: files under way are finished."

        effect = "Files under way are finished, then it ends. What was copied stays and counts."
        self.act(Act("S", "stop the test run", effect, "stop", "go on", asked=False), stop)

    def action_export(self) -> None:
        """Write the newest test run that ended as JSON and as Markdown into the current folder."""
        found = self.value.found if self.value is not None else None
        if found is None:
            self.notice("No test run has ended yet.")
            return
        now, name = self.xsync.now(), self.facts.subject.name
        try:
            self.notice(export("test-run", name, now, found, handout_of_test(found, name, now, self.canvas.zone)))
        except XsyncError as error:
            self.notice(str(error), Role.ALARM)

    def on_unmount(self) -> None:
        """The app is closed: look for no folders any more; what was begun goes on."""
        if self._job is not None and self._job.at_work:
            self._job.stop()
            self._job.join(_STOP_SECONDS)

    def _mine(self) -> TestRunJob | None:
        job = self._job
        return job if job is not None and job.profile == self.xsync.subject.profile else None


def _came_to_nothing(last: testing.AtWork, found: TestRun | None, now: float) -> bool:
    """Whether the last one failed, and that is still worth more than what an earlier one found."""
    began = last.progress.began_at
    return not last.progress.found and (found is None or (found.at < began and now - began < _TROUBLE_SECONDS))


def ceilings_of(profile: Profile) -> tuple[Ceiling, ...]:
    """The link and the target that a profile states."""
    from engine.quantities import parse_rate
    from xsync_tui.drawing.knobs import link_text

    text = profile.network.bandwidth
    if text is None:
        return ()
    link = float(parse_rate(text))
    share = profile.network.utilisation or 0.85
    return (Ceiling(f"link {link_text(link)}", link, hard=True), Ceiling(f"target {100 * share:.0f} %", share * link))
