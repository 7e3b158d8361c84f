"""What a location may be able to do: small protocols, and a frozen value that says which of them hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import msgspec
import pyarrow as pa

from engine.locations.extras import Extras
from engine.locations.listing import Rest, ScanBatch, ScanLimit, Selector
from engine.model import Identity


class Capabilities(msgspec.Struct, frozen=True):
    """What the engine may ask of a location. Sizes in bytes; ``max_key_bytes`` bounds a path as it is stored.

    ``keeps_backslashes``: a name with one is no path of two names; SeaweedFS makes a slash of it.
    """

    scheme: str
    transport: Literal["files", "objects"]
    stable_inodes: bool
    checks_checksums: bool
    real_folders: bool
    max_file_bytes: int
    max_parts: int
    max_key_bytes: int
    max_name_bytes: int
    network: bool
    keeps_backslashes: bool = True


NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class PartResult(NamedTuple):
    """One finished part of a large file: 1-based number, bytes, CRC64NVME, ETag ("" for files)."""

    number: int
    size: int
    checksum: int
    etag: str


class Attributes(NamedTuple):
    """What an open file has besides its identity. ``mode`` with its type bits; ``atime_ns`` since the epoch.

    ``mtime_ns`` is that of the file that an object stands for; None: it is the identity's.
    """

    mode: int
    uid: int
    gid: int
    atime_ns: int
    mtime_ns: int | None = None


class Kept(NamedTuple):
    """What an object has besides its content, for another object: user metadata, and content headers by lower case.

    ``tags``: how many there are. ``etag``: of the version that all this is about, without quotes.
    """

    metadata: dict[str, str]
    headers: dict[str, str]
    tags: int = 0
    etag: str = ""


class Made(NamedTuple):
    """What a store says of an object that it made: ETag without quotes, and its CRC64NVME if it tells one."""

    etag: str
    checksum: int | None


class RequestError(OSError):
    """A store refused or broke off a request. ``code`` is S3's or ours, ``status`` that of HTTP, if any came."""

    def __init__(self, code: str, status: int | None, detail: str) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.status = status
        self.detail = detail


ServerChecks = Literal["crc64nvme", "md5", ""]
"""How a store proves what it received: it refuses a wrong CRC64NVME; its ETags are MD5s of what it got; not at all."""


class Trial(msgspec.Struct, frozen=True):
    """What a destination did with a small entry of ours. ``cannot_delete``: why it could not be deleted, or "".

    ``clock_skew_seconds``: its clock less ours. ``checks_checksums``, ``checks_uploads``: it refused an object, an
    upload, with a wrong checksum. ``hashes_bodies``: its ETags are MD5s. ``keeps_owner``, ``keeps_xattrs``,
    ``folds_names``: of folders. ``free_bytes``, ``free_files``: what this account may still put there.
    ``keeps_backslashes``: see Capabilities. None: not known, or not asked of that kind of place.
    """

    write_seconds: float
    read_seconds: float
    clock_skew_seconds: float
    cannot_delete: str = ""
    checks_checksums: bool | None = None
    checks_uploads: bool | None = None
    hashes_bodies: bool | None = None
    keeps_owner: bool | None = None
    keeps_xattrs: bool | None = None
    folds_names: bool | None = None
    keeps_backslashes: bool | None = None
    free_bytes: int | None = None
    free_files: int | None = None


class StoredObject(NamedTuple):
    """What a destination says it holds at a path. ``checksum`` is a full CRC64NVME or None."""

    path: bytes
    size: int
    etag: str
    checksum: int | None
    metadata: dict[str, str]


class Replaced(NamedTuple):
    """What became of new metadata for an object: its ETag, or why it is held back; neither: it is another object."""

    etag: str = ""
    held_back: str = ""


class OpenUpload(NamedTuple):
    """A multipart upload or temporary file that was not completed."""

    path: bytes
    upload_id: str
    initiated_at: float


@runtime_checkable
class Location(Protocol):
    """What every location can say of itself. All methods block and raise LocationError subclasses."""

    url: str
    capabilities: Capabilities

    def identity(self) -> str:
        """What stays the same while this is the same data.

        server:/export or file-system id, and path; endpoint, bucket, its creation date, and prefix.
        """

    def describe(self) -> str:
        """One line for a person, such as ``NFSv4.1 from filer:/export, nconnect=1``."""

    def check_source(self) -> None:
        """Raise SourceError unless this can be read: missing, a file, unreadable, wrong credentials..."""

    def check_destination(self) -> None:
        """Raise DestinationError unless this can be written to; creates a missing root folder, never a bucket."""

    def close(self) -> None:
        """Give back connections and descriptors; what is used afterwards opens them again."""


@runtime_checkable
class Lists(Protocol):
    """Streams what is there."""

    def scan(self, folders: Sequence[bytes], limit: ScanLimit, selector: Selector, listing: int) -> ScanBatch:
        """List ``folders`` and what lies below them until ``limit``; see ENTRY_SCHEMA for the rows.

        A folder that cannot be read yields its LISTED row with an error. An entry that vanishes meanwhile yields none.
        A folder cut by the limit is in ``folders_left`` and its rows so far lack their LISTED row; ``scan`` finishes at
        least one folder or one page whatever the limit, so that it always makes progress. Nested mounts are listed as
        folders and not entered.
        """

    def top_folders(self) -> list[bytes]:
        """Names of the folders directly below the root, sorted, without those never copied. Raises SourceError."""


@runtime_checkable
class ListsSlices(Protocol):
    """Can hand over a large folder in slices: its ``scan`` heeds ``slice_rows`` of the limit."""

    def scan_rest(self, rest: Rest, limit: ScanLimit, selector: Selector, listing: int) -> ScanBatch:
        """List the next slice of a folder; after its last one, what lies below it until ``limit``.

        ``listing`` is that of the folder's earlier slices. An entry that was made or renamed meanwhile may be left out.
        """


@runtime_checkable
class OpenFile(Protocol):
    """A source file being read.

    ``stored_checksum``: the CRC64NVME of the whole content that the location keeps, if it does and all of it was asked
    for. ``kept``: None but for objects. ``unsure``: a change of it after this may not show (Identity.is_unsure).
    """

    identity: Identity
    attributes: Attributes

    @property
    def unsure(self) -> bool:
        """See above."""

    @property
    def stored_checksum(self) -> int | None:
        """See above."""

    @property
    def kept(self) -> Kept | None:
        """See above."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset``; fewer bytes than asked only at the end of the file. Raises OSError."""

    def is_what_etag_says(self) -> bool:
        """Whether what was read, all of it, is what its store's own hash says; False if it makes none.

        Raises RequestError if it is something else.
        """

    def confirm(self) -> Identity:
        """Open the same path anew and return its identity now. Raises OSError."""

    def close(self) -> None:
        """Release it; idempotent."""


@runtime_checkable
class Reads(Protocol):
    """Reads files by path."""

    def open_file(self, path: bytes, start: int = 0, end: int | None = None) -> OpenFile:
        """Open a regular file without following a final symlink. Raises OSError (ELOOP, ENOENT, EACCES...).

        ``start``..``end`` is what will be read of it (None: all), so that a store is asked for no more; nothing if they
        are equal.
        """

    def read_link(self, path: bytes) -> bytes:
        """The target of a symlink. Raises OSError."""


@runtime_checkable
class DropsCache(Protocol):
    """A source whose files this host keeps in its memory once they are read."""

    def drop_cache(self, path: bytes) -> None:
        """Forget what this host's page cache has of the file at ``path``, as far as it lets go. Raises OSError."""


@runtime_checkable
class HasExtras(Protocol):
    """A source that knows more of its entries than DataSync's keys can say."""

    def extras(self, path: bytes, file: OpenFile | None = None, *, shape: bool = False) -> Extras:
        """The xattrs and ACLs of the entry at ``path``, of ``file`` if it is open; without one: of a folder or link.

        ``shape``: also the holes of the open file, and what it shares with its other names. Raises OSError.
        """


@runtime_checkable
class CopiesObjects(Reads, Protocol):
    """An object store that can copy objects by itself, and knows tags."""

    def copies_from(self, source: object) -> bool:
        """Whether it can copy objects of ``source`` into itself."""

    def duplicate(self, source: object, path: bytes, place: str, headers: Mapping[str, str], query: str = "") -> Made:
        """Copy the object at ``path`` of ``source``, or a range of it, to the quoted request path ``place``.

        Raises FileNotFoundError, RequestError.
        """

    def tags(self, path: bytes) -> str:
        """The tags of an object as a query string. Raises FileNotFoundError, RequestError."""

    def marker(self, path: bytes) -> Kept | None:
        """What a folder's marker has, or None without one. Raises RequestError."""

    def side_objects(self, folder: bytes) -> list[bytes]:
        """Paths of the side objects of what is in ``folder``. Raises DestinationError."""


@runtime_checkable
class TriesOut(Protocol):
    """A destination that can be tried out before anything is copied."""

    def try_out(self) -> Trial:
        """Write something small, read it and delete it. Raises DestinationError if it cannot be written or read."""


@runtime_checkable
class Assembles(Protocol):
    """Makes a large file out of parts that any agent sends."""

    def begin(self, path: bytes, size: int, metadata: dict[str, str], content: Mapping[str, str] = NO_HEADERS) -> str:
        """Create an upload (or temporary file) for ``path`` and return its id. ``metadata`` as of metadata.py.

        ``content``: headers that the object is to have, by lower case, tags among them; files have none.
        """

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
        """Give the assembled file its name after checking the combined CRC64NVME; of files the ETag is "".

        Raises UploadGoneError if the upload no longer exists and the destination does not hold this very content;
        ExistsError if it is to be ``only_new`` and there is something at ``path``.
        """

    def abort(self, path: bytes, upload_id: str) -> None:
        """Discard an upload; no error if it is gone."""

    def open_uploads(self) -> Iterator[OpenUpload]:
        """Uploads below this location that are not complete, whoever made them."""


@runtime_checkable
class Inspects(Protocol):
    """Looks at what a destination holds."""

    def stored(self) -> Iterator[pa.Table]:
        """Everything below this location, as batches of ENTRY_SCHEMA rows, in any order."""

    def is_empty(self) -> bool:
        """Whether nothing is below this location; one cheap request. Raises DestinationError."""

    def head(self, path: bytes) -> StoredObject | None:
        """What is stored at ``path``, or None."""

    def remove(self, paths: Iterable[bytes]) -> list[tuple[bytes, str]]:
        """Remove files or objects; returns (path, reason) of those that could not be."""
