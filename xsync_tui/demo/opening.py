"""Opens the app on the demo's profile, and ends what it started when it is left."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from engine.home import find_home
from engine.journal.reader import read_snapshot
from engine.model import LocationSpec, Snapshot, Status

if TYPE_CHECKING:
    from xsync_tui.drawing.facts import Subject

PROFILE = "demo"

_RUNNERS = {"engine.execution.launch", "xsync_tui.testing"}
_DRAIN_SECONDS = 5.0


def save_profile(source: Path, destination: LocationSpec, agents: int) -> None:
    """Save the demo's profile in the home that the environment names."""
    from profiles import store
    from profiles.schema import Place, Profile

    there = Place(
        destination.url,
        region=destination.region,
        endpoint_url=destination.endpoint_url,
        addressing=destination.addressing,
    )
    store.save(Profile(1, PROFILE, Place(str(source)), there, agents=agents))


def keep_settings(settings: Path, home: Path) -> None:
    """The demo looks as this account wants the app to look."""
    home.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        shutil.copyfile(settings, home / settings.name)


def lead() -> int:
    """Open the app until it is left, then end what still runs. Returns the exit code. Raises XsyncError."""
    from xsync_tui.cli.open import run_app
    from xsync_tui.drawing.facts import Subject

    ours = psutil.Process()
    before = set(ours.children(recursive=True))
    try:
        return run_app(Subject(profile=PROFILE), _main)
    finally:
        end_all(set(ours.children(recursive=True)) - before)


def completed() -> bool:
    """Whether the newest execution has copied all there was."""
    found = _newest()
    return found is not None and found.status is Status.SUCCESS


def end_all(processes: set[psutil.Process]) -> None:
    """Let runners finish the requests they hold, then kill what is left."""
    runners = [each for each in processes if _is_runner(each)]
    for each in runners:
        with suppress(psutil.Error):
            each.terminate()
    psutil.wait_procs(runners, _DRAIN_SECONDS)
    below = runners + [each for each in processes if each not in runners and _is_of_a_run(each)]
    for each in below:
        with suppress(psutil.Error):
            each.kill()
    psutil.wait_procs(below, _DRAIN_SECONDS)


def _main(subject: Subject, **options: Any) -> int:
    from xsync_tui.app import main
    from xsync_tui.demo.app import DemoApp

    return main(subject, kind=DemoApp, **options)


def _newest() -> Snapshot | None:
    from engine.home import list_execution_folders

    folders = list_execution_folders(find_home())
    return read_snapshot(folders[-1]) if folders else None


def _is_runner(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(_RUNNERS & set(process.cmdline()))
    return False


def _is_of_a_run(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.name().startswith("xsync agent")
    return False
