"""What a listing of the destination says of entries: held as recorded, lost, changed, adopted, to be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.catalog.delta import Delta, Known
from engine.catalog.held import Held
from engine.catalog.segments import write_results
from engine.model import Action, Kind, Look
from tests.unit.catalog_rows import entries_table, entry, names, result, results_table

_A = entry(b"d", b"a")
SECOND = 10**9


def _known(tmp_path: Path, there: Sequence[Mapping[str, Any]], *facts: Mapping[str, Any], **how: Any) -> Known:
    pq.write_table(entries_table(there), tmp_path / "there.parquet")
    held = Held(tmp_path / "there.parquet", how.pop("objects", True), **how.pop("held", {}))
    earlier = [write_results(tmp_path / "facts", results_table(facts)).path] if facts else []
    return Known(tmp_path / "spill", earlier=earlier, held=held, **how)


def _delta(known: Known, *rows: Mapping[str, Any]) -> Delta:
    with known:
        return known.work(entries_table(rows))


def _adopted(delta: Delta) -> list[bytes]:
    assert delta.adopted is not None
    return names(delta.adopted)


def _looks(delta: Delta) -> list[int]:
    rows: pa.Table = delta.work
    return list(rows["look"].to_pylist()) if "look" in rows.column_names else [0] * rows.num_rows


@pytest.mark.parametrize(
    ("there", "missing", "changed"),
    [
        ([entry(b"d", b"a", etag="e")], 0, 0),
        ([], 1, 0),
        ([entry(b"d", b"a", Kind.FOLDER)], 1, 0),
        ([entry(b"d", b"a", etag="other")], 0, 1),
        ([entry(b"d", b"a", etag="e", size=11)], 0, 1),
    ],
)
def test_what_is_recorded_must_still_be_there(
    tmp_path: Path, there: list[dict[str, Any]], missing: int, changed: int
) -> None:
    known = _known(tmp_path, there, result(_A, etag="e"))
    delta = _delta(known, _A)
    assert (known.missing, known.changed, names(delta.work)) == (missing, changed, [b"a"] * (missing + changed))
    assert _looks(delta) == [Look.NONE] * (missing + changed)


def test_what_is_there_and_unsure_is_compared_and_what_was_lost_is_sent(tmp_path: Path) -> None:
    lost = entry(b"d", b"b")
    facts = [result(row, checksum=5, etag="e", unsure=True) for row in (_A, lost)]
    known = _known(tmp_path, [entry(b"d", b"a", etag="e")], *facts, touches=True)
    delta = _delta(known, _A, lost)
    assert (names(delta.work), _looks(delta), known.missing) == ([b"a", b"b"], [Look.COMPARE, Look.NONE], 1)


def test_an_etag_that_was_not_recorded_is_not_compared(tmp_path: Path) -> None:
    delta = _delta(_known(tmp_path, [entry(b"d", b"a", etag="x")], result(_A)), _A)
    assert names(delta.unchanged) == [b"a"]


@pytest.mark.parametrize(
    ("source_ns", "there_ns", "same"),
    [
        (5 * SECOND + 123, 5 * SECOND + 123, True),
        (5 * SECOND + 123, 5 * SECOND + 100, True),
        (5 * SECOND + 1_999, 5 * SECOND + 1_000, True),
        (5 * SECOND + 123, 5 * SECOND, True),
        (7 * SECOND + 1, 6 * SECOND, True),
        (7 * SECOND + 1, 5 * SECOND, False),
        (5 * SECOND + 123, 5 * SECOND + 122, False),
        (5 * SECOND, 5 * SECOND + 100, False),
        (-1, -SECOND, True),
    ],
)
def test_times_agree_as_far_as_the_destination_tells_them(
    tmp_path: Path, source_ns: int, there_ns: int, same: bool
) -> None:
    row = entry(b"d", b"a", mtime_ns=source_ns)
    known = _known(tmp_path, [entry(b"d", b"a", mtime_ns=there_ns)], result(row), objects=False)
    assert bool(_delta(known, row).unchanged.num_rows) == same


def test_nothing_known_and_the_same_size_asks_for_a_look(tmp_path: Path) -> None:
    there = [entry(b"d", b"a"), entry(b"d", b"b", size=99), entry(b"d", b"link")]
    rows = [_A, entry(b"d", b"b"), entry(b"d", b"c"), entry(b"d", b"link", Kind.SYMLINK, size=10)]
    delta = _delta(_known(tmp_path, there), *rows)
    assert names(delta.work) == [b"a", b"b", b"c", b"link"]
    assert _looks(delta) == [Look.ADOPT, Look.NONE, Look.NONE, Look.ADOPT]


def test_what_is_known_to_be_different_is_never_adopted(tmp_path: Path) -> None:
    delta = _delta(_known(tmp_path, [_A], result(_A)), entry(b"d", b"a", ctime_ns=2_000))
    assert (names(delta.work), _looks(delta)) == ([b"a"], [Look.NONE])


def test_files_are_adopted_by_size_time_and_mode(tmp_path: Path) -> None:
    there = [_A, entry(b"d", b"b", mtime_ns=7), entry(b"d", b"c", mode=0o100600)]
    known = _known(tmp_path, there, objects=False, held={"compared": ["mode"]})
    delta = _delta(known, _A, entry(b"d", b"b"), entry(b"d", b"c"))
    assert (_adopted(delta), names(delta.work)) == ([b"a"], [b"b", b"c"])


def test_with_checksums_time_adopts_nothing(tmp_path: Path) -> None:
    delta = _delta(_known(tmp_path, [_A], objects=False, compares=True), _A)
    assert (_adopted(delta), names(delta.work)) == ([], [b"a"])


def test_objects_of_one_etag_are_looked_at_for_what_else_they_have(tmp_path: Path) -> None:
    row = entry(b"d", b"a", etag="e")
    delta = _delta(_known(tmp_path, [row], held={"from_objects": True}), row)
    assert (names(delta.work), _looks(delta)) == ([b"a"], [Look.ADOPT])


def test_ctime_alone_is_a_question_of_content(tmp_path: Path) -> None:
    facts = [result(entry(b"d", name), checksum=checksum) for name, checksum in ((b"a", 5), (b"b", None), (b"c", 5))]
    rows = [entry(b"d", b"a", ctime_ns=9), entry(b"d", b"b", ctime_ns=9), entry(b"d", b"c", mtime_ns=9)]
    earlier = [write_results(tmp_path / "facts", results_table(facts)).path]
    delta = _delta(Known(tmp_path / "spill", earlier=earlier, touches=True), *rows)
    assert (names(delta.work), _looks(delta)) == ([b"a", b"b", b"c"], [Look.METADATA, Look.NONE, Look.NONE])
    assert delta.work["known_checksum"].to_pylist() == [5, None, 5]


def test_with_checksums_what_is_unchanged_is_compared(tmp_path: Path) -> None:
    earlier = [write_results(tmp_path / "facts", results_table([result(_A, checksum=5)])).path]
    delta = _delta(Known(tmp_path / "spill", earlier=earlier, compares=True), _A)
    assert (names(delta.work), _looks(delta)) == ([b"a"], [Look.COMPARE])


def test_adopted_entries_are_known_from_then_on(tmp_path: Path) -> None:
    facts = [result(_A, Action.SKIPPED, reason="adopted"), result(entry(b"d", b"b"), Action.SKIPPED, reason="exists")]
    earlier = [write_results(tmp_path / "facts", results_table(facts)).path]
    delta = _delta(Known(tmp_path / "spill", earlier=earlier), _A, entry(b"d", b"b"))
    assert (names(delta.unchanged), names(delta.work)) == ([b"a"], [b"b"])


@pytest.mark.parametrize(
    ("recorded", "there", "times", "looks"),
    [("m", None, True, [Look.ADOPT]), ("m", "m", True, []), ("", None, True, []), ("m", None, False, [])],
)
def test_a_marker_that_was_put_and_is_not_listed_is_asked_for(
    tmp_path: Path, recorded: str, there: str | None, times: bool, looks: list[Look]
) -> None:
    folder = entry(b"d", b"f", Kind.FOLDER)
    known = _known(
        tmp_path, [entry(b"d", b"f", Kind.FOLDER, etag=there)], result(folder, etag=recorded), held={"times": times}
    )
    assert _looks(_delta(known, folder)) == looks
