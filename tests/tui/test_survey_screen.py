"""The Survey screen as a person uses it on real trees: a scan in view, each pane filtered by the other, undone."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.model import Status
from engine.survey import scan
from tests.tui.driving import Driver, drive
from tests.unit.cli_journals import make_execution
from xsync_tui import surveying
from xsync_tui.app import XsyncApp
from xsync_tui.drawing.facts import Subject
from xsync_tui.screens.survey import SurveyScreen

SIZES = [(80, 23), (120, 40)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Small files in one folder, large ones in another, one in neither."""
    files = {f"small/{number % 2}/f{number}": 500 for number in range(6)}
    files |= {f"large\x1b[2J/g{number}": 10 << 30 for number in range(2)} | {"top": 70}
    for name, size in files.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.truncate(path, size)
    return tmp_path / "source"


@pytest.fixture
def app(source: Path) -> XsyncApp:
    return XsyncApp(Subject(location=str(source)))


async def surveyed(driver: Driver) -> None:
    """Survey, and see it done."""
    await driver.press("2")
    await driver.sees("R starts it")
    await driver.press("R", "enter")
    await driver.sees("9 files  21.5 GB")
    await driver.sees("complete")


def screen_of(driver: Driver) -> SurveyScreen:
    assert isinstance(driver.app.screen, SurveyScreen)
    return driver.app.screen


@pytest.mark.parametrize("size", SIZES)
def test_a_folder_filters_the_sizes_and_backspace_undoes(app: XsyncApp, size: tuple[int, int]) -> None:
    async def play(driver: Driver) -> None:
        await surveyed(driver)
        before = driver.read()
        await driver.press("j", "enter")
        text = await driver.sees("files in /small")
        assert "In /small file count decides" in text
        assert "Folders in /small" in text
        await driver.press("j", "enter")
        await driver.sees("files in /small/1")
        await driver.press("backspace")
        assert "Folders in /small " in driver.read()
        await driver.press("escape")
        await driver.press("k")
        assert driver.read().splitlines()[2:] == before.splitlines()[2:]

    drive(play, app, size)


@pytest.mark.parametrize("size", SIZES)
def test_a_size_filters_the_folders_and_backspace_undoes(app: XsyncApp, size: tuple[int, int]) -> None:
    async def play(driver: Driver) -> None:
        await surveyed(driver)
        await driver.press("tab", "enter")
        text = await driver.sees("< 1 kB in / ")
        assert "take " in text
        assert "lie in small." in text
        assert "large" not in text
        assert "»< 1 kB" in text
        await driver.press("enter")
        text = await driver.sees("< 1 kB in /small")
        assert "files in /small" in text
        await driver.press("backspace", "backspace")
        text = driver.read()
        assert "Folders in / " in text
        assert "▶< 1 kB" in text
        await driver.press("G", "enter")
        text = await driver.sees("> 1 GB in / ")
        assert "bytes ▼" in text
        assert "large\\x1b[2J" in text
        assert "small" not in text

    drive(play, app, size)


def test_files_directly_in_a_folder_have_sizes_of_their_own(app: XsyncApp) -> None:
    async def play(driver: Driver) -> None:
        await surveyed(driver)
        await driver.press("G", "enter")
        text = await driver.sees("files directly in /")
        assert "Directly in / file count decides" in text
        await driver.press("tab", "enter")
        await driver.sees("< 1 kB in / ")

    drive(play, app)


def test_what_is_computed_is_said_and_can_be_left(app: XsyncApp, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    real = surveying.look_inside

    def slow(*arguments: Any) -> Any:
        release.wait(30)
        return real(*arguments)

    monkeypatch.setattr("xsync_tui.screens.survey.look_inside", slow)

    async def play(driver: Driver) -> None:
        await surveyed(driver)
        await driver.press("j", "enter")
        await driver.sees("computing /small from the catalog")
        await driver.press("backspace")
        assert "computing" not in driver.read()
        release.set()
        await driver.until(lambda: not screen_of(driver)._catalog.locked())
        assert "Folders in / " in driver.read()
        await driver.press("enter")
        await driver.sees("Folders in /small")

    drive(play, app)


def test_a_catalog_that_is_gone_is_said(app: XsyncApp, home: Path) -> None:
    async def play(driver: Driver) -> None:
        await surveyed(driver)
        for catalog in home.glob("surveys/*/catalog-*"):
            shutil.rmtree(catalog)
        await driver.press("enter")
        await driver.sees("anew")
        await driver.press("backspace")
        assert "anew" not in driver.read()

    drive(play, app)


def _hold(monkeypatch: pytest.MonkeyPatch, name: str) -> threading.Event:
    """Let a step of the scan begin only once the event is set."""
    release = threading.Event()
    real: Callable[..., Any] = getattr(scan, name)

    def held(*arguments: Any) -> Any:
        release.wait(30)
        return real(*arguments)

    monkeypatch.setattr(scan, name, held)
    return release


@pytest.mark.parametrize("size", SIZES)
def test_bars_grow_while_it_scans_and_keys_answer(
    app: XsyncApp, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = _hold(monkeypatch, "measure")

    async def play(driver: Driver) -> None:
        await driver.press("2")
        await driver.sees("R starts it")
        await driver.press("R", "enter")
        text = await driver.sees("computing statistics")
        assert "So far bytes decide" in text
        assert "PARTIAL 9 files  21.5 GB" in text
        small, large = (next(line for line in text.splitlines() if label in line) for label in ("< 1 kB", "> 1 GB"))
        assert "77 %" in small
        assert "22 %" in large
        await driver.press("question_mark")
        await driver.press("escape", "v", "enter", "tab", "s")
        assert "So far bytes decide" in driver.read()
        release.set()
        await driver.sees("complete")
        await driver.sees("Folders in / ")

    drive(play, app, size)


def test_a_scan_is_cancelled_in_view_and_keeps_what_it_found(app: XsyncApp, monkeypatch: pytest.MonkeyPatch) -> None:
    real = scan._hand_out
    given: list[int] = []

    def first_only(waiting: list[bytes], crew: Any) -> None:
        if not given:
            real(waiting, crew)
        given.append(len(waiting))

    monkeypatch.setattr(scan, "_hand_out", first_only)
    monkeypatch.setattr(scan, "UNIT_ROWS", 1)

    async def play(driver: Driver) -> None:
        await driver.press("2")
        await driver.sees("R starts it")
        await driver.press("R", "enter")
        await driver.sees("2 folders queued")
        await driver.press("C", "enter")
        text = await driver.sees("at least 1 file")
        assert "PARTIAL" in text
        await driver.sees("2 Survey partial")
        await driver.sees("Stopped. What was found is kept")

    drive(play, app)


def test_a_step_of_a_test_run_is_not_what_a_profile_stands_at(app: XsyncApp) -> None:
    done = make_execution("lab", Status.SUCCESS)
    make_execution("lab", Status.CANCELLED, test=True)
    assert app.bridge.folder_of(Subject("lab")) == done
    assert [each.test for each in app.bridge.executions()] == [False, True]
    app.bridge.close()


def test_the_folder_under_the_cursor_is_copied(app: XsyncApp, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xsync_tui.terminal.copied_by_tmux", lambda text: bool(text))

    async def play(driver: Driver) -> None:
        await surveyed(driver)
        await driver.press("j", "y")
        await driver.until(lambda: f"Copied the path: {source}/small" in driver.read().replace("\n ", ""), driver.read)

    drive(play, app, (120, 40))
