"""Every act on every screen, wherever a migration stands: its strip opens, or the screen says why it cannot be now."""

from __future__ import annotations

import string
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.model import Status
from profiles import store
from profiles.schema import Place, Profile
from tests.tui.driving import Driver, drive
from tests.unit.cli_journals import CLEAN, DONE, FAILURES, alive, make_execution
from xsync_tui.app import XsyncApp
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Subject
from xsync_tui.jobs import TestRunJob as Job
from xsync_tui.screens import starting
from xsync_tui.screens.base import BaseScreen
from xsync_tui.screens.strip import Strip

STATES = ("no run", "running", "paused", "ended", "failed", "early", "gone")

OPENS = {
    "no run": {"home": "RD", "survey": "R", "run": "R", "cutover": "R"},
    "running": {"home": "C", "survey": "R", "run": "PLAC"},
    "paused": {"home": "RC", "survey": "R", "run": "PLAC"},
    "ended": {"home": "RD", "survey": "R", "run": "R", "cutover": "R"},
    "failed": {"home": "RFD", "survey": "R", "run": "RF", "cutover": "R", "failures": "F"},
    "early": {"home": "RCD", "survey": "R", "run": "RC", "cutover": "R"},
    "gone": {"home": "RCD", "survey": "R", "run": "RC", "cutover": "R"},
}
"""The acts that open a strip; all others of a screen are refused."""

WITHOUT_STRIP = {("home", "N"), ("plan", "T"), ("test", "T")}
"""They only look: the wizard, the screen of the test run, the folders that it would copy."""

SCREENS = ("home", "survey", "plan", "test", "run", "cutover", "failures")


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest, home: Path) -> Iterator[str]:
    """A profile, and where its migration stands."""
    store.save(Profile(1, "lab", Place("file:///nowhere/lab"), Place("s3://lab/img"), agents=2))
    with ExitStack() as stack:
        match request.param:
            case "running":
                stack.enter_context(alive(make_execution("lab", Status.TRANSFERRING)))
            case "paused":
                stack.enter_context(alive(make_execution("lab", Status.PAUSED)))
            case "ended":
                make_execution("lab", Status.SUCCESS, totals=CLEAN)
            case "failed":
                make_execution("lab", Status.ERROR, totals=DONE, failures=FAILURES)
            case "early":
                make_execution("lab", Status.ERROR, failures=FAILURES, message="no space left at the destination")
            case "gone":
                make_execution("lab", Status.TRANSFERRING, silent=300.0)
        yield request.param


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done: nothing may be."""
    found: list[str] = []
    for owner, name in (
        (Bridge, "ask"),
        (starting, "run"),
        (starting, "resume"),
        (starting, "retry"),
        (starting, "end"),
        (store, "delete"),
    ):
        monkeypatch.setattr(owner, name, lambda *_, name=name: found.append(name))
    monkeypatch.setattr(Job, "look", lambda _: None)
    return found


@pytest.mark.parametrize("place", SCREENS)
def test_an_act_opens_its_strip_or_is_refused_with_the_reason(
    place: str, state: str, done: list[str], home: Path
) -> None:
    opens = OPENS[state].get(place, "")

    async def play(driver: Driver) -> None:
        driver.app.go(place)
        screen = await _shown(driver, place)
        acts = {key.keys: key for key in screen.KEYS if key.keys in string.ascii_uppercase}
        assert set(opens) <= set(acts)
        for letter, key in acts.items():
            if (place, letter) in WITHOUT_STRIP:
                continue
            await driver.press(letter)
            if letter in opens:
                await driver.until(lambda: isinstance(driver.app.screen, Strip), driver.read)
                await driver.press("escape")
            else:
                assert driver.app.screen is screen, letter
                assert (why := screen.reason(key))
                said = " ".join(driver.read().split())
                assert f"{key.words}: not now, {why}." in said or f"{why.capitalize()}." in said, (letter, said)
            await driver.until(lambda: driver.app.screen is screen, driver.read)
            if screen._notice:
                await driver.press("escape")

    drive(play, XsyncApp(Subject(profile="lab")), (120, 40))
    assert done == []
    assert not (home / "errors.log").exists(), (home / "errors.log").read_text()


async def _shown(driver: Driver, place: str) -> BaseScreen[object]:
    """The screen of a place, once it knows what it is about."""

    def ready() -> bool:
        screen = driver.app.screen
        return isinstance(screen, BaseScreen) and screen.place == place and screen.value is not None

    await driver.until(ready, driver.read)
    assert isinstance(driver.app.screen, BaseScreen)
    return driver.app.screen


def test_a_test_run_without_folders_says_what_comes_first() -> None:
    store.save(Profile(1, "lab", Place("file:///nowhere/lab"), Place("s3://lab/img"), agents=2))

    async def play(driver: Driver) -> None:
        driver.app.go("test")
        await _shown(driver, "test")
        await driver.press("enter")
        await driver.sees("begin: not now, T comes first: it says what would be copied.")

    drive(play, XsyncApp(Subject(profile="lab")), (120, 40))
