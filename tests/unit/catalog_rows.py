"""Rows of listings and results, as catalog tests need them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Action, Fate, Kind
from engine.transfer.units import RESULT_SCHEMA

_NUMBERS = {"mtime_ns": 1_000, "ctime_ns": 1_000, "dev": 7, "inode": 1, "mode": 0o100644, "uid": 0, "gid": 0}


def entry(folder: bytes, name: bytes, kind: Kind = Kind.FILE, **values: Any) -> dict[str, Any]:
    """One row of ENTRY_SCHEMA."""
    common = {"dir": folder, "name": name, "kind": int(kind), "fate": int(Fate.CANDIDATE), "task": 0, "listing": 1}
    return common | _NUMBERS | {"size": 10 if kind == Kind.FILE else 0} | values


def listed(folder: bytes, **values: Any) -> dict[str, Any]:
    """The LISTED row of a folder."""
    return entry(folder, b"", Kind.LISTED, **values)


def result(of: Mapping[str, Any], action: Action = Action.TRANSFERRED, **values: Any) -> dict[str, Any]:
    """One row of RESULT_SCHEMA about an entry."""
    same = {name: of[name] for name in ("dir", "name", "kind", "task", "size", *_NUMBERS)}
    sent = of["size"] if action == Action.TRANSFERRED and of["kind"] == Kind.FILE else 0
    return same | {"action": int(action), "sent_bytes": sent, "finished_ns": 5_000, "agent": "a1"} | values


def entries_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table in ENTRY_SCHEMA."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=ENTRY_SCHEMA)


def results_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table in RESULT_SCHEMA."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=RESULT_SCHEMA)


def names(table: pa.Table) -> list[bytes]:
    """The names in a table, in order."""
    found: list[bytes] = table["name"].to_pylist()
    return found
