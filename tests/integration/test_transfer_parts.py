"""Parts of large files, to a real S3 server and to a folder."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.locations.base import PartResult
from engine.locations.posix import PosixLocation
from engine.locations.posix_files import PosixFile
from engine.locations.s3 import S3Location
from engine.model import Identity, LocationSpec, TransferOptions
from engine.transfer.crt import combine_crc64nvme, crc64nvme
from engine.transfer.units import UnitOutcome, from_ipc
from tests.conftest import SpecMaker
from tests.faults.agents import SECONDS, config_of, engine_of, parts_unit, spec_of
from tests.faults.proxy import Fault, FaultProxy, fault_proxy
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 5 << 20
SIZE = 2 * PART + 12_345


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(s3.endpoint_url) as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "big").write_bytes(os.urandom(SIZE))
    return folder


def parts_of(outcome: UnitOutcome) -> list[PartResult]:
    return [PartResult(**row) for row in from_ipc(outcome.table).to_pylist()]


def combined(parts: list[PartResult]) -> int:
    checksum = parts[0].checksum
    for part in parts[1:]:
        checksum = combine_crc64nvme(checksum, part.checksum, part.size)
    return checksum


def test_parts_of_several_units_make_one_object(source: Path, boto: S3Client, bucket: str, s3_spec: SpecMaker) -> None:
    spec = s3_spec(bucket, "deep er/+")
    location = S3Location(spec)
    upload = location.begin(b"big", SIZE, {})
    with engine_of(config_of(source, spec)) as engine:
        units = [parts_unit(source, "big", upload, PART, 1, 2), parts_unit(source, "big", upload, PART, 3, 3)]
        outcomes = [future.result(SECONDS) for future in [engine.submit(unit) for unit in units]]
        assert engine.progress().bytes == SIZE
    parts = [part for outcome in outcomes for part in parts_of(outcome)]
    assert [part.number for part in parts] == [1, 2, 3]
    assert combined(parts) == crc64nvme((source / "big").read_bytes())
    location.complete(b"big", upload, parts, combined(parts), {})
    location.close()
    found = boto.get_object(Bucket=bucket, Key="deep er/+/big")["Body"].read()
    assert found == (source / "big").read_bytes()


@pytest.mark.parametrize("fault", ["503", "500", "200-with-error", "reset", "corrupt", "wrong-part-checksum", "stall"])
def test_passing_faults_are_retried_part_by_part(
    source: Path, bucket: str, s3_spec: SpecMaker, proxy: FaultProxy, fault: Fault
) -> None:
    location = S3Location(s3_spec(bucket))
    upload = location.begin(b"big", SIZE, {})
    proxy.faults(2, fault)
    spec = msgspec.structs.replace(s3_spec(bucket), endpoint_url=proxy.url)
    with engine_of(config_of(source, spec, stall_seconds=2.0)) as engine:
        outcome = engine.submit(parts_unit(source, "big", upload, PART)).result(SECONDS)
        assert engine.progress().bytes == SIZE
    parts = parts_of(outcome)
    assert outcome.error == ""
    assert len(proxy.seen) >= 5
    location.complete(b"big", upload, parts, combined(parts), {})
    location.close()


def test_corruption_that_does_not_pass_fails_the_file_with_its_reason(
    source: Path, bucket: str, s3_spec: SpecMaker, proxy: FaultProxy
) -> None:
    location = S3Location(s3_spec(bucket))
    upload = location.begin(b"big", SIZE, {})
    proxy.decide = lambda request: "wrong-part-checksum"
    spec = msgspec.structs.replace(s3_spec(bucket), endpoint_url=proxy.url)
    with engine_of(config_of(source, spec, retry_seconds=0.3)) as engine:
        outcome = engine.submit(parts_unit(source, "big", upload, PART, 1, 1)).result(SECONDS)
    location.close()
    assert parts_of(outcome) == []
    assert outcome.error.startswith("checksum mismatch: ")


def change_while_read(monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], object]) -> None:
    """Run ``change(path)`` once, right before the identity is looked at after the read."""
    confirm, left = PosixFile.confirm, iter(range(1))

    def changing(self: PosixFile) -> Identity:
        if next(left, None) is not None:
            change(self._full_path)
        return confirm(self)

    monkeypatch.setattr(PosixFile, "confirm", changing)


def rewrite(path: bytes) -> None:
    with open(path, "r+b") as file:
        file.write(b"another content")


@pytest.mark.parametrize("change", [rewrite, os.unlink, lambda path: os.truncate(path, 10)])
def test_a_part_of_a_file_that_changed_does_not_count(
    source: Path, bucket: str, s3_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], object]
) -> None:
    location = S3Location(s3_spec(bucket))
    upload = location.begin(b"big", SIZE, {})
    change_while_read(monkeypatch, change)
    with engine_of(config_of(source, s3_spec(bucket))) as engine:
        outcome = engine.submit(parts_unit(source, "big", upload, PART, 1, 1)).result(SECONDS)
    location.close()
    assert outcome.source_changed
    assert parts_of(outcome) == []


def test_a_file_that_is_another_one_already_is_not_read(source: Path, bucket: str, s3_spec: SpecMaker) -> None:
    unit = parts_unit(source, "big", "upload", PART)
    rewrite(os.fsencode(source / "big"))
    with engine_of(config_of(source, s3_spec(bucket))) as engine:
        outcome = engine.submit(unit).result(SECONDS)
        assert engine.progress().bytes == 0
    assert outcome.source_changed
    assert parts_of(outcome) == []


def test_an_upload_that_is_gone_begins_the_file_again(source: Path, bucket: str, s3_spec: SpecMaker) -> None:
    location = S3Location(s3_spec(bucket))
    upload = location.begin(b"big", SIZE, {})
    location.abort(b"big", upload)
    location.close()
    with engine_of(config_of(source, s3_spec(bucket))) as engine:
        outcome = engine.submit(parts_unit(source, "big", upload, PART)).result(SECONDS)
    assert outcome.source_changed
    assert outcome.fatal == ""


def test_wrong_credentials_are_fatal(
    source: Path, bucket: str, s3_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with engine_of(config_of(source, s3_spec(bucket))) as engine:
        outcome = engine.submit(parts_unit(source, "big", "upload", PART)).result(SECONDS)
    assert "SignatureDoesNotMatch" in outcome.fatal


def test_fence_and_lease_stop_parts_between_two_steps(
    source: Path, bucket: str, s3_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = S3Location(s3_spec(bucket))
    upload = location.begin(b"big", SIZE, {})
    location.close()
    read, began = PosixFile.read_into, threading.Event()
    fenced = threading.Event()

    def reading(self: PosixFile, buffer: memoryview, offset: int) -> int:
        began.set()
        fenced.wait()
        return read(self, buffer, offset)

    monkeypatch.setattr(PosixFile, "read_into", reading)
    with engine_of(config_of(source, s3_spec(bucket))) as engine:
        future = engine.submit(parts_unit(source, "big", upload, PART))
        assert began.wait(SECONDS)
        assert engine.progress().path == "big"
        engine.fence(5)
        fenced.set()
        outcome = future.result(SECONDS)
        assert engine.progress().bytes == 0
        engine.renew_lease(time.monotonic() - 1)
        late = engine.submit(parts_unit(source, "big", upload, PART)).result(SECONDS)
    for ended in (outcome, late):
        assert parts_of(ended) == []
        assert (ended.error, ended.fatal, ended.source_changed) == ("", "", False)


@pytest.mark.parametrize("verify", ["ONLY_FILES_TRANSFERRED", "NONE"])
def test_parts_to_a_folder_keep_holes_and_are_read_back(tmp_path: Path, source: Path, verify: str) -> None:
    with open(source / "big", "r+b") as file:
        file.truncate(0)
        file.truncate(SIZE)
        file.seek(PART + (2 << 20))
        file.write(os.urandom(100_000))
        file.seek(SIZE - 10)
        file.write(b"the end")
    spec = spec_of(tmp_path / "destination")
    location = PosixLocation(spec)
    location.check_destination()
    upload = location.begin(b"big", SIZE, {})
    options = TransferOptions(verify_mode=verify)  # type: ignore[arg-type]  # a parameter, not a literal
    with engine_of(config_of(source, spec, options=options)) as engine:
        outcome = engine.submit(parts_unit(source, "big", upload, PART)).result(SECONDS)
    parts = parts_of(outcome)
    location.complete(b"big", upload, parts, combined(parts), {})
    location.close()
    written = tmp_path / "destination" / "big"
    assert written.read_bytes() == (source / "big").read_bytes()
    assert combined(parts) == crc64nvme((source / "big").read_bytes())
    assert written.stat().st_blocks * 512 < 1 << 20


def test_a_part_that_reads_back_differently_fails(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(tmp_path / "destination")
    location = PosixLocation(spec)
    location.check_destination()
    upload = location.begin(b"big", SIZE, {})
    real = os.pwrite

    def lying(fd: int, data: memoryview, offset: int) -> int:
        return real(fd, bytes(len(data)), offset)

    monkeypatch.setattr(os, "pwrite", lying)
    with engine_of(config_of(source, spec)) as engine:
        outcome = engine.submit(parts_unit(source, "big", upload, PART, 1, 1)).result(SECONDS)
    location.close()
    assert outcome.error.startswith("checksum mismatch")
    assert parts_of(outcome) == []


@pytest.mark.parametrize("verify", ["NONE", "ONLY_FILES_TRANSFERRED"])
def test_a_part_that_is_not_on_the_device_does_not_count(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, verify: Any
) -> None:
    def fails(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("os.fdatasync", fails)
    location = PosixLocation(LocationSpec(str(tmp_path / "copy")))
    location.check_destination()
    upload = location.begin(b"big", SIZE, {})
    config = config_of(source, spec_of(tmp_path / "copy"), options=TransferOptions(verify_mode=verify))
    with engine_of(config) as engine:
        outcome = engine.submit(parts_unit(source, "big", upload, PART)).result(SECONDS)
    assert (parts_of(outcome), outcome.error) == ([], "not written: Input/output error")


def test_a_temporary_that_is_gone_begins_the_file_again(tmp_path: Path, source: Path) -> None:
    spec: LocationSpec = spec_of(tmp_path / "destination")
    location = PosixLocation(spec)
    location.check_destination()
    upload = location.begin(b"big", SIZE, {})
    location.abort(b"big", upload)
    location.close()
    with engine_of(config_of(source, spec)) as engine:
        outcome = engine.submit(parts_unit(source, "big", upload, PART)).result(SECONDS)
    assert outcome.source_changed
