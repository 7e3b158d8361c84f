"""Sizes by folder, out of a catalog: of all that lies below, of hostile names, and of very many folders."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.catalog.database import database
from engine.catalog.segments import write_entries
from engine.catalog.stopping import Stopper
from engine.errors import JournalError
from engine.model import Kind
from engine.planning.sizes import ROWS, decimal_bins
from engine.planning.values import SizeBin
from engine.survey import folder_sizes
from engine.survey.facts import FolderSizes, SizesInside
from engine.survey.folder_sizes import sizes_in
from engine.survey.folders import children
from tests.unit.catalog_rows import entries_table, entry, listed

_ODD = b"a\xff/b"


def _sizes(tmp_path: Path, folder: bytes, *rows: Mapping[str, Any]) -> SizesInside:
    segment = write_entries(tmp_path / "e.parquet", entries_table(rows)).path
    return sizes_in([segment], tmp_path / "spill", folder)


def _rows() -> list[Mapping[str, Any]]:
    return [
        entry(b"", b"top", size=0),
        entry(b"a", b"f", size=999),
        entry(b"a/b/c", b"g", size=1_000),
        entry(b"a/b/c", b"h", size=1_001),
        entry(b"ab", b"i", size=5 * 10**12),
        entry(_ODD, b"j", size=7),
        entry(b"", b"a", kind=Kind.FOLDER),
        listed(b"a"),
    ]


def test_each_folder_has_the_sizes_of_all_below_it(tmp_path: Path) -> None:
    found = _sizes(tmp_path, b"", *_rows())
    small, thousands, huge = SizeBin(1, 1_000, 1, 999), SizeBin(1_000, 10_000, 2, 2_001), ROWS[-1].low
    assert found.folders == {
        "": FolderSizes((SizeBin(0, 1, 1, 0),), 0),
        "a": FolderSizes((small, thousands), 1_001),
        "ab": FolderSizes((SizeBin(huge, 10 * huge, 1, 5 * 10**12),), 5 * 10**12),
        "a\\xff": FolderSizes((SizeBin(1, 1_000, 1, 7),), 7),
    }
    assert found.own == found.folders[""]
    assert (sum(each.files for each in found.whole.bins), found.whole.largest) == (6, 5 * 10**12)
    assert decimal_bins(found.whole.bins, ROWS)[1] == SizeBin(1, 1_000, 2, 1_006)


def test_the_sizes_in_a_folder_are_those_of_the_folders_in_it(tmp_path: Path) -> None:
    found = _sizes(tmp_path, b"a", *_rows())
    assert set(found.folders) == {"a", "a/b"}
    assert found.own == FolderSizes((SizeBin(1, 1_000, 1, 999),), 999)
    assert sum(each.files for each in found.whole.bins) == 3
    assert set(_sizes(tmp_path, b"a\xff", *_rows()).folders) == {"a\\xff/b"}


def test_of_very_many_folders_those_that_count_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_sizes, "MOST_FOLDERS", 1)
    heavy = [entry(b"heavy", b"f", size=900)]
    many = [entry(b"many", b"%d" % number, size=1) for number in range(9)]
    light = [entry(b"light", b"f", size=2)]
    found = _sizes(tmp_path, b"", *heavy, *many, *light)
    assert set(found.folders) == {"heavy", "many"}
    assert found.whole.bins == (SizeBin(1, 1_000, 11, 911),)


def test_a_question_can_be_stopped_before_and_while_it_is_answered(tmp_path: Path) -> None:
    rows = [entry(b"", b"%d" % number, size=number) for number in range(10)]
    segment = write_entries(tmp_path / "e.parquet", entries_table(rows)).path
    stopper = Stopper()
    stopper.stop()
    with pytest.raises(JournalError):
        sizes_in([segment], tmp_path / "spill", b"", stopper)
    with pytest.raises(JournalError):
        children([segment], tmp_path / "spill", b"", 0, stopper)
    working = Stopper()
    with pytest.raises(JournalError), database(tmp_path / "spill", 1 << 28) as connection:
        working.hold(connection)
        threading.Timer(0.2, working.stop).start()
        connection.sql("SELECT count(*) FROM range(100_000_000_000) a, range(1_000) b").fetchall()
    working.stop()


def test_a_folder_without_files_has_no_sizes(tmp_path: Path) -> None:
    assert _sizes(tmp_path, b"nowhere", *_rows()) == SizesInside(FolderSizes(), FolderSizes(), {})
    assert sizes_in([], tmp_path / "spill", b"") == SizesInside(FolderSizes(), FolderSizes(), {})
