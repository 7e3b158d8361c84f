"""Opens, completes and discards the uploads of large files, and keeps the journal one step ahead of the destination."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, TypeVar

import pyarrow as pa

from engine.errors import DestinationError, ExistsError, SourceError, UnavailableError, UploadGoneError
from engine.execution.committer import Committer
from engine.execution.coordination.messages import (
    AbortUpload,
    BeginUpload,
    CompleteUpload,
    LargeFile,
    UploadEnded,
    UploadReady,
)
from engine.journal.records import Upload
from engine.journal.writer import Journal
from engine.locations.base import (
    Attributes,
    Capabilities,
    CopiesObjects,
    HasExtras,
    Kept,
    Made,
    OpenUpload,
    PartResult,
    Reads,
    ServerChecks,
    StoredObject,
)
from engine.locations.etags import etag_of_parts
from engine.locations.extras import EXTRAS, Extras, decode, encode
from engine.locations.metadata import metadata_of, parse_metadata
from engine.model import Action, Identity, Kind, TransferOptions
from engine.names import BACKSLASH, BACKSLASH_DETAIL
from engine.transfer import retry
from engine.transfer.crt import combine_crc64nvme
from engine.transfer.looking import too_old
from engine.transfer.reading import fault_of
from engine.transfer.units import RESULT_SCHEMA

PART_BYTES = 16 << 20
"""Smallest part; parts grow so that no file needs more than USABLE_PARTS."""

COPY_PART_BYTES = 128 << 20
"""Smallest part where the server copies by itself: it holds no memory here, and each is a request that is paid for."""

USABLE_PARTS = 9_000
"""Parts that a file may be cut into, with room below S3's limit of 10,000."""


CLOCK_SKEW_SECONDS = 5.0
"""How far the clocks of this host and the destination may be apart when an upload is matched with its intent."""

RETRY_SECONDS = 300.0
"""How long a destination may be out of reach before an upload that is to be begun or completed fails."""

_MISREAD = ("checksum mismatch", "it was read twice, and is not what the source's own checksum says")

_T = TypeVar("_T")

Refusal = tuple[Action, str, str]
"""What to record instead of sending a file: action, reason, detail."""


class Source(Reads, Protocol):
    """A source of large files."""

    def identity(self) -> str:
        """What stays the same while this is the same data."""


class Destination(Protocol):
    """What a destination must do for files in parts (base.Assembles and base.Inspects)."""

    capabilities: Capabilities

    def begin(self, path: bytes, size: int, metadata: dict[str, str], content: Mapping[str, str]) -> str:
        """Create an upload."""

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
        """Finish an upload."""

    def abort(self, path: bytes, upload_id: str) -> None:
        """Discard an upload."""

    def head(self, path: bytes) -> StoredObject | None:
        """What is stored."""

    def open_uploads(self) -> Iterator[OpenUpload]:
        """Uploads that are not complete, whoever made them."""


class _Seen(NamedTuple):
    """A source file at one moment."""

    identity: Identity
    attributes: Attributes
    kept: Kept | None
    stored_checksum: int | None


class Uploads:
    """Large files on their way. ``known``: open uploads of earlier sessions. Blocking calls run in threads."""

    def __init__(
        self,
        source: Source,
        source_identity: str,
        destination: Destination,
        options: TransferOptions,
        known: Sequence[Upload],
        committer: Committer,
        *,
        server_checks: ServerChecks,
    ) -> None:
        self._source = source
        self._source_identity = source_identity
        self._destination = destination
        self._options = options
        self._known = {upload.path: upload for upload in known}
        self._numbers = {upload.path: upload.id for upload in known}
        self._opened_at = {upload.path: upload.opened_at for upload in known}
        self._committer = committer
        self._server_checks = server_checks
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Wait for no destination any more: what cannot be done now fails, and is done again on resume."""
        self._stopping.set()

    def keep(self, path: bytes, parts: Sequence[PartResult]) -> None:
        """Record finished parts with the next commit."""
        self._committer.add_parts(self._numbers[path], parts)

    async def begin(self, order: BeginUpload) -> UploadReady | UploadEnded:
        """Open an upload for the file as it is now, or go on with the one the journal knows for this very content."""
        file = order.file
        try:
            seen = await self._asked(lambda: self._look(file.path))
            identity = seen.identity
            reused = await self._reuse(file.path, identity)
            if reused is not None:
                return reused
            if await asyncio.to_thread(self._waits, file.path):
                return UploadEnded(file.path, restart=False, waits=True)
            refusal = await self._patiently(lambda: asyncio.to_thread(self._refusal, file, seen))
            if refusal is not None:
                return self._fail(file, *refusal)
            return await self._open(file, seen)
        except FileNotFoundError:
            return await self._vanished(file)
        except OSError as error:
            return self._fail(file, Action.FAILED, "unreadable", error.strerror or str(error))
        except DestinationError as error:
            return self._fail(file, Action.FAILED, "upload not opened", str(error))

    async def complete(self, order: CompleteUpload) -> UploadEnded:
        """Give the file its name, if the source still is what was sent."""
        file, identity = order.file, order.identity
        try:
            seen = await self._asked(lambda: self._look(file.path))
            metadata = await self._asked(lambda: self._metadata(file, seen))
            if seen.identity != identity:
                return await self._again(file, order.upload_id)
            checksum = _combined([(part.checksum, part.size) for part in order.parts])
            if seen.stored_checksum not in (None, checksum):
                return await self._again(file, order.upload_id, *_MISREAD)
            complete = self._destination.complete
            made = await self._patiently(
                lambda: asyncio.to_thread(
                    complete, file.path, order.upload_id, order.parts, checksum, metadata, **self._condition
                )
            )
            verified = self._verified(seen, made, order.parts)
        except UploadGoneError:
            self._forget(file.path)
            return UploadEnded(file.path, restart=True)
        except FileNotFoundError:
            await self._discard(file.path, order.upload_id)
            return await self._vanished(file)
        except ExistsError:
            await self._discard(file.path, order.upload_id)
            return self._fail(file, Action.SKIPPED, "exists", "")
        except (OSError, DestinationError) as error:
            await self._discard(file.path, order.upload_id)
            return self._fail(file, Action.FAILED, "upload not completed", str(error))
        link = "" if self._destination.capabilities.transport == "objects" else decode(metadata.get(EXTRAS, "")).link
        unsure = seen.kept is None and identity.is_unsure(int(self._opened_at[file.path] * 10**9))
        result = _result(file, Action.TRANSFERRED, identity, checksum, made.etag, verified, link=link, unsure=unsure)
        self._committer.add_results(result)
        self._forget(file.path)
        return UploadEnded(file.path, restart=False)

    async def abort(self, order: AbortUpload) -> UploadEnded:
        """Discard an upload; an empty reason begins the file again."""
        if order.upload_id:
            await self._discard(order.file.path, order.upload_id)
        if not order.reason:
            return UploadEnded(order.file.path, restart=True)
        return self._fail(order.file, Action.FAILED, order.reason, order.detail)

    async def discard_all(self) -> str:
        """Discard every upload that the journal knows as open: the execution is over. Returns what kept it from that.

        What is left then is open in the journal for good: cleanup knows of it.
        """
        problem = ""
        for upload in await self._committer.call(Journal.open_uploads):
            self._numbers[upload.path] = upload.id
            problem = await self._discard(upload.path, upload.upload_id) or problem
        intents = await self._committer.call(Journal.intents)
        try:
            if intents:
                await asyncio.to_thread(discard_intended, self._destination, intents)
        except DestinationError as error:
            problem = str(error)
        return problem

    async def _patiently(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """What ``attempt`` returns, made again while the other side is out of reach."""
        began, failures = time.monotonic(), 0
        while True:
            try:
                return await attempt()
            except UnavailableError:
                failures += 1
                delay = retry.delay(failures, time.monotonic() - began, RETRY_SECONDS, random.random())
                if delay is None or self._stopping.is_set():
                    raise
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), delay)

    async def _asked(self, ask: Callable[[], _T]) -> _T:
        """What ``ask`` finds at the source, again while that is out of reach. Raises OSError, UnavailableError."""

        def attempt() -> _T:
            try:
                return ask()
            except OSError as error:
                fault = fault_of(error)
                if fault is not None and retry.retryable(fault.kind):
                    raise UnavailableError(f"the source cannot be read: {error}") from error
                raise

        return await self._patiently(lambda: asyncio.to_thread(attempt))

    def _look(self, path: bytes) -> _Seen:
        """The file as it is now. Raises OSError."""
        file = self._source.open_file(path, 0, 0)
        try:
            return _Seen(file.identity, file.attributes, file.kept, file.stored_checksum)
        finally:
            file.close()

    def _waits(self, path: bytes) -> bool:
        """Whether a folder holds the file's name that deletions may remove."""
        options = self._options
        if options.preserve_deleted_files != "REMOVE" or not self._destination.capabilities.real_folders:
            return False
        found = self._destination.head(path)
        return found is not None and parse_metadata(found.metadata).kind is Kind.FOLDER

    async def _reuse(self, path: bytes, identity: Identity) -> UploadReady | None:
        record = self._known.pop(path, None)
        if record is None:
            return None
        if record.identity == identity:
            parts = [PartResult(*part) for part in record.parts]
            return UploadReady(path, record.upload_id, identity, record.part_size, parts)
        await self._discard(path, record.upload_id)
        return None

    @property
    def _condition(self) -> dict[str, bool]:
        return {"only_new": True} if self._options.overwrite_mode == "NEVER" else {}

    def _refusal(self, file: LargeFile, seen: _Seen) -> Refusal | None:
        identity = seen.identity
        if b"\\" in file.path and not self._destination.capabilities.keeps_backslashes:
            return Action.FAILED, BACKSLASH, BACKSLASH_DETAIL
        most = self._destination.capabilities.max_file_bytes
        if identity.size > most:
            return Action.FAILED, "too large", f"{identity.size:,} bytes; the destination takes {most:,}"
        stored = None if self._options.overwrite_mode == "ALWAYS" else self._destination.head(file.path)
        if stored is None:
            return None
        if self._options.overwrite_mode == "NEVER":
            return Action.SKIPPED, "exists", ""
        mtime_ns = identity.mtime_ns if seen.attributes.mtime_ns is None else seen.attributes.mtime_ns
        reason = too_old(parse_metadata(stored.metadata).mtime_ns, mtime_ns)
        return (Action.SKIPPED, reason, "") if reason else None

    async def _open(self, file: LargeFile, seen: _Seen) -> UploadReady:
        identity = seen.identity
        path, size = file.path, part_size(identity.size, COPY_PART_BYTES if self._copies_itself else PART_BYTES)
        metadata = await self._asked(lambda: self._metadata(file, seen))
        content = await self._asked(lambda: self._content(file.path, seen))

        async def begin() -> str:
            await self._committer.call(lambda journal: journal.add_intent(path, time.time()))
            return await asyncio.to_thread(self._destination.begin, path, identity.size, metadata, content)

        upload_id = await self._patiently(begin)
        opened_at = self._opened_at[path] = time.time()
        self._numbers[path] = await self._committer.call(
            lambda journal: journal.open_upload(path, upload_id, identity, size, opened_at)
        )
        return UploadReady(path, upload_id, identity, size, [])

    async def _again(self, file: LargeFile, upload_id: str, reason: str = "", detail: str = "") -> UploadEnded:
        await self._discard(file.path, upload_id)
        return UploadEnded(file.path, restart=True, reason=reason, detail=detail)

    async def _discard(self, path: bytes, upload_id: str) -> str:
        """Discard an upload, or return why not: then it stays open in the journal, and is tried again at the end."""
        try:
            await asyncio.to_thread(self._destination.abort, path, upload_id)
        except DestinationError as error:
            return str(error)
        self._forget(path)
        return ""

    def _verified(self, seen: _Seen, made: Made, parts: Sequence[PartResult]) -> str | None:
        """How a completed file was verified: by the server, or by the agents that read their parts back.

        Raises DestinationError if it holds something else than was sent.
        """
        if self._destination.capabilities.transport == "objects":
            if self._server_checks != "md5":
                return "server-checked" if self._server_checks and made.checksum is not None else None
            if made.etag != etag_of_parts(parts):
                raise DestinationError("it was put together of something else than the parts that were sent")
            return "etag"
        if seen.stored_checksum is not None:
            return "stored-checksum"
        return "read-back" if self._options.verify_mode != "NONE" else None

    def _forget(self, path: bytes) -> None:
        self._opened_at.pop(path, None)
        self._committer.end_upload(self._numbers.pop(path))

    async def _vanished(self, file: LargeFile) -> UploadEnded:
        """Skip a file that is gone; raise SourceError if the source itself is not what it was."""
        found = await asyncio.to_thread(self._source.identity)
        if found != self._source_identity:
            raise SourceError(f"the source is not what it was (it is {found} now): is its file system still mounted?")
        return self._fail(file, Action.SKIPPED, "vanished", "")

    def _fail(self, file: LargeFile, action: Action, reason: str, detail: str) -> UploadEnded:
        self._committer.add_results(_result(file, action, None, None, None, None, reason, detail))
        return UploadEnded(file.path, restart=False)

    @property
    def _copies_itself(self) -> bool:
        return isinstance(self._destination, CopiesObjects) and self._destination.copies_from(self._source)

    def _content(self, path: bytes, seen: _Seen) -> dict[str, str]:
        """Content headers and tags for an object that is made of another. Raises RequestError."""
        if seen.kept is None or self._destination.capabilities.transport != "objects":
            return {}
        headers = dict(seen.kept.headers)
        if seen.kept.tags and self._options.object_tags == "PRESERVE" and isinstance(self._source, CopiesObjects):
            headers["x-amz-tagging"] = self._source.tags(path)
        return headers

    def _metadata(self, file: LargeFile, seen: _Seen) -> dict[str, str]:
        if seen.kept is not None and self._destination.capabilities.transport == "objects":
            return seen.kept.metadata
        mode, uid, gid, atime_ns, mtime_ns = seen.attributes
        mtime_ns = seen.identity.mtime_ns if mtime_ns is None else mtime_ns
        listed_atime_ns = file.row.get("atime_ns")
        atime_ns = atime_ns if listed_atime_ns is None else listed_atime_ns  # reading it may have changed that
        found = metadata_of(Kind.FILE, mode, uid, gid, mtime_ns, atime_ns, self._options, file.path)
        if isinstance(self._source, HasExtras) and (value := encode(self._extras(self._source, file.path))):
            found[EXTRAS] = value
        return found

    def _extras(self, source: HasExtras, path: bytes) -> Extras:
        """What of a file DataSync's keys cannot say; folders keep its shape by themselves."""
        file = self._source.open_file(path, 0, 0)
        try:
            return source.extras(path, file, shape=self._destination.capabilities.transport == "objects")
        finally:
            file.close()


def discard_intended(destination: Destination, intents: Mapping[bytes, float]) -> None:
    """Discard uploads that a crash kept out of the journal: of an intended path, and begun after the intent.

    Raises DestinationError.
    """
    for found in destination.open_uploads():
        intended_at = intents.get(found.path)
        if intended_at is not None and found.initiated_at >= intended_at - CLOCK_SKEW_SECONDS:
            destination.abort(found.path, found.upload_id)


def part_size(size: int, least: int = PART_BYTES) -> int:
    """Bytes of a part for a file of ``size`` bytes: at least ``least``, a whole number of MiB, at most 9,000 parts."""
    mebibyte = 1 << 20
    return max(least, math.ceil(math.ceil(size / USABLE_PARTS) / mebibyte) * mebibyte)


def _combined(parts: Sequence[tuple[int, int]]) -> int:
    checksum, _ = parts[0]
    for following, size in parts[1:]:
        checksum = combine_crc64nvme(checksum, following, size)
    return checksum


def _result(
    file: LargeFile,
    action: Action,
    identity: Identity | None,
    checksum: int | None,
    etag: str | None,
    verified: str | None,
    reason: str | None = None,
    detail: str | None = None,
    link: str = "",
    *,
    unsure: bool = False,
) -> pa.Table:
    row: dict[str, Any] = {name: file.row.get(name) for name in ("dir", "name", "task", "mode", "uid", "gid")}
    listed = {name: file.row.get(name) for name in ("size", "mtime_ns", "ctime_ns", "dev", "inode")}
    if identity is not None:
        listed = {
            "size": identity.size,
            "mtime_ns": identity.mtime_ns,
            "ctime_ns": identity.ctime_ns,
            "dev": identity.device,
            "inode": identity.inode,
        }
    row |= listed | {
        "kind": int(Kind.FILE),
        "action": int(action),
        "reason": reason,
        "detail": detail,
        "sent_bytes": identity.size if identity else 0,
        "checksum": checksum,
        "etag": etag,
        "verified": verified,
        "finished_ns": time.time_ns(),
        "link": link or None,
        "unsure": unsure,
    }
    return pa.Table.from_pylist([row], schema=RESULT_SCHEMA)
