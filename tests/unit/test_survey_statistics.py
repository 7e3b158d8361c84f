"""Statistics of a catalog: bins, ages, the folder tree, extensions, hazards, names that are no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.segments import write_entries
from engine.model import Fate, Kind
from engine.survey.facts import Bin, FolderStatistics, Hazard
from engine.survey.statistics import Statistics, measure
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
    assert found.folders == (
        FolderStatistics(r"\xff", 2, 110),
        FolderStatistics("", 1, 1),
        FolderStatistics("void", 0, 0),
        FolderStatistics(r"\xff/s\\", 1, 100),
        FolderStatistics(r"\xff/t", 0, 0),
    )
    assert found.max_depth == 5
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
        entry(b"", b"pipe", Kind.SPECIAL),
        entry(b"", b"u", fate=int(Fate.UNREADABLE)),
        entry(b"", b"mounted", Kind.FOLDER, dev=2),
        entry(b"", b"Readme"),
        entry(b"", b"README"),
        entry(b"d", b"readme"),
        listed(b"closed", error="Permission denied"),
    ).hazards
    assert found == (
        Hazard("key over 1,024 bytes", 1, (long.decode() + "/" + "K" * (1_024 - len(long)),)),
        Hazard("name not UTF-8", 1, (r"\xff",)),
        Hazard("control character in name", 1, (r"new\nline",)),
        Hazard("unreadable", 1, ("u",)),
        Hazard("special file", 1, ("pipe",)),
        Hazard("nested mount", 1, ("mounted",)),
        Hazard("folder not listed", 1, ("closed",)),
        Hazard("names differ in case alone", 2, ("README", "Readme")),
    )


def test_many_examples_are_cut(tmp_path: Path) -> None:
    (hazard,) = _measure(tmp_path, *(entry(b"", b"%02d" % n, Kind.SPECIAL) for n in range(9))).hazards
    assert (hazard.count, hazard.examples) == (9, ("00", "01", "02", "03", "04"))


def test_nothing_at_all(tmp_path: Path) -> None:
    found = measure([], tmp_path / "spill", _NOW)
    assert (found.files, found.bytes, found.size_histogram, found.hazards) == (0, 0, (), ())
    assert found.layout.folders == ()


_NAME = st.binary(min_size=1, max_size=3).filter(lambda name: b"/" not in name and b"\0" not in name)


@settings(deadline=None, max_examples=30)
@given(files=st.dictionaries(st.lists(_NAME, min_size=1, max_size=4).map(b"/".join), st.integers(0, 99), max_size=12))
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
