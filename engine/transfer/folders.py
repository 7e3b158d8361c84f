"""Gives destination folders their final owner, mode and times, once nothing is written into them any more."""

from __future__ import annotations

import os
import time
from typing import cast

from engine.locations.posix import PosixLocation
from engine.names import OWN_PREFIX
from engine.transfer.rows import Rows
from engine.transfer.shared import Shared
from engine.transfer.system import syncfs, syncfs_proves
from engine.transfer.units import FoldersUnit, UnitOutcome, from_ipc, to_ipc
from engine.transfer.writing import Attributing, write_reason_of


def finish_folders(shared: Shared, unit: FoldersUnit, agent: str) -> UnitOutcome:
    """Do a whole FoldersUnit. An object store has no folders to finish: its markers carry their attributes already."""
    began = time.monotonic()
    rows = Rows(from_ipc(unit.entries), lambda: None)
    attributing = Attributing(shared.config.options)
    unowned: list[int] = []
    for row in range(rows.count):
        if not shared.control.allows(unit.epoch):
            rows.released(row)
        elif not shared.destination.capabilities.real_folders:
            rows.transferred(row, 0, None)
        else:
            _finish_folder(shared, rows, row, attributing, unowned, sweep=unit.sweep)
    if shared.destination.capabilities.real_folders and syncfs_proves() and rows.count:
        _sync(shared)
    return UnitOutcome(unit.id, unit.epoch, to_ipc(rows.table(agent)), seconds=time.monotonic() - began)


def _finish_folder(
    shared: Shared, rows: Rows, row: int, attributing: Attributing, unowned: list[int], *, sweep: bool
) -> None:
    folders = cast("PosixLocation", shared.destination).folders
    path = rows.path(row)
    try:
        folder = folders.open(path, create=True)
        if sweep:
            _sweep(folder.fd)
        atime_ns = rows.listed("atime_ns")[row] or 0
        owned = attributing.apply(folder.fd, rows.found_in_listing(row), atime_ns)
    except OSError as error:
        rows.failed(row, *write_reason_of(error))
        return
    if not owned:
        unowned.append(row)
    first = not owned and len(unowned) == 1
    rows.transferred(row, 0, None, detail="owner not kept: this account may not set it" if first else None)


def _sweep(fd: int) -> None:
    """Remove temporaries of agents that were killed. Nothing else writes to the destination by now."""
    with os.scandir(fd) as entries:
        left = [entry.name for entry in entries if os.fsencode(entry.name).startswith(OWN_PREFIX)]
    for name in left:
        os.unlink(name, dir_fd=fd)


def _sync(shared: Shared) -> None:
    syncfs(cast("PosixLocation", shared.destination).folders.open(b"").fd)
