"""The main job as a user runs it: a folder into a bucket, a folder into a folder, again, and in parallel."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from engine.execution.coordination.largefiles import RANGE_BYTES
from tests.support import SIZES, SLOW, Xsync, ended, make_source, tree_of
from xsync_tui.demo.server import S3Server
from xsync_tui.demo.verify import verify

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


def to_bucket(server: S3Server, bucket: str) -> list[str]:
    return [f"s3://{bucket}/data", "--endpoint-url", server.endpoint_url, "--region", server.region]


def test_a_folder_arrives_in_a_bucket(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=400, large=(49 << 20, 33 << 20))
    (source / "link").symlink_to("top0/somewhere")
    (source / "empty folder").mkdir()
    done = xsync.run("run", source, *to_bucket(s3, bucket), "--agents", "2")
    assert done.code == 0, done.errors
    result = done.result
    assert result["status"] == "SUCCESS"
    assert result["files"] == {
        "discovered": 403,
        "transferred": 403,
        "skipped": 0,
        "failed": 0,
        "excluded": 0,
        "deleted": 0,
        "verified": 403,
        "pending": 0,
    }
    assert verify(source, s3, bucket, "data").differences == ()
    audit = pq.read_table(xsync.folder() / "files.parquet")
    assert audit.num_rows >= 403


def test_no_upload_and_no_segment_is_left_behind(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    source = make_source(tmp_path / "source", files=20, large=(33 << 20,))
    assert xsync.run("run", source, *to_bucket(s3, bucket)).code == 0
    assert boto.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    left = {path.name for path in xsync.folder().iterdir()}
    assert not {name for name in left if name.startswith(("entries", "results", "spill"))}
    assert {"report.json", "files.parquet", "journal.sqlite"} <= left


def test_a_second_run_sends_only_what_changed(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=300)
    assert xsync.run("run", source, *to_bucket(s3, bucket)).code == 0
    changed = source / "top1" / "sub1" / "file-000001.dat"
    changed.write_bytes(b"other content")
    (source / "new.txt").write_bytes(b"new")
    again = xsync.run("run", source, *to_bucket(s3, bucket))
    assert again.code == 0
    assert again.result["files"]["transferred"] == 2
    assert again.result["files"]["skipped"] == 299
    assert verify(source, s3, bucket, "data").differences == ()


def test_a_folder_arrives_in_a_folder(xsync: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=600, large=(49 << 20,))
    (source / "link").symlink_to("top0/somewhere")
    (source / "empty").mkdir(mode=0o750)
    (source / "top1" / "sub1" / "file-000001.dat").chmod(0o640)
    (source / "readonly").mkdir()
    (source / "readonly" / "file").write_bytes(b"x")
    (source / "readonly").chmod(0o555)
    os.utime(source / "top0", ns=(1_700_000_000_000_000_001, 1_700_000_000_000_000_001))
    target = tmp_path / "target"
    done = xsync.run("run", source, target, "--agents", "2")
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert tree_of(target) == tree_of(source)
    assert done.result["files"]["verified"] >= 601


def test_run_and_report_say_the_same_seconds(xsync: Xsync, tmp_path: Path) -> None:
    done = xsync.run("run", make_source(tmp_path / "source", files=20), tmp_path / "target")
    report, snapshot = json.loads((xsync.folder() / "report.json").read_bytes()), xsync.snapshot()
    assert snapshot is not None
    assert snapshot.seconds == report["seconds"] == done.result["seconds"]


def test_a_destination_folder_made_anew_is_filled_again(xsync: Xsync, tmp_path: Path) -> None:
    source, target = make_source(tmp_path / "source", files=30), tmp_path / "target"
    assert xsync.run("run", source, target).code == 0
    target.rename(tmp_path / "moved away")
    assert xsync.run("run", source, target).result["files"]["transferred"] == 30
    assert tree_of(target) == tree_of(source)


def test_filters_choose_and_are_counted(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=100)
    (source / "top0" / "scratch.tmp").write_bytes(b"x")
    chosen = ["--include", "/top0", "--include", "/top1", "--exclude", "*.tmp"]
    done = xsync.run("run", source, *to_bucket(s3, bucket), *chosen)
    assert done.code == 0, done.errors
    files = done.result["files"]
    assert files["transferred"] == 40
    assert files["excluded"] == 1
    assert files["discovered"] == files["transferred"] + files["excluded"]


def test_idle_agents_help_where_one_task_has_everything(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=800, sizes=SIZES, folders=1)
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "3", *SLOW)) as run:
        xsync.wait_for_agents(3)
        xsync.lift_limit()
        done = xsync.finish(run)
    assert done.code == 0, done.errors
    audit = pq.read_table(xsync.folder() / "files.parquet", columns=["agent", "kind"]).to_pylist()
    assert len({row["agent"] for row in audit if row["kind"] == "file"}) == 3


def test_parts_of_one_large_file_are_sent_by_several_agents(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    """Three times what an agent is given at once, and two times that is the most that one holds."""
    source = make_source(tmp_path / "source", files=0, large=(3 * RANGE_BYTES,))
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "2", *SLOW)) as run:
        xsync.wait_for_agents(2)
        xsync.lift_limit()
        done = xsync.finish(run)
    assert done.code == 0, done.errors
    assert verify(source, s3, bucket, "data").differences == ()
