"""The app of the demo: the guide goes on with what is done, an agent really dies, and all that it started ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from engine import locks
from engine.execution.launch import RunRequest, start
from engine.home import find_home, prepare_home
from engine.journal.reader import read_snapshot
from engine.locations.registry import destination_key
from engine.model import LocationSpec
from profiles import store
from profiles.convert import to_migration
from profiles.schema import OptionSection
from tests.tui.driving import SECONDS, Driver, drive
from tests.tui.test_terminal import Terminal
from xsync_tui.demo.app import HELD_RATE, DemoApp, agent_of, hold
from xsync_tui.demo.opening import completed, end_all, save_profile
from xsync_tui.drawing.facts import Subject
from xsync_tui.screens.base import BaseScreen

FILES, SIZE = 400, 80_000
"""At the least rate that the demo asks for they take eight seconds."""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[DemoApp]:
    """The demo's app on a profile of two folders; at the end nothing of it runs."""
    (tmp_path / "source").mkdir()
    (tmp_path / "destination").mkdir()
    for number in range(FILES):
        (tmp_path / "source" / f"f{number}").write_bytes(b"x" * SIZE)
    save_profile(tmp_path / "source", LocationSpec(f"file://{tmp_path}/destination"), 2)
    made, slow = store.load("demo"), OptionSection(bytes_per_second=2_000_000)
    store.save(msgspec.structs.replace(made, options=slow))  # the demo's own limit may come when these few are copied
    before = set(psutil.Process().children(recursive=True))
    yield DemoApp(Subject(profile="demo"))
    end_all(set(psutil.Process().children(recursive=True)) - before)


def shows_a_live_run(app: DemoApp) -> bool:
    """Whether the screen has looked since the runner began: it does so once a second."""
    run = app.screen.facts.snapshot if isinstance(app.screen, BaseScreen) else None
    return run is not None and run.runner_alive and not run.status.ended


def test_the_story_goes_on_step_by_step_and_an_agent_that_is_killed_costs_nothing(app: DemoApp) -> None:
    async def play(driver: Driver) -> None:
        await driver.sees("demo 1/8  R, then enter")
        await driver.press("K")
        await driver.sees("not now, the run of this demo is not under way")
        await driver.press("R", "enter")
        await driver.sees("demo 2/8  Look")
        await driver.press("3")
        await driver.sees("demo 2/8  + for one more agent")
        await driver.press("plus")
        await driver.sees("demo 3/8")
        await driver.press("tab", "enter", "x")
        await driver.sees("enter takes what is typed; esc leaves it as it was.")
        await driver.press("enter")
        await driver.sees("esc leaves it as it was.")
        await driver.press("escape")
        await driver.sees("' and l, then enter, 20, enter")
        await driver.press("apostrophe")
        await driver.sees("jump to")
        await driver.press("l")
        await driver.sees("enter, then 20, enter")
        await driver.press("enter", *"20", "enter")
        await driver.sees("link [20 Gbps]")
        await driver.sees("demo 4/8  4: a test run")
        await driver.press("5", "h")
        await driver.sees("demo has not been run yet")
        assert "demo 4/8" not in driver.read()
        await driver.press("h", "R", "enter")
        await driver.sees("demo 6/8  K, then enter")
        (folder,) = find_home().executions.iterdir()
        await driver.until(lambda: len(read_snapshot(folder).agents) == 2)
        found: list[psutil.Process | None] = []

        def both_run() -> bool:
            found[:] = [agent_of(read_snapshot(folder).runner_pid)]
            return found[0] is not None and found[0].name() == "xsync agent-2"

        await driver.until(both_run)
        (victim,) = found
        assert victim is not None
        await driver.until(lambda: shows_a_live_run(app))
        await driver.press("K")
        await driver.sees(f"process {victim.pid}")
        assert victim.is_running()
        await driver.press("enter")
        await driver.until(lambda: not victim.is_running())
        await driver.sees("killed by SIGKILL")
        await driver.sees("SUCCESS")
        await driver.sees("demo 7/8  The run has ended; does the sum hold? Then 7: the report.")
        await driver.press("7")
        await driver.sees("demo 8/8  That was it.")
        totals = read_snapshot(folder).totals.files
        assert (totals.transferred, totals.verified) == (FILES, FILES)

    drive(play, app)
    assert completed()
    assert app.farewell() == []


def test_the_demo_holds_its_profile_to_a_rate_that_can_be_watched_unless_it_has_one(app: DemoApp) -> None:
    hold("demo")
    assert store.load("demo").options.bytes_per_second == 2_000_000
    store.save(msgspec.structs.replace(store.load("demo"), options=OptionSection()))

    async def play(driver: Driver) -> None:
        await driver.sees("demo 1/8")
        assert store.load("demo").options.bytes_per_second is None
        await driver.press("4")
        await driver.until(lambda: store.load("demo").options.bytes_per_second == HELD_RATE)
        screen = driver.app.screen
        assert isinstance(screen, BaseScreen)
        assert screen.facts.profile == store.load("demo")  # what a test run would be made of

    drive(play, app)


def test_a_run_that_is_refused_was_not_started(app: DemoApp, tmp_path: Path) -> None:
    holder = locks.Holder("20250513-test", None, "me", "here", os.getpid(), time.time())
    there = destination_key(LocationSpec(f"file://{tmp_path}/destination"))

    async def play(driver: Driver) -> None:
        await driver.sees("demo 1/8")
        app.reached = app.reached._replace(tested=True)
        await driver.press("5")
        await driver.sees("demo 5/8  R, then enter")
        await driver.press("R", "enter")
        await driver.sees("Execution 20250513-test writes to this destination")
        await driver.sees("xsync cancel 20250513-test")
        assert "This terminal is" not in driver.read()
        await driver.press("escape")
        await driver.sees("demo 5/8  R, then enter")

    with locks.destination_lock(prepare_home().locks, *there, holder):
        drive(play, app)


def test_it_ends_its_runs_and_agents(app: DemoApp) -> None:
    launched = start(RunRequest(to_migration(store.load("demo")), "demo"), detached=True)
    runner = psutil.Process(launched.process.pid)
    below = runner.children(recursive=True)
    end_all({runner, *below})
    assert launched.process.wait() is not None
    assert psutil.wait_procs(below, SECONDS)[1] == []


@pytest.mark.parametrize("leave", [signal.SIGTERM, signal.SIGHUP, None])
def test_however_it_is_left_nothing_stays(leave: signal.Signals | None, tmp_path: Path) -> None:
    terminal = Terminal("demo", "--to-folder", "--scale", "0.01", "--folder", str(tmp_path / "demo"))
    try:
        terminal.sees(b"demo 1/8")
        terminal.types(b"5")
        terminal.sees(b"has not been run yet")
        terminal.types(b"R")
        terminal.sees(b"start nothing")
        terminal.types(b"\r")
        terminal.sees(b"discovered")
        if leave is None:
            terminal.types(b"q")
        else:
            terminal.process.send_signal(leave)
        assert terminal.ends() == (0 if leave is None else 5)
    finally:
        terminal.close()
    assert b"Cleaned up" in terminal.seen
    assert b"Next, with data of your own" in terminal.seen
    assert list((tmp_path / "demo").iterdir()) == []
    assert not [
        each for each in psutil.process_iter(["cmdline"]) if str(tmp_path / "demo") in str(each.info["cmdline"])
    ]
