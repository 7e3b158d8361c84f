"""A mount that went between two runs or in one: below its mount point is neither the source nor the destination."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engine.execution.vanished import left_its_mount
from engine.journal.reader import read_segments
from tests.privileges import mount, mounted, unmount
from tests.support import Xsync, ended, make_source, tree_of


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


@pytest.fixture
def point(tmp_path: Path) -> Path:
    (tmp_path / "mnt").mkdir()
    return tmp_path / "mnt"


TMPFS = ("-t", "tmpfs", "tmpfs")


def test_a_destination_whose_mount_is_gone_is_refused_and_nothing_is_made(
    xsync: Xsync, tmp_path: Path, point: Path
) -> None:
    source = make_source(tmp_path / "source", files=5)
    command = ["run", str(source), str(point / "backup")]
    with mounted(point, *TMPFS):
        assert xsync.run(*command).code == 0
        assert tree_of(point / "backup") == tree_of(source)
    for _ in range(2):  # it does not get used to it
        done = xsync.run(*command)
        assert done.code == 4
        assert "what was mounted there when" in done.message
    assert not list(point.iterdir())
    checked = xsync.run("check", *command[1:])
    assert checked.code == 4
    with mounted(point, *TMPFS):  # another file system at the same place is another destination
        assert xsync.run(*command).code == 0
        assert tree_of(point / "backup") == tree_of(source)


def test_a_source_whose_mount_is_gone_is_refused(xsync: Xsync, tmp_path: Path, point: Path) -> None:
    with mounted(point, *TMPFS):
        make_source(point, files=5)
        assert xsync.run("run", point, tmp_path / "target").code == 0
    before = tree_of(tmp_path / "target")
    assert xsync.run("run", point, tmp_path / "target").code == 4
    assert tree_of(tmp_path / "target") == before


def results(xsync: Xsync) -> dict[str, str]:
    """What the journal holds as transferred."""
    folder = xsync.folder()
    found = [pq.read_table(folder / each.file) for each in read_segments(folder, "results")]
    rows = [row for table in found for row in table.to_pylist()]
    return {f"{row['dir'].decode()}/{row['name'].decode()}": row["action"] for row in rows}


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_destination_that_is_unmounted_in_mid_run_is_no_success(
    xsync: Xsync, tmp_path: Path, point: Path, comes_back: bool
) -> None:
    source, disk = make_source(tmp_path / "source", files=1_500), tmp_path / "disk"
    disk.mkdir()
    bound = ("--bind", disk)
    command = ["run", str(source), str(point), "--limit", "4MB/s"]
    with mounted(point, *bound):
        with ended(xsync.start(*command)) as process:
            xsync.wait_for_files(50)
            unmount(point)
            if comes_back:
                mount(*bound, point)
            done = xsync.finish(process)
        assert (done.code, done.result["status"]) == (1, "ERROR")
        assert f"the destination {point} is not what it was" in done.result["message"]
        assert done.result["files"]["pending"] > 0
        assert sum(done.result["files"][name] for name in ("transferred", "pending")) == 1_500
        assert set(results(xsync)) <= set(tree_of(disk))  # what counts is there
        refused = xsync.run("resume", done.result["execution"])
        assert refused.code == (0 if comes_back else 4)
    with mounted(point, *bound):
        assert comes_back or xsync.run(*command[:3]).code == 0
        assert tree_of(disk) == tree_of(source)


def test_a_source_that_is_unmounted_in_mid_run_is_no_success(xsync: Xsync, tmp_path: Path, point: Path) -> None:
    disk, target = make_source(tmp_path / "disk", files=1_500), tmp_path / "target"
    command = ["run", str(point), str(target), "--limit", "4MB/s"]
    with mounted(point, "--bind", disk):
        with ended(xsync.start(*command)) as process:
            xsync.wait_for_files(50)
            unmount(point)
            done = xsync.finish(process)
        assert (done.code, done.result["status"]) == (1, "ERROR")
        assert "the source" in done.result["message"]
        assert "is not what it was" in done.result["message"]
        assert done.result["files"]["skipped"] == 0  # none of them "vanished"
        assert xsync.run("resume", done.result["execution"]).code == 4
    with mounted(point, "--bind", disk):
        assert xsync.run("resume", done.result["execution"]).code == 0
    assert tree_of(target) == tree_of(disk)


def test_a_source_that_is_unmounted_while_it_is_listed_never_looks_smaller(
    xsync: Xsync, tmp_path: Path, point: Path
) -> None:
    disk = make_source(tmp_path / "disk", files=20_000, sizes=(1,), folders=400)
    with mounted(point, "--bind", disk):
        with ended(xsync.start("run", point, tmp_path / "target")) as process:
            xsync.wait_for(lambda now: now.totals.files.discovered > 0)
            unmount(point)
            done = xsync.finish(process)
        assert done.code == 1
        assert done.result["files"]["skipped"] == 0


def test_the_folder_below_a_mount_that_is_gone_can_be_meant(xsync: Xsync, tmp_path: Path, point: Path) -> None:
    source = make_source(tmp_path / "source", files=5)
    with mounted(point, *TMPFS):
        assert xsync.run("run", source, point / "backup").code == 0
    refused = xsync.run("run", source, point / "backup")
    assert (refused.code, "--unmounted" in refused.message) == (4, True)
    assert xsync.run("run", source, point / "backup", "--unmounted", "--dry-run").code == 0
    assert not list(point.iterdir())
    done = xsync.run("run", source, point / "backup", "--unmounted")
    assert (done.code, done.result["files"]["transferred"]) == (0, 5)
    assert tree_of(point / "backup") == tree_of(source)
    assert xsync.run("run", source, point / "backup").code == 0  # said once
    with mounted(point, *TMPFS):
        assert xsync.run("run", source, point / "backup").code == 0
    assert xsync.run("run", source, point / "backup").code == 4  # and again, once a mount was there


@pytest.mark.parametrize(
    ("before", "now", "gone"),
    [
        ("file filer:/lab /", "file 1f23 /mnt/lab inode 7", True),
        ("file //nas/my share /a b inode 2", "file 1f23 /mnt/nas/a b inode 7", True),
        ("file 198a /backup inode 2", "file 1f23 /mnt/backup inode 2", True),
        ("file 198a /backup inode 2", "file 77bb /backup inode 9", False),  # another disk at the same mount point
        ("file 1f23 /mnt/backup inode 2", "file 198a /backup inode 2", False),  # mounted since
        ("file 1f23 /mnt/backup inode 2", "file 1f23 /mnt/backup inode 9", False),  # made anew
        ("", "file 1f23 /mnt/backup inode 9", False),
        ("s3 bucket", "file 1f23 /mnt/backup inode 9", False),
    ],
)
def test_what_a_mount_leaves_that_goes(before: str, now: str, gone: bool) -> None:
    assert left_its_mount(before, now) == gone
