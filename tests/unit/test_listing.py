"""Listings of a location with all columns: the filters, folders that cannot be listed, and their order once sorted."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engine.catalog import destination
from engine.catalog.destination import listing_error, sort_listing
from engine.errors import StoppedError
from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Fate, FilterSpec, Kind, LocationSpec
from engine.survey.listing import list_entries
from tests.unit.catalog_rows import entries_table, entry, listed


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three folders of four files, one of them excluded by the tests."""
    root = tmp_path / "tree"
    for folder in ("a", "b", "skip"):
        (root / folder).mkdir(parents=True)
        for number in range(4):
            (root / folder / f"{number}.dat").write_bytes(b"x" * number)
    return root


def test_a_listing_has_all_columns_and_the_fates_that_filters_give(tree: Path, tmp_path: Path) -> None:
    listing = list_entries(LocationSpec(tree.as_uri()), FilterSpec(exclude=("/skip", "*1.dat")), tmp_path / "out")
    assert (listing.entries, listing.errors) == (12, 0)
    found = pq.read_table(sort_listing(listing.files, tmp_path / "sorted.parquet"))
    assert found.schema == ENTRY_SCHEMA
    rows = [(row["dir"], row["name"], Fate(row["fate"])) for row in found.to_pylist()]
    assert rows == [
        (b"", b"", Fate.CANDIDATE),
        (b"", b"a", Fate.CANDIDATE),
        (b"", b"b", Fate.CANDIDATE),
        (b"", b"skip", Fate.EXCLUDED),
        *((d, b"%d.dat" % n, Fate.EXCLUDED if n == 1 else Fate.CANDIDATE) for d in (b"a", b"b") for n in range(4)),
    ]
    status = (tree / "a" / "2.dat").stat()
    row = found.slice(6, 1).to_pylist()[0]
    assert (row["size"], row["mtime_ns"], row["inode"], row["mode"]) == (
        2,
        status.st_mtime_ns,
        status.st_ino,
        status.st_mode,
    )


def test_several_processes_find_what_one_thread_finds(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, filters = LocationSpec(tree.as_uri()), FilterSpec(exclude=("/skip", "*1.dat"))
    alone = list_entries(spec, filters, tmp_path / "alone")
    assert {path.parent for path in alone.files} == {tmp_path / "alone" / "first"}
    monkeypatch.setattr("engine.survey.listing.ALONE_SECONDS", 0.0)
    shared = list_entries(spec, filters, tmp_path / "shared", processes=2)
    assert len([path for path in shared.files if path.parent == tmp_path / "shared"]) == 2
    assert (shared.entries, shared.errors) == (alone.entries, alone.errors) == (12, 0)
    first, second = (pq.read_table(sort_listing(each.files, tmp_path / "sorted")) for each in (alone, shared))
    volatile = ["listing", "atime_ns"]
    assert first.drop_columns(volatile) == second.drop_columns(volatile)
    assert first.num_rows == 12


def test_a_folder_that_could_not_be_listed_is_named(tmp_path: Path) -> None:
    rows = [entry(b"", b"d", Kind.FOLDER), listed(b""), listed(b"d", error="Permission denied")]
    pq.write_table(entries_table(rows), tmp_path / "in")
    assert listing_error([tmp_path / "in"]) == (b"d", "Permission denied")


def test_a_cancelled_listing_says_so_and_is_not_taken_for_a_whole_one(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(StoppedError, match="stopped before its end"):
        list_entries(LocationSpec(tree.as_uri()), FilterSpec(), tmp_path / "out", cancelled=lambda: True)


def test_many_runs_are_merged_into_one_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination, "RUN_ROWS", 3)
    rows = [entry(b"d%d" % (n % 5), b"%03d" % n, size=n) for n in range(200)]
    rows += [entry(b"d1", b"same", Kind.FOLDER), entry(b"d1", b"same"), listed(b"d1"), entry(b"d1", b"same\xff")]
    pq.write_table(entries_table(reversed(rows)), tmp_path / "in")
    found = pq.read_table(sort_listing([tmp_path / "in"], tmp_path / "out")).to_pylist()
    keys = [(row["dir"], row["name"], row["kind"]) for row in found]
    assert keys == sorted((row["dir"], row["name"], row["kind"]) for row in rows if row["kind"] != Kind.LISTED)
    assert len(keys) == 203
    assert list(tmp_path.glob(".out*")) == []
