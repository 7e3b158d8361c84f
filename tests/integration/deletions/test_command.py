"""REMOVE as a user runs it: exit codes, sources that cannot be trusted, runs that are stopped."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.deletions.acts import keys
from tests.privileges import mount, unmount
from tests.support import SIZES, SLOW, Xsync, ended, make_source, tree_of
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


def test_the_command_refuses_with_exit_code_4_and_says_how_to_go_on(xsync: Xsync, source: Path, target: Path) -> None:
    assert xsync.run("run", source, target, "--delete").code == 0
    subprocess.run(["rm", "-rf", source / "top1"], check=True)
    refused = xsync.run("run", source, target, "--delete")
    assert refused.code == 4, refused.lines[-1:]
    assert "--max-deletions" in refused.result["message"]
    number = refused.result["deletions"]["files"] + refused.result["deletions"]["folders"]
    done = xsync.run("run", source, target, "--delete", "--max-deletions", str(number))
    assert done.code == 0, done.lines[-1:]
    assert done.result["files"]["deleted"] == refused.result["deletions"]["files"]
    assert tree_of(target) == tree_of(source)


def test_a_source_that_cannot_be_read_in_part_deletes_nothing(xsync: Xsync, source: Path, target: Path) -> None:
    assert xsync.run("run", source, target, "--delete").code == 0
    if os.geteuid() == 0:
        xsync.wrapper = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    (source / "top0" / "sub0" / "file-000000.dat").unlink()
    (source / "top1").chmod(0)
    try:
        done = xsync.run("run", source, target, "--delete")
    finally:
        (source / "top1").chmod(0o755)
    assert done.code == 3, done.lines[-1:]
    assert "could not be read" in done.result["deletions"]["held_back"]
    assert done.result["files"]["deleted"] == 0
    assert (target / "top0" / "sub0" / "file-000000.dat").exists()
    assert (target / "top1" / "sub1").exists()


def test_a_mount_that_vanishes_in_mid_run_deletes_nothing(xsync: Xsync, tmp_path: Path, target: Path) -> None:
    place = tmp_path / "mounted"
    place.mkdir()
    mount("-t", "tmpfs", "tmpfs", place)
    try:
        make_source(place, files=300)
        first = xsync.run("run", place, target, "--delete")
        assert first.code == 0
        before = tree_of(target)
        make_source(place, files=500, sizes=SIZES, seed=2)
        with ended(
            xsync.start("run", place, target, "--delete", "--max-deletions", "1000000", "--agents", "2", *SLOW)
        ) as process:
            xsync.wait_for(lambda now: now.execution != first.result["execution"] and now.totals.files.transferred > 0)
            unmount(place)
            done = xsync.finish(process)
    finally:
        unmount(place)
    assert done.code == 1, done.lines[-1:]
    assert done.result["status"] == "ERROR"
    assert "is not what it was" in done.result["message"]
    assert done.result["files"]["deleted"] == 0
    assert set(before) <= set(tree_of(target))


def test_a_run_that_was_asked_to_stop_deletes_nothing(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    source = make_source(tmp_path / "source", files=500, sizes=SIZES)
    place = [f"s3://{bucket}", "--endpoint-url", s3.endpoint_url, "--region", s3.region, "--delete", "--delete-foreign"]
    boto.put_object(Bucket=bucket, Key="theirs", Body=b"x")
    with ended(xsync.start("run", source, *place, "--agents", "2", *SLOW)) as process:
        xsync.wait_for_files(1)
        assert xsync.run("cancel").code == 0
        done = xsync.finish(process)
    assert done.code == 5
    assert done.result["files"]["deleted"] == 0
    assert "theirs" in keys(boto, bucket)
