"""Sorted streams become one, of each path the newest row, however they are cut into batches and files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog import merging
from engine.catalog.merging import Sorted, grouped, is_below, key_of, merged, newest_first, newest_rows
from engine.catalog.segments import write_results
from tests.unit.catalog_rows import entry, result, results_table

_KEY = st.tuples(
    st.sampled_from([b"", b"a", b"a/b", b"b", b"\xff"]), st.sampled_from([b"", b"a", b"b", b"\x00", b"\xff"])
)
_STREAM = st.dictionaries(_KEY, st.integers(0, 99), max_size=8)


def _table(rows: dict[tuple[bytes, bytes], int]) -> pa.Table:
    return newest_first(results_table(result(entry(*key), finished_ns=at) for key, at in rows.items()))


def _batches(table: pa.Table, size: int) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, size):
        yield table.slice(start, size)


def _rows(tables: Iterator[pa.Table]) -> list[tuple[tuple[bytes, bytes], int]]:
    return [((row["dir"], row["name"]), row["finished_ns"]) for table in tables for row in table.to_pylist()]


@settings(deadline=None)
@given(streams=st.lists(_STREAM, max_size=4), size=st.integers(1, 3))
def test_merging_says_what_a_dictionary_would(streams: list[dict[tuple[bytes, bytes], int]], size: int) -> None:
    expected: dict[tuple[bytes, bytes], int] = {}
    for stream in streams:
        for key, at in stream.items():
            expected[key] = max(at, expected.get(key, 0))
    assert _rows(merged(_batches(_table(stream), size) for stream in streams)) == sorted(expected.items())


@settings(deadline=None)
@given(stream=_STREAM, size=st.integers(1, 3), ends=st.lists(_KEY, max_size=3))
def test_a_sorted_stream_is_read_range_by_range(
    stream: dict[tuple[bytes, bytes], int], size: int, ends: list[tuple[bytes, bytes]]
) -> None:
    source = Sorted(_batches(_table(stream), size))
    left = sorted(stream.items())
    for end in [*sorted(ends), None]:
        assert source.first() == (left[0][0] if left else None)
        expected = [row for row in left if end is None or row[0] < end]
        assert _rows(source.below(end)) == expected
        left = left[len(expected) :]


@pytest.mark.parametrize("files", [1, 2, 3, 10])
def test_many_files_are_merged_in_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    monkeypatch.setattr(merging, "FAN_IN", 2)
    monkeypatch.setattr(merging, "BATCH_ROWS", 3)
    paths = []
    for number in range(files):
        rows = [result(entry(b"d", b"%02d" % name), finished_ns=number) for name in range(number, number + 5)]
        paths.append(write_results(tmp_path / str(number), results_table(rows)).path)
    found = _rows(newest_rows(paths, ["dir", "name", "finished_ns"]))
    assert found == [((b"d", b"%02d" % name), min(name, files - 1)) for name in range(files + 4)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(str(number) for number in range(files))


def test_a_segment_holds_the_newest_result_of_a_path_alone(tmp_path: Path) -> None:
    a = entry(b"d", b"a")
    rows = [result(a, finished_ns=1), result(entry(b"c", b"z")), result(a, finished_ns=3), result(a, finished_ns=2)]
    written = write_results(tmp_path / "r", results_table(rows))
    assert written.rows == 2
    assert _rows(merging.read(written.path)) == [((b"c", b"z"), 5_000), ((b"d", b"a"), 3)]


@pytest.mark.parametrize("most", [1, 2, 3, 7, 100])
def test_regrouping_loses_nothing(most: int) -> None:
    table = _table({(b"d", b"%d" % number): number for number in range(7)})
    groups = list(grouped(_batches(table, 2), most))
    assert pa.concat_tables(groups).equals(table)
    assert all(group.num_rows == most for group in groups[:-1])


def test_keys_are_compared_folder_first() -> None:
    table = _table({(b"a", b"z"): 1, (b"a/b", b"a"): 1, (b"b", b"a"): 1})
    assert is_below(table, (b"a/b", b"a"), or_equal=False).to_pylist() == [True, False, False]
    assert is_below(table, (b"a/b", b"a"), or_equal=True).to_pylist() == [True, True, False]
    assert key_of(table, -1) == (b"b", b"a")
