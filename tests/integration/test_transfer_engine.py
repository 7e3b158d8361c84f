"""The engine as a whole: scans beside copies, closing, memory, proxies, TLS."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.locations.posix_files import PosixFile
from engine.locations.s3 import S3Location
from engine.model import Action, FilterSpec, LocationSpec
from engine.transfer.copying import Copying
from engine.transfer.target import Keys
from engine.transfer.units import CopyUnit, FoldersUnit, ScanUnit, UnitOutcome, from_ipc, to_ipc
from tests.certificates import self_signed
from tests.conftest import SpecMaker
from tests.faults.agents import (
    SECONDS,
    actions_of,
    config_of,
    copy_unit,
    engine_of,
    entries_of,
    parts_unit,
    spec_of,
)
from tests.faults.proxy import FaultProxy, fault_proxy
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DONE = (Action.TRANSFERRED, None)
MEBIBYTE = 1 << 20


def test_a_scan_lists_with_filters_and_tasks(tmp_path: Path) -> None:
    for name in ("2024/a", "2025/b", "2025/c.tmp", "d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    config = config_of(
        tmp_path,
        spec_of(tmp_path / "nowhere"),
        filters=FilterSpec(exclude=("*.tmp",)),
        task_includes=(*[()] * 7, ("/2025",)),
    )
    with engine_of(config) as engine:
        outcome = engine.submit(ScanUnit(3, 0, [b""], listing=9, seconds=60.0)).result(SECONDS)
    rows = {row["dir"] + b"/" + row["name"]: row for row in from_ipc(outcome.table).to_pylist()}
    assert outcome.folders_left == []
    assert rows[b"2025/b"]["task"] == 7
    assert rows[b"2024/a"]["task"] == 0
    assert (rows[b"2025/b"]["fate"], rows[b"2025/c.tmp"]["fate"]) == (0, 1)
    assert {row["listing"] for row in rows.values()} == {9}


def test_scans_go_on_while_copies_wait_and_a_lost_source_is_fatal(
    tmp_path: Path, bucket: str, s3_spec: SpecMaker
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "f").write_bytes(b"x")
    with engine_of(config_of(tmp_path / "source", s3_spec(bucket))) as engine:
        engine.set_paused(True)
        copying = engine.submit(copy_unit(tmp_path / "source"))
        assert engine.submit(ScanUnit(2, 0, [b""], listing=1)).result(SECONDS).unit_id == 2
        assert not copying.done()
        engine.set_paused(False)
        assert copying.result(SECONDS).unit_id == 1
        (tmp_path / "source" / "f").unlink()
        (tmp_path / "source").rmdir()
        lost = engine.submit(ScanUnit(3, 0, [b""], listing=1)).result(SECONDS)
        assert lost.fatal
        assert lost.folders_left == [b""], "what was not listed is still to be listed"
        assert from_ipc(lost.table).num_rows == 0


def test_empty_units_come_back_empty(tmp_path: Path, bucket: str, s3_spec: SpecMaker) -> None:
    nothing = to_ipc(entries_of(tmp_path))
    for destination in (s3_spec(bucket), spec_of(tmp_path)):
        with engine_of(config_of(tmp_path, destination)) as engine:
            assert from_ipc(engine.submit(CopyUnit(1, 0, nothing)).result(SECONDS).table).num_rows == 0
            assert from_ipc(engine.submit(FoldersUnit(1, 0, nothing)).result(SECONDS).table).num_rows == 0


def test_folders_of_an_object_store_need_no_finish(tmp_path: Path, bucket: str, s3_spec: SpecMaker) -> None:
    (tmp_path / "d").mkdir()
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        outcome = engine.submit(FoldersUnit(1, 0, to_ipc(entries_of(tmp_path)))).result(SECONDS)
    assert actions_of(outcome) == {b"d": DONE}


def test_closing_releases_what_is_not_done(tmp_path: Path, bucket: str, s3_spec: SpecMaker) -> None:
    for number in range(50):
        (tmp_path / f"f{number}").write_bytes(b"x")
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        engine.set_paused(True)
        future = engine.submit(copy_unit(tmp_path))
    assert set(actions_of(future.result(0)).values()) == {(Action.RELEASED, None)}


def test_memory_for_bodies_stays_within_the_budget(
    tmp_path: Path, bucket: str, s3_spec: SpecMaker, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        (tmp_path / f"f{number}").write_bytes(bytes(3 * MEBIBYTE))
    most = [0]
    read = PosixFile.read_into
    budget = 8 * MEBIBYTE

    with fault_proxy(s3.endpoint_url) as proxy:
        spec = msgspec.structs.replace(s3_spec(bucket), endpoint_url=proxy.url)
        with engine_of(config_of(tmp_path, spec, memory_bytes=budget)) as engine:
            buffers = engine._shared.buffers

            def reading(self: PosixFile, buffer: memoryview, offset: int) -> int:
                most[0] = max(most[0], buffers.used)
                return read(self, buffer, offset)

            monkeypatch.setattr(PosixFile, "read_into", reading)
            outcome = engine.submit(copy_unit(tmp_path)).result(SECONDS)
            assert buffers.used == 0
            assert buffers.idle_bytes <= budget // 4
    assert set(actions_of(outcome).values()) == {DONE}
    assert 2 * 3 * MEBIBYTE <= most[0] <= budget


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(s3.endpoint_url) as running:
        yield running


def test_a_proxy_of_the_environment_is_used_by_both_transports(
    tmp_path: Path, bucket: str, s3_spec: SpecMaker, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small").write_bytes(b"x")
    (tmp_path / "large").write_bytes(bytes(2 * MEBIBYTE))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy.url)
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        outcome = engine.submit(copy_unit(tmp_path)).result(SECONDS)
    actions = actions_of(outcome)
    assert outcome.fatal == ""
    assert set(actions.values()) == {DONE}
    assert sorted(request.path.rpartition("/")[2] for request in proxy.seen if request.method == "PUT") == [
        "large",
        "small",
    ]


def test_no_proxy_keeps_the_data_path_off_the_proxy(
    tmp_path: Path, bucket: str, s3_spec: SpecMaker, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small").write_bytes(b"x")
    (tmp_path / "large").write_bytes(bytes(2 * MEBIBYTE))
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy.url)
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        actions = actions_of(engine.submit(copy_unit(tmp_path)).result(SECONDS))
    assert set(actions.values()) == {DONE}
    assert proxy.seen == []


@pytest.fixture
def tls_spec(tmp_path: Path, s3: S3Server, bucket: str, s3_spec: SpecMaker) -> Iterator[LocationSpec]:
    """The test server behind TLS with a certificate of an authority of its own."""
    folder = tmp_path / "tls"
    folder.mkdir()
    certificate = self_signed(folder)
    with fault_proxy(s3.endpoint_url, certificate) as running:
        yield msgspec.structs.replace(s3_spec(bucket), endpoint_url=running.url, ca_bundle=str(certificate))


def test_a_private_certificate_authority_is_trusted_where_it_is_named(
    tmp_path: Path, boto: S3Client, bucket: str, tls_spec: LocationSpec
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "small").write_bytes(b"x")
    (source / "large").write_bytes(os.urandom(2 * MEBIBYTE))
    location = S3Location(tls_spec)
    upload = location.begin(b"large parts", 2 * MEBIBYTE, {})
    location.close()
    with engine_of(config_of(source, tls_spec)) as engine:
        assert set(actions_of(engine.submit(copy_unit(source)).result(SECONDS)).values()) == {DONE}
    assert boto.get_object(Bucket=bucket, Key="large")["Body"].read() == (source / "large").read_bytes()
    assert upload


@pytest.mark.parametrize("size", [2 * MEBIBYTE])
def test_an_unknown_certificate_is_fatal(tmp_path: Path, tls_spec: LocationSpec, size: int) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "large").write_bytes(bytes(size))
    stranger = msgspec.structs.replace(tls_spec, ca_bundle=None)
    with engine_of(config_of(source, stranger)) as engine:
        outcome = engine.submit(copy_unit(source)).result(SECONDS)
        parts = engine.submit(parts_unit(source, "large", "upload", MEBIBYTE)).result(SECONDS)
    assert "certificate" in outcome.fatal.lower()
    assert "certificate" in parts.fatal.lower()
    assert actions_of(outcome) == {b"large": (Action.RELEASED, None)}


def test_credentials_are_asked_for_again_when_they_have_expired(
    tmp_path: Path, bucket: str, s3_spec: SpecMaker, proxy: FaultProxy
) -> None:
    (tmp_path / "f").write_bytes(b"x")
    spec = msgspec.structs.replace(s3_spec(bucket), endpoint_url=proxy.url)
    proxy.faults(1, "expired")
    asked: list[int] = []
    with engine_of(config_of(tmp_path, spec)) as engine:
        target = engine._shared.target
        keys = target.keys

        def asking() -> Keys:
            asked.append(1)
            return keys()

        assert engine._shared.client  # it is made early: let another one be made with these keys
        engine._shared._target = target._replace(keys=asking)
        engine._shared._client = None
        assert actions_of(engine.submit(copy_unit(tmp_path)).result(SECONDS)) == {b"f": DONE}
        assert len(asked) == 2
        proxy.faults(10, "expired")
        outcome = engine.submit(copy_unit(tmp_path)).result(SECONDS)
    assert "ExpiredToken" in outcome.fatal


def test_progress_is_cheap_and_tells_what_is_under_way(
    tmp_path: Path, bucket: str, s3_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f\x1b").write_bytes(b"x")
    reading, go_on = threading.Event(), threading.Event()
    read = PosixFile.read_into

    def waiting(self: PosixFile, buffer: memoryview, offset: int) -> int:
        reading.set()
        go_on.wait()
        return read(self, buffer, offset)

    monkeypatch.setattr(PosixFile, "read_into", waiting)
    with engine_of(config_of(tmp_path, s3_spec(bucket), window=5)) as engine:
        assert engine.progress().path == ""
        future = engine.submit(copy_unit(tmp_path))
        assert reading.wait(SECONDS)
        progress = engine.progress()
        go_on.set()
        future.result(SECONDS)
    assert progress.path == "f\\x1b"
    assert (progress.files, progress.bytes, progress.window) == (0, 0, 5)
    assert progress.memory_bytes > MEBIBYTE
    assert progress.cpu_seconds > 0


def test_a_finished_unit_leaves_nothing_behind(tmp_path: Path, bucket: str, s3_spec: SpecMaker) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "f").write_bytes(b"x")
    (source / "large").write_bytes(bytes(2 * MEBIBYTE))
    gc.disable()
    try:
        for destination in (s3_spec(bucket), spec_of(tmp_path)):
            with engine_of(config_of(source, destination)) as engine:
                made: list[weakref.ref[Copying]] = []
                copying = engine._copying

                def remember(
                    unit: CopyUnit,
                    on_outcome: Callable[[UnitOutcome], None],
                    copying: Callable[[CopyUnit, Callable[[UnitOutcome], None]], Copying] = copying,
                    made: list[weakref.ref[Copying]] = made,
                ) -> Copying:
                    found = copying(unit, on_outcome)
                    made.append(weakref.ref(found))
                    return found

                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(engine, "_copying", remember)
                    engine.submit(copy_unit(source)).result(SECONDS)
            assert len(made) == 1
            while made[0]() is not None:  # the thread that handed the outcome over may still be on its way out
                os.sched_yield()
    finally:
        gc.enable()


def test_an_agent_that_starts_late_leaves_the_folders_of_the_destination_as_they_are(tmp_path: Path) -> None:
    source, destination = tmp_path / "source", tmp_path / "destination"
    source.mkdir()
    destination.mkdir()
    os.utime(destination, ns=(1, 1_600_000_000_000_000_001))  # its last times, set before the agent is there
    config = config_of(source, LocationSpec(destination.as_uri()), folds_names=True)
    with engine_of(config) as engine:
        engine.submit(ScanUnit(1, 0, [b""], listing=1)).result(SECONDS)
    assert destination.stat().st_mtime_ns == 1_600_000_000_000_000_001
