"""Other metadata for objects that stay as they are: S3 can only copy an object onto itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from botocore.exceptions import ClientError

from engine.errors import DestinationError
from engine.locations.base import Replaced
from engine.locations.extras import EXTRAS
from engine.locations.metadata import ATIME, GROUP, MODE, MTIME, ORIGINAL_PATH, OWNER
from engine.locations.s3_bucket import Bucket
from engine.locations.s3_errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

LARGEST_COPY = 5 << 30
"""CopyObject takes so many bytes (S3 API reference); larger objects are copied part by part."""

COPIED_PART = 1 << 30
USABLE_PARTS = 9_000

COLD = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Classes that have to be restored before they can be copied."""

_OURS = frozenset({MODE, OWNER, GROUP, MTIME, ATIME, ORIGINAL_PATH, EXTRAS})
_CONTENT = {
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "content-type": "ContentType",
}
"""What boto3 calls CONTENT_HEADERS."""

_KEPT = (
    "Expires",
    "WebsiteRedirectLocation",
    "StorageClass",
    "ServerSideEncryption",
    "SSEKMSKeyId",
    "BucketKeyEnabled",
)


class DescribedBucket(Bucket):
    """A bucket whose objects can be given other metadata. Tags stay, and class, encryption and content headers."""

    def replace_metadata(
        self, path: bytes, etag: str, metadata: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Replaced:
        """Give the object at ``path`` the POSIX ``metadata``, if its ETag still is ``etag``; the rest of it stays.

        With content ``headers``, by lower case, these take the place of its own, and ``metadata`` that of all it had.
        Raises DestinationError.
        """
        key = self._key(path)
        doing = f"the metadata of an object of {self.url} cannot be set"
        found = self._ask(DestinationError, doing, lambda client: self._look(client, key))
        if found is None or found["ETag"].strip('"') != etag:
            return Replaced()
        if found.get("StorageClass") in COLD:
            return Replaced(held_back=f"its class {found['StorageClass']} has to be restored first")
        kept = {name: found[name] for name in _KEPT if found.get(name) is not None}
        if headers is None:
            kept |= {name: found[name] for name in _CONTENT.values() if found.get(name) is not None}
            others = {name: text for name, text in found["Metadata"].items() if name.lower() not in _OURS}
        else:
            kept |= {_CONTENT[name]: text for name, text in headers.items()}
            others = {}
        asked = kept | {"Metadata": others | dict(metadata)}
        copy = self._copy_in_parts if found["ContentLength"] > LARGEST_COPY else self._copy_whole
        size = found["ContentLength"]
        return Replaced(self._ask(DestinationError, doing, lambda client: copy(client, key, etag, size, asked)))

    def _look(self, client: S3Client, key: str) -> dict[str, Any] | None:
        try:
            return dict(client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED"))
        except ClientError as error:
            if code_of(error) in ("404", "NoSuchKey", "NotFound"):
                return None
            raise

    def _copy_whole(self, client: S3Client, key: str, etag: str, _: int, asked: dict[str, Any]) -> str:
        answer = client.copy_object(
            Bucket=self._bucket,
            Key=key,
            CopySource={"Bucket": self._bucket, "Key": key},
            CopySourceIfMatch=etag,
            MetadataDirective="REPLACE",
            TaggingDirective="COPY",
            ChecksumAlgorithm="CRC64NVME",
            **asked,
        )
        return answer["CopyObjectResult"]["ETag"].strip('"')

    def _copy_in_parts(self, client: S3Client, key: str, etag: str, size: int, asked: dict[str, Any]) -> str:
        where: dict[str, Any] = {"Bucket": self._bucket, "Key": key}
        tags = client.get_object_tagging(**where)["TagSet"]
        tagging = "&".join(f"{quote_plus(tag['Key'])}={quote_plus(tag['Value'])}" for tag in tags)
        upload = where | {
            "UploadId": client.create_multipart_upload(
                **where, ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT", Tagging=tagging, **asked
            )["UploadId"]
        }
        part_bytes = max(COPIED_PART, -(-size // USABLE_PARTS))
        try:
            parts: list[CompletedPartTypeDef] = []
            for number, start in enumerate(range(0, size, part_bytes), start=1):
                answer = client.upload_part_copy(
                    **upload,
                    PartNumber=number,
                    CopySource={"Bucket": self._bucket, "Key": key},
                    CopySourceIfMatch=etag,
                    CopySourceRange=f"bytes={start}-{min(start + part_bytes, size) - 1}",
                )["CopyPartResult"]
                parts.append({"PartNumber": number, "ETag": answer["ETag"]})
            done = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except BaseException:
            client.abort_multipart_upload(**upload)
            raise
        return done["ETag"].strip('"')
