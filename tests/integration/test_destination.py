"""The destination as it is: drift, adoption, what may be overwritten, content, metadata alone, verification."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from tests.faults.proxy import Fault, FaultProxy, Request, fault_proxy
from tests.support import Finished, Xsync, make_source, tree_of
from xsync_tui.demo.server import S3Server
from xsync_tui.demo.verify import verify

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGE = 40 << 20
NAMES = "abcdef"


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Six small files in a folder, a link, and a file that goes in parts."""
    root = tmp_path / "source"
    (root / "d").mkdir(parents=True)
    for name in NAMES:
        (root / "d" / name).write_bytes(name.encode() * 100)
        os.utime(root / "d" / name, ns=(1, 1_700_000_000_123_456_789))
    (root / "d" / "link").symlink_to("a")
    (root / "large").write_bytes(os.urandom(1 << 20) * 40)
    return root


@pytest.fixture
def place(s3: S3Server, bucket: str) -> list[str]:
    """The destination of the tests as the command line has it."""
    return [f"s3://{bucket}/data", "--endpoint-url", s3.endpoint_url, "--region", s3.region]


def acted(xsync: Xsync) -> dict[str, tuple[str, str | None]]:
    """File name -> what the latest execution did and why, folders left out."""
    rows = pq.read_table(xsync.folder() / "files.parquet").to_pylist()
    return {row["name"].decode(): (row["action"], row["reason"]) for row in rows if row["kind"] != "folder"}


def report(xsync: Xsync) -> dict[str, Any]:
    """The report of the latest execution."""
    found: dict[str, Any] = json.loads((xsync.folder() / "report.json").read_bytes())
    return found


def differing(source: Path, server: S3Server, bucket: str) -> set[str]:
    """Last names of what is not the same on both sides, as an independent reader sees it; xsync's own left out."""
    found = verify(source, server, bucket, "data").differences
    return {difference.name.rpartition("/")[2] for difference in found if ".xsync-" not in difference.name}


def told(xsync: Xsync) -> str:
    """What the latest execution said of differences that a verification had found before it."""
    snapshot = xsync.snapshot()
    assert snapshot is not None
    return "".join(event.text for event in snapshot.events if "verification found" in event.text)


def spoil(boto: S3Client, bucket: str) -> None:
    """Lose one object, change two in place, one of them large, and add one."""
    boto.delete_object(Bucket=bucket, Key="data/d/a")
    boto.put_object(Bucket=bucket, Key="data/d/b", Body=b"X" * 100)
    boto.delete_object(Bucket=bucket, Key="data/large")
    boto.put_object(Bucket=bucket, Key="data/d/foreign", Body=b"mine")


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
    assert Xsync(tmp_path / "other home").run("run", source, *place).code == 0
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


def test_with_checksum_only_content_adopts(xsync: Xsync, source: Path, place: list[str], tmp_path: Path) -> None:
    assert Xsync(tmp_path / "other home").run("run", source, *place).code == 0
    status = (source / "d" / "a").stat()
    (source / "d" / "a").write_bytes(b"A" * 100)
    os.utime(source / "d" / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.utime(source / "d" / "b")
    assert xsync.run("run", source, *place, "--checksum").code == 0
    assert {name for name, (what, _) in acted(xsync).items() if what == "transferred"} == {"a"}


def test_files_of_equal_size_and_time_are_adopted(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert Xsync(tmp_path / "other home").run("run", source, copy).code == 0
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
    assert Xsync(tmp_path / "other home").run("run", source, *place).code == 0
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
    assert Xsync(tmp_path / "other home").run("run", source, *place).code == 0
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


def test_objects_that_a_folder_holds_already_are_adopted_by_the_time_of_their_files(
    xsync: Xsync, source: Path, place: list[str], tmp_path: Path, bucket: str, s3: S3Server
) -> None:
    other, copy = Xsync(tmp_path / "other home"), tmp_path / "copy"
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
    other = Xsync(tmp_path / "other home")
    assert other.run("run", source, *place).code == 0
    copy = [f"s3://{bucket}/data", f"s3://{bucket}/copy", "--endpoint-url", s3.endpoint_url, "--region", s3.region]
    assert other.run("run", *copy).code == 0
    assert xsync.run("run", *copy).result["files"]["transferred"] == 0
    assert xsync.run("verify", *copy).lines[-1]["verified"] == {"etag": 8}


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
