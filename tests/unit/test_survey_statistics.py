"""Statistics of a catalog: bins, ages, the folder tree, extensions, hazards, names that are no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.segments import write_entries
from engine.model import Fate, Kind
from engine.survey.facts import Amount, Bin, Changed, HardLinks, SmallFiles, SparseFiles
from engine.survey.folders import children
from engine.survey.statistics import Statistics, files_below, measure
from tests.unit.catalog_rows import entries_table, entry, listed

_DAY = 86_400 * 10**9
_NOW = 20_000 * _DAY


def _measure(folder: Path, *rows: Mapping[str, Any]) -> Statistics:
    segment = write_entries(folder / "e.parquet", entries_table(rows)).path
    return measure([segment], folder / "spill", _NOW)


def test_sizes_are_binned_by_powers_of_ten(tmp_path: Path) -> None:
    sizes = [0, 1, 9, 10, 99, 100, 1_000_000]
    found = _measure(tmp_path, *(entry(b"", b"%d" % size, size=size) for size in sizes)).size_histogram
    assert found == (
        Bin(0, 1, 1, 0),
        Bin(1, 10, 2, 10),
        Bin(10, 100, 2, 109),
        Bin(100, 1_000, 1, 100),
        Bin(1_000, 10_000, 0, 0),
        Bin(10_000, 100_000, 0, 0),
        Bin(100_000, 1_000_000, 0, 0),
        Bin(1_000_000, 10_000_000, 1, 1_000_000),
    )


def test_powers_of_ten_are_exact_up_to_the_largest_size(tmp_path: Path) -> None:
    sizes = [10**power + step for power in range(1, 19) for step in (-1, 0)]
    for found in _measure(tmp_path, *(entry(b"", b"%d" % size, size=size) for size in sizes)).size_histogram:
        assert found.files == sum(found.from_ <= size < (found.to or 0) for size in sizes)


@settings(deadline=None, max_examples=10)
@given(sizes=st.lists(st.integers(0, 1 << 57) | st.integers(0, 57).map(lambda n: (1 << n) - 1), max_size=60))
def test_fine_bins_hold_every_file_once_between_powers_of_two(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    rows = [entry(b"", b"%d" % number, size=size) for number, size in enumerate(sizes)]
    found = _measure(tmp_path_factory.mktemp("bins"), *rows)
    for each in found.fine_bins:
        inside = [size for size in sizes if each.low <= size < each.high]
        assert (each.files, each.bytes) == (len(inside), sum(inside))
        assert inside
        assert each.high == 1 or each.high == 2 * max(1, each.low)
    assert sum(each.files for each in found.fine_bins) == len(sizes)
    assert found.largest_bytes == max(sizes, default=0)


def test_small_files_are_counted_exactly_below_any_size(tmp_path: Path) -> None:
    sizes = [0, 99, 100, 101, 300 << 10]
    segment = write_entries(tmp_path / "e.parquet", entries_table(_files(sizes))).path
    found = measure([segment], tmp_path / "spill", _NOW, knee=101)
    assert found.small == SmallFiles(101, 3, 199)
    assert measure([segment], tmp_path / "spill", _NOW).small == SmallFiles(256 << 10, 4, 300)
    assert files_below([segment], tmp_path / "spill", 100) == Amount(2, 99)


def _files(sizes: Sequence[int]) -> list[dict[str, Any]]:
    return [entry(b"", b"%d" % number, size=size) for number, size in enumerate(sizes)]


def test_hard_links_are_counted_by_file(tmp_path: Path) -> None:
    linked: dict[str, Any] = {"nlink": 3, "inode": 5, "size": 100}
    found = _measure(
        tmp_path,
        entry(b"", b"a", **linked),
        entry(b"d", b"b", **linked),
        entry(b"", b"c", size=7, nlink=2, inode=6),
        entry(b"", b"d", size=7, nlink=1, inode=9),
    )
    assert found.hard_links == HardLinks(names=3, files=2, bytes_counted_twice=100, outside=2)
    assert _measure(tmp_path, entry(b"", b"a", nlink=1)).hard_links == HardLinks(0, 0, 0)
    assert _measure(tmp_path, entry(b"", b"a")).hard_links is None


def test_sparse_files_have_less_on_disk_than_they_say(tmp_path: Path) -> None:
    rows = [
        entry(b"", b"hole", size=1 << 20, blocks=8),
        entry(b"", b"full", size=4_000, blocks=8),
        entry(b"", b"packed", size=9_000, blocks=16),
    ]
    assert _measure(tmp_path, *rows).sparse == SparseFiles(2, (1 << 20) + 9_000, 4_096 + 8_192)
    assert _measure(tmp_path, entry(b"", b"object")).sparse is None


def test_what_changed_is_told_by_mtime_and_what_came_by_ctime(tmp_path: Path) -> None:
    def changed(name: bytes, days: float, ctime_days: float, size: int) -> dict[str, Any]:
        times: dict[str, Any] = {"mtime_ns": _NOW - int(days * _DAY), "ctime_ns": _NOW - int(ctime_days * _DAY)}
        return entry(b"top", name, size=size, **times)

    found = _measure(
        tmp_path,
        changed(b"today", 0.5, 0.5, 1),
        changed(b"moved here", 400, 3, 10),
        changed(b"this month", 20, 20, 100),
        changed(b"old", 400, 400, 1_000),
    )
    assert found.changed.day == Changed(1, 1, 0, 0)
    assert found.changed.week == Changed(1, 1, 1, 10)
    assert found.changed.month == Changed(2, 101, 1, 10)
    (folder,) = found.layout.folders
    assert folder.changed == found.changed
    assert folder.newest_at == (_NOW - _DAY // 2) / 1e9


def test_a_folder_is_drilled_into_from_the_catalog(tmp_path: Path) -> None:
    rows = [
        entry(b"a", b"b", Kind.FOLDER),
        entry(b"a", b"own", size=1),
        entry(b"a", b"empty", Kind.FOLDER),
        entry(b"a/b", b"f", size=10),
        entry(b"a/b/c/d", b"g", size=100),
        entry(b"a-b", b"not in a", size=1_000),
        entry(b"a0", b"nor this", size=1_000),
        entry(b"\xff x", b"h", size=5),
    ]
    segment = write_entries(tmp_path / "e.parquet", entries_table(rows)).path

    def shown(folder: bytes) -> list[tuple[str, int, int]]:
        found = children([segment], tmp_path / "spill", folder, _NOW)
        return [(each.path, each.files, each.bytes) for each in found]

    assert shown(b"a") == [("a/b", 2, 110), ("a", 1, 1), ("a/empty", 0, 0)]
    assert shown(b"a/b") == [("a/b/c", 1, 100), ("a/b", 1, 10)]
    assert shown(b"a/empty") == []
    assert shown(b"\xff x") == [(r"\xff x", 1, 5)]
    assert [path for path, _, _ in shown(b"")] == ["a-b", "a0", "a", r"\xff x"]


def test_a_catalog_of_before_lacks_columns(tmp_path: Path) -> None:
    whole = entries_table([entry(b"d", b"a", size=1), entry(b"d", b"p", Kind.SPECIAL)])
    old = whole.select(["dir", "name", "kind", "fate", "size", "mtime_ns", "dev", "error"])
    pq.write_table(old, tmp_path / "e.parquet")
    found = measure([tmp_path / "e.parquet"], tmp_path / "spill", _NOW)
    assert (found.files, found.hard_links, found.sparse) == (1, None, None)
    assert [each.kind for each in found.hazards] == ["special file"]


def test_ages_are_binned_by_days_and_the_future_is_today(tmp_path: Path) -> None:
    ages = {b"a": -5, b"b": 0, b"c": 1, b"d": 6, b"e": 7, b"f": 10_000}
    rows = [entry(b"", name, mtime_ns=_NOW - days * _DAY, size=1) for name, days in ages.items()]
    found = _measure(tmp_path, *rows).age_histogram
    assert [(each.from_, each.to, each.files) for each in found if each.files] == [
        (0, 1, 2),
        (1, 7, 2),
        (7, 30, 1),
        (3_650, None, 1),
    ]
    assert len(found) == 10


def test_the_folder_tree_is_rolled_up_and_shows_empty_folders(tmp_path: Path) -> None:
    found = _measure(
        tmp_path,
        entry(b"", b"", Kind.FOLDER),
        entry(b"", b"f", size=1),
        entry(b"", b"\xff", Kind.FOLDER),
        entry(b"", b"void", Kind.FOLDER),
        entry(b"", b"skipped", Kind.FOLDER, fate=int(Fate.EXCLUDED)),
        entry(b"\xff", b"g", size=10),
        entry(b"\xff", b"s\\", Kind.FOLDER),
        entry(b"\xff", b"t", Kind.FOLDER),
        entry(b"\xff/s\\/u/v", b"h", size=100),
        entry(b"\xff/s\\/u/v", b"l", Kind.SYMLINK, size=5),
        listed(b"\xff/s\\/u/v", size=9_999),
    ).layout
    assert [(each.path, each.files, each.bytes) for each in found.folders] == [
        (r"\xff", 2, 110),
        ("", 1, 1),
        ("void", 0, 0),
        (r"\xff/s\\", 1, 100),
        (r"\xff/t", 0, 0),
    ]
    assert (found.max_depth, found.deepest) == (5, r"\xff/s\\/u/v")
    assert (found.widest_directory.path, found.widest_directory.entries) == ("", 4)


def test_extensions(tmp_path: Path) -> None:
    names = [b"a.TXT", b"b.tar.gz", b".bashrc", b"noext", b"dot.", b"\xff.gz", b"x.this is none"]
    found = _measure(tmp_path, *(entry(b"", name, size=1) for name in names)).extensions
    assert {each.extension: each.files for each in found} == {"txt": 1, "gz": 2, "": 4}


def test_hazards_are_named_with_examples(tmp_path: Path) -> None:
    long = b"d" * 255 + b"/" + b"e" * 255 + b"/" + b"f" * 255
    found = _measure(
        tmp_path,
        entry(b"", b"", Kind.FOLDER, dev=1),
        entry(long, b"k" * (1_024 - len(long) - 1)),
        entry(long, b"K" * (1_024 - len(long))),
        entry(b"", b"\xff"),
        entry(b"", "ä\u200b".encode()),
        entry(b"", b"new\nline"),
        entry(b"", rb"back\slash"),
        entry(b"", b"pipe", Kind.SPECIAL),
        entry(b"", b"u", fate=int(Fate.UNREADABLE)),
        entry(b"", b"mounted", Kind.FOLDER, dev=2),
        entry(b"", b"Readme"),
        entry(b"", b"README"),
        entry(b"d", b"readme"),
        listed(b"closed", error="Permission denied"),
    ).hazards
    assert [(each.kind, each.count, each.examples) for each in found] == [
        ("key over 1,024 bytes", 1, (long.decode() + "/" + "K" * (1_024 - len(long)),)),
        ("name not UTF-8", 1, (r"\xff",)),
        ("control character in name", 1, (r"new\nline",)),
        ("unreadable", 1, ("u",)),
        ("special file", 1, ("pipe",)),
        ("nested mount", 1, ("mounted",)),
        ("backslash in name", 1, (r"back\\slash",)),
        ("folder not listed", 1, ("closed",)),
        ("names differ in case alone", 2, ("README", "Readme")),
    ]
    assert all(each.advice for each in found)


def test_many_examples_are_cut(tmp_path: Path) -> None:
    (hazard,) = _measure(tmp_path, *(entry(b"", b"%02d" % n, Kind.SPECIAL) for n in range(9))).hazards
    assert (hazard.count, hazard.examples) == (9, ("00", "01", "02", "03", "04"))


def test_nothing_at_all(tmp_path: Path) -> None:
    found = measure([], tmp_path / "spill", _NOW)
    assert (found.files, found.bytes, found.size_histogram, found.hazards) == (0, 0, (), ())
    assert found.layout.folders == ()


_NAME = st.binary(min_size=1, max_size=3).filter(lambda name: b"/" not in name and b"\0" not in name)


@settings(deadline=None, max_examples=10)
@given(files=st.dictionaries(st.lists(_NAME, min_size=1, max_size=4).map(b"/".join), st.integers(0, 99), max_size=36))
def test_the_roll_up_is_that_of_a_naive_model(
    tmp_path_factory: pytest.TempPathFactory, files: dict[bytes, int]
) -> None:
    rows = [entry(path.rpartition(b"/")[0], path.rpartition(b"/")[2], size=size) for path, size in files.items()]
    layout = _measure(tmp_path_factory.mktemp("roll-up"), *rows).layout
    expected: Counter[tuple[int, str]] = Counter()
    from engine.names import text_of

    for path, size in files.items():
        parts = path.split(b"/")
        expected[1, text_of(parts[0] if len(parts) > 1 else b"")] += size
        if len(parts) > 2:
            expected[2, text_of(b"/".join(parts[:2]))] += size
    found = Counter({(1 + folder.path.count("/"), folder.path): folder.bytes for folder in layout.folders})
    assert found == expected
    assert layout.max_depth == max((path.count(b"/") + 1 for path in files), default=0)
