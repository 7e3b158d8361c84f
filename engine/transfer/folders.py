"""Gives destination folders their final owner, mode and times, once nothing is written into them any more."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import cast

import pyarrow as pa

from engine.locations.base import HasExtras, RequestError
from engine.locations.extras import Xattrs
from engine.locations.listing import LEADER
from engine.locations.posix import PosixLocation
from engine.locations.posix_folders import Folder, Folders
from engine.names import OWN_PREFIX
from engine.transfer.files import remove_obstacle
from engine.transfer.linking import HARD_LINK, relink
from engine.transfer.markers import folder_at
from engine.transfer.patience import patiently
from engine.transfer.rows import Found, Rows
from engine.transfer.shared import Shared
from engine.transfer.system import syncfs, syncfs_proves
from engine.transfer.units import RESULT_SCHEMA, FoldersUnit, UnitOutcome, from_ipc, to_ipc
from engine.transfer.writing import Attributing, attributing_of, write_reason_of


def finish_folders(shared: Shared, unit: FoldersUnit, agent: str) -> UnitOutcome:
    """Do a whole FoldersUnit, or one of restored hard links, which come before.

    An object store has no folders to finish: its markers carry their attributes already.
    """
    began = time.monotonic()
    entries = from_ipc(unit.entries)
    if LEADER in entries.column_names:
        return _relink(shared, unit, entries)
    rows = Rows(entries, lambda: None)
    attributing = attributing_of(shared) if shared.destination.capabilities.real_folders else None
    not_kept: Counter[str] = Counter()

    def allowed() -> bool:
        return shared.control.allows(unit.epoch)

    for row in range(rows.count):
        if not allowed():
            rows.released(row)
        elif attributing is None:
            rows.transferred(row, 0, None)
        else:
            not_kept.update(_finish_folder(shared, rows, row, attributing, allowed, sweep=unit.sweep))
    if shared.destination.capabilities.real_folders and syncfs_proves() and rows.count:
        sync_folders(shared)
    seconds = time.monotonic() - began
    return UnitOutcome(unit.id, unit.epoch, to_ipc(rows.table(agent)), seconds=seconds, not_kept=dict(not_kept))


def _relink(shared: Shared, unit: FoldersUnit, entries: pa.Table) -> UnitOutcome:
    """Make files that were restored names of one file again. They are counted already: there are no results."""
    began = time.monotonic()
    destination = cast("PosixLocation", shared.destination)
    missed = 0
    for row in entries.to_pylist():
        path = row["dir"] + b"/" + row["name"] if row["dir"] else row["name"]
        if not shared.control.allows(unit.epoch):
            break
        try:
            missed += not relink(destination, path, row[LEADER])
        except OSError:
            missed += 1
    sync_folders(shared)
    not_kept = {HARD_LINK: missed} if missed else {}
    nothing = to_ipc(RESULT_SCHEMA.empty_table())
    return UnitOutcome(unit.id, unit.epoch, nothing, seconds=time.monotonic() - began, not_kept=not_kept)


def _finish_folder(
    shared: Shared, rows: Rows, row: int, attributing: Attributing, allowed: Callable[[], bool], *, sweep: bool
) -> tuple[str, ...]:
    folders = cast("PosixLocation", shared.destination).folders
    path = rows.path(row)
    try:
        replaces = shared.config.options.overwrite_mode != "NEVER"
        folder = _open_folder(folders, path, replaces=replaces)
        if not folders.leads_to(path, folder.fd):
            folder = _open_folder(folders, path, replaces=replaces)
        if sweep:
            sweep_folder(folder.fd)
        found, atime_ns = _attributes(shared, rows, row, allowed)
        missed = attributing.apply(folder.fd, found, atime_ns, _xattrs(shared, path, allowed))
    except RequestError as error:
        rows.failed(row, "unreadable", str(error))
        return ()
    except OSError as error:
        rows.failed(row, *write_reason_of(error))
        return ()
    rows.transferred(row, 0, None)
    return missed


def _open_folder(folders: Folders, path: bytes, *, replaces: bool) -> Folder:
    """The folder at ``path``, made if missing; a file or link in its way gives way."""
    try:
        return folders.open(path, create=True)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP) or not replaces:
            raise
    remove_obstacle(folders, path)
    return folders.open(path, create=True)


def _attributes(shared: Shared, rows: Rows, row: int, allowed: Callable[[], bool]) -> tuple[Found, int]:
    """Of a folder as listed, and its access time; in an object store, as its marker has them."""
    found = rows.found_in_listing(row)
    if shared.source.capabilities.transport == "files":
        return found, rows.listed("atime_ns")[row] or 0
    return folder_at(shared, rows.path(row), found, allowed)


def _xattrs(shared: Shared, path: bytes, allowed: Callable[[], bool]) -> Xattrs:
    """The xattrs of a folder at the source; none if it is gone by now."""
    source = shared.source
    if not isinstance(source, HasExtras):
        return ()
    try:
        return patiently(shared, allowed, lambda: source.extras(path).xattrs)
    except (FileNotFoundError, NotADirectoryError):
        return ()


def sweep_folder(fd: int) -> None:
    """Remove temporaries of agents that were killed. Nothing else writes to the destination by now. Raises OSError."""
    with os.scandir(fd) as entries:
        left = [entry.name for entry in entries if os.fsencode(entry.name).startswith(OWN_PREFIX)]
    for name in left:
        os.unlink(name, dir_fd=fd)


def sync_folders(shared: Shared) -> None:
    """Make what was done to names and folders of the destination durable. Raises OSError."""
    syncfs(cast("PosixLocation", shared.destination).folders.open(b"").fd)
