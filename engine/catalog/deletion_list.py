"""The list of what is to be deleted: a Parquet file for people, and cut into what agents are given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from engine.catalog.database import Connection, stream
from engine.catalog.files import replacing
from engine.catalog.segments import results_writer
from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Fate, Kind

UNIT_ROWS = 2_000
"""Rows of a row group of the list: what an agent deletes at once, and a crash does again."""

DELETION_SCHEMA = pa.schema(
    [
        ("path", pa.binary()),
        ("kind", pa.string()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("origin", pa.string()),
        ("why", pa.string()),
        ("deletes", pa.bool_()),
    ]
)
"""One row an entry. kind: file, folder, symlink, special. origin: known, foreign. ``deletes``: else it is only listed.

Files first, then folders, deepest first; what is only listed is last.
"""

_KINDS = {"file": Kind.FILE, "folder": Kind.FOLDER, "symlink": Kind.SYMLINK, "special": Kind.SPECIAL}

_DEEPEST = 1 << 20
"""Above the depth of any path, so that deeper folders have the lower stage."""


class Group(NamedTuple):
    """A row group of the list that is deleted as one unit. ``stage``: those of a lower one come before it.

    ``old_form``: its entries stand where the source has something of another type.
    """

    number: int
    stage: int
    rows: int
    old_form: bool


def write_list(connection: Connection, out: Path) -> tuple[Group, ...]:
    """Write the table ``judged`` (see deletions.py) to ``out``, each stage in row groups of its own. Raises OSError."""
    names = " ".join(f"WHEN {int(kind)} THEN '{word}'" for word, kind in _KINDS.items())
    why = """CASE WHEN replaced AND folder THEN 'a file at the source now'
                  WHEN replaced THEN 'a folder at the source now'
                  WHEN known THEN 'not at the source' WHEN was_put THEN 'changed since xsync put it there'
                  ELSE 'not put there by xsync' END"""
    depth = "len(string_split(hex(path), '2F'))"
    query = f"""
        SELECT path, CASE kind {names} END AS kind, size, mtime_ns,
               CASE WHEN known THEN 'known' ELSE 'foreign' END AS origin, {why} AS why, deletes,
               CASE WHEN NOT deletes THEN -1 WHEN folder THEN {depth} ELSE 0 END AS depth, replaced
        FROM judged ORDER BY deletes DESC, folder, depth DESC, replaced, path"""
    groups: list[Group] = []
    number = 0
    with replacing(out) as file, results_writer(file, DELETION_SCHEMA) as writer:
        for key, rows in _units(stream(connection, query)):
            writer.write_table(rows.select(DELETION_SCHEMA.names).cast(DELETION_SCHEMA), row_group_size=UNIT_ROWS)
            if key[0] >= 0:
                stage = 0 if key[0] == 0 else _DEEPEST - key[0]
                groups.append(Group(number, stage, rows.num_rows, key[1]))
            number += 1
    return tuple(groups)


def _units(tables: Iterator[pa.Table]) -> Iterator[tuple[tuple[int, bool], pa.Table]]:
    """Rows cut where (depth, replaced) changes and after UNIT_ROWS."""
    waiting: list[pa.Table] = []
    last: tuple[int, bool] | None = None
    for table in tables:
        for key, rows in _runs(table):
            if waiting and (key != last or sum(each.num_rows for each in waiting) + rows.num_rows > UNIT_ROWS):
                assert last is not None
                yield last, pa.concat_tables(waiting)
                waiting = []
            waiting.append(rows)
            last = key
    if waiting:
        assert last is not None
        yield last, pa.concat_tables(waiting)


def _runs(table: pa.Table) -> Iterator[tuple[tuple[int, bool], pa.Table]]:
    """Neighbouring rows of the same (depth, replaced), at most UNIT_ROWS at once."""
    keys = list(zip(table["depth"].to_pylist(), table["replaced"].to_pylist(), strict=True))
    start = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[start] or end - start == UNIT_ROWS:
            yield keys[start], table.slice(start, end - start)
            start = end


def read_group(path: Path, number: int) -> pa.Table:
    """The entries of one group of a list, as ENTRY_SCHEMA rows. Raises OSError."""
    with pq.ParquetFile(path) as file:
        rows = file.read_row_group(number, use_threads=False).to_pylist()
    entries = []
    for row in rows:
        folder, _, name = row["path"].rpartition(b"/")
        same = {"size": row["size"], "mtime_ns": row["mtime_ns"], "fate": int(Fate.CANDIDATE), "task": 0}
        entries.append({"dir": folder, "name": name, "kind": int(_KINDS[row["kind"]]), **same})
    return pa.Table.from_pylist(entries, schema=ENTRY_SCHEMA)
