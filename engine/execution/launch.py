"""Starts a runner as a process of its own and waits until it has accepted the execution or refused it.

Also the runner's entry point (``python -m engine.execution.launch FOLDER``). Imports nothing heavy: commands do, too.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import msgspec

from engine import errors, home
from engine.errors import JournalError, RefusedError, StorageFullError, UsageError, XsyncError
from engine.model import Migration, Status
from engine.quantities import format_bytes

REFUSAL = "refused.json"
"""Written into an execution's folder by a runner that did not accept it."""

RUNNER_LOG = "runner.log"
"""What a runner prints: only what no journal could take."""

_DEFAULTS = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Arrow's own pool takes zeroed memory 2 MiB at a time: a quarter more of it in every process, and 4 % of the CPU."""

FULL_BYTES = 16 << 20
"""With less free than this a state folder's disk is called full: a segment and the journal's log may not fit."""

START_SECONDS = 60.0
"""How long a runner may take to accept or refuse."""


class RunRequest(msgspec.Struct, frozen=True):
    """What to run: a migration, and the name of the profile it came from."""

    migration: Migration
    profile: str | None = None


class Launched(msgspec.Struct, frozen=True):
    """A runner that accepted its execution. ``continued``: it goes on with an interrupted one."""

    execution: str
    folder: Path
    continued: bool
    process: subprocess.Popen[bytes]


class Refusal(msgspec.Struct, frozen=True):
    """Why a runner did not accept an execution: the error's class and message."""

    error: str
    message: str


def start(request: RunRequest, *, detached: bool) -> Launched:
    """Run a migration: continue its interrupted execution if it is unchanged, else begin a new one.

    Raises SourceError, DestinationError, BusyError and other XsyncErrors; then no new execution is left behind.
    """
    interrupted = _interrupted(request)
    if interrupted is not None:
        return _launch(interrupted, detached=detached, continued=True)
    return begin(create(request), detached=detached)


def begin(folder: Path, *, detached: bool) -> Launched:
    """Run the new execution in ``folder``; if it is not accepted, its folder goes and an XsyncError is raised."""
    try:
        return _launch(folder, detached=detached, continued=False)
    except XsyncError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def resume(folder: Path, *, detached: bool) -> Launched:
    """Continue an interrupted execution with the migration frozen in its journal.

    Raises RefusedError if a runner works on it, UsageError if it has ended for good.
    """
    from engine.journal.reader import read_snapshot

    snapshot = read_snapshot(folder)
    if snapshot.runner_alive:
        raise RefusedError(f"{snapshot.execution} is running (pid {snapshot.runner_pid}): nothing to resume")
    if not resumable(snapshot.status, snapshot.totals.files.pending, snapshot.totals.listing_complete):
        raise UsageError(f"{snapshot.execution} ended as {snapshot.status}: start a new run instead")
    return _launch(folder, detached=detached, continued=True)


def resumable(status: Status, pending_files: int, listing_complete: bool) -> bool:
    """Whether an execution without a runner has work left that a resume may do."""
    if status in (Status.SUCCESS, Status.CANCELLED):
        return False
    return status is not Status.ERROR or pending_files > 0 or not listing_complete


def _interrupted(request: RunRequest) -> Path | None:
    """The latest execution of this very migration, if it was interrupted and nobody works on it."""
    from engine.journal.reader import read_migration, read_snapshot

    wanted = _migration(request)
    for folder in reversed(home.list_execution_folders(home.find_home())):
        try:
            if read_migration(folder) != wanted:
                continue
            snapshot = read_snapshot(folder)
        except JournalError:
            continue  # damaged or of another version: nothing that could be continued
        totals = snapshot.totals
        if snapshot.runner_alive or not resumable(snapshot.status, totals.files.pending, totals.listing_complete):
            return None
        return folder
    return None


def _migration(request: RunRequest) -> Migration:
    from engine.execution.manifests import with_frozen_manifest

    named = msgspec.structs.replace(request.migration, name=request.profile or request.migration.name)
    return with_frozen_manifest(named, home.find_home())


def create(request: RunRequest) -> Path:
    """Make the folder and journal of a new execution; nothing runs yet. Raises JournalError."""
    from engine.journal.records import Execution, this_runner
    from engine.journal.writer import Journal

    now, place = time.time(), home.prepare_home()
    migration = _migration(request)
    execution = home.new_execution_id(now, migration.name)
    folder = place.executions / execution
    Journal.create(folder, Execution(execution, migration, "", "", now), this_runner()).close()
    return folder


def _launch(folder: Path, *, detached: bool, continued: bool) -> Launched:
    _refuse_after_hand_over(folder)
    (folder / REFUSAL).unlink(missing_ok=True)
    with open(folder / RUNNER_LOG, "ab") as log:
        process = subprocess.Popen(
            [*scope(detached=detached), sys.executable, "-P", "-m", "engine.execution.launch", os.fspath(folder)],
            stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
            stdout=log,
            stderr=log if detached else None,
            start_new_session=True,
            env=_DEFAULTS | os.environ | {"XSYNC_FOREGROUND": "" if detached else "1"},
        )
    _await_acceptance(folder, process)
    return Launched(folder.name, folder, continued, process)


def _refuse_after_hand_over(folder: Path) -> None:
    """Raise RefusedError if a cutover gave the destination, or what overlaps it, to its users: of any profile."""
    from engine.execution.cutover.record import taken_by_users
    from engine.journal.reader import read_migration

    migration = read_migration(folder)
    cutover = taken_by_users(home.find_home(), migration.destination)
    if cutover is not None:
        raise RefusedError(
            f"{cutover.migration.destination.url} was handed over to its users by the cutover of {cutover.profile}: "
            "another run would replace what they wrote there by what the source has. To take it back all the same: "
            f"xsync cutover {cutover.profile} --restart"
        )


def scope(*, detached: bool) -> list[str]:
    """A scope of its own, so that logging out does not end a detached runner where systemd kills user sessions."""
    tool = shutil.which("systemd-run")
    if not detached or tool is None or not os.path.exists(f"/run/user/{os.getuid()}/systemd"):
        return []
    return [tool, "--user", "--scope", "--quiet", "--collect"]


def _await_acceptance(folder: Path, process: subprocess.Popen[bytes]) -> None:
    from engine.journal.reader import SnapshotReader

    deadline = time.monotonic() + START_SECONDS
    with SnapshotReader(folder) as reader:
        while time.monotonic() < deadline:
            snapshot = reader.read()
            refusal = read_refusal(folder)  # after the snapshot: it is written before the status that ends the waiting
            if refusal is not None:
                process.wait()
                raise refusal
            if snapshot.status not in (Status.QUEUED, Status.LAUNCHING) and snapshot.runner_pid == process.pid:
                return
            if process.poll() is not None:
                _refuse_on_full_disk(folder)
                raise XsyncError(f"the runner ended at once with code {process.returncode}; see {folder / RUNNER_LOG}")
            time.sleep(0.02)
    process.terminate()
    raise XsyncError(f"the runner did not start within {START_SECONDS:.0f} s; see {folder / RUNNER_LOG}")


def room_left(folder: Path) -> int | None:
    """Bytes free on the disk of a state folder or execution, if that is as good as full; else None."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return None
    return free if free < FULL_BYTES else None


def _refuse_on_full_disk(folder: Path) -> None:
    """Raise StorageFullError if there is no room: then a runner can leave no word of its own."""
    if (free := room_left(folder)) is not None:
        raise StorageFullError(
            f"The disk of the state folder is full ({format_bytes(free)} free). Nothing that was recorded is lost. "
            f"Free space there, then try again: {folder}"
        )


def read_refusal(folder: Path) -> XsyncError | None:
    """The error with which a runner refused the execution in ``folder``, as an exception, or None."""
    try:
        refusal = msgspec.json.decode((folder / REFUSAL).read_bytes(), type=Refusal)
    except FileNotFoundError:
        return None
    kind = getattr(errors, refusal.error, XsyncError)
    return kind(refusal.message) if issubclass(kind, XsyncError) else XsyncError(refusal.message)


def write_refusal(folder: Path, error: XsyncError) -> None:
    """Leave word of why an execution was not accepted."""
    aside = folder / f".{REFUSAL}"
    aside.write_bytes(msgspec.json.encode(Refusal(type(error).__name__, str(error))))
    aside.rename(folder / REFUSAL)


def _schemes(folder: Path) -> set[str]:
    """Of the locations of the execution in ``folder``; none if they cannot be read, which the runner will say."""
    from engine.journal.reader import read_migration
    from engine.locations.registry import scheme_of

    try:
        migration = read_migration(folder)
        return {scheme_of(spec.url) for spec in (migration.source, migration.destination)}
    except XsyncError:
        return set()


def _run(folder: Path) -> NoReturn:
    """The runner process."""
    gc.disable()  # imports leave no garbage, and looking for it takes a tenth of their time
    from engine.execution.agents.forks import fork_early

    fork_early(_schemes(folder))

    from engine.execution.main import main

    gc.freeze()
    gc.enable()
    code = main(folder)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # all is written and closed: taking the interpreter apart would take as long as its imports


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
