"""Which names are copied and which are linked, from listings and results; and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.catalog.links import read_links, restored_links, write_links
from engine.catalog.segments import write_entries, write_results
from engine.execution.coordination import messages as m
from engine.execution.coordination.links import LinkQueue
from engine.locations.listing import LEADER
from engine.model import Action, Fate, Kind
from tests.unit.catalog_rows import entries_table, entry, listed, result, results_table


def sorted_links(folder: Path, *segments: Iterable[Mapping[str, Any]]) -> list[tuple[bytes, bytes | None]]:
    """(path, leader) of all names in the order in which they are given out."""
    paths = [folder / f"entries-{number}.parquet" for number, _ in enumerate(segments)]
    for path, rows in zip(paths, segments, strict=True):
        write_entries(path, entries_table(rows))
    groups = write_links(paths, folder / "links.parquet", folder / "spill")
    assert [group.follows for group in groups] == sorted(group.follows for group in groups)
    tables = [read_links(folder / "links.parquet", group.number) for group in groups]
    for group, table in zip(groups, tables, strict=True):
        assert (group.files, {group.task}) == (table.num_rows, set(table["task"].to_pylist()))
    rows = pa.concat_tables(tables).to_pylist() if tables else []
    return [(row["dir"] + b"/" + row["name"] if row["dir"] else row["name"], row[LEADER]) for row in rows]


def test_the_first_name_in_the_dataset_leads(tmp_path: Path) -> None:
    rows = [
        entry(b"b", b"2", inode=1, nlink=4),
        entry(b"a", b"1", inode=1, nlink=4, fate=int(Fate.EXCLUDED)),
        entry(b"", b"z", inode=1, nlink=4, task=3),
        entry(b"b", b"1", inode=1, nlink=4),
        entry(b"b", b"other", inode=2, nlink=2),
        entry(b"b", b"elsewhere", inode=1, dev=8, nlink=2),
        entry(b"b", b"single", inode=5, nlink=1),
        entry(b"b", b"folder", Kind.FOLDER, inode=6, nlink=9),
        *(listed(folder) for folder in (b"", b"a", b"b")),
    ]
    assert sorted_links(tmp_path, rows) == [
        (b"b/1", None),
        (b"b/elsewhere", None),
        (b"b/other", None),
        (b"b/2", b"b/1"),
        (b"z", b"b/1"),
    ]


def test_rows_of_a_listing_that_was_begun_again_do_not_count(tmp_path: Path) -> None:
    begun = [entry(b"a", b"1", nlink=2), entry(b"a", b"2", nlink=2)]
    again = [entry(b"a", b"2", nlink=2, listing=9), entry(b"b", b"3", nlink=2, listing=9)]
    closed = [listed(b"a", listing=9), listed(b"b", listing=9)]
    assert sorted_links(tmp_path, begun, [*again, *closed]) == [(b"a/2", None), (b"b/3", b"a/2")]


def test_nothing_listed(tmp_path: Path) -> None:
    assert write_links([], tmp_path / "links", tmp_path) == []


def test_restored_files_are_links_if_all_agrees(tmp_path: Path) -> None:
    one: dict[str, Any] = {"link": "7-1", "checksum": 5}
    rows = [
        result(entry(b"b", b"2"), **one),
        result(entry(b"a", b"1"), **one),
        result(entry(b"c", b"edited"), **one | {"checksum": 6}),
        result(entry(b"c", b"longer", size=11), **one),
        result(entry(b"c", b"failed"), Action.FAILED, **one),
        result(entry(b"c", b"of another"), **one | {"link": "7-2"}),
        result(entry(b"c", b"single")),
    ]
    write_results(tmp_path / "results", results_table(rows))
    found = [row for table in restored_links([tmp_path / "results"], tmp_path) for row in table.to_pylist()]
    assert found == [{"dir": b"b", "name": b"2", LEADER: b"a/1"}]


def is_over(queue: LinkQueue) -> bool:
    return queue.over


def test_followers_wait_for_leaders() -> None:
    queue = LinkQueue()
    assert is_over(queue)
    queue.left_out(3)
    assert not is_over(queue)
    leaders, followers = [m.Chunk(0, "l", 0, 1, 1, "leaders")], [m.Chunk(0, "l", 1, 2, 2, "followers")]
    assert queue.advance() == ([m.ListLinks()], ())
    assert queue.advance() == ([], ())  # while they are sorted
    assert queue.listed(m.LinksListed(leaders, followers)) == leaders
    assert not is_over(queue)
    assert queue.advance() == ([], followers)
    assert is_over(queue)
