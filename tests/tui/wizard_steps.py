"""Steps through the wizard that its tests share."""

from __future__ import annotations

from pathlib import Path

from textual import events

from tests.support import make_source
from tests.tui.driving import Driver
from xsync_tui.widgets.entry import Entry


def make_lab(folder: Path) -> Path:
    """A source of 100 files, 40 of them in a folder that nobody wants to keep."""
    found = make_source(folder, files=60)
    (found / "scratch").mkdir()
    for number in range(40):
        (found / "scratch" / f"{number}.tmp").write_bytes(b"x" * 1000)
    return found


async def begin(driver: Driver) -> None:
    """Open the wizard from Home, whatever Home asks."""
    await driver.until(lambda: "Where is the data?" in driver.read() or "needs you" in driver.read())
    await driver.press("escape", "N")
    await driver.sees("[1 source]")


async def paste(driver: Driver, text: str) -> None:
    """Type many characters at once, as a terminal pastes them."""
    driver.app.screen.query_one("#answer", Entry).post_message(events.Paste(text))
    await driver.pilot.pause()


async def to_step_2(driver: Driver, source: Path) -> None:
    """Answer where the data is."""
    await begin(driver)
    await paste(driver, str(source))
    await driver.press("enter")
    await driver.sees("[2 destination]")
