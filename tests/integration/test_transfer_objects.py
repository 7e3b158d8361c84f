"""Small files, links and folders to a real S3 server."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.model import Action, TransferOptions
from engine.names import key_of
from engine.transfer.crt import crc64nvme
from tests.conftest import SpecMaker
from tests.faults.agents import SECONDS, actions_of, config_of, copy_unit, engine_of, results_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DONE = (Action.TRANSFERRED, None)


def test_files_links_and_folders_arrive_with_content_and_metadata(
    tmp_path: Path, boto: S3Client, bucket: str, s3_spec: SpecMaker
) -> None:
    (tmp_path / "empty folder").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "small").write_bytes(b"hello")
    (tmp_path / "a" / "empty").write_bytes(b"")
    (tmp_path / "large").write_bytes(os.urandom(3 << 20))
    (tmp_path / "lïnk+ &?%41~").symlink_to("a/small")
    (tmp_path / "a" / "small").chmod(0o640)
    os.utime(tmp_path / "a" / "small", ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321))

    with engine_of(config_of(tmp_path, s3_spec(bucket, "some/where"))) as engine:
        outcome = engine.submit(copy_unit(tmp_path)).result(SECONDS)
        progress = engine.progress()

    results = results_of(outcome)
    assert {row["action"] for row in results.values()} == {Action.TRANSFERRED}
    assert outcome.fatal == ""
    assert progress.files == 6
    assert progress.bytes == 5 + (3 << 20) + len("a/small")
    found = boto.get_object(Bucket=bucket, Key="some/where/a/small", ChecksumMode="ENABLED")
    assert found["Body"].read() == b"hello"
    assert found["Metadata"]["file-mtime"] == "1500000000987654321ns"
    assert found["Metadata"]["file-permissions"] == "0100640"
    assert found["Metadata"]["file-owner"] == str(os.getuid())
    assert int.from_bytes(base64.b64decode(found["ChecksumCRC64NVME"]), "big") == crc64nvme(b"hello")
    assert results[b"a/small"]["checksum"] == crc64nvme(b"hello")
    assert results[b"a/small"]["etag"] == found["ETag"].strip('"')
    assert results[b"a/small"]["verified"] == "server-checked"
    assert results[b"a/small"]["mtime_ns"] == 1_500_000_000_987_654_321
    large = boto.get_object(Bucket=bucket, Key="some/where/large")["Body"].read()
    assert large == (tmp_path / "large").read_bytes()
    link = boto.get_object(Bucket=bucket, Key="some/where/" + "lïnk+ &?%41~")
    assert link["Body"].read() == b"a/small"
    assert link["Metadata"]["file-permissions"].startswith("0120")
    assert boto.head_object(Bucket=bucket, Key="some/where/empty folder/")["ContentLength"] == 0
    assert boto.head_object(Bucket=bucket, Key="some/where/a/empty")["ContentLength"] == 0


def test_names_that_are_not_utf8_are_escaped_or_fail(
    tmp_path: Path, boto: S3Client, bucket: str, s3_spec: SpecMaker
) -> None:
    name = b"bad-\xff\xfe"
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))).write_bytes(b"x")
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        assert actions_of(engine.submit(copy_unit(tmp_path)).result(SECONDS))[name] == DONE
    found = boto.head_object(Bucket=bucket, Key=key_of(name))
    assert base64.b64decode(found["Metadata"]["xsync-original-path"]) == name
    options = TransferOptions(invalid_names="fail")
    with engine_of(config_of(tmp_path, s3_spec(bucket, "fail"), options=options)) as engine:
        outcome = engine.submit(copy_unit(tmp_path)).result(SECONDS)
    assert actions_of(outcome)[name] == (Action.FAILED, "name not UTF-8")


def test_too_long_keys_fail_before_anything_is_sent(
    tmp_path: Path, boto: S3Client, bucket: str, s3_spec: SpecMaker
) -> None:
    folder = tmp_path
    for _ in range(4):
        folder = folder / ("d" * 250)
        folder.mkdir()
    (folder / ("f" * 30)).write_bytes(b"x")
    (folder / "ok").write_bytes(b"x")
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        actions = actions_of(engine.submit(copy_unit(tmp_path)).result(SECONDS))
    long = os.fsencode((folder / ("f" * 30)).relative_to(tmp_path))
    assert len(long) == 1034
    assert actions[long] == (Action.FAILED, "key too long")
    assert actions[os.fsencode((folder / "ok").relative_to(tmp_path))] == DONE
    keys = [found["Key"] for found in boto.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys and max(map(len, keys)) <= 1024


def test_what_vanished_is_skipped_and_what_cannot_be_read_fails(
    tmp_path: Path, bucket: str, s3_spec: SpecMaker
) -> None:
    for name in ("gone", "now a folder", "now a link", "now a fifo", "stays"):
        (tmp_path / name).write_bytes(b"x")
    unit = copy_unit(tmp_path)
    for name in ("gone", "now a folder", "now a link", "now a fifo"):
        (tmp_path / name).unlink()
    (tmp_path / "now a folder").mkdir()
    (tmp_path / "now a link").symlink_to("stays")
    os.mkfifo(tmp_path / "now a fifo")
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        actions = actions_of(engine.submit(unit).result(SECONDS))
    assert actions == {
        b"gone": (Action.SKIPPED, "vanished"),
        b"now a folder": (Action.FAILED, "changed while read"),
        b"now a link": (Action.FAILED, "changed while read"),
        b"now a fifo": (Action.FAILED, "changed while read"),
        b"stays": DONE,
    }


def test_never_overwrites_when_told_so(tmp_path: Path, boto: S3Client, bucket: str, s3_spec: SpecMaker) -> None:
    (tmp_path / "old").write_bytes(b"new content")
    (tmp_path / "new").write_bytes(b"x")
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    boto.put_object(Bucket=bucket, Key="old", Body=b"old content")
    boto.put_object(Bucket=bucket, Key="large", Body=b"old content")
    options = TransferOptions(overwrite_mode="NEVER")
    with engine_of(config_of(tmp_path, s3_spec(bucket), options=options)) as engine:
        actions = actions_of(engine.submit(copy_unit(tmp_path)).result(SECONDS))
    assert actions == {b"old": (Action.SKIPPED, "exists"), b"large": (Action.SKIPPED, "exists"), b"new": DONE}
    assert boto.get_object(Bucket=bucket, Key="old")["Body"].read() == b"old content"


def test_storage_class_is_asked_for(tmp_path: Path, boto: S3Client, bucket: str, s3_spec: SpecMaker) -> None:
    import msgspec

    (tmp_path / "f").write_bytes(b"x")
    spec = msgspec.structs.replace(s3_spec(bucket), storage_class="STANDARD_IA")
    with engine_of(config_of(tmp_path, spec)) as engine:
        assert actions_of(engine.submit(copy_unit(tmp_path)).result(SECONDS)) == {b"f": DONE}
    assert boto.head_object(Bucket=bucket, Key="f").get("StorageClass") == "STANDARD_IA"


@pytest.mark.parametrize("size", [5, 2 << 20])
def test_a_storage_class_that_the_server_has_not_is_fatal_and_named(
    tmp_path: Path, bucket: str, s3_spec: SpecMaker, size: int
) -> None:
    import msgspec

    for number in range(20):
        (tmp_path / f"f{number}").write_bytes(bytes(size))
    spec = msgspec.structs.replace(s3_spec(bucket), storage_class="STANDART")
    with engine_of(config_of(tmp_path, spec)) as engine:
        outcome = engine.submit(copy_unit(tmp_path)).result(SECONDS)
    assert 'storage_class = "STANDART" in [destination]' in outcome.fatal
    assert {action for action, _ in actions_of(outcome).values()} == {Action.RELEASED}


@pytest.mark.parametrize("size", [5, 2 << 20])
def test_missing_bucket_is_fatal_and_releases_the_rows(tmp_path: Path, s3_spec: SpecMaker, size: int) -> None:
    for number in range(20):
        (tmp_path / f"f{number}").write_bytes(bytes(size))
    with engine_of(config_of(tmp_path, s3_spec("no-such-bucket-here"))) as engine:
        outcome = engine.submit(copy_unit(tmp_path)).result(SECONDS)
    assert "NoSuchBucket" in outcome.fatal
    assert {action for action, _ in actions_of(outcome).values()} == {Action.RELEASED}


def test_wrong_secret_key_is_fatal(
    tmp_path: Path, bucket: str, s3_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with engine_of(config_of(tmp_path, s3_spec(bucket))) as engine:
        outcome = engine.submit(copy_unit(tmp_path)).result(SECONDS)
    assert "SignatureDoesNotMatch" in outcome.fatal
    assert actions_of(outcome) == {b"f": (Action.RELEASED, None)}
