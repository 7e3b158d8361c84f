"""Every body passes the throttle of its agent, whichever way it takes; who waits there heeds orders."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from engine.catalog.held import HINT_SCHEMA
from engine.execution.comparing import verification
from engine.filters import Filters
from engine.locations.listing import ScanLimit
from engine.locations.registry import open_location
from engine.locations.s3 import S3Location
from engine.model import Action, FilterSpec, Look, Migration, Status, TransferOptions
from engine.planning.partition import TaskSelector
from engine.transfer.crt import crc64nvme
from engine.transfer.put import HEAD_BYTES
from engine.transfer.throttle import Throttle
from engine.transfer.units import CopyUnit, to_ipc
from tests.conftest import SpecMaker
from tests.faults.agents import SECONDS, actions_of, config_of, copy_unit, engine_of, parts_unit, spec_of
from tests.in_process import run_in_process

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FAST = 1e12
SLOW = 1_000.0

PART = 5 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (tmp_path / "target").mkdir()
    (folder / "small").write_bytes(os.urandom(5_000))
    (folder / "large").write_bytes(os.urandom(3 << 20))
    return folder


def test_objects_pass_with_their_headers_and_large_bodies_as_they_are(
    source: Path, bucket: str, s3_spec: SpecMaker
) -> None:
    (source / "link").symlink_to("small")
    with engine_of(config_of(source, s3_spec(bucket))) as engine:
        engine.set_limit(FAST)
        actions = actions_of(engine.submit(copy_unit(source)).result(SECONDS))
        assert engine.progress().passed_bytes == 5_000 + len("small") + 2 * HEAD_BYTES + (3 << 20)
        assert {action for action, _ in actions.values()} == {Action.TRANSFERRED}


def test_parts_of_an_object_pass(source: Path, bucket: str, s3_spec: SpecMaker) -> None:
    (source / "big").write_bytes(os.urandom(2 * PART + 7))
    location = open_location(s3_spec(bucket))
    assert isinstance(location, S3Location)
    upload = location.begin(b"big", 2 * PART + 7, {})
    with engine_of(config_of(source, s3_spec(bucket))) as engine:
        engine.set_limit(FAST)
        assert engine.submit(parts_unit(source, "big", upload, PART)).result(SECONDS).error == ""
        assert engine.progress().passed_bytes == 2 * PART + 7
    location.abort(b"big", upload)
    location.close()


def test_files_pass_as_they_are_written_and_their_holes_do_not(tmp_path: Path, source: Path) -> None:
    with open(source / "sparse", "wb") as file:
        file.truncate(8 << 20)
        file.seek(4 << 20)
        file.write(b"x" * 4096)
    with engine_of(config_of(source, spec_of(tmp_path / "target"))) as engine:
        engine.set_limit(FAST)
        engine.submit(copy_unit(source)).result(SECONDS)
        assert engine.progress().passed_bytes == 5_000 + (3 << 20) + 4096
    assert (tmp_path / "target" / "sparse").read_bytes() == (source / "sparse").read_bytes()


@pytest.mark.parametrize("same", [True, False])
def test_an_object_that_is_read_to_be_compared_passes(
    tmp_path: Path, boto: S3Client, bucket: str, s3_spec: SpecMaker, same: bool
) -> None:
    """And passes once more if it has to be written."""
    content = os.urandom(300_000)
    boto.put_object(Bucket=bucket, Key="a", Body=content)  # with no CRC64NVME that could be asked for
    location = open_location(s3_spec(bucket))
    assert isinstance(location, S3Location)
    rows = location.scan([b""], ScanLimit(), TaskSelector(Filters(FilterSpec())), 1).rows
    location.close()
    hints = pa.table([[int(Look.COMPARE)], [crc64nvme(content) ^ (not same)], ["e"]], HINT_SCHEMA)
    entries = rows.filter(pc.equal(rows["name"], b"a"))
    for name in hints.column_names:
        entries = entries.append_column(name, hints[name])
    (tmp_path / "target").mkdir()
    config = msgspec.structs.replace(config_of(tmp_path, spec_of(tmp_path / "target")), source=s3_spec(bucket))
    with engine_of(config) as engine:
        engine.set_limit(FAST)
        actions = actions_of(engine.submit(CopyUnit(1, 0, to_ipc(entries))).result(SECONDS))
        assert engine.progress().passed_bytes == (1 if same else 2) * len(content)
    assert actions == {b"a": (Action.SKIPPED, "same content") if same else (Action.TRANSFERRED, None)}


def test_what_a_verification_reads_of_objects_passes(
    tmp_path: Path, boto: S3Client, bucket: str, s3_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    boto.put_object(Bucket=bucket, Key="a", Body=os.urandom(300_000))
    options = TransferOptions(bytes_per_second=10**12)
    migration = Migration(s3_spec(bucket), spec_of(tmp_path / "target"), options=options, agents=1)
    assert asyncio.run(run_in_process(migration)).status is Status.SUCCESS
    throttles: list[Throttle] = []

    class Kept(Throttle):
        def __init__(self) -> None:
            super().__init__()
            throttles.append(self)

    monkeypatch.setattr(verification, "Throttle", Kept)
    found = verification.verify(migration, tmp_path / "differences.parquet", read_source=True)
    assert (found.same, found.verified) == (True, {"read-back": 1})
    assert [throttle.passed for throttle in throttles] == [300_000]


def test_without_a_limit_nothing_is_counted(tmp_path: Path, source: Path) -> None:
    with engine_of(config_of(source, spec_of(tmp_path / "target"))) as engine:
        engine.submit(copy_unit(source)).result(SECONDS)
        assert engine.progress().passed_bytes == 0


@pytest.mark.parametrize("to_objects", [True, False])
def test_what_waits_comes_back_when_the_unit_has_to_stop(
    tmp_path: Path, source: Path, bucket: str, s3_spec: SpecMaker, to_objects: bool
) -> None:
    """At 1,000 bytes/s both files would take an hour; the fence lets go of them, and nothing was sent whole."""
    destination = s3_spec(bucket) if to_objects else spec_of(tmp_path / "target")
    with engine_of(config_of(source, destination)) as engine:
        engine.set_limit(SLOW)
        unit = engine.submit(copy_unit(source))
        while not engine.progress().waited_seconds:
            threading.Event().wait(0.01)
        engine.fence(1)
        actions = actions_of(unit.result(SECONDS))
    assert {action for action, _ in actions.values()} == {Action.RELEASED}


def test_a_limit_that_is_lifted_lets_go_what_waits(tmp_path: Path, source: Path) -> None:
    with engine_of(config_of(source, spec_of(tmp_path / "target"))) as engine:
        engine.set_limit(SLOW)
        unit = engine.submit(copy_unit(source))
        while not engine.progress().waited_seconds:
            threading.Event().wait(0.01)
        engine.set_limit(None)
        actions = actions_of(unit.result(SECONDS))
    assert {action for action, _ in actions.values()} == {Action.TRANSFERRED}
    assert (tmp_path / "target" / "large").read_bytes() == (source / "large").read_bytes()
