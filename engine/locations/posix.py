"""Folders of mounted file systems: local disks, NFS, SMB, Lustre."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import (
    DestinationError,
    ExistsError,
    LocationError,
    SourceError,
    UploadGoneError,
    WrongDestinationError,
    WrongSourceError,
)
from engine.locations.base import NO_HEADERS, Capabilities, Made, OpenFile, OpenUpload, PartResult, StoredObject, Trial
from engine.locations.extras import EXTRAS, NOTHING, Extras, Xattrs, decode, lengths_of
from engine.locations.listing import Rest, ScanBatch, ScanLimit, Selector
from engine.locations.metadata import metadata_of, parse_metadata
from engine.locations.mounts import Mount, describe_mount, mount_of, path_in_volume, read_mounts
from engine.locations.posix_canary import try_out
from engine.locations.posix_files import XATTRS, PosixFile, open_regular, remove_empty, set_attributes, temporary_name
from engine.locations.posix_folders import FOLDER_FLAGS, MOVED, Folders
from engine.locations.posix_scan import scan_folders
from engine.locations.posix_twins import folds_names, refuse_twin
from engine.locations.posix_xattrs import beneath, keeps_xattrs, read_xattrs
from engine.locations.registry import file_path
from engine.model import Fate, Kind, LocationSpec, TransferOptions
from engine.names import OWN_PREFIX, is_excluded_name, text_of

MAX_PATH_BYTES = 4_095
"""PATH_MAX of Linux without its NUL: longer paths exist, but hardly a program can name them."""

_ALL_ATTRIBUTES = TransferOptions()
_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.SYMLINK}


class PosixLocation:
    """A folder and everything below it. Nothing outside it is ever opened, made or removed. For many threads."""

    def __init__(self, spec: LocationSpec) -> None:
        self.url = spec.url
        self.root = file_path(spec.url)
        self._text = text_of(self.root)
        self.folders = Folders(self.root)
        self._device: int | None = None
        self.not_kept: Counter[str] = Counter()
        """How many large files went without what (posix_files.OWNER and its like)."""
        mount = self._mount()
        self.capabilities = Capabilities(
            scheme="file",
            transport="files",
            stable_inodes=mount.stable_inodes,
            checks_checksums=False,
            real_folders=True,
            max_file_bytes=mount.max_file_bytes,
            max_parts=1_000_000,
            max_key_bytes=MAX_PATH_BYTES - len(self.root) - 1,
            max_name_bytes=_longest_name(self.root),
            network=mount.is_network,
        )

    def close(self) -> None:
        """Close folders kept open."""
        self.folders.close()

    def identity(self) -> str:
        """The export or file-system id, the path in it, and the folder's inode: the same wherever it is mounted.

        The inode tells a folder that was removed and made anew: what was known about the old one is not true of it.
        """
        path = os.path.realpath(self.root)
        mount = self._mount()
        if mount.is_network:
            volume = mount.source
        else:
            fsid = os.statvfs(_nearest_folder(path)).f_fsid
            volume = f"{fsid:016x}" if fsid else f"{mount.type}:{mount.source}"
        return f"file {volume} /{text_of(path_in_volume(path, mount))}{self._inode(path, mount)}"

    def describe(self) -> str:
        """The mount, what could make it faster, and whether the folder is empty."""
        empty = ", empty" if self.is_empty() else ""
        return describe_mount(self._mount()) + empty

    def check_source(self) -> None:
        """Raise SourceError unless the folder can be listed. An empty one passes; ``describe`` says so."""
        try:
            fd = os.open(self.root, FOLDER_FLAGS & ~os.O_NOFOLLOW)
            try:
                with os.scandir(fd) as entries:
                    next(entries, None)
                os.stat(b".", dir_fd=fd)
            finally:
                os.close(fd)
        except FileNotFoundError as error:
            raise WrongSourceError(
                f"the source {self._text} does not exist. Check the path, and that its file system is mounted."
            ) from error
        except NotADirectoryError as error:
            raise WrongSourceError(
                f"the source {self._text} is not a folder. Give the folder that holds it, and an include filter."
            ) from error
        except PermissionError as error:
            raise WrongSourceError(f"the source {self._text} cannot be read: {_sentence(error)}") from error
        except OSError as error:
            raise SourceError(f"the source {self._text} cannot be read: {_sentence(error)}") from error

    def check_destination(self) -> None:
        """Raise DestinationError unless a file can be made in the folder; makes the folder if it is missing."""
        try:
            os.makedirs(self.root, exist_ok=True)
            name = temporary_name()
            folder = self.folders.open(b"", create=True)
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder.fd))
            os.unlink(name, dir_fd=folder.fd)
            self.watch_names()
        except (FileExistsError, NotADirectoryError) as error:
            raise WrongDestinationError(
                f"the destination {self._text} cannot be used: a file is where a folder should be. Choose another."
            ) from error
        except PermissionError as error:
            raise WrongDestinationError(
                f"the destination {self._text} cannot be written: {_sentence(error)}"
            ) from error
        except OSError as error:
            raise DestinationError(f"the destination {self._text} cannot be written: {_sentence(error)}") from error

    def try_out(self) -> Trial:
        """Write a small file, read it and remove it. Raises DestinationError."""
        return try_out(self.root)

    def watch_names(self) -> None:
        """Find out whether the file system folds names: then no entry may replace one that is spelled otherwise.

        Where that cannot be found out, names are watched as if it did.
        """
        try:
            self.folders.folds = folds_names(self.folders.open(b"").fd)
        except OSError:
            self.folders.folds = True

    def top_folders(self) -> list[bytes]:
        """Names of the folders directly below the root that a run enters, sorted. Raises SourceError."""
        try:
            with os.scandir(self.root) as entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError as error:
            raise self._unlisted(error, SourceError, WrongSourceError) from error
        return sorted(name for name in names if not is_excluded_name(name, at_root=True))

    def scan(self, folders: Sequence[bytes], limit: ScanLimit, selector: Selector, listing: int) -> ScanBatch:
        """List folders; see base.Lists. Raises SourceError if the root itself cannot be opened."""
        try:
            return scan_folders(self.root, folders, limit, selector, listing)
        except OSError as error:
            raise self._unlisted(error, SourceError, WrongSourceError) from error

    def scan_rest(self, rest: Rest, limit: ScanLimit, selector: Selector, listing: int) -> ScanBatch:
        """Go on with a folder; see base.ListsSlices. Raises SourceError if the root itself cannot be opened."""
        try:
            return scan_folders(self.root, (), limit, selector, listing, rest)
        except OSError as error:
            raise self._unlisted(error, SourceError, WrongSourceError) from error

    def open_file(self, path: bytes, start: int = 0, end: int | None = None) -> PosixFile:
        """Open a regular file; never waits for the other end of a FIFO. Raises OSError."""
        if self._device is None:
            self._device = os.stat(self.root).st_dev
        (fd, found), full_path = self.folders.within(path, open_regular), self.root + b"/" + path
        file = PosixFile(fd, found, full_path, self._device)
        if file.identity.device:  # the root may have been mounted anew
            self._device = os.stat(self.root).st_dev
            file = PosixFile(fd, found, full_path, self._device)
        return file

    def drop_cache(self, path: bytes) -> None:
        """Forget the pages of a file that are not to be written; see base.DropsCache. Raises OSError."""
        fd, _ = self.folders.within(path, open_regular)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)

    def read_link(self, path: bytes) -> bytes:
        """The target of a symlink. Raises OSError."""
        return self.folders.within(path, lambda name, fd: os.readlink(name, dir_fd=fd))

    def status(self, path: bytes) -> os.stat_result:
        """What is at ``path``, links not followed. Raises OSError."""
        return self.folders.within(path, lambda name, fd: os.stat(name, dir_fd=fd, follow_symlinks=False))

    @cached_property
    def keeps_xattrs(self) -> bool:
        """Whether its file system knows extended attributes."""
        return keeps_xattrs(self.root)

    def extras(self, path: bytes, file: OpenFile | None = None, *, shape: bool = False) -> Extras:
        """The xattrs and ACLs of an entry, and its shape, see base.HasExtras. Raises OSError."""
        xattrs = self._xattrs(path, file) if self.keeps_xattrs else ()
        lengths: tuple[int, ...] = ()
        link = ""
        if shape and isinstance(file, PosixFile):
            lengths = lengths_of(file.data_ranges(), file.identity.size) if file.is_sparse else ()
            if file.names > 1 and self.capabilities.stable_inodes:
                link = f"{file.identity.device:x}-{file.identity.inode:x}"
        return Extras(xattrs, lengths, link) if xattrs or lengths or link else NOTHING

    def _xattrs(self, path: bytes, file: OpenFile | None) -> Xattrs:
        if isinstance(file, PosixFile):
            return file.xattrs()
        if not path:
            return read_xattrs(self.folders.open(b"").fd)
        return self.folders.within(path, lambda name, fd: read_xattrs(beneath(fd, name)))

    def begin(self, path: bytes, size: int, metadata: dict[str, str], content: Mapping[str, str] = NO_HEADERS) -> str:
        """Make a temporary file of ``size`` bytes (a hole) beside ``path`` and return its name. Its mode is 0600."""
        temporary = temporary_name()

        def make(_: bytes, dir_fd: int) -> None:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=dir_fd)
            try:
                os.ftruncate(fd, size)
            except OSError:
                os.unlink(temporary, dir_fd=dir_fd)
                raise
            finally:
                os.close(fd)

        try:
            self.folders.within(path, make, create=True)
        except OSError as error:
            self._fail("begun", path, error)
        return os.fsdecode(temporary)

    def open_temporary(self, path: bytes, upload_id: str) -> int:
        """Open what ``begin`` made, for reading and writing at offsets; the caller closes the descriptor.

        Raises UploadGoneError if it no longer exists, DestinationError.
        """
        temporary = _checked(upload_id)
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            return self.folders.within(path, lambda _, dir_fd: os.open(temporary, flags, dir_fd=dir_fd))
        except FileNotFoundError as error:
            raise UploadGoneError(f"the temporary file of {text_of(path)} is gone") from error
        except OSError as error:
            self._fail("written", path, error)

    def complete(
        self,
        path: bytes,
        upload_id: str,
        parts: Sequence[PartResult],
        checksum: int,
        metadata: dict[str, str],
        *,
        only_new: bool = False,
    ) -> Made:
        """Give the temporary file its owner, mode and times, make it durable, then give it its name.

        The content is read back against ``checksum`` by who wrote it; here only its size is compared. An empty folder
        in the way is removed. Raises UploadGoneError, DestinationError; ExistsError if it is to be ``only_new``.
        """
        fd = self.open_temporary(path, upload_id)
        try:
            expected, found = sum(part.size for part in parts), os.fstat(fd).st_size
            if found != expected:
                raise DestinationError(f"{text_of(path)} has {found:,} bytes where {expected:,} were written")
            self._attribute(fd, metadata)
            os.fsync(fd)
            give = self._give_new_name if only_new else self._give_name

            def place(name: bytes, dir_fd: int) -> None:
                if not self.folders.leads_to(path.rpartition(b"/")[0], dir_fd):
                    raise DestinationError(f"{text_of(path)}: {MOVED}; something else is there now")
                give(_checked(upload_id), name, dir_fd)

            self.folders.within(path, place)
        except FileExistsError:
            raise ExistsError(f"{text_of(path)} is there already in {self._text}") from None
        except OSError as error:
            self._fail("completed", path, error)
        finally:
            os.close(fd)
        return Made("", None)

    def abort(self, path: bytes, upload_id: str) -> None:
        """Remove a temporary file; no error if it is gone. Raises DestinationError."""
        temporary = _checked(upload_id)
        try:
            self.folders.within(path, lambda _, dir_fd: os.unlink(temporary, dir_fd=dir_fd))
        except FileNotFoundError:
            return
        except OSError as error:
            self._fail("discarded", path, error)

    def open_uploads(self) -> Iterator[OpenUpload]:
        """Temporary files of xsync below the root; ``path`` is the temporary file's own: ``abort`` takes it too."""
        for table in self.stored():
            found = table.filter(pc.starts_with(table["name"], pattern=OWN_PREFIX))
            for row in found.select(["dir", "name", "kind", "ctime_ns"]).to_pylist():
                if row["kind"] == Kind.FILE:
                    path = row["dir"] + b"/" + row["name"] if row["dir"] else row["name"]
                    yield OpenUpload(path, os.fsdecode(row["name"]), row["ctime_ns"] / 1e9)

    def stored(self) -> Iterator[pa.Table]:
        """Everything below the root. Raises DestinationError if a folder cannot be listed."""
        folders = [b""]
        while folders:
            try:
                batch = scan_folders(self.root, folders, ScanLimit(), _Everything(), 0)
            except OSError as error:
                raise self._unlisted(error, DestinationError, WrongDestinationError) from error
            failed = batch.rows.filter(pc.is_valid(batch.rows["error"]))
            if failed.num_rows:
                row = failed.select(["dir", "name", "error"]).slice(0, 1).to_pylist()[0]
                raise DestinationError(f"{text_of(row['dir'] + b'/' + row['name'])} cannot be listed: {row['error']}")
            folders = batch.folders_left
            yield batch.rows.filter(pc.not_equal(batch.rows["kind"], int(Kind.LISTED)))

    def _unlisted(self, error: OSError, kind: type[LocationError], wrong: type[LocationError]) -> LocationError:
        """Why the root cannot be listed; ``wrong`` if it is not there. Either side may be listed as a source is."""
        if isinstance(error, FileNotFoundError):
            return wrong(f"{self._text} does not exist. Check the path, and that its file system is mounted.")
        return kind(f"{self._text} cannot be listed: {_sentence(error)}")

    def head(self, path: bytes) -> StoredObject | None:
        """What is at ``path``: size and attributes; nothing is read. Raises DestinationError."""
        try:
            found = self.folders.within(path, lambda name, fd: os.stat(name, dir_fd=fd, follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._fail("looked at", path, error)
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), Kind.SPECIAL)
        times = found.st_mtime_ns, found.st_atime_ns
        metadata = metadata_of(kind, found.st_mode, found.st_uid, found.st_gid, *times, _ALL_ATTRIBUTES, None)
        return StoredObject(path, found.st_size, "", None, metadata)

    def remove(self, paths: Iterable[bytes]) -> list[tuple[bytes, str]]:
        """Remove files, links and empty folders; what is not there counts as removed."""
        failed = []
        for path in paths:
            try:
                self.folders.within(path, _remove)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                failed.append((path, error.strerror or str(error)))
        return failed

    def _attribute(self, fd: int, metadata: dict[str, str]) -> None:
        """Give a large file its attributes; what it cannot have is counted."""
        xattrs = decode(metadata.get(EXTRAS, "")).xattrs
        missed = set_attributes(fd, parse_metadata(metadata), xattrs if self.keeps_xattrs else None)
        self.not_kept.update(missed if self.keeps_xattrs or not xattrs else (*missed, XATTRS))

    def _give_name(self, temporary: bytes, name: bytes, dir_fd: int) -> None:
        if self.folders.folds:
            refuse_twin(name, dir_fd)
        try:
            os.rename(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        except IsADirectoryError:
            remove_empty(name, dir_fd)
            os.rename(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        os.fsync(dir_fd)

    def _give_new_name(self, temporary: bytes, name: bytes, dir_fd: int) -> None:
        os.link(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)  # unlike a rename, it replaces nothing
        os.unlink(temporary, dir_fd=dir_fd)
        os.fsync(dir_fd)

    def _mount(self) -> Mount:
        return mount_of(os.path.realpath(self.root), read_mounts())

    def _inode(self, path: bytes, mount: Mount) -> str:
        if not mount.stable_inodes:
            return ""
        try:
            return f" inode {os.stat(path).st_ino}"
        except FileNotFoundError:
            return ""

    def is_empty(self) -> bool:
        """Whether nothing lies in the folder; False if it cannot be read, which is said elsewhere."""
        try:
            with os.scandir(self.root) as entries:
                return next(entries, None) is None
        except OSError:
            return False

    def _fail(self, what: str, path: bytes, error: OSError) -> NoReturn:
        raise DestinationError(f"{text_of(path)} could not be {what} in {self._text}: {_sentence(error)}") from error


class _Everything:
    """The selector that wants all there is."""

    def fate(self, path: bytes, is_folder: bool) -> Fate:
        return Fate.CANDIDATE

    def enters(self, path: bytes) -> bool:
        return True

    def trivial(self, folder: bytes) -> bool:
        return True

    def task(self, path: bytes) -> int:
        return 0

    def tasks_inside(self, folder: bytes) -> None:
        return None


def _checked(upload_id: str) -> bytes:
    """The temporary file's name; refuses what ``begin`` cannot have returned."""
    name = os.fsencode(upload_id)
    if not name.startswith(OWN_PREFIX) or b"/" in name:
        raise DestinationError(f"{upload_id!r} is no temporary file of xsync")
    return name


def _remove(name: bytes, dir_fd: int) -> None:
    try:
        os.unlink(name, dir_fd=dir_fd)
    except (IsADirectoryError, PermissionError):
        if not stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode):
            raise
        os.rmdir(name, dir_fd=dir_fd)


def _nearest_folder(path: bytes) -> bytes:
    """``path``, or the closest folder above it that exists."""
    while not os.path.isdir(path) and path != b"/":
        path = os.path.dirname(path)
    return path


def _longest_name(path: bytes) -> int:
    try:
        return os.pathconf(_nearest_folder(os.path.realpath(path)), "PC_NAME_MAX")
    except OSError:
        return 255


_SENTENCES = {
    errno.EACCES: "this account has no permission. Run as an account that has, or change the permissions.",
    errno.EPERM: "this account may not do that; owners of other accounts need root, or uid and gid set to NONE.",
    errno.ENOSPC: "no space is left on its file system. Free some, then resume.",
    errno.EDQUOT: "the disk quota is used up. Raise it or free some space, then resume.",
    errno.EROFS: "its file system is mounted read-only. Mount it for writing.",
    errno.EFBIG: "its file system cannot hold so large a file.",
    errno.ENAMETOOLONG: "the name is too long for its file system.",
    errno.ESTALE: "the file server no longer knows it. Mount it again.",
    errno.ENOTEMPTY: "a folder that is not empty is in the way.",
    errno.EIO: "the device or file server failed to answer (input/output error).",
}


def _sentence(error: OSError) -> str:
    """What went wrong and what to do about it."""
    return _SENTENCES.get(error.errno or 0) or f"{error.strerror or error}."
