"""Multipart uploads: begun with all that the object is to have, completed with its checksum, or discarded."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from engine.errors import DestinationError, ExistsError, UnavailableError, UploadGoneError
from engine.locations.base import NO_HEADERS, Made, OpenUpload, PartResult, StoredObject
from engine.locations.etags import etag_of_parts
from engine.locations.extras import EXTRAS, placed, side_path
from engine.locations.s3_bucket import Bucket
from engine.locations.s3_errors import code_of
from engine.locations.s3_objects import checksum_of_text
from engine.names import path_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, ListMultipartUploadsOutputTypeDef


_ARGUMENTS = {
    "content-type": "ContentType",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "content-disposition": "ContentDisposition",
    "cache-control": "CacheControl",
    "x-amz-tagging": "Tagging",
}
"""Headers of an object as boto3 takes them."""


class UploadingBucket(Bucket):
    """A bucket that large objects are put into part by part."""

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
            if not (found.get("ETag") or found.get("LastModified")):
                raise UnavailableError(f"{self.url} answered something that is about no object")
            size, metadata = found["ContentLength"], dict(found["Metadata"])
            return StoredObject(path, size, _etag(found), _full_checksum(found), metadata)

        return self._ask(DestinationError, f"an object of {self.url} cannot be looked at", look)

    def begin(self, path: bytes, size: int, metadata: dict[str, str], content: Mapping[str, str] = NO_HEADERS) -> str:
        """Create a multipart upload with a full-object CRC64NVME and return its id. Raises DestinationError.

        Asked for once: an attempt whose answer is lost leaves an upload behind that the caller has to know of.
        """
        asked: dict[str, Any] = {_ARGUMENTS[name]: value for name, value in content.items()}
        key = self._key(path)
        metadata, side = placed(metadata, metadata.get(EXTRAS, ""))
        if side:
            self._put_side(path, side)

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

    def _put_side(self, path: bytes, side: bytes) -> None:
        """Keep what does not fit into the metadata of an object."""
        key = self._key(side_path(path))
        self._ask(
            DestinationError,
            f"the extended attributes of an object of {self.url} cannot be kept",
            lambda client: client.put_object(Bucket=self._bucket, Key=key, Body=side),
        )

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
        """Complete an upload with the checksum and size of the whole object.

        Raises UploadGoneError unless the object is already there with this very content; ExistsError if it is to be
        ``only_new`` and there is another; DestinationError otherwise.
        """
        key, size = self._key(path), sum(part.size for part in parts)
        condition: Any = {"IfNoneMatch": "*"} if only_new else {}

        def finish(client: S3Client) -> Made | None:
            try:
                answer = client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=key,
                    UploadId=upload_id,
                    MultipartUpload={"Parts": [_completed(part) for part in parts]},
                    ChecksumCRC64NVME=encoded(checksum),
                    ChecksumType="FULL_OBJECT",
                    MpuObjectSize=size,
                    **condition,
                )
            except ClientError as error:
                if code_of(error) == "NoSuchUpload":
                    return None
                if only_new and code_of(error) in ("PreconditionFailed", "412"):
                    raise ExistsError(f"{self.url} holds another object of this name") from None
                raise
            made = Made(_etag(answer), _full_checksum(answer))
            if made.checksum not in (None, checksum):
                raise DestinationError(f"{self.url} stored another content than was sent: the checksums differ")
            return made

        made = self._ask(DestinationError, "the upload cannot be completed", finish)
        if made is None:
            return self._completed_before(path, parts, checksum)
        if not made.etag and (found := self.head(path)) is not None:  # Ceph 16 tells none
            return made._replace(etag=found.etag)
        return made

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

    def _completed_before(self, path: bytes, parts: Sequence[PartResult], checksum: int) -> Made:
        found = self.head(path)
        if found is not None and found.size == sum(part.size for part in parts):
            keeps_none = found.checksum is None
            if found.checksum == checksum or (keeps_none and found.etag == etag_of_parts(parts)):
                return Made(found.etag, found.checksum)
        raise UploadGoneError(f"the upload no longer exists at {self.url}, and its content is not there")


def _completed(part: PartResult) -> CompletedPartTypeDef:
    etag = part.etag.strip('"')
    return {"PartNumber": part.number, "ETag": f'"{etag}"', "ChecksumCRC64NVME": encoded(part.checksum)}


def encoded(checksum: int) -> str:
    """A CRC64NVME as boto3 takes it."""
    return base64.b64encode(checksum.to_bytes(8, "big")).decode()


def _etag(answer: Any) -> str:
    etag: str = answer.get("ETag", "")
    return etag.strip('"')


def _full_checksum(found: Any) -> int | None:
    """The CRC64NVME of the whole object, or None if the server keeps none."""
    text = found.get("ChecksumCRC64NVME")
    if text is None or found.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    return checksum_of_text(text)
