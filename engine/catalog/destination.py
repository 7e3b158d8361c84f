"""What a listing found, sorted by (dir, name) with flat memory, so that it can be joined with what is known."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.catalog.database import database, read_files
from engine.catalog.files import replacing
from engine.catalog.merging import FAN_IN, give_back, grouped, merged, read
from engine.catalog.segments import entries_writer
from engine.catalog.totals import MEMORY_BYTES
from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Fate, Kind

RUN_ROWS = 100_000
"""Rows sorted in memory at once: about 30 MB."""

_BY_PATH = [("dir", "ascending"), ("name", "ascending"), ("kind", "ascending"), ("etag", "ascending")]


def sort_listing(files: Sequence[Path], out: Path, change: Callable[[pa.Table], pa.Table] = lambda rows: rows) -> Path:
    """Write the rows of a listing, those of kind LISTED left out, to ``out``, sorted by (dir, name); return ``out``.

    ``change`` sees all rows first. An object and a folder of one name are two rows. A folder whose marker was seen when
    it was listed itself has the ETag of that (s3_rows.end_folder). Takes about 200 MB, whatever the number of rows.
    Raises OSError.
    """
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as aside:
        rows = map(change, chain.from_iterable(map(_entries, files)))
        runs = [_write(Path(aside) / f"0-{n}", [_sorted(table)]) for n, table in enumerate(grouped(rows, RUN_ROWS))]
        level = 0
        while len(runs) > FAN_IN:
            level += 1
            some = [runs[start : start + FAN_IN] for start in range(0, len(runs), FAN_IN)]
            runs = [_write(Path(aside) / f"{level}-{n}", _merged(each)) for n, each in enumerate(some)]
        with replacing(out) as file, entries_writer(file) as writer:
            for table in grouped(_once(_merged(runs))):
                writer.write_table(table)
    give_back()
    return out


def listing_error(files: Sequence[Path]) -> tuple[bytes, str] | None:
    """A folder that could not be listed, and why; None if all were. Raises OSError."""
    for file in files:
        for rows in read(file, ["dir", "kind", "error"]):
            broken = rows.filter(pc.and_(pc.equal(rows["kind"], int(Kind.LISTED)), pc.is_valid(rows["error"])))
            if broken.num_rows:
                return broken["dir"][0].as_py(), broken["error"][0].as_py()
    return None


class Extra(NamedTuple):
    """Files and objects that the destination holds beside the dataset, and their bytes, within the filters.

    ``gone``: known to be put there, and not at the source any more. ``foreign``: of others.
    """

    gone: int
    gone_bytes: int
    foreign: int
    foreign_bytes: int


def extra(listing: Path, entries: Sequence[Path], state: Sequence[Path], spill: Path) -> Extra:
    """What a sorted ``listing`` of the destination has that ``entries`` of the source lack. Raises JournalError.

    ``state``: files of the state. Takes about MEMORY_BYTES, whatever the number of rows.
    """
    folder = int(Kind.FOLDER)
    there = (
        f"SELECT dir, name, size FROM {read_files([listing])} WHERE fate = {int(Fate.CANDIDATE)} AND kind <> {folder}"
    )
    at_source = f"SELECT dir, name FROM {read_files(entries)} WHERE kind NOT IN ({folder}, {int(Kind.LISTED)})"
    lacking = f"SELECT * FROM ({there}) ANTI JOIN ({at_source}) USING (dir, name)" if entries else there
    known = (
        f"SELECT dir, name, true AS known FROM {read_files(state)}"
        if state
        else "SELECT ''::BLOB dir, ''::BLOB name, false known"
    )
    query = f"""
        SELECT coalesce(known, false) AS known, count(*), coalesce(sum(size), 0)::BIGINT
        FROM ({lacking}) LEFT JOIN ({known}) USING (dir, name) GROUP BY 1"""
    with database(spill, MEMORY_BYTES) as connection:
        found = {known: (count, size) for known, count, size in connection.sql(query).fetchall()}
    return Extra(*found.get(True, (0, 0)), *found.get(False, (0, 0)))


def _entries(file: Path) -> Iterator[pa.Table]:
    for rows in read(file, ENTRY_SCHEMA.names):
        closing = pc.equal(rows["kind"], int(Kind.LISTED))
        yield rows.filter(pc.invert(closing)).cast(ENTRY_SCHEMA)
        marked = rows.filter(pc.and_(closing, pc.is_valid(rows["etag"])))
        if marked.num_rows:
            yield pa.Table.from_pylist(list(map(_folder_of, marked.to_pylist())), schema=ENTRY_SCHEMA)


def _folder_of(closing: dict[str, Any]) -> dict[str, Any]:
    """The row of a folder once more, with the marker that its LISTED row tells of."""
    folder, _, name = closing["dir"].rpartition(b"/")
    kept = {column: closing[column] for column in ("fate", "task", "listing", "etag")}
    return {"dir": folder, "name": name, "kind": int(Kind.FOLDER), **kept}


def _once(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Of several rows of one folder the first: with an ETag, if there is one."""
    before: pa.Table | None = None
    for rows in tables:
        both = rows if before is None else pa.concat_tables([before, rows])
        columns = [both[name].combine_chunks() for name in ("dir", "name", "kind")]
        repeats = pc.equal(columns[2][1:], int(Kind.FOLDER))
        for column in columns:
            repeats = pc.and_(repeats, pc.equal(column[1:], column[:-1]))
        kept = pc.invert(repeats)
        yield rows.filter(kept if before is not None else pa.concat_arrays([pa.array([True]), kept]))
        before = rows.slice(rows.num_rows - 1)


def _sorted(rows: pa.Table) -> pa.Table:
    return rows.sort_by(_BY_PATH)


def _merged(files: Iterable[Path]) -> Iterator[pa.Table]:
    return merged([read(file) for file in files], _sorted)


def _write(out: Path, tables: Iterable[pa.Table]) -> Path:
    with pq.ParquetWriter(out, ENTRY_SCHEMA, compression="lz4", write_statistics=False, use_dictionary=False) as writer:
        for rows in tables:
            writer.write_table(rows, row_group_size=20_000)
    return out
