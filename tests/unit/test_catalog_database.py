"""Databases for queries: a block finds nothing of the one before, though both may use the same instance."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.catalog.database import database, read_files
from engine.errors import JournalError

MEMORY_BYTES = 100_000_000


def test_a_block_finds_nothing_of_the_block_before(tmp_path: Path) -> None:
    spill = tmp_path / "it's spilt"
    for _ in range(2):
        with database(spill, MEMORY_BYTES) as connection:
            connection.execute("CREATE TABLE rows AS SELECT 1 AS value; CREATE VIEW seen AS SELECT * FROM rows")
            connection.execute("CREATE TEMP TABLE aside AS SELECT * FROM seen")
            connection.register("given", pa.table({"value": [1]}))
            assert connection.sql("SELECT count(*) FROM rows, seen, aside, given").fetchall() == [(1,)]


def test_a_file_that_is_written_anew_is_read_anew_even_with_its_size_and_time(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    for value in (1, 2, 3):
        pq.write_table(pa.table({"value": [value], f"column{value}": [0]}), file)
        os.utime(file, ns=(1, 1))
        with database(tmp_path / "spill", MEMORY_BYTES) as connection:
            found = connection.sql(f"SELECT * FROM {read_files([file])}")
            assert (found.columns, found.fetchall()) == (["value", f"column{value}"], [(value, 0)])


def test_what_does_not_fit_is_spilled_to_the_folder_of_each_block_and_leaves_nothing(tmp_path: Path) -> None:
    for number in range(2):
        spill = tmp_path / f"spill{number}"
        with database(spill, 20_000_000) as connection:
            connection.execute("CREATE TABLE rows AS SELECT range AS value, hash(range) AS hash FROM range(3000000)")
            assert any(spill.iterdir())
        assert not spill.exists()


def test_a_folder_that_is_removed_under_a_block_is_no_matter_to_the_next(tmp_path: Path) -> None:
    for number in range(2):
        spill = tmp_path / f"spill{number}"
        with database(spill, 20_000_000) as connection:
            connection.execute("CREATE TABLE rows AS SELECT range AS value, hash(range) AS hash FROM range(3000000)")
            shutil.rmtree(spill)


def test_blocks_of_several_threads_are_apart(tmp_path: Path) -> None:
    together = Barrier(3, timeout=60)

    def work(number: int) -> list[tuple[int]]:
        with database(tmp_path / f"spill{number}", MEMORY_BYTES) as connection:
            connection.execute(f"CREATE TABLE rows AS SELECT {number} AS value")
            together.wait()
            return connection.sql("SELECT value FROM rows").fetchall()

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            assert list(pool.map(work, range(3))) == [[(0,)], [(1,)], [(2,)]]


def test_a_query_that_fails_says_so_and_the_next_block_works(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    with (
        pytest.raises(JournalError, match=r"the catalog beside .*spill cannot be queried"),
        database(spill, 1) as failing,
    ):
        failing.sql("SELECT nothing FROM nowhere")
    with database(spill, MEMORY_BYTES) as connection:
        rows = connection.sql("SELECT 1")
        connection.execute("BEGIN")
    assert rows is not None
    with database(spill, MEMORY_BYTES) as connection:
        assert connection.sql("SELECT 2").fetchall() == [(2,)]
