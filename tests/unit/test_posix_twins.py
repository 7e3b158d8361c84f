"""Names that a folding file system takes for one another: none replaces another one.

No file system of a test machine folds names, so that ``os.stat`` does here what such a one does.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.locations import posix_twins
from engine.locations.listing import ENTRY_SCHEMA
from engine.locations.posix import PosixLocation
from engine.locations.posix_folders import FOLDER_FLAGS
from engine.locations.posix_twins import folds_names, refuse_twin
from engine.model import Kind, LocationSpec
from engine.transfer.commit import Commit, Written
from engine.transfer.rows import Rows
from engine.transfer.system import rename_new


def _folding(real: Callable[..., Any]) -> Callable[..., Any]:
    """A system call that finds entries of a folder under any case of their names."""

    def call(name: Any, *args: Any, dir_fd: int | None = None, **options: Any) -> Any:
        if dir_fd is not None and isinstance(name, bytes) and name != b".":
            spelled = {entry.lower(): entry for entry in map(os.fsencode, os.listdir(dir_fd))}
            name = spelled.get(name.lower(), name)
        return real(name, *args, dir_fd=dir_fd, **options)

    return call


@pytest.fixture
def folding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "stat", _folding(os.stat))
    monkeypatch.setattr(os, "open", _folding(os.open))
    real = rename_new

    def rename_folded(old: bytes, new: bytes, dir_fd: int) -> None:
        if any(os.fsencode(entry).lower() == new.lower() for entry in os.listdir(dir_fd)):
            raise FileExistsError(errno.EEXIST, "exists")
        real(old, new, dir_fd)

    monkeypatch.setattr("engine.transfer.commit.rename_new", rename_folded)


def test_a_file_system_that_folds_nothing_is_seen_to(tmp_path: Path) -> None:
    fd = os.open(tmp_path, FOLDER_FLAGS)
    try:
        assert folds_names(fd) is False
        assert os.listdir(tmp_path) == []
    finally:
        os.close(fd)


def test_one_that_folds_case_is_seen_to(tmp_path: Path, folding: None) -> None:
    fd = os.open(tmp_path, FOLDER_FLAGS)
    try:
        assert folds_names(fd) is True
        assert os.listdir(tmp_path) == []
    finally:
        os.close(fd)


def test_only_another_spelling_is_refused(tmp_path: Path, folding: None) -> None:
    (tmp_path / "Report").write_bytes(b"x")
    fd = os.open(tmp_path, FOLDER_FLAGS)
    try:
        refuse_twin(b"Report", fd)
        refuse_twin(b"nothing of this name", fd)
        with pytest.raises(OSError, match="takes it for Report") as refused:
            refuse_twin(b"REPORT", fd)
        assert refused.value.errno == errno.ENOTUNIQ
    finally:
        os.close(fd)


def test_a_folder_of_another_spelling_is_not_entered(tmp_path: Path, folding: None) -> None:
    (tmp_path / "Data").mkdir()
    location = PosixLocation(LocationSpec(f"file://{tmp_path}"))
    location.watch_names()
    assert location.folders.folds
    location.folders.open(b"Data", create=True)
    with pytest.raises(OSError, match="takes it for Data"):
        location.folders.open(b"data", create=True)
    location.close()


def test_a_committed_file_replaces_itself_and_no_twin(tmp_path: Path, folding: None) -> None:
    (tmp_path / "Report").write_bytes(b"old")
    location = PosixLocation(LocationSpec(f"file://{tmp_path}"))
    folder = location.folders.open(b"")
    entries = [{"dir": b"", "name": name, "kind": int(Kind.FILE)} for name in (b"REPORT", b"Report")]
    rows = Rows(pa.Table.from_pylist(entries, schema=ENTRY_SCHEMA), lambda: None)
    for temporary in (b".xsync-1", b".xsync-2"):
        (tmp_path / os.fsdecode(temporary)).write_bytes(b"new")
    written = [Written(0, folder, b".xsync-1", 3, 0), Written(1, folder, b".xsync-2", 3, 0)]
    location.watch_names()
    commit = Commit(rows, lambda: True, devices=(), replaces=True, verifies=False, folders=location.folders)
    commit.run(written, memoryview(b""), synced=True)
    results = {row["name"]: row for row in rows.table("agent-1").to_pylist()}
    assert results[b"REPORT"]["reason"] == "collides with another name"
    assert results[b"Report"]["reason"] is None
    assert sorted(os.listdir(tmp_path)) == ["Report"]
    assert (tmp_path / "Report").read_bytes() == b"new"
    location.close()


def test_what_cannot_be_found_out_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> bool:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("engine.locations.posix.folds_names", full)
    assert posix_twins.folds_names is folds_names
    location = PosixLocation(LocationSpec(f"file://{tmp_path}"))
    location.watch_names()
    assert location.folders.folds
    location.close()
