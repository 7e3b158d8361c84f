"""What a dry run says, and that it changes nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.destination.acts import LARGE, spoil
from tests.support import Xsync

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(
    xsync: Xsync, source: Path, place: list[str], tmp_path: Path, bucket: str, boto: S3Client
) -> None:
    plan = xsync.run("run", source, *place, "--dry-run").lines[-1]
    assert plan["actions"] == {"transfer": {"files": 8, "folders": 1, "bytes": LARGE + 601}}
    assert plan["requests"] == {"PUT": 8 + 3, "POST": 2}
    assert plan["dollars"] == pytest.approx(13 * 0.005 / 1_000)
    assert boto.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert xsync.executions() == []
    assert xsync.run("run", source, *place).code == 0
    xsync.settle()
    (source / "d" / "a").write_bytes(b"edited")
    (source / "d" / "b").chmod(0o600)
    (source / "d" / "c").unlink()
    spoil(boto, bucket)
    before = {path: path.read_bytes() for path in xsync.home.rglob("state/**/*") if path.is_file()}
    out = tmp_path / "plan.jsonl"
    done = xsync.run("run", source, *place, "--dry-run", "--delta", "destination", "--output", out)
    rows = {row["path"]: (row["action"], row["reason"]) for row in map(json.loads, out.read_text().splitlines())}
    assert rows["d/a"] == ("overwrite", "changed") or rows["d/a"] == ("transfer", "changed")
    assert rows["d/b"][0] == "look"
    assert rows["large"] == ("transfer", "missing at the destination")
    assert rows["d/e"] == ("skip", "unchanged")
    assert done.code == 0
    assert before == {path: path.read_bytes() for path in xsync.home.rglob("state/**/*") if path.is_file()}


def test_a_dry_run_into_a_folder_that_is_not_there_does_not_make_it(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    done = xsync.run("run", source, tmp_path / "copy", "--dry-run", "--exclude", "/large")
    assert (done.code, done.lines[-1]["actions"]["skip"]["files"]) == (0, 1)
    assert not (tmp_path / "copy").exists()


def test_a_dry_run_keeps_what_the_overwrite_mode_keeps(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert xsync.run("run", source, copy).code == 0
    (source / "d" / "a").write_bytes(b"edited")
    os.utime(source / "d" / "a", ns=(1, 1_600_000_000_000_000_000))
    for mode, reason in (("ALWAYS", "overwrite: changed"), ("NEVER", "skip: exists"), ("NEWER", "skip: newer at")):
        plan = xsync.run("run", source, copy, "--dry-run", "--overwrite-mode", mode).lines[-1]
        assert [why for why in plan["reasons"] if why.startswith(reason)], (mode, plan["reasons"])


def test_a_dry_run_lists_what_would_be_deleted(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    profile = tmp_path / "p.toml"
    profile.write_text(
        f'schema = 1\nname = "p"\n[source]\nurl = "{source}"\n[destination]\nurl = "{copy}"\n'
        '[options]\npreserve_deleted_files = "REMOVE"\n'
    )
    assert xsync.run("run", profile).code == 0
    (source / "d" / "a").unlink()
    (copy / "foreign").touch()
    plan = xsync.run("run", profile, "--dry-run").lines[-1]
    assert plan["reasons"]["delete: not at the source"] == {"files": 1, "folders": 0, "bytes": 100}
    assert plan["reasons"]["skip: not put there by xsync"]["files"] == 1
    assert (copy / "d" / "a").exists()
