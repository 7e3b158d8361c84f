"""Looks at file systems and at object stores (see looking.py)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from engine.locations.metadata import FileAttributes, metadata_of, parse_metadata
from engine.model import Kind
from engine.transfer.looking import Content, ExtrasOf, Looking, Seen, Updated
from engine.transfer.reading import as_file
from engine.transfer.rows import Rows
from engine.transfer.shared import Shared
from engine.transfer.sides import with_extras
from engine.transfer.writing import attributing_of

if TYPE_CHECKING:
    from engine.locations.posix import PosixLocation
    from engine.locations.s3 import S3Location


class LookingAtFiles(Looking):
    """At a destination of files."""

    def see(self, row: int) -> Seen | None:
        """The file or link at ``row``, if there is one."""
        try:
            folder = self._location.folders.open(self._rows.dirs[row])
            found = os.stat(self._rows.names[row], dir_fd=folder.fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        uid, gid = (found.st_uid, found.st_gid) if os.geteuid() == 0 else (None, None)  # only root may set them
        told = FileAttributes(stat.S_IMODE(found.st_mode), None, uid, gid, found.st_mtime_ns)
        return Seen(found.st_size, told, stat.S_ISLNK(found.st_mode))

    def update(self, row: int, content: Content, etag: str) -> Updated:
        """Set mode, owner, xattrs and times of a file that has the size it was given."""
        folder = self._location.folders.open(self._rows.dirs[row])
        try:
            fd = os.open(self._rows.names[row], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder.fd)
        except OSError:
            return Updated(done=False)  # gone, or something else now, or not to be read: it is sent
        try:
            if os.fstat(fd).st_size != content.found.size:
                return Updated(done=False)
            extras = self._extras_of(row, content.file)
            found = as_file(content.file, content.found)
            attributing_of(self._shared).apply(fd, found, content.atime_ns, extras.xattrs)
            self._rows.links[row] = extras.link or None
            os.fsync(fd)
        finally:
            os.close(fd)
        return Updated(done=True)

    @property
    def _location(self) -> PosixLocation:
        return cast("PosixLocation", self._shared.destination)


class LookingAtObjects(Looking):
    """At an object store."""

    def see(self, row: int) -> Seen | None:
        """What HEAD says of the object, or of the folder's marker."""
        path = self._rows.path(row)
        try:
            is_marker = path and not self._rows.is_file(row)
            file = self._location.open_file(path + b"/" if is_marker else path, 0, 0)
        except FileNotFoundError:
            return None
        etag = file.kept.etag
        file.close()
        told = parse_metadata(file.kept.metadata)
        is_link = told.kind is Kind.SYMLINK and self._rows.kinds[row] != Kind.SYMLINK
        return Seen(file.identity.size, told, is_link, etag, file.stored_checksum)

    def update(self, row: int, content: Content, etag: str) -> Updated:
        """Have the store copy the object onto itself with the metadata that the file has now."""
        found = as_file(content.file, content.found)
        path, options = self._rows.path(row), self._shared.config.options
        metadata = metadata_of(
            self._rows.kinds[row], found.mode, found.uid, found.gid, found.mtime_ns, content.atime_ns, options, path
        )
        extras = self._extras_of(row, content.file)
        if extras:
            metadata, _ = with_extras(self._shared, path, metadata, extras, self._allowed)
        replaced = self._location.replace_metadata(path, etag, metadata)
        return Updated(bool(replaced.etag), replaced.etag, replaced.held_back)

    @property
    def _location(self) -> S3Location:
        return cast("S3Location", self._shared.destination)


def looking_for(
    shared: Shared, rows: Rows, small: int, allowed: Callable[[], bool], extras_of: ExtrasOf
) -> Looking | None:
    """The looks of a unit, or None if none of its rows needs one."""
    if not rows.has("look") and shared.config.options.overwrite_mode != "NEWER":
        return None
    to_files = shared.destination.capabilities.transport == "files"
    return (LookingAtFiles if to_files else LookingAtObjects)(shared, rows, small, allowed, extras_of)
