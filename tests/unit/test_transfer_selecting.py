"""Which rows of a scan count: ages, sizes, and lists of paths beside which nothing is counted."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.errors import UsageError
from engine.filters import Filters, only_record, read_only
from engine.locations.listing import ENTRY_SCHEMA, ScanLimit
from engine.locations.posix_scan import scan_folders
from engine.model import Fate, FilterSpec, Kind
from engine.planning.partition import TaskSelector
from engine.transfer.selecting import selected

BEGAN = 1_700_000_000.5
SECOND = 10**9


def rows(*found: dict[str, Any]) -> pa.Table:
    base = {"dir": b"", "task": 0, "kind": int(Kind.FILE), "fate": int(Fate.CANDIDATE), "size": 1}
    return pa.Table.from_pylist([base | row for row in found], schema=ENTRY_SCHEMA)


def kept(spec: FilterSpec, table: pa.Table) -> list[bytes]:
    found = selected(table, Filters(spec), BEGAN)
    assert found.schema.equals(ENTRY_SCHEMA)
    assert found.num_rows == table.num_rows
    return [row["name"] for row in found.to_pylist() if row["fate"] == Fate.CANDIDATE]


def aged(name: bytes, nanoseconds: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "mtime_ns": round(BEGAN * SECOND) - nanoseconds} | more


def test_ages_count_from_the_start_of_the_execution_ends_included() -> None:
    table = rows(
        aged(b"future", -5),
        aged(b"young", 10 * SECOND - 1),
        aged(b"least", 10 * SECOND),
        aged(b"most", 20 * SECOND),
        aged(b"old", 20 * SECOND + 1),
        {"name": b"unknown", "mtime_ns": None},
    )
    assert kept(FilterSpec(min_age_seconds=10), table) == [b"least", b"most", b"old", b"unknown"]
    assert kept(FilterSpec(max_age_seconds=20), table) == [b"future", b"young", b"least", b"most", b"unknown"]
    assert kept(FilterSpec(min_age_seconds=10, max_age_seconds=20), table) == [b"least", b"most", b"unknown"]


def test_sizes_ends_included() -> None:
    table = rows(*({"name": str(size).encode(), "size": size} for size in (0, 1, 9, 10, 11)))
    assert kept(FilterSpec(min_size_bytes=1, max_size_bytes=10), table) == [b"1", b"9", b"10"]
    assert kept(FilterSpec(min_size_bytes=0), table) == [b"0", b"1", b"9", b"10", b"11"]


def test_only_files_are_judged_and_what_is_decided_stays() -> None:
    young = {"mtime_ns": round(BEGAN * SECOND)}
    table = rows(
        {"name": b"folder", "kind": int(Kind.FOLDER)} | young,
        {"name": b"link", "kind": int(Kind.SYMLINK)} | young,
        {"name": b"file"} | young,
        {"name": b"secret", "fate": int(Fate.UNREADABLE)} | young,
        {"name": b"", "kind": int(Kind.LISTED)} | young,
    )
    found = selected(table, Filters(FilterSpec(min_age_seconds=60, max_size_bytes=0)), BEGAN)
    assert found["fate"].to_pylist() == [Fate.CANDIDATE, Fate.CANDIDATE, Fate.EXCLUDED, Fate.UNREADABLE, Fate.CANDIDATE]


def test_without_limits_the_rows_are_the_same() -> None:
    table = rows({"name": b"a"})
    assert selected(table, Filters(FilterSpec()), BEGAN) is table


def only(folder: Path, *records: bytes) -> str:
    path = folder / "only.list"
    path.write_bytes(b"".join(records))
    return str(path)


def test_beside_a_list_nothing_is_listed_or_counted(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for path in ("a/deep/wanted", "a/deep/rest", "a/rest", "b/rest", "whole/x/y", "whole/x/out.tmp", "top"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    odd = b"a/\xff\n*|"
    (tmp_path / "root" / "a").joinpath("plain").write_bytes(b"x")
    with open(bytes(root) + b"/" + odd, "wb") as file:
        file.write(b"x")
    listed = only(
        tmp_path,
        only_record(b"a/deep/wanted", whole=False),
        only_record(odd, whole=False),
        only_record(b"gone", whole=False),
        only_record(b"whole", whole=True),
    )
    filters = Filters(FilterSpec(exclude=("*.tmp",), only=listed))
    batch = scan_folders(bytes(root), [b""], ScanLimit(seconds=60.0), TaskSelector(filters), 1)
    found = selected(batch.rows, filters, BEGAN).to_pylist()
    paths = {
        (row["dir"] + b"/" + row["name"] if row["dir"] else row["name"], row["fate"])
        for row in found
        if row["kind"] != Kind.LISTED
    }
    assert paths == {
        (b"", Fate.CANDIDATE),
        (b"a", Fate.CANDIDATE),
        (b"a/deep", Fate.CANDIDATE),
        (b"a/deep/wanted", Fate.CANDIDATE),
        (odd, Fate.CANDIDATE),
        (b"whole", Fate.CANDIDATE),
        (b"whole/x", Fate.CANDIDATE),
        (b"whole/x/y", Fate.CANDIDATE),
        (b"whole/x/out.tmp", Fate.EXCLUDED),
    }
    listings = {row["dir"] for row in found if row["kind"] == Kind.LISTED}
    assert listings == {b"", b"a", b"a/deep", b"whole", b"whole/x"}
    assert pickle.loads(pickle.dumps(filters)).enters(b"whole/x")


def test_the_root_as_a_whole_is_everything(tmp_path: Path) -> None:
    filters = Filters(FilterSpec(only=only(tmp_path, only_record(b"", whole=True))))
    assert filters.enters(b"a/b") and filters.fate(b"a/b/c", False) is Fate.CANDIDATE and filters.trivial(b"a")


def test_a_list_that_is_cut_short_is_no_list(tmp_path: Path) -> None:
    assert read_only(only(tmp_path)) == (frozenset(), frozenset())
    for damaged in (b"=a\0=b", b"a\0", b"\0"):
        with pytest.raises(UsageError, match="cut short"):
            read_only(only(tmp_path, damaged))
    with pytest.raises(UsageError, match="cannot be read"):
        read_only(str(tmp_path / "missing"))
