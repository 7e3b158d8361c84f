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
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from engine import errors, home
from engine.decoding import from_json
from engine.errors import JournalError, RefusedError, StorageFullError, UsageError, XsyncError
from engine.execution.earlier import Earlier, Left, differences, look_back, resumable, telling
from engine.execution.listed_before import ListedBefore, listed_before
from engine.locks import runner_lock
from engine.model import Event, Limit, Migration, Status
from engine.quantities import format_bytes

REFUSAL = "refused.json"
"""Written into an execution's folder by a runner that did not accept it."""

RUNNER_LOG = "runner.log"
"""What a runner prints: only what no journal could take."""

_DEFAULTS = {"PYTHONFAULTHANDLER": "1"}
"""A runner or agent that crashes in a library leaves in its log where each of its threads was."""

FULL_BYTES = 16 << 20
"""With less free than this a state folder's disk is called full: a segment and the journal's log may not fit."""

START_SECONDS = 60.0
"""How long a runner may take to accept or refuse."""


class RunRequest(msgspec.Struct, frozen=True):
    """What to run: a migration, and the name of the profile it came from."""

    migration: Migration
    profile: str | None = None


class Launched(msgspec.Struct, frozen=True):
    """A runner that accepted its execution. ``continued``: it goes on with an interrupted one.

    ``listed``: what that does not list again. ``changed``: what is new in that, each key with words for it; ``left``:
    interrupted ones that are not continued.
    """

    execution: str
    folder: Path
    continued: bool
    process: subprocess.Popen[bytes]
    listed: ListedBefore | None = None
    changed: tuple[tuple[str, str], ...] = ()
    left: tuple[Left, ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """Why a runner did not accept an execution: the error's class and message."""

    error: str
    message: str


def start(request: RunRequest, *, detached: bool) -> Launched:
    """Run a migration: continue its interrupted execution if it means the same, else begin a new one in its place.

    Raises SourceError, DestinationError, BusyError and other XsyncErrors; then no new execution is left behind.
    """
    migration = frozen(request)
    earlier = look_back(migration)
    if earlier.continues is None:
        launched = begin(_create(migration, earlier.superseded), detached=detached)
    else:
        _refuse_after_hand_over(earlier.continues)
        _renew(earlier.continues, migration, earlier)
        launched = _launch(earlier.continues, detached=detached, continued=True)
    left = tuple(_as_it_came(each, launched.folder) for each in earlier.left)
    return msgspec.structs.replace(launched, changed=earlier.changed, left=left)


def begin(folder: Path, *, detached: bool) -> Launched:
    """Run the new execution in ``folder``; if it is not accepted, its folder goes and an XsyncError is raised."""
    try:
        launched = _launch(folder, detached=detached, continued=False)
        return msgspec.structs.replace(launched, left=_superseded(folder))
    except XsyncError:
        if not _has_taken_over(folder):
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
    if snapshot.superseded_by:
        raise superseded_error(snapshot.execution, snapshot.superseded_by)
    if not resumable(snapshot.status, snapshot.totals.files.pending, snapshot.totals.listing_complete):
        raise UsageError(f"{snapshot.execution} ended as {snapshot.status}: start a new run instead")
    return _launch(folder, detached=detached, continued=True)


def superseded_error(execution: str, by: str) -> RefusedError:
    """Why an execution is not gone on with whose place another has taken."""
    return RefusedError(
        f"{execution} was superseded by {by}: to go on with it would put what it knew in the place of what is known "
        f"since. What it had copied counts. See the newer one: xsync status {by}"
    )


def frozen(request: RunRequest) -> Migration:
    """The migration of a request as an execution keeps it. Raises UsageError, JournalError for its manifest."""
    from engine.execution.manifests import with_frozen_manifest

    named = msgspec.structs.replace(request.migration, name=request.profile or request.migration.name)
    return with_frozen_manifest(named, home.find_home())


def _renew(folder: Path, migration: Migration, earlier: Earlier) -> None:
    """Put into an interrupted execution what is new, for its runners from now on. Raises BusyError, JournalError."""
    from engine.journal.writer import Journal

    keys = [key for key, _ in earlier.changed]
    if not keys and not earlier.superseded:
        return
    with runner_lock(folder), Journal.open(folder) as journal, journal.transaction():
        journal.set_migration(migration, time.time())
        journal.add_supersedes(earlier.superseded)
        if keys:
            words = ", ".join(words for _, words in earlier.changed)
            journal.add_event(Event(time.time(), "changed", f"goes on with what was asked for now: {words}"))
        if {"options.bytes_per_second", "network.timetable"}.intersection(keys):
            journal.set_limit(Limit())  # what somebody chose while it ran is older than this


def _as_it_came(left: Left, newer: Path) -> Left:
    """``left`` with what its runner finds out: it takes the place only of what is between the very same sides."""
    from engine.journal.reader import read_identities

    before = read_identities(newer.parent / left.execution)
    came = left.superseded and (not any(before) or before == read_identities(newer))
    return msgspec.structs.replace(left, superseded=came)


def _superseded(folder: Path) -> tuple[Left, ...]:
    """The executions whose place the new one in ``folder`` takes."""
    from engine.journal.reader import read_migration, read_succession

    left = []
    for name in read_succession(folder).supersedes:
        older = read_migration(folder.parent / name)
        left.append(Left(name, telling(differences(older, read_migration(folder))), True, older.name))
    return tuple(_as_it_came(each, folder) for each in left)


def _has_taken_over(folder: Path) -> bool:
    """Whether the execution in ``folder`` has taken the place of another already."""
    from engine.journal.reader import read_succession

    try:
        older = read_succession(folder).supersedes
        return any(read_succession(folder.parent / name).superseded_by == folder.name for name in older)
    except JournalError:
        return False


def create(request: RunRequest) -> Path:
    """Make the folder and journal of a new execution, also in the place of interrupted ones; nothing runs yet.

    Raises JournalError.
    """
    migration = frozen(request)
    earlier = look_back(migration)
    also = [earlier.continues.name] if earlier.continues is not None else []
    return _create(migration, also + earlier.superseded)


def _create(migration: Migration, supersedes: Sequence[str]) -> Path:
    from engine.journal.records import Execution, this_runner
    from engine.journal.writer import Journal

    now, place = time.time(), home.prepare_home()
    execution = home.new_execution_id(now, migration.name)
    folder = place.executions / execution
    Journal.create(folder, Execution(execution, migration, "", "", now), this_runner(), supersedes).close()
    return folder


def _launch(folder: Path, *, detached: bool, continued: bool) -> Launched:
    _refuse_after_hand_over(folder)
    (folder / REFUSAL).unlink(missing_ok=True)
    listed = listed_before(folder) if continued else None
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
    return Launched(folder.name, folder, continued, process, listed)


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
        refusal = from_json((folder / REFUSAL).read_bytes(), Refusal)
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
