"""Servers that do not know CRC64NVME: what they received is proven by MD5, or not said to be verified."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.execution.checking.destinations import check_destination
from engine.home import find_home, list_execution_folders
from engine.journal.reader import SnapshotReader
from engine.locations.registry import open_location
from engine.model import LocationSpec, Migration, Snapshot, Status
from tests.faults.proxy import Fault, FaultProxy, Request, fault_proxy
from tests.in_process import run_in_process
from tests.support import make_source
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILES = 8
LARGE = "large-0.bin"
CHECKSUM = "x-amz-checksum-crc64nvme"


@pytest.fixture
def proxy(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    with fault_proxy(s3.endpoint_url) as running:
        yield running


@pytest.fixture
def migration(proxy: FaultProxy, s3: S3Server, bucket: str, tmp_path: Path) -> Migration:
    """Small files, one of 2 MiB, one in three parts."""
    source = make_source(tmp_path / "source", files=FILES - 2, large=(40 << 20, 2 << 20))
    destination = LocationSpec(f"s3://{bucket}/data", region=s3.region, endpoint_url=proxy.url, addressing="path")
    return Migration(LocationSpec(str(source)), destination, agents=1)


def is_canary(request: Request) -> bool:
    return ".xsync-canary-" in request.path


def is_body(request: Request) -> bool:
    """Whether it is of the dataset."""
    return request.method == "PUT" and "/.xsync-" not in request.path


def ignorant(request: Request) -> Fault:
    """A server that takes any CRC64NVME, and tells none."""
    return "taken" if is_canary(request) and request.method == "PUT" and CHECKSUM in request.headers else "untold"


def run(migration: Migration) -> Snapshot:
    return asyncio.run(run_in_process(migration))


def report() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((list_execution_folders(find_home())[-1] / "report.json").read_bytes())
    return found


def arrived(migration: Migration, boto: S3Client, bucket: str) -> bool:
    """Whether every file is in the bucket as it is in the source. The server keeps no CRC64NVME that was not sent."""
    source = Path(migration.source.url)
    files = [path for path in source.rglob("*") if path.is_file()]
    assert len(files) == FILES
    keys = {path: f"data/{path.relative_to(source)}" for path in files}
    return all(
        boto.get_object(Bucket=bucket, Key=key)["Body"].read() == path.read_bytes() for path, key in keys.items()
    )


def test_its_etags_are_compared_with_what_was_sent(
    migration: Migration, proxy: FaultProxy, boto: S3Client, bucket: str
) -> None:
    proxy.decide = ignorant
    snapshot = run(migration)
    assert snapshot.status is Status.SUCCESS
    assert report()["verified"] == {"etag": FILES}
    assert [event.text for event in snapshot.events if "CRC64NVME" in event.text and "MD5" in event.text]
    bodies = [each for each in proxy.seen if is_body(each) and "?" not in each.path]
    assert len(bodies) >= FILES - 1
    assert all("content-md5" in each.headers and CHECKSUM not in each.headers for each in bodies)
    assert arrived(migration, boto, bucket)


def test_what_is_damaged_on_its_way_is_sent_again(
    migration: Migration, proxy: FaultProxy, boto: S3Client, bucket: str
) -> None:
    damaged: list[str] = []

    def decide(request: Request) -> Fault:
        if is_body(request) and request.headers["content-length"] != "0" and request.path not in damaged:
            damaged.append(request.path)
            return "corrupt-untold"
        return ignorant(request)

    proxy.decide = decide
    assert run(migration).status is Status.SUCCESS
    assert sum("partNumber=" in path for path in damaged) == 3
    assert any(path.endswith("large-1.bin") for path in damaged)
    assert any("/top" in path for path in damaged)
    assert report()["verified"] == {"etag": FILES}
    assert arrived(migration, boto, bucket)


def test_an_upload_that_was_put_together_otherwise_fails(migration: Migration, proxy: FaultProxy) -> None:
    proxy.decide = lambda request: "other-etag" if request.method == "POST" else ignorant(request)
    assert run(migration).totals.files.failed == 1
    with SnapshotReader(list_execution_folders(find_home())[-1]) as reader:
        (failure,) = reader.failures()
    assert (failure.path, failure.reason) == (LARGE, "upload not completed")
    assert "something else than the parts that were sent" in failure.detail


def test_where_etags_are_no_hashes_nothing_is_called_verified(migration: Migration, proxy: FaultProxy) -> None:
    proxy.decide = lambda request: "taken" if is_canary(request) and request.method == "PUT" else "untold"
    snapshot = run(migration)
    assert snapshot.status is Status.SUCCESS
    assert report()["verified"] == {"": FILES}
    assert [event.text for event in snapshot.events if "nothing is verified by the server" in event.text]


def test_the_check_says_what_proves_it(migration: Migration, proxy: FaultProxy) -> None:
    proxy.decide = ignorant
    found = list(check_destination(open_location(migration.destination), migration, None))
    assert [each.level for each in found if "ETags are MD5s" in each.text] == ["ok"]
    assert not [each for each in found if "wrong CRC64NVME" in each.text]
