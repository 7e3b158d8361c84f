"""Uploads of large files whose beginning or completion the destination does not answer at first."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.model import LocationSpec, Migration, Status
from engine.transfer import retry
from tests.conftest import SpecMaker
from tests.faults.proxy import Fault, Request, fault_proxy
from tests.in_process import run_in_process
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MORE_THAN_BOTOCORE_TRIES = 6


@pytest.mark.parametrize("query", ["uploads", "uploadId="])
@pytest.mark.parametrize("fault", ["503", "reset", "lost-answer"])
def test_an_upload_outlives_a_destination_that_is_out_of_reach(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    boto: S3Client,
    bucket: str,
    s3: S3Server,
    s3_spec: SpecMaker,
    query: str,
    fault: Fault,
) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(retry, "FIRST_DELAY_SECONDS", 0.001)
    source = tmp_path / "source"
    source.mkdir()
    content = bytes(range(256)) * (33 << 12)
    (source / "large").write_bytes(content)
    left = iter(range(MORE_THAN_BOTOCORE_TRIES))

    def decide(request: Request) -> Fault:
        aimed_at = request.method == "POST" and "large?" + query in request.path
        return fault if aimed_at and next(left, None) is not None else "pass"

    with fault_proxy(s3.endpoint_url) as proxy:
        proxy.decide = decide
        destination = msgspec.structs.replace(s3_spec(bucket), endpoint_url=proxy.url)
        migration = Migration(LocationSpec(str(source)), destination, agents=1)
        snapshot = asyncio.run(run_in_process(migration))
    assert next(left, None) is None or fault == "lost-answer"
    assert snapshot.status is Status.SUCCESS, snapshot.message
    assert snapshot.totals.files.transferred == 1
    assert boto.get_object(Bucket=bucket, Key="large")["Body"].read() == content
    assert "Uploads" not in boto.list_multipart_uploads(Bucket=bucket)
