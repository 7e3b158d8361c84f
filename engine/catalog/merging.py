"""Merges sorted streams of rows with flat memory; of each path the newest row stays."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Key = tuple[bytes, bytes]
"""(dir, name) of a row."""

FAN_IN = 16
"""Files read at once: more are merged in several rounds."""

BATCH_ROWS = 4_096
"""Rows read from a file at once: about 1 MB."""

GROUP_ROWS = 20_000
"""Rows of a row group that is written: about 4 MB, and three to four times that while it is being written."""


def newest_first(rows: pa.Table) -> pa.Table:
    """Sort rows by (dir, name) and keep the one with the greatest ``finished_ns`` of each path."""
    order = [("dir", "ascending"), ("name", "ascending"), ("finished_ns", "descending")]
    ordered = rows.sort_by(order).combine_chunks()
    if ordered.num_rows < 2:
        return ordered
    folders, names = ordered["dir"].combine_chunks(), ordered["name"].combine_chunks()
    repeats = pc.and_(pc.equal(folders[1:], folders[:-1]), pc.equal(names[1:], names[:-1]))
    return ordered.filter(pa.concat_arrays([pa.array([True]), pc.invert(repeats)]))


def merged(
    streams: Iterable[Iterator[pa.Table]], settle: Callable[[pa.Table], pa.Table] = newest_first
) -> Iterator[pa.Table]:
    """One stream of several, each sorted by (dir, name).

    ``settle`` sorts neighbouring rows of several streams; by default only the newest of equal paths stays, and each
    stream has one row a path.
    """
    heads = [_Head(stream) for stream in streams]
    while heads := [head for head in heads if head.fill()]:
        last = min(key_of(head.rows, -1) for head in heads)
        parts = [part for head in heads if (part := head.take_through(last)).num_rows]
        yield parts[0] if len(parts) == 1 else settle(pa.concat_tables(parts))


def newest_rows(files: Sequence[Path], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The newest row of each path in segments of results, sorted; ``columns`` include dir, name and finished_ns."""
    if len(files) <= FAN_IN:
        yield from merged([read(file, columns) for file in files])
        return
    with tempfile.TemporaryDirectory(dir=files[0].parent, prefix=".merging-") as folder:
        rounds = [files[start : start + FAN_IN] for start in range(0, len(files), FAN_IN)]
        parts = [Path(folder) / str(number) for number in range(len(rounds))]
        for part, some in zip(parts, rounds, strict=True):
            with pq.ParquetWriter(part, pq.read_schema(some[0]), compression="lz4") as writer:
                for rows in grouped(merged([read(file) for file in some])):
                    writer.write_table(rows)
        yield from newest_rows(parts, columns)


def give_back() -> None:
    """Return the memory that Arrow keeps for later to the system: there is no later of this size for minutes."""
    pa.default_memory_pool().release_unused()


def read(file: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a Parquet file in batches. Raises OSError."""
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
            yield pa.Table.from_batches([batch]).select(columns or batch.schema.names)


def grouped(stream: Iterable[pa.Table], most: int = GROUP_ROWS) -> Iterator[pa.Table]:
    """The same rows in tables of ``most`` rows, the last one shorter."""
    waiting: list[pa.Table] = []
    count = 0
    for rows in stream:
        waiting.append(rows)
        count += rows.num_rows
        while count >= most:
            gathered = pa.concat_tables(waiting)
            yield gathered.slice(0, most)
            waiting = [gathered.slice(most)]
            count -= most
    if count:
        yield pa.concat_tables(waiting)


def key_of(rows: pa.Table, index: int) -> Key:
    """The key of one row."""
    return rows["dir"][index].as_py(), rows["name"][index].as_py()


def is_below(rows: pa.Table, key: Key, *, or_equal: bool) -> pa.ChunkedArray:
    """Which rows come before ``key``."""
    before = pc.less_equal if or_equal else pc.less
    same_folder = pc.equal(rows["dir"], pa.scalar(key[0], pa.binary()))
    return pc.or_(
        pc.less(rows["dir"], pa.scalar(key[0], pa.binary())),
        pc.and_(same_folder, before(rows["name"], pa.scalar(key[1], pa.binary()))),
    )


class Sorted:
    """A sorted stream that can be read up to a key."""

    def __init__(self, stream: Iterator[pa.Table]) -> None:
        self._head = _Head(stream)

    def first(self) -> Key | None:
        """The key of the next row, or None at the end."""
        return key_of(self._head.rows, 0) if self._head.fill() else None

    def below(self, key: Key | None) -> Iterator[pa.Table]:
        """The rows before ``key``; all that are left if it is None."""
        while self._head.fill():
            rows = (
                self._head.rows
                if key is None
                else self._head.rows.filter(is_below(self._head.rows, key, or_equal=False))
            )
            if not rows.num_rows:
                return
            self._head.rows = self._head.rows.slice(rows.num_rows)
            yield rows


class _Head:
    """The rows of a stream that were read and not yet passed on."""

    def __init__(self, stream: Iterator[pa.Table]) -> None:
        self._stream = stream
        self.rows: pa.Table = pa.table({"dir": pa.array([], pa.binary())})

    def fill(self) -> bool:
        """Read on if there is nothing left; False at the end of the stream."""
        while not self.rows.num_rows:
            rows = next(self._stream, None)
            if rows is None:
                return False
            self.rows = rows
        return True

    def take_through(self, key: Key) -> pa.Table:
        """Pass on the rows up to ``key``, included."""
        rows = self.rows
        count = rows.num_rows
        if key_of(rows, -1) > key:
            count = pc.sum(is_below(rows, key, or_equal=True)).as_py() or 0
        self.rows = rows.slice(count)
        return rows.slice(0, count)
