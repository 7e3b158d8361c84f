"""What a verification found is put into the state: which facts it doubts, and how far."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.catalog.compaction import compact
from engine.catalog.comparison import DIFFERENCES_SCHEMA
from engine.catalog.delta import Known
from engine.catalog.doubts import cast_doubt
from engine.catalog.segments import write_results
from engine.catalog.state import Doubt, read_state
from engine.catalog.state_files import check_state
from engine.model import Action, Kind, Look
from tests.unit.catalog_rows import entries_table, entry, names, result, results_table

_A, _B, _FOLDER = entry(b"d", b"a"), entry(b"d", b"b"), entry(b"d", b"f", Kind.FOLDER)
LATER = 10_000


def found(of: Mapping[str, Any], difference: str, detail: str | None = None) -> dict[str, Any]:
    """A row of a list of differences."""
    return {"dir": of["dir"], "name": of["name"], "kind": of["kind"], "difference": difference, "detail": detail}


def doubts(tmp_path: Path, *differences: Mapping[str, Any], **how: Any) -> dict[bytes, int]:
    """Cast doubt, and read back what the state says then."""
    pq.write_table(pa.Table.from_pylist(list(differences), schema=DIFFERENCES_SCHEMA), tmp_path / "found.parquet")
    folder = tmp_path / "s"
    given: dict[str, Any] = {"earlier": [], "before_ns": LATER, "aside": tmp_path, "folders": True} | how
    count = cast_doubt(folder, differences=tmp_path / "found.parquet", **given)
    state = read_state(folder)
    check_state(folder, state)
    rows = [row for file in state.files for row in pq.read_table(folder / file.name).to_pylist()]
    doubted = {row["name"]: row["doubt"] for row in rows if row["doubt"]}
    assert (len(doubted), sum(file.doubted for file in state.files)) == (count, count)
    return doubted


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Three facts of execution x."""
    rows = [result(each, checksum=5, etag="e") for each in (_A, _B, _FOLDER)]
    compact(tmp_path / "s", {"x": [write_results(tmp_path / "1", results_table(rows)).path]})
    return tmp_path / "s"


def todo(tmp_path: Path, folder: Path, *rows: Mapping[str, Any], **how: Any) -> tuple[list[bytes], list[int]]:
    """Names of what is work, and its looks."""
    with Known(tmp_path / "spill", state=folder, touches=True, **how) as known:
        work = known.work(entries_table(rows)).work
    looks = work["look"].to_pylist() if "look" in work.column_names else [0] * work.num_rows
    return names(work), looks


def test_what_differs_is_doubted_and_nothing_else(tmp_path: Path, state: Path) -> None:
    listed = [found(_A, "foreign"), found(_B, "missing"), found(entry(b"d", b"unknown"), "missing")]
    assert doubts(tmp_path, *listed) == {b"b": Doubt.CONTENT}
    assert todo(tmp_path, state, _A, _B) == ([b"b"], [Look.NONE])
    rows = [row for file in read_state(state).files for row in pq.read_table(state / file.name).to_pylist()]
    assert {row["execution"] for row in rows} == {"x"}


def test_mode_alone_is_set_again_and_a_time_may_hide_another_content(tmp_path: Path, state: Path) -> None:
    listed = [found(_A, "metadata", "mode uid"), found(_B, "metadata", "mtime mode")]
    assert doubts(tmp_path, *listed) == {b"a": Doubt.METADATA, b"b": Doubt.CONTENT}
    assert todo(tmp_path, state, _A, _B) == ([b"a", b"b"], [Look.METADATA, Look.NONE])


def test_what_was_set_by_the_run_that_verified_is_not_tried_for_ever(tmp_path: Path, state: Path) -> None:
    listed = [found(_A, "metadata", "mode"), found(_B, "content")]
    assert doubts(tmp_path, *listed, tried_ns=5_000) == {b"b": Doubt.CONTENT}


def test_a_fact_that_is_newer_than_the_verification_stays(tmp_path: Path, state: Path) -> None:
    assert doubts(tmp_path, found(_A, "missing"), before_ns=5_000) == {}
    newer = write_results(tmp_path / "2", results_table([result(_A, finished_ns=7_000)])).path
    assert doubts(tmp_path, found(_A, "missing"), found(_B, "missing"), earlier=[newer], before_ns=6_000) == {
        b"b": Doubt.CONTENT
    }


@pytest.mark.parametrize(("folders", "expected"), [(True, {b"f": Doubt.CONTENT}), (False, {})])
def test_folders_have_facts_at_object_stores_alone(
    tmp_path: Path, state: Path, folders: bool, expected: dict[bytes, int]
) -> None:
    assert doubts(tmp_path, found(_FOLDER, "missing"), folders=folders) == expected


def test_the_next_result_ends_a_doubt_and_an_older_one_does_not(tmp_path: Path, state: Path) -> None:
    doubts(tmp_path, found(_A, "missing"), found(_B, "missing"))
    old, new = result(_A, finished_ns=4_000), result(_B, finished_ns=20_000)
    compact(state, {"y": [write_results(tmp_path / "2", results_table([old, new])).path]})
    assert todo(tmp_path, state, _A, _B)[0] == [b"a"]


def test_other_content_without_a_fact_is_remembered_until_there_is_one(tmp_path: Path, state: Path) -> None:
    def remembered() -> list[bytes]:
        now = read_state(state)
        check_state(state, now)
        return list(pq.read_table(state / now.differing)["name"].to_pylist())

    def cast(*rows: Mapping[str, Any]) -> int:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=DIFFERENCES_SCHEMA), tmp_path / "found.parquet")
        return cast_doubt(state, [], tmp_path / "found.parquet", LATER, tmp_path, folders=True)

    one, two, three = (entry(b"d", name) for name in (b"1", b"2", b"3"))
    assert cast(found(one, "missing"), found(one, "foreign"), found(_A, "missing")) == 1
    assert read_state(state).differing == ""  # what is not there is not adopted
    assert cast(found(one, "content"), found(two, "size"), found(_B, "content")) == 3
    assert remembered() == [b"1", b"2"]
    compact(state, {"y": [write_results(tmp_path / "2", results_table([result(one, finished_ns=20_000)])).path]})
    assert remembered() == [b"1", b"2"]
    assert cast(found(two, "content"), found(three, "content")) == 2
    assert remembered() == [b"2", b"3"]  # of 1 there is a fact now
    assert cast(found(three, "missing")) == 0
    assert remembered() == [b"2", b"3"]


def test_what_a_resume_finds_done_is_done_whatever_was_found_since(tmp_path: Path, state: Path) -> None:
    doubts(tmp_path, found(_A, "missing"))
    own = write_results(tmp_path / "own", results_table([result(_A, Action.TRANSFERRED, finished_ns=4_000)])).path
    with Known(tmp_path / "spill", state=state, own=[own], touches=True) as known:
        assert names(known.work(entries_table([_A])).done) == [b"a"]
