"""Other metadata for objects that stay: the rest of them is kept, and nothing is touched that is not what was known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.locations import s3_metadata
from engine.locations.base import Replaced
from engine.locations.s3 import S3Location
from tests.conftest import SpecMaker

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

METADATA = {"file-mtime": "2ns", "file-permissions": "0100600"}


def _put(boto: S3Client, bucket: str, content: bytes) -> str:
    answer = boto.put_object(
        Bucket=bucket,
        Key="p/x",
        Body=content,
        Metadata={"file-mtime": "1ns", "theirs": "kept"},
        ContentType="text/x-kept",
        Tagging="a=1",
    )
    return answer["ETag"].strip('"')


def _replace(spec: Any, etag: str) -> Replaced:
    location = S3Location(spec)
    try:
        return location.replace_metadata(b"x", etag, METADATA)
    finally:
        location.close()


@pytest.mark.parametrize("largest", [5 << 30, 1 << 20])
def test_all_but_the_metadata_stays(
    s3_spec: SpecMaker, boto: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    monkeypatch.setattr(s3_metadata, "LARGEST_COPY", largest)
    monkeypatch.setattr(s3_metadata, "COPIED_PART", 5 << 20)
    content = bytes(range(256)) * (12 << 12)
    etag = _put(boto, bucket, content)
    done = _replace(s3_spec(bucket, "p"), etag)
    found = boto.get_object(Bucket=bucket, Key="p/x")
    assert found["Body"].read() == content
    assert (found["ETag"].strip('"'), done.held_back) == (done.etag, "")
    assert found["Metadata"] == {"theirs": "kept", **METADATA}
    assert found["ContentType"] == "text/x-kept"
    assert boto.get_object_tagging(Bucket=bucket, Key="p/x")["TagSet"] == [{"Key": "a", "Value": "1"}]
    assert boto.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_what_is_not_what_was_known_is_left_alone(s3_spec: SpecMaker, boto: S3Client, bucket: str) -> None:
    _put(boto, bucket, b"content")
    assert _replace(s3_spec(bucket, "p"), "another") == Replaced()
    assert boto.head_object(Bucket=bucket, Key="p/x")["Metadata"]["file-mtime"] == "1ns"
    boto.delete_object(Bucket=bucket, Key="p/x")
    assert _replace(s3_spec(bucket, "p"), "another") == Replaced()
