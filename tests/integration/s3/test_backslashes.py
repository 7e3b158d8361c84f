"""Backslashes in names, at a server that makes slashes of them, and at one that keeps them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from engine.names import BACKSLASH, BACKSLASH_DETAIL
from tests.conftest import SpecMaker
from tests.integration.s3.opening import Stub, opened
from tests.integration.s3_stub import Answer, Request
from tests.support import Xsync
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGE = 33 << 20


@pytest.mark.parametrize("mode", ["ALWAYS", "NEWER"])
def test_what_would_land_elsewhere_fails_and_overwrites_nothing(
    tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client, mode: str
) -> None:
    xsync = Xsync(tmp_path / "home")
    source = tmp_path / "source"
    (source / "folder\\x").mkdir(parents=True)
    (source / "folder\\x" / "c").write_bytes(b"c")
    (source / "a\\b").write_bytes(b"small")
    (source / "plain").write_bytes(b"plain")
    (source / "large\\file").touch()
    os.truncate(source / "large\\file", LARGE)
    boto.put_object(Bucket=bucket, Key="data/a/b", Body=b"theirs")
    profile = tmp_path / "p.toml"
    profile.write_text(
        f'schema = 1\nname = "p"\n[source]\nurl = "{source}"\n[destination]\nurl = "s3://{bucket}/data"\n'
        f'endpoint_url = "{s3.endpoint_url}"\nregion = "{s3.region}"\n[options]\noverwrite_mode = "{mode}"\n'
    )
    done = xsync.run("run", profile)
    assert (done.code, done.result["files"]["transferred"], done.result["files"]["failed"]) == (3, 1, 3)
    snapshot = xsync.snapshot()
    assert snapshot is not None
    assert set(snapshot.failure_counts) == {BACKSLASH}
    rows = pq.read_table(xsync.folder() / "files.parquet").to_pylist()
    assert {row["detail"] for row in rows if row["action"] == "failed"} == {BACKSLASH_DETAIL}
    stored = boto.list_objects_v2(Bucket=bucket)["Contents"]
    assert {item["Key"] for item in stored if ".xsync-" not in item["Key"]} - {"data/"} == {"data/a/b", "data/plain"}
    assert boto.get_object(Bucket=bucket, Key="data/a/b")["Body"].read() == b"theirs"


def test_the_server_of_the_tests_is_found_out_and_nothing_stays(
    s3_spec: SpecMaker, bucket: str, boto: S3Client
) -> None:
    with opened(s3_spec(bucket)) as location:
        assert location.try_out().keeps_backslashes is False
    found = boto.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert (found.get("Contents", []), found.get("CommonPrefixes", [])) == ([], [])


def test_a_server_that_keeps_them_is_told_apart(stub: Stub) -> None:
    kept: list[str] = []

    def respond(request: Request) -> Answer:
        if "list-type=2" in request.path:
            key = kept[0].replace("%5C", "\\")
            return Answer(200, f"<ListBucketResult><Contents><Key>{key}</Key></Contents></ListBucketResult>".encode())
        kept.append(request.path.removeprefix("/b/").partition("?")[0])
        return Answer(200)

    with stub(respond) as location:
        assert location.probe_backslashes() is True
    assert kept[0].endswith("%5C") and kept[0] == kept[1]
