"""Whatever keys a stray hand, a cat or a pasted line press on any screen: no crash, and nothing is acted on.

``XSYNC_RANDOM_SECONDS=60 pytest tests/tui/test_random_keys.py`` presses for a minute on every screen.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import string
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from textual import events

from engine.execution import launch
from engine.journal import commands
from engine.model import Status
from engine.survey import scan
from profiles import store
from profiles.schema import Place, Profile
from tests.tui.driving import Driver, drive
from tests.unit.cli_journals import DONE, FAILURES, alive, make_execution
from xsync_tui import jobs, surveying, testing
from xsync_tui.app import XsyncApp
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Subject
from xsync_tui.places import PLACES
from xsync_tui.screens.strip import Strip
from xsync_tui.widgets.lines import Lines

SECONDS = float(os.environ.get("XSYNC_RANDOM_SECONDS", "0.5"))
"""How long keys are pressed on a screen, and more than LEAST of them."""

LEAST = 100

DRAWN = re.compile("help|survey it")
"""What stands in the footer of a screen that is drawn; the other of the first start, once it asks for the data."""

SIZES = [(80, 23), (120, 40), (60, 15), (200, 60)]

KEYS = (
    *string.ascii_letters,
    *string.digits,
    *("enter", "escape", "backspace", "tab", "shift+tab", "up", "down", "left", "right", "pageup", "pagedown"),
    *("home", "end", "space", "plus", "minus", "slash", "colon", "question_mark", "apostrophe", "comma", "full_stop"),
    *("left_square_bracket", "right_square_bracket", "ctrl+p", "ctrl+c", "ctrl+q", "ctrl+a", "delete", "pound_sign"),
)

_CHARACTERS = {"enter": "\r", "space": " ", "plus": "+", "minus": "-", "slash": "/", "colon": ":", "full_stop": "."}

ACTS = (
    (Bridge, "ask"),
    (commands, "ask"),
    (launch, "start"),
    (launch, "begin"),
    (launch, "resume"),
    (store, "save"),
    (store, "delete"),
    (scan, "survey"),
    (surveying.SurveyJob, "_run"),
    (testing, "start"),
    (testing, "stop"),
    (jobs.CutoverJob, "start"),
)
"""All that changes something, or begins what does."""


class Kept(XsyncApp):
    """It is not left."""

    def exit(self, *_: Any, **__: Any) -> None:
        """Stay."""

    async def type(self, keys: Iterable[str]) -> None:
        """Send keys as a terminal sends them: the next one does not wait for what the last one did."""
        for key in keys:
            self.post_message(events.Key(key, _CHARACTERS.get(key, key if len(key) == 1 else None)))
            await asyncio.sleep(0.001)


_save = store.save


def _saved() -> None:
    _save(Profile(1, "lab", Place("file:///nowhere/lab"), Place("s3://lab/img"), agents=2))


def _nothing() -> None:
    """The very first start."""


def _failed() -> None:
    _saved()
    make_execution("lab", Status.ERROR, totals=DONE, failures=FAILURES)


@pytest.fixture
def acted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was done; nothing is done of it."""
    found: list[str] = []

    def noted(name: str) -> Callable[..., None]:
        return lambda *_, **__: found.append(name)

    for owner, name in ACTS:
        monkeypatch.setattr(owner, name, noted(name))
    monkeypatch.setattr(Strip, "action_go", Strip.action_stay)  # nobody ever confirms
    return found


def _press(seed: int, place: str, subject: Subject | None = None) -> list[str]:
    """Press keys beginning on a screen. Returns the keys."""
    chosen, pressed = random.Random(seed), list[str]()
    app = Kept(subject)

    async def play(driver: Driver) -> None:
        await driver.until(
            lambda: bool(driver.app.screen_stack[-1].query(Lines)) and bool(DRAWN.search(driver.read())), driver.read
        )
        until = time.monotonic() + SECONDS
        while time.monotonic() < until or len(pressed) < LEAST:
            app.go(place)
            keys = chosen.choices(KEYS, k=20)
            pressed.extend(keys)
            await app.type(keys[:10])
            if chosen.random() < 0.3:
                await driver.pilot.resize_terminal(*chosen.choice(SIZES))
            await app.type(keys[10:])
            await driver.pilot.pause()

    try:
        drive(play, app)
    except BaseException:
        print(f"seed {seed}, {place}, the last keys: {pressed[-40:]}")
        raise
    return pressed


@pytest.mark.timeout(60 + 3 * SECONDS)
@pytest.mark.parametrize("place", [each.name for each in PLACES if each.screen])
def test_nothing_breaks_and_nothing_is_done(place: str, acted: list[str], home: Path) -> None:
    _failed()
    with alive(make_execution("lab", Status.TRANSFERRING)):
        keys = _press(len(place), place, Subject(profile="lab"))
    assert acted == [], keys
    assert not (home / "errors.log").exists(), (home / "errors.log").read_text()


@pytest.mark.timeout(60 + 3 * SECONDS)
@pytest.mark.parametrize("world", [_nothing, _saved, _failed])
def test_so_it_is_wherever_a_migration_stands(world: Callable[[], None], acted: list[str], home: Path) -> None:
    world()
    keys = _press(7, "home")
    looked = {"_run"} if world is _nothing else set()  # the first start surveys what is typed: that only looks
    assert set(acted) <= looked, keys
    assert not (home / "errors.log").exists(), (home / "errors.log").read_text()


_GO = Strip.action_go

PASTED = "Please STOP.\rCancel lab: Pause, Run, Delete\rlab\rR\rP\rC\rlab\rF\r"


def test_what_is_pasted_unbracketed_confirms_nothing(acted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keys come faster than anybody types."""
    monkeypatch.setattr(XsyncApp, "pasted_seconds", 60.0)
    monkeypatch.setattr(Strip, "action_go", _GO)
    _failed()
    app = Kept(Subject(profile="lab"))

    async def play(driver: Driver) -> None:
        await driver.sees("lab")
        for place in ("home", "run", "survey", "plan", "failures", "cutover"):
            driver.app.go(place)
            await driver.pilot.pause()
            await app.type("enter" if key == "\r" else "space" if key == " " else key for key in PASTED)
            await driver.press("escape", "escape")

    with alive(make_execution("lab", Status.TRANSFERRING)):
        drive(play, app)
    assert acted == []


def test_enter_counts_where_somebody_takes_the_time_to_press_it(
    acted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(XsyncApp, "pasted_seconds", 0.01)
    monkeypatch.setattr(Bridge, "answer", lambda *_: "paused")
    monkeypatch.setattr(Strip, "action_go", _GO)

    async def play(driver: Driver) -> None:
        await driver.sees("TRANSFERRING")
        await driver.press("5")
        await driver.sees("P pause")
        await driver.press("P")
        await driver.pilot.pause(0.02)
        await driver.press("enter")
        await driver.until(lambda: "ask" in acted, driver.read)

    with alive(make_execution("lab", Status.TRANSFERRING)):
        drive(play, Kept())
    assert acted == ["ask"]
