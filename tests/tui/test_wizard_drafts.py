"""Drafts of the wizard: kept after each step, gone on with, and never more than they should be."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from engine.home import find_home
from profiles import store
from profiles.schema import Place, Profile
from tests.tui.driving import Driver, drive
from tests.tui.wizard_steps import make_lab, paste, to_step_2
from xsync_tui import drafts
from xsync_tui.drafting import Draft
from xsync_tui.screens.wizard import WizardScreen


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_lab(tmp_path / "lab")


def test_a_name_that_is_taken_meanwhile_is_not_overwritten(source: Path, tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        await to_step_2(driver, source)
        await paste(driver, str(tmp_path / "new"))
        await driver.press("enter")
        await driver.sees("enter goes on to 3")
        await driver.press("enter", "enter", "enter", *"mine")
        await driver.sees("Save it as mine")
        screen = driver.app.screen
        assert isinstance(screen, WizardScreen)
        store.save(Profile(schema=1, name="mine", source=Place("/a"), destination=Place("/b")))
        screen._save()
        await driver.sees("There is a profile mine already")

    drive(play)
    assert store.load("mine").source == Place("/a")


def test_a_draft_outlives_the_app_and_is_gone_on_with_or_deleted(source: Path, tmp_path: Path) -> None:
    async def leave_in_the_middle(driver: Driver) -> None:
        await to_step_2(driver, source)
        await paste(driver, str(tmp_path / "new"))
        await driver.until(lambda: bool(drafts.all_drafts(find_home())))

    async def go_on(driver: Driver) -> None:
        await driver.sees("draft, step 2 of 5")
        await driver.press("enter")
        await driver.sees("[2 destination]")
        await driver.sees(str(tmp_path / "new")[:60])
        await driver.press("enter")
        await driver.sees("enter goes on to 3")
        await driver.press("enter")
        await driver.sees("[3 leave out]")
        await driver.press("backspace", "escape", "escape")
        await driver.sees("draft, step 1 of 5")
        await driver.press("D")
        await driver.sees("Forgets what was typed")
        await driver.press("escape", "D", "enter")
        await driver.sees("The draft is deleted.")

    drive(leave_in_the_middle)
    [draft] = drafts.all_drafts(find_home())
    [file] = find_home().drafts.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert (draft.step, draft.source, draft.destination) == (2, str(source), str(tmp_path / "new"))
    drive(go_on)
    assert drafts.all_drafts(find_home()) == []


def test_a_draft_without_a_survey_begins_one(source: Path) -> None:
    drafts.save(Draft("0" * 16, 3, str(source), exclude="/scratch"))

    async def play(driver: Driver) -> None:
        await driver.sees("draft, step 3 of 5")
        await driver.press("enter")
        await driver.sees("It keeps 60 % of 100 files")
        await driver.press("down", "down", "up")
        assert "▶ only" in driver.read()

    drive(play)


def test_passwords_are_not_kept_and_damaged_drafts_are_passed_over() -> None:
    draft = Draft("0" * 16, source="/lab", endpoint="https://me:secret@host")
    path = drafts.save(draft)
    assert "secret" not in path.read_text()
    path.with_name(f"{'1' * 16}.json").write_text("{")
    path.with_name(f"{'2' * 16}.json").write_text(path.read_text())
    path.with_name(f"{'3' * 16}.json").write_text('{"id": "%s", "step": 9}' % ("3" * 16))
    assert [each.id for each in drafts.all_drafts(find_home())] == [draft.id]


def test_a_full_disk_stops_nobody_from_typing(source: Path, tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        await to_step_2(driver, source)
        folder = find_home().drafts
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        folder.write_text("in the way")
        await paste(driver, str(tmp_path / "new"))
        await driver.sees("Kept nowhere: ")
        folder.unlink()
        await driver.press("1")
        await driver.until(
            lambda: [each.destination for each in drafts.all_drafts(find_home())] == [f"{tmp_path}/new1"]
        )
        await driver.until(lambda: "Kept nowhere" not in driver.read())

    drive(play)
