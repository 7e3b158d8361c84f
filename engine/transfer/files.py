"""Copies small files, symlinks and folders to a file system: temporaries for the whole unit, one sync, then the names."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import NamedTuple, cast

from engine.locations.base import OpenFile
from engine.locations.posix import PosixLocation
from engine.locations.posix_files import temporary_name
from engine.locations.posix_folders import Folder
from engine.names import text_of
from engine.transfer.copying import FILE, FOLDER, SMALL_FILE, SYMLINK, Copying
from engine.transfer.reading import attributes_of, reason_of
from engine.transfer.shared import Shared
from engine.transfer.system import rename_new, syncfs, syncfs_proves
from engine.transfer.units import CopyUnit, UnitOutcome
from engine.transfer.writing import STEP, Attributing, Interrupted, checksum_of, copy_range

FULL_DISK_ROWS = 3
"""Rows in a row that find no space before the unit gives up."""


class _Written(NamedTuple):
    """A temporary that waits for its name."""

    row: int
    folder: Folder
    temporary: bytes
    size: int
    checksum: int | None  # of a file


class _WriteError(Exception):
    """The destination failed, not the source."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class FileCopying(Copying):
    """One CopyUnit on its way to a file system. Nothing has its final name before everything is on the device."""

    def __init__(self, shared: Shared, unit: CopyUnit, agent: str, on_outcome: Callable[[UnitOutcome], None]) -> None:
        super().__init__(shared, unit, agent, on_outcome)
        options = shared.config.options
        self._folders = cast("PosixLocation", shared.destination).folders
        self._limit = shared.destination.capabilities.max_name_bytes
        self._attributing = Attributing(options)
        self._replaces = options.overwrite_mode == "ALWAYS"
        self._verifies = options.verify_mode == "ONLY_FILES_TRANSFERRED"
        self._syncs_each = shared.destination.capabilities.network or not syncfs_proves()
        self._written: list[_Written] = []
        self._unowned: list[int] = []
        self._lock = threading.Lock()
        self._to_write = self.rows.count
        self._full = 0
