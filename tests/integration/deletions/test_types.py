"""What changed its type at the source: the old form goes, if it is ours and may be replaced."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.execution.comparing import removing
from engine.model import Status, TransferOptions
from tests.conftest import SpecMaker
from tests.integration.deletions.acts import REMOVE, deletion_list, expected, keys, options, run
from tests.support import tree_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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


@pytest.mark.parametrize("content", [b"a file now", b""])
def test_a_change_of_type_in_a_bucket_removes_the_old_form(
    source: Path, bucket: str, boto: S3Client, s3_spec: SpecMaker, content: bytes
) -> None:
    run(source, s3_spec(bucket))
    changes = source / "top0" / "sub0" / "file-000000.dat"
    changes.unlink()
    changes.mkdir()
    (changes / "inside").write_bytes(b"x")
    subprocess.run(["rm", "-rf", source / "top1"], check=True)
    (source / "top1").write_bytes(content)
    snapshot = run(source, s3_spec(bucket))
    assert snapshot.status is Status.SUCCESS, snapshot.message
    assert keys(boto, bucket) == expected(source)
    assert run(source, s3_spec(bucket)).totals.files.transferred == 0


def test_what_killed_agents_left_keeps_no_folder(source: Path, target: Path) -> None:
    run(source, target)
    for folder in ("top0", "top1/sub1"):
        (target / folder / ".xsync-0123456789abcdef").write_bytes(b"half")
    shutil.rmtree(source / "top1")
    shutil.rmtree(source / "top0")
    (source / "top0").write_bytes(b"a file now")
    assert run(source, target).status is Status.SUCCESS
    assert tree_of(target) == tree_of(source)
