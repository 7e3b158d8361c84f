"""Segments: row groups of one task, statistics, files that are whole or absent."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engine.catalog.files import replacing
from engine.catalog.segments import CHUNK_ROWS, RowGroup, read_row_group, row_groups, write_entries, write_results
from engine.model import Fate, Kind
from tests.unit.catalog_rows import entries_table, entry, listed, names, result, results_table


def test_row_groups_hold_one_task_each_in_order(tmp_path: Path) -> None:
    rows = [entry(b"d", b"%d" % number, task=number % 2, size=number) for number in range(6)]
    written = write_entries(tmp_path / "e.parquet", entries_table(rows))
    assert written.groups == (RowGroup(0, 0, 3, 3, 0 + 2 + 4), RowGroup(1, 1, 3, 3, 1 + 3 + 5))
    assert row_groups(written.path) == written.groups
    assert names(read_row_group(written.path, 1)) == [b"1", b"3", b"5"]
    assert written.rows == 6
    assert written.bytes == written.path.stat().st_size
    assert written.info == {"groups": [[0, 0, 3, 3, 6], [1, 1, 3, 3, 9]]}


def test_row_groups_are_no_larger_than_a_chunk(tmp_path: Path) -> None:
    rows = entries_table([entry(b"d", b"%d" % number) for number in range(CHUNK_ROWS + 1)])
    groups = write_entries(tmp_path / "e.parquet", rows).groups
    assert [group.rows for group in groups] == [CHUNK_ROWS, 1]
    assert read_row_group(tmp_path / "e.parquet", 1).num_rows == 1


def test_a_row_group_brings_nothing_of_the_others_and_their_footer_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [entry(b"d", b"%d" % number, task=number) for number in range(50)]
    written = write_entries(tmp_path / "e.parquet", entries_table(rows))
    looks: list[Path] = []
    read = pq.read_metadata

    def counted(path: Path) -> pq.FileMetaData:
        looks.append(path)
        return read(path)

    monkeypatch.setattr(pq, "read_metadata", counted)
    read_back = [read_row_group(written.path, group.number) for group in written.groups]
    assert [names(table) for table in read_back] == [[b"%d" % number] for number in range(50)]
    assert {table.schema.metadata for table in read_back} == {None}
    assert looks == [written.path]
    other = write_entries(tmp_path / "e.parquet", entries_table(rows[7:9]))
    assert names(read_row_group(other.path, 1)) == [b"8"]


def test_counts_of_a_row_group_are_of_candidates(tmp_path: Path) -> None:
    rows = [
        entry(b"", b"d", Kind.FOLDER, size=4096),
        entry(b"", b"f"),
        entry(b"", b"x", fate=int(Fate.EXCLUDED)),
        entry(b"", b"pipe", Kind.SPECIAL),
        listed(b"", size=4),
    ]
    assert write_entries(tmp_path / "e.parquet", entries_table(rows)).groups == (RowGroup(0, 0, 5, 1, 10),)


def test_results_come_back_as_written(tmp_path: Path) -> None:
    table = results_table([result(entry(b"\xff", b"a\nb"), checksum=2**64 - 1)])
    written = write_results(tmp_path / "r.parquet", table)
    assert read_row_group(written.path, 0).equals(table)
    assert written.info == {}


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="no space"), replacing(path) as file:
        file.write(b"half")
        raise OSError("no space")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
