"""The destination becomes the source, and every guard that holds it back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from engine.catalog.deletions import write_deletions
from engine.errors import DestinationError
from engine.execution.comparing import removing
from engine.home import find_home
from engine.model import FilterSpec, Status, TransferOptions
from engine.reporting.report import REPORT
from engine.survey.listing import Listing, list_entries
from tests.integration.deletions.acts import deletion_list, folder, held_back, options, run
from tests.privileges import mounted
from tests.support import make_source, tree_of


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
    held_back(run(source, target), "1 folder of the destination could not be listed")
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
