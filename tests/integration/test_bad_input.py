"""What users get wrong and datasets throw at us: a clear message, the right exit code, a ledger that adds up."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from engine.names import key_of
from tests.privileges import mounted, unmount
from tests.support import SIZES, SLOW, Finished, Xsync, ended, make_source, tree_of
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


def to_bucket(server: S3Server, bucket: str) -> list[str]:
    return [f"s3://{bucket}", "--endpoint-url", server.endpoint_url, "--region", server.region]


def failures(done: Finished) -> dict[str, int]:
    counts: dict[str, int] = done.result["failures"]
    return counts


def adds_up(done: Finished) -> None:
    files = done.result["files"]
    decided = sum(files[name] for name in ("transferred", "skipped", "failed", "excluded", "pending"))
    assert files["discovered"] == decided


def reasons(xsync: Xsync) -> dict[bytes, str]:
    rows = pq.read_table(xsync.folder() / "files.parquet", columns=["name", "reason"]).to_pylist()
    return {row["name"]: row["reason"] for row in rows if row["reason"]}


@pytest.mark.parametrize(
    ("source", "expected"), [("missing", "does not exist"), ("a file", "is not a folder"), ("", "empty")]
)
def test_a_source_that_is_none(xsync: Xsync, tmp_path: Path, source: str, expected: str) -> None:
    (tmp_path / "a file").write_bytes(b"x")
    done = xsync.run("run", tmp_path / source if source else "", tmp_path / "target")
    assert done.code == 2
    assert expected in done.message
    assert "Traceback" not in done.errors
    assert xsync.executions() == []


COMMANDS = [("run", 2), ("run --dry-run", 2), ("verify", 2), ("plan", 2), ("survey", 2), ("check", 4)]
"""Commands that look at a source, and their exit codes for one that was misspelt: check calls it a run that fails."""


@pytest.mark.parametrize(("command", "code"), COMMANDS)
def test_every_command_says_alike_that_a_source_is_not_there(
    xsync: Xsync, tmp_path: Path, s3: S3Server, command: str, code: int
) -> None:
    target = [] if command == "survey" else [str(tmp_path / "target")]
    reach = ("--endpoint-url", s3.endpoint_url, "--region", s3.region)
    for source, said in ((str(tmp_path / "gone"), "does not exist"), ("s3://no-such-bucket-here", "does not exist")):
        done = xsync.run(*command.split(), source, *target, *(reach if source.startswith("s3") else ()))
        assert done.code == code, done.lines[-1:]
        assert said in json.dumps(done.lines)
    assert xsync.executions() == []


@pytest.mark.parametrize("command", ["run", "verify", "survey"])
def test_every_command_tells_a_dead_endpoint_from_a_mistake(xsync: Xsync, tmp_path: Path, command: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        target = [] if command == "survey" else [str(tmp_path / "target")]
        done = xsync.run(command, "s3://bucket", *target, "--endpoint-url", url, "--region", "r")
    assert (done.code, "does not answer" in done.message) == (1, True)


@pytest.mark.parametrize("kept", ['storage_class = "GLACIER"', 'sse = "AES256"', 'kms_key_id = "k"'])
def test_what_only_a_bucket_can_keep_is_refused_of_a_folder(xsync: Xsync, tmp_path: Path, kept: str) -> None:
    source, profile = make_source(tmp_path / "source", files=1), tmp_path / "p.toml"
    text = f'schema = 1\nname = "p"\n[source]\nurl = "{source}"\n[destination]\nurl = "{tmp_path / "copy"}"\n{kept}\n'
    profile.write_text(text)
    done = xsync.run("run", profile)
    assert (done.code, f"destination.{kept.partition(' ')[0]}: only a bucket has one" in done.message) == (2, True)
    typed = xsync.run("run", source, tmp_path / "copy", "--storage-class", "GLACIER")
    assert (typed.code, "destination.storage_class: only a bucket" in typed.message) == (2, True)
    asked = xsync.run("survey", source, "--for", tmp_path / "copy", "--storage-class", "GLACIER")
    assert (asked.code, "belongs to a bucket" in asked.message) == (2, True)
    assert not (tmp_path / "copy").exists()


def test_a_storage_class_that_the_server_has_not_stops_a_run_before_its_first_file(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    source = make_source(tmp_path / "source", files=20)
    done = xsync.run("run", source, *to_bucket(s3, bucket), "--storage-class", "STANDART")
    assert done.code == 2
    assert 'storage_class = "STANDART" in [destination]' in done.message
    assert "STANDARD_IA" in done.message
    assert (boto.list_objects_v2(Bucket=bucket)["KeyCount"], xsync.executions()) == (0, [])
    assert xsync.run("run", source, *to_bucket(s3, bucket), "--storage-class", "STANDARD_IA").code == 0
    classes = {row["StorageClass"] for row in boto.list_objects_v2(Bucket=bucket)["Contents"] if row["Size"]}
    assert "STANDARD_IA" in classes


def test_an_empty_source_is_a_success_that_says_zero(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    (tmp_path / "empty").mkdir()
    done = xsync.run("run", tmp_path / "empty", *to_bucket(s3, bucket))
    assert done.code == 0
    assert done.result["files"]["discovered"] == 0


@pytest.mark.parametrize("inside", ["destination", "source"])
def test_one_side_inside_the_other_is_refused(xsync: Xsync, tmp_path: Path, inside: str) -> None:
    outer = make_source(tmp_path / "outer", files=3)
    inner = outer / "top0"
    done = xsync.run("run", outer, inner) if inside == "destination" else xsync.run("run", inner, outer)
    assert done.code == 4
    assert "inside" in done.message
    assert sorted(tree_of(outer)) == sorted(tree_of(make_source(tmp_path / "twin", files=3)))


@pytest.mark.parametrize("slip", ["s3:/lab/images", "s3:lab", "filer:/export/lab", "S3:/lab"])
@pytest.mark.parametrize("command", [("run",), ("profiles", "new", "lab"), ("verify",)])
def test_half_a_url_is_never_taken_for_a_folder_to_be_made(
    xsync: Xsync, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slip: str, command: tuple[str, ...]
) -> None:
    source = make_source(tmp_path / "source", files=1)
    monkeypatch.chdir(tmp_path)
    done = xsync.run(*command, source, slip)
    assert done.code == 2
    assert slip in done.message
    assert "s3://bucket/prefix" in done.message
    assert sorted(tmp_path.iterdir()) == sorted({source, *tmp_path.glob("home")})
    assert xsync.executions() == []


@pytest.mark.parametrize(
    ("listed", "expected"),
    [(None, "cannot be read"), ("", "lists no file"), ("../x\n", "line 1")],
)
def test_a_manifest_that_cannot_be_used_stops_a_run_before_it_begins(
    xsync: Xsync, tmp_path: Path, listed: str | None, expected: str
) -> None:
    source = make_source(tmp_path / "source", files=1)
    manifest = tmp_path / "list.csv"
    if listed is not None:
        manifest.write_text(listed)
    done = xsync.run("run", source, tmp_path / "destination", "--manifest", manifest)
    assert (done.code, xsync.executions()) == (2, [])
    assert str(manifest) in done.message
    assert expected in done.message


def test_paths_of_a_manifest_that_the_source_lacks_are_named(xsync: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=4)
    (source / "at the top").write_text("x")
    there = sorted(str(path.relative_to(source)) for path in source.rglob("*") if path.is_file())
    manifest = tmp_path / "list.csv"
    manifest.write_text("\n".join(there))
    whole = xsync.run("run", source, tmp_path / "whole", "--manifest", manifest)
    assert whole.code == 0
    manifest.write_text("\n".join([*there, "gone/a", "gone/b", "gone/c", "gone/d"]))
    lacking = xsync.run("run", source, tmp_path / "lacking", "--manifest", manifest)
    assert lacking.code == 3
    assert lacking.result["failures"] == {"not at the source": 4}
    assert lacking.result["files"]["transferred"] == len(there)


def test_a_missing_bucket_wrong_keys_and_a_dead_endpoint(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=3)
    missing = xsync.run("run", source, *to_bucket(s3, "no-such-bucket-here"))
    assert missing.code == 2
    assert "no-such-bucket-here" in missing.message
    wrong = Xsync(xsync.home, {"AWS_SECRET_ACCESS_KEY": "wrong"}).run("run", source, *to_bucket(s3, bucket))
    assert wrong.code == 2
    assert "secret" in wrong.message.lower()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        dead = xsync.run("run", source, f"s3://{bucket}", "--endpoint-url", f"http://127.0.0.1:{port}", "--region", "r")
    assert dead.code == 1
    assert str(port) in dead.message
    assert xsync.executions() == []
    none = Xsync(xsync.home, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
    nobody = none.run("run", source, *to_bucket(s3, bucket))
    assert (nobody.code, "no AWS credentials were found" in nobody.message) == (2, True)
    for done in (missing, wrong, dead):
        assert s3.secret_key not in done.errors + str(done.lines)


def files_in(boto: S3Client, bucket: str) -> list[str]:
    """Keys of the objects that are files: no folder's marker, nothing of xsync's own."""
    keys = [item["Key"] for item in boto.list_objects_v2(Bucket=bucket)["Contents"]]
    return [key for key in keys if key.rpartition("/")[2] and not key.rpartition("/")[2].startswith(".xsync-")]


def test_strange_names_arrive_or_fail_with_their_reason(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    source = tmp_path / "source"
    deep = source / "/".join(["d" * 200] * 6)
    deep.mkdir(parents=True)
    (deep / "too long a key").write_bytes(b"x")
    good = [b"-rf", b"new\nline", b"n" * 255, "ümläut".encode(), b" space ", b"not utf-8 \xff\xfe", b"a'b\"c"]
    for name in good:
        Path(os.fsdecode(os.fsencode(source) + b"/" + name)).write_bytes(name)
    done = xsync.run("run", source, *to_bucket(s3, bucket))
    assert done.code == 3, done.errors
    adds_up(done)
    assert failures(done) == {"key too long": 2}  # the file and the folder that holds it
    assert done.result["files"]["transferred"] == len(good)
    assert len(files_in(boto, bucket)) == len(good)


def test_names_that_become_one_key_never_overwrite_each_other(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    raw, twin = b"a\xff", key_of(b"a\xff").encode()
    for name in (raw, twin):
        Path(os.fsdecode(os.fsencode(source) + b"/" + name)).write_bytes(name)
    done = xsync.run("run", source, *to_bucket(s3, bucket))
    assert done.code == 3
    adds_up(done)
    assert failures(done) == {"collides with another name": 1}
    (stored,) = files_in(boto, bucket)
    assert boto.get_object(Bucket=bucket, Key=stored)["Body"].read() == min(raw, twin)


def test_special_files_and_links(xsync: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=2)
    os.mkfifo(source / "fifo")
    (source / "dangling").symlink_to("nowhere")
    (source / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listening:
        place = os.getcwd()
        os.chdir(source)  # a socket's path must be short
        listening.bind("socket")
        os.chdir(place)
    done = xsync.run("run", source, tmp_path / "target")
    assert done.code == 0, done.errors
    adds_up(done)
    assert done.result["files"]["skipped"] == 2
    assert done.result["files"]["transferred"] == 4
    assert reasons(xsync) == {b"fifo": "special", b"socket": "special"}
    assert (tmp_path / "target" / "loop").is_symlink()


def test_unreadable_files_and_folders_fail_and_the_rest_arrives(xsync: Xsync, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        xsync.wrapper = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    source = make_source(tmp_path / "source", files=20)
    (source / "top0" / "sub0" / "file-000000.dat").chmod(0)
    closed = source / "closed"
    closed.mkdir()
    (closed / "inside").write_bytes(b"x")
    closed.chmod(0)
    try:
        done = xsync.run("run", source, tmp_path / "target")
    finally:
        closed.chmod(0o700)
    assert done.code == 3, (done.errors, done.lines[-1:])
    adds_up(done)
    assert failures(done) == {"unreadable": 1, "folder not listed": 1}
    assert done.result["files"]["transferred"] == 19
    assert done.result["status"] == "ERROR"


def test_a_second_run_to_an_overlapping_destination_says_who_holds_it(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=800, sizes=SIZES)
    first = ["run", str(source), f"s3://{bucket}/a", "--endpoint-url", s3.endpoint_url, "--region", s3.region]
    with ended(xsync.start(*first, "--agents", "2", *SLOW)) as process:
        snapshot = xsync.wait_for_files(1)
        other = make_source(tmp_path / "other", files=2)
        second = xsync.run(
            "run", other, f"s3://{bucket}/a/below", "--endpoint-url", s3.endpoint_url, "--region", s3.region
        )
        assert second.code == 4
        assert snapshot.execution in second.message
        assert xsync.executions() == [snapshot.execution]
        beside = xsync.run("run", other, f"s3://{bucket}/ab", "--endpoint-url", s3.endpoint_url, "--region", s3.region)
        assert beside.code == 0
        process.terminate()
        xsync.finish(process)


def test_a_source_whose_mount_vanishes_is_not_taken_for_empty(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    place = tmp_path / "mounted"
    place.mkdir()
    with mounted(place, "-t", "tmpfs", "tmpfs"):
        make_source(place, files=500, sizes=SIZES)
        with ended(xsync.start("run", place, *to_bucket(s3, bucket), "--agents", "2", *SLOW)) as process:
            xsync.wait_for_files(1)
            unmount(place)
            done = xsync.finish(process)
    assert done.code == 1, done.lines[-1:]
    adds_up(done)
    assert "is not what it was" in done.result["message"]
    assert done.result["files"]["pending"] > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "small disk"
    place.mkdir()
    with mounted(place, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        yield place


def test_a_full_destination_disk_ends_in_a_truthful_result(xsync: Xsync, tmp_path: Path, small_disk: Path) -> None:
    source = make_source(tmp_path / "source", files=1_000)
    done = xsync.run("run", source, small_disk / "target")
    assert done.code in (1, 3), done.lines[-1:]
    adds_up(done)
    assert done.result["files"]["transferred"] < 1_000
    assert "no space" in str(done.result["failures"]) + done.result["message"].lower()
    for path in (small_disk / "target").rglob("*.dat"):
        assert path.read_bytes() == (source / path.relative_to(small_disk / "target")).read_bytes()


def test_a_full_state_disk_loses_nothing(xsync: Xsync, tmp_path: Path, small_disk: Path) -> None:
    source = make_source(tmp_path / "source", files=3_000)
    state = Xsync(small_disk / "home")
    filler = small_disk / "filler"
    filler.write_bytes(bytes(int(3.8 * 2**20)))
    done = state.run("run", source, tmp_path / "target")
    assert done.code == 1, done.lines[-1:]
    assert "Traceback" not in done.errors
    filler.unlink()
    again = state.run("run", source, tmp_path / "target")
    assert again.code == 0, (again.errors, again.lines[-1:])
    assert tree_of(tmp_path / "target") == tree_of(source)
