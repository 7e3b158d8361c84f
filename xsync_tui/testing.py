"""A test run as a process of its own: leaving the app does not end it, and every app shows it.

A profile has one folder below ``test-runs/live``: what was prepared, how far it is, and a lock that says that it lives.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.decoding import from_json, msgpack_decoder
from engine.errors import BusyError, XsyncError
from engine.home import Home, private_folder
from engine.locks import runner_alive, runner_lock
from engine.planning.measurement import Step
from engine.planning.values import SizeBin

if TYPE_CHECKING:
    from engine.execution.testrun.ladder import PlannedStep, Prepared
    from engine.model import Snapshot

PREPARED, PROGRESS, STOP, LOG = "prepared.msgpack", "progress.json", "stop", "process.log"

START_SECONDS = 60.0
"""How long the process may take until it holds its lock."""


class Progress(msgspec.Struct, frozen=True):
    """How far a test run is: steps that are over, and the one at work with its execution. Times in Unix time.

    ``found``: the id of what came of it; ``kept_in``: the profile's file; ``trouble``: why nothing came of it.
    """

    began_at: float
    measured: tuple[Step, ...] = ()
    agents: int = 0
    step_began_at: float = 0.0
    execution: str = ""
    found: str = ""
    kept_in: str = ""
    trouble: str = ""


class AtWork(NamedTuple):
    """The last test run of a profile that had a process. ``stopping``: it was asked to end."""

    prepared: Prepared
    progress: Progress
    alive: bool
    stopping: bool


def folder_of(home: Home, profile: str) -> Path:
    """Where the test run of a profile keeps how far it is."""
    return home.test_runs / "live" / profile


def start(home: Home, profile: str, prepared: Prepared) -> subprocess.Popen[bytes]:
    """Begin it in a process of its own, and wait until that is at work.

    Raises BusyError if one of the same profile is, XsyncError if it ends at once.
    """
    from engine.execution.launch import scope

    private_folder(home.test_runs)
    folder = private_folder(folder_of(home, profile))
    if runner_alive(folder):
        raise BusyError(f"A test run of {profile} is at work already.")
    for old in (STOP, PROGRESS):
        (folder / old).unlink(missing_ok=True)
    (folder / PREPARED).write_bytes(_packed(prepared))
    with open(folder / LOG, "wb") as log:
        process = subprocess.Popen(
            [*scope(detached=True), sys.executable, "-P", "-m", "xsync_tui.testing", os.fspath(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while not (folder / PROGRESS).exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            raise XsyncError(f"The test run did not begin; see {folder / LOG}")
        time.sleep(0.05)
    return process


def stop(home: Home, profile: str) -> None:
    """Ask it to end: files under way are finished."""
    (folder_of(home, profile) / STOP).touch()


def last(home: Home, profile: str) -> AtWork | None:
    """The last one of a profile, None if there was none or what it left cannot be read."""
    folder = folder_of(home, profile)
    alive = runner_alive(folder)
    try:
        progress = from_json((folder / PROGRESS).read_bytes(), Progress)
        prepared = _unpacked((folder / PREPARED).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    return AtWork(prepared, progress, alive, (folder / STOP).exists())


def at_work(home: Home) -> dict[str, str]:
    """Test runs that are at work: the profile, and the execution of the step, if it has begun."""
    folders = sorted(home.test_runs.glob(f"live/*/{PROGRESS}"))
    found = {path.parent.name: last(home, path.parent.name) for path in folders if runner_alive(path.parent)}
    return {name: each.progress.execution for name, each in found.items() if each is not None}


class _Saved(msgspec.Struct, frozen=True):
    """``Prepared`` as it is kept: folders are their path and their bins."""

    request: bytes
    steps: bytes
    missing: Sequence[int]
    whole: tuple[SizeBin, ...]
    candidates: Sequence[tuple[bytes, tuple[SizeBin, ...], float, float, str]]
    surveyed_at: float
    rest: bool


def _packed(prepared: Prepared) -> bytes:
    from engine.execution.testrun.ladder import KEPT_CANDIDATES

    pack = msgspec.msgpack.encode
    kept = prepared.candidates[:KEPT_CANDIDATES]
    candidates = [(c.mix.path, c.mix.bins, c.distance, c.seconds, c.problem) for c in kept]
    saved = (prepared.missing, prepared.whole.bins, candidates, prepared.surveyed_at, prepared.rest)
    return pack(_Saved(pack(prepared.request), pack(prepared.steps), *saved))


def _unpacked(text: bytes) -> Prepared:
    from engine.execution.testrun.ladder import PlannedStep, Prepared, Request
    from engine.planning.candidates import Candidate, FolderMix

    saved = msgpack_decoder(_Saved).decode(text)
    steps = msgpack_decoder(list[PlannedStep]).decode(saved.steps)
    candidates = [Candidate(FolderMix(path, bins), far, took, why) for path, bins, far, took, why in saved.candidates]
    whole = FolderMix(b"", saved.whole)
    request = msgpack_decoder(Request).decode(saved.request)
    return Prepared(request, steps, saved.missing, whole, candidates, saved.surveyed_at, saved.rest)


class _Teller:
    """Keeps ``progress.json`` as it is, whole at any moment."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS
        self._now = Progress(time.time())
        self.tell()

    def tell(self, **changes: object) -> None:
        self._now = msgspec.structs.replace(self._now, **changes)
        aside = self._path.with_suffix(".new")
        aside.write_bytes(msgspec.json.encode(self._now))
        aside.replace(self._path)

    def on_step(self, step: PlannedStep) -> None:
        self.tell(agents=step.agents, step_began_at=time.time(), execution="")

    def on_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.execution != self._now.execution:
            self.tell(execution=snapshot.execution)

    def on_measured(self, step: Step) -> None:
        self.tell(measured=(*self._now.measured, step))


def main(folder: Path) -> int:
    """The process: carry out what was prepared in ``folder``, and keep what came of it. Returns the exit code."""
    from engine.execution.testrun.ladder import run
    from xsync_tui.cli.entry import unexpected
    from xsync_tui.cli.survey import cancelled_by_signals
    from xsync_tui.cli.test_run import save

    prepared = _unpacked((folder / PREPARED).read_bytes())
    with runner_lock(folder), cancelled_by_signals() as came:
        teller = _Teller(folder)
        try:
            found = run(
                prepared,
                teller.on_step,
                teller.on_snapshot,
                teller.on_measured,
                lambda: bool(came) or (folder / STOP).exists(),
            )
            profile = prepared.request.profile
            kept_in = (save(profile, found) or "") if profile is not None else ""
            teller.tell(found=found.id, kept_in=kept_in, execution="")
        except XsyncError as error:
            teller.tell(trouble=str(error))
            return 1
        except Exception as error:  # a defect: it must not look as if nothing had happened
            teller.tell(trouble=unexpected(error))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
