"""Objects as a source: what they stand for becomes files again, and other objects keep all that they had."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.locations.extras import side_path
from tests.conftest import SpecMaker
from tests.indoors import Indoors
from tests.integration.destination.acts import acted
from tests.integration.s3_stub import Answer, Request, error, serving
from tests.support import Xsync, make_source, tree_of
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Indoors(tmp_path / "home")


def reach(server: S3Server) -> list[str]:
    return ["--endpoint-url", server.endpoint_url, "--region", server.region]


def profile(path: Path, source: str, destination: str, server: S3Server, *, options: str = "") -> Path:
    """Between buckets that are reached under two names, so that the server cannot copy by itself."""
    other = server.endpoint_url.replace("127.0.0.1", "localhost")
    path.write_text(
        f'schema = 1\nname = "between"\n[source]\nurl = "{source}"\nendpoint_url = "{other}"\nregion = "us-east-1"\n'
        f'[destination]\nurl = "{destination}"\nendpoint_url = "{server.endpoint_url}"\nregion = "us-east-1"\n{options}'
    )
    return path


def without_folders(tree: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """The test server keeps no metadata of folders."""
    return {path: found for path, found in tree.items() if not stat.S_ISDIR(int(str(found[0])))}


def test_there_and_back_again(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=200, large=(49 << 20, 33 << 20))
    (source / "link").symlink_to("top0/somewhere")
    os.symlink(b"to \xff", os.fsencode(source) + b"/caf\xe9")
    (source / "empty").mkdir()
    (source / "top1" / "sub1" / "file-000001.dat").chmod(0o4750)
    os.utime(source / "link", ns=(5, 1_234_567_890_123_456_789), follow_symlinks=False)
    assert xsync.run("run", source, f"s3://{bucket}/data", *reach(s3), "--agents", "2").code == 0
    target = tmp_path / "target"
    done = xsync.run("run", f"s3://{bucket}/data", target, *reach(s3), "--agents", "2")
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert done.result["files"]["transferred"] == done.result["files"]["verified"] == 204
    assert without_folders(tree_of(target)) == without_folders(tree_of(source))
    assert tree_of(target).keys() == tree_of(source).keys()
    assert (target / "link").lstat().st_mtime_ns == 1_234_567_890_123_456_789
    again = xsync.run("run", f"s3://{bucket}/data", target, *reach(s3))
    assert (again.code, again.result["files"]["transferred"], again.result["files"]["skipped"]) == (0, 0, 204)


def test_only_what_was_replaced_comes_again(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    for name in ("one", "two"):
        boto.put_object(Bucket=bucket, Key=name, Body=b"before")
    target = tmp_path / "target"
    assert xsync.run("run", f"s3://{bucket}", target, *reach(s3)).code == 0
    boto.put_object(Bucket=bucket, Key="two", Body=b"after!")
    again = xsync.run("run", f"s3://{bucket}", target, *reach(s3))
    assert (again.code, again.result["files"]["transferred"]) == (0, 1)
    assert (target / "two").read_bytes() == b"after!"


def test_every_form_of_metadata_and_its_absence(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    for name, metadata in {
        "milliseconds": {"file-mtime": "1734968895000", "file-permissions": "0640", "file-owner": "12"},
        "pair": {"file-mtime": "1602647222/222919600", "file-permissions": "0100600", "file-group": "34"},
        "none": {},
    }.items():
        boto.put_object(Bucket=bucket, Key=name, Body=b"x", Metadata=metadata)
    boto.put_object(Bucket=bucket, Key=".xsync-canary-1", Body=b"x")
    target = tmp_path / "target"
    done = xsync.run("run", f"s3://{bucket}", target, *reach(s3))
    assert done.code == 0, done.errors
    found = {path.name: path.stat() for path in target.iterdir()}
    assert found.keys() == {"milliseconds", "pair", "none"}
    assert {name: stat.S_IMODE(status.st_mode) for name, status in found.items()} == {
        "milliseconds": 0o640,
        "pair": 0o600,
        "none": 0o755,
    }
    assert found["milliseconds"].st_mtime_ns == 1_734_968_895_000_000_000
    assert found["pair"].st_mtime_ns == 1_602_647_222_222_919_600
    modified = boto.head_object(Bucket=bucket, Key="none")["LastModified"]
    assert found["none"].st_mtime_ns == int(modified.timestamp()) * 10**9
    if os.geteuid() == 0:
        assert [(found[name].st_uid, found[name].st_gid) for name in ("milliseconds", "pair", "none")] == [
            (12, 65534),
            (65534, 34),
            (65534, 65534),
        ]


def test_an_object_beside_a_folder_of_its_name_fails(xsync: Xsync, tmp_path: Path, s3_spec: SpecMaker) -> None:
    def respond(request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if "list-type=2" in request.path:
            item = "<LastModified>2025-01-02T03:04:05Z</LastModified><ETag>e</ETag><Size>3</Size>"
            keys = [] if "delimiter" in request.path else ["a", "a-", "a/b"]
            return Answer(200, _listing("".join(f"<Contents><Key>{key}</Key>{item}</Contents>" for key in keys)))
        if path.endswith("/"):
            return error(404, "NoSuchKey")
        return Answer(200, b"abc", {"etag": '"e"', "last-modified": "Thu, 02 Jan 2025 03:04:05 GMT"})

    target = tmp_path / "target"
    with serving(respond) as url:
        done = xsync.run("run", "s3://b", target, "--endpoint-url", url, "--region", "us-east-1")
    assert (done.result["files"]["transferred"], done.result["files"]["failed"]) == (2, 1), done.lines[-1:]
    assert {path.name for path in target.rglob("*")} == {"a", "a-", "b"}


def _listing(contents: str) -> bytes:
    return f"<ListBucketResult>{contents}</ListBucketResult>".encode()


def put_particulars(boto: S3Client, bucket: str) -> None:
    boto.put_object(
        Bucket=bucket,
        Key="a/text",
        Body=b"content",
        Metadata={"own": "value", "file-mtime": "7ns"},
        ContentType="text/x-particular",
        ContentLanguage="de",
        ContentDisposition="attachment",
        CacheControl="no-cache",
        Tagging="colour=red&size=large",
    )
    boto.put_object(Bucket=bucket, Key="a/packed", Body=b"zip", ContentEncoding="gzip")
    boto.put_object(Bucket=bucket, Key="caf\u201bE9", Body=b"escaped")


def particulars(boto: S3Client, bucket: str, prefix: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for item in boto.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        key = item["Key"]
        answer = boto.get_object(Bucket=bucket, Key=key)
        names = ("ContentType", "ContentEncoding", "ContentLanguage", "ContentDisposition", "CacheControl", "Metadata")
        told = dict(answer)
        headers = {name: told[name] for name in names if name in told}
        tags = {tag["Key"]: tag["Value"] for tag in boto.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}
        found[key.removeprefix(prefix)] = (answer["Body"].read(), headers, tags)
    return found


@pytest.mark.parametrize("way", ["by the server", "through the agent"])
def test_objects_keep_headers_metadata_and_tags(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_particulars(boto, bucket)
    other = bucket + "-copy"
    boto.create_bucket(Bucket=other)
    try:
        if way == "by the server":
            done = xsync.run("run", f"s3://{bucket}", f"s3://{other}", *reach(s3))
        else:
            done = xsync.run("run", profile(tmp_path / "p.toml", f"s3://{bucket}", f"s3://{other}", s3))
        assert done.code == 0, (done.errors, done.lines[-1:])
        assert done.result["files"]["transferred"] == done.result["files"]["verified"] == 3
        assert particulars(boto, other, "") == particulars(boto, bucket, "")
    finally:
        boto.delete_bucket(Bucket=other)


def test_adopted_objects_get_the_headers_metadata_and_tags_that_they_lack(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    put_particulars(boto, bucket)
    boto.delete_object(Bucket=bucket, Key="caf\u201bE9")
    boto.put_object(Bucket=bucket, Key="b/same", Body=b"same", Metadata={"own": "same"})
    side = side_path(b"b/same").decode()  # what does not fit into metadata: in a folder where nothing is copied
    boto.put_object(Bucket=bucket, Key=side, Body=b"aside")
    boto.put_object(Bucket=bucket, Key="b/bare", Body=b"bare", ContentType="text/bare")
    boto.put_object(Bucket=bucket, Key="b/link", Body=b"to", Metadata={"file-permissions": "0120777"})
    other = bucket + "-copy"
    boto.create_bucket(Bucket=other)
    try:
        boto.put_object(Bucket=other, Key="a/text", Body=b"content")  # without its tags
        boto.put_object(Bucket=other, Key="a/packed", Body=b"zip", Metadata={"stale": "1"})
        boto.put_object(Bucket=other, Key="b/same", Body=b"same", Metadata={"own": "same"})
        boto.put_object(Bucket=other, Key="b/bare", Body=b"bare", ContentType="text/other", CacheControl="no-cache")
        boto.put_object(Bucket=other, Key="b/link", Body=b"to", Metadata={"file-permissions": "0120777"})
        done = xsync.run("run", f"s3://{bucket}", f"s3://{other}", *reach(s3))
        assert done.code == 0, (done.errors, done.lines[-1:])
        assert acted(xsync) == {
            "text": ("transferred", None),
            "packed": ("transferred", "metadata"),
            "same": ("skipped", "adopted"),
            "bare": ("transferred", "metadata"),
            "link": ("skipped", "adopted"),
        }
        assert boto.get_object(Bucket=other, Key=side)["Body"].read() == b"aside"
        for each in (bucket, other):
            boto.delete_object(Bucket=each, Key=side)
        assert particulars(boto, other, "") == particulars(boto, bucket, "")
        again = xsync.run("run", f"s3://{bucket}", f"s3://{other}", *reach(s3))
        assert (again.code, again.result["files"]["transferred"]) == (0, 0)
    finally:
        boto.delete_bucket(Bucket=other)


@pytest.mark.parametrize(("way", "size"), [("by the server", 130 << 20), ("through the agent", 49 << 20)])
def test_a_large_object_is_copied_in_parts(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client, way: str, size: int
) -> None:
    source = make_source(tmp_path / "source", files=0, large=(size,))
    with open(source / "large-0.bin", "rb") as file:
        boto.upload_fileobj(file, bucket, "in/large", ExtraArgs={"ContentType": "x/large", "Metadata": {"own": "1"}})
    urls = f"s3://{bucket}/in", f"s3://{bucket}/out"
    arguments = [*urls, *reach(s3)] if way == "by the server" else [profile(tmp_path / "p.toml", *urls, s3)]
    done = xsync.run("run", *arguments)
    assert done.code == 0, (done.errors, done.lines[-1:])
    answer = boto.get_object(Bucket=bucket, Key="out/large")
    assert (answer["ContentType"], answer["Metadata"]) == ("x/large", {"own": "1"})
    assert answer["Body"].read() == (source / "large-0.bin").read_bytes()
    assert boto.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_archived_and_damaged_objects_fail_and_say_so(
    xsync: Xsync, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_spec: SpecMaker
) -> None:
    def entry(name: str) -> str:
        item = "<LastModified>2025-01-02T03:04:05Z</LastModified><ETag>&quot;e&quot;</ETag><Size>3</Size>"
        return f"<Contents><Key>{name}</Key>{item}</Contents>"

    def respond(request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if "list-type=2" in request.path:
            listing = "" if "delimiter" in request.path else entry("archived") + entry("gone") + entry("sound")
            return Answer(200, _listing(listing))
        if path.endswith("archived"):
            return error(403, "InvalidObjectState")
        if path.endswith("gone"):
            return error(404, "NoSuchKey")
        if path.endswith("sound"):
            headers = {"etag": '"e"', "last-modified": "Thu, 02 Jan 2025 03:04:05 GMT"}
            return Answer(200, b"abc", headers)
        return error(404, "NoSuchKey")

    target = tmp_path / "target"
    with serving(respond) as url:
        done = xsync.run("run", "s3://b", target, "--endpoint-url", url, "--region", "us-east-1")
    files = done.result["files"]
    assert (files["transferred"], files["skipped"], files["failed"]) == (1, 1, 1), done.lines[-1:]
    snapshot = xsync.snapshot()
    assert snapshot is not None and snapshot.failure_counts == {"archived": 1}
    assert [path.name for path in target.iterdir()] == ["sound"]
