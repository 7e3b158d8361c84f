"""Survey and Plan as a person uses them: scan, go into a folder, turn knobs, ask why; on real folders."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from engine.errors import BusyError
from engine.execution.launch import RunRequest
from engine.home import prepare_home
from engine.journal.records import Execution, this_runner
from engine.journal.writer import Journal
from engine.model import FilterSpec, Status
from engine.planning.hosting import HostRoom
from profiles import store
from profiles.convert import to_migration
from xsync_tui.app import XsyncApp
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.rows import plain
from xsync_tui.screens.base import BaseScreen
from xsync_tui.screens.overlays import Jump
from xsync_tui.screens.strip import Strip

PROFILE = """\
schema = 1
name = "lab"
[source]
url = "file://{0}/source"
[destination]
url = "file://{0}/destination"
[network]
bandwidth = "20Gbps"
per_agent = "5Gbps"
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> XsyncApp:
    for year in ("2022", "2023", "2024\x1b[2J"):
        for number in range(6):
            path = tmp_path / "source" / year / f"{number % 2:02d}" / f"f{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.truncate(path, 10 << 30)
    (tmp_path / "home" / "profiles").mkdir(parents=True)
    (tmp_path / "home" / "profiles" / "lab.toml").write_text(PROFILE.format(tmp_path))
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    return XsyncApp(Subject("lab"))


def shown(app: XsyncApp) -> str:
    """The body of the screen, as text."""
    screen = next(each for each in reversed(app.screen_stack) if isinstance(each, BaseScreen))
    return "\n".join(plain(screen._drawn(screen.canvas, app.now()).rows))


async def until(pilot: Pilot[None], app: XsyncApp, true: Callable[[str], bool]) -> str:
    """Wait until the screen shows it; the test's own time limit ends what never comes."""
    while not true(text := shown(app)):
        await pilot.pause(0.05)
    return text


async def surveyed(pilot: Pilot[None], app: XsyncApp) -> str:
    await pilot.press("2")
    await until(pilot, app, lambda text: "R starts it" in text)
    await pilot.press("R", "enter")
    return await until(pilot, app, lambda text: "18 files" in text and "complete" in text)


@pytest.mark.parametrize("size", [(80, 23), (120, 40)])
def test_a_survey_is_made_and_its_folders_are_gone_into(app: XsyncApp, size: tuple[int, int]) -> None:
    async def story() -> None:
        async with app.run_test(size=size) as pilot:
            text = await surveyed(pilot, app)
            assert "Bytes decide" in text
            assert "\x1b" not in text
            assert "2024\\x1b[2J" in text
            await pilot.press("enter")
            await until(pilot, app, lambda text: "Folders in /2022" in text)
            await pilot.press("backspace")
            await until(pilot, app, lambda text: "Folders in / " in text)
            views = ["Folders in", "Modified", "Extension", "Hazards", "Facts", "Folders in"]
            for view in views if size[0] < 100 else ["Folders in", "Map of /", *views[1:]]:
                assert view in shown(app)
                await pilot.press("v")

    asyncio.run(story())


def test_the_strip_of_a_plan_says_what_a_run_goes_on_with_and_what_it_supersedes(app: XsyncApp) -> None:
    migration = to_migration(store.load("lab"))
    for number, exclude in enumerate(("*.tmp", "")):
        name = f"20260101-00000{number}-lab-3f2a"
        left = msgspec.structs.replace(migration, filters=FilterSpec(exclude=(exclude,) if exclude else ()))
        with Journal.create(
            prepare_home().executions / name, Execution(name, left, "", "", time.time() - 300), this_runner()
        ) as journal:
            journal.set_status(Status.TRANSFERRING, "", time.time() - 300)

    async def story() -> None:
        async with app.run_test(size=(80, 23)) as pilot:
            await surveyed(pilot, app)
            await pilot.press("3")
            await until(pilot, app, lambda text: "what limits 4" in text)
            await pilot.press("R")
            strip = app.screen
            while not isinstance(strip, Strip):
                await pilot.pause(0.05)
                strip = app.screen
            assert "Continues 20260101-000001-lab-3f2a, which was interrupted, now with 4 agents" in strip._act.effect
            assert "Does not continue 20260101-000000-lab-3f2a, which was interrupted: filters" in strip._act.effect

    asyncio.run(story())


def test_knobs_are_turned_typed_and_set_back(app: XsyncApp) -> None:
    async def story() -> None:
        async with app.run_test(size=(80, 23)) as pilot:
            await pilot.press("3")
            await until(pilot, app, lambda text: "Not surveyed yet" in text)
            await surveyed(pilot, app)
            await pilot.press("3")
            first = await until(pilot, app, lambda text: "agents [4 auto]" in text and "what limits 4" in text)
            assert "(was" not in first
            await pilot.press("minus", "minus")
            text = await until(pilot, app, lambda text: "what limits 2 agents" in text)
            assert "agents [2]" in text
            assert "(was " in text
            await pilot.press("i")
            assert "rests on" in shown(app)
            assert "better by" in shown(app)
            await pilot.press("backspace", "backspace")
            await until(pilot, app, lambda text: "agents [4 auto]" in text and "what limits 4" in text)
            await pilot.press("enter", "7", "x", "enter")
            assert "expected agents from 1 to 1,000" in notice(app)
            await pilot.press("backspace", "enter")
            await until(pilot, app, lambda text: "agents [7]" in text and "what limits 7" in text)

    asyncio.run(story())


def test_a_plan_is_exported_and_looking_changes_nothing(app: XsyncApp, tmp_path: Path) -> None:
    async def story() -> None:
        async with app.run_test(size=(80, 23)) as pilot:
            await surveyed(pilot, app)
            await pilot.press("i")
            await until(pilot, app, lambda text: "The knee" in text and "rests on" in text)
            await pilot.press("escape")
            await until(pilot, app, lambda text: "The knee" not in text and "2022" in text)
            await pilot.press("i", "v")
            await until(pilot, app, lambda text: "The knee" not in text and "Modified" in text)
            await pilot.press("x")
            await until(pilot, app, lambda _: "Written:" in notice(app))
            await pilot.press("3")
            await until(pilot, app, lambda text: "what limits 4" in text)
            await pilot.press("x")
            await until(pilot, app, lambda _: "Written:" in notice(app))
            await pilot.press("R")
            await pilot.pause()
            await pilot.press("escape")

    asyncio.run(story())
    (made,) = tmp_path.glob("plan-lab-*.json")
    assert json.loads(made.read_text())["agents"] == 4
    (text,) = tmp_path.glob("plan-lab-*.md")
    assert "## What limits 4 agents" in text.read_text()
    (survey,) = tmp_path.glob("survey-lab-*.json")
    assert json.loads(survey.read_text())["files"] == 18
    (told,) = tmp_path.glob("survey-lab-*.md")
    assert "Bytes decide" in told.read_text()
    assert "\x1b" not in told.read_text()
    assert "| 2022 | 6 | 64.4 GB | 33 % |" in told.read_text()
    assert list((tmp_path / "home" / "executions").iterdir()) == []


def test_a_run_from_the_plan_has_no_more_agents_than_this_host_holds(
    app: XsyncApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    small = HostRoom(3, "cores", "1 slow core")
    monkeypatch.setattr("engine.execution.foretelling.planner.room_here", lambda: small)

    def start(request: RunRequest, *, detached: bool) -> None:
        asked.append(request.migration.agents)
        raise BusyError("not now")

    monkeypatch.setattr("engine.execution.launch.start", start)

    async def story() -> None:
        async with app.run_test(size=(80, 23)) as pilot:
            await surveyed(pilot, app)
            await pilot.press("3")
            await until(
                pilot,
                app,
                lambda text: "what limits 4" in text and "! the plan has 4 agents; this host holds 3" in text,
            )
            await pilot.press("R")
            await pilot.pause()
            assert isinstance(app.screen, Strip)
            assert "with 3 agents on this host" in app.screen._act.effect
            assert "1 slow core" in app.screen._act.effect
            await pilot.press("enter")
            await until(pilot, app, lambda _: bool(asked))

    asyncio.run(story())
    assert asked == [3]


def test_a_survey_that_fails_says_why(app: XsyncApp, tmp_path: Path) -> None:
    (tmp_path / "source").rename(tmp_path / "elsewhere")

    async def story() -> None:
        async with app.run_test(size=(80, 23)) as pilot:
            await pilot.press("2")
            await until(pilot, app, lambda text: "R starts it" in text)
            await pilot.press("R", "enter")
            text = await until(pilot, app, lambda text: "! The survey failed:" in text)
            assert str(tmp_path / "source") in "".join(line.strip() for line in text.splitlines())

    asyncio.run(story())


def notice(app: XsyncApp) -> str:
    """What is said above the footer."""
    screen = next(each for each in reversed(app.screen_stack) if isinstance(each, BaseScreen))
    return "\n".join(plain(screen._notice))


async def jumped(pilot: Pilot[None], app: XsyncApp, letter: str) -> None:
    """Jump as a person does, who sees the letters first."""
    await pilot.press("apostrophe")
    await until(pilot, app, lambda _: isinstance(app.screen, Jump))
    await pilot.press(letter)
    await until(pilot, app, lambda _: not isinstance(app.screen, Jump))


def test_a_letter_leads_to_each_pane_of_survey_and_plan(app: XsyncApp) -> None:
    async def story() -> None:
        async with app.run_test(size=(80, 23)) as pilot:
            await surveyed(pilot, app)
            await jumped(pilot, app, "a")
            await until(pilot, app, lambda text: "Modified" in text)
            await jumped(pilot, app, "s")
            await pilot.press("enter")
            await until(pilot, app, lambda text: "Files of" in text)
            await pilot.press("3")
            await until(pilot, app, lambda text: "what limits 4" in text)
            await jumped(pilot, app, "i")
            await until(pilot, app, lambda text: "better by" in text)
            await jumped(pilot, app, "t")
            await until(pilot, app, lambda text: "better by" not in text)
            await pilot.press("apostrophe")
            await until(pilot, app, lambda _: isinstance(app.screen, Jump))
            screen = app.screen_stack[-2]
            assert isinstance(screen, BaseScreen)
            heads = ["".join(piece.text for piece in row) for row in screen._body.rows]
            assert heads[1].startswith("llink ")
            assert "aagents [" in heads[1]
            assert any(line.startswith("ttask") for line in heads)
            assert any(line.startswith("wagents") for line in heads)
            await pilot.press("u")
            await until(pilot, app, lambda _: not isinstance(app.screen, Jump))
            before = shown(app)
            await pilot.press("minus")
            await until(pilot, app, lambda text: "use [80 %]" in text)
            assert "use [80 %]" not in before

    asyncio.run(story())
