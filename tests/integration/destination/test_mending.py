"""What a verification found to differ is mended by the next run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.indoors import Indoors
from tests.integration.destination.acts import acted, differing, report, spoil, told
from tests.support import Finished, Xsync, make_source, tree_of
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_point_in_time_proves_that_both_sides_are_what_was_read(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    source = make_source(tmp_path / "source", files=200)
    place = [f"s3://{bucket}/data", "--endpoint-url", s3.endpoint_url, "--region", s3.region]
    mode = ("--verify-mode", "POINT_IN_TIME_CONSISTENT")
    assert xsync.run("run", source, *place, *mode).code == 0
    assert report(xsync)["verification"]["verified"] == {"etag": 200}
    boto.delete_object(Bucket=bucket, Key="data/top1/sub1/file-000001.dat")
    done: Finished = xsync.run("run", source, *place, *mode)
    assert (done.result["status"], report(xsync)["verification"]["differences"]) == ("ERROR", {"missing": 1})
    assert "1 missing" in done.result["message"]
    assert (done.code, done.result["failures"]) == (3, {})
    mended = xsync.run("run", source, *place)
    assert (mended.code, mended.result["files"]["transferred"]) == (0, 1)
    assert report(xsync)["drift"] is None  # what differed was known: nothing had to be listed
    assert "the last verification found 1 entry" in told(xsync)
    assert differing(source, s3, bucket) == set()
    assert (xsync.run("run", source, *place).code, told(xsync)) == (0, "")


@pytest.mark.parametrize("deep", [False, True])
def test_what_a_verification_finds_in_a_bucket_the_next_run_mends(
    xsync: Xsync, source: Path, place: list[str], s3: S3Server, bucket: str, boto: S3Client, deep: bool
) -> None:
    assert xsync.run("run", source, *place).code == 0
    xsync.settle()
    spoil(boto, bucket)
    found = xsync.run("verify", source, *place, *(["--read-source"] if deep else []))
    assert (found.code, found.lines[-1]["doubted"]) == (3, 3)
    again = xsync.run("verify", source, *place)
    assert again.lines[-1]["differences"] == found.lines[-1]["differences"]
    plan = xsync.run("run", source, *place, "--dry-run").lines[-1]
    assert plan["actions"]["overwrite"]["files"] == 3
    mended = xsync.run("run", source, *place)
    assert (mended.code, set(acted(xsync)), report(xsync)["mended"]) == (0, {"a", "b", "large"}, 3)
    assert differing(source, s3, bucket) == {"foreign"}
    left = xsync.run("verify", source, *place)
    assert (left.code, left.lines[-1]["differences"], left.lines[-1]["doubted"]) == (3, {"foreign": 1}, 0)
    xsync.settle()
    assert xsync.run("run", source, *place).result["files"]["transferred"] == 0  # what is foreign makes no work
    assert (told(xsync), report(xsync)["drift"]) == ("", None)


def test_content_that_only_reading_shows_to_differ_is_copied_again(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert xsync.run("run", source, copy).code == 0
    xsync.settle()
    status = (copy / "d" / "a").stat()
    (copy / "d" / "a").write_bytes(b"Z" * 100)
    os.utime(copy / "d" / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    (copy / "d" / "b").chmod(0o600)
    (copy / "d" / "c").unlink()
    assert xsync.run("verify", source, copy, "--read-source").lines[-1]["doubted"] == 3
    # A listing alone would take the rotten file for its copy: what was found by reading counts more.
    assert xsync.run("run", source, copy, "--delta", "destination").code == 0
    assert acted(xsync) == {
        "a": ("transferred", None),
        "b": ("transferred", "metadata"),
        "c": ("transferred", None),
    }
    assert tree_of(copy) == tree_of(source)
    assert xsync.run("verify", source, copy, "--read-source").code == 0


def _rot(source: Path, copy: Path) -> None:
    """Another content of the same size and times, as only reading shows it."""
    copy.write_bytes(b"Z" * source.stat().st_size)
    os.utime(copy, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns))


def test_what_was_copied_by_others_and_found_to_differ_is_not_adopted(
    xsync: Xsync, source: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(source, copy, symlinks=True)
    _rot(source / "d" / "a", copy / "d" / "a")
    assert xsync.run("verify", source, copy, "--read-source").lines[-1]["doubted"] == 1
    plan = xsync.run("run", source, copy, "--dry-run").lines[-1]
    assert plan["actions"]["overwrite"]["files"] == 1
    assert xsync.run("run", source, copy).code == 0
    assert {name for name, (action, _) in acted(xsync).items() if action == "transferred"} == {"a"}
    assert (copy / "d" / "a").read_bytes() == (source / "d" / "a").read_bytes()
    assert xsync.run("verify", source, copy, "--read-source").code == 0
    xsync.settle()
    assert xsync.run("run", source, copy, "--delta", "destination").result["files"]["transferred"] == 0


def test_it_is_remembered_beside_other_facts_and_travels_with_them(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert xsync.run("run", source, copy).code == 0
    for name in ("x", "y"):
        (source / name).write_bytes(name.encode() * 100)
        shutil.copy2(source / name, copy / name)
    _rot(source / "x", copy / "x")
    assert xsync.run("verify", source, copy, "--read-source").lines[-1]["doubted"] == 1
    assert xsync.run("state", "export", tmp_path / "out").code == 0
    elsewhere = Indoors(tmp_path / "elsewhere")
    imported = elsewhere.run("state", "import", tmp_path / "out")
    assert imported.code == 0, imported.lines
    elsewhere.settle()
    done = elsewhere.run("run", source, copy, "--delta", "destination")
    assert (done.code, done.result["files"]["transferred"]) == (0, 1)
    assert (copy / "x").read_bytes() == (source / "x").read_bytes()


def test_a_verification_during_an_interruption_is_remembered_after_the_resume(
    xsync: Xsync, source: Path, place: list[str], s3: S3Server, bucket: str, boto: S3Client
) -> None:
    slow = ("--limit", "20Mbps")
    process = xsync.start("run", source, *place, *slow)
    xsync.wait_for(lambda now: now.totals.files.transferred >= 3)
    process.send_signal(15)
    assert xsync.finish(process).code == 5
    copied = [row["Key"] for row in boto.list_objects_v2(Bucket=bucket, Prefix="data/d/")["Contents"]]
    lost = next(key for key in copied if not key.endswith(("/", "link")))
    boto.delete_object(Bucket=bucket, Key=lost)
    assert xsync.run("verify", source, *place).code == 3
    resumed = xsync.run("resume", xsync.executions()[-1])
    files = resumed.result["files"]
    assert (resumed.code, files["discovered"], files["transferred"], files["pending"]) == (0, 8, 8, 0)
    assert xsync.run("run", source, *place).code == 0
    assert differing(source, s3, bucket) == set()
