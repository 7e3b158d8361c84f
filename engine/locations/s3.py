"""Buckets of S3 and of servers that speak its protocol: the control plane. Bytes travel elsewhere (engine/transfer)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_plus

import pyarrow as pa
from botocore.exceptions import ClientError

from engine.errors import DestinationError, LocationError, SourceError
from engine.locations.base import Kept, OpenFile
from engine.locations.extras import (
    EXTRAS,
    MAX_DECODED_BYTES,
    NOTHING,
    SIDE_PREFIX,
    UNREADABLE,
    Extras,
    ExtrasError,
    is_side_object,
    reread,
    resolved,
    side_path,
)
from engine.locations.listing import Rest, ScanBatch, ScanLimit, Selector
from engine.locations.s3_canaries import TriedBucket
from engine.locations.s3_client import DataPath, failure_of, warm_up, wrong
from engine.locations.s3_copies import CopyingBucket
from engine.locations.s3_errors import as_boto, is_passing, region_of, wrong_region
from engine.locations.s3_listing import Listing, list_all
from engine.locations.s3_metadata import DescribedBucket
from engine.locations.s3_objects import S3File
from engine.locations.s3_pages import Asked, parse_page
from engine.locations.s3_uploads import UploadingBucket
from engine.names import is_excluded_name, is_safe_relative, key_of, path_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import DeleteTypeDef, ListObjectsV2OutputTypeDef

DELETE_BATCH = 1_000
"""DeleteObjects takes so many keys."""

AGAIN_SECONDS = (0.2, 0.8, 3.2)
"""Waits before a page of a listing is asked for again; who can wait longer asks for the whole listing again."""

_UNFIT_FOR_XML = re.compile("[\x00-\x1f\x7f\ufffe\uffff]")
"""Keys with these are deleted one by one: XML cannot hold them, or changes them."""


__all__ = ["S3Location", "warm_up"]


class S3Location(UploadingBucket, CopyingBucket, DescribedBucket, TriedBucket):
    """A bucket, or the keys below a prefix. The client is made when first needed, and by each process anew."""

    def close(self) -> None:
        """Close connections; they are opened anew when needed."""
        self.connection.close()
        self._objects.close()

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
        place = self._own_place("check")

        def try_upload(client: S3Client) -> None:
            upload = client.create_multipart_upload(**place)
            begun = {upload["UploadId"]}
            if upload["ResponseMetadata"].get("RetryAttempts"):  # an attempt whose answer was lost has begun one, too
                with suppress(ClientError):
                    found = client.list_multipart_uploads(Bucket=self._bucket, Prefix=place["Key"])
                    begun.update(each["UploadId"] for each in found.get("Uploads", []))
            for upload_id in begun:
                client.abort_multipart_upload(**place, UploadId=upload_id)

        options = {"storage_class": self.spec.storage_class, "sse": self.spec.sse}
        if asked := [f'{name} = "{value}"' for name, value in options.items() if value]:
            doing += f" with {' and '.join(asked)}"
        self._ask(DestinationError, doing, try_upload)
        if self.spec.endpoint_url and (self.spec.storage_class or self.spec.sse):
            self._try_kept(doing)

    def _try_kept(self, doing: str) -> None:
        """Write and delete an object as those of the dataset are kept: many servers refuse class and encryption late.

        Amazon S3 refuses both where an upload is begun.
        """
        place = self._own_place("check")
        kept: dict[str, Any] = {"StorageClass": self.spec.storage_class} if self.spec.storage_class else {}

        def try_object(client: S3Client) -> None:
            made = client.put_object(**place, Body=b"", **kept)
            with suppress(ClientError):
                self._take_back(client, place, made)

        self._ask(DestinationError, doing, try_object)

    def top_folders(self) -> list[bytes]:
        """Names of the first-level folders that a run enters, sorted. Raises SourceError."""
        names: set[bytes] = set()
        asked = Asked("", level=True)
        while True:
            page = parse_page(self._page(SourceError, asked), self._key_prefix.encode())
            names.update(page.folders)
            if page.next_token is None:
                break
            asked = asked._replace(token=page.next_token)
        return sorted(n for n in names if n and is_safe_relative(n) and not is_excluded_name(n, at_root=True))

    def scan(self, folders: Sequence[bytes], limit: ScanLimit, selector: Selector, listing: int) -> ScanBatch:
        """List folders; see base.Lists and s3_listing. Raises SourceError."""
        return self._listing(limit, selector, listing).scan(folders)

    def scan_rest(self, rest: Rest, limit: ScanLimit, selector: Selector, listing: int) -> ScanBatch:
        """List the next slice of a folder; see base.ListsSlices. Raises SourceError."""
        return self._listing(limit, selector, listing).scan_rest(rest)

    def stored(self) -> Iterator[pa.Table]:
        """Every object below the prefix, a page a table, listed several folders at a time. Raises DestinationError."""
        return list_all(partial(self._page, DestinationError), self._key_prefix.encode())

    def is_empty(self) -> bool:
        """Whether there is no key below the prefix but its own marker. Raises DestinationError."""
        page = parse_page(self._page(DestinationError, Asked("", level=True)), self._key_prefix.encode())
        return not page.folders and not any(page.objects.paths)

    def open_file(self, path: bytes, start: int = 0, end: int | None = None) -> S3File:
        """Ask for an object, or bytes ``start``..``end`` of it; nothing but its attributes if there are none.

        Raises FileNotFoundError, RequestError, SourceError.
        """
        return self._objects.open(path, start, end)

    def read_link(self, path: bytes) -> bytes:
        """The content of an object that stands for a symlink. Raises like ``open_file``."""
        return self._objects.read(path)

    def extras(self, path: bytes, file: OpenFile | None = None, *, shape: bool = False) -> Extras:
        """What the metadata of an object, or of a folder's marker, says beyond DataSync's keys; see base.HasExtras.

        Its shape comes with it. UNREADABLE if it is not what was written with this version of the object.
        """
        kept = file.kept if file is not None else self._objects.marker(path)
        value = kept.metadata.get(EXTRAS, "") if kept is not None else ""
        if not value:
            return NOTHING
        try:
            return reread(lambda: resolved(value, lambda: self._objects.read(side_path(path), MAX_DECODED_BYTES)))
        except (ExtrasError, FileNotFoundError):
            return UNREADABLE

    def keeps_versions(self) -> bool:
        """Whether what is deleted stays as a noncurrent version; where that may not be asked, it is taken not to."""

        def look(client: S3Client) -> bool:
            try:
                return client.get_bucket_versioning(Bucket=self._bucket).get("Status") == "Enabled"
            except ClientError:
                return False

        return self._ask(DestinationError, f"the versioning of {self.url} cannot be asked for", look)

    def remove(self, paths: Iterable[bytes]) -> list[tuple[bytes, str]]:
        """Delete objects; a path with a trailing slash is a folder's marker. What is not there counts as deleted."""
        failed: list[tuple[bytes, str]] = []
        batch: dict[str, bytes] = {}
        paths = list(paths)
        for path in (*self._sides_of(paths), *paths):
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
        failed += self._remove_batch(batch)
        return [(path, reason) for path, reason in failed if not is_side_object(path)]

    def marker(self, path: bytes) -> Kept | None:
        """What a folder's marker has, or None without one. Raises RequestError."""
        return self._objects.marker(path)

    def side_objects(self, folder: bytes) -> list[bytes]:
        """Paths of the side objects of what is in ``folder``. Raises DestinationError."""
        prefix = key_of(folder + b"/" + SIDE_PREFIX if folder else SIDE_PREFIX)
        return [path_of(key) for key in self._keys(prefix) if "/" not in key[len(prefix) :]]

    def _sides_of(self, paths: Sequence[bytes]) -> list[bytes]:
        """The side objects that belong to what is at ``paths``: one page of a listing tells, for each folder."""
        wanted: dict[bytes, set[bytes]] = {}
        for path in paths:
            side = side_path(path.removesuffix(b"/"))
            wanted.setdefault(side.rpartition(b"/")[0], set()).add(side)
        found: list[bytes] = []
        for folder, sides in wanted.items():
            with suppress(DestinationError):
                found += sides & set(self.side_objects(folder))
        return found

    def _keys(self, prefix: str) -> Iterator[str]:
        """The keys of the location that begin with ``prefix``. Raises DestinationError."""
        token: dict[str, str] = {}
        while True:
            page = self._ask(
                DestinationError,
                f"{self.url} cannot be listed",
                partial(self._some_keys, self._key_prefix + prefix, token),
            )
            yield from (unquote_plus(found["Key"])[len(self._key_prefix) :] for found in page.get("Contents", []))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _some_keys(self, prefix: str, token: dict[str, str], client: S3Client) -> ListObjectsV2OutputTypeDef:
        more = cast("Any", token)
        return client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, EncodingType="url", **more)

    def _check(self, kind: type[LocationError], doing: str) -> None:
        answer = self._ask(
            kind, doing, lambda client: client.list_objects_v2(Bucket=self._bucket, Prefix=self._key_prefix, MaxKeys=1)
        )
        region = region_of(answer)
        if region and region != self.connection.region:
            raise wrong(kind)(f"{doing}: {wrong_region(self._bucket, region)}")

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

    def _listing(self, limit: ScanLimit, selector: Selector, listing: int) -> Listing:
        return Listing(partial(self._page, SourceError), self._key_prefix.encode(), limit, selector, listing)

    def _page(self, kind: type[LocationError], asked: Asked) -> bytes:
        """The XML of a page of a listing; tried again while that can help."""
        for delay in (*AGAIN_SECONDS, None):
            try:
                return self._objects.page(asked)
            except OSError as error:
                failure = as_boto(error, self.connection.endpoint)
                if delay is None or not is_passing(failure):
                    text = f"{self.url} cannot be listed: {self.connection.sentence(failure)}"
                    raise failure_of(kind, failure)(text) from error
                time.sleep(delay)
        raise AssertionError("unreachable")

    def _created(self) -> str:
        """The bucket's creation date, or "" where the credentials may not list buckets."""

        def look(client: S3Client) -> str:
            try:
                found = client.list_buckets(Prefix=self._bucket)
            except ClientError as error:
                if is_passing(error):
                    raise  # without its date the bucket would pass for another one
                return ""
            dates = [b["CreationDate"].isoformat() for b in found.get("Buckets", []) if b["Name"] == self._bucket]
            return dates[0] if dates else ""

        return self._ask(LocationError, f"{self.url} cannot be used", look)
