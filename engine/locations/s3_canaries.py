"""What a bucket turns out to do: small objects of our own, written, read, checked and deleted again."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from engine.errors import DestinationError
from engine.locations.base import Trial
from engine.locations.etags import etag_of
from engine.locations.s3_bucket import Bucket
from engine.locations.s3_errors import code_of
from engine.locations.s3_uploads import encoded

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_REFUSALS = ("BadDigest", "InvalidRequest", "XAmzContentChecksumMismatch")
"""What servers call a checksum that is wrong."""

_BODY = b"xsync canary"


class TriedBucket(Bucket):
    """A bucket that can be tried out; whatever a trial makes is below keys of ours, and deleted."""

    def probe_checksums(self) -> bool:
        """Whether the server refuses an object whose CRC64NVME is wrong. Leaves nothing. Raises DestinationError."""
        place = self._own_place("canary")

        def try_wrong_checksum(client: S3Client) -> bool:
            try:
                made = client.put_object(**place, Body=_BODY, ChecksumCRC64NVME=encoded(0))
            except ClientError as error:
                return _refused(error)
            self._take_back(client, place, made)
            return False

        return self._ask(DestinationError, f"the checksums of {self.url} cannot be tried", try_wrong_checksum)

    def probe_upload_checksums(self) -> bool:
        """Whether the server refuses to complete an upload whose whole CRC64NVME is wrong, as probe_checksums."""
        place = self._own_place("canary")

        def try_wrong_checksum(client: S3Client) -> bool:
            made = client.create_multipart_upload(**place, ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT")
            upload = place | {"UploadId": made["UploadId"]}
            etag = client.upload_part(**upload, PartNumber=1, Body=_BODY)["ETag"]
            parts: Any = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
            try:
                done = client.complete_multipart_upload(**upload, MultipartUpload=parts, ChecksumCRC64NVME=encoded(0))
            except ClientError as error:
                client.abort_multipart_upload(**upload)
                return _refused(error)
            self._take_back(client, place, done)
            return False

        return self._ask(DestinationError, f"the uploads of {self.url} cannot be tried", try_wrong_checksum)

    def probe_hashes(self) -> bool:
        """Whether ETags of objects and of parts are the MD5 of what was sent. Leaves nothing. Raises DestinationError.

        They are not where a key of KMS encrypts.
        """
        place = self._own_place("canary")
        expected = f'"{etag_of(_BODY)}"'

        def try_hashes(client: S3Client) -> bool:
            made = client.put_object(**place, Body=_BODY)
            self._take_back(client, place, made)
            upload = client.create_multipart_upload(**place)["UploadId"]
            of_part = client.upload_part(**place, UploadId=upload, PartNumber=1, Body=_BODY)["ETag"]
            client.abort_multipart_upload(**place, UploadId=upload)
            return made["ETag"] == of_part == expected

        return self._ask(DestinationError, f"the ETags of {self.url} cannot be tried", try_hashes)

    def probe_markers(self) -> bool:
        """Whether the server keeps the metadata of a folder's marker. Leaves nothing. Raises DestinationError."""
        place = self._own_place("marker", "/")

        def try_marker(client: S3Client) -> bool:
            made = client.put_object(**place, Metadata={"probe": "1"})
            kept = client.head_object(**place)["Metadata"]
            self._take_back(client, place, made)
            return bool(kept)

        return self._ask(DestinationError, f"the folder markers of {self.url} cannot be tried", try_marker)

    def probe_backslashes(self) -> bool:
        """Whether a backslash in a key stays one. Leaves nothing. Raises DestinationError."""
        place = self._own_place("canary", "\\")  # as a slash, a marker: nothing stays

        def try_backslash(client: S3Client) -> bool:
            made = client.put_object(**place)
            listed = client.list_objects_v2(Bucket=self._bucket, Prefix=place["Key"][:-1]).get("Contents", [])
            self._take_back(client, place, made)
            return any(item["Key"] == place["Key"] for item in listed) or not listed

        return self._ask(DestinationError, f"the names of {self.url} cannot be tried", try_backslash)

    def try_out(self) -> Trial:
        """Write an object, read it, delete it. Raises DestinationError when it cannot be written or read."""
        place = self._own_place("canary")
        key = place["Key"]
        began = time.monotonic()
        answer = self._ask(
            DestinationError,
            f"nothing can be written to {self.url}",
            lambda client: client.put_object(**place, Body=_BODY),
        )
        written = time.monotonic()
        skew = _server_time(answer) - time.time()
        body = self._ask(
            DestinationError,
            f"what was written to {self.url} cannot be read ({key} stays there)",
            lambda client: client.get_object(**place)["Body"].read(),
        )
        if body != _BODY:
            raise DestinationError(f"{self.url} gave back other bytes than were written; {key} stays there")
        read = time.monotonic()
        cannot_delete = ""
        try:
            self._ask(DestinationError, "not deleted", lambda client: self._take_back(client, place, answer))
        except DestinationError as error:
            cannot_delete = f"{error}; {key} stays there"
        checks_checksums, checks_uploads = self.probe_checksums(), self.probe_upload_checksums()
        return Trial(
            write_seconds=written - began,
            read_seconds=read - written,
            clock_skew_seconds=skew,
            cannot_delete=cannot_delete,
            checks_checksums=checks_checksums,
            checks_uploads=checks_uploads,
            hashes_bodies=None if checks_checksums else self.probe_hashes(),
            keeps_backslashes=self.probe_backslashes(),
        )


def _refused(error: ClientError) -> bool:
    """True if it is the checksum that was refused; raises what is another failure."""
    if code_of(error) in _REFUSALS:
        return True
    raise error


def _server_time(answer: Any) -> float:
    """What the server's clock shows, in whole seconds; the middle of that second."""
    text = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    return parsedate_to_datetime(text).timestamp() + 0.5 if text else time.time()
