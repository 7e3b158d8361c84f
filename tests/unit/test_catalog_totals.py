"""The ledger from segments: counts, bytes, the frontier, listings done twice, results that no longer hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.audit import FILES_SCHEMA, write_files_parquet
from engine.catalog.segments import write_entries, write_results
from engine.catalog.totals import Counted, count
from engine.model import Action, Bytes, Fate, Kind, Tally, Totals
from tests.unit.catalog_rows import entries_table, entry, listed, result, results_table

_Row = Mapping[str, Any]


def _count(folder: Path, entries: Iterable[_Row], results: Iterable[_Row] = ()) -> Counted:
    entries, results = list(entries), list(results)
    found = [write_entries(folder / "e", entries_table(entries)).path] if entries else []
    done = [write_results(folder / "r", results_table(results)).path] if results else []
    return count(found, done, folder / "spill")


def test_before_anything_is_listed_the_root_is_the_frontier(tmp_path: Path) -> None:
    assert _count(tmp_path, []) == Counted({}, [b""], {})


def test_every_kind_of_entry_is_counted_once(tmp_path: Path) -> None:
    rows = [
        entry(b"", b"", Kind.FOLDER),
        entry(b"", b"done", size=100),
        entry(b"", b"todo", size=20),
        entry(b"", b"skipped", size=3),
        entry(b"", b"failed", size=7),
        entry(b"", b"link", Kind.SYMLINK, size=4),
        entry(b"", b"pipe", Kind.SPECIAL),
        entry(b"", b"x", fate=int(Fate.EXCLUDED), size=1_000),
        entry(b"", b"xd", Kind.FOLDER, fate=int(Fate.EXCLUDED)),
        entry(b"", b"u", fate=int(Fate.UNREADABLE), error="Permission denied"),
        entry(b"", b"d", Kind.FOLDER, task=1),
        listed(b"", size=11),
        listed(b"d", task=1, error="Permission denied"),
    ]
    results = [
        result(rows[1], verified="server-checked"),
        result(rows[3], Action.SKIPPED),
        result(rows[4], Action.FAILED, reason="changed while read"),
        result(rows[10]),
    ]
    counted = _count(tmp_path, rows, results)
    files = Tally(discovered=8, transferred=1, skipped=2, failed=1, excluded=1, verified=1)
    zero = Totals(files, Tally(discovered=2, excluded=1), Bytes(source=134, transferred=100, pending=31))
    assert counted.tasks == {0: zero, 1: Totals(folders=Tally(discovered=1, transferred=1))}
    assert counted.tasks[0].files.pending == 3
    assert counted.frontier == [b"d"]
    assert counted.failure_counts == {"unreadable": 1}


def test_names_that_share_a_key_are_counted_under_their_own_reason(tmp_path: Path) -> None:
    rows = [
        entry(b"", b"u", fate=int(Fate.UNREADABLE), error="Permission denied"),
        entry(b"", b"t", fate=int(Fate.UNREADABLE), error="collides with another name: s"),
        listed(b"", size=2),
    ]
    assert _count(tmp_path, rows, []).failure_counts == {"unreadable": 1, "collides with another name": 1}


def test_rows_of_a_folder_count_only_once_its_listing_is_complete(tmp_path: Path) -> None:
    rows = [entry(b"", b"d", Kind.FOLDER), listed(b""), entry(b"d", b"a"), entry(b"d", b"e", Kind.FOLDER)]
    counted = _count(tmp_path, rows, [result(rows[2])])
    assert counted.tasks[0].files == Tally()
    assert counted.frontier == [b"d"]
    assert counted.broken == {(b"d", 1)}


def test_a_folder_that_could_not_be_listed_is_listed_again_until_it_is(tmp_path: Path) -> None:
    failed = [entry(b"", b"d", Kind.FOLDER), listed(b""), entry(b"d", b"a"), listed(b"d", error="Input/output error")]
    counted = _count(tmp_path, failed, [result(failed[2])])
    assert counted.tasks[0].files == Tally()
    assert counted.frontier == [b"d"]
    assert counted.broken == {(b"d", 1)}
    again = [entry(b"d", b"a", listing=2), listed(b"d", listing=2)]
    counted = _count(tmp_path, failed + again, [result(failed[2])])
    assert counted.tasks[0].files == Tally(discovered=1, transferred=1)
    assert (counted.frontier, counted.failure_counts) == ([], {})
    assert counted.broken == {(b"d", 1)}


def test_the_newest_complete_listing_wins(tmp_path: Path) -> None:
    old = [entry(b"", b"a", size=1), entry(b"", b"gone", Kind.FOLDER), listed(b"")]
    new = [entry(b"", b"a", size=2, listing=2), listed(b"", listing=2)]
    unfinished = [entry(b"", b"b", listing=3)]
    counted = _count(tmp_path, old + new + unfinished, [result(old[0])])
    assert counted.tasks[0] == Totals(files=Tally(discovered=1), bytes=Bytes(source=2, pending=2))
    assert counted.frontier == []


def test_excluded_and_unreadable_folders_are_not_in_the_frontier(tmp_path: Path) -> None:
    rows = [
        entry(b"", b"x", Kind.FOLDER, fate=int(Fate.EXCLUDED)),
        entry(b"", b"u", Kind.FOLDER, fate=int(Fate.UNREADABLE)),
        entry(b"", b"\xff", Kind.FOLDER),
        listed(b""),
        entry(b"\xff", b"deep", Kind.FOLDER),
        listed(b"\xff"),
    ]
    assert _count(tmp_path, rows).frontier == [b"\xff/deep"]


def test_the_audit_trail_has_a_row_for_each_entry_acted_on(tmp_path: Path) -> None:
    rows = [
        entry(b"", b"sent"),
        entry(b"", b"again"),
        entry(b"", b"waiting"),
        entry(b"", b"pipe", Kind.SPECIAL),
        entry(b"", b"u", fate=int(Fate.UNREADABLE), error="Permission denied"),
        entry(b"", b"x", fate=int(Fate.EXCLUDED)),
        listed(b""),
        listed(b"d", error="Input/output error"),
    ]
    results = [
        result(rows[0], checksum=2**64 - 1, etag="e", verified="server-checked"),
        result(rows[1], Action.FAILED, reason="changed while read", detail="twice"),
        result(rows[1], finished_ns=6_000),
    ]
    entries = [write_entries(tmp_path / "e", entries_table(rows)).path]
    done = [write_results(tmp_path / "r", results_table(results)).path]
    assert write_files_parquet(entries, done, tmp_path / "files.parquet") == 5
    table = pq.read_table(tmp_path / "files.parquet")
    assert table.schema.equals(FILES_SCHEMA)
    found = [(row["dir"], row["name"], row["kind"], row["action"], row["reason"]) for row in table.to_pylist()]
    assert found == [
        (b"", b"again", "file", "transferred", None),
        (b"", b"pipe", "special", "skipped", "special"),
        (b"", b"sent", "file", "transferred", None),
        (b"", b"u", "file", "failed", "unreadable"),
        (b"d", b"", "folder", "failed", "folder not listed"),
    ]
    assert table["checksum"].to_pylist()[2] == 2**64 - 1
    assert write_files_parquet(entries, [], tmp_path / "files.parquet") == 3
    assert write_files_parquet([], [], tmp_path / "files.parquet") == 0


def test_a_segment_without_rows_changes_nothing(tmp_path: Path) -> None:
    entries = [write_entries(tmp_path / "e", entries_table([entry(b"", b"a"), listed(b"")])).path]
    empty = [write_results(tmp_path / "r", results_table([])).path]
    assert count(entries, empty, tmp_path / "spill") == count(entries, [], tmp_path / "spill")
    assert write_files_parquet(entries, empty, tmp_path / "files.parquet") == 0


_FOLDERS = [b"", b"a", b"b", b"a/c"]
_KINDS = st.sampled_from([Kind.FILE, Kind.FILE, Kind.FOLDER, Kind.SYMLINK, Kind.SPECIAL])
_FATES = st.sampled_from([Fate.CANDIDATE, Fate.CANDIDATE, Fate.EXCLUDED, Fate.UNREADABLE])
_ENTRY = st.tuples(st.sampled_from([b"a", b"b", b"c", b"\xff"]), _KINDS, _FATES, st.integers(0, 2))
_LISTING = st.tuples(
    st.sampled_from(_FOLDERS),
    st.lists(_ENTRY, max_size=4, unique_by=lambda item: item[0]),
    st.sampled_from(["complete", "failed", "broken off"]),
)
_RESULT = st.tuples(st.integers(0, 30), st.sampled_from([1, 2, 3]), st.booleans())


@settings(deadline=None, max_examples=50)
@given(listings=st.lists(_LISTING, max_size=6), acted=st.lists(_RESULT, max_size=12))
def test_totals_are_those_of_a_naive_model(
    tmp_path_factory: pytest.TempPathFactory,
    listings: list[tuple[bytes, list[tuple[bytes, Kind, Fate, int]], str]],
    acted: list[tuple[int, int, bool]],
) -> None:
    """Folders listed several times (as after crashes), some never to the end; results that hold and that do not."""
    rows: list[dict[str, Any]] = []
    for number, (folder, found, end) in enumerate(listings, 1):
        for name, kind, fate, size in found:
            rows.append(entry(folder, name, kind, fate=int(fate), size=size, listing=number, task=len(folder)))
        if end != "broken off":
            error = "Input/output error" if end == "failed" else None
            rows.append(listed(folder, listing=number, task=len(folder), error=error))
    made = [row for row in rows if row["kind"] != Kind.LISTED]
    results = [
        result(made[index % len(made)], Action(action), finished_ns=clock, mtime_ns=1_000 if holds else 1)
        for clock, (index, action, holds) in enumerate(acted)
        if made
    ]
    counted = _count(tmp_path_factory.mktemp("totals"), rows, results)
    assert counted == _model(rows, results)
    for totals in counted.tasks.values():
        assert totals.files.pending >= 0
        assert totals.folders.pending >= 0


def _model(rows: list[dict[str, Any]], results: list[dict[str, Any]]) -> Counted:
    closing = {row["dir"]: row for row in rows if row["kind"] == Kind.LISTED}  # the last of each folder
    newest = {folder: row["listing"] for folder, row in closing.items() if row["error"] is None}
    last = {(row["dir"], row["name"]): row for row in results}
    tasks: dict[int, Totals] = {}
    frontier = {b""}
    failures: Counter[str] = Counter()
    for row in rows:
        if row["listing"] != newest.get(row["dir"]):
            continue
        tasks.setdefault(row["task"], Totals())
        if row["kind"] == Kind.LISTED:
            continue
        totals = tasks[row["task"]]
        word, sent, size = _decide(row, last.get((row["dir"], row["name"])))
        folder = row["kind"] == Kind.FOLDER
        if row["fate"] == Fate.UNREADABLE:
            failures["unreadable"] += 1
        if folder and row["fate"] == Fate.CANDIDATE:
            frontier.add((row["dir"] + b"/" + row["name"]).lstrip(b"/"))
        changes = {"discovered": 1} | ({word: 1} if word else {})
        counted = size if not folder and row["fate"] == Fate.CANDIDATE else 0
        tasks[row["task"]] = Totals(
            totals.files if folder else totals.files.plus(**changes),
            totals.folders.plus(**changes) if folder else totals.folders,
            Bytes(
                totals.bytes.source + counted,
                totals.bytes.transferred + sent,
                totals.bytes.pending + (0 if word else counted),
            ),
        )
    broken = {(row["dir"], row["listing"]) for row in rows if row["listing"] != newest.get(row["dir"])}
    return Counted(tasks, sorted(frontier - set(newest)), dict(failures), frozenset(broken))


def _decide(row: dict[str, Any], done: dict[str, Any] | None) -> tuple[str, int, int]:
    """What became of an entry, the bytes sent for it, and its size."""
    size = row["size"]
    if row["fate"] == Fate.EXCLUDED:
        return "excluded", 0, size
    if row["fate"] == Fate.UNREADABLE:
        return "failed", 0, size
    if row["kind"] == Kind.SPECIAL:
        return "skipped", 0, size
    if done is None or done["action"] == Action.FAILED or done["kind"] != row["kind"]:
        return "", 0, size
    if done["mtime_ns"] != row["mtime_ns"] or (row["kind"] == Kind.FILE and done["size"] != size):
        return "", 0, size
    return ("transferred" if done["action"] == Action.TRANSFERRED else "skipped"), done["sent_bytes"], size


def test_folders_that_are_done_again_are_pending(tmp_path: Path) -> None:
    folder = entry(b"", b"d", Kind.FOLDER)
    listing = write_entries(tmp_path / "e", entries_table([folder, listed(b"")])).path
    done = write_results(tmp_path / "r", results_table([result(folder)])).path
    for again, pending in ((False, 0), (True, 1)):
        counted = count([listing], [done], tmp_path / "spill", folders_again=again)
        assert counted.tasks[0].folders.pending == pending
