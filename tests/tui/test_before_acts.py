"""What a strip says of an interrupted run before it starts anything: what goes on, what is superseded and why."""

from __future__ import annotations

import time
from pathlib import Path

from msgspec.structs import replace

from engine.home import prepare_home
from engine.journal.records import Execution, this_runner
from engine.journal.writer import Journal
from engine.model import FilterSpec, Migration, Status
from profiles import store
from profiles.convert import to_migration
from profiles.schema import FilterSection, Place, Profile
from tests.tui.driving import Driver, drive
from xsync_tui.app import XsyncApp
from xsync_tui.drawing.facts import Subject
from xsync_tui.screens import starting
from xsync_tui.screens.base import BaseScreen

NAME = "20260101-000000-lab-3f2a"


def profile(tmp_path: Path, *excludes: str) -> Profile:
    """A profile of folders that there are."""
    for name in ("source", "destination"):
        (tmp_path / name).mkdir(exist_ok=True)
    source, destination = (Place(f"file://{tmp_path}/{name}") for name in ("source", "destination"))
    found = Profile(1, "lab", source, destination, filters=FilterSection(exclude=excludes), agents=2)
    store.save(found)
    return found


def interrupted(migration: Migration, status: Status = Status.TRANSFERRING) -> None:
    """An execution whose runner is gone."""
    folder = prepare_home().executions / NAME
    before = time.time() - 300
    with Journal.create(folder, Execution(NAME, migration, "", "", before), this_runner()) as journal:
        journal.set_status(status, "", before)


def words(driver: Driver) -> str:
    """What stands in the strip, without its frame."""
    return " ".join(driver.read().replace("│", " ").split())


def test_a_resume_says_in_what_the_profile_has_changed_since(tmp_path: Path) -> None:
    interrupted(to_migration(profile(tmp_path)))
    profile(tmp_path, "*.tmp")

    async def play(driver: Driver) -> None:
        for place in ("home", "run"):
            driver.app.go(place)
            await driver.sees("RUNNER GONE")
            await driver.press("R")
            await driver.until(lambda: "The profile has changed" in words(driver), driver.read)
            assert "since (filters.exclude): it goes on as it began. R on 3 Plan goes by the profile." in words(driver)
            await driver.press("escape")

    drive(play, XsyncApp(Subject(profile="lab")))


def test_a_resume_of_the_same_says_nothing_of_it(tmp_path: Path) -> None:
    interrupted(to_migration(profile(tmp_path)))

    async def play(driver: Driver) -> None:
        await driver.sees("RUNNER GONE")
        await driver.press("R")
        assert "Finished files are not sent again" in await driver.sees("It goes on where it stopped")
        assert "has changed" not in driver.read()

    drive(play, XsyncApp(Subject(profile="lab")))


def test_a_run_says_what_it_continues_or_supersedes(tmp_path: Path) -> None:
    found = profile(tmp_path)
    assert starting.before_run(found) == ""
    interrupted(replace(to_migration(found), filters=FilterSpec(exclude=("*.tmp",)), test=True))

    async def play(driver: Driver) -> None:
        driver.app.go("run")
        await driver.sees("R starts it")
        screen = driver.app.screen
        assert isinstance(screen, BaseScreen)
        await driver.until(lambda: screen.facts.profile is not None)
        await driver.press("R")
        await driver.sees("It is superseded")
        assert f"Does not continue {NAME}, which was interrupted: filters.exclude, test differ." in words(driver)
        assert "It is superseded, and cannot be resumed any more" in words(driver)
        await driver.press("escape")

    drive(play, XsyncApp(Subject(profile="lab")))


def test_a_superseded_one_stands_as_that_on_home_and_run(tmp_path: Path) -> None:
    interrupted(to_migration(profile(tmp_path)))
    with Journal.open(prepare_home().executions / NAME) as journal:
        journal.supersede("20260102-000000-lab-77aa", time.time())

    async def play(driver: Driver) -> None:
        assert "RUNNER GONE" not in await driver.sees("SUPERSEDED")
        assert "resume" not in driver.read()
        driver.app.go("run")
        assert "files left" not in await driver.sees("Superseded by 20260102-000000-lab-77aa")

    drive(play, XsyncApp(Subject(profile="lab")))
