"""A disk that is full, as a person sees it on real ones: what happened, what is safe, what to do; then it goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.execution.launch import RUNNER_LOG, Launched, RunRequest, start
from engine.journal.reader import read_snapshot
from engine.model import LocationSpec, Migration, TransferOptions
from tests.privileges import mounted
from tests.tui.driving import Driver, drive
from xsync_tui.app import XsyncApp
from xsync_tui.drawing.facts import Subject

FILES, SIZE = 60, 200_000
PAGE = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    with mounted(place, "-t", "tmpfs", "-o", "size=48m", "tmpfs"):
        yield place


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files of 12 MB together."""
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number:02}.dat").write_bytes(bytes([number]) * SIZE)
    return folder


def test_a_full_destination_ends_it_early_and_with_room_r_finishes_it(source: Path, disk: Path) -> None:
    _resize(disk, "4m")
    launched = _start(source, disk)

    async def play(driver: Driver) -> None:
        await _opened(driver)
        text = await driver.sees("Ended early")
        assert "! no space left at the destination\n   Free space at the destination, then run again." in _rows(text)
        assert "files transferred, no half file under its final name." in text
        assert "R goes on where it ended; nothing finished is sent again" in text
        await driver.press("F")
        await driver.sees("retry failed: not now, R goes on with all that is left, what failed included.")
        await driver.press("escape", "f")
        await driver.sees("It ended early: 5, then R, tries them too.")
        await driver.press("F")
        await driver.sees("not now, it ended early")
        await driver.press("escape", "escape")
        await driver.sees("Ended early")
        _resize(disk, "48m")
        await _resumed(driver)

    drive(play, XsyncApp(Subject(execution=launched.folder.name)))
    _adds_up(launched, source, disk)


def test_a_full_state_disk_ends_the_runner_and_with_room_r_finishes_it(
    source: Path, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(disk / "home"))
    destination = tmp_path / "destination"
    destination.mkdir()
    launched = _start(source, destination, 1_000_000)

    async def play(driver: Driver) -> None:
        await _opened(driver)
        await driver.until(lambda: read_snapshot(launched.folder).totals.files.transferred > 2, driver.read)
        _fill(disk / "filler")
        text = await driver.sees("RUNNER GONE since")
        assert "files transferred, no half file under its final name." in text
        assert "Make room, then R goes on with them." in text
        assert "The disk of the state folder is full (" in text
        await driver.press("R")
        await driver.sees("Finished files are not sent again")
        await driver.press("enter")
        text = await driver.sees("Nothing that was")
        assert "Free space there, then try again" in text
        (disk / "filler").unlink()
        await driver.press("escape")
        await driver.until(lambda: "The disk of the state folder is full" not in driver.read(), driver.read)
        await _resumed(driver)

    drive(play, XsyncApp(Subject(execution=launched.folder.name)))
    _adds_up(launched, source, destination)
    said = (launched.folder / RUNNER_LOG).read_text()
    assert "The disk is full: " in said
    assert "Traceback" not in said


def _start(source: Path, destination: Path, rate: int = -1) -> Launched:
    options = TransferOptions(bytes_per_second=rate)
    migration = Migration(LocationSpec(f"file://{source}"), LocationSpec(f"file://{destination}"), options=options)
    return start(RunRequest(migration, "lab"), detached=True)


async def _opened(driver: Driver) -> None:
    await driver.sees("help")
    await driver.press("5")
    await driver.sees("discovered")


async def _resumed(driver: Driver) -> None:
    """R, and the end."""
    await driver.press("R")
    await driver.sees("Finished files are not sent again")
    await driver.press("enter")
    runner = await driver.runner()
    await driver.sees(f"{FILES} files, 12.0 MB transferred")
    runner.wait()


def _adds_up(launched: Launched, source: Path, destination: Path) -> None:
    """All is there, and is counted once."""
    launched.process.wait()
    files = read_snapshot(launched.folder).totals.files
    assert (files.discovered, files.transferred, files.verified, files.failed, files.pending) == (
        FILES,
        FILES,
        FILES,
        0,
        0,
    )
    for path in source.iterdir():
        assert (destination / path.name).read_bytes() == path.read_bytes()
    assert len(list(destination.iterdir())) == FILES


def _resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


def _fill(path: Path) -> None:
    """Take all the room there is, page by page."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(PAGE))
        except OSError:
            return


def _rows(text: str) -> str:
    """Without what fills the rows."""
    return "\n".join(line.rstrip() for line in text.splitlines())
