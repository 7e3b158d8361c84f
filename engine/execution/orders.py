"""Rows for what the coordinator itself decides: entries and folders that killed every agent that touched them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from engine.locations.listing import ENTRY_SCHEMA
from engine.model import ADOPTED, NOT_AT_SOURCE, Action, Fate, Kind
from engine.transfer.units import RESULT_SCHEMA, from_ipc

_IS_FOLDER = "it is a folder: a manifest names files; for all that is in a folder use an include filter"


def failed_rows(entries: bytes, reason: str, detail: str, action: Action = Action.FAILED) -> pa.Table:
    """RESULT_SCHEMA rows that fail ENTRY_SCHEMA rows (an IPC stream); restored links have their results already."""
    if "kind" not in from_ipc(entries).column_names:
        return RESULT_SCHEMA.empty_table()
    return _rows(from_ipc(entries), {"action": int(action), "reason": reason, "detail": detail})


def adopted_rows(entries: pa.Table) -> pa.Table:
    """RESULT_SCHEMA rows of entries that the destination holds; their ``known_etag`` is what its listing says."""
    etags = entries["known_etag"]
    found = entries.set_column(entries.schema.get_field_index("etag"), "etag", etags)
    return _rows(found, {"action": int(Action.SKIPPED), "reason": ADOPTED, "sent_bytes": 0})


def absent_rows(paths: Iterable[tuple[bytes, bool]]) -> pa.Table:
    """RESULT_SCHEMA rows that fail paths which a manifest lists and the source has not, or has as folders (True)."""
    now, found = time.time_ns(), []
    for path, is_folder in paths:
        folder, _, name = path.rpartition(b"/")
        row = {"dir": folder, "name": name, "kind": int(Kind.FILE), "task": 0, "action": int(Action.FAILED)}
        detail = _IS_FOLDER if is_folder else "the manifest names it"
        found.append(row | {"reason": NOT_AT_SOURCE, "detail": detail, "finished_ns": now})
    return pa.Table.from_pylist(found, schema=RESULT_SCHEMA)


def _rows(rows: pa.Table, values: Mapping[str, Any]) -> pa.Table:
    columns = {name: rows[name] for name in RESULT_SCHEMA.names if name in ENTRY_SCHEMA.names}
    same = {"finished_ns": time.time_ns(), **values}
    for field in RESULT_SCHEMA:
        if field.name not in columns:
            value = pa.scalar(same.get(field.name), field.type)
            columns[field.name] = pa.repeat(value, rows.num_rows)
    return pa.table([columns[name] for name in RESULT_SCHEMA.names], schema=RESULT_SCHEMA)


def failed_folder(folder: bytes, listing: int, reason: str) -> pa.Table:
    """The LISTED row (ENTRY_SCHEMA) of a folder that cannot be listed."""
    row = {
        "dir": folder,
        "name": b"",
        "kind": int(Kind.LISTED),
        "fate": int(Fate.CANDIDATE),
        "task": 0,
        "listing": listing,
        "size": 0,
        "error": reason,
    }
    return pa.Table.from_pylist([row], schema=ENTRY_SCHEMA)
