"""Test run, cutover and report as a person does them in the app, between real folders, with real runners."""

from __future__ import annotations

import asyncio
import functools
import json
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.execution.cutover.record import read_cutover
from engine.execution.testrun import ladder
from engine.home import find_home, list_execution_folders
from engine.journal.reader import read_snapshot
from engine.locks import runner_alive
from engine.model import Status
from profiles import store
from tests.support import make_source, tree_of
from xsync_tui.app import XsyncApp, goodbye
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.rows import plain
from xsync_tui.screens.strip import Strip
from xsync_tui.testing import at_work
from xsync_tui.widgets.lines import Lines

SIZE = (80, 23)


def driven(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The same test on a loop of its own."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", files=60)


def save(home: Path, source: Path, destination: Path, options: str = "") -> None:
    folder = home / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    destination.mkdir(exist_ok=True)
    (folder / "lab.toml").write_text(
        f'schema = 1\nname = "lab"\n[source]\nurl = "{source}"\n[destination]\nurl = "{destination}"\n'
        f'[network]\nbandwidth = "20Gbps"\n[cutover]\nwindow = "1 h"\n[options]\n{options}\n'
    )


def screen_text(pilot: Pilot[None]) -> str:
    return "\n".join(line for part in pilot.app.screen.query(Lines) for line in plain(part.rows))


async def until(pilot: Pilot[None], seen: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, screen_text(pilot)
        await asyncio.sleep(0.05)
        await pilot.pause()


async def shows(pilot: Pilot[None], text: str) -> None:
    await until(pilot, lambda: text in screen_text(pilot))


async def begun(pilot: Pilot[None], app: XsyncApp) -> subprocess.Popen[bytes]:
    """The process that the app has started and keeps hold of."""
    await until(pilot, lambda: bool(app.bridge.runners))
    return app.bridge.runners[-1]


async def confirm(pilot: Pilot[None], key: str, typed: str = "") -> None:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, Strip))
    await pilot.press(*typed, "enter")
    await until(pilot, lambda: not isinstance(pilot.app.screen, Strip))


@driven
async def test_a_test_run_says_what_it_would_copy_goes_on_without_the_app_and_ends_cleanly_when_stopped(
    home: Path, source: Path, tmp_path: Path
) -> None:
    save(home, source, tmp_path / "destination", "bytes_per_second = 20000")
    app = XsyncApp(Subject("lab"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("4")
        await shows(pilot, "What one agent reaches here is not measured yet.")
        await pilot.press("enter")
        assert not list_execution_folders(find_home())
        await pilot.press("T")
        await shows(pilot, "TEST RUN: copies about")
        await shows(pilot, "What is copied counts")
        assert not list_execution_folders(find_home())
        await pilot.press("enter")
        await shows(pilot, "TESTING: step 1 of")
        process = await begun(pilot, app)
    (name, _) = next(iter(at_work(find_home()).items()))
    assert goodbye([], 0.0, at_work(find_home())) == ["The test run of lab goes on. Come back: xsync open lab"]
    assert name == "lab"
    app = XsyncApp(Subject("lab"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("4")
        await shows(pilot, "TESTING: step 1 of")
        await pilot.press("T")
        await shows(pilot, "A test run is at work.")
        await confirm(pilot, "S")
        await shows(pilot, "NOT STEADY: It was stopped before a rate was steady")
    assert [read_snapshot(folder).runner_alive for folder in list_execution_folders(find_home())] == [False]
    assert store.load("lab").measured.date is None
    assert process.wait() == 0
    assert at_work(find_home()) == {}


@driven
async def test_who_agrees_before_the_folders_are_found_is_told_so_and_the_word_goes_when_they_are(
    home: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(home, source, tmp_path / "destination", "bytes_per_second = 20000")
    found, choose = threading.Event(), ladder.prepare

    def prepare(*arguments: Any) -> Any:
        found.wait()
        return choose(*arguments)

    monkeypatch.setattr(ladder, "prepare", prepare)
    app = XsyncApp(Subject("lab"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("4")
        await shows(pilot, "not measured yet")
        await pilot.press("T", "enter")
        await shows(pilot, "begin: not now, the folders are still being looked for.")
        found.set()
        await shows(pilot, "TEST RUN: copies about")
        assert not list_execution_folders(find_home())
        await pilot.press("enter")
        await shows(pilot, "TESTING: step 1 of")
        process = await begun(pilot, app)
        assert "not now" not in screen_text(pilot)
        await confirm(pilot, "S")
        await shows(pilot, "NOT STEADY")
    assert process.wait() == 0


@driven
async def test_a_test_run_whose_process_was_killed_says_so_and_its_runner_ends_with_it(
    home: Path, source: Path, tmp_path: Path
) -> None:
    save(home, source, tmp_path / "destination", "bytes_per_second = 20000")
    app = XsyncApp(Subject("lab"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("4")
        await shows(pilot, "not measured yet")
        await pilot.press("T")
        await shows(pilot, "TEST RUN: copies about")
        await pilot.press("enter")
        await shows(pilot, "TESTING: step 1 of")
        process = await begun(pilot, app)
        await until(pilot, lambda: bool(list_execution_folders(find_home())))
        (folder,) = list_execution_folders(find_home())
        await until(pilot, lambda: read_snapshot(folder).status is Status.TRANSFERRING)
        process.kill()
        process.wait()
        await shows(pilot, "NOT TESTED: Its process ended before the test run was over")
        await until(pilot, lambda: not runner_alive(folder))


@driven
async def test_a_test_run_that_is_over_is_shown_with_the_file_it_is_kept_in(
    home: Path, source: Path, tmp_path: Path
) -> None:
    save(home, source, tmp_path / "destination")
    app = XsyncApp(Subject("lab"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("4")
        await shows(pilot, "not measured yet")
        await pilot.press("T")
        await shows(pilot, "TEST RUN: copies about")
        await pilot.press("enter")
        process = await begun(pilot, app)
        await shows(pilot, "TOO SMALL")
        await pilot.press("apostrophe", "c")
        await until(pilot, lambda: "Next:" not in screen_text(pilot))
        await pilot.press("backspace")
        await shows(pilot, "Next:")
        assert process.wait() == 0
        assert at_work(find_home()) == {}
        await pilot.press("x")
        await shows(pilot, "Written:")
    (made,) = tmp_path.glob("test-run-lab-*.json")
    assert json.loads(made.read_text())["verdict"]["word"] == "TOO SMALL"
    (text,) = tmp_path.glob("test-run-lab-*.md")
    assert text.read_text().startswith("# Test run of lab\n\n**TOO SMALL**")


@driven
async def test_a_test_run_that_cannot_be_says_why(home: Path, source: Path, tmp_path: Path) -> None:
    save(home, source, tmp_path / "destination")
    (tmp_path / "destination").rmdir()
    (tmp_path / "destination").write_text("a file")
    app = XsyncApp(Subject("lab"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("4")
        await shows(pilot, "not measured yet")
        await pilot.press("T")
        await shows(pilot, "NOT TESTED:")


@driven
async def test_a_cutover_is_confirmed_by_name_and_hands_over(home: Path, source: Path, tmp_path: Path) -> None:
    save(home, source, tmp_path / "destination")
    app = XsyncApp(Subject("lab"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("6")
        await shows(pilot, "UNKNOWN: how much the source changes is not known")
        await pilot.press("apostrophe", "c")
        await shows(pilot, "read the freeze above")
        await pilot.press("apostrophe", "r")
        await confirm(pilot, "enter")
        await shows(pilot, "WAITS FOR YOU")
        assert read_cutover(find_home(), "lab") is None
        await confirm(pilot, "enter", "lab")
        await until(pilot, lambda: _asks(app, "nobody can write"))
        await pilot.press("apostrophe", "c")
        await shows(pilot, "▶2 source read-only")
        await confirm(pilot, "enter", "lab")
        await until(pilot, lambda: _asks(app, "To hand"))
        await shows(pilot, "▶7 hand over")
        assert "Frozen since" in screen_text(pilot)
        known = read_cutover(find_home(), "lab")
        assert known is not None
        assert known.next == "hand-over"
        await confirm(pilot, "enter", "lab")
        await shows(pilot, "HANDED OVER: by")
        await pilot.press("x")
        await shows(pilot, "Written:")
        await pilot.press("5")
        await shows(pilot, "6 handed over to its users")
        await pilot.press("R")
        await shows(pilot, "run: not now, it was handed over: a run would replace what users wrote.")
        await pilot.press("1")
        await shows(pilot, "HANDED OVER")
        await pilot.press("R")
        await shows(pilot, "run: not now, it was handed over: a run would replace what users wrote.")
        await pilot.press("7")
        await shows(pilot, "SUCCESS:")
        await pilot.press("apostrophe")
        await shows(pilot, "jump to")
        await pilot.press("o")
        await shows(pilot, "folder with most bytes")
        await pilot.press("x")
        await shows(pilot, "Written:")
        await pilot.press("c")
        await shows(pilot, "report.csv")
    (booked,) = tmp_path.glob("cutover-lab-*.json")
    assert json.loads(booked.read_text())["cutover"]["steps"]["hand-over"]["who"]
    (book,) = tmp_path.glob("cutover-lab-*.md")
    assert book.read_text().count(" | done 20") == 7
    (told,) = tmp_path.glob("report-lab-*.json")
    (page,) = tmp_path.glob("report-lab-*.md")
    assert json.loads(told.read_text())["execution"] in page.read_text()
    (folder,) = list_execution_folders(find_home())
    assert (folder / "report.csv").read_text().startswith("path,kind,action")
    assert tree_of(tmp_path / "destination") == tree_of(source)


@driven
async def test_a_wrong_name_and_esc_confirm_nothing_and_a_stopped_checklist_hands_nothing_over(
    home: Path, source: Path, tmp_path: Path
) -> None:
    save(home, source, tmp_path / "destination")
    app = XsyncApp(Subject("lab"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("6")
        await shows(pilot, "UNKNOWN")
        await confirm(pilot, "enter")
        await shows(pilot, "WAITS FOR YOU")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Strip))
        await pilot.press(*"bal", "enter")
        await shows(pilot, "That is not it. Nothing has changed.")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, Strip))
        await shows(pilot, "WAITS FOR YOU")
        await confirm(pilot, "S")
        await shows(pilot, "STOPPED: not confirmed; nothing more is done")
    assert read_cutover(find_home(), "lab") is None
    assert not list_execution_folders(find_home())


def _asks(app: XsyncApp, text: str) -> bool:
    from xsync_tui.screens.cutover import CutoverScreen

    screen = app.screen
    return isinstance(screen, CutoverScreen) and text in screen.question
