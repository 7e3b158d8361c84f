"""Every shape there and back: nothing is left for rsync to do, and the holes are where they were."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

from tests.indoors import Indoors
from tests.privileges import mounted, needs_root
from tests.shapes import differences, different_holes, make_shapes
from tests.support import Xsync
from xsync_tui.demo.server import S3Server

pytestmark = needs_root


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Indoors(tmp_path / "home")


def test_file_to_file(xsync: Xsync, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    make_shapes(source)
    done = xsync.run("run", source, target)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert done.result["files"]["transferred"] == done.result["files"]["discovered"]
    assert differences(source, target) == []
    assert different_holes(source, target) == []
    again = xsync.run("run", source, target)
    assert again.result["files"]["transferred"] == 0
    assert differences(source, target) == []


@pytest.mark.parametrize("hops", [("in/here",), ("in/here", "and/copied")])
def test_through_a_bucket(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, hops: tuple[str, ...]) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    make_shapes(source)
    reach = ["--endpoint-url", s3.endpoint_url, "--region", s3.region]
    places = [str(source), *(f"s3://{bucket}/{hop}" for hop in hops), str(target)]
    done = [xsync.run("run", one, other, *reach) for one, other in pairwise(places)]
    for each in done:
        assert each.code == 0, (each.errors, each.lines[-1:])
        assert each.result["files"] == done[0].result["files"]  # what is kept beside is never shown
        assert each.result["folders"]["pending"] == 0
    assert differences(source, target) == []
    assert different_holes(source, target) == []


def test_what_a_destination_does_not_take_is_said_once(xsync: Xsync, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for number in range(3):
        (source / f"file{number}").write_bytes(b"x")
        os.setxattr(source / f"file{number}", "user.a", b"1")
    target.mkdir()
    with mounted(target, "-t", "ramfs", "ramfs"):  # which knows none
        done = xsync.run("run", source, target)
        assert done.code == 0, (done.errors, done.lines[-1:])
    snapshot = xsync.snapshot()
    assert snapshot is not None
    told = [event.text for event in snapshot.events if "not kept" in event.text]
    why = "this account or the file system does not allow it"
    assert told == [f"extended attributes not kept of 3 entries: {why}"]


def test_devices_are_copied_if_asked_for(xsync: Xsync, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    os.mkfifo(source / "fifo", 0o640)
    os.mknod(source / "null", 0o020666, os.makedev(1, 3))
    os.chown(source / "null", 5, 6)
    os.utime(source / "fifo", ns=(1, 1_000_000_007))
    assert xsync.run("run", source, target).result["files"]["skipped"] == 2
    profile = tmp_path / "devices.toml"
    profile.write_text(
        f'schema = 1\nname = "devices"\n[source]\nurl = "file://{source}"\n[destination]\nurl = "file://{target}"\n'
        '[options]\npreserve_devices = "PRESERVE"\n'
    )
    done = xsync.run("run", profile)
    assert done.result["files"]["transferred"] == 2
    assert differences(source, target) == []
    assert xsync.run("run", profile).result["files"]["transferred"] == 0
