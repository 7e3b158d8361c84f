"""Folders of more names than a scan hands over at once: listed slice by slice."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from engine.locations import posix_rows
from engine.locations.listing import ScanBatch, ScanLimit
from engine.locations.posix_scan import scan_folders
from tests.listings import EVERYTHING, assert_like_lstat, by_path, listed, paths_of


def _slices(root: Path, slice_rows: int, *, keep_names: bool, folders: Sequence[bytes] = (b"",)) -> list[ScanBatch]:
    """All batches of a scan in slices; without its names a rest is read again, as by another agent."""
    limit = ScanLimit(10 * slice_rows, 60.0, slice_rows)
    batches = [scan_folders(os.fsencode(root), folders, limit, EVERYTHING, 7)]
    while (last := batches[-1]).rest or last.folders_left:
        rest = last.rest if keep_names or not last.rest else last.rest._replace(names=None)
        batches.append(scan_folders(os.fsencode(root), last.folders_left, limit, EVERYTHING, 7, rest))
    return batches


@pytest.mark.parametrize("keep_names", [True, False])
def test_a_large_folder_comes_in_slices_and_is_closed_by_the_last(tmp_path: Path, keep_names: bool) -> None:
    (tmp_path / "d").mkdir()
    for number in range(25):
        (tmp_path / "d" / f"{number:06d}").touch()
    for name in (b"\xff", b"\xc3\xa4", b"new\nline"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/d/" + name)).mkdir()
    batches = _slices(tmp_path, 10, keep_names=keep_names)
    assert [batch.rest and batch.rest[:2] for batch in batches] == [(b"d", b"000009"), (b"d", b"000019"), None]
    assert [batch.rows.num_rows for batch in batches] == [2 + 1 + 10, 10, 8 + 1 + 3]
    assert [b"d" in listed(batch.rows) for batch in batches] == [False, False, True]
    table = pa.concat_tables([batch.rows for batch in batches])
    assert set(by_path(table)) == paths_of(tmp_path)
    assert set(table["listing"].to_pylist()) == {7}
    assert_like_lstat(tmp_path, by_path(table))


@pytest.mark.parametrize("keep_names", [True, False])
def test_flat_folders_of_one_scan_are_sliced_one_after_the_other(tmp_path: Path, keep_names: bool) -> None:
    flat = [b"flat-0", b"flat-1", b"flat-2"]
    for folder in flat:
        for number in range(8):
            (tmp_path / os.fsdecode(folder) / f"{number}-sub").mkdir(parents=True)
            (tmp_path / os.fsdecode(folder) / f"{number}").touch()
    batches = _slices(tmp_path, 5, keep_names=keep_names, folders=flat)
    assert [batch.rest[0] for batch in batches if batch.rest] == [folder for folder in flat for _ in range(3)]
    table = pa.concat_tables([batch.rows for batch in batches])
    assert set(by_path(table)) == paths_of(tmp_path) - {b"", *flat}
    assert set(listed(table)) == {*flat, *(b"%s/%d-sub" % (folder, number) for folder in flat for number in range(8))}


def test_a_root_in_slices_has_its_own_row_once_and_its_subfolders_are_left(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / str(number)).mkdir()
    first = scan_folders(os.fsencode(tmp_path), [b""], ScanLimit(3, 60.0, 3), EVERYTHING, 7)
    assert first.rest is not None
    assert sorted(first.folders_left) == [b"0", b"1", b"2"]
    table = pa.concat_tables([batch.rows for batch in _slices(tmp_path, 3, keep_names=True)])
    assert set(by_path(table)) == paths_of(tmp_path)


def test_a_slice_that_fails_closes_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (tmp_path / str(number)).touch()

    def failing(self: posix_rows.Rows, fd: int, names: list[bytes]) -> tuple[list[bytes], bytes]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(posix_rows.Rows, "add", failing)
    batch = scan_folders(os.fsencode(tmp_path), [b""], ScanLimit(2, 60.0, 2), EVERYTHING, 7)
    assert batch.rest is None
    assert listed(batch.rows) == {b"": (1, "Input/output error")}


@pytest.mark.parametrize("gone", [True, False])
def test_a_folder_that_is_lost_between_its_slices_is_closed(tmp_path: Path, gone: bool) -> None:
    for name in "abc":
        (tmp_path / "d" / name).mkdir(parents=True)
    rest = scan_folders(os.fsencode(tmp_path), [b"d"], ScanLimit(2, 60.0, 2), EVERYTHING, 7).rest
    assert rest is not None
    shutil.rmtree(tmp_path / "d")
    if not gone:
        (tmp_path / "d").touch()
    last = scan_folders(os.fsencode(tmp_path), [], ScanLimit(2, 60.0, 2), EVERYTHING, 7, rest)
    assert last.rest is None
    assert listed(last.rows) == {b"d": (0, None if gone else "Not a directory")}
