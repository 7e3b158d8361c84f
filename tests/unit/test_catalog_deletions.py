"""The deletion list: who is a candidate, who is foreign, which folders stay, in which order they go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from engine.catalog import deletion_list
from engine.catalog.deletion_list import read_group
from engine.catalog.deletions import Found, Rules, Source, write_deletions
from engine.catalog.destination import sort_listing
from engine.catalog.segments import write_entries, write_results
from engine.catalog.trust import is_empty, listing_errors, not_entered
from engine.filters import Filters
from engine.locations.extras import SIDE_PREFIX
from engine.model import Action, Fate, FilterSpec, Kind
from tests.unit.catalog_rows import entries_table, entry, listed, result, results_table

Row = Mapping[str, Any]

FILES, OBJECTS = Rules(objects=False), Rules(objects=True)
ROOT = entry(b"", b"", Kind.FOLDER)


def at_source(*rows: Row) -> list[Row]:
    """A complete listing of the source: its root, the rows, and the LISTED row of each folder."""
    folders = {b""} | {_path(row) for row in rows if row["kind"] == Kind.FOLDER and row["fate"] == Fate.CANDIDATE}
    return [ROOT, *rows, *(listed(folder) for folder in sorted(folders))]


def _path(row: Row) -> bytes:
    path: bytes = row["dir"] + b"/" + row["name"] if row["dir"] else row["name"]
    return path


class Plan:
    """What was found, and the list by path."""

    def __init__(self, found: Found, out: Path) -> None:
        self.found = found
        self.rows = {row["path"]: row for row in pq.read_table(out).to_pylist()}
        self.order = [row["path"] for row in pq.read_table(out).to_pylist()]
        self.groups = [[_path(row) for row in read_group(out, group.number).to_pylist()] for group in found.groups]

    @property
    def goes(self) -> list[bytes]:
        return sorted(path for path, row in self.rows.items() if row["deletes"])

    @property
    def foreign(self) -> list[bytes]:
        return sorted(path for path, row in self.rows.items() if row["origin"] == "foreign" and not row["deletes"])


def plan(
    folder: Path, source: Sequence[Row], held: Iterable[Row], put: Iterable[Row] | None = None, rules: Rules = FILES
) -> Plan:
    """``put``: what results say of the destination; by default that xsync put all of ``held`` there."""
    held = [ROOT, *held]
    written = write_entries(folder / "entries.parquet", entries_table(source))
    listing_file = write_entries(folder / "held.parquet", entries_table(held)).path
    listing = sort_listing([listing_file], folder / "sorted.parquet")
    facts = [_put(row) for row in held] if put is None else list(put)
    results = [write_results(folder / "results.parquet", results_table(facts)).path] if facts else []
    out = folder / "deletions.parquet"
    return Plan(write_deletions(listing, Source([written.path], (), results), rules, out), out)


def _put(row: Row, **values: Any) -> dict[str, Any]:
    return result(row, etag=row.get("etag"), **values)


def test_what_the_source_lacks_goes_files_first_then_folders_deepest_first(tmp_path: Path) -> None:
    kept = [entry(b"", b"a", Kind.FOLDER), entry(b"a", b"x")]
    gone = [entry(b"a", b"y"), entry(b"", b"d", Kind.FOLDER), entry(b"d", b"e", Kind.FOLDER), entry(b"d/e", b"z")]
    found = plan(tmp_path, at_source(*kept), [*kept, *gone])
    assert found.order == [b"a/y", b"d/e/z", b"d/e", b"d"]
    assert found.groups == [[b"a/y", b"d/e/z"], [b"d/e"], [b"d"]]
    stages = [group.stage for group in found.found.groups]
    assert stages == sorted(stages)
    assert (found.found.files, found.found.folders, found.found.size, found.found.held) == (2, 2, 20, 6)
    assert {row["why"] for row in found.rows.values()} == {"not at the source"}


def test_nothing_gone_is_an_empty_list(tmp_path: Path) -> None:
    rows = [entry(b"", b"a")]
    found = plan(tmp_path, at_source(*rows), rows)
    assert found.order == []
    assert found.found.groups == ()


def test_foreign_entries_are_listed_and_go_only_with_consent(tmp_path: Path) -> None:
    ours, theirs = entry(b"", b"ours"), entry(b"", b"theirs")
    found = plan(tmp_path, at_source(), [ours, theirs], [_put(ours)])
    assert found.goes == [b"ours"]
    assert found.foreign == [b"theirs"]
    assert (found.found.foreign_files, found.found.files) == (1, 1)
    assert found.groups == [[b"ours"]]
    agreed = plan(tmp_path, at_source(), [ours, theirs], [_put(ours)], Rules(objects=False, foreign=True))
    assert agreed.goes == [b"ours", b"theirs"]
    assert agreed.found.foreign_files == 0


@pytest.mark.parametrize("changes", [{"size": 11}, {"mtime_ns": 9 * 10**9}, {"kind": int(Kind.SYMLINK)}])
def test_a_file_that_somebody_changed_since_is_foreign(tmp_path: Path, changes: dict[str, Any]) -> None:
    row = entry(b"", b"a")
    found = plan(tmp_path, at_source(), [{**row, **changes}], [_put(row)])
    assert found.goes == []
    assert found.rows[b"a"]["why"] == "changed since xsync put it there"


def test_times_that_were_not_kept_or_are_coarse_make_nothing_foreign(tmp_path: Path) -> None:
    row = entry(b"", b"a", mtime_ns=10**10 + 999)
    assert plan(tmp_path, at_source(), [{**row, "mtime_ns": 10**10}], [_put(row)]).goes == [b"a"]
    other = {**row, "mtime_ns": 77 * 10**9}
    assert plan(tmp_path, at_source(), [other], [_put(row)]).goes == []
    assert plan(tmp_path, at_source(), [other], [_put(row)], Rules(objects=False, times_kept=False)).goes == [b"a"]


def test_files_out_of_a_bucket_are_known_by_their_size(tmp_path: Path) -> None:
    rules = Rules(objects=False, from_objects=True)
    row = entry(b"", b"a", mtime_ns=77 * 10**9)
    assert plan(tmp_path, at_source(), [{**row, "mtime_ns": 5}], [_put(row)], rules).goes == [b"a"]
    link = {**row, "kind": int(Kind.SYMLINK), "size": 3}
    assert plan(tmp_path, at_source(), [link], [_put(row)], rules).goes == [b"a"]
    assert plan(tmp_path, at_source(), [{**row, "size": 99}], [_put(row)], rules).goes == []


def test_an_object_that_somebody_replaced_is_foreign(tmp_path: Path) -> None:
    row = entry(b"", b"a", etag="e1")
    assert plan(tmp_path, at_source(), [row], [_put(row)], OBJECTS).goes == [b"a"]
    assert plan(tmp_path, at_source(), [{**row, "etag": "e2"}], [_put(row)], OBJECTS).goes == []
    # its times are those of its upload
    assert plan(tmp_path, at_source(), [{**row, "mtime_ns": 5}], [_put(row)], OBJECTS).goes == [b"a"]


@pytest.mark.parametrize("action", [Action.FAILED, Action.DELETED])
def test_the_newest_fact_decides(tmp_path: Path, action: Action) -> None:
    row = entry(b"", b"a")
    newer = _put(row) | {"action": int(action), "finished_ns": 9_000}
    assert plan(tmp_path, at_source(), [row], [newer]).goes == []


@pytest.mark.parametrize("action", [Action.SKIPPED, Action.NOT_DELETED])
def test_what_left_the_destination_alone_is_no_fact(tmp_path: Path, action: Action) -> None:
    row = entry(b"", b"a")
    first = write_results(tmp_path / "first.parquet", results_table([_put(row)])).path
    later = _put(row) | {"action": int(action), "finished_ns": 9_000, "reason": "vanished"}
    second = write_results(tmp_path / "second.parquet", results_table([later])).path
    source = write_entries(tmp_path / "entries.parquet", entries_table(at_source())).path
    held = write_entries(tmp_path / "held.parquet", entries_table([ROOT, row])).path
    listing = sort_listing([held], tmp_path / "sorted.parquet")
    out = tmp_path / "out.parquet"
    assert write_deletions(listing, Source([source], (), [first, second]), FILES, out).files == 1


def test_excluded_rows_of_either_side_are_never_candidates(tmp_path: Path) -> None:
    hidden = entry(b"", b"hidden")
    theirs = entry(b"", b"x.tmp", fate=int(Fate.EXCLUDED))
    source = at_source({**hidden, "fate": int(Fate.EXCLUDED)})
    assert plan(tmp_path, source, [hidden, theirs]).order == []


@pytest.mark.parametrize("shield", [{"fate": int(Fate.EXCLUDED)}, {"kind": int(Kind.SPECIAL)}])
def test_what_the_source_excludes_or_never_copies_shields_both_forms(tmp_path: Path, shield: dict[str, Any]) -> None:
    source = at_source({**entry(b"", b"a"), **shield})
    for objects in (False, True):
        held = [entry(b"", b"a", Kind.FOLDER, etag="e")]
        assert plan(tmp_path, source, held, rules=Rules(objects)).order == []


def test_filters_are_asked_again_about_each_candidate(tmp_path: Path) -> None:
    filters = Filters(FilterSpec(include=("/in",)))
    rules = Rules(False, wanted=lambda path: filters.fate(path, False) is Fate.CANDIDATE)
    held = [entry(b"", b"in", Kind.FOLDER), entry(b"in", b"a"), entry(b"", b"out", Kind.FOLDER), entry(b"out", b"b")]
    assert plan(tmp_path, at_source(), held, rules=rules).goes == [b"in", b"in/a"]


def test_a_folder_that_leads_to_what_is_included_is_outside(tmp_path: Path) -> None:
    filters = Filters(FilterSpec(include=("/a/b",)))
    rules = Rules(False, wanted=lambda path: filters.fate(path, False) is Fate.CANDIDATE)
    held = [entry(b"", b"a", Kind.FOLDER), entry(b"a", b"b", Kind.FOLDER), entry(b"a/b", b"c")]
    assert plan(tmp_path, at_source(), held, rules=rules).goes == [b"a/b", b"a/b/c"]


@pytest.mark.parametrize(
    "stays",
    [
        entry(b"d/e", b"theirs", inode=5),
        entry(b"d/e", b"x.tmp", fate=int(Fate.EXCLUDED)),
        entry(b"d/e", b"unreadable", fate=int(Fate.UNREADABLE)),
        entry(b"d/e", b"skipped", Kind.FOLDER, fate=int(Fate.EXCLUDED)),
    ],
)
def test_a_folder_stays_while_it_holds_what_stays(tmp_path: Path, stays: Row) -> None:
    folders = [entry(b"", b"d", Kind.FOLDER), entry(b"d", b"e", Kind.FOLDER), entry(b"d", b"f", Kind.FOLDER)]
    held = [*folders, entry(b"d/e", b"ours"), stays]
    found = plan(tmp_path, at_source(), held, [_put(row) for row in held if row is not stays])
    assert found.goes == [b"d/e/ours", b"d/f"]


def test_a_marker_stays_above_a_prefix_that_holds_what_stays(tmp_path: Path) -> None:
    marker, prefix = entry(b"", b"d", Kind.FOLDER, etag="e"), entry(b"d", b"p", Kind.FOLDER)
    theirs, ours = entry(b"d/p", b"theirs", etag="t"), entry(b"d/p", b"ours", etag="o")
    found = plan(tmp_path, at_source(), [marker, prefix, theirs, ours], [_put(marker), _put(ours)], OBJECTS)
    assert found.goes == [b"d/p/ours"]
    alone = plan(tmp_path, at_source(), [marker, prefix, ours], [_put(marker), _put(ours)], OBJECTS)
    assert alone.goes == [b"d", b"d/p/ours"]
    assert (alone.found.folders, alone.found.foreign_folders, alone.found.held) == (1, 0, 2)


def test_a_side_object_keeps_no_folder_of_a_bucket(tmp_path: Path) -> None:
    marker, ours = entry(b"", b"d", Kind.FOLDER, etag="m"), entry(b"d", b"f", etag="e")
    side = entry(b"d", SIDE_PREFIX + b"0123", fate=int(Fate.EXCLUDED), etag="s")
    assert plan(tmp_path, at_source(), [marker, ours, side], rules=OBJECTS).goes == [b"d", b"d/f"]
    assert plan(tmp_path, at_source(), [marker, ours, side]).goes == [b"d/f"]


def test_a_file_where_the_source_has_a_folder_is_left_to_copying(tmp_path: Path) -> None:
    source = at_source(entry(b"", b"a", Kind.FOLDER), entry(b"a", b"x"))
    assert plan(tmp_path, source, [entry(b"", b"a")]).order == []


def test_a_folder_where_the_source_has_a_file_goes_as_an_old_form(tmp_path: Path) -> None:
    held = [entry(b"", b"a", Kind.FOLDER), entry(b"a", b"x")]
    found = plan(tmp_path, at_source(entry(b"", b"a")), held)
    assert found.goes == [b"a", b"a/x"]
    assert [(group.rows, group.old_form) for group in found.found.groups] == [(1, False), (1, True)]
    assert (found.found.files, found.found.folders) == (1, 0)
    assert found.rows[b"a"]["why"] == "a file at the source now"
    never = plan(tmp_path, at_source(entry(b"", b"a")), held, rules=Rules(False, overwrites=False))
    assert never.goes == [b"a/x"]


def test_old_forms_of_objects_go_if_xsync_put_them_there(tmp_path: Path) -> None:
    source = at_source(entry(b"", b"a", Kind.FOLDER), entry(b"", b"b"))
    old = [entry(b"", b"a", etag="file"), entry(b"", b"b", Kind.FOLDER, etag="marker")]
    new = [entry(b"", b"a", Kind.FOLDER, etag="marker2"), entry(b"", b"b", etag="file2")]
    facts = [_put(row) for row in old] + [_put(row, finished_ns=9_000) for row in new]
    first = write_results(tmp_path / "1.parquet", results_table(facts[:2])).path
    second = write_results(tmp_path / "2.parquet", results_table(facts[2:])).path
    entries = write_entries(tmp_path / "entries.parquet", entries_table(source)).path
    held = write_entries(tmp_path / "held.parquet", entries_table([ROOT, *old, *new])).path
    out = tmp_path / "out.parquet"
    listing = sort_listing([held], tmp_path / "sorted.parquet")
    found = Plan(write_deletions(listing, Source([entries], (), [first, second]), OBJECTS, out), out)
    assert found.goes == [b"a", b"b"]
    assert all(group.old_form for group in found.found.groups)
    assert (found.found.files, found.found.folders) == (0, 0)
    assert plan(tmp_path, source, [*old, *new], [_put(row) for row in new], OBJECTS).goes == []


def test_an_escaped_key_of_a_live_file_is_no_candidate(tmp_path: Path) -> None:
    """A valid name that looks escaped is read back as another path: with consent its object would be deleted."""
    literal = entry(b"", "a\u201bFF".encode())
    listed_as = entry(b"", b"a\xff", etag="e")
    agreed = Rules(objects=True, foreign=True)
    assert plan(tmp_path, at_source(literal), [listed_as], rules=agreed).order == []
    inside = [entry(b"", "d\u201bFE".encode(), Kind.FOLDER), entry("d\u201bFE".encode(), b"x")]
    seen = [entry(b"", b"d\xfe", Kind.FOLDER, etag="m"), entry(b"d\xfe", b"x", etag="e")]
    assert plan(tmp_path, at_source(*inside), seen, rules=agreed).order == []
    assert plan(tmp_path, at_source(entry(b"", b"a\xff")), [listed_as], rules=agreed).order == []
    in_files = plan(tmp_path, at_source(literal), [entry(b"", b"a\xff")], rules=Rules(False, foreign=True))
    assert in_files.goes == [b"a\xff"]


def test_below_a_mount_that_is_not_entered_nothing_goes(tmp_path: Path) -> None:
    source = at_source(entry(b"", b"m", Kind.FOLDER, dev=99), entry(b"", b"x"))
    held = [entry(b"", b"m", Kind.FOLDER), entry(b"m", b"d", Kind.FOLDER), entry(b"m/d", b"a"), entry(b"", b"x")]
    file = write_entries(tmp_path / "probe.parquet", entries_table(source)).path
    mounts = not_entered([file], tmp_path / "spill")
    assert mounts == {b"m"}
    found = plan(tmp_path, source, held, rules=Rules(False, mounts=mounts))
    assert found.goes == []
    assert found.found.below_mount == b"m/d"
    unknown = plan(tmp_path, source, held, [], Rules(False, mounts=mounts, foreign=True))
    assert unknown.goes == []
    assert unknown.found.below_mount is None


def test_ages_are_those_of_the_source_and_what_has_none_stays(tmp_path: Path) -> None:
    old, young = entry(b"", b"old", mtime_ns=10 * 10**9), entry(b"", b"young", mtime_ns=50 * 10**9)
    rules = Rules(True, ages=(None, 20 * 10**9), foreign=True)
    held = [{**old, "mtime_ns": 1, "etag": ""}, {**young, "mtime_ns": 1, "etag": ""}, entry(b"", b"theirs", mtime_ns=1)]
    found = plan(tmp_path, at_source(), held, [_put(old), _put(young)], rules)
    assert found.goes == [b"old"]
    assert found.order == [b"old"]


def test_sizes_outside_the_filters_stay(tmp_path: Path) -> None:
    held = [entry(b"", b"small", size=1), entry(b"", b"right", size=5), entry(b"", b"large", size=9)]
    assert plan(tmp_path, at_source(), held, rules=Rules(False, sizes=(2, 8))).goes == [b"right"]


def test_only_valid_listings_of_the_source_count(tmp_path: Path) -> None:
    stale = [entry(b"", b"a", listing=1), entry(b"", b"b", listing=2)]
    source = [ROOT, *stale, listed(b"", listing=2)]
    assert plan(tmp_path, source, [entry(b"", b"a"), entry(b"", b"b")]).goes == [b"a"]


def test_the_list_is_cut_into_batches_that_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion_list, "UNIT_ROWS", 3)
    held = [entry(b"", b"%02d" % number) for number in range(8)]
    found = plan(tmp_path, at_source(), held)
    assert [len(group) for group in found.groups] == [3, 3, 2]
    assert sorted(path for group in found.groups for path in group) == found.goes


def test_what_the_source_could_not_tell_is_counted(tmp_path: Path) -> None:
    rows = [ROOT, entry(b"", b"a", fate=int(Fate.UNREADABLE)), listed(b""), listed(b"d", error="EIO")]
    file = write_entries(tmp_path / "entries.parquet", entries_table(rows)).path
    assert listing_errors([file], tmp_path / "spill") == 2
    fine = write_entries(tmp_path / "fine.parquet", entries_table(at_source(entry(b"", b"a")))).path
    assert listing_errors([fine], tmp_path / "spill") == 0


def test_a_source_of_folders_alone_is_empty(tmp_path: Path) -> None:
    excluded = entry(b"", b"x", fate=int(Fate.EXCLUDED))
    rows = at_source(entry(b"", b"d", Kind.FOLDER), excluded)
    folders = write_entries(tmp_path / "1.parquet", entries_table(rows)).path
    files = write_entries(tmp_path / "2.parquet", entries_table(at_source(entry(b"", b"a")))).path
    assert is_empty([folders], tmp_path / "spill")
    assert not is_empty([files], tmp_path / "spill")
    assert is_empty([], tmp_path / "spill")
