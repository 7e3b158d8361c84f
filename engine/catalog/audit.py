"""The audit trail of an execution: ``files.parquet``, one row for each entry acted on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.database import Connection, database, stream
from engine.catalog.facts import valid_entries
from engine.catalog.files import replacing
from engine.catalog.merging import give_back, grouped, merged, newest_rows, read
from engine.catalog.segments import results_writer
from engine.catalog.totals import MEMORY_BYTES, NOT_LISTED, reason_in_listing
from engine.errors import JournalError
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
"""kind: file, folder, symlink, special. action: transferred, skipped, failed, deleted, not_deleted. The rest as in
RESULT_SCHEMA."""


class FailedPath(NamedTuple):
    """A path that failed; ``whole``: a folder that could not be listed, so that what it holds is unknown."""

    path: bytes
    is_folder: bool
    whole: bool


_KINDS = {
    Kind.FILE: "file",
    Kind.FOLDER: "folder",
    Kind.SYMLINK: "symlink",
    Kind.SPECIAL: "special",
    Kind.DEVICE: "device",
}
_ACTIONS = {action: action.name.lower() for action in Action}


def write_files_parquet(entries: Sequence[Path], results: Sequence[Path], out: Path) -> int:
    """Write what became of each entry that was transferred, failed, or skipped for a reason; return how many.

    Excluded and unchanged entries have no row. Sorted by (dir, name). Memory is flat. Raises OSError, JournalError.
    """
    count = 0
    with (
        database(out.with_name(f".{out.name}.spill"), MEMORY_BYTES) as connection,
        replacing(out) as file,
        results_writer(file, FILES_SCHEMA) as writer,
    ):
        for rows in grouped(merged([_from_results(results), _from_listing(connection, entries)])):
            writer.write_table(rows)
            count += rows.num_rows
    give_back()
    return count


def read_files_parquet(path: Path) -> Iterator[pa.Table]:
    """The rows of an audit trail in batches, so that memory stays flat. Raises JournalError if it cannot be read."""
    try:
        yield from read(path, FILES_SCHEMA.names)
    except (OSError, pa.ArrowException) as error:
        why = getattr(error, "strerror", None) or error
        raise JournalError(f"{path} cannot be read: {why}. The report itself is whole: xsync report") from error


def path_of_row(row: dict[str, Any]) -> bytes:
    """The path of a row; b"" is the root. A folder that could not be listed has its whole path in ``dir``."""
    folder, name = row["dir"], row["name"]
    path: bytes = folder + b"/" + name if folder and name else folder or name
    return path


def failed_paths(path: Path) -> Iterator[FailedPath]:
    """What failed, of an audit trail. Raises OSError."""
    for rows in read(path, ["dir", "name", "kind", "action", "reason"]):
        for row in rows.filter(pc.equal(rows["action"], "failed")).to_pylist():
            yield FailedPath(path_of_row(row), row["kind"] == "folder", row["reason"] == NOT_LISTED)


def _from_results(results: Sequence[Path]) -> Iterator[pa.Table]:
    for rows in newest_rows(results, FILES_SCHEMA.names) if results else ():
        kind, action = _named(rows["kind"], _KINDS), _named(rows["action"], _ACTIONS)
        named = rows.set_column(2, "kind", kind).set_column(4, "action", action)
        yield named.cast(FILES_SCHEMA)


def _from_listing(connection: Connection, entries: Sequence[Path]) -> Iterator[pa.Table]:
    """What listing alone decided: unreadable entries, special files, folders that could not be listed."""
    if not entries:
        return
    unreadable, not_listed = f"fate = {int(Fate.UNREADABLE)}", f"kind = {int(Kind.LISTED)}"
    listed = valid_entries(entries, failed=True)
    query = f"""
        SELECT dir, name, kind, task, error, mtime_ns, {unreadable} AS unreadable FROM {listed}
        WHERE {unreadable} OR ({not_listed} AND error IS NOT NULL) OR (fate = 0 AND kind = {int(Kind.SPECIAL)})
        ORDER BY dir, name"""
    for rows in stream(connection, query):
        found = [_listed(row) for row in rows.to_pylist()]
        yield pa.Table.from_pylist(found, schema=FILES_SCHEMA)


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    """The row of an entry that was never given to an agent."""
    kept = {column: row[column] for column in ("dir", "name", "task", "mtime_ns")} | {"detail": row["error"]}
    if row["kind"] == Kind.LISTED:
        return kept | {"kind": "folder", "action": "failed", "reason": NOT_LISTED}
    if row["unreadable"]:
        reason, detail = reason_in_listing(row["error"])
        return kept | {"kind": _KINDS[Kind(row["kind"])], "action": "failed", "reason": reason, "detail": detail}
    return kept | {"kind": "special", "action": "skipped", "reason": "special"}


def _named(column: pa.ChunkedArray, names: Mapping[Any, str]) -> pa.ChunkedArray:
    """The names of enum values."""
    by_value = pa.array([names.get(value) for value in range(max(names) + 1)], pa.string())
    return pc.take(by_value, column)
