"""The columns of a survey's catalog, and a catalog as DuckDB sees it: of any age, and with nothing in it too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.catalog.database import Connection, read_files
from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Kind

COLUMNS = (
    "dir",
    "name",
    "kind",
    "fate",
    "size",
    "mtime_ns",
    "ctime_ns",
    "dev",
    "inode",
    "nlink",
    "blocks",
    "storage_class",
    "error",
)

SURVEY_SCHEMA = pa.schema([ENTRY_SCHEMA.field(name) for name in COLUMNS])
"""The columns that a survey keeps: those that its statistics ask for."""

IS_FILE = f"kind = {int(Kind.FILE)}"
IS_ENTRY = f"kind <> {int(Kind.LISTED)}"
PATH = "CASE WHEN dir = ''::BLOB THEN name ELSE dir || '/'::BLOB || name END"
"""SQL of an entry's path."""

MEMORY_BYTES = 512 << 20
"""What queries of a catalog keep in memory, whatever the number of entries; the peak is about half above that."""

_TYPES = {
    pa.binary(): "BLOB",
    pa.string(): "VARCHAR",
    pa.uint8(): "UTINYINT",
    pa.uint32(): "UINTEGER",
    pa.int64(): "BIGINT",
    pa.uint64(): "UBIGINT",
}


def open_catalog(connection: Connection, segments: Sequence[Path], prefix: str = "") -> None:
    """Make views of the Parquet files: ``listed`` of all rows, ``entries`` without LISTED ones, after ``prefix``.

    Columns that a catalog lacks are null in it. Raises OSError.
    """
    there = set(pq.read_schema(segments[0]).names) if segments else set()
    columns = ", ".join(
        field.name if field.name in there else f"NULL::{_TYPES[field.type]} AS {field.name}" for field in SURVEY_SCHEMA
    )
    source = f"FROM {read_files(segments)}" if segments else "WHERE false"
    connection.execute(f"CREATE VIEW {prefix}listed AS SELECT {columns} {source}")
    connection.execute(f"CREATE VIEW {prefix}entries AS SELECT * FROM {prefix}listed WHERE {IS_ENTRY}")
