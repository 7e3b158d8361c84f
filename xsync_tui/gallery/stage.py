"""The real app on the story's files, with the story's clock: for pictures, snapshots and the cast."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from textual.pilot import Pilot

import xsync_tui
from engine.execution.foretelling.planner import Gathered
from engine.planning.hosting import host_room
from engine.planning.prices import load_prices
from engine.survey.cutting import Folders
from xsync_tui.app import XsyncApp
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Host, Subject
from xsync_tui.drawing.rows import plain
from xsync_tui.gallery import executions, proving
from xsync_tui.gallery.four_years import dataset, tree
from xsync_tui.gallery.story import Story, survey_report
from xsync_tui.places import Place
from xsync_tui.screens.base import BaseScreen
from xsync_tui.screens.cutover import CutoverScreen
from xsync_tui.screens.cutover import Seen as CutoverSeen
from xsync_tui.screens.plan import MOST_AGENTS, Ground, PlanScreen
from xsync_tui.screens.survey import profile_request
from xsync_tui.widgets.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 20.0
_NEVER = 86_400.0


class StoryBridge(Bridge):
    """Reads the story's files; the host is made up."""

    def host(self) -> Host:
        """That of the story."""
        return executions.HOST

    def who(self) -> str:
        """The person of the story."""
        return "kim@agent-01"


class StoryPlan(PlanScreen):
    """The plan of four years: their catalog of 12 million files is not made for it, only what would be read of it."""

    def sample(self, subject: Subject, bridge: Bridge) -> Ground:
        """What ``gather`` would read."""
        facts = bridge.facts(subject)
        if facts.profile is None or subject.profile != "lab-images":
            return super().sample(subject, bridge)
        if self.value is not None and self.value.gathered is not None:
            return self.value
        folders = Folders(tree(), {}, MOST_AGENTS, 2, {})
        gathered = Gathered(
            survey_report(),
            dataset(),
            [],
            folders,
            None,
            True,
            ("nfs", "s3"),
            load_prices(),
            host_room(16, 64 << 30, None),
        )
        return Ground(profile_request(facts.profile, self.xsync.now()), gathered, (subject,))


class StoryCutover(CutoverScreen):
    """Readiness after three passes."""

    def sample(self, subject: Subject, bridge: Bridge) -> CutoverSeen:
        """What the passes would tell."""
        return CutoverSeen(proving.past(), proving.ready(3_600.0))


class StoryApp(XsyncApp):
    """Xsync at the story's time; nothing is sampled by itself."""

    CSS_PATH = str(Path(xsync_tui.__file__).with_name("xsync.tcss"))

    def __init__(self, story: Story, subject: Subject | None = None, **options: Any) -> None:
        super().__init__(subject, bridge=StoryBridge(story.home), **options)
        self.story = story

    def now(self) -> float:
        """The time in the story."""
        return self.story.now

    def pace(self, seconds: float) -> float:
        """Only when ``Stage`` asks for it."""
        return _NEVER

    def screen_of(self, place: Place) -> BaseScreen[Any]:
        """The app's own screens, but for what only a huge source could show."""
        made_up: dict[str, type[BaseScreen[Any]]] = {"plan": StoryPlan, "cutover": StoryCutover}
        return made_up[place.name]() if place.name in made_up else super().screen_of(place)


class Stage:
    """A running StoryApp: presses keys and waits until all that follows has been drawn."""

    def __init__(self, app: StoryApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot, self.story = app, pilot, app.story

    @property
    def base(self) -> BaseScreen[Any]:
        """The screen of the journey, below whatever lies over it."""
        return next(each for each in reversed(self.app.screen_stack) if isinstance(each, BaseScreen))

    def read(self) -> str:
        """What stands on the screen on top."""
        return "\n".join("\n".join(plain(part.rows)) for part in self.app.screen.query(Lines))

    async def press(self, *keys: str, until: str = "") -> None:
        """Press keys, and wait until ``until`` can be read."""
        await self.pilot.press(*keys)
        await self.sees(until)

    async def sees(self, words: str) -> None:
        """Wait until the words are on the screen. Raises TimeoutError."""
        deadline = time.monotonic() + _SECONDS
        while True:
            await self.pilot.pause()
            if self.base.value is not None and not self.base._busy and words in self.read():
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{words!r} is not on the screen:\n{self.read()}")
            await asyncio.sleep(0.01)
        await self.pilot.pause()

    async def advance(self, seconds: float = 2.0) -> None:
        """The runner reports, and the screen has seen it."""
        self.story.advance(seconds)
        self.base.reread()
        await self.sees("")

    def picture(self, title: str = "xsync") -> str:
        """The screen as SVG."""
        return self.app.export_screenshot(title=title, simplify=True)


Play = Callable[[Stage], Awaitable[None]]


def perform(
    play: Play,
    size: tuple[int, int] = (80, 23),
    subject: Subject | None = None,
    *,
    before: Callable[[Story], object] | None = None,
    **options: Any,
) -> None:
    """Run the app on a story in ``$XSYNC_HOME``, and ``play`` on it. ``before``: what happens in it before that."""

    async def run() -> None:
        with Story() as story:
            if before is not None:
                before(story)
            app = StoryApp(story, subject or Subject("lab-images"), **{"theme": "dark", **options})
            async with app.run_test(size=size) as pilot:
                await play(Stage(app, pilot))
            app.bridge.close()

    asyncio.run(run())


@contextmanager
def surroundings(*, no_color: bool = False) -> Iterator[None]:
    """A home of its own, UTC, sixteen cores, and a modern terminal's colours: pictures are the same everywhere."""
    with tempfile.TemporaryDirectory(prefix="xsync-gallery-") as temporary:
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TZ": "UTC"}
        own = {"XSYNC_HOME": str(Path(temporary) / "home")}
        with mock.patch.dict(os.environ, terminal | own), mock.patch("engine.cgroups.cores_here", return_value=16):
            os.environ.pop("NO_COLOR", None)
            if no_color:
                os.environ["NO_COLOR"] = "1"
            time.tzset()
            yield
    time.tzset()
