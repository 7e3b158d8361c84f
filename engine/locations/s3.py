"""Buckets of S3 and of servers that speak its protocol: the control plane. Bytes travel elsewhere (engine/transfer)."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import unquote_plus

import pyarrow as pa
from botocore.exceptions import ClientError

from engine.errors import DestinationError, LocationError, SourceError, UploadGoneError
from engine.locations.base import Capabilities, OpenUpload, PartResult, StoredObject
from engine.locations.listing import ScanBatch, ScanLimit, Selector
from engine.locations.s3_client import Connection, DataPath
from engine.locations.s3_errors import code_of, region_of, wrong_region
from engine.locations.s3_listing import Page, Rows, list_all, list_folder
from engine.model import LocationSpec
from engine.names import OWN_PREFIX, NameError_, check_key, is_excluded_name, is_safe_relative, key_of, path_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, DeleteTypeDef, ListMultipartUploadsOutputTypeDef

MAX_KEY_BYTES = 1_024
"""S3 User Guide, Naming objects: UTF-8 bytes of a key, prefix included."""

MAX_PARTS = 10_000
AWS_LARGEST = 9_000 * (5 << 30)
"""Amazon S3 takes 48.8 TiB in parts of at most 5 GiB; no file is cut into more than 9,000."""

OTHERS_LARGEST = 5 << 40
"""What other servers promise: the limit that Amazon S3 had until the end of 2025."""

DELETE_BATCH = 1_000
"""DeleteObjects takes so many keys."""

_UNFIT_FOR_XML = re.compile("[\x00-\x1f\x7f\ufffe\uffff]")
"""Keys with these are deleted one by one: XML cannot hold them, or changes them."""

_T = TypeVar("_T")


class S3Location:
    """A bucket, or the keys below a prefix. The client is made when first needed, and by each process anew."""

    def __init__(self, spec: LocationSpec) -> None:
        self.url = spec.url
        self._storage_class = spec.storage_class
        self.connection = Connection(spec)
        self._bucket = self.connection.bucket
        self._key_prefix = self.connection.key_prefix
        room = MAX_KEY_BYTES - len(self._key_prefix.encode())
        self.capabilities = Capabilities(
            scheme="s3",
            transport="objects",
            stable_inodes=False,
            checks_checksums=True,
            real_folders=False,
            max_file_bytes=OTHERS_LARGEST if spec.endpoint_url else AWS_LARGEST,
            max_parts=MAX_PARTS,
            max_key_bytes=room,
            max_name_bytes=room,
            network=True,
        )
        self._identity: str | None = None

    def close(self) -> None:
        """Close connections; they are opened anew when needed."""
        self.connection.close()

    def data_path(self) -> DataPath:
        """Host, base path, region, certificates and proxy for requests that do not go through boto3."""
        return self.connection.data_path()

    def identity(self) -> str:
        """Endpoint, bucket, its creation date where it may be listed, and prefix. Raises LocationError."""
        if self._identity is None:
            self._identity = f"s3 {self.connection.endpoint} {self._bucket} {self._created()} /{self._key_prefix}"
        return self._identity

    def describe(self) -> str:
        """Where it is."""
        return f"bucket {self._bucket} at {self.connection.endpoint}, region {self.connection.region}"

    def check_source(self) -> None:
        """Raise SourceError unless the keys can be listed."""
        self._check(SourceError, f"the source {self.url} cannot be read")

    def check_destination(self) -> None:
        """Raise DestinationError unless keys can be listed and written; nothing visible is written to find out."""
        doing = f"the destination {self.url} cannot be used"
        self._check(DestinationError, doing)
        key = self._own_key("check")

        def try_upload(client: S3Client) -> None:
            upload = client.create_multipart_upload(Bucket=self._bucket, Key=key)
            client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload["UploadId"])

        self._ask(DestinationError, doing, try_upload)

    def probe_checksums(self) -> bool:
        """Whether the server refuses an object whose CRC64NVME is wrong. Leaves nothing. Raises DestinationError."""
        key = self._own_key("canary")

        def try_wrong_checksum(client: S3Client) -> bool:
            try:
                client.put_object(Bucket=self._bucket, Key=key, Body=b"canary", ChecksumCRC64NVME=_encode(0))
            except ClientError as error:
                if code_of(error) in ("BadDigest", "InvalidRequest", "XAmzContentChecksumMismatch"):
                    return True
                raise
            client.delete_object(Bucket=self._bucket, Key=key)
            return False

        return self._ask(DestinationError, f"the checksums of {self.url} cannot be tried", try_wrong_checksum)

    def top_folders(self) -> list[bytes]:
        """Names of the first-level folders that a run enters, sorted. Raises SourceError."""
        names: set[bytes] = set()
        token: str | None = None
        while True:
            page = self._source_page("", token, True)
            names.update(path_of(folder.removesuffix("/")) for folder in page.folders)
            token = page.next_token
            if token is None:
                break
        return sorted(n for n in names if n and is_safe_relative(n) and not is_excluded_name(n, at_root=True))

    def scan(self, folders: Sequence[bytes], limit: ScanLimit, selector: Selector, listing: int) -> ScanBatch:
        """List folders; see base.Lists. A folder once begun is finished. Raises SourceError."""
        rows = Rows(listing)
        left = list(reversed(folders))
        deadline = time.monotonic() + limit.seconds
        while left and (not len(rows) or (len(rows) < limit.rows and time.monotonic() < deadline)):
            path = left.pop()
            prefix = f"{key_of(path)}/" if path else ""
            left += reversed(list_folder(self._source_page, path, prefix, selector, rows))
        return ScanBatch(rows.table(), left[::-1])

    def stored(self) -> Iterator[pa.Table]:
        """Every object below the prefix, a page a table, listed several folders at a time. Raises DestinationError."""
        return list_all(partial(self._page, DestinationError))

    def head(self, path: bytes) -> StoredObject | None:
        """What is stored at ``path`` (with a trailing slash: a folder's marker). Raises DestinationError."""
        key = self._key(path)

        def look(client: S3Client) -> StoredObject | None:
            try:
                found = client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
            except ClientError as error:
                if code_of(error) in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise
            size, metadata = found["ContentLength"], dict(found["Metadata"])
            return StoredObject(path, size, _etag(found), _full_checksum(found), metadata)

        return self._ask(DestinationError, f"an object of {self.url} cannot be looked at", look)

    def remove(self, paths: Iterable[bytes]) -> list[tuple[bytes, str]]:
        """Delete objects; a path with a trailing slash is a folder's marker. What is not there counts as deleted."""
        failed: list[tuple[bytes, str]] = []
        batch: dict[str, bytes] = {}
        for path in paths:
            try:
                key = self._key(path)
            except DestinationError as error:
                failed.append((path, str(error)))
                continue
            if _UNFIT_FOR_XML.search(key):
                failed += self._remove_one(key, path)
            else:
                batch[key] = path
            if len(batch) == DELETE_BATCH:
                failed += self._remove_batch(batch)
                batch = {}
        return failed + self._remove_batch(batch)

    def begin(self, path: bytes, size: int, metadata: dict[str, str]) -> str:
        """Create a multipart upload with a full-object CRC64NVME and return its id. Raises DestinationError.

        Asked for once: an attempt whose answer is lost leaves an upload behind that the caller has to know of.
        """
        asked: dict[str, Any] = {"StorageClass": self._storage_class} if self._storage_class else {}
        key = self._key(path)

        def create(client: S3Client) -> str:
            answer = client.create_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                ChecksumAlgorithm="CRC64NVME",
                ChecksumType="FULL_OBJECT",
                Metadata=metadata,
                **asked,
            )
            return answer["UploadId"]

        return self.connection.ask(DestinationError, "the upload cannot be begun", create, once=True)

    def complete(
        self, path: bytes, upload_id: str, parts: Sequence[PartResult], checksum: int, metadata: dict[str, str]
    ) -> str:
        """Complete an upload with the checksum and size of the whole object; return its ETag.

        Raises UploadGoneError unless the object is already there with this very content, DestinationError otherwise.
        """
        key, size = self._key(path), sum(part.size for part in parts)

        def finish(client: S3Client) -> str | None:
            try:
                answer = client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=key,
                    UploadId=upload_id,
                    MultipartUpload={"Parts": [_completed(part) for part in parts]},
                    ChecksumCRC64NVME=_encode(checksum),
                    ChecksumType="FULL_OBJECT",
                    MpuObjectSize=size,
                )
            except ClientError as error:
                if code_of(error) == "NoSuchUpload":
                    return None
                raise
            if answer.get("ChecksumCRC64NVME", _encode(checksum)) != _encode(checksum):
                raise DestinationError(f"{self.url} stored another content than was sent: the checksums differ")
            return _etag(answer)

        etag = self._ask(DestinationError, "the upload cannot be completed", finish)
        return self._completed_before(path, size, checksum) if etag is None else etag

    def abort(self, path: bytes, upload_id: str) -> None:
        """Discard an upload; no error if it is gone. Raises DestinationError."""
        key = self._key(path)

        def discard(client: S3Client) -> None:
            try:
                client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
            except ClientError as error:
                if code_of(error) != "NoSuchUpload":
                    raise

        self._ask(DestinationError, "the upload cannot be discarded", discard)

    def open_uploads(self) -> Iterator[OpenUpload]:
        """Uploads below the prefix that are not complete, whoever made them. Raises DestinationError."""
        markers: dict[str, str] = {}
        while True:
            page = self._uploads_page(markers)
            for upload in page.get("Uploads", []):
                path = path_of(unquote_plus(upload["Key"]).removeprefix(self._key_prefix))
                yield OpenUpload(path, upload["UploadId"], upload["Initiated"].timestamp())
            if not page.get("IsTruncated"):
                return
            markers = {"KeyMarker": unquote_plus(page["NextKeyMarker"]), "UploadIdMarker": page["NextUploadIdMarker"]}

    def _uploads_page(self, markers: dict[str, str]) -> ListMultipartUploadsOutputTypeDef:
        return self._ask(
            DestinationError,
            f"the open uploads of {self.url} cannot be listed",
            lambda client: client.list_multipart_uploads(
                Bucket=self._bucket, Prefix=self._key_prefix, EncodingType="url", **cast("Any", markers)
            ),
        )

    def _ask(self, kind: type[LocationError], doing: str, call: Callable[[S3Client], _T]) -> _T:
        return self.connection.ask(kind, doing, call)

    def _check(self, kind: type[LocationError], doing: str) -> None:
        answer = self._ask(
            kind, doing, lambda client: client.list_objects_v2(Bucket=self._bucket, Prefix=self._key_prefix, MaxKeys=1)
        )
        region = region_of(answer)
        if region and region != self.connection.region:
            raise kind(f"{doing}: {wrong_region(self._bucket, region)}")

    def _completed_before(self, path: bytes, size: int, checksum: int) -> str:
        found = self.head(path)
        if found is None or found.size != size or found.checksum != checksum:
            raise UploadGoneError(f"the upload no longer exists at {self.url}, and its content is not there")
        return found.etag

    def _remove_one(self, key: str, path: bytes) -> list[tuple[bytes, str]]:
        try:
            self._ask(
                DestinationError, "not deleted", lambda client: client.delete_object(Bucket=self._bucket, Key=key)
            )
        except DestinationError as error:
            return [(path, str(error))]
        return []

    def _remove_batch(self, batch: dict[str, bytes]) -> list[tuple[bytes, str]]:
        if not batch:
            return []
        request: DeleteTypeDef = {"Quiet": True, "Objects": [{"Key": key} for key in batch]}
        try:
            answer = self._ask(
                DestinationError,
                "not deleted",
                lambda client: client.delete_objects(Bucket=self._bucket, Delete=request),
            )
        except DestinationError as error:
            return [(path, str(error)) for path in batch.values()]
        return [(batch[e["Key"]], f"{e.get('Code', '')}: {e.get('Message', '')}") for e in answer.get("Errors", [])]

    def _source_page(self, prefix: str, token: str | None, level: bool) -> Page:
        return self._page(SourceError, prefix, token, level)

    def _page(self, kind: type[LocationError], prefix: str, token: str | None, level: bool) -> Page:
        asked: dict[str, Any] = {"ContinuationToken": token} if token else {}
        if level:
            asked["Delimiter"] = "/"
        answer = self._ask(
            kind,
            f"{self.url} cannot be listed",
            lambda client: client.list_objects_v2(Bucket=self._bucket, Prefix=self._key_prefix + prefix, **asked),
        )
        start = len(self._key_prefix)
        objects = [dict(found, Key=found["Key"][start:]) for found in answer.get("Contents", [])]
        folders = [found["Prefix"][start:] for found in answer.get("CommonPrefixes", [])]
        return Page(objects, folders, answer.get("NextContinuationToken"))

    def _own_key(self, use: str) -> str:
        return f"{self._key_prefix}{OWN_PREFIX.decode()}{use}-{secrets.token_hex(8)}"

    def _key(self, path: bytes) -> str:
        """The whole key; refuses what would lie outside the prefix or cannot be a key."""
        try:
            key = key_of(path)
        except NameError_ as error:
            raise DestinationError(str(error)) from error
        reason = "empty path" if not path else check_key(key, self.capabilities.max_key_bytes)
        if reason:
            raise DestinationError(f"{self.url} cannot hold this path: {reason}")
        return self._key_prefix + key

    def _created(self) -> str:
        """The bucket's creation date, or "" where the credentials may not list buckets."""

        def look(client: S3Client) -> str:
            try:
                found = client.list_buckets(Prefix=self._bucket)
            except ClientError:
                return ""
            dates = [b["CreationDate"].isoformat() for b in found.get("Buckets", []) if b["Name"] == self._bucket]
            return dates[0] if dates else ""

        return self._ask(LocationError, f"{self.url} cannot be used", look)


def _completed(part: PartResult) -> CompletedPartTypeDef:
    etag = part.etag.strip('"')
    return {"PartNumber": part.number, "ETag": f'"{etag}"', "ChecksumCRC64NVME": _encode(part.checksum)}


def _encode(checksum: int) -> str:
    return base64.b64encode(checksum.to_bytes(8, "big")).decode()


def _etag(answer: Any) -> str:
    etag: str = answer.get("ETag", "")
    return etag.strip('"')


def _full_checksum(found: Any) -> int | None:
    """The CRC64NVME of the whole object, or None if the server keeps none."""
    text = found.get("ChecksumCRC64NVME")
    if text is None or found.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    return int.from_bytes(base64.b64decode(text), "big")
