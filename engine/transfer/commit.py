"""Gives written temporaries their names: sync, read back, rename, and fsync of every folder touched, in this order."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from engine.locations.posix_files import remove_empty
from engine.locations.posix_folders import MOVED, Folder, Folders
from engine.locations.posix_twins import refuse_twin
from engine.transfer.crt import crc64nvme
from engine.transfer.readback import checksum_of, open_unread
from engine.transfer.rows import Rows
from engine.transfer.system import rename_new, syncfs
from engine.transfer.units import WAITS
from engine.transfer.writing import write_reason_of


class Written(NamedTuple):
    """A temporary that waits for its name. ``is_link``: a symlink, whose content is its target.

    ``proven``: how the content was found to be what the source holds, if that tells. ``is_hard_link``: its content is
    under another name already.
    """

    row: int
    folder: Folder
    temporary: bytes
    size: int
    checksum: int
    is_link: bool = False
    proven: str | None = None
    is_hard_link: bool = False
    is_device: bool = False


class Commit:
    """Resolves the rows of written temporaries; what gets no name is removed.

    ``devices``: a folder of each file system, opened by the unit alone before it wrote there: who shares one may miss
    that a write failed. ``folders``: of the destination. ``waits``: what a folder keeps from its name is RELEASED until
    what is in the folder is deleted.
    """

    def __init__(
        self,
        rows: Rows,
        allowed: Callable[[], bool],
        *,
        devices: Iterable[Folder],
        replaces: bool,
        verifies: bool,
        folders: Folders,
        waits: bool = False,
    ) -> None:
        self._rows = rows
        self._allowed = allowed
        self._devices = devices
        self._replaces = replaces
        self._verifies = verifies
        self._folders = folders
        self._waits = waits

    def run(
        self,
        written: Sequence[Written],
        step: memoryview,
        *,
        synced: bool,
        counts: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Commit all; ``synced``: each is on its device already. ``step`` is a buffer.

        ``counts`` is told how many got a name before the last row of a unit is resolved, which ends the unit.
        """
        if not synced:
            written = self._sync(written)
        if self._verifies:
            written = [entry for entry in written if self._same(entry, step)]
        named = [entry for entry in self._in_place(written) if self._name(entry)]
        counts(len(named))
        self._keep_names({entry.folder.fd: entry.folder for entry in named}, named)

    def _sync(self, written: Sequence[Written]) -> Sequence[Written]:
        try:
            for folder in self._devices:
                syncfs(folder.fd)
        except OSError as error:
            for entry in written:
                self._fail(entry, *write_reason_of(error))
            return []
        return written

    def _in_place(self, written: Sequence[Written]) -> Sequence[Written]:
        """Those whose folder is where it was; the others are failed."""
        dirs = {(entry.folder.fd, self._rows.dirs[entry.row]) for entry in written}
        moved = {fd for fd, path in dirs if not self._folders.leads_to(path, fd)}
        for entry in written:
            if entry.folder.fd in moved:
                self._fail(entry, MOVED, "something else is there now")
        return [entry for entry in written if entry.folder.fd not in moved] if moved else written

    def _same(self, entry: Written, step: memoryview) -> bool:
        """Whether the device holds what was read; else the row is failed."""
        if entry.is_hard_link or entry.is_device:
            return True
        try:
            checksum = self._read_back(entry, step)
        except OSError as error:
            self._fail(entry, *write_reason_of(error))
            return False
        if checksum != entry.checksum:
            self._fail(entry, "checksum mismatch", "the destination holds something else than was written")
        return checksum == entry.checksum

    def _read_back(self, entry: Written, step: memoryview) -> int:
        if entry.is_link:
            return crc64nvme(os.readlink(entry.temporary, dir_fd=entry.folder.fd))
        fd = open_unread(entry.temporary, entry.folder.fd)
        try:
            return checksum_of(fd, 0, entry.size, step)
        finally:
            os.close(fd)

    def _name(self, entry: Written) -> bool:
        """Give one temporary its name; False if its row is resolved otherwise."""
        name, dir_fd = self._rows.names[entry.row], entry.folder.fd
        if not self._allowed():
            self._discard(entry)
            self._rows.released(entry.row)
            return False
        try:
            if self._replaces and self._folders.folds:
                _rename_over_itself(entry.temporary, name, dir_fd)
            elif self._replaces:
                _rename_over(entry.temporary, name, dir_fd)
            else:
                rename_new(entry.temporary, name, dir_fd)
        except FileExistsError:
            self._discard(entry)
            self._rows.skipped(entry.row, "exists")
            return False
        except OSError as error:
            if self._waits and error.errno == errno.ENOTEMPTY:
                self._discard(entry)
                self._rows.released(entry.row, WAITS)
            else:
                self._fail(entry, *write_reason_of(error))
            return False
        if entry.is_hard_link:
            self._discard(entry)  # a rename onto another name of the same file leaves both
        return True

    def _keep_names(self, folders: dict[int, Folder], named: Sequence[Written]) -> None:
        """Make the names durable, then resolve the rows."""
        broken: dict[int, OSError] = {}
        for fd in folders:
            try:
                os.fsync(fd)
            except OSError as error:
                broken[fd] = error
        verified = "read-back" if self._verifies else None
        for entry in named:
            if entry.folder.fd in broken:
                self._rows.failed(entry.row, *write_reason_of(broken[entry.folder.fd]))
            elif entry.is_hard_link:
                self._rows.linked(entry.row)
            else:
                how = None if entry.is_device else entry.proven or verified
                self._rows.transferred(entry.row, entry.size, entry.checksum, "", how)

    def _fail(self, entry: Written, reason: str, detail: str) -> None:
        self._discard(entry)
        self._rows.failed(entry.row, reason, detail)

    def _discard(self, entry: Written) -> None:
        with suppress(OSError):
            os.unlink(entry.temporary, dir_fd=entry.folder.fd)


def _rename_over_itself(temporary: bytes, name: bytes, dir_fd: int) -> None:
    """Rename over an entry of this very spelling, or nothing."""
    try:
        rename_new(temporary, name, dir_fd)
    except FileExistsError:
        refuse_twin(name, dir_fd)
        _rename_over(temporary, name, dir_fd)


def _rename_over(temporary: bytes, name: bytes, dir_fd: int) -> None:
    """Rename over whatever is there; a folder must be empty."""
    try:
        os.rename(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
            raise
        remove_empty(name, dir_fd)
        os.rename(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
