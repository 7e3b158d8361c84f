"""What is not content fails, too: listings, deletions, tags, and the discarding of uploads; a run says so."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.errors import LocationError
from engine.execution import uploads
from engine.execution.agents.twin import TwinFleet
from engine.home import find_home, list_execution_folders
from engine.journal.reader import SnapshotReader
from engine.locations import s3 as s3_location
from engine.locations.registry import open_location
from engine.model import Failure, LocationSpec, Migration, Snapshot, Status, TransferOptions
from engine.transfer.units import AgentConfig, ScanUnit
from tests.conftest import SpecMaker
from tests.faults.agents import SECONDS, config_of, engine_of, spec_of
from tests.faults.drawing import operation_of
from tests.faults.proxy import Fault, FaultProxy, fault_proxy
from tests.faults.proxy import Request as Passing
from tests.in_process import run_in_process
from tests.integration.s3_stub import Answer, Request, error, serving
from tests.support import make_source
from xsync_tui.cli.outcome import exit_code
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TRUNCATED = "<IsTruncated>true</IsTruncated>"
REMOVE = TransferOptions(preserve_deleted_files="REMOVE", max_deletion_share=1.0)


@pytest.fixture(autouse=True)
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(s3_location, "AGAIN_SECONDS", (0.0,))
    monkeypatch.setattr(uploads, "RETRY_SECONDS", 0.3)


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(s3.endpoint_url) as running:
        yield running


@pytest.fixture
def near(proxy: FaultProxy, bucket: str, s3_spec: SpecMaker) -> LocationSpec:
    """A bucket behind the proxy."""
    return msgspec.structs.replace(s3_spec(bucket), endpoint_url=proxy.url)


def run(source: LocationSpec, target: LocationSpec, options: TransferOptions | None = None, **changes: Any) -> Snapshot:
    """Run to the end; ``changes`` are fields of AgentConfig."""

    def fleet(config: AgentConfig) -> TwinFleet:
        return TwinFleet(msgspec.structs.replace(config, **changes))

    migration = Migration(source, target, options=options or TransferOptions(), agents=1)
    return asyncio.run(run_in_process(migration, fleet))


def failures() -> list[Failure]:
    """What the latest execution names."""
    with SnapshotReader(list_execution_folders(find_home())[-1]) as reader:
        return reader.failures()


class Paged:
    """An object store with a listing of two pages. ``broken`` are answers in place of the second one, for a scan."""

    def __init__(self) -> None:
        self.broken: list[Answer] = []
        self.scans = False

    def breaks(self, answer: Answer, times: int) -> None:
        """From the next scan on, and not while a run is prepared, the second page is ``answer`` so often."""
        self.broken, self.scans = [answer] * times, False

    def __call__(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if "list-type=2" in request.path:
            self.scans = self.scans or not ("delimiter" in request.path or "max-keys" in request.path)
            if not ("continuation-token" in request.path or "start-after" in request.path):
                return page("one", f"{TRUNCATED}<NextContinuationToken>t</NextContinuationToken>")
            return self.broken.pop() if self.scans and self.broken else page("two")
        if path in ("/b/one", "/b/two"):
            return Answer(200, b"abc", {"etag": '"e"', "last-modified": "Thu, 02 Jan 2025 03:04:05 GMT"})
        return error(404, "NoSuchKey")


def page(key: str, more: str = "<IsTruncated>false</IsTruncated>") -> Answer:
    item = "<LastModified>2025-01-02T03:04:05Z</LastModified><ETag>&quot;e&quot;</ETag><Size>3</Size>"
    text = f"<ListBucketResult>{more}<Contents><Key>{key}</Key>{item}</Contents></ListBucketResult>"
    return Answer(200, text.encode())


BROKEN = {
    "busy": error(503, "SlowDown"),
    "broken": error(500, "InternalError"),
    "an error as a success": error(200, "InternalError"),
    "of somebody else": Answer(200, b"<html>Sign in to this network</html>"),
    "cut short": Answer(200, page("two").body[:-30]),
    "more without a token": page("two", TRUNCATED),
}


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_a_page_that_does_not_come_is_no_end_of_the_listing(tmp_path: Path, answer: Answer) -> None:
    store = Paged()
    target = tmp_path / "target"
    with serving(store) as url:
        ends = LocationSpec("s3://b", region="us-east-1", endpoint_url=url), LocationSpec(str(target))
        assert run(*ends, REMOVE).status is Status.SUCCESS
        store.breaks(answer, 1_000)
        snapshot = run(*ends, REMOVE, retry_seconds=0.2)
        assert (snapshot.status, exit_code(snapshot, gone=False)) == (Status.ERROR, 1)
        assert "s3://b cannot be listed" in snapshot.message
        assert not snapshot.totals.listing_complete
        assert {path.name for path in target.iterdir()} == {"one", "two"}
        store.breaks(answer, 5)
        again = run(*ends, REMOVE, retry_seconds=20.0)
    assert store.broken == []
    assert again.status is Status.SUCCESS, again.message
    assert (again.totals.files.discovered, again.totals.files.deleted) == (2, 0)


@pytest.mark.usefixtures("s3")
def test_who_waits_for_a_listing_stops_when_asked_to(tmp_path: Path) -> None:
    asked = threading.Semaphore(0)

    def respond(request: Request) -> Answer:
        asked.release()
        return error(503, "SlowDown")

    (tmp_path / "target").mkdir()
    with serving(respond) as url:
        source = LocationSpec("s3://b", region="us-east-1", endpoint_url=url)
        config = msgspec.structs.replace(config_of(tmp_path, spec_of(tmp_path / "target")), source=source)
        with engine_of(msgspec.structs.replace(config, retry_seconds=3600.0)) as engine:
            scan = engine.submit(ScanUnit(1, 1, [b""], 1))
            for _ in range(6):
                assert asked.acquire(timeout=SECONDS)
            engine.fence(2)
            outcome = scan.result(SECONDS)
    assert (outcome.folders_left, outcome.fatal) == ([b""], "")


@pytest.mark.parametrize("fault", ["500", "reset", "200-with-error", "lost-answer", "truncated"])
def test_deletions_outlive_what_passes_and_name_what_stays(
    tmp_path: Path, boto: S3Client, bucket: str, proxy: FaultProxy, near: LocationSpec, fault: Fault
) -> None:
    source = make_source(tmp_path / "source", files=6)
    place = LocationSpec(str(source))
    assert run(place, near, REMOVE).status is Status.SUCCESS
    first, second = sorted(source.rglob("*.dat"))[:2]
    first.unlink()
    left = [100]

    def decide(request: Passing) -> Fault:
        left[0] -= operation_of(request) == "delete many"
        return fault if operation_of(request) == "delete many" and left[0] >= 0 else "pass"

    proxy.decide = decide
    snapshot = run(place, near, REMOVE)
    assert (snapshot.status, exit_code(snapshot, gone=False)) == (Status.ERROR, 3)
    (failure,) = failures()
    assert failure.path == str(first.relative_to(source))
    assert failure.reason == "not deleted: refused by the destination"
    assert near.endpoint_url is not None
    assert near.endpoint_url in failure.detail
    second.unlink()
    left[0] = 2
    again = run(place, near, REMOVE)
    assert again.status is Status.SUCCESS, (again.message, failures())
    listed = boto.list_objects_v2(Bucket=bucket)["Contents"]
    there = {item["Key"] for item in listed if not item["Key"].endswith("/") and ".xsync-" not in item["Key"]}
    assert there == {str(path.relative_to(source)) for path in source.rglob("*.dat")}


def test_an_upload_that_cannot_be_discarded_is_mentioned(
    tmp_path: Path, boto: S3Client, bucket: str, proxy: FaultProxy, near: LocationSpec
) -> None:
    source = make_source(tmp_path / "source", files=1, large=(33 << 20,))
    proxy.decide = lambda request: "500" if operation_of(request) in ("part", "abort") else "pass"
    snapshot = run(LocationSpec(str(source)), near, retry_seconds=0.3)
    assert [failure.path for failure in failures()] == ["large-0.bin"]
    (warning,) = (event.text for event in snapshot.events if event.kind == "warning")
    assert "uploads stay open" in warning
    assert "xsync cleanup" in warning
    assert len(boto.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1


def test_tags_that_may_not_be_read_fail_their_objects_and_take_no_memory(
    boto: S3Client, bucket: str, proxy: FaultProxy, near: LocationSpec, s3_spec: SpecMaker
) -> None:
    """Each holds its content until its tags are known: kept for good, the second would wait for ever."""
    for name in ("a", "b", "c", "d"):
        boto.put_object(Bucket=bucket, Key=f"in/{name}", Body=os.urandom(300_000), Tagging="colour=red")
    source = msgspec.structs.replace(near, url=f"s3://{bucket}/in")
    proxy.decide = lambda request: "denied" if operation_of(request) == "get tagging" else "pass"
    snapshot = run(source, s3_spec(bucket, "out"), memory_bytes=1 << 20)
    assert {failure.path: failure.reason for failure in failures()} == dict.fromkeys("abcd", "refused by the source")
    assert all("tags not readable" in failure.detail for failure in failures())
    assert exit_code(snapshot, gone=False) == 3
    seen: Counter[str] = Counter()

    def at_first(request: Passing) -> Fault:
        seen[operation_of(request)] += 1
        return "503" if operation_of(request) == "get tagging" and seen["get tagging"] <= 6 else "pass"

    proxy.decide = at_first
    again = run(source, s3_spec(bucket, "out"), memory_bytes=1 << 20)
    assert again.status is Status.SUCCESS, failures()
    assert boto.get_object_tagging(Bucket=bucket, Key="out/d")["TagSet"] == [{"Key": "colour", "Value": "red"}]


def test_a_bucket_whose_date_cannot_be_asked_for_is_not_another_bucket(proxy: FaultProxy, near: LocationSpec) -> None:
    proxy.decide = lambda request: "500" if operation_of(request) == "get prefix" else "pass"
    location = open_location(near)
    with pytest.raises(LocationError, match="cannot be used"):
        location.identity()
    location.close()
