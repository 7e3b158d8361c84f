"""The audit trail of an execution: ``files.parquet``, one row for each entry acted on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.catalog.database import database, stream
from engine.catalog.facts import newest_results, valid_entries
from engine.catalog.files import replacing
from engine.catalog.segments import results_writer
from engine.catalog.totals import MEMORY_BYTES, NOT_LISTED, UNREADABLE
from engine.model import Action, Fate, Kind

FILES_SCHEMA = pa.schema(
    [
        ("dir", pa.binary()),
        ("name", pa.binary()),
        ("kind", pa.string()),
        ("task", pa.uint16()),
        ("action", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("sent_bytes", pa.int64()),
        ("checksum", pa.uint64()),
        ("etag", pa.string()),
        ("verified", pa.string()),
        ("agent", pa.string()),
        ("finished_ns", pa.int64()),
    ]
)
"""kind: file, folder, symlink, special. action: transferred, skipped, failed. The rest as in RESULT_SCHEMA."""

_KINDS = {Kind.FILE: "file", Kind.FOLDER: "folder", Kind.SYMLINK: "symlink", Kind.SPECIAL: "special"}
_ACTIONS = {Action.TRANSFERRED: "transferred", Action.SKIPPED: "skipped", Action.FAILED: "failed"}


def write_files_parquet(entries: Sequence[Path], results: Sequence[Path], out: Path) -> int:
    """Write what became of each entry that was transferred, failed, or skipped for a reason; return how many.

    Excluded and unchanged entries have no row. Sorted by (dir, name). Memory is flat. Raises OSError.
    """
    parts = [*_from_results(results), *_from_listing(entries)]
    query = f"SELECT * FROM ({' UNION ALL BY NAME '.join(parts)}) ORDER BY dir, name"
    rows = 0
    with (
        database(out.with_name(f".{out.name}.spill"), MEMORY_BYTES) as connection,
        replacing(out) as file,
        results_writer(file, FILES_SCHEMA) as writer,
    ):
        for table in stream(connection, query) if parts else ():
            writer.write_table(table.select(FILES_SCHEMA.names).cast(FILES_SCHEMA))
            rows += table.num_rows
    return rows


def _from_results(results: Sequence[Path]) -> Iterator[str]:
    if results:
        same = [name for name in FILES_SCHEMA.names if name not in ("dir", "name", "kind", "action")]
        newest = newest_results(results, ["kind", "action", *same])
        kind, action = _named("kind", _KINDS), _named("action", _ACTIONS)
        yield f"SELECT dir, name, {kind} AS kind, {action} AS action, {', '.join(same)} FROM {newest}"


def _from_listing(entries: Sequence[Path]) -> Iterator[str]:
    """What listing alone decided: unreadable entries, special files, folders that could not be listed."""
    if not entries:
        return
    valid = valid_entries(entries)
    absent = ", ".join(f"NULL AS {name}" for name in FILES_SCHEMA.names[7:] if name != "mtime_ns")
    unreadable, special = f"fate = {int(Fate.UNREADABLE)}", f"fate = 0 AND kind = {int(Kind.SPECIAL)}"
    for where, kind, action, reason in (
        (unreadable, _named("kind", _KINDS), "failed", UNREADABLE),
        (special, "'special'", "skipped", "special"),
        (f"kind = {int(Kind.LISTED)} AND error IS NOT NULL", "'folder'", "failed", NOT_LISTED),
    ):
        yield f"""
            SELECT dir, name, {kind} AS kind, task, '{action}' AS action, '{reason}' AS reason, error AS detail,
                   mtime_ns, {absent} FROM {valid} WHERE {where}"""


def _named(column: str, names: Mapping[Any, str]) -> str:
    cases = " ".join(f"WHEN {int(value)} THEN '{name}'" for value, name in names.items())
    return f"CASE {column} {cases} END"
