"""Looks at the files of a state as a whole: whether they are one, and how new it is."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.catalog.state import State
from engine.errors import JournalError


def check_state(folder: Path, state: State) -> None:
    """Raise JournalError unless each file of ``state`` is one: columns, rows, and names that stay in the folder."""
    for name in state.names:
        if name != Path(name).name or name.startswith("."):
            raise JournalError(f"{name!r} cannot name a file of a state")
    if state.differing:
        try:
            columns = set(pq.read_schema(folder / state.differing).names)
        except (OSError, pa.ArrowException) as error:
            raise JournalError(f"{state.differing} is no file of a state: {error}") from error
        if not columns >= {"dir", "name"}:
            raise JournalError(f"{state.differing} is no file of a state: columns {', '.join(sorted(columns))}")
    for item in state.files:
        try:
            with pq.ParquetFile(folder / item.name) as file:
                columns, rows = set(file.schema_arrow.names), file.metadata.num_rows
        except (OSError, pa.ArrowException) as error:
            raise JournalError(f"{item.name} is no file of a state: {error}") from error
        if not columns >= set(item.columns) or rows != item.rows:
            raise JournalError(f"{item.name} is no file of a state: {rows} rows, columns {', '.join(sorted(columns))}")


def newest_fact(folder: Path, state: State) -> int:
    """When the newest fact of a state was recorded, in ns since the epoch; 0 if there is none. Reads footers alone."""
    newest = 0
    for item in state.files:
        with pq.ParquetFile(folder / item.name) as file:
            column = file.schema_arrow.names.index("finished_ns")
            for number in range(file.metadata.num_row_groups):
                statistics = file.metadata.row_group(number).column(column).statistics
                if statistics is not None and statistics.has_min_max:
                    newest = max(newest, int(statistics.max))
    return newest
