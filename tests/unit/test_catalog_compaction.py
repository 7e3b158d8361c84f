"""Merging results and folding them into the state: newest wins, sorted ranges, untouched ranges stay, crash safety."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog import compaction
from engine.catalog.audit import write_files_parquet
from engine.catalog.compaction import compact, merge_results
from engine.catalog.delta import Known
from engine.catalog.segments import write_results
from engine.catalog.state import STATE_COLUMNS, State, read_state, write_state
from engine.catalog.state_files import check_state
from engine.errors import JournalError
from engine.model import Action
from tests.unit.catalog_rows import entries_table, entry, names, result, results_table


def _segment(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    return write_results(path, results_table(rows)).path


def _rows(folder: Path, state: State) -> list[dict[str, Any]]:
    return [row for file in state.files for row in pq.read_table(folder / file.name).to_pylist()]


def test_merging_keeps_the_newest_result_of_a_path_whatever_it_says(tmp_path: Path) -> None:
    a, b = entry(b"d", b"a"), entry(b"d", b"b")
    first = _segment(tmp_path / "1", [result(b, finished_ns=2), result(a, finished_ns=1)])
    second = _segment(tmp_path / "2", [result(a, Action.FAILED, finished_ns=3, reason="unreadable")])
    written = merge_results([first, second], tmp_path / "m.parquet")
    merged = pq.read_table(written.path)
    assert merged.schema.names == results_table([]).schema.names
    assert names(merged) == [b"a", b"b"]
    assert merged["action"].to_pylist() == [Action.FAILED, Action.TRANSFERRED]
    assert written.rows == 2


def test_repeats_are_found_across_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.catalog.database.BATCH_ROWS", 1)
    rows = [result(entry(b"d", b"a"), finished_ns=number) for number in range(5_000)]
    assert merge_results([_segment(tmp_path / "1", rows)], tmp_path / "m.parquet").rows == 1


def test_the_state_is_sorted_in_ranges_that_do_not_overlap(tmp_path: Path) -> None:
    rows = [result(entry(b"d%d" % (number % 3), b"%02d" % number)) for number in range(10)]
    state = compact(tmp_path / "s", {"x1": [_segment(tmp_path / "1", rows)]}, rows_per_file=4)
    keys = [(row["dir"], row["name"]) for row in _rows(tmp_path / "s", state)]
    assert keys == sorted((row["dir"], row["name"]) for row in rows)
    assert [file.rows for file in state.files] == [4, 4, 2]
    assert all(one.last < other.first for one, other in zip(state.files, state.files[1:], strict=False))
    assert state == read_state(tmp_path / "s")
    assert tuple(pq.read_schema(tmp_path / "s" / state.files[0].name).names) == STATE_COLUMNS
    assert {row["execution"] for row in _rows(tmp_path / "s", state)} == {"x1"}


def test_only_ranges_that_hold_a_result_are_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    rows = [entry(b"d", b"%d" % number) for number in range(6)]
    old = compact(folder, {"x1": [_segment(tmp_path / "1", [result(row) for row in rows])]}, rows_per_file=2)
    changed = [result(rows[3], finished_ns=9_000, mtime_ns=77), result(entry(b"z", b"new"), finished_ns=9_000)]
    new = compact(folder, {"x2": [_segment(tmp_path / "2", changed)]}, rows_per_file=2)
    assert new.version == old.version + 1
    assert new.files[0] == old.files[0]
    assert old.files[1] not in new.files
    found = {(row["dir"], row["name"]): (row["mtime_ns"], row["execution"]) for row in _rows(folder, new)}
    assert len(found) == 7
    assert found[b"d", b"3"] == (77, "x2")
    assert found[b"d", b"2"] == (1_000, "x1")
    assert {file.name for file in folder.iterdir()} == {"state.json", *(file.name for file in new.files)}


def test_a_failure_newer_than_the_state_removes_the_fact(tmp_path: Path) -> None:
    row = entry(b"d", b"a")
    compact(tmp_path / "s", {"x1": [_segment(tmp_path / "1", [result(row)])]})
    failed = result(row, Action.FAILED, finished_ns=9_000)
    assert compact(tmp_path / "s", {"x2": [_segment(tmp_path / "2", [failed])]}).files == ()


@pytest.mark.parametrize("action", [Action.SKIPPED, Action.NOT_DELETED])
def test_what_left_the_destination_alone_keeps_the_fact(tmp_path: Path, action: Action) -> None:
    row = entry(b"d", b"a")
    old = compact(tmp_path / "s", {"x1": [_segment(tmp_path / "1", [result(row)])]})
    later = result(row, action, finished_ns=9_000, reason="vanished")
    new = compact(tmp_path / "s", {"x2": [_segment(tmp_path / "2", [later])]})
    assert [row["execution"] for row in _rows(tmp_path / "s", new)] == ["x1"]
    assert len(old.files) == len(new.files) == 1


def test_what_was_deleted_is_no_fact_any_more(tmp_path: Path) -> None:
    row = entry(b"d", b"a")
    compact(tmp_path / "s", {"x1": [_segment(tmp_path / "1", [result(row)])]})
    deleted = result(row, Action.DELETED, finished_ns=9_000)
    assert compact(tmp_path / "s", {"x2": [_segment(tmp_path / "2", [deleted])]}).files == ()


def test_what_another_execution_deleted_since_is_no_fact(tmp_path: Path) -> None:
    one, two, three = (entry(b"d", name) for name in (b"1", b"2", b"3"))
    deleted = [result(each, Action.DELETED, finished_ns=6_000) for each in (one, two)]
    audit = tmp_path / "files.parquet"
    write_files_parquet([], [write_results(tmp_path / "1", results_table(deleted)).path], audit)
    rows = [result(one, finished_ns=5_000), result(two, finished_ns=7_000), result(three, finished_ns=5_000)]
    results = {"older": [write_results(tmp_path / "2", results_table(rows)).path]}
    state = compact(tmp_path / "s", results, deleted=[audit])
    check_state(tmp_path / "s", state)
    assert pq.read_table(tmp_path / "s" / state.files[0].name)["name"].to_pylist() == [b"2", b"3"]


def test_nothing_to_fold_leaves_the_state_as_it_is(tmp_path: Path) -> None:
    assert compact(tmp_path / "s", {"x1": []}) == State()


def test_a_crash_while_compacting_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "s"
    old = compact(folder, {"x1": [_segment(tmp_path / "1", [result(entry(b"d", b"a"))])]})

    def crash(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(compaction, "write_state", crash)
    later = [result(entry(b"d", b"a"), finished_ns=9_000, size=99)]
    with pytest.raises(OSError, match="no space"):
        compact(folder, {"x2": [_segment(tmp_path / "2", later)]})
    assert read_state(folder) == old
    assert [row["size"] for row in _rows(folder, old)] == [10]


def test_what_was_found_there_is_known_like_what_was_sent(tmp_path: Path) -> None:
    rows = [
        result(entry(b"d", b"a"), Action.SKIPPED, reason="adopted", etag="e", checksum=5),
        result(entry(b"d", b"b"), Action.SKIPPED, reason="same content", checksum=6),
        result(entry(b"d", b"c"), Action.SKIPPED, reason="exists"),
        result(entry(b"d", b"d"), Action.FAILED, reason="adopted"),
    ]
    state = compact(tmp_path / "s", {"x1": [_segment(tmp_path / "1", rows)]})
    found = [(row["name"], row["checksum"], row["etag"]) for row in _rows(tmp_path / "s", state)]
    assert found == [(b"a", 5, "e"), (b"b", 6, None)]


def test_files_of_the_state_say_how_many_facts_are_unsure(tmp_path: Path) -> None:
    rows = [result(entry(b"d", b"%d" % number), unsure=number == 1 or None) for number in range(4)]
    old = compact(tmp_path / "s", {"x1": [_segment(tmp_path / "1", rows)]}, rows_per_file=2)
    assert [file.unsure for file in old.files] == [1, 0]
    looked = result(entry(b"d", b"1"), Action.SKIPPED, reason="same content", finished_ns=9_000, unsure=False)
    new = compact(tmp_path / "s", {"x2": [_segment(tmp_path / "2", [looked])]}, rows_per_file=2)
    assert [file.unsure for file in new.files] == [0, 0]
    assert new.files[1] == old.files[1]


def test_a_state_of_before_unsure_facts_is_read_and_rewritten(tmp_path: Path) -> None:
    folder, row = tmp_path / "s", entry(b"d", b"a")
    state = compact(folder, {"x1": [_segment(tmp_path / "1", [result(row, checksum=5)])]})
    older = folder / state.files[0].name
    pq.write_table(pq.read_table(older).drop_columns(["unsure"]), older)
    check_state(folder, state)
    with Known(tmp_path / "spill", state=folder, touches=True) as known:
        assert names(known.work(entries_table([row])).unchanged) == [b"a"]
    new = compact(folder, {"x2": [_segment(tmp_path / "2", [result(entry(b"d", b"b"), unsure=True)])]})
    assert [row["unsure"] for row in _rows(folder, new)] == [False, True]


def test_a_manifest_of_another_version_is_refused(tmp_path: Path) -> None:
    write_state(tmp_path, State(schema=99))
    with pytest.raises(JournalError, match="schema"):
        read_state(tmp_path)
    (tmp_path / "state.json").write_text("[]")
    with pytest.raises(JournalError, match="not a state manifest"):
        read_state(tmp_path)


_SESSIONS = st.lists(
    st.lists(st.tuples(st.binary(max_size=2), st.sampled_from([1, 1, 2, 3, 5, 6]), st.integers(0, 3)), max_size=12),
    max_size=3,
)


@settings(deadline=None, max_examples=50)
@given(sessions=_SESSIONS, rows_per_file=st.integers(1, 5))
def test_compaction_says_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[list[tuple[bytes, int, int]]], rows_per_file: int
) -> None:
    folder = tmp_path_factory.mktemp("state")
    expected: dict[tuple[bytes, bytes], int] = {}
    state, clock = State(), 0
    for session, steps in enumerate(sessions):
        rows = []
        said: dict[tuple[bytes, bytes], tuple[Action, int]] = {}
        for name, kind, size in steps:
            clock += 1
            rows.append(result(entry(name[:1], name), Action(kind), size=size, finished_ns=clock))
            said[name[:1], name] = Action(kind), size
        for key, (action, size) in said.items():
            if action not in (Action.SKIPPED, Action.NOT_DELETED):
                expected.pop(key, None)
            if action is Action.TRANSFERRED:
                expected[key] = size
        segments = [_segment(folder / f"r{session}", rows)] if rows else []
        state = compact(folder / "s", {f"x{session}": segments}, rows_per_file)
    found = _rows(folder / "s", state)
    assert [((row["dir"], row["name"]), row["size"]) for row in found] == sorted(expected.items())
