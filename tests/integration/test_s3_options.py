"""Storage class, encryption and the expected owner of a bucket. The server of the tests has no keys to encrypt with."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.locations.s3_options import expected_owner, stored_as
from engine.model import LocationSpec, Migration, Status
from tests.conftest import SpecMaker
from tests.faults.proxy import fault_proxy
from tests.in_process import run_in_process
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OWNER = "111122223333"


def test_what_is_asked_for_goes_with_every_request_that_it_is_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boto: S3Client, bucket: str, s3: S3Server, s3_spec: SpecMaker
) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    (tmp_path / "source" / "folder").mkdir(parents=True)
    for name, size in (("small", 10), ("medium", 2 << 20), ("large", 33 << 20), ("folder/deep", 0)):
        (tmp_path / "source" / name).write_bytes(bytes(size))
    with fault_proxy(s3.endpoint_url) as proxy:
        options = {"storage_class": "STANDARD_IA", "bucket_owner": OWNER}
        destination = msgspec.structs.replace(s3_spec(bucket), endpoint_url=proxy.url, **options)
        migration = Migration(LocationSpec(str(tmp_path / "source")), destination, agents=1)
        snapshot = asyncio.run(run_in_process(migration))
    assert snapshot.status is Status.SUCCESS, snapshot.message
    assert {request.headers.get("x-amz-expected-bucket-owner") for request in proxy.seen} == {OWNER}
    storing = [
        request
        for request in proxy.seen
        if "/.xsync-" not in request.path
        and (
            (request.method == "PUT" and "partNumber" not in request.path)
            or (request.method == "POST" and "uploads" in request.path)
        )
    ]
    assert len(storing) >= 5
    for request in storing:
        assert request.headers.get("x-amz-storage-class") == "STANDARD_IA", request
    assert boto.get_object(Bucket=bucket, Key="large")["Body"].read() == bytes(33 << 20)


def test_nothing_is_added_unless_asked_for() -> None:
    spec = LocationSpec("s3://bucket")
    assert stored_as(spec) == expected_owner(spec) == {}
    keyed = LocationSpec("s3://bucket", sse="aws:kms", kms_key_id="alias/data")
    assert stored_as(keyed) == {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "alias/data",
    }
