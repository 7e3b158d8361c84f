"""Large objects to files over TLS, out of a real server: whole, of one version, checked, and under the limit."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

from engine.execution import uploads
from engine.execution.agents.twin import TwinFleet
from engine.home import find_home, list_execution_folders
from engine.journal.reader import SnapshotReader
from engine.locations.posix import PosixLocation
from engine.locations.s3 import S3Location
from engine.model import LocationSpec, Migration, Snapshot, Status
from engine.transfer.units import AgentConfig, PartsUnit, from_ipc
from tests.certificates import self_signed
from tests.conftest import SpecMaker
from tests.faults.agents import SECONDS, config_of, engine_of, spec_of
from tests.faults.proxy import Fault, FaultProxy, Request, fault_proxy
from tests.in_process import run_in_process
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SIZE = (40 << 20) + 12_345
"""Three parts, of which the last ends at no multiple of anything."""


class Side(NamedTuple):
    """A bucket with one large object, reached over TLS through a proxy; its content, and a folder to copy to."""

    spec: LocationSpec
    content: bytes
    proxy: FaultProxy
    target: Path

    def run(self) -> Snapshot:
        """Copy it."""

        def fleet(config: AgentConfig) -> TwinFleet:
            return TwinFleet(msgspec.structs.replace(config, retry_seconds=2.0))

        return asyncio.run(run_in_process(Migration(self.spec, spec_of(self.target), agents=1), fleet))

    def found(self) -> dict[str, str]:
        """Name and digest of everything that is in the folder."""
        return {path.name: digest(path.read_bytes()) for path in self.target.iterdir()}


@pytest.fixture
def side(
    tmp_path: Path,
    s3: S3Server,
    boto: S3Client,
    bucket: str,
    s3_spec: SpecMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Side]:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    content = os.urandom(SIZE)
    put(boto, bucket, content)
    certificate = self_signed(tmp_path)
    with fault_proxy(s3.endpoint_url, certificate) as proxy:
        spec = msgspec.structs.replace(s3_spec(bucket), endpoint_url=proxy.url, ca_bundle=str(certificate))
        yield Side(spec, content, proxy, tmp_path / "target")


def put(boto: S3Client, bucket: str, content: bytes) -> None:
    """Write the object, with the checksum that its readers compare."""
    boto.put_object(Bucket=bucket, Key="large", Body=content, ChecksumAlgorithm="CRC64NVME")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_part(request: Request) -> bool:
    return request.method == "GET" and "range" in request.headers


@pytest.mark.parametrize("fault", ["truncated", "corrupt", "reset", "503"])
def test_a_fault_in_a_part_is_outlived(side: Side, fault: Fault) -> None:
    """A damaged part shows when all are there: the object is read once more."""
    left = iter([fault])
    side.proxy.decide = lambda request: next(left, "pass") if is_part(request) else "pass"
    snapshot = side.run()
    assert snapshot.status is Status.SUCCESS, snapshot.message
    assert snapshot.totals.files.verified == 1
    assert side.found() == {"large": digest(side.content)}
    assert next(left, None) is None


def test_bytes_that_stay_wrong_are_never_given_the_name(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "RETRY_SECONDS", 0.3)
    side.proxy.decide = lambda request: "corrupt" if is_part(request) else "pass"
    assert side.run().status is Status.ERROR
    with SnapshotReader(list_execution_folders(find_home())[-1]) as reader:
        assert [(failure.path, failure.reason) for failure in reader.failures()] == [("large", "checksum mismatch")]
    assert side.found() == {}


def test_an_object_that_is_replaced_in_the_middle_is_one_version(side: Side, boto: S3Client, bucket: str) -> None:
    """As large as it was: only the version tells. What the first had brought is not mixed with the second."""
    later = os.urandom(SIZE)
    parts: list[str] = []

    def decide(request: Request) -> Fault:
        if is_part(request):
            parts.append(request.headers["range"])
            if len(parts) == 2:
                put(boto, bucket, later)
        return "pass"

    side.proxy.decide = decide
    snapshot = side.run()
    assert snapshot.status is Status.SUCCESS, snapshot.message
    assert side.found() == {"large": digest(later)}
    assert len(parts) > len(set(parts)), "nothing was read again"


def test_parts_pass_the_limit_byte_by_byte(side: Side) -> None:
    source, destination = S3Location(side.spec), PosixLocation(spec_of(side.target))
    destination.check_destination()
    file = source.open_file(b"large", 0, 0)
    file.close()
    upload = destination.begin(b"large", SIZE, {})
    part = 16 << 20
    config = msgspec.structs.replace(config_of(side.target, spec_of(side.target)), source=side.spec)
    with engine_of(config) as engine:
        engine.set_limit(1e12)
        outcome = engine.submit(PartsUnit(1, 0, b"large", upload, file.identity, part, 1, 3)).result(SECONDS)
        assert engine.progress().passed_bytes == SIZE
    assert (outcome.error, outcome.source_changed) == ("", False)
    assert from_ipc(outcome.table)["size"].to_pylist() == [part, part, SIZE - 2 * part]
    destination.abort(b"large", upload)
    destination.close()
    source.close()
