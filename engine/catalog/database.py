"""Connections to DuckDB: in memory, spilling to a folder, bounded, and never on the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from engine.errors import JournalError

Connection = duckdb.DuckDBPyConnection
"""For whom a query is an argument: duckdb itself is imported here alone."""

THREADS = 1
"""Threads of one connection: each more holds as much memory again, and takes a core from copying."""

BATCH_ROWS = 30_000
"""Rows of a batch that is streamed out of a query, and so of a row group written from one."""


@contextmanager
def database(spill: Path, memory_bytes: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that is closed at the end of the block, see ``connect``. Raises JournalError if a query fails."""
    connection = connect(spill, memory_bytes)
    try:
        yield connection
    except duckdb.Error as error:
        raise JournalError(f"the catalog beside {spill} cannot be queried: {error}") from error
    finally:
        connection.close()


def connect(spill: Path, memory_bytes: int) -> duckdb.DuckDBPyConnection:
    """An empty database that keeps about ``memory_bytes`` in memory and the rest in ``spill``, made when first needed.

    Its peak is up to half above that. For one thread at a time.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "temp_directory": str(spill),
            "memory_limit": f"{memory_bytes}B",
            "threads": THREADS,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    connection.execute("SET enable_progress_bar = false; SET parquet_metadata_cache = true")
    return connection


def read_files(files: Sequence[Path], *, filename: bool = False) -> str:
    """SQL that reads Parquet files; at least one. ``filename``: with a column of this name."""
    more = ", filename = true" if filename else ""
    return f"read_parquet([{', '.join(map(_quoted, files))}]{more})"


def stream(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.Table]:
    """The rows of a query in batches, so that memory stays flat."""
    for batch in connection.sql(query).to_arrow_reader(BATCH_ROWS):
        yield pa.Table.from_batches([batch])


def blob(value: bytes) -> str:
    """A BLOB literal."""
    return f"unhex('{value.hex()}')"


def _quoted(file: Path) -> str:
    return "'" + str(file).replace("'", "''") + "'"
