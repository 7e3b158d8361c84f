"""The ledger adds up whatever happens, and agrees with what a resume counts from the segments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.segments import write_entries, write_results
from engine.catalog.totals import count
from engine.execution.ledger import Ledger
from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Action, Fate, Kind, Totals
from engine.transfer.units import RESULT_SCHEMA

KINDS = st.sampled_from([Kind.FILE, Kind.FILE, Kind.SYMLINK, Kind.SPECIAL, Kind.FOLDER])
FATES = st.sampled_from([Fate.CANDIDATE, Fate.CANDIDATE, Fate.CANDIDATE, Fate.EXCLUDED, Fate.UNREADABLE])
ENTRIES = st.lists(st.tuples(KINDS, FATES, st.integers(0, 2), st.integers(0, 10**6)), max_size=40)
ACTIONS = st.lists(st.sampled_from([None, Action.TRANSFERRED, Action.SKIPPED, Action.FAILED]), min_size=40, max_size=40)


def listed(entries: list[tuple[Kind, Fate, int, int]]) -> list[dict[str, Any]]:
    return [
        {"dir": b"", "name": b"n%03d" % number, "kind": kind, "fate": fate, "task": task, "size": size, "listing": 1}
        | {"mtime_ns": number, "ctime_ns": number, "dev": 1, "inode": number}
        for number, (kind, fate, task, size) in enumerate(entries)
    ]


def decided(rows: list[dict[str, Any]], actions: list[Action | None]) -> list[dict[str, Any]]:
    return [
        {name: row[name] for name in ("dir", "name", "kind", "task", "size", "mtime_ns", "ctime_ns", "dev", "inode")}
        | {"action": int(action), "reason": "because", "sent_bytes": row["size"], "finished_ns": 1}
        for row, action in zip(rows, actions, strict=False)
        if action and row["fate"] == Fate.CANDIDATE and row["kind"] != Kind.SPECIAL
    ]


def table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


@given(ENTRIES, ACTIONS)
def test_it_always_adds_up(entries: list[tuple[Kind, Fate, int, int]], actions: list[Action | None]) -> None:
    ledger = Ledger([Totals()] * 3)
    rows = listed(entries)
    ledger.listed(table(rows, ENTRY_SCHEMA))
    ledger.acted(table(decided(rows, actions), RESULT_SCHEMA))
    totals = ledger.totals(listing_complete=True)
    files = totals.files
    assert files.discovered == sum(kind != Kind.FOLDER for kind, *_ in entries)
    assert files.discovered == files.transferred + files.skipped + files.failed + files.excluded + files.pending
    assert files.pending >= 0
    assert totals.folders.pending >= 0
    assert totals.bytes.pending >= 0
    assert files.pending or not totals.bytes.pending
    sizes = {
        failed: sum(
            row["size"]
            for row in decided(rows, actions)
            if row["kind"] != Kind.FOLDER and (row["action"] == Action.FAILED) is failed
        )
        for failed in (True, False)
    }
    assert totals.bytes.failed == sizes[True]
    special = sum(size for kind, fate, _, size in entries if kind == Kind.SPECIAL and fate == Fate.CANDIDATE)
    assert not files.pending or totals.bytes.done == sizes[False] + special


@settings(max_examples=15, deadline=None)
@given(ENTRIES, ACTIONS)
def test_a_resume_counts_the_same(
    tmp_path_factory: Any, entries: list[tuple[Kind, Fate, int, int]], actions: list[Action | None]
) -> None:
    folder: Path = tmp_path_factory.mktemp("segments")
    rows = listed(entries)
    closing = {"dir": b"", "name": b"", "kind": Kind.LISTED, "fate": 0, "task": 0, "size": len(rows), "listing": 1}
    entry_table = table([*rows, closing], ENTRY_SCHEMA)
    results = [row for row in decided(rows, actions) if row["action"] != Action.FAILED]
    result_table = table(results, RESULT_SCHEMA)
    ledger = Ledger([Totals()] * 3)
    ledger.listed(entry_table)
    ledger.acted(result_table)
    segments = [write_entries(folder / "e.parquet", entry_table).path]
    counted = count(segments, [write_results(folder / "r.parquet", result_table).path], folder / "spill")
    assert [counted.tasks.get(index, Totals()) for index in range(3)] == list(ledger.by_task().values())
