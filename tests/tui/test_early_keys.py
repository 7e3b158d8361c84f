"""Keys pressed before a screen has read what it shows: looks wait for it, acts not for long, leaving not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from engine.model import Status
from tests.tui.driving import Driver, drive
from tests.unit.cli_journals import DONE, FAILURES, make_execution
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Subject
from xsync_tui.screens import early, failures
from xsync_tui.screens.failures import FailureFacts, FailuresScreen
from xsync_tui.screens.strip import Strip


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The failures of an execution can be read from when this is set on."""
    make_execution("lab", Status.ERROR, totals=DONE, failures=FAILURES)
    released, read = threading.Event(), FailuresScreen.sample

    def sample(screen: FailuresScreen, subject: Subject, bridge: Bridge) -> FailureFacts:
        assert released.wait(60)
        return read(screen, subject, bridge)

    monkeypatch.setattr(failures.FailuresScreen, "sample", sample)
    yield released
    released.set()


async def failures_asked_for(driver: Driver) -> None:
    await driver.sees("ERROR, 2 failed")
    await driver.press("f")
    await driver.sees("Reading.")


def test_looks_wait_until_there_is_something_to_look_at_in_their_order(go_on: threading.Event) -> None:
    async def play(driver: Driver) -> None:
        await failures_asked_for(driver)
        await driver.press("j", "enter")
        assert "Reading." in driver.read()
        go_on.set()
        seen = await driver.sees("2023/secret\\x1b: EACCES")
        assert "retry helps" not in seen, "enter has listed the files of the second cause"
        assert "x.svs" not in seen

    drive(play)


def test_what_leaves_does_not_wait_and_forgets_what_did(go_on: threading.Event) -> None:
    async def play(driver: Driver) -> None:
        await failures_asked_for(driver)
        await driver.press("enter", "backspace")
        await driver.sees("ERROR, 2 failed")
        go_on.set()
        await driver.press("f")
        await driver.sees("retry helps")

    drive(play)


def test_an_act_opens_its_strip_if_that_was_soon_and_takes_no_enter_along(
    go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early, "ACT_SECONDS", 1000.0)

    async def play(driver: Driver) -> None:
        await failures_asked_for(driver)
        await driver.press("F", "enter")
        go_on.set()
        await driver.until(lambda: isinstance(driver.app.screen, Strip))
        await driver.pilot.pause(0.1)
        assert isinstance(driver.app.screen, Strip)

    drive(play)


def test_an_act_that_would_come_late_is_not_opened_but_said(
    go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early, "ACT_SECONDS", 0.0)

    async def play(driver: Driver) -> None:
        await failures_asked_for(driver)
        await driver.press("F")
        go_on.set()
        await driver.sees("retry failed: the key came before this was read. Press it again.")

    drive(play)
