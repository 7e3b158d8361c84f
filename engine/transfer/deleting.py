"""Deletes entries of the destination that the source does not have. Each is looked for at the source just before.

The order matters: look for the entries, then see that the source still is what it was, then delete. A mount that
vanishes makes everything look absent, and is seen by the look that comes after.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Sequence
from typing import cast

from engine.errors import LocationError
from engine.locations.absence import Look, spellings
from engine.locations.base import Inspects
from engine.locations.posix import PosixLocation
from engine.locations.posix_files import is_temporary
from engine.locations.posix_folders import FOLDER_FLAGS
from engine.model import Action, Kind
from engine.names import is_always_excluded, is_safe_relative
from engine.transfer.folders import sync_folders
from engine.transfer.rows import Rows
from engine.transfer.shared import Shared
from engine.transfer.units import DeleteUnit, UnitOutcome, from_ipc, to_ipc
from engine.transfer.writing import write_reason_of

CHUNK_ROWS = 500
"""Entries that are looked for at once; the source is looked at again before they go."""

AT_SOURCE = "is at the source again"
UNKNOWN = "not known to be absent at the source"
CHANGED = "changed at the destination"

FOLDER, FILE, SYMLINK, SPECIAL = map(int, (Kind.FOLDER, Kind.FILE, Kind.SYMLINK, Kind.SPECIAL))

_KINDS = {stat.S_IFDIR: FOLDER, stat.S_IFREG: FILE, stat.S_IFLNK: SYMLINK}


_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)


class ChangedError(Exception):
    """What is there is not what was listed."""


def delete_entries(shared: Shared, unit: DeleteUnit, agent: str) -> UnitOutcome:
    """Do a whole DeleteUnit. ``fatal`` if the source is not what it was: then nothing more is deleted."""
    began = time.monotonic()
    rows = Rows(from_ipc(unit.entries), lambda: None)
    problem = source_problem(shared)
    for start in range(0, rows.count, CHUNK_ROWS):
        chunk = range(start, min(rows.count, start + CHUNK_ROWS))
        allowed = not problem and shared.gate.enter(lambda: shared.control.allows(unit.epoch))
        if not allowed:
            for row in chunk:
                rows.released(row)
            continue
        try:
            problem = _delete_chunk(shared, unit, rows, chunk)
        finally:
            shared.gate.leave()
    if shared.destination.capabilities.real_folders and rows.count:
        sync_folders(shared)  # or a crash of this host brings back what is recorded as gone
    table = rows.table(agent)
    if unit.old_form:
        table = table.filter([action != Action.DELETED for action in rows.actions])
    return UnitOutcome(unit.id, unit.epoch, to_ipc(table), fatal=problem, seconds=time.monotonic() - began)


def source_problem(shared: Shared) -> str:
    """Why the source cannot be asked what it lacks; empty if it can."""
    problem = shared.source_problem()
    if problem:
        return problem
    try:
        shared.source.check_source()
    except LocationError as error:
        return str(error)
    return ""


def _delete_chunk(shared: Shared, unit: DeleteUnit, rows: Rows, chunk: range) -> str:
    """Delete those rows that are absent at the source; returns why the source cannot be trusted any more, if so."""
    try:
        absent = _absent(shared, unit, rows, chunk)
        problem = source_problem(shared)
    except (OSError, LocationError) as error:
        absent, problem = [], f"the source cannot be reached any more: {error}"
    if problem:
        for row in chunk:
            rows.released(row)
        return problem
    if shared.destination.capabilities.transport == "objects":
        _delete_objects(shared, unit, rows, absent)
    else:
        for row in absent:
            if shared.control.allows(unit.epoch):
                _delete_file(shared, rows, row)
            else:
                rows.released(row)
    shared.count(sum(rows.actions[row] == Action.DELETED for row in chunk), 0)
    return ""


def _absent(shared: Shared, unit: DeleteUnit, rows: Rows, chunk: range) -> list[int]:
    """The rows that are not at the source; the others are resolved. Raises OSError if its root cannot be opened."""
    is_objects = shared.destination.capabilities.transport == "objects"
    absent = []
    with Look(shared.source) as look:
        for row in chunk:
            path, folder = rows.path(row), rows.kinds[row] == FOLDER
            try:
                paths = spellings(path) if is_objects else [path]
                kinds = {look.kind_at(each, folder=folder) for each in paths} - {None}
            except (OSError, LocationError) as error:
                rows.not_deleted(row, UNKNOWN, str(error))
                continue
            again = (Kind.FOLDER in kinds if folder else Kind.FILE in kinds) if unit.old_form else bool(kinds)
            if not path or not is_safe_relative(path) or is_always_excluded(path):
                rows.not_deleted(row, "never deleted")
            elif again:
                rows.not_deleted(row, AT_SOURCE)
            else:
                absent.append(row)
    return absent


def _delete_objects(shared: Shared, unit: DeleteUnit, rows: Rows, chunk: Sequence[int]) -> None:
    if not shared.control.allows(unit.epoch):
        for row in chunk:
            rows.released(row)
        return
    keys = {rows.path(row) + (b"/" if rows.kinds[row] == FOLDER else b""): row for row in chunk}
    for path, reason in cast("Inspects", shared.destination).remove(keys):
        rows.not_deleted(keys[path], "refused by the destination", reason)
    for row in chunk:
        rows.deleted(row)  # unless it is resolved already


def _delete_file(shared: Shared, rows: Rows, row: int) -> None:
    folders = cast("PosixLocation", shared.destination).folders
    path, kind = rows.path(row), rows.kinds[row]
    size, mtime_ns = rows.listed("size")[row], rows.listed("mtime_ns")[row]

    def remove(name: bytes, dir_fd: int) -> None:
        found = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        if _KINDS.get(stat.S_IFMT(found.st_mode), SPECIAL) != (SPECIAL if kind == Kind.DEVICE else kind):
            raise ChangedError
        if kind == FOLDER:
            _remove_folder(name, dir_fd)
        elif kind in (FILE, SYMLINK) and (found.st_size, found.st_mtime_ns) != (size, mtime_ns):
            raise ChangedError
        else:
            os.unlink(name, dir_fd=dir_fd)

    try:
        if kind == FOLDER:
            folders.forget(path)
        try:
            folders.within(path, remove)
        except PermissionError:
            parent = path.rpartition(b"/")[0]
            folders.forget(parent)
            folders.open(parent, create=True)  # makes it writable for us
            folders.within(path, remove)
    except ChangedError:
        rows.not_deleted(row, CHANGED)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            rows.deleted(row)  # gone already, by an earlier session or somebody else
        elif error.errno in _NOT_EMPTY:
            rows.not_deleted(row, "folder not empty")
        else:
            rows.not_deleted(row, *write_reason_of(error))
    else:
        rows.deleted(row)


def _remove_folder(name: bytes, dir_fd: int) -> None:
    """Remove a folder that holds at most what killed agents have left."""
    try:
        os.rmdir(name, dir_fd=dir_fd)
        return
    except OSError as error:
        if error.errno not in _NOT_EMPTY:
            raise
        not_empty = error
    fd = os.open(name, FOLDER_FLAGS, dir_fd=dir_fd)
    try:
        left = [os.fsencode(each) for each in os.listdir(fd)]
        if not all(map(is_temporary, left)):
            raise not_empty
        for each in left:
            os.unlink(each, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=dir_fd)
