"""REMOVE end to end: the destination becomes the source, and every guard that holds it back."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow.parquet as pq
import pytest

from engine.catalog.deletions import write_deletions
from engine.errors import DestinationError
from engine.execution.comparing import removing
from engine.home import find_home, list_execution_folders
from engine.model import FilterSpec, LocationSpec, Migration, Snapshot, Status, TransferOptions
from engine.reporting.report import REPORT
from engine.survey.listing import Listing, list_entries
from tests.conftest import SpecMaker
from tests.in_process import run_in_process
from tests.privileges import mounted
from tests.support import make_source, tree_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REMOVE = TransferOptions(preserve_deleted_files="REMOVE", max_deletion_share=1.0)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", files=40)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def run(
    source: Path, target: Path | LocationSpec, options: TransferOptions = REMOVE, *, ends: bool = True, **changes: Any
) -> Snapshot:
    """Run to the end; ``ends``: nothing may be left to do."""
    place = target if isinstance(target, LocationSpec) else LocationSpec(str(target))
    snapshot = asyncio.run(run_in_process(Migration(LocationSpec(str(source)), place, options=options, **changes)))
    for counts in (snapshot.totals.files, snapshot.totals.folders):
        assert counts.pending == 0 or not ends
    return snapshot


def folder() -> Path:
    """Of the latest execution."""
    return list_execution_folders(find_home())[-1]


def deletion_list() -> dict[bytes, dict[str, Any]]:
    return {row["path"]: row for row in pq.read_table(folder() / removing.LIST).to_pylist()}


def options(**changes: Any) -> TransferOptions:
    return msgspec.structs.replace(REMOVE, **changes)


def held_back(snapshot: Snapshot, why: str, *, refused: bool = True) -> None:
    """It ended plainly: all copied, nothing deleted, and why."""
    deletions = snapshot.totals.deletions
    assert deletions is not None
    assert why in deletions.held_back
    assert deletions.refused is refused
    assert snapshot.status is Status.ERROR
    assert why in snapshot.message
    assert (snapshot.totals.files.deleted, snapshot.totals.folders.deleted) == (0, 0)
    assert any(event.kind == "warning" and why in event.text for event in snapshot.events)


def test_what_is_gone_at_the_source_goes_and_nothing_else(source: Path, target: Path) -> None:
    (source / "link").symlink_to("nowhere")
    assert run(source, target).status is Status.SUCCESS
    gone = source / "top1"
    count = sum(path.is_file() for path in gone.rglob("*"))
    folders = sum(path.is_dir() for path in gone.rglob("*")) + 1
    subprocess.run(["rm", "-rf", gone, source / "link"], check=True)
    (source / "top2" / "new").write_bytes(b"new")
    os.utime(source, ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_001))
    again = run(source, target)
    assert again.status is Status.SUCCESS, again.message
    assert (again.totals.files.deleted, again.totals.folders.deleted) == (count + 1, folders)
    assert tree_of(target) == tree_of(source)
    assert target.stat().st_mtime_ns == source.stat().st_mtime_ns
    audit = pq.read_table(folder() / "files.parquet").to_pylist()
    assert sum(row["action"] == "deleted" for row in audit) == count + 1 + folders
    report = msgspec.json.decode((folder() / REPORT).read_bytes())
    assert (report["FilesDeleted"], report["FoldersDeleted"]) == (count + 1, folders)
    assert report["FilesFailed"]["Delete"] == 0
    assert set(deletion_list()) == {
        os.fsencode(row["dir"] + b"/" + row["name"] if row["dir"] else row["name"])
        for row in audit
        if row["action"] == "deleted"
    }
    third = run(source, target)
    assert third.totals.deletions is not None
    assert (third.totals.deletions.files, third.totals.files.deleted, third.totals.files.transferred) == (0, 0, 0)


def test_a_deleted_file_that_reappears_is_sent_again(source: Path, target: Path) -> None:
    victim = source / "top0" / "sub0" / "file-000000.dat"
    run(source, target)
    victim.rename(source.parent / "aside")
    assert run(source, target).totals.files.deleted == 1
    (source.parent / "aside").rename(victim)
    again = run(source, target)
    assert again.totals.files.transferred == 1
    assert tree_of(target) == tree_of(source)


def test_preserve_deletes_nothing(source: Path, target: Path) -> None:
    run(source, target, TransferOptions())
    subprocess.run(["rm", "-rf", source / "top1"], check=True)
    snapshot = run(source, target, TransferOptions())
    assert snapshot.status is Status.SUCCESS
    assert snapshot.totals.deletions is None
    assert (target / "top1").exists()


def test_over_the_share_nothing_goes_and_the_copies_stay(source: Path, target: Path) -> None:
    run(source, target)
    before = len(tree_of(target))
    subprocess.run(["rm", "-rf", source / "top1"], check=True)
    (source / "new").write_bytes(b"new")
    snapshot = run(source, target, options(max_deletion_share=0.10))
    held_back(snapshot, "max_deletion_share = 0.1")
    assert snapshot.totals.deletions is not None
    number = snapshot.totals.deletions.files + snapshot.totals.deletions.folders
    assert number == len(deletion_list())
    assert f"{number} of {before + 1} entries" in snapshot.message
    assert f"--max-deletions {number}" in snapshot.message
    assert str(folder() / removing.LIST) in snapshot.message
    assert (target / "new").read_bytes() == b"new"
    assert (target / "top1").exists()
    held_back(run(source, target, options(max_deletion_share=0.10, max_deletions=number - 1)), "max_deletions")
    allowed = run(source, target, options(max_deletion_share=0.10, max_deletions=number))
    assert allowed.status is Status.SUCCESS
    assert tree_of(target) == tree_of(source)


def test_an_empty_source_deletes_nothing(source: Path, target: Path) -> None:
    run(source, target)
    before = tree_of(target)
    for top in source.iterdir():
        subprocess.run(["rm", "-rf", top], check=True)
    (source / "a folder").mkdir()
    held_back(run(source, target), "the source holds no file")
    assert set(before) <= set(tree_of(target))


def test_an_empty_folder_in_the_place_of_the_source_deletes_nothing(source: Path, target: Path) -> None:
    """A mount that is missing from the start: another source, of which nothing is known."""
    run(source, target)
    source.rename(source.with_name("away"))
    source.mkdir()
    held_back(run(source, target), "the source holds no file")
    held_back(run(source, target, options(delete_foreign=True)), "the source holds no file")
    assert (target / "top1").exists()


def test_a_folder_of_the_destination_that_cannot_be_listed_holds_everything_back(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(source, target)
    (source / "top0" / "sub0" / "file-000000.dat").unlink()

    def with_error(*arguments: Any, **named: Any) -> Listing:
        return list_entries(*arguments, **named)._replace(errors=1)

    def no_answer(*_: Any, **__: Any) -> Listing:
        raise DestinationError("it does not answer")

    monkeypatch.setattr(removing, "list_entries", with_error)
    held_back(run(source, target), "1 folders of the destination could not be listed")
    monkeypatch.setattr(removing, "list_entries", no_answer)
    held_back(run(source, target), "it does not answer")
    assert (target / "top0" / "sub0" / "file-000000.dat").exists()


def test_foreign_files_are_listed_and_go_only_with_consent(source: Path, target: Path) -> None:
    run(source, target)
    (target / "top0" / "theirs").write_bytes(b"x")
    (target / "their folder").mkdir()
    (source / "top0" / "sub0" / "file-000000.dat").unlink()
    snapshot = run(source, target)
    assert snapshot.status is Status.SUCCESS
    assert snapshot.totals.deletions is not None
    assert (snapshot.totals.deletions.foreign_files, snapshot.totals.deletions.foreign_folders) == (1, 1)
    assert snapshot.totals.files.deleted == 1
    assert (target / "top0" / "theirs").exists()
    assert deletion_list()[b"top0/theirs"]["origin"] == "foreign"
    assert any("not put there by xsync" in event.text for event in snapshot.events)
    run(source, target, options(delete_foreign=True))
    assert tree_of(target) == tree_of(source)


def test_the_first_run_into_a_folder_with_data_deletes_none_of_it(source: Path, target: Path) -> None:
    target.mkdir()
    (target / "theirs").write_bytes(b"x")
    snapshot = run(source, target)
    assert snapshot.status is Status.SUCCESS
    assert snapshot.totals.files.deleted == 0
    assert (target / "theirs").exists()


def test_what_filters_leave_out_on_either_side_stays(source: Path, target: Path) -> None:
    (source / "top0" / "a.tmp").write_bytes(b"x")
    run(source, target)
    subprocess.run(["rm", "-rf", source / "top0", source / "top1" / "sub1", source / "top2"], check=True)
    run(source, target, filters=FilterSpec(include=("/top0", "/top1"), exclude=("*.tmp",)))
    assert [path.name for path in (target / "top0").iterdir()] == ["a.tmp"]
    assert not (target / "top1" / "sub1").exists()
    assert (target / "top2" / "sub2").exists()


def test_with_a_manifest_nothing_ever_goes(source: Path, target: Path, tmp_path: Path) -> None:
    run(source, target)
    before = tree_of(target)
    (source / "top0" / "sub0" / "file-000000.dat").unlink()
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("top1/sub1/file-000001.dat\ntop0/sub0/file-000000.dat\n")
    snapshot = run(source, target, filters=FilterSpec(manifest=str(manifest)))
    assert snapshot.message == "done, but 1 file failed"
    assert set(tree_of(target)) == set(before)


def test_a_bind_mount_below_the_source_that_vanished_is_no_deletion(source: Path, target: Path, tmp_path: Path) -> None:
    """Of the same file system, so that neither the device nor anything in the listing tells."""
    inside = make_source(tmp_path / "elsewhere", files=6)
    (source / "bound").mkdir()
    with mounted(source / "bound", "--bind", inside):
        assert run(source, target).totals.files.transferred == 46
    for _ in range(2):  # it does not get used to it
        held_back(run(source, target), "what is mounted below the source has changed (bound: it was")
    assert (target / "bound" / "top0").exists()
    run(source, target, TransferOptions())  # takes note
    assert run(source, target).status is Status.SUCCESS
    assert tree_of(target) == tree_of(source)


def test_a_mount_over_a_folder_that_was_copied_is_no_deletion(source: Path, target: Path) -> None:
    run(source, target)
    with mounted(source / "top1", "-t", "tmpfs", "tmpfs"):
        held_back(run(source, target), "lies below a mount of the source that is not entered")
    assert (target / "top1" / "sub1").exists()


def test_without_a_record_of_the_mounts_nothing_goes(source: Path, target: Path) -> None:
    run(source, target)
    for record in find_home().state.rglob("mounts.json"):
        record.unlink()
    (source / "top0" / "sub0" / "file-000000.dat").unlink()
    held_back(run(source, target), "it is not known what was mounted")


@pytest.mark.parametrize("empty", [True, False])
def test_a_file_that_became_a_folder(source: Path, target: Path, empty: bool) -> None:
    changes = source / "top0" / "sub0" / "file-000000.dat"
    for keep in (REMOVE, TransferOptions()):
        run(source, target, keep)
        changes.unlink()
        changes.mkdir()
        if not empty:
            (changes / "inside").write_bytes(b"x")
        snapshot = run(source, target, keep)
        assert snapshot.status is Status.SUCCESS, snapshot.message
        assert snapshot.totals.files.deleted == 0
        assert tree_of(target) == tree_of(source)
        subprocess.run(["rm", "-rf", changes], check=True)
        changes.write_bytes(b"a file again")
        run(source, target)


def _a_file(path: Path) -> None:
    path.write_bytes(b"now a file")


def _a_link(path: Path) -> None:
    path.symlink_to("nowhere")


def _a_large_file(path: Path) -> None:
    path.write_bytes(b"sent in parts" * (3 << 20))


@pytest.mark.parametrize("make", [_a_file, _a_link, _a_large_file])
def test_a_folder_that_became_something_else(source: Path, target: Path, make: Callable[[Path], None]) -> None:
    run(source, target)
    subprocess.run(["rm", "-rf", source / "top1"], check=True)
    make(source / "top1")
    snapshot = run(source, target)
    assert snapshot.status is Status.SUCCESS, (snapshot.message, snapshot.failure_counts)
    assert tree_of(target) == tree_of(source)
    assert snapshot.totals.folders.deleted == sum(
        row["kind"] == "folder" and row["why"] == "not at the source" for row in deletion_list().values()
    )


def test_a_folder_in_the_way_that_holds_foreign_files_is_said_and_stays(source: Path, target: Path) -> None:
    run(source, target)
    (target / "top1" / "theirs").write_bytes(b"x")
    subprocess.run(["rm", "-rf", source / "top1"], check=True)
    (source / "top1").write_bytes(b"now a file")
    snapshot = run(source, target)
    assert snapshot.status is Status.ERROR
    assert snapshot.failure_counts == {"another type is in the way": 1}
    assert [path.name for path in (target / "top1").iterdir()] == ["theirs"]


def became_folders(source: Path) -> None:
    """Two files of before are folders, one of them empty."""
    for name in ("full", "empty"):
        (source / name).unlink()
        (source / name).mkdir()
    (source / "full" / "below").write_bytes(b"new")


def keys_of(boto: S3Client, bucket: str) -> set[str]:
    """What a bucket holds at the top and below the two, side objects left out."""
    keys = {row["Key"] for row in boto.list_objects_v2(Bucket=bucket)["Contents"]}
    return {key for key in keys if key.startswith(("full", "empty"))}


@pytest.mark.parametrize("preserved", [True, False])
def test_a_file_that_became_a_folder_is_one_after_the_same_run(
    source: Path, s3_spec: SpecMaker, bucket: str, boto: S3Client, preserved: bool
) -> None:
    """This server holds no object beside a folder of its name: the old one is in the way."""
    how = options(preserve_deleted_files="PRESERVE" if preserved else "REMOVE")
    for name in ("full", "empty", "gone"):
        (source / name).write_bytes(b"a file at first")
    run(source, s3_spec(bucket), how)
    became_folders(source)
    (source / "gone").unlink()
    snapshot = run(source, s3_spec(bucket), how)
    assert (snapshot.status, snapshot.failure_counts) == (Status.SUCCESS, {})
    assert keys_of(boto, bucket) == {"full/", "full/below", "empty/"}
    assert ("gone" in {row["Key"] for row in boto.list_objects_v2(Bucket=bucket)["Contents"]}) is preserved
    if preserved:
        assert set(deletion_list()) <= {b"full", b"empty"}
        assert snapshot.totals.deletions is None
    assert run(source, s3_spec(bucket), how).totals.folders.transferred == 0


@pytest.mark.parametrize(
    ("mode", "failures"),
    [("ALWAYS", {"another type is in the way": 1}), ("NEVER", {})],
    ids=["foreign", "not replaced"],
)
def test_an_object_in_the_place_of_a_folder_stays_unless_it_is_ours_and_may_be_replaced(
    source: Path, s3_spec: SpecMaker, bucket: str, boto: S3Client, mode: Any, failures: dict[str, int]
) -> None:
    how = options(preserve_deleted_files="PRESERVE", overwrite_mode=mode)
    (source / "empty").write_bytes(b"a file at first")
    run(source, s3_spec(bucket), how)
    if mode == "ALWAYS":
        boto.put_object(Bucket=bucket, Key="empty", Body=b"of somebody else")
    (source / "empty").unlink()
    (source / "empty").mkdir()
    assert run(source, s3_spec(bucket), how).failure_counts == failures
    assert keys_of(boto, bucket) == {"empty"}


@pytest.mark.parametrize("guard", ["listing", "source"])
def test_the_guards_of_deletions_hold_for_what_is_in_the_way_too(
    source: Path, s3_spec: SpecMaker, bucket: str, boto: S3Client, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    how = options(preserve_deleted_files="PRESERVE")
    (source / "empty").write_bytes(b"a file at first")
    run(source, s3_spec(bucket), how)
    (source / "empty").unlink()
    (source / "empty").mkdir()
    if guard == "listing":
        monkeypatch.setattr(removing, "listing_errors", lambda *_: 1)
    else:
        monkeypatch.setattr(removing, "source_problem", lambda *_: "the source is not what it was")
    snapshot = run(source, s3_spec(bucket), how, ends=guard == "listing")
    assert snapshot.status is Status.ERROR
    assert keys_of(boto, bucket) == {"empty"}


def test_what_could_not_be_deleted_is_said_and_stays_ours(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(source, target)
    victim = "top0/sub0/file-000000.dat"
    (source / victim).unlink()
    find = removing.find_deletions

    def and_it_is_back(*arguments: Any, **named: Any) -> removing.Removal:
        found = find(*arguments, **named)
        (source / victim).write_bytes(b"back")
        return found

    monkeypatch.setattr("engine.execution.runner.find_deletions", and_it_is_back)
    snapshot = run(source, target)
    assert snapshot.status is Status.ERROR
    assert snapshot.failure_counts == {"not deleted: is at the source again": 1}
    assert "1 could not be deleted" in snapshot.message
    assert (target / victim).exists()
    report = msgspec.json.decode((folder() / REPORT).read_bytes())
    assert report["FilesFailed"] == {"Transfer": 0, "Delete": 1}
    monkeypatch.undo()
    monkeypatch.setenv("XSYNC_HOME", str(source.parent / "home"))
    (source / victim).unlink()
    assert run(source, target).totals.files.deleted == 1


def test_a_source_that_became_another_ends_the_run_before_anything_goes(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(source, target)
    (source / "top0" / "sub0" / "file-000000.dat").unlink()
    make_list = write_deletions

    def and_the_source_goes(*arguments: Any) -> Any:
        found = make_list(*arguments)
        source.rename(source.with_name("moved"))
        source.mkdir()
        return found

    monkeypatch.setattr(removing, "write_deletions", and_the_source_goes)
    snapshot = run(source, target, ends=False)
    assert snapshot.status is Status.ERROR
    assert "is not what it was" in snapshot.message
    assert snapshot.totals.files.deleted == 0
    assert (target / "top0" / "sub0" / "file-000000.dat").exists()


# -- to a bucket ---------------------------------------------------------------------------------------------------


def keys(boto: S3Client, bucket: str) -> set[str]:
    pages = boto.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    found = {item["Key"] for page in pages for item in page.get("Contents", [])}
    return {key for key in found if ".xsync-" not in key}  # attributes that this server keeps aside


def expected(source: Path) -> set[str]:
    return {str(path.relative_to(source)) + ("/" if path.is_dir() else "") for path in source.rglob("*")}


def test_objects_and_markers_go(source: Path, bucket: str, boto: S3Client, s3_spec: SpecMaker) -> None:
    run(source, s3_spec(bucket))
    boto.put_object(Bucket=bucket, Key="top1/theirs", Body=b"x")
    boto.put_object(Bucket=bucket, Key="top2/sub2/file-000002.dat", Body=b"changed by somebody")
    subprocess.run(["rm", "-rf", source / "top1", source / "top2"], check=True)
    snapshot = run(source, s3_spec(bucket))
    assert snapshot.status is Status.SUCCESS, snapshot.message
    kept = {"top1/", "top1/theirs", "top2/", "top2/sub2/", "top2/sub2/file-000002.dat"}
    assert keys(boto, bucket) == expected(source) | kept
    run(source, s3_spec(bucket), options(delete_foreign=True))
    assert keys(boto, bucket) == expected(source)


def test_a_change_of_type_in_a_bucket_removes_the_old_form(
    source: Path, bucket: str, boto: S3Client, s3_spec: SpecMaker
) -> None:
    run(source, s3_spec(bucket))
    changes = source / "top0" / "sub0" / "file-000000.dat"
    changes.unlink()
    changes.mkdir()
    (changes / "inside").write_bytes(b"x")
    subprocess.run(["rm", "-rf", source / "top1"], check=True)
    (source / "top1").write_bytes(b"a file now")
    snapshot = run(source, s3_spec(bucket))
    assert snapshot.status is Status.SUCCESS, snapshot.message
    assert keys(boto, bucket) == expected(source)
    assert run(source, s3_spec(bucket)).totals.files.transferred == 0


def test_what_is_gone_from_a_bucket_goes_from_a_folder_and_from_a_bucket(
    source: Path, target: Path, bucket: str, boto: S3Client, s3_spec: SpecMaker
) -> None:
    (source / "link").symlink_to("nowhere")
    run(source, s3_spec(bucket, "one"))

    def follow(place: LocationSpec) -> Snapshot:
        return asyncio.run(run_in_process(Migration(s3_spec(bucket, "one"), place, options=REMOVE)))

    places = [LocationSpec(str(target)), s3_spec(bucket, "two")]
    for place in places:
        assert follow(place).status is Status.SUCCESS
    subprocess.run(["rm", "-rf", source / "top1", source / "link"], check=True)
    assert run(source, s3_spec(bucket, "one")).status is Status.SUCCESS
    for place in places:
        snapshot = follow(place)
        assert snapshot.status is Status.SUCCESS, (snapshot.message, snapshot.failure_counts)
        assert snapshot.totals.files.deleted > 1
    assert set(tree_of(target)) == set(tree_of(source))
    files = {key for key in keys(boto, bucket) if not key.endswith("/")}
    assert {key[4:] for key in files if key.startswith("one/")} == {key[4:] for key in files if key.startswith("two/")}


def test_a_bucket_that_keeps_versions_is_mentioned(
    source: Path, bucket: str, boto: S3Client, s3_spec: SpecMaker
) -> None:
    boto.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    run(source, s3_spec(bucket))
    (source / "top0" / "sub0" / "file-000000.dat").unlink()
    snapshot = run(source, s3_spec(bucket))
    assert snapshot.totals.deletions is not None
    assert snapshot.totals.deletions.versioned
    assert any("delete marker" in event.text for event in snapshot.events)
