"""Buckets of S3 and of servers that speak its protocol: the control plane. Bytes travel elsewhere (engine/transfer)."""

from __future__ import annotations

import base64
import os
import re
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote, unquote_plus, urlsplit

import boto3
import botocore.exceptions
import pyarrow as pa
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from engine import __version__
from engine.errors import DestinationError, LocationError, SourceError, UploadGoneError
from engine.locations.base import Capabilities, OpenUpload, PartResult, StoredObject
from engine.locations.credentials import proxy_for, session_of
from engine.locations.listing import ScanBatch, ScanLimit, Selector
from engine.locations.registry import bucket_and_prefix
from engine.locations.s3_errors import code_of, explained, region_of, sentence, wrong_region
from engine.locations.s3_listing import PARALLEL_LISTINGS, Page, Rows, list_all, list_folder
from engine.model import LocationSpec
from engine.names import OWN_PREFIX, NameError_, check_key, is_excluded_name, is_safe_relative, key_of, path_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

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

_OWN = OWN_PREFIX.decode()


class DataPath(NamedTuple):
    """How the data path reaches the same keys. ``base``: the quoted path of a key's parent, from / to /.

    ``host`` has a port unless it is the default one. ``proxy`` is a URL or None.
    """

    tls: bool
    host: str
    base: str
    region: str
    ca_bundle: str | None
    proxy: str | None


class S3Location:
    """A bucket, or the keys below a prefix. The client is made when first needed, and by each process anew."""

    def __init__(self, spec: LocationSpec) -> None:
        self.url = spec.url
        self.spec = spec
        self.bucket, self.prefix = bucket_and_prefix(spec.url)
        self._key_prefix = f"{self.prefix}/" if self.prefix else ""
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
        self._lock = threading.Lock()
        self._made: S3Client | None = None
        self._identity: str | None = None

    @property
    def client(self) -> S3Client:
        """The boto3 client; raises LocationError for a profile or endpoint that cannot be used."""
        with self._lock:
            if self._made is None:
                self._made = self._make_client()
            return self._made

    @property
    def region(self) -> str:
        """The region requests are signed for."""
        configured = session_of(self.spec).get_config_variable("region")
        return self.spec.region or os.environ.get("AWS_REGION") or configured or "us-east-1"

    @property
    def endpoint(self) -> str:
        """The endpoint's URL."""
        return self.client.meta.endpoint_url

    def close(self) -> None:
        """Close connections; the client is made anew when needed again."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def data_path(self) -> DataPath:
        """Host, base path, region, certificates and proxy for requests that do not go through boto3."""
        address = urlsplit(self.endpoint)
        virtual = self._addressing() == "virtual"
        host = f"{self.bucket}.{address.netloc}" if virtual else address.netloc
        folder = self._key_prefix if virtual else f"{self.bucket}/{self._key_prefix}"
        base = address.path.rstrip("/") + "/" + quote(folder, safe="/~")
        proxy = proxy_for(f"{address.scheme}://{host}")
        return DataPath(address.scheme == "https", host, base, self.region, self._ca_bundle(), proxy)

    def identity(self) -> str:
        """Endpoint, bucket, its creation date where it may be listed, and prefix. Raises LocationError."""
        if self._identity is None:
            self._identity = f"s3 {self.endpoint} {self.bucket} {self._created()} /{self.prefix}"
        return self._identity

    def describe(self) -> str:
        """Where it is."""
        return f"bucket {self.bucket} at {self.endpoint}, region {self.region}"

    def check_source(self) -> None:
        """Raise SourceError unless the keys can be listed."""
        self._check(SourceError, f"the source {self.url} cannot be read")

    def check_destination(self) -> None:
        """Raise DestinationError unless keys can be listed and written; nothing visible is written to find out."""
        doing = f"the destination {self.url} cannot be used"
        self._check(DestinationError, doing)
        key = f"{self._key_prefix}{_OWN}check-{secrets.token_hex(8)}"
        with self._explained(DestinationError, doing):
            upload = self.client.create_multipart_upload(Bucket=self.bucket, Key=key)
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload["UploadId"])

    def probe_checksums(self) -> bool:
        """Whether the server refuses an object whose CRC64NVME is wrong. Leaves nothing. Raises DestinationError."""
        key = f"{self._key_prefix}{_OWN}canary-{secrets.token_hex(8)}"
        with self._explained(DestinationError, f"the checksums of {self.url} cannot be tried"):
            try:
                wrong = base64.b64encode(bytes(8)).decode()
                self.client.put_object(Bucket=self.bucket, Key=key, Body=b"canary", ChecksumCRC64NVME=wrong)
            except ClientError as error:
                if code_of(error) in ("BadDigest", "InvalidRequest", "XAmzContentChecksumMismatch"):
                    return True
                raise
            self.client.delete_object(Bucket=self.bucket, Key=key)
            return False

    def top_folders(self) -> list[bytes]:
        """Names of the first-level folders that a run enters, sorted. Raises SourceError."""
        names: set[bytes] = set()
        token: str | None = None
        with self._explained(SourceError, f"the source {self.url} cannot be listed"):
            while True:
                page = self._page("", token, True)
                names.update(path_of(folder.removesuffix("/")) for folder in page.folders)
                token = page.next_token
                if token is None:
                    return sorted(n for n in names if is_safe_relative(n) and n and not is_excluded_name(n, True))

    def scan(self, folders: Sequence[bytes], limit: ScanLimit, selector: Selector, listing: int) -> ScanBatch:
        """List folders; see base.Lists. A folder once begun is finished. Raises SourceError."""
        rows = Rows(listing)
        left = list(reversed(folders))
        deadline = time.monotonic() + limit.seconds
        with self._explained(SourceError, f"the source {self.url} cannot be listed"):
            while left and (not len(rows) or (len(rows) < limit.rows and time.monotonic() < deadline)):
                path = left.pop()
                prefix = f"{key_of(path)}/" if path else ""
                left += reversed(list_folder(self._page, path, prefix, selector, rows))
        return ScanBatch(rows.table(), left[::-1])

    def stored(self) -> Iterator[pa.Table]:
        """Every object below the prefix, a page a table, listed several folders at a time. Raises DestinationError."""
        with self._explained(DestinationError, f"{self.url} cannot be listed"):
            yield from list_all(self._page)

    def head(self, path: bytes) -> StoredObject | None:
        """What is stored at ``path`` (with a trailing slash: a folder's marker). Raises DestinationError."""
        with self._explained(DestinationError, f"{self.url} cannot be looked at"):
            try:
                found = self.client.head_object(Bucket=self.bucket, Key=self._key(path), ChecksumMode="ENABLED")
            except ClientError as error:
                if code_of(error) in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise
        return StoredObject(path, found["ContentLength"], _etag(found), _full_checksum(found), dict(found["Metadata"]))

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
        """Create a multipart upload with a full-object CRC64NVME and return its id. Raises DestinationError."""
        asked: dict[str, Any] = {"StorageClass": self.spec.storage_class} if self.spec.storage_class else {}
        with self._explained(DestinationError, "the upload cannot be begun"):
            answer = self.client.create_multipart_upload(
                Bucket=self.bucket,
                Key=self._key(path),
                ChecksumAlgorithm="CRC64NVME",
                ChecksumType="FULL_OBJECT",
                Metadata=metadata,
                **asked,
            )
        return answer["UploadId"]

    def complete(
        self, path: bytes, upload_id: str, parts: Sequence[PartResult], checksum: int, metadata: dict[str, str]
    ) -> str:
        """Complete an upload with the checksum and size of the whole object; return its ETag.

        Raises UploadGoneError unless the object is already there with this very content, DestinationError otherwise.
        """
        size = sum(part.size for part in parts)
        listed = [
            {"PartNumber": part.number, "ETag": f'"{part.etag}"', "ChecksumCRC64NVME": _encode(part.checksum)}
            for part in parts
        ]
        with self._explained(DestinationError, "the upload cannot be completed"):
            try:
                answer = self.client.complete_multipart_upload(
                    Bucket=self.bucket,
                    Key=self._key(path),
                    UploadId=upload_id,
                    MultipartUpload=cast("Any", {"Parts": listed}),
                    ChecksumCRC64NVME=_encode(checksum),
                    ChecksumType="FULL_OBJECT",
                    MpuObjectSize=size,
                )
            except ClientError as error:
                if code_of(error) != "NoSuchUpload":
                    raise
                return self._completed_before(path, size, checksum)
        if answer.get("ChecksumCRC64NVME", _encode(checksum)) != _encode(checksum):
            raise DestinationError(f"{self.url} stored another content than was sent: the checksums differ")
        return _etag(answer)

    def abort(self, path: bytes, upload_id: str) -> None:
        """Discard an upload; no error if it is gone. Raises DestinationError."""
        with self._explained(DestinationError, "the upload cannot be discarded"):
            try:
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=self._key(path), UploadId=upload_id)
            except ClientError as error:
                if code_of(error) != "NoSuchUpload":
                    raise

    def open_uploads(self) -> Iterator[OpenUpload]:
        """Uploads below the prefix that are not complete, whoever made them. Raises DestinationError."""
        paginator = self.client.get_paginator("list_multipart_uploads")
        pages = paginator.paginate(Bucket=self.bucket, Prefix=self._key_prefix, EncodingType="url")
        with self._explained(DestinationError, f"the open uploads of {self.url} cannot be listed"):
            for page in pages:
                for upload in page.get("Uploads", []):
                    path = path_of(unquote_plus(upload["Key"]).removeprefix(self._key_prefix))
                    yield OpenUpload(path, upload["UploadId"], upload["Initiated"].timestamp())

    def _check(self, kind: type[LocationError], doing: str) -> None:
        with self._explained(kind, doing):
            answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self._key_prefix, MaxKeys=1)
        region = region_of(answer)
        if region and region != self.region:
            raise kind(f"{doing}: {wrong_region(self.bucket, region)}")

    def _completed_before(self, path: bytes, size: int, checksum: int) -> str:
        found = self.head(path)
        if found is None or found.size != size or found.checksum != checksum:
            raise UploadGoneError(f"the upload no longer exists at {self.url}, and its content is not there")
        return found.etag

    def _remove_one(self, key: str, path: bytes) -> list[tuple[bytes, str]]:
        try:
            self.client.delete_object(Bucket=self.bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            return [(path, self._sentence(error))]
        return []

    def _remove_batch(self, batch: dict[str, bytes]) -> list[tuple[bytes, str]]:
        if not batch:
            return []
        try:
            answer = self.client.delete_objects(
                Bucket=self.bucket, Delete={"Quiet": True, "Objects": [{"Key": key} for key in batch]}
            )
        except (BotoCoreError, ClientError) as error:
            return [(path, self._sentence(error)) for path in batch.values()]
        return [(batch[e["Key"]], f"{e.get('Code', '')}: {e.get('Message', '')}") for e in answer.get("Errors", [])]

    def _page(self, prefix: str, token: str | None, level: bool) -> Page:
        asked: dict[str, Any] = {"ContinuationToken": token} if token else {}
        if level:
            asked["Delimiter"] = "/"
        answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self._key_prefix + prefix, **asked)
        start = len(self._key_prefix)
        objects = [dict(found, Key=found["Key"][start:]) for found in answer.get("Contents", [])]
        folders = [found["Prefix"][start:] for found in answer.get("CommonPrefixes", [])]
        return Page(objects, folders, answer.get("NextContinuationToken"))

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
        try:
            found = self.client.list_buckets(Prefix=self.bucket)
        except ClientError:
            return ""
        except BotoCoreError as error:
            raise LocationError(f"{self.url} cannot be reached: {self._sentence(error)}") from error
        dates = [b["CreationDate"].isoformat() for b in found.get("Buckets", []) if b["Name"] == self.bucket]
        return dates[0] if dates else ""

    def _addressing(self) -> str:
        """``virtual`` where the bucket can be part of the host name, as boto3 decides it."""
        if self.spec.addressing:
            return self.spec.addressing
        return "path" if self.spec.endpoint_url or "." in self.bucket else "virtual"

    def _ca_bundle(self) -> str | None:
        return self.spec.ca_bundle or session_of(self.spec).get_config_variable("ca_bundle")

    def _make_client(self) -> S3Client:
        config = Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 4},
            max_pool_connections=2 * PARALLEL_LISTINGS,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": cast("Any", self._addressing())},
            user_agent_extra=f"xsync/{__version__}",
        )
        try:
            return boto3.Session(botocore_session=session_of(self.spec)).client(
                "s3",
                region_name=self.region,
                endpoint_url=self.spec.endpoint_url,
                verify=self._ca_bundle(),
                config=config,
            )
        except (BotoCoreError, ValueError) as error:
            raise LocationError(f"{self.url} cannot be used: {error}") from error

    def _sentence(self, error: Exception) -> str:
        return sentence(error, self.bucket, self.endpoint)

    def _explained(self, kind: type[LocationError], doing: str) -> AbstractContextManager[None]:
        return explained(kind, doing, self.bucket, self.endpoint)


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
