"""Drift, adoption, and what may be overwritten."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.locations.base import Reads
from engine.model import LocationSpec, Migration, Status
from engine.transfer import looking
from tests.conftest import SpecMaker
from tests.in_process import run_in_process
from tests.indoors import Indoors
from tests.integration.destination.acts import NAMES, acted, differing, report, spoil
from tests.support import Xsync, tree_of
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_drift_is_found_and_mended_only_when_the_destination_is_listed(
    xsync: Xsync, source: Path, place: list[str], s3: S3Server, bucket: str, boto: S3Client
) -> None:
    assert xsync.run("run", source, *place).code == 0
    xsync.settle()
    (source / "d" / "c").unlink()
    spoil(boto, bucket)
    assert xsync.run("run", source, *place).result["files"]["transferred"] == 0
    done = xsync.run("run", source, *place, "--delta", "destination")
    assert (done.code, done.result["files"]["transferred"]) == (0, 3)
    assert set(acted(xsync)) == {"a", "b", "large"}
    assert report(xsync)["drift"] == {
        "missing": 2,
        "changed": 1,
        "gone": 1,
        "gone_bytes": 100,
        "foreign": 1,
        "foreign_bytes": 4,
    }
    assert boto.get_object(Bucket=bucket, Key="data/d/foreign")["Body"].read() == b"mine"
    assert differing(source, s3, bucket) == {"c", "foreign"}


def test_drift_of_files_is_found_by_size_and_time(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert xsync.run("run", source, copy).code == 0
    xsync.settle()
    (copy / "d" / "a").unlink()
    (copy / "d" / "b").write_bytes(b"b" * 100)  # the size stays
    (copy / "d" / "link").unlink()
    (copy / "d" / "link").symlink_to("elsewhere")
    (copy / "d" / "foreign").touch()
    done = xsync.run("run", source, copy, "--delta", "destination")
    assert (done.code, set(acted(xsync))) == (0, {"a", "b", "link"})
    found = tree_of(copy)
    del found["d/foreign"]
    assert found == tree_of(source)


def test_every_so_many_runs_list_the_destination_by_themselves(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text(
        f'schema = 1\nname = "p"\n[source]\nurl = "{source}"\n[destination]\nurl = "{tmp_path / "copy"}"\n'
        "[options]\ndrift_every = 3\n"
    )
    listed = []
    for _ in range(6):
        assert xsync.run("run", profile).code == 0
        listed.append(report(xsync)["drift"] is not None)
    assert listed == [False, False, True, False, False, True]


def test_what_a_bucket_holds_already_is_adopted_and_known_from_then_on(
    xsync: Xsync, source: Path, place: list[str], tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    assert Indoors(tmp_path / "other home").run("run", source, *place).code == 0
    spoil(boto, bucket)
    (source / "d" / "c").write_bytes(b"C" * 100)  # same size, another time
    first = xsync.run("run", source, *place)
    assert (first.code, first.result["files"]["transferred"]) == (0, 4)
    found = acted(xsync)
    assert {name for name, what in found.items() if what == ("skipped", "adopted")} == {"d", "e", "f", "link"}
    xsync.settle()
    again = xsync.run("run", source, *place)
    assert (again.result["files"]["transferred"], report(xsync)["drift"], acted(xsync)) == (0, None, {})
    assert differing(source, s3, bucket) == {"foreign"}


def test_what_is_adopted_by_its_time_gets_the_attributes_that_it_lacks(
    xsync: Xsync, source: Path, place: list[str], tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    assert Indoors(tmp_path / "other home").run("run", source, *place).code == 0
    (source / "d" / "a").chmod(0o600)
    (source / "large").chmod(0o640)
    assert xsync.run("run", source, *place).code == 0
    found = acted(xsync)
    assert (found["a"], found["large"], found["b"]) == (
        ("transferred", "metadata"),
        ("transferred", "metadata"),
        ("skipped", "adopted"),
    )
    assert differing(source, s3, bucket) == set()


def test_checksum_compares_what_was_adopted_by_its_time(
    xsync: Xsync, source: Path, place: list[str], tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    copy = tmp_path / "copy"
    other = Indoors(tmp_path / "other home")
    for to in (place, [str(copy)]):
        assert other.run("run", source, *to).code == 0
    status = (source / "d" / "a").stat()
    (source / "d" / "a").write_bytes(b"A" * 100)
    os.utime(source / "d" / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    for to in (place, [str(copy)]):
        assert xsync.run("run", source, *to).code == 0
        assert acted(xsync)["a"] == ("skipped", "adopted")
        assert xsync.run("run", source, *to, "--checksum").code == 0
        assert acted(xsync)["a"] == ("transferred", None)
    assert (copy / "d" / "a").read_bytes() == b"A" * 100
    assert differing(source, s3, bucket) == set()


@pytest.mark.parametrize("to_files", [True, False])
def test_metadata_that_changes_before_content_is_compared_is_kept(
    source: Path,
    bucket: str,
    s3_spec: SpecMaker,
    s3: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    to_files: bool,
) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    copy = tmp_path / "copy"
    destination = LocationSpec(str(copy)) if to_files else s3_spec(bucket, "data")
    migration = Migration(LocationSpec(str(source)), destination, agents=1)
    assert asyncio.run(run_in_process(migration)).status is Status.SUCCESS
    read = looking.read_content

    def touched_before(location: Reads, path: bytes, *others: Callable[..., bool]) -> looking.Content | None:
        if path == b"d/a":
            (source / "d" / "a").chmod(0o600)
            os.utime(source / "d" / "a", ns=(1, 1_600_000_000_000_000_000))
        return read(location, path, *others)

    monkeypatch.setattr(looking, "read_content", touched_before)
    assert asyncio.run(run_in_process(migration)).status is Status.SUCCESS  # just made, and so it is read again
    if to_files:
        assert tree_of(copy) == tree_of(source)
    else:
        assert differing(source, s3, bucket) == set()


def test_with_checksum_only_content_adopts(
    xsync: Xsync, source: Path, place: list[str], tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    assert Indoors(tmp_path / "other home").run("run", source, *place).code == 0
    status = (source / "d" / "a").stat()
    (source / "d" / "a").write_bytes(b"A" * 100)
    os.utime(source / "d" / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.utime(source / "d" / "b")
    (source / "d" / "c").chmod(0o600)
    assert xsync.run("run", source, *place, "--checksum").code == 0
    changed = {name: why for name, (what, why) in acted(xsync).items() if what == "transferred"}
    assert changed == {"a": None, "b": "metadata", "c": "metadata"}
    assert differing(source, s3, bucket) == set()


def test_files_of_equal_size_and_time_are_adopted(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert Indoors(tmp_path / "other home").run("run", source, copy).code == 0
    second = (source / "d" / "a").stat().st_mtime_ns // 10**9 * 10**9
    os.utime(copy / "d" / "a", ns=(second, second))  # as a file system that knows whole seconds has it
    os.utime(copy / "d" / "b", ns=(second, second + 1))
    (copy / "d" / "c").chmod(0o600)
    assert xsync.run("run", source, copy).code == 0
    assert {name for name, (what, _) in acted(xsync).items() if what == "transferred"} == {"b", "c"}
    assert report(xsync)["drift"]["foreign"] == 0


def test_a_same_size_edit_under_old_times_is_caught_by_its_ctime_and_content(
    xsync: Xsync, source: Path, place: list[str], s3: S3Server, bucket: str
) -> None:
    assert xsync.run("run", source, *place).code == 0
    xsync.settle()
    for name in ("d/a", "large"):
        status = (source / name).stat()
        with open(source / name, "r+b") as file:
            file.write(b"Z")
        os.utime(source / name, ns=(status.st_atime_ns, status.st_mtime_ns))
    (source / "d" / "b").chmod(0o600)
    assert xsync.run("run", source, *place).code == 0
    assert acted(xsync) == {
        "a": ("transferred", None),
        "large": ("transferred", None),
        "b": ("transferred", "metadata"),
    }
    assert differing(source, s3, bucket) == set()


def test_metadata_alone_is_a_copy_at_the_store_that_keeps_the_rest(
    xsync: Xsync, source: Path, place: list[str], bucket: str, boto: S3Client
) -> None:
    assert xsync.run("run", source, *place).code == 0
    boto.copy_object(
        Bucket=bucket,
        Key="data/d/a",
        CopySource={"Bucket": bucket, "Key": "data/d/a"},
        MetadataDirective="REPLACE",
        ContentType="text/x-kept",
        Metadata=boto.head_object(Bucket=bucket, Key="data/d/a")["Metadata"] | {"theirs": "kept"},
    )
    for name in ("d/a", "large"):
        (source / name).chmod(0o640)
    done = xsync.run("run", source, *place)
    assert (done.code, done.result["bytes"]["transferred"]) == (0, 0)
    assert (report(xsync)["metadata_updates"], report(xsync)["files"]["transferred"]) == (2, 2)
    for key in ("data/d/a", "data/large"):
        assert boto.head_object(Bucket=bucket, Key=key)["Metadata"]["file-permissions"] == "0100640"
    found = boto.head_object(Bucket=bucket, Key="data/d/a")
    assert (found["ContentType"], found["Metadata"]["theirs"]) == ("text/x-kept", "kept")
    assert xsync.run("verify", source, *place).code == 0


def test_metadata_alone_is_set_on_files(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert xsync.run("run", source, copy).code == 0
    xsync.settle()
    inode = (copy / "d" / "a").stat().st_ino
    (source / "d" / "a").chmod(0o640)
    assert xsync.run("run", source, copy).code == 0
    assert (acted(xsync), (copy / "d" / "a").stat().st_ino) == ({"a": ("transferred", "metadata")}, inode)
    assert tree_of(copy) == tree_of(source)


def test_checksum_reads_the_source_and_sends_what_differs(xsync: Xsync, source: Path, place: list[str]) -> None:
    assert xsync.run("run", source, *place).code == 0
    assert xsync.run("run", source, *place, "--checksum").result["files"]["transferred"] == 0
    found = acted(xsync)
    assert {found[name] for name in (*NAMES, "large")} == {("skipped", "same content")}
    assert xsync.run("run", source, *place).result["files"]["skipped"] == 8


def test_newer_never_replaces_what_is_newer_or_of_unknown_age(
    xsync: Xsync, source: Path, place: list[str], tmp_path: Path, bucket: str, boto: S3Client
) -> None:
    assert Indoors(tmp_path / "other home").run("run", source, *place).code == 0
    for name in ("d/a", "large"):  # older than what is there
        (source / name).write_bytes(b"old" + (source / name).read_bytes())
        os.utime(source / name, ns=(1, 1_600_000_000_000_000_000))
    (source / "d" / "b").write_bytes(b"new")
    boto.put_object(Bucket=bucket, Key="data/d/c", Body=b"uploaded by hand")
    assert xsync.run("run", source, *place, "--overwrite-mode", "NEWER").code == 0
    found = acted(xsync)
    newer = ("skipped", "newer at the destination")
    assert (found["a"], found["large"], found["b"]) == (newer, newer, ("transferred", None))
    assert found["c"] == ("skipped", "age unknown at the destination")
    assert boto.get_object(Bucket=bucket, Key="data/d/c")["Body"].read() == b"uploaded by hand"


def test_newer_compares_times_of_files(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert xsync.run("run", source, copy).code == 0
    xsync.settle()
    for name in "ab":
        (source / "d" / name).write_bytes(b"edited")
    os.utime(source / "d" / "a", ns=(1, 1_600_000_000_000_000_000))
    assert xsync.run("run", source, copy, "--overwrite-mode", "NEWER").code == 0
    assert acted(xsync) == {"a": ("skipped", "newer at the destination"), "b": ("transferred", None)}


def test_objects_that_a_folder_holds_already_are_adopted_by_the_time_of_their_files(
    xsync: Xsync, source: Path, place: list[str], tmp_path: Path, bucket: str, s3: S3Server
) -> None:
    other, copy = Indoors(tmp_path / "other home"), tmp_path / "copy"
    assert other.run("run", source, *place).code == 0
    restore = [f"s3://{bucket}/data", str(copy), "--endpoint-url", s3.endpoint_url, "--region", s3.region]
    assert other.run("run", *restore).code == 0
    (copy / "d" / "a").unlink()
    os.utime(copy / "d" / "b", ns=(1, 5))
    assert xsync.run("run", *restore).code == 0
    assert {name for name, (what, _) in acted(xsync).items() if what == "transferred"} == {"a", "b", "link"}
    (copy / "d" / "c").write_bytes(b"C" * 100)
    done = xsync.run("run", *restore, "--delta", "destination")
    assert (done.code, set(acted(xsync))) == (0, {"c"})
    assert xsync.run("verify", *restore, "--read-source").lines[-1]["verified"] == {"read-back": 8}


def test_objects_of_one_etag_in_another_bucket_are_adopted(
    xsync: Xsync, source: Path, place: list[str], tmp_path: Path, bucket: str, s3: S3Server
) -> None:
    other = Indoors(tmp_path / "other home")
    assert other.run("run", source, *place).code == 0
    copy = [f"s3://{bucket}/data", f"s3://{bucket}/copy", "--endpoint-url", s3.endpoint_url, "--region", s3.region]
    assert other.run("run", *copy).code == 0
    assert xsync.run("run", *copy).result["files"]["transferred"] == 0
    assert xsync.run("verify", *copy).lines[-1]["verified"] == {"etag": 8}
