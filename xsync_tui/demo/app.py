"""The app of ``xsync demo``: a guide over the footer, an agent that can be killed, and a run that one can watch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import psutil
from textual.binding import BindingType

from engine.errors import XsyncError
from engine.model import Snapshot
from xsync_tui.app import XsyncApp
from xsync_tui.demo.guide import Reached, guide_row
from xsync_tui.drawing.frame import Act
from xsync_tui.drawing.rows import Canvas, Row
from xsync_tui.keys import Key, Tier, bindings
from xsync_tui.screens.base import BaseScreen
from xsync_tui.screens.plan import PlanScreen
from xsync_tui.testing import at_work
from xsync_tui.widgets.entry import Entry

if TYPE_CHECKING:
    from profiles.schema import Profile

HELD_RATE = 12_000_000
"""Bytes/s of all agents together, from the test run on: as if all shared one link.

A host that runs agents and their server would measure how these get in each other's way, another time each time. At
this rate a run of scale 1 takes about a minute, and can be watched.
"""

_AGENT = "xsync agent-"

_KEYS = (
    Key("demo.kill", "K", "kill an agent", "kill", Tier.ACT, footer=False),
    Key("demo.guide", "h", "guide of the demo", "guide", footer=False),
)


class DemoApp(XsyncApp):
    """Knows what of the story was done. All it shows is real, of the demo's own small data."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(_KEYS)]
    extra_keys = _KEYS
    test_step_seconds = 6.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.reached = Reached()
        self._guided = True
        self._held = False

    def guide(self, screen: BaseScreen[Any], canvas: Canvas) -> Sequence[Row]:
        """What to press next."""
        self._look(screen)
        return [guide_row(self.reached, canvas)] if self._guided else []

    def why_not(self, key: Key) -> str:
        """Only an agent of a run that lives can be killed."""
        if key.id != "demo.kill" or self._live() is not None:
            return ""
        return "the run of this demo is not under way"

    def farewell(self) -> list[str]:
        """Nothing goes on after the demo."""
        return []

    def action_guide(self) -> None:
        """Hide the guide, or show it again."""
        self._guided = not self._guided
        if isinstance(self.screen, BaseScreen):
            self.screen.redraw()

    def action_kill(self) -> None:
        """Kill one agent of the run, behind a strip."""
        screen, run = self.screen, self._live()
        if not isinstance(screen, BaseScreen):
            return
        agent = None if run is None else agent_of(run.runner_pid)
        if agent is None:
            screen.notice("kill an agent: not now, the run of this demo is not under way.")
            return
        name = agent.name().removeprefix("xsync ")
        effect = (
            f"kill -9 of process {agent.pid}, one of the demo's own agents, as if its host had lost power. What it "
            "held goes back, another one takes its place; nothing is lost or counted twice."
        )
        screen.act(Act("K", f"kill {name}", effect, "kill it", "let it live", asked=False), partial(self._kill, agent))

    def _kill(self, agent: psutil.Process) -> str:
        try:
            name = agent.name().removeprefix("xsync ")
            agent.kill()
        except psutil.Error as error:
            raise XsyncError(f"it is gone already: {error}") from error
        self.reached = self.reached._replace(killed=True)
        return f"{name} is dead; another one takes its place. 5: does the sum still hold?"

    def _look(self, screen: BaseScreen[Any]) -> None:
        """Note what was done."""
        found, was = screen.facts, self.reached
        tested = found.profile is not None and found.profile.measured.date is not None
        reached = was._replace(
            place=screen.place,
            surveyed=was.surveyed or found.survey is not None,
            testing=bool(at_work(self.bridge.home)),
            tested=was.tested or tested or any(self.bridge.home.test_runs.glob("*.json")),
            typing=isinstance(screen.focused, Entry),
        )
        if isinstance(screen, PlanScreen):
            draft = screen.draft
            turned, linked = was.turned or draft.agents is not None, was.linked or draft.link is not None
            reached = reached._replace(turned=turned, linked=linked, on_link=screen.knob == "link")
        run = found.snapshot
        if run is not None:  # steps of test runs are no runs
            ended = run.status.ended
            told = was.told or (ended and screen.place == "report")
            reached = reached._replace(started=True, ended=ended, told=told)
        elif found.profile is not None:
            reached = reached._replace(started=False, ended=False)  # what was started was refused
            if screen.place in ("test", "run") and not self._held:
                self._held = True
                try:
                    screen.facts = found._replace(profile=hold(found.profile.name))  # the next key may be T
                except XsyncError as error:
                    self._say(str(error))
        self.reached = reached

    def _live(self) -> Snapshot | None:
        run = self.screen.facts.snapshot if isinstance(self.screen, BaseScreen) else None
        if run is None or not run.runner_alive or run.status.ended or not self.reached.started:
            return None
        return run


def hold(name: str) -> Profile:
    """Write HELD_RATE into a profile, unless it has a limit. Returns the profile. Raises ProfileError."""
    from profiles import store

    profile = store.load(name)
    options = profile.options
    if options.bytes_per_second is None or options.bytes_per_second < 0:
        held = msgspec.structs.replace(options, bytes_per_second=HELD_RATE)
        profile = msgspec.structs.replace(profile, options=held)
        store.save(profile)
    return profile


def agent_of(runner_pid: int) -> psutil.Process | None:
    """The process of an agent of a runner of this host: the second one where there are several; None without any."""
    try:
        below = psutil.Process(runner_pid).children(recursive=True)
        agents = sorted((each for each in below if each.name().startswith(_AGENT)), key=lambda each: each.name())
    except psutil.Error:
        return None
    return agents[min(1, len(agents) - 1)] if agents else None
