"""Keeps what is known small and sorted: merges result segments, and folds results into the state of a destination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.catalog.facts import FOUND_THERE
from engine.catalog.files import replacing
from engine.catalog.merging import GROUP_ROWS, Key, Sorted, give_back, grouped, key_of, merged, newest_rows, read
from engine.catalog.segments import Written, results_writer
from engine.catalog.state import STATE_COLUMNS, Doubt, State, StateFile, read_state, write_state
from engine.model import Action

ROWS_PER_FILE = 2_000_000
"""Most rows of a file of the state: what is written again when one row in its range changes."""

_FACT_COLUMNS = [*(column for column in STATE_COLUMNS if column not in ("execution", "doubt")), "action", "reason"]
_TOLD_COLUMNS = [*_FACT_COLUMNS, "execution", "doubt"]


def merge_results(results: Sequence[Path], out: Path) -> Written:
    """Write the newest result of each path (by ``finished_ns``) to ``out``, sorted by (dir, name). Raises OSError.

    Takes about 200 MB, whatever the number of rows.
    """
    rows = 0
    with replacing(out) as file, results_writer(file, pq.read_schema(results[0])) as writer:
        for table in grouped(newest_rows(results)):
            writer.write_table(table)
            rows += table.num_rows
    give_back()
    return Written(out, rows, out.stat().st_size)


def compact(folder: Path, results: Mapping[str, Sequence[Path]], rows_per_file: int = ROWS_PER_FILE) -> State:
    """Fold ``results`` (segments by execution id) into the state in ``folder`` and return the new state.

    The newest fact about a path wins; it is kept if it says transferred, or found there. Only files whose range holds a
    result are written again, and none counts before all do: a crash leaves the old state as it was. Takes about 250 MB,
    whatever the number of rows. Raises OSError, JournalError.
    """
    streams = [_facts(newest_rows(files, _FACT_COLUMNS), execution) for execution, files in results.items() if files]
    return _fold(folder, streams, rows_per_file) if streams else read_state(folder)


def replace_facts(folder: Path, file: Path, rows_per_file: int = ROWS_PER_FILE) -> State:
    """Put the rows of ``file`` (STATE_COLUMNS, sorted by path) in place of older ones; else as ``compact``."""
    rows = (_told(table, table["execution"], table["doubt"]) for table in read(file, STATE_COLUMNS))
    return _fold(folder, [rows], rows_per_file)


def _fold(folder: Path, streams: Iterable[Iterator[pa.Table]], rows_per_file: int) -> State:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    old = read_state(folder)
    new = Sorted(merged(streams))
    files = tuple(chain.from_iterable(_ranges(folder, old, new, rows_per_file)))
    state = State(version=old.version + 1, files=files, differing=old.differing)
    write_state(folder, state)
    give_back()
    return state


def _facts(stream: Iterator[pa.Table], execution: str) -> Iterator[pa.Table]:
    for rows in stream:
        # What was skipped or not deleted says nothing new about the destination: the fact before it stays.
        silent = pc.is_in(rows["action"], pa.array([Action.SKIPPED, Action.NOT_DELETED], pa.uint8()))
        found = pc.is_in(rows["reason"], pa.array(FOUND_THERE))
        said = rows.filter(pc.or_(pc.invert(silent), pc.and_(found, pc.equal(rows["action"], int(Action.SKIPPED)))))
        by = pa.repeat(pa.scalar(execution, pa.string()), said.num_rows)
        doubt = pa.repeat(pa.scalar(int(Doubt.NONE), pa.uint8()), said.num_rows)
        yield said.append_column("execution", by).append_column("doubt", doubt)


def _known(folder: Path, file: StateFile) -> Iterator[pa.Table]:
    """The rows of a file of the state, as facts."""
    for rows in read(folder / file.name, file.columns):
        if not file.unsure:
            rows = rows.append_column("unsure", pa.repeat(False, rows.num_rows))
        no_doubt = pa.repeat(pa.scalar(int(Doubt.NONE), pa.uint8()), rows.num_rows)
        yield _told(rows, rows["execution"], rows["doubt"] if file.doubted else no_doubt)


def _told(rows: pa.Table, execution: pa.Array, doubt: pa.Array) -> pa.Table:
    """Rows of a state as results that say that they were transferred."""
    columns = {name: rows[name] for name in _FACT_COLUMNS if name in rows.column_names}
    columns["action"] = pa.repeat(pa.scalar(int(Action.TRANSFERRED), pa.uint8()), rows.num_rows)
    columns["reason"] = pa.nulls(rows.num_rows, pa.string())
    return pa.table(columns | {"execution": execution, "doubt": doubt}).select(_TOLD_COLUMNS)


def _ranges(folder: Path, old: State, new: Sorted, rows_per_file: int) -> Iterator[Iterable[StateFile]]:
    """The files of the new state, range by range of the old one; untouched files as they are."""
    ends: list[Key | None] = [*(file.first for file in old.files[1:]), None]
    ranges: list[StateFile | None] = [*old.files] or [None]
    for number, (file, end) in enumerate(zip(ranges, ends, strict=True)):
        first = new.first()
        if file is not None and (first is None or (end is not None and first >= end)):
            yield [file]
            continue
        known = [] if file is None else [_known(folder, file)]
        stem = f"{old.version + 1:06d}-{number:06d}"
        yield _write_range(_transferred(merged([new.below(end), *known])), folder, stem, rows_per_file)


def _transferred(stream: Iterable[pa.Table]) -> Iterator[pa.Table]:
    for rows in stream:
        transferred = pc.equal(rows["action"], int(Action.TRANSFERRED))
        found = pc.is_in(rows["reason"], pa.array(FOUND_THERE))
        kept = rows.filter(pc.or_(transferred, pc.and_(found, pc.equal(rows["action"], int(Action.SKIPPED)))))
        if kept.num_rows:
            yield kept.select(STATE_COLUMNS)


def _write_range(stream: Iterable[pa.Table], folder: Path, stem: str, rows_per_file: int) -> Iterator[StateFile]:
    """Write sorted rows to files of at most ``rows_per_file`` rows."""
    groups = grouped(stream, min(rows_per_file, GROUP_ROWS))
    group = next(groups, None)
    number = 0
    while group is not None:
        name = f"{stem}-{number:06d}.parquet"
        number += 1
        first, last, rows, unsure, doubted = key_of(group, 0), key_of(group, -1), 0, 0, 0
        with replacing(folder / name) as file, results_writer(file, group.schema) as writer:
            while group is not None and rows + group.num_rows <= rows_per_file:
                writer.write_table(group)
                rows, last = rows + group.num_rows, key_of(group, -1)
                unsure += pc.sum(group["unsure"]).as_py() or 0
                doubted += pc.sum(pc.greater(group["doubt"], int(Doubt.NONE))).as_py() or 0
                group = next(groups, None)
        yield StateFile(name, rows, first, last, unsure, doubted)
