"""Connections to DuckDB: in memory, spilling to a folder, bounded, and never on the network."""

from __future__ import annotations

import atexit
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

_SILENT = "SET enable_progress_bar = false"

_idle: list[Connection] = []
"""The database that the last block left, if any; a list, so that threads take it without a lock."""

atexit.register(_idle.clear)


@contextmanager
def database(spill: Path, memory_bytes: int) -> Iterator[Connection]:
    """An empty database for the block, as ``connect`` makes one. Raises JournalError if a query fails.

    Making one takes 15 ms of CPU, so what a block leaves is kept for the next one, with nothing in it and no footer of
    a file remembered.
    """
    instance = _take()
    try:
        with instance.cursor() as connection:
            connection.execute(
                f"ATTACH ':memory:' AS block; USE block; SET memory_limit = '{memory_bytes}B'; "
                f"SET temp_directory = {_quoted(spill)}; {_SILENT}"
            )
            yield connection
    except BaseException as error:
        instance.close()
        if isinstance(error, duckdb.Error):
            raise JournalError(f"the catalog beside {spill} cannot be queried: {error}") from error
        raise
    _give_back(instance)


def connect(spill: Path, memory_bytes: int) -> Connection:
    """An empty database that keeps about ``memory_bytes`` in memory and the rest in ``spill``, made when first needed.

    Its peak is up to half above that. For one thread at a time. It remembers the footers of files, which saves 40 us
    each time one is read again, and is therefore nobody else's.
    """
    connection = _new({"temp_directory": str(spill), "memory_limit": f"{memory_bytes}B"})
    connection.execute(f"{_SILENT}; SET parquet_metadata_cache = true")
    return connection


def _new(config: dict[str, str]) -> Connection:
    return duckdb.connect(
        ":memory:",
        config={
            **config,
            "threads": THREADS,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "enable_external_file_cache": False,
        },
    )


def _take() -> Connection:
    try:
        return _idle.pop()
    except IndexError:
        return _new({})


def _give_back(instance: Connection) -> None:
    try:
        instance.execute("DETACH block; SET temp_directory = ''")
    except duckdb.Error:  # it has spilled: it keeps to that folder, and removes it when it is closed
        instance.close()
        return
    _idle.append(instance)
    while len(_idle) > 1:
        _take().close()


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
