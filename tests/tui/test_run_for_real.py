"""Run as a person sees it go on: real runners and agents that are killed in view, left, and come back to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.execution.launch import RunRequest, start
from engine.journal.reader import read_snapshot
from engine.model import LocationSpec, Migration, TransferOptions
from tests.tui.driving import Driver, drive
from xsync_tui.app import XsyncApp
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.past import AgentPast
from xsync_tui.screens.run import RunScreen

RATE = 60_000
GAP = 3
"""So many buckets long a runner is gone, so that one at least is empty."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An execution with two agents that takes a minute and a half."""
    for year in (2023, 2024):
        (tmp_path / "source" / str(year)).mkdir(parents=True)
        for number in range(30):
            (tmp_path / "source" / str(year) / f"{number}.dat").write_bytes(bytes([number]) * 90_000)
    (tmp_path / "destination").mkdir()
    migration = Migration(
        LocationSpec(f"file://{tmp_path}/source"),
        LocationSpec(f"file://{tmp_path}/destination"),
        options=TransferOptions(bytes_per_second=RATE),
    )
    launched = start(RunRequest(migration, "lab"), detached=True)
    yield launched.folder
    pid = read_snapshot(launched.folder).runner_pid
    if psutil.pid_exists(pid):
        psutil.Process(pid).kill()  # what a low limit has under way would take long to finish
    launched.process.wait()


def test_an_agent_is_killed_the_limit_changes_and_who_comes_back_sees_all_of_it(folder: Path) -> None:
    began = 0.0

    async def first(driver: Driver) -> None:
        await _opened(driver)
        await driver.sees("60.0 kB/s (480 kbit/s)")
        await driver.until(lambda: len(_looks(driver, "agent-1")) >= 2, driver.read)
        nonlocal began
        began = min(_when(driver))
        _agents(folder)[0].kill()
        await driver.sees("killed by SIGKILL")
        await driver.press("L")
        await driver.sees("a rate (500 Mbit/s")
        await driver.press(*"15kB/s", "enter")
        await driver.sees("limit was 60.0 kB/s, now 15.0 kB/s")

    async def second(driver: Driver) -> None:
        await _opened(driver)
        text = await driver.sees("limit was 60.0 kB/s, now 15.0 kB/s")
        assert "killed by SIGKILL" in text
        assert min(_when(driver)) == began
        lines = text.splitlines()
        pane = next(at for at, line in enumerate(lines) if "2 agents:" in line) + 1
        assert lines[pane + 1].strip()

    drive(first, XsyncApp(Subject(execution=folder.name)))
    drive(second, XsyncApp(Subject(execution=folder.name)), (120, 40))


def test_a_runner_that_is_killed_leaves_its_past_and_resume_goes_on_after_the_gap(folder: Path) -> None:
    async def play(driver: Driver) -> None:
        await _opened(driver)
        await driver.until(lambda: len(_looks(driver, "agent-1")) >= 2, driver.read)
        psutil.Process(read_snapshot(folder).runner_pid).kill()
        text = await driver.sees("RUNNER GONE since")
        assert "R goes on with them." in text
        assert "limit was 60.0 kB/s" in text
        window, last = _past(driver).window, max(_when(driver))
        await driver.until(lambda: time.time() > last + GAP * window.step, driver.read)
        await driver.press("R")
        await driver.sees("Finished files are not sent again")
        await driver.press("enter")
        await driver.until(lambda: _has_a_gap(_looks(driver, "agent-1")), driver.read)
        text = await driver.sees("  live  ")
        assert "╌" in text
        runner = await driver.runner()
        runner.kill()
        runner.wait()

    drive(play, XsyncApp(Subject(execution=folder.name)))


async def _opened(driver: Driver) -> None:
    await driver.sees("help")
    await driver.press("5")
    await driver.sees("2 agents:")


def _past(driver: Driver) -> AgentPast:
    screen = driver.app.screen
    assert isinstance(screen, RunScreen)
    assert screen.value is not None
    return screen.value.past.agents


def _looks(driver: Driver, agent: str) -> set[int]:
    """The buckets in which the agent was there."""
    return set(_past(driver).rates.get(agent, {}))


def _when(driver: Driver) -> list[float]:
    """When the first agent was there, in seconds since the epoch."""
    window = _past(driver).window
    return [window.start + window.step * bucket for bucket in _looks(driver, "agent-1")]


def _has_a_gap(looks: set[int]) -> bool:
    return max(looks) - min(looks) > len(looks) - 1


def _agents(folder: Path) -> list[psutil.Process]:
    """The processes of a runner's agents: children of the one that forks them."""
    runner = psutil.Process(read_snapshot(folder).runner_pid)
    return [agent for forks in runner.children() for agent in forks.children()]
