"""Test run: what it would copy, each step while it runs, and the verdict with what it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.frame import Act
from xsync_tui.drawing.rows import Canvas, Role
from xsync_tui.drawing.scaling import Ceiling
from xsync_tui.drawing.testrun import View, body
from xsync_tui.jobs import TestRunJob
from xsync_tui.keys import Key, Tier
from xsync_tui.screens.base import BaseScreen, Drawn

if TYPE_CHECKING:
    from engine.execution.testrun import TestRun
    from profiles.schema import Profile

_STOP_SECONDS = 2.0


class Seen(NamedTuple):
    """What is on disk: the newest test run, and the lines that the profile draws across its curve."""

    found: TestRun | None
    ceilings: tuple[Ceiling, ...]


class TestScreen(BaseScreen[Seen]):
    """T looks for folders, enter begins, S stops. The test run lives as long as the app."""

    __test__ = False

    place = "test"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("test.begin", "enter", "begin", "open", Tier.ACT),
        Key("test.look", "T", "test run", "look", Tier.ACT),
        Key("test.stop", "S", "stop", "stop", Tier.ACT),
    )

    def __init__(self) -> None:
        super().__init__()
        self._job: TestRunJob | None = None
        self._read: tuple[object, TestRun | None] = (None, None)

    def sample(self, subject: Subject, bridge: Bridge) -> Seen:
        """The newest test run between the two sides of the profile."""
        profile = bridge.profiles().get(subject.profile or "")
        if profile is None or isinstance(profile, str):
            return Seen(None, ())
        folder = bridge.home.test_runs
        stamp = (subject, folder.stat().st_mtime_ns) if folder.is_dir() else None
        if stamp is not None and stamp != self._read[0]:
            from engine.execution.testrun import latest_test_run
            from profiles.convert import to_migration

            migration = to_migration(profile)
            found = latest_test_run(folder, migration.source.url, migration.destination.url)
            self._read = (stamp, found)
        return Seen(self._read[1] if stamp is not None else None, ceilings_of(profile))

    def draw(self, value: Seen, canvas: Canvas, now: float) -> Drawn:
        """The job at work, else what was found last."""
        job = self._mine()
        if job is None:
            return Drawn(body(View(found=value.found, ceilings=value.ceilings, now=now), canvas))
        view = View(
            prepared=job.prepared,
            dollars=job.dollars,
            looking=job.looking,
            measured=job.measured,
            live=job.live,
            found=job.found or value.found,
            ceilings=value.ceilings,
            kept_in=job.kept_in,
            trouble=job.trouble,
            now=now,
        )
        return Drawn(body(view, canvas))

    def reason(self, key: Key) -> str:
        """What cannot be done now, and why."""
        job = self._mine()
        if self.facts.profile is None:
            return "a test run needs a saved profile" if key.tier is Tier.ACT else ""
        match key.id:
            case "test.begin" if job is None or job.prepared is None or job.at_work:
                return "T comes first: it says what would be copied"
            case "test.look" if job is not None and job.at_work:
                return "a test run is at work"
            case "test.stop" if job is None or not job.at_work or job.stopping.is_set():
                return "nothing is at work"
        return ""

    def action_look(self) -> None:
        """Choose the folders; nothing is copied."""
        if self._job is not None and self._job.at_work:
            self.notice(f"A test run of {self._job.profile} is at work.", Role.LOOK)
            return
        profile = self.facts.profile
        if profile is None:
            self.notice(
                "A test run needs a saved profile: xsync test-run SOURCE DESTINATION does it without.", Role.LOOK
            )
            return
        from profiles.convert import to_migration

        self._job = TestRunJob(profile.name, to_migration(profile))
        self._job.look()
        self.redraw()

    def action_open(self) -> None:
        """Begin: this screen is the review."""
        job = self._mine()
        if job is not None and job.prepared is not None and not job.at_work:
            job.begin()
            self.redraw()

    def action_stop(self) -> None:
        """Behind a strip: end the step at work, and the test."""
        job = self._mine()
        if job is None or not job.at_work:
            return

        def stop() -> str:
            job.stop()
            return "Stopping: files under way are finished."

        effect = "Files under way are finished, then it ends. What was copied stays and counts."
        self.act(Act("S", "stop the test run", effect, "stop", "go on", asked=False), stop)

    def on_unmount(self) -> None:
        """The app is closed: end it cleanly."""
        if self._job is not None and self._job.at_work:
            self._job.stop()
            self._job.join(_STOP_SECONDS)

    def _mine(self) -> TestRunJob | None:
        job = self._job
        return job if job is not None and job.profile == self.xsync.subject.profile else None


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
