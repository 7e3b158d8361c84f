"""Looks at file systems and at object stores (see looking.py)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

from engine.locations.base import CopiesObjects, Kept, OpenFile
from engine.locations.etags import PLAIN_ETAG
from engine.locations.metadata import FileAttributes, metadata_of, parse_metadata
from engine.model import ADOPTED, Kind
from engine.transfer.looking import Content, ExtrasOf, Looking, Seen, Updated
from engine.transfer.reading import as_file, attributes_of
from engine.transfer.rows import Rows
from engine.transfer.shared import Shared
from engine.transfer.sides import with_extras
from engine.transfer.writing import attributing_of

if TYPE_CHECKING:
    from engine.locations.posix import PosixLocation
    from engine.locations.s3 import S3Location
    from engine.locations.s3_objects import S3File


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
        if b"\\" in path and not self._location.capabilities.keeps_backslashes:
            return None  # the server would tell of another object
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


class LookingBetweenStores(LookingAtObjects):
    """At an object store, for objects: all that they have besides their content goes along as it is."""

    def update(self, row: int, content: Content, etag: str) -> Updated:
        """Have the store copy the object onto itself with the metadata and content headers of its source."""
        kept = content.file.kept
        assert kept is not None
        if not all(text.isascii() for text in kept.metadata.values()):
            return Updated(done=False)  # boto3 sends no others
        replaced = self._location.replace_metadata(self._rows.path(row), etag, kept.metadata, kept.headers)
        return Updated(bool(replaced.etag), replaced.etag, replaced.held_back)

    def _adopt(self, row: int) -> bool:
        """Take an object of equal ETag, stored checksum or content for the row's copy, or of the time it tells of."""
        if not self._rows.is_file(row):
            return super()._adopt(row)
        path = self._rows.path(row)
        try:
            there = self._location.open_file(path, 0, 0)
        except FileNotFoundError:
            return False
        there.close()
        here = self._source.open_file(path, 0, 0)
        here.close()
        same, how = self._compare(row, here, there)
        if not same or here.kept is None or self._tags_differ(path, here.kept, there.kept):
            return False
        content = Content(here, *attributes_of(here), there.stored_checksum)
        if _is_alike(here.kept, there.kept):
            self._skip(row, ADOPTED, content.found, there.stored_checksum, there.kept.etag, how)
            return True
        return self._updated(row, content, there.kept.etag, how)

    def _compare(self, row: int, here: OpenFile, there: S3File) -> tuple[bool, str | None]:
        """Whether the content is taken for the same, and what proves it."""
        assert here.kept is not None
        if here.identity.size != there.identity.size:
            return False, None
        if here.kept.etag and here.kept.etag == there.kept.etag:
            return True, "etag" if len(here.kept.etag) == PLAIN_ETAG else None
        if here.stored_checksum is not None and there.stored_checksum is not None:
            return here.stored_checksum == there.stored_checksum, "stored-checksum"
        if self._shared.config.options.checksum:
            return self._is_content(row, here, there.stored_checksum), "stored-checksum"
        told, expected = (parse_metadata(file.kept.metadata).mtime_ns for file in (there, here) if file.kept)
        return self._same_time(told, expected), None

    def _is_content(self, row: int, here: OpenFile, checksum: int | None) -> bool:
        """Whether what is at the source, and still is ``here``, has this checksum."""
        content = None if checksum is None else self._content(row)
        if content is None:
            return False
        content.file.close()
        return content.checksum == checksum and content.file.identity == here.identity

    def _tags_differ(self, path: bytes, here: Kept, there: Kept) -> bool:
        """Whether they have to be sent again for their tags, which are not part of a copy onto itself."""
        if self._shared.config.options.object_tags != "PRESERVE" or here.tags == there.tags == 0:
            return False
        sides = (cast("CopiesObjects", side) for side in (self._source, self._location))
        return here.tags != there.tags or len({frozenset(parse_qsl(side.tags(path))) for side in sides}) > 1


def _is_alike(here: Kept, there: Kept) -> bool:
    """Whether both have the same metadata and content headers; a type that nobody gave is the store's own."""
    given = {"content-type": there.headers.get("content-type", ""), **here.headers}
    return here.metadata == there.metadata and given == {"content-type": "", **there.headers}


def looking_for(
    shared: Shared, rows: Rows, small: int, allowed: Callable[[], bool], extras_of: ExtrasOf
) -> Looking | None:
    """The looks of a unit, or None if none of its rows needs one."""
    if not rows.has("look") and shared.config.options.overwrite_mode != "NEWER":
        return None
    kind: type[Looking] = LookingAtObjects
    if shared.destination.capabilities.transport == "files":
        kind = LookingAtFiles
    elif shared.source.capabilities.transport == "objects":
        kind = LookingBetweenStores
    return kind(shared, rows, small, allowed, extras_of)
