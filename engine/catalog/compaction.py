"""Keeps what is known small and sorted: merges result segments, and folds results into the state of a destination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.database import blob, database, read_files, stream
from engine.catalog.files import replacing
from engine.catalog.segments import Written, results_writer
from engine.catalog.state import STATE_COLUMNS, State, StateFile, read_state, write_state
from engine.model import Action

MEMORY_BYTES = 256 << 20
"""What a merge or compaction keeps in memory, whatever the number of rows; its peak is about half above that."""

ROWS_PER_FILE = 2_000_000
"""Most rows of a file of the state: what is written again when one row in its range changes."""

_RESULT_COLUMNS = tuple(column for column in STATE_COLUMNS if column != "execution")


def merge_results(results: Sequence[Path], out: Path) -> Written:
    """Write the newest result of each path (by ``finished_ns``) to ``out``, sorted by (dir, name). Raises OSError."""
    return _merge(f"SELECT * FROM {read_files(results)}", out)


def compact(folder: Path, results: Mapping[str, Sequence[Path]], rows_per_file: int = ROWS_PER_FILE) -> State:
    """Fold ``results`` (segments by execution id) into the state in ``folder`` and return the new state.

    The newest fact about a path wins; it is kept if it says transferred. Only files whose range holds a result are
    written again, and none counts before all do: a crash leaves the old state as it was. Raises OSError, JournalError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    old = read_state(folder)
    sources = [
        f"SELECT {', '.join(_RESULT_COLUMNS)}, action, '{execution}' AS execution FROM {read_files(files)}"
        for execution, files in results.items()
        if files
    ]
    if not sources:
        return old
    merged = folder / ".merged"
    try:
        _merge(" UNION ALL ".join(sources), merged)
        with database(folder / ".spill", MEMORY_BYTES) as connection:
            files = [file for part in _ranges(connection, folder, old, merged, rows_per_file) for file in part]
    finally:
        merged.unlink(missing_ok=True)
    state = State(version=old.version + 1, files=tuple(files))
    write_state(folder, state)
    return state


def _merge(query: str, out: Path) -> Written:
    with database(out.with_name(f".{out.name}.spill"), MEMORY_BYTES) as connection, ExitStack() as stack:
        file = stack.enter_context(replacing(out))
        ordered = f"SELECT * FROM ({query}) ORDER BY dir, name, finished_ns DESC"
        schema = connection.sql(f"SELECT * FROM ({query}) LIMIT 0").to_arrow_table().schema
        writer = stack.enter_context(results_writer(file, schema))
        rows = 0
        for table in _newest(stream(connection, ordered)):
            writer.write_table(table)
            rows += table.num_rows
    return Written(out, rows, out.stat().st_size)


def _newest(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The first row of each (dir, name) of a sorted stream."""
    last: tuple[bytes, bytes] | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        folders, names = batch["dir"].combine_chunks(), batch["name"].combine_chunks()
        repeats = pc.and_(pc.equal(folders[1:], folders[:-1]), pc.equal(names[1:], names[:-1]))
        first = (folders[0].as_py(), names[0].as_py())
        yield batch.filter(pa.concat_arrays([pa.array([first != last]), pc.invert(repeats)]))
        last = (folders[-1].as_py(), names[-1].as_py())


def _ranges(
    connection: duckdb.DuckDBPyConnection, folder: Path, old: State, merged: Path, rows_per_file: int
) -> Iterator[list[StateFile]]:
    """The files of the new state, range by range of the old one; untouched files as they are."""
    starts = [file.first for file in old.files[1:]]
    current: list[StateFile | None] = [*old.files] or [None]
    for index, (file, low, high) in enumerate(zip(current, [None, *starts], [*starts, None], strict=True)):
        where = _between(low, high)
        touched = connection.sql(f"SELECT 1 FROM {read_files([merged])} WHERE {where} LIMIT 1").fetchall()
        if file is not None and not touched:
            yield [file]
            continue
        columns = ", ".join(STATE_COLUMNS)
        facts = [f"SELECT {columns}, action FROM {read_files([merged])} WHERE {where}"]
        if file is not None:
            facts.append(
                f"SELECT {columns}, {int(Action.TRANSFERRED)} AS action FROM {read_files([folder / file.name])}"
            )
        query = f"SELECT * FROM ({' UNION ALL '.join(facts)}) ORDER BY dir, name, finished_ns DESC"
        rows = (
            table.filter(pc.equal(table["action"], int(Action.TRANSFERRED))).drop_columns(["action"])
            for table in _newest(stream(connection, query))
        )
        yield list(_write_range(rows, folder, f"{old.version + 1:06d}-{index:06d}", rows_per_file))


def _between(low: tuple[bytes, bytes] | None, high: tuple[bytes, bytes] | None) -> str:
    bounds = []
    if low is not None:
        bounds.append(f"(dir >= {blob(low[0])} AND (dir > {blob(low[0])} OR name >= {blob(low[1])}))")
    if high is not None:
        bounds.append(f"(dir <= {blob(high[0])} AND (dir < {blob(high[0])} OR name < {blob(high[1])}))")
    return " AND ".join(bounds) or "true"


def _write_range(tables: Iterable[pa.Table], folder: Path, stem: str, rows_per_file: int) -> Iterator[StateFile]:
    """Write sorted rows to files of at most ``rows_per_file`` rows."""
    pieces = _pieces(tables, rows_per_file)
    piece = next(pieces, None)
    number = 0
    while piece is not None:
        name = f"{stem}-{number:06d}.parquet"
        number += 1
        first, last, rows = _key(piece, 0), _key(piece, -1), 0
        with (
            replacing(folder / name) as file,
            results_writer(file, piece.schema) as writer,
        ):
            while piece is not None and rows + piece.num_rows <= rows_per_file:
                writer.write_table(piece)
                rows, last = rows + piece.num_rows, _key(piece, -1)
                piece = next(pieces, None)
        yield StateFile(name, rows, first, last)


def _pieces(tables: Iterable[pa.Table], rows_per_file: int) -> Iterator[pa.Table]:
    for table in tables:
        for start in range(0, table.num_rows, rows_per_file):
            yield table.slice(start, rows_per_file)


def _key(rows: pa.Table, index: int) -> tuple[bytes, bytes]:
    return rows["dir"][index].as_py(), rows["name"][index].as_py()
