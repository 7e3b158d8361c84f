"""Files with several names: links again at the destination, however their groups change between runs."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from engine.locations.listing import LEADER
from engine.model import Action, TransferOptions
from engine.transfer.units import CopyUnit, to_ipc
from tests.chaos.test_links import groups_of
from tests.faults.agents import SECONDS, config_of, engine_of, entries_of, results_of, spec_of
from tests.indoors import Indoors
from tests.support import tree_of

LINKED = (Action.TRANSFERRED, "link", 0)
THERE = (Action.SKIPPED, "same content", 0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "b").mkdir(parents=True)
    (folder / "a").write_bytes(b"content")
    os.link(folder / "a", folder / "b" / "c")
    return folder


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    folder = tmp_path / "destination"
    folder.mkdir()
    return folder


def follower(source: Path, leader: bytes = b"a") -> CopyUnit:
    """A unit of b/c, which is to be linked to ``leader``."""
    rows = entries_of(source)
    rows = rows.filter(pa.compute.equal(rows["name"], b"c"))
    return CopyUnit(1, 0, to_ipc(rows.append_column(LEADER, pa.array([leader], pa.binary()))))


def outcome_of(
    source: Path, destination: Path, unit: CopyUnit, options: TransferOptions | None = None
) -> tuple[tuple[Action, str | None, int], dict[str, int], int]:
    """(action, reason, bytes sent), what was not kept, and the inode that the result is about."""
    config = config_of(source, spec_of(destination), options=options or TransferOptions())
    with engine_of(config) as engine:
        outcome = engine.submit(unit).result(SECONDS)
    row = results_of(outcome)[b"b/c"]
    return (Action(row["action"]), row["reason"], row["sent_bytes"]), outcome.not_kept, row["inode"]


def put_leader(destination: Path, source: Path, content: bytes = b"content") -> None:
    (destination / "a").write_bytes(content)
    times = (source / "a").stat().st_mtime_ns
    os.utime(destination / "a", ns=(times, times))


def test_a_name_is_linked_to_its_leader(source: Path, destination: Path) -> None:
    put_leader(destination, source)
    (destination / "b").mkdir()
    (destination / "b" / "c").write_bytes(b"an older form")
    inode = (source / "a").stat().st_ino
    assert outcome_of(source, destination, follower(source)) == (LINKED, {}, inode)
    assert groups_of(destination) == {frozenset({"a", "b/c"})}
    assert outcome_of(source, destination, follower(source)) == (THERE, {}, inode)
    assert sorted(os.listdir(destination / "b")) == ["c"]


def replace_leader(source: Path, destination: Path) -> None:
    (source / "a").unlink()
    (source / "a").write_bytes(b"content")


def old_leader(source: Path, destination: Path) -> None:
    os.utime(destination / "a", ns=(1, 1))


def no_leader(source: Path, destination: Path) -> None:
    (destination / "a").unlink()


@pytest.mark.parametrize(("change", "settled"), [(replace_leader, True), (old_leader, False), (no_leader, False)])
def test_a_name_is_copied_unless_all_agrees(
    source: Path, destination: Path, change: Callable[[Path, Path], None], settled: bool
) -> None:
    put_leader(destination, source)
    unit = follower(source)
    change(source, destination)
    done, not_kept, inode = outcome_of(source, destination, unit)
    assert done == (Action.TRANSFERRED, None, 7)
    assert not_kept == {}
    assert (destination / "b" / "c").read_bytes() == b"content"
    assert bool(inode) is settled  # what should be a link is tried again by the next run
    assert not (destination / "a").exists() or (destination / "a").stat().st_nlink == 1


def test_without_times_nothing_proves_a_leader(source: Path, destination: Path) -> None:
    put_leader(destination, source, b"old one")
    done, _, _ = outcome_of(source, destination, follower(source), TransferOptions(mtime="NONE"))
    assert done == (Action.TRANSFERRED, None, 7)
    assert (destination / "b" / "c").read_bytes() == b"content"


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV])
def test_where_links_cannot_be_the_name_is_copied_and_counted(
    source: Path, destination: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_leader(destination, source)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    done, not_kept, inode = outcome_of(source, destination, follower(source))
    assert done == (Action.TRANSFERRED, None, 7)
    assert not_kept == {"hard link": 1}
    assert inode == (source / "a").stat().st_ino
    assert (destination / "b" / "c").read_bytes() == b"content"


def test_never_overwrites_a_name(source: Path, destination: Path) -> None:
    put_leader(destination, source)
    (destination / "b").mkdir()
    (destination / "b" / "c").write_bytes(b"mine")
    done, _, _ = outcome_of(source, destination, follower(source), TransferOptions(overwrite_mode="NEVER"))
    assert done == (Action.SKIPPED, "exists", 0)
    assert (destination / "b" / "c").read_bytes() == b"mine"


def test_groups_that_change_between_runs(tmp_path: Path) -> None:
    xsync = Indoors(tmp_path / "home")
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in ("a", "b", "c"):
        (source / folder).mkdir(parents=True)
    for number in range(3):
        (source / "a" / f"f{number}").write_bytes(b"%d" % number * 100)
        for folder in ("b", "c"):
            os.link(source / "a" / f"f{number}", source / folder / f"f{number}")
    (source / "a" / "large").write_bytes(b"x" * (33 << 20))
    os.link(source / "a" / "large", source / "c" / "large")

    def run() -> dict[str, int]:
        done = xsync.run("run", source, target)
        assert done.code == 0, (done.errors, done.lines[-1:])
        return {"files": done.result["files"]["transferred"], "bytes": done.result["bytes"]["transferred"]}

    assert run() == {"files": 11, "bytes": 300 + (33 << 20)}
    assert groups_of(target) == groups_of(source)
    assert run()["files"] == 0
    os.link(source / "a" / "f0", source / "c" / "gained")
    run()
    assert groups_of(target) == groups_of(source)
    for gone in ("b/f1", "a/large"):  # a follower, and a leader
        (source / gone).unlink()
        (target / gone).unlink()
    (source / "b" / "f2").write_bytes(b"changed")
    run()
    assert groups_of(target) == groups_of(source)
    (source / "c" / "f2").unlink()
    (source / "c" / "f2").write_bytes(b"a file of its own")
    run()
    assert groups_of(target) == groups_of(source)
    assert tree_of(target) == tree_of(source)
    assert run()["files"] == 0
    (target / "a" / "f0").unlink()  # a leader, at the destination
    done = xsync.run("run", source, target, "--delta", "destination")
    assert (done.code, done.result["files"]["transferred"]) == (0, 4)
    assert groups_of(target) == groups_of(source)


def test_links_of_an_adopted_destination_are_mended(tmp_path: Path) -> None:
    xsync = Indoors(tmp_path / "home")
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, target):
        folder.mkdir()
        for name in ("a", "b", "c"):
            (folder / name).write_bytes(b"content")
            os.utime(folder / name, ns=(1, 1))
    for name in ("b", "c"):
        (source / name).unlink()
        os.link(source / "a", source / name)
    done = xsync.run("run", source, target)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert done.result["bytes"]["transferred"] == 0
    assert groups_of(target) == {frozenset({"a", "b", "c"})}
