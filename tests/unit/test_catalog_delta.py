"""What is known: equal identity, the newest fact, ranges of the state, nothing known at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.catalog.compaction import compact
from engine.catalog.delta import Delta, Known
from engine.catalog.segments import write_results
from engine.model import Action, Fate, Kind, Look
from tests.unit.catalog_rows import entries_table, entry, listed, names, result, results_table

_A = entry(b"d", b"a")


def _segment(path: Path, *rows: Mapping[str, Any]) -> list[Path]:
    return [write_results(path, results_table(rows)).path]


def _split(known: Known, rows: Sequence[Mapping[str, Any]]) -> tuple[list[bytes], list[bytes]]:
    with known:
        delta = known.work(entries_table(rows))
    return names(delta.work), names(delta.unchanged)


def test_with_nothing_known_all_candidates_are_work(tmp_path: Path) -> None:
    rows = [
        entry(b"d", b"b"),
        entry(b"d", b"a", Kind.SYMLINK),
        entry(b"d", b"c", Kind.FOLDER),
        entry(b"d", b"p", Kind.SPECIAL),
        entry(b"d", b"x", fate=int(Fate.EXCLUDED)),
        entry(b"d", b"u", fate=int(Fate.UNREADABLE)),
        listed(b"d"),
    ]
    assert _split(Known(tmp_path / "spill"), rows) == ([b"b", b"a", b"c"], [])


def test_an_entry_with_equal_identity_is_unchanged(tmp_path: Path) -> None:
    rows = [entry(b"d", b"z"), _A, entry(b"d", b"l", Kind.SYMLINK), entry(b"d", b"s", Kind.FOLDER)]
    earlier = _segment(tmp_path / "r", *(result(row) for row in rows[1:]))
    assert _split(Known(tmp_path / "spill", earlier=earlier), rows) == ([b"z"], [b"a", b"l", b"s"])


@pytest.mark.parametrize("column", ["size", "mtime_ns", "ctime_ns", "dev", "inode", "kind"])
def test_any_difference_in_identity_is_work(tmp_path: Path, column: str) -> None:
    earlier = _segment(tmp_path / "r", result(_A))
    changed = _A | {column: _A[column] + 1}
    assert _split(Known(tmp_path / "spill", earlier=earlier), [changed]) == ([b"a"], [])


def test_the_size_of_a_folder_does_not_count(tmp_path: Path) -> None:
    folder = entry(b"", b"d", Kind.FOLDER, size=4096)
    earlier = _segment(tmp_path / "r", result(folder, size=0))
    assert _split(Known(tmp_path / "spill", earlier=earlier), [folder]) == ([], [b"d"])


def test_the_same_name_in_another_folder_is_another_entry(tmp_path: Path) -> None:
    earlier = _segment(tmp_path / "r", result(_A))
    assert _split(Known(tmp_path / "spill", earlier=earlier), [entry(b"e", b"a")]) == ([b"a"], [])


def test_absent_columns_of_both_are_equal(tmp_path: Path) -> None:
    stored = entry(b"d", b"a", dev=None, inode=None, ctime_ns=None)
    earlier = _segment(tmp_path / "r", result(stored))
    assert _split(Known(tmp_path / "spill", earlier=earlier), [stored]) == ([], [b"a"])


@pytest.mark.parametrize("newer", [{"action": int(Action.FAILED)}, {"mtime_ns": 9}])
def test_only_the_newest_fact_counts(tmp_path: Path, newer: dict[str, int]) -> None:
    earlier = [
        *_segment(tmp_path / "r1", result(_A, finished_ns=6) | newer),
        *_segment(tmp_path / "r2", result(_A, finished_ns=5)),
    ]
    assert _split(Known(tmp_path / "spill", earlier=earlier), [_A]) == ([b"a"], [])


def test_what_this_execution_did_is_in_neither(tmp_path: Path) -> None:
    skipped = entry(b"d", b"s")
    failed = entry(b"d", b"f")
    own = _segment(
        tmp_path / "r", result(_A), result(skipped, Action.SKIPPED), result(failed, Action.FAILED, reason="unreadable")
    )
    rows = [_A, skipped, failed]
    assert _split(Known(tmp_path / "spill", own=own), rows) == ([b"f"], [])
    assert _split(Known(tmp_path / "spill", earlier=own), rows) == ([b"s", b"f"], [b"a"])


def test_the_newest_result_of_what_this_execution_did_is_found_again(tmp_path: Path) -> None:
    old, new = result(_A, sent_bytes=4, finished_ns=4), result(_A, sent_bytes=10, finished_ns=6)
    own = [*_segment(tmp_path / "r1", new, result(entry(b"d", b"other"))), *_segment(tmp_path / "r2", old)]
    with Known(tmp_path / "spill", own=own) as known:
        done = known.work(entries_table([_A, entry(b"d", b"b")])).done
        assert names(done) == [b"a"]
        assert known.results_of(done).select(["name", "sent_bytes"]).to_pylist() == [{"name": b"a", "sent_bytes": 10}]


def test_state_results_and_own_results_together(tmp_path: Path) -> None:
    rows = [entry(b"%d" % number, b"f%d" % number) for number in range(8)]
    compact(tmp_path / "state", {"x1": _segment(tmp_path / "r0", *(result(row) for row in rows[:4]))}, rows_per_file=2)
    earlier = _segment(tmp_path / "r1", result(rows[3], finished_ns=9_000, mtime_ns=0), result(rows[4]))
    own = _segment(tmp_path / "r2", result(rows[5]))
    known = Known(tmp_path / "spill", state=tmp_path / "state", earlier=earlier, own=own)
    assert _split(known, rows) == ([b"f3", b"f6", b"f7"], [b"f0", b"f1", b"f2", b"f4"])


@pytest.mark.parametrize("touches", [False, True])
@pytest.mark.parametrize(("files", "segments"), [(500, 1), (1_500, 2), (3_000, 3)])  # the order of a join is not ours
def test_what_this_execution_did_counts_once_where_the_state_holds_it_already(
    tmp_path: Path, touches: bool, files: int, segments: int
) -> None:
    rows = [entry(b"d0", b"%06d" % number) for number in range(files)]
    own = [_segment(tmp_path / f"own{at}", *map(result, rows[at::segments]))[0] for at in range(segments)]
    compact(tmp_path / "state", {"e": own})
    with Known(tmp_path / "spill", state=tmp_path / "state", own=own, touches=touches) as known:
        delta = known.work(entries_table(rows))
    assert (delta.work.num_rows, delta.unchanged.num_rows, delta.done.num_rows) == (0, 0, files)


def test_names_with_quotes_zeros_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    row = entry(b"it's\\\xff", b"'; drop\n\xfe")
    folder = tmp_path / "o'clock"
    folder.mkdir()
    earlier = _segment(folder / "r", result(row))
    assert _split(Known(folder / "spill", earlier=earlier), [row]) == ([], [row["name"]])


UNSURE = {"unsure": True, "checksum": 5}


def _looks(delta: Delta) -> dict[bytes, int]:
    work = delta.work
    looks = work["look"].to_pylist() if "look" in work.column_names else [int(Look.NONE)] * work.num_rows
    return dict(zip(names(work), looks, strict=True))


@pytest.mark.parametrize("in_state", [False, True])
def test_an_unsure_fact_is_no_fact_before_the_content_was_compared(tmp_path: Path, in_state: bool) -> None:
    sure, unsure, unread = _A, entry(b"d", b"u"), entry(b"d", b"n")
    facts = [result(sure, checksum=5), result(unsure) | UNSURE, result(unread) | UNSURE | {"checksum": None}]
    earlier = _segment(tmp_path / "r", *facts)
    if in_state:
        compact(tmp_path / "state", {"x1": earlier}, rows_per_file=1)
    known = {"state": tmp_path / "state"} if in_state else {"earlier": earlier}
    with Known(tmp_path / "spill", **known, touches=True) as all_known:
        delta = all_known.work(entries_table([sure, unsure, unread]))
    assert (_looks(delta), names(delta.unchanged)) == ({b"u": Look.COMPARE, b"n": Look.NONE}, [b"a"])
    assert delta.work["known_checksum"].to_pylist() == [5, None]


def test_an_unsure_fact_counts_where_nothing_may_be_replaced_and_within_its_execution(tmp_path: Path) -> None:
    facts = _segment(tmp_path / "r", result(_A) | UNSURE)
    assert _split(Known(tmp_path / "spill", earlier=facts), [_A]) == ([], [b"a"])
    with Known(tmp_path / "spill", own=facts, touches=True) as known:
        assert names(known.work(entries_table([_A])).done) == [b"a"]


@pytest.mark.parametrize(("newer_is_unsure", "work"), [(False, []), (True, [b"a"])])
def test_only_the_newest_fact_says_whether_it_is_unsure(
    tmp_path: Path, newer_is_unsure: bool, work: list[bytes]
) -> None:
    earlier = [
        *_segment(tmp_path / "r1", result(_A, finished_ns=6, checksum=5, unsure=newer_is_unsure)),
        *_segment(tmp_path / "r2", result(_A, finished_ns=5, checksum=5, unsure=not newer_is_unsure)),
    ]
    assert _split(Known(tmp_path / "spill", earlier=earlier, touches=True), [_A])[0] == work


def test_an_unsure_file_that_is_seen_to_have_changed_is_simply_sent(tmp_path: Path) -> None:
    earlier = _segment(tmp_path / "r", result(_A) | UNSURE)
    with Known(tmp_path / "spill", earlier=earlier, touches=True) as known:
        assert _looks(known.work(entries_table([_A | {"mtime_ns": 9}]))) == {b"a": Look.NONE}
