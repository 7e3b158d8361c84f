"""Rows with some of the columns alone, kinds by position, and start folders that share a parent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from engine.filters import Filters
from engine.locations.listing import ENTRY_SCHEMA, ScanLimit
from engine.locations.posix_rows import FOLDER, SYMLINK, positions
from engine.locations.posix_scan import scan_folders
from engine.model import FilterSpec, Kind
from engine.planning.partition import TaskSelector


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two folders with subfolders, files, a link and a FIFO."""
    for folder in ("a/x", "a/z", "b/y"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_bytes(folder.encode())
    (tmp_path / "a" / "link").symlink_to("x")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def _rows(root: Path, folders: Sequence[bytes] = (b"",), columns: Sequence[str] | None = None) -> pa.Table:
    selector = TaskSelector(Filters(FilterSpec()))
    batch = scan_folders(os.fsencode(root), folders, ScanLimit(seconds=60.0, columns=columns), selector, 3)
    assert not batch.folders_left
    return batch.rows


@pytest.mark.parametrize("column", [name for name in ENTRY_SCHEMA.names if name != "atime_ns"])
def test_a_column_alone_is_what_it_is_among_all(root: Path, column: str) -> None:
    """But the time of access, which changes when a folder is listed."""
    full = _rows(root)
    assert full.schema == ENTRY_SCHEMA
    assert _rows(root, columns=[column]).equals(full.select([column]))


def test_columns_come_in_the_order_they_are_wanted(root: Path) -> None:
    wanted = ["size", "dir", "mtime_ns"]
    assert _rows(root, columns=wanted).equals(_rows(root).select(wanted))


def test_positions_of_a_kind() -> None:
    kinds = bytes([Kind.FOLDER, Kind.FILE, Kind.LISTED, Kind.FOLDER])
    assert positions(kinds, FOLDER) == [0, 3]
    assert positions(kinds, SYMLINK) == []


def test_folders_to_start_with_need_not_be_siblings(root: Path) -> None:
    open_before = os.listdir("/dev/fd")
    rows = _rows(root, [b"a/x", b"a/z", b"a/gone", b"b/y", b"gone/x", b"a/x"], ["dir", "name"])
    found = [(row["dir"], row["name"]) for row in rows.to_pylist() if row["name"]]
    assert found == [(folder, b"file") for folder in (b"a/x", b"a/z", b"b/y", b"a/x")]
    assert len(os.listdir("/dev/fd")) == len(open_before)


def test_a_parent_that_became_a_link_is_not_followed(root: Path) -> None:
    (root / "a").rename(root / "c")
    (root / "a").symlink_to("c")
    rows = _rows(root, [b"a/x"], ["name", "error"])
    assert rows["name"].to_pylist() == [b""]
    assert rows["error"].to_pylist() != [None]
