"""Small files, links and folders to a folder."""

from __future__ import annotations

import errno
import fcntl
import os
import pickle
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest

from engine.errors import DestinationError
from engine.locations.base import PartResult
from engine.locations.posix import PosixLocation
from engine.locations.posix_folders import MOVED
from engine.model import Action, Kind, TransferOptions
from engine.names import OWN_PREFIX
from engine.transfer import commit, files, system
from engine.transfer.crt import crc64nvme
from engine.transfer.units import CopyUnit, FoldersUnit, from_ipc, to_ipc
from tests.faults.agents import (
    SECONDS,
    actions_of,
    change_before_confirm,
    config_of,
    copy_unit,
    engine_of,
    results_of,
    spec_of,
)
from tests.privileges import NOBODY, mounted, needs_root
from tests.support import tree_of

DONE = (Action.TRANSFERRED, None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    folder = tmp_path / "destination"
    folder.mkdir()
    return folder


def temporaries(folder: Path) -> list[str]:
    return [name for _, _, names in os.walk(folder) for name in names if name.startswith(os.fsdecode(OWN_PREFIX))]


def test_content_attributes_links_and_folders_arrive(source: Path, destination: Path) -> None:
    (source / "a").mkdir()
    (source / "a" / "f").write_bytes(b"hello")
    (source / "a" / "empty").write_bytes(b"")
    (source / "l").symlink_to("a/f")
    (source / "dangling").symlink_to("nowhere")
    (source / "a" / "f").chmod(0o4751)
    if os.geteuid() == 0:
        os.chown(source / "a" / "f", 1234, 4321)
        os.chown(source / "l", 1234, 4321, follow_symlinks=False)
        (source / "a" / "f").chmod(0o4751)
    times = (1_600_000_000_123_456_789, 1_500_000_000_987_654_321)
    os.utime(source / "a" / "f", ns=times)
    os.utime(source / "l", ns=times, follow_symlinks=False)
    os.utime(source / "a", ns=times)
    (source / "a").chmod(0o750)
    unit = copy_unit(source)

    with engine_of(config_of(source, spec_of(destination))) as engine:
        outcome = engine.submit(unit).result(SECONDS)
        assert engine.progress().files == 4
        rows = from_ipc(unit.entries)
        folders = rows.filter(pa.compute.equal(rows["kind"], int(Kind.FOLDER)))
        assert engine.submit(FoldersUnit(2, 0, to_ipc(folders))).result(SECONDS).fatal == ""

    assert set(actions_of(outcome).values()) == {DONE}
    for name in ("a/f", "a/empty", "l", "a"):
        ours, theirs = (destination / name).lstat(), (source / name).lstat()
        assert (ours.st_mode, ours.st_uid, ours.st_gid) == (theirs.st_mode, theirs.st_uid, theirs.st_gid), name
        assert ours.st_mtime_ns == theirs.st_mtime_ns, name
    assert (destination / "a" / "f").stat().st_atime_ns == times[0]
    assert (destination / "a" / "f").read_bytes() == b"hello"
    assert os.readlink(destination / "dangling") == "nowhere"
    results = results_of(outcome)
    assert results[b"a/f"]["checksum"] == crc64nvme(b"hello")
    assert results[b"a/f"]["verified"] == "read-back"
    assert results[b"a/f"]["sent_bytes"] == 5
    assert temporaries(destination) == []


def test_attributes_that_are_not_asked_for_are_left_alone(source: Path, destination: Path) -> None:
    (source / "f").write_bytes(b"x")
    (source / "f").chmod(0o600)
    os.utime(source / "f", ns=(1, 1))
    options = TransferOptions(
        posix_permissions="NONE", uid="NONE", gid="NONE", mtime="NONE", atime="NONE", verify_mode="NONE"
    )
    with engine_of(config_of(source, spec_of(destination), options=options)) as engine:
        outcome = engine.submit(copy_unit(source)).result(SECONDS)
    mask = os.umask(0)
    os.umask(mask)
    found = (destination / "f").stat()
    assert stat.S_IMODE(found.st_mode) == 0o666 & ~mask
    assert found.st_mtime > time.time() - 3600
    assert results_of(outcome)[b"f"]["verified"] is None


def test_holes_stay_holes(source: Path, destination: Path) -> None:
    with open(source / "sparse", "wb") as file:
        file.truncate(8 << 20)
        file.seek(5 << 20)
        file.write(b"island")
        file.truncate(20 << 20)
    with engine_of(config_of(source, spec_of(destination))) as engine:
        row = results_of(engine.submit(copy_unit(source)).result(SECONDS))[b"sparse"]
    assert (destination / "sparse").read_bytes() == (source / "sparse").read_bytes()
    assert (destination / "sparse").stat().st_blocks * 512 < 1 << 20
    assert row["checksum"] == crc64nvme((source / "sparse").read_bytes())


def test_existing_files_are_replaced_in_one_step_and_hold_no_old_bytes(source: Path, destination: Path) -> None:
    (source / "f").write_bytes(b"new")
    (destination / "f").write_bytes(b"old and longer")
    old = os.open(destination / "f", os.O_RDONLY)
    with engine_of(config_of(source, spec_of(destination))) as engine:
        assert actions_of(engine.submit(copy_unit(source)).result(SECONDS)) == {b"f": DONE}
    assert (destination / "f").read_bytes() == b"new"
    assert os.read(old, 100) == b"old and longer"
    os.close(old)


def test_never_overwrites_when_told_so(source: Path, destination: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("f", "late", "l"):
        (source / name).write_bytes(b"new")
    (source / "l").unlink()
    (source / "l").symlink_to("new")
    (destination / "f").write_bytes(b"old")
    (destination / "l").symlink_to("old")
    sync = system.syncfs

    def late(fd: int) -> None:
        (destination / "late").write_bytes(b"somebody was faster")
        sync(fd)

    monkeypatch.setattr(commit, "syncfs", late)
    options = TransferOptions(overwrite_mode="NEVER")
    with engine_of(config_of(source, spec_of(destination), options=options)) as engine:
        actions = actions_of(engine.submit(copy_unit(source)).result(SECONDS))
    assert set(actions.values()) == {(Action.SKIPPED, "exists")}
    assert (destination / "f").read_bytes() == b"old"
    assert (destination / "late").read_bytes() == b"somebody was faster"
    assert os.readlink(destination / "l") == "old"
    assert temporaries(destination) == []


def test_a_change_of_type_removes_the_old_form(source: Path, destination: Path) -> None:
    (source / "was file").mkdir()
    (source / "was file" / "f").write_bytes(b"x")
    (source / "was link").mkdir()
    (source / "was link" / "f").write_bytes(b"x")
    (source / "was folder").write_bytes(b"x")
    (source / "was full").write_bytes(b"x")
    outside = destination.parent / "outside"
    outside.mkdir()
    (destination / "was file").write_bytes(b"x")
    (destination / "was link").symlink_to(outside)
    (destination / "was folder").mkdir()
    (destination / "was full").mkdir()
    (destination / "was full" / "kept").write_bytes(b"x")
    with engine_of(config_of(source, spec_of(destination))) as engine:
        actions = actions_of(engine.submit(copy_unit(source)).result(SECONDS))
    assert actions.pop(b"was full") == (Action.FAILED, "a folder is in the way")
    assert set(actions.values()) == {DONE}
    assert (destination / "was file" / "f").read_bytes() == b"x"
    assert (destination / "was folder").read_bytes() == b"x"
    assert not (destination / "was link").is_symlink()
    assert list(outside.iterdir()) == []


def test_links_in_the_way_are_never_followed(source: Path, destination: Path) -> None:
    outside = destination.parent / "outside"
    outside.mkdir()
    (destination / "a").symlink_to(outside)
    (source / "a").mkdir()
    (source / "a" / "f").write_bytes(b"x")
    options = TransferOptions(overwrite_mode="NEVER")
    with engine_of(config_of(source, spec_of(destination), options=options)) as engine:
        actions = actions_of(engine.submit(copy_unit(source)).result(SECONDS))
    assert actions[b"a/f"] == (Action.FAILED, "a link is in the way")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("instead", ["link", "link to it", "folder", "nothing"])
def test_nothing_is_written_into_a_folder_that_was_moved_away(
    source: Path, destination: Path, tmp_path: Path, instead: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (source / "d").mkdir()
    (source / "d" / "a").write_bytes(b"a")
    with engine_of(config_of(source, spec_of(destination))) as engine:
        engine.submit(copy_unit(source)).result(SECONDS)
        os.rename(destination / "d", elsewhere)
        if instead == "folder":
            (destination / "d").mkdir()
        elif instead != "nothing":
            (tmp_path / "other").mkdir()
            (destination / "d").symlink_to(elsewhere if instead == "link to it" else tmp_path / "other")
        (source / "d" / "b").write_bytes(b"b")
        unit = copy_unit(source)
        rows = from_ipc(unit.entries)
        only = rows.filter(pa.compute.equal(rows["name"], b"b"))
        first = engine.submit(CopyUnit(2, 0, to_ipc(only))).result(SECONDS)
        assert actions_of(first) == {b"d/b": (Action.FAILED, MOVED)}
        assert os.listdir(elsewhere) == ["a"]
        engine.submit(CopyUnit(3, 0, unit.entries)).result(SECONDS)
        folders = rows.filter(pa.compute.equal(rows["kind"], int(Kind.FOLDER)))
        engine.submit(FoldersUnit(4, 0, to_ipc(folders))).result(SECONDS)
    assert os.listdir(elsewhere) == ["a"]
    assert tree_of(destination) == tree_of(source)


def test_a_large_file_gets_no_name_in_a_folder_that_was_moved_away(destination: Path, tmp_path: Path) -> None:
    location = PosixLocation(spec_of(destination))
    location.check_destination()
    upload = location.begin(b"d/big", 3, {})
    os.close(location.open_temporary(b"d/big", upload))
    os.rename(destination / "d", tmp_path / "elsewhere")
    (destination / "d").mkdir()
    with pytest.raises(DestinationError, match="moved away"):
        location.complete(b"d/big", upload, [PartResult(1, 3, 0, "")], 0, {})
    assert "big" not in os.listdir(tmp_path / "elsewhere")
    location.close()


@pytest.mark.parametrize("number", [errno.ENOTEMPTY, errno.EEXIST])
def test_a_folder_in_the_way_that_is_not_empty_never_counts_as_the_file(
    source: Path, destination: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (source / "f").write_bytes(b"f")
    (destination / "f").mkdir()

    def refuses(name: bytes, *, dir_fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "rmdir", refuses)
    with engine_of(config_of(source, spec_of(destination))) as engine:
        outcome = engine.submit(copy_unit(source)).result(SECONDS)
    assert actions_of(outcome) == {b"f": (Action.FAILED, "a folder is in the way")}


def test_names_appear_only_after_everything_is_on_the_device(
    source: Path, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        (source / f"f{number}").write_bytes(os.urandom(100))
    story: list[str] = []
    sync, rename, fsync = system.syncfs, os.rename, os.fsync

    def syncing(fd: int) -> None:
        assert len(temporaries(destination)) == 5
        assert [path for path in destination.iterdir() if path.name.startswith("f")] == []
        story.append("sync")
        sync(fd)

    def renaming(*args: object, **kwargs: object) -> None:
        story.append("rename")
        rename(*args, **kwargs)  # type: ignore[arg-type]  # whatever it was called with

    def syncing_folder(fd: int) -> None:
        story.append("fsync folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "fsync")
        fsync(fd)

    monkeypatch.setattr(commit, "syncfs", syncing)
    monkeypatch.setattr(os, "rename", renaming)
    monkeypatch.setattr(os, "fsync", syncing_folder)
    with engine_of(config_of(source, spec_of(destination))) as engine:
        engine.submit(copy_unit(source)).result(SECONDS)
    assert story == ["sync", *["rename"] * 5, "fsync folder"]


def test_each_of_two_units_in_one_folder_hears_of_a_write_that_failed(
    source: Path, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = []
    for name in ("f", "g"):
        (source / name).write_bytes(b"x")
        units.append(copy_unit(source))
        (source / name).rename(source.parent / name)
    for name in ("f", "g"):
        (source.parent / name).rename(source / name)
    both_wrote = threading.Barrier(2)
    write = os.pwrite

    def failing_later(fd: int, content: bytes, offset: int) -> int:
        """As the kernel does: whoever has a folder open by now is told, once for each opening."""
        for each in map(int, os.listdir("/proc/self/fd")):
            with suppress(OSError):
                if stat.S_ISDIR(os.fstat(each).st_mode):
                    fcntl.fcntl(each, fcntl.F_SETFL, os.O_NONBLOCK)
        return write(fd, content, offset)

    def telling_once(fd: int) -> None:
        both_wrote.wait(SECONDS)
        with telling:
            owed = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK
            fcntl.fcntl(fd, fcntl.F_SETFL, 0)
        if owed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    telling = threading.Lock()
    monkeypatch.setattr(os, "pwrite", failing_later)
    monkeypatch.setattr(commit, "syncfs", telling_once)
    options = TransferOptions(verify_mode="NONE")
    with engine_of(config_of(source, spec_of(destination), options=options)) as engine:
        outcomes = [future.result(SECONDS) for future in [engine.submit(unit) for unit in units]]
    assert [action for outcome in outcomes for action, _ in actions_of(outcome).values()] == [Action.FAILED] * 2
    assert list(destination.iterdir()) == []


def test_each_file_is_synced_where_syncfs_proves_nothing(
    source: Path, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (source / f"f{number}").write_bytes(b"x")
    synced: list[bool] = []
    fsync = os.fsync

    def syncing(fd: int) -> None:
        synced.append(stat.S_ISREG(os.fstat(fd).st_mode))
        fsync(fd)

    monkeypatch.setattr(files, "syncfs_proves", lambda: False)
    monkeypatch.setattr(commit, "syncfs", None)
    monkeypatch.setattr(os, "fsync", syncing)
    with engine_of(config_of(source, spec_of(destination))) as engine:
        engine.submit(copy_unit(source)).result(SECONDS)
    assert synced == [True, True, True, False]


def test_what_reads_back_differently_does_not_get_its_name(
    source: Path, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "f").write_bytes(b"content")
    (destination / "f").write_bytes(b"old version")
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: write(fd, bytes(len(data)), offset))
    with engine_of(config_of(source, spec_of(destination))) as engine:
        outcome = engine.submit(copy_unit(source)).result(SECONDS)
    assert actions_of(outcome) == {b"f": (Action.FAILED, "checksum mismatch")}
    assert (destination / "f").read_bytes() == b"old version"
    assert temporaries(destination) == []


def append(path: bytes) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(("times", "expected"), [(1, DONE), (2, (Action.FAILED, "changed while read"))])
def test_a_file_that_changes_while_it_is_read(
    source: Path,
    destination: Path,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
    expected: tuple[Action, str | None],
) -> None:
    (source / "f").write_bytes(b"content")
    (destination / "f").write_bytes(b"old version")
    unit = copy_unit(source)
    change_before_confirm(monkeypatch, times, append)
    with engine_of(config_of(source, spec_of(destination))) as engine:
        assert actions_of(engine.submit(unit).result(SECONDS)) == {b"f": expected}
    content = (source / "f").read_bytes() if expected == DONE else b"old version"
    assert (destination / "f").read_bytes() == content
    assert temporaries(destination) == []


def test_a_lease_that_ends_before_the_rename_releases_the_rows(
    source: Path, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (source / f"f{number}").write_bytes(b"x")
    sync = system.syncfs
    with engine_of(config_of(source, spec_of(destination))) as engine:

        def expire(fd: int) -> None:
            engine.renew_lease(time.monotonic() - 1)
            sync(fd)

        monkeypatch.setattr(commit, "syncfs", expire)
        outcome = engine.submit(copy_unit(source)).result(SECONDS)
    assert set(actions_of(outcome).values()) == {(Action.RELEASED, None)}
    assert list(destination.iterdir()) == []


def test_a_full_disk_fails_files_with_that_reason_and_then_stops(
    source: Path, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        (source / f"f{number}").write_bytes(b"x")

    def full(fd: int, data: object, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with engine_of(config_of(source, spec_of(destination), reader_threads=1)) as engine:
        outcome = engine.submit(copy_unit(source)).result(SECONDS)
    actions = list(actions_of(outcome).values())
    assert outcome.fatal == "no space left at the destination"
    assert actions.count((Action.FAILED, "no space left at the destination")) == 2
    assert actions.count((Action.RELEASED, None)) == 48
    assert list(destination.iterdir()) == []


@pytest.fixture
def tiny_disk(destination: Path) -> Iterator[Path]:
    """A file system of one megabyte at the destination."""
    with mounted(destination, "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        yield destination


def test_a_disk_that_is_really_full_keeps_what_fitted_and_leaves_no_temporaries(source: Path, tiny_disk: Path) -> None:
    for number in range(8):
        (source / f"f{number}").write_bytes(os.urandom(300_000))
    with engine_of(config_of(source, spec_of(tiny_disk), reader_threads=1)) as engine:
        outcome = engine.submit(copy_unit(source)).result(SECONDS)
    actions = actions_of(outcome)
    assert outcome.fatal == "no space left at the destination"
    done = [path for path, action in actions.items() if action == DONE]
    assert len(done) == 3 or [*actions.values()].count((Action.RELEASED, None)) >= 3
    for path in done:
        assert (tiny_disk / os.fsdecode(path)).read_bytes() == (source / os.fsdecode(path)).read_bytes()
    assert sorted(os.listdir(tiny_disk)) == sorted(map(os.fsdecode, done))


@needs_root
def test_owners_that_may_not_be_kept_are_reported_once(source: Path, destination: Path) -> None:
    for number in range(5):
        (source / f"f{number}").write_bytes(b"x")
        os.chown(source / f"f{number}", 1234, 1234)
        (source / f"f{number}").chmod(0o6755)
    unit = copy_unit(source)
    for folder in (source, destination, *destination.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o777)
    given = pickle.dumps((config_of(source, spec_of(destination), reader_threads=1), unit))
    script = "from tests.integration.test_transfer_files import copy_as_nobody; copy_as_nobody()"
    told = subprocess.run([sys.executable, "-c", script], input=given, stdout=subprocess.PIPE, check=True).stdout
    outcome = pickle.loads(told)
    assert set(actions_of(outcome).values()) == {DONE}
    assert outcome.not_kept == {"owner": 5}
    found = (destination / "f0").stat()
    assert stat.S_IMODE(found.st_mode) == 0o755
    assert found.st_uid == NOBODY


def copy_as_nobody() -> None:
    """Do the unit on standard input as an account without rights, and print its outcome."""
    config, unit = pickle.load(sys.stdin.buffer)
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    with engine_of(config) as engine:
        sys.stdout.buffer.write(pickle.dumps(engine.submit(unit).result(SECONDS)))
