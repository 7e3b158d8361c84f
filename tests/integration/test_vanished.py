"""A mount that went between two runs: what lies below its mount point is neither the source nor the destination."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.execution.vanished import left_its_mount
from tests.privileges import mounted
from tests.support import Xsync, make_source, tree_of


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
