"""What goes wrong on the way to an S3 server: throttling, cut and stalled connections, corruption, changing files."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.locations.posix_files import PosixFile
from engine.model import Action, LocationSpec
from engine.transfer.units import CopyUnit
from tests.conftest import SpecMaker
from tests.faults.agents import SECONDS, actions_of, change_before_confirm, config_of, copy_unit, engine_of, results_of
from tests.faults.proxy import Fault, FaultProxy, Request, fault_proxy
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DONE = (Action.TRANSFERRED, None)
LARGE = 2 << 20


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(s3.endpoint_url) as running:
        yield running


@pytest.fixture
def spec(proxy: FaultProxy, bucket: str, s3_spec: SpecMaker) -> LocationSpec:
    return msgspec.structs.replace(s3_spec(bucket), endpoint_url=proxy.url)


def some_files(folder: Path, count: int = 8, size: int = 1000) -> CopyUnit:
    for number in range(count):
        (folder / f"f{number}").write_bytes(os.urandom(size))
    return copy_unit(folder)


@pytest.mark.parametrize("size", [1000, LARGE])
@pytest.mark.parametrize("fault", ["503", "500", "200-with-error", "reset", "corrupt"])
def test_passing_faults_are_retried_until_everything_is_there(
    tmp_path: Path, boto: S3Client, bucket: str, proxy: FaultProxy, spec: LocationSpec, fault: Fault, size: int
) -> None:
    unit = some_files(tmp_path, 4, size)
    proxy.faults(5, fault)
    with engine_of(config_of(tmp_path, spec)) as engine:
        outcome = engine.submit(unit).result(SECONDS)
        progress = engine.progress()
    assert set(actions_of(outcome).values()) == {DONE}
    assert (progress.files, progress.bytes) == (4, 4 * size)
    for name in ("f0", "f1", "f2", "f3"):
        assert boto.get_object(Bucket=bucket, Key=name)["Body"].read() == (tmp_path / name).read_bytes()


def test_a_throttling_server_gets_fewer_requests_at_once(tmp_path: Path, proxy: FaultProxy, spec: LocationSpec) -> None:
    unit = some_files(tmp_path, 40)
    proxy.faults(30, "503")
    with engine_of(config_of(tmp_path, spec, window=16)) as engine:
        future = engine.submit(unit)
        outcome = future.result(SECONDS)
        window = engine.progress().window
    assert set(actions_of(outcome).values()) == {DONE}
    assert window < 16


@pytest.mark.parametrize("size", [1000, LARGE])
def test_a_file_that_keeps_failing_fails_when_its_budget_is_used_up(
    tmp_path: Path, proxy: FaultProxy, spec: LocationSpec, size: int
) -> None:
    unit = some_files(tmp_path, 3, size)
    proxy.decide = lambda request: "corrupt" if request.path.endswith("/f1") else "pass"
    with engine_of(config_of(tmp_path, spec, retry_seconds=0.5)) as engine:
        outcome = engine.submit(unit).result(SECONDS)
    assert actions_of(outcome) == {b"f0": DONE, b"f1": (Action.FAILED, "checksum mismatch"), b"f2": DONE}
    assert "BadDigest" in results_of(outcome)[b"f1"]["detail"]


@pytest.mark.parametrize("size", [1000, LARGE])
def test_a_stalled_request_is_cut_and_tried_again(
    tmp_path: Path, proxy: FaultProxy, spec: LocationSpec, size: int
) -> None:
    unit = some_files(tmp_path, 3, size)
    proxy.faults(1, "stall")
    with engine_of(config_of(tmp_path, spec, stall_seconds=1.0)) as engine:
        outcome = engine.submit(unit).result(SECONDS)
    assert set(actions_of(outcome).values()) == {DONE}
    assert len(proxy.seen) >= 4


@pytest.mark.parametrize("size", [1000, LARGE])
def test_access_denied_to_everything_is_fatal(tmp_path: Path, proxy: FaultProxy, spec: LocationSpec, size: int) -> None:
    unit = some_files(tmp_path, 5, size)
    proxy.decide = lambda request: "denied"
    with engine_of(config_of(tmp_path, spec)) as engine:
        outcome = engine.submit(unit).result(SECONDS)
    assert "AccessDenied" in outcome.fatal
    assert {action for action, _ in actions_of(outcome).values()} == {Action.RELEASED}


def test_access_denied_to_one_key_fails_that_file(tmp_path: Path, proxy: FaultProxy, spec: LocationSpec) -> None:
    first = some_files(tmp_path, 1)
    with engine_of(config_of(tmp_path, spec)) as engine:
        assert set(actions_of(engine.submit(first).result(SECONDS)).values()) == {DONE}
        proxy.decide = lambda request: "denied" if request.path.endswith("/f1") else "pass"
        outcome = engine.submit(some_files(tmp_path, 3)).result(SECONDS)
    assert outcome.fatal == ""
    assert actions_of(outcome) == {b"f0": DONE, b"f1": (Action.FAILED, "access denied"), b"f2": DONE}


@pytest.mark.parametrize(
    ("code", "expected"), [(errno.EIO, (Action.FAILED, "unreadable")), (errno.ESTALE, DONE), (errno.EACCES, None)]
)
def test_a_file_that_cannot_be_read_fails_unless_the_trouble_passes(
    tmp_path: Path,
    bucket: str,
    s3_spec: SpecMaker,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    expected: tuple[Action, str | None] | None,
) -> None:
    unit = some_files(tmp_path, 2)
    read, left = PosixFile.read_into, iter(range(3))

    def failing(self: PosixFile, buffer: memoryview, offset: int) -> int:
        if self._full_path.endswith(b"/f1") and next(left, None) is not None:
            raise OSError(code, os.strerror(code))
        return read(self, buffer, offset)

    monkeypatch.setattr(PosixFile, "read_into", failing)
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        outcome = engine.submit(unit).result(SECONDS)
        assert engine._shared.buffers.used == 0
    assert actions_of(outcome) == {b"f0": DONE, b"f1": expected or (Action.FAILED, "unreadable")}


def test_an_endpoint_that_is_down_is_fatal_once_the_budget_is_used_up(
    tmp_path: Path, bucket: str, s3_spec: SpecMaker
) -> None:
    unit = some_files(tmp_path)
    nobody = msgspec.structs.replace(s3_spec(bucket), endpoint_url="http://127.0.0.1:9")
    with engine_of(config_of(tmp_path, nobody, retry_seconds=0.3)) as engine:
        outcome = engine.submit(unit).result(SECONDS)
    assert outcome.fatal
    assert {action for action, _ in actions_of(outcome).values()} == {Action.RELEASED}


def rewrite(path: bytes) -> None:
    """The same size, another content."""
    with open(path, "r+b") as file:
        file.write(b"n" * 1000)


def grow(path: bytes) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def shrink(path: bytes) -> None:
    os.truncate(path, 10)


def replace(path: bytes) -> None:
    other = path + b".new"
    with open(other, "wb") as file:
        file.write(b"r" * 1000)
    os.rename(other, path)


@pytest.mark.parametrize("change", [rewrite, grow, shrink, replace])
def test_a_file_that_changes_once_while_it_is_read_is_sent_as_it_is_then(
    tmp_path: Path,
    boto: S3Client,
    bucket: str,
    s3_spec: SpecMaker,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[bytes], object],
) -> None:
    (tmp_path / "f").write_bytes(b"o" * 1000)
    unit = copy_unit(tmp_path)
    change_before_confirm(monkeypatch, 1, change)
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        outcome = engine.submit(unit).result(SECONDS)
    assert actions_of(outcome) == {b"f": DONE}
    row, found = results_of(outcome)[b"f"], (tmp_path / "f").stat()
    assert boto.get_object(Bucket=bucket, Key="f")["Body"].read() == (tmp_path / "f").read_bytes()
    assert (row["size"], row["mtime_ns"], row["inode"]) == (found.st_size, found.st_mtime_ns, found.st_ino)


@pytest.mark.parametrize("change", [rewrite, grow, shrink, replace])
def test_a_file_that_changes_twice_is_not_sent_and_the_old_object_stays(
    tmp_path: Path,
    boto: S3Client,
    bucket: str,
    s3_spec: SpecMaker,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[bytes], object],
) -> None:
    boto.put_object(Bucket=bucket, Key="f", Body=b"old version")
    (tmp_path / "f").write_bytes(b"o" * 1000)
    unit = copy_unit(tmp_path)
    change_before_confirm(monkeypatch, 2, change)
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        outcome = engine.submit(unit).result(SECONDS)
    assert actions_of(outcome) == {b"f": (Action.FAILED, "changed while read")}
    assert boto.get_object(Bucket=bucket, Key="f")["Body"].read() == b"old version"


def test_a_file_that_vanishes_while_it_is_read_is_skipped(
    tmp_path: Path, boto: S3Client, bucket: str, s3_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"o" * 1000)
    unit = copy_unit(tmp_path)
    change_before_confirm(monkeypatch, 1, os.unlink)
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        assert actions_of(engine.submit(unit).result(SECONDS)) == {b"f": (Action.SKIPPED, "vanished")}
    assert boto.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_an_expired_lease_releases_the_rows_and_sends_nothing(
    tmp_path: Path, proxy: FaultProxy, spec: LocationSpec
) -> None:
    unit = some_files(tmp_path)
    with engine_of(config_of(tmp_path, spec)) as engine:
        engine.renew_lease(time.monotonic() - 1)
        outcome = engine.submit(unit).result(SECONDS)
    assert set(actions_of(outcome).values()) == {(Action.RELEASED, None)}
    assert proxy.seen == []


def test_a_lease_that_ends_after_the_read_stops_the_request(
    tmp_path: Path, proxy: FaultProxy, spec: LocationSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = some_files(tmp_path, 1)
    with engine_of(config_of(tmp_path, spec)) as engine:
        change_before_confirm(monkeypatch, 1, lambda _: engine.renew_lease(time.monotonic() - 1))
        outcome = engine.submit(unit).result(SECONDS)
    assert actions_of(outcome) == {b"f0": (Action.RELEASED, None)}
    assert proxy.seen == []


def test_a_fence_releases_what_is_not_under_way(tmp_path: Path, proxy: FaultProxy, spec: LocationSpec) -> None:
    unit = some_files(tmp_path, 30)
    arrived, release = threading.Semaphore(0), threading.Event()

    def decide(request: Request) -> Fault:
        arrived.release()
        proxy_lock_free.wait()
        return "pass"

    proxy_lock_free = release
    proxy.decide = decide
    with engine_of(config_of(tmp_path, spec, window=4)) as engine:
        future = engine.submit(unit)
        arrived.acquire()
        engine.fence(1)
        release.set()
        actions = list(actions_of(future.result(SECONDS)).values())
        again = engine.submit(copy_unit(tmp_path, epoch=1)).result(SECONDS)
    assert actions.count(DONE) <= 4
    assert actions.count((Action.RELEASED, None)) >= 26
    assert set(actions_of(again).values()) == {DONE}


def test_while_paused_no_request_starts(tmp_path: Path, proxy: FaultProxy, spec: LocationSpec) -> None:
    unit = some_files(tmp_path)
    read = threading.Event()
    with engine_of(config_of(tmp_path, spec)) as engine, pytest.MonkeyPatch.context() as patch:
        change_before_confirm(patch, 1, lambda _: read.set())
        engine.set_paused(True)
        future = engine.submit(unit)
        assert read.wait(SECONDS)
        assert engine.progress().in_flight == 0
        assert proxy.seen == []
        engine.set_paused(False)
        assert set(actions_of(future.result(SECONDS)).values()) == {DONE}


def test_a_hung_read_holds_only_its_own_file(
    tmp_path: Path, boto: S3Client, bucket: str, s3_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_files(tmp_path, 5)
    monkeypatch.setattr("engine.transfer.readers.HUNG_SECONDS", 0.2)
    hangs, answer = threading.Event(), threading.Event()
    read = PosixFile.read_into

    def hanging(self: PosixFile, buffer: memoryview, offset: int) -> int:
        if self._full_path.endswith(b"/f1"):
            hangs.set()
            answer.wait()
        return read(self, buffer, offset)

    monkeypatch.setattr(PosixFile, "read_into", hanging)
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        stuck = engine.submit(copy_unit(tmp_path))
        assert hangs.wait(SECONDS)
        other = tmp_path / "other"
        other.mkdir()
        (other / "g").write_bytes(b"g")
        assert set(actions_of(engine.submit(copy_unit_of(tmp_path, b"other/g")).result(SECONDS)).values()) == {DONE}
        assert not stuck.done()
        assert engine.progress().path == "f1"
        answer.set()
        assert set(actions_of(stuck.result(SECONDS)).values()) == {DONE}
    assert boto.list_objects_v2(Bucket=bucket)["KeyCount"] == 6


def copy_unit_of(source: Path, path: bytes) -> CopyUnit:
    """A unit of the entry ``path`` alone."""
    import pyarrow.compute as pc

    from engine.transfer.units import from_ipc, to_ipc

    unit = copy_unit(source, unit_id=2)
    entries = from_ipc(unit.entries)
    folder, _, name = path.rpartition(b"/")
    wanted = pc.and_(pc.equal(entries["dir"], folder), pc.equal(entries["name"], name))
    return CopyUnit(unit.id, unit.epoch, to_ipc(entries.filter(wanted)))
