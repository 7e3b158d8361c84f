"""What a verification finds: content, metadata, markers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.proxy import Fault, FaultProxy, Request, fault_proxy
from tests.indoors import Indoors
from tests.integration.destination.acts import LARGE, acted, spoil
from tests.support import Xsync
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_verify_says_what_differs_and_how(
    xsync: Xsync, source: Path, place: list[str], tmp_path: Path, bucket: str, boto: S3Client
) -> None:
    assert xsync.run("run", source, *place).code == 0
    same = xsync.run("verify", source, *place)
    assert (same.code, same.lines[-1]["verified"], same.lines[-1]["requests"]) == (0, {"etag": 8}, {})
    deep = xsync.run("verify", source, *place, "--read-source")
    assert (deep.code, deep.lines[-1]["verified"]) == (0, {"stored-checksum": 7, "etag": 1})
    assert deep.lines[-1]["read_bytes"] == LARGE + 600
    spoil(boto, bucket)
    out = tmp_path / "differences.jsonl"
    done = xsync.run("verify", source, *place, "--output", out)
    assert (done.code, done.lines[-1]["differences"]) == (3, {"missing": 2, "content": 1, "foreign": 1})
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {(row["path"], row["difference"]) for row in rows} == {
        ("d/a", "missing"),
        ("d/b", "content"),
        ("large", "missing"),
        ("d/foreign", "foreign"),
    }


@pytest.fixture
def exact(s3: S3Server) -> Iterator[FaultProxy]:
    """A server that has folders by their markers alone: it says of those whose path is in ``gone`` that there are none.

    The one behind it makes folders of keys, and says of each that it has a marker.
    """
    with fault_proxy(s3.endpoint_url) as running:
        yield running


def lose_marker(server: FaultProxy, boto: S3Client, bucket: str, key: str) -> None:
    """Delete a folder's marker; it is there again once it was put."""
    boto.delete_object(Bucket=bucket, Key=key)
    gone = {f"/{bucket}/{key}"}

    def decide(request: Request) -> Fault:
        if request.method == "PUT":
            gone.discard(request.path)
        return "missing" if request.method == "HEAD" and request.path in gone else "pass"

    server.decide = decide


@pytest.mark.parametrize("verified", [True, False])
def test_a_lost_folder_marker_is_missing_and_put_again(
    xsync: Xsync, source: Path, exact: FaultProxy, s3: S3Server, bucket: str, boto: S3Client, verified: bool
) -> None:
    place = [f"s3://{bucket}/data", "--endpoint-url", exact.url, "--region", s3.region]
    assert xsync.run("run", source, *place).code == 0
    xsync.settle()
    lose_marker(exact, boto, bucket, "data/d/")
    if verified:
        found = xsync.run("verify", source, *place).lines[-1]
        assert (found["differences"], found["doubted"], found["requests"]) == ({"missing": 1}, 1, {"HEAD": 1})
    done = xsync.run("run", source, *place, *([] if verified else ["--delta", "destination"]))
    assert (done.code, done.result["folders"]["transferred"], done.result["files"]["transferred"]) == (0, 1, 0)
    assert xsync.run("verify", source, *place).code == 0
    keys = [row["Key"] for row in boto.list_objects_v2(Bucket=bucket)["Contents"]]
    assert "data/d/" in keys


def test_folders_that_a_server_makes_of_keys_lack_nothing_without_markers(
    xsync: Xsync, source: Path, place: list[str], bucket: str, boto: S3Client
) -> None:
    (source / "empty").mkdir()
    assert xsync.run("run", source, *place).code == 0
    xsync.settle()
    boto.delete_object(Bucket=bucket, Key="data/d/")  # what it had lies in an object beside
    assert xsync.run("verify", source, *place).code == 0
    done = xsync.run("run", source, *place, "--delta", "destination")
    assert (done.code, done.result["folders"]["transferred"]) == (0, 0)
    boto.delete_object(Bucket=bucket, Key="data/empty/")  # nothing tells of it any more
    assert xsync.run("verify", source, *place).lines[-1]["differences"] == {"missing": 1}
    assert xsync.run("run", source, *place).result["folders"]["transferred"] == 1
    assert xsync.run("verify", source, *place).code == 0


def test_changed_metadata_is_found_by_asking_and_said_not_to_be_without(
    xsync: Xsync, source: Path, place: list[str], bucket: str, boto: S3Client
) -> None:
    assert xsync.run("run", source, *place).code == 0
    xsync.settle()
    told = boto.head_object(Bucket=bucket, Key="data/d/a")["Metadata"]
    boto.copy_object(
        Bucket=bucket,
        Key="data/d/a",
        CopySource={"Bucket": bucket, "Key": "data/d/a"},
        MetadataDirective="REPLACE",
        Metadata=told | {"file-permissions": "0100600"},
    )
    shallow = xsync.run("verify", source, *place)
    assert (shallow.code, shallow.lines[-1]["metadata_unseen"]) == (0, 9)  # 8 files and links, 1 folder
    deep = xsync.run("verify", source, *place, "--read-source").lines[-1]
    assert (deep["differences"], deep["metadata_unseen"], deep["doubted"]) == ({"metadata": 1}, 0, 1)
    assert xsync.run("run", source, *place).code == 0
    assert acted(xsync) == {"a": ("transferred", "metadata")}
    assert boto.head_object(Bucket=bucket, Key="data/d/a")["Metadata"] == told


def test_verify_without_a_state_asks_for_each_object(
    xsync: Xsync, source: Path, place: list[str], tmp_path: Path
) -> None:
    assert Indoors(tmp_path / "other home").run("run", source, *place).code == 0
    (source / "d" / "a").chmod(0o600)
    done = xsync.run("verify", source, *place)
    assert (done.code, done.lines[-1]["requests"], done.lines[-1]["verified"]) == (3, {"HEAD": 8}, {"size-only": 7})
    assert done.lines[-1]["differences"] == {"metadata": 1}


def test_verify_reads_files_back(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert xsync.run("run", source, copy).code == 0
    status = (copy / "d" / "a").stat()
    (copy / "d" / "a").write_bytes(b"Z" * 100)
    os.utime(copy / "d" / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert xsync.run("verify", source, copy).code == 0  # size and time agree
    done = xsync.run("verify", source, copy, "--read-source")
    assert (done.code, done.lines[-1]["differences"]) == (3, {"content": 1})
    (copy / "d" / "b").chmod(0o600)
    assert xsync.run("verify", source, copy).lines[-1]["differences"] == {"metadata": 1}
