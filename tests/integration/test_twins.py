"""Names that become one key: whoever comes first has it, run after run, and the other goes on failing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.indoors import Indoors
from tests.support import Finished, Xsync
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OWNER, TWIN = "d\u201bFF".encode(), b"d\xff"


def at(folder: Path, name: bytes) -> Path:
    return folder / os.fsdecode(name)


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Indoors(tmp_path / "home")


@pytest.fixture
def command(tmp_path: Path, s3: S3Server, bucket: str) -> list[str]:
    to = [f"s3://{bucket}", "--endpoint-url", s3.endpoint_url, "--region", s3.region]
    return ["run", str(tmp_path / "source"), *to, "--agents", "1"]


def content(boto: S3Client, bucket: str) -> dict[str, bytes]:
    keys = [found["Key"] for found in boto.list_objects_v2(Bucket=bucket).get("Contents", [])]
    kept = [key for key in keys if not key.rpartition("/")[2].startswith(".xsync-") and not key.endswith("/")]
    return {key: boto.get_object(Bucket=bucket, Key=key)["Body"].read() for key in kept}


def fails(done: Finished) -> None:
    assert (done.code, done.result["failures"]) == (3, {"collides with another name": 1})
    files = done.result["files"]
    words = ("transferred", "skipped", "failed", "excluded", "pending")
    assert files["discovered"] == sum(files[word] for word in words)


def test_a_twin_never_takes_the_key_of_a_name_that_is_known(
    xsync: Xsync, command: list[str], tmp_path: Path, bucket: str, boto: S3Client
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in (OWNER, TWIN):
        at(source, name).write_bytes(name)
    fails(xsync.run(*command))
    xsync.settle()
    for options in ([], ["--delta", "destination"], ["--delete", "--max-deletions", "9"]):
        fails(xsync.run(*command, *options))
        assert content(boto, bucket) == {OWNER.decode(): OWNER}
    fails(xsync.run("retry", xsync.executions()[-1]))
    assert content(boto, bucket) == {OWNER.decode(): OWNER}


def test_twins_keep_nothing_else_from_being_deleted(
    xsync: Xsync, command: list[str], tmp_path: Path, bucket: str, boto: S3Client
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in (OWNER, TWIN, b"goes", b"stays"):
        at(source, name).write_bytes(name)
    fails(xsync.run(*command))
    (source / "goes").unlink()
    done = xsync.run(*command, "--delete", "--max-deletions", "1")
    fails(done)
    assert done.result["files"]["deleted"] == 1
    assert content(boto, bucket) == {OWNER.decode(): OWNER, "stays": b"stays"}


def test_a_name_that_was_alone_is_named_once_it_has_a_twin(xsync: Xsync, command: list[str], tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    at(source, TWIN).write_bytes(TWIN)
    assert xsync.run(*command).code == 0
    xsync.settle()
    at(source, OWNER).write_bytes(OWNER)
    fails(xsync.run(*command))


def test_folders_of_one_key_are_never_mixed(
    xsync: Xsync, command: list[str], tmp_path: Path, bucket: str, boto: S3Client
) -> None:
    for folder in (OWNER, TWIN):
        at(tmp_path / "source", folder).mkdir(parents=True)
        (at(tmp_path / "source", folder) / "below").mkdir()
        (at(tmp_path / "source", folder) / "file").write_bytes(folder)
        (at(tmp_path / "source", folder) / "below" / "file").write_bytes(folder)
    for _ in range(2):
        fails(xsync.run(*command))
        assert content(boto, bucket) == {f"{OWNER.decode()}/{rest}": OWNER for rest in ("file", "below/file")}
        xsync.settle()
