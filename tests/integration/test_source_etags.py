"""Objects without a stored CRC64NVME arrive as what their ETags say, where these are MD5s."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.execution.agents.twin import TwinFleet
from engine.home import find_home, list_execution_folders
from engine.locations.s3_hashes import GIVEN_UP
from engine.model import LocationSpec, Migration, Snapshot, TransferOptions
from engine.transfer.units import AgentConfig
from tests.faults.proxy import Fault, FaultProxy, Request, fault_proxy
from tests.in_process import run_in_process
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

CONTENTS = {f"folder/{number}": b"content %d " % number * (1 + 400 * number) for number in range(GIVEN_UP + 4)}


@pytest.fixture
def proxy(s3: S3Server, bucket: str, boto: S3Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Before a bucket with CONTENTS; the server keeps the CRC32 of those, as boto3 sends it, and no CRC64NVME."""
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    for key, content in CONTENTS.items():
        boto.put_object(Bucket=bucket, Key=key, Body=content)
    with fault_proxy(s3.endpoint_url) as running:
        yield running


def run(proxy: FaultProxy, bucket: str, target: Path, **options: Any) -> Snapshot:
    source = LocationSpec(f"s3://{bucket}", region="us-east-1", endpoint_url=proxy.url, addressing="path")
    migration = Migration(source, LocationSpec(str(target)), agents=1, options=TransferOptions(**options))

    def fleet(config: AgentConfig) -> TwinFleet:
        return TwinFleet(msgspec.structs.replace(config, retry_seconds=3.0))

    return asyncio.run(run_in_process(migration, fleet))


def arrived(target: Path) -> set[str]:
    """The keys of those that are there; all must be whole."""
    found = {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert found.items() <= CONTENTS.items()
    return set(found)


def verified() -> dict[str, int]:
    report = json.loads((list_execution_folders(find_home())[-1] / "report.json").read_bytes())
    found: dict[str, int] = report["verified"]
    return found


def reads(request: Request) -> bool:
    return request.method == "GET" and "/folder/" in request.path and "?" not in request.path


def test_what_arrives_is_what_the_etag_says(proxy: FaultProxy, bucket: str, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    def decide(request: Request) -> Fault:
        seen[request.path] += reads(request)
        return "corrupt" if reads(request) and seen[request.path] == 1 and request.path[-1] in "15" else "pass"

    proxy.decide = decide
    assert run(proxy, bucket, tmp_path / "target").totals.files.transferred == len(CONTENTS)
    assert arrived(tmp_path / "target") == set(CONTENTS)
    assert verified() == {"etag": len(CONTENTS)}
    again = {path.rpartition("/")[2] for path, count in seen.items() if count > 1}
    assert again == {key.rpartition("/")[2] for key in CONTENTS if key[-1] in "15"}


def test_what_never_arrives_so_fails_and_is_named(proxy: FaultProxy, bucket: str, tmp_path: Path) -> None:
    proxy.decide = lambda request: "corrupt" if reads(request) and request.path.endswith("/7") else "pass"
    assert run(proxy, bucket, tmp_path / "target").failure_counts == {"checksum mismatch": 1}
    assert arrived(tmp_path / "target") == set(CONTENTS) - {"folder/7"}


def test_etags_that_are_no_hashes_keep_nothing_from_arriving(proxy: FaultProxy, bucket: str, tmp_path: Path) -> None:
    proxy.decide = lambda request: "false-etag" if reads(request) else "pass"
    assert run(proxy, bucket, tmp_path / "target").totals.files.transferred == len(CONTENTS)
    assert arrived(tmp_path / "target") == set(CONTENTS)
    assert verified() == {"read-back": len(CONTENTS)}
    assert sum(map(reads, proxy.seen)) <= len(CONTENTS) + GIVEN_UP


def test_etags_are_not_believed_where_nothing_is_to_be_verified(proxy: FaultProxy, bucket: str, tmp_path: Path) -> None:
    proxy.decide = lambda request: "false-etag" if reads(request) else "pass"
    snapshot = run(proxy, bucket, tmp_path / "target", verify_mode="NONE")
    assert snapshot.totals.files.transferred == len(CONTENTS) == sum(map(reads, proxy.seen))
    assert verified() == {"": len(CONTENTS)}
