"""Rows for what the coordinator itself decides: entries and folders that killed every agent that touched them."""

from __future__ import annotations

import time

import pyarrow as pa

from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Action, Fate, Kind
from engine.transfer.units import RESULT_SCHEMA, from_ipc


def failed_rows(entries: bytes, reason: str, detail: str) -> pa.Table:
    """RESULT_SCHEMA rows that fail ENTRY_SCHEMA rows (an IPC stream)."""
    rows = from_ipc(entries)
    columns = {name: rows[name] for name in RESULT_SCHEMA.names if name in ENTRY_SCHEMA.names}
    same = {"action": int(Action.FAILED), "reason": reason, "detail": detail, "finished_ns": time.time_ns()}
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
