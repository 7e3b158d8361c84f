"""What is still to do: listed entries less those that are known to be at the destination as they are now."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.database import blob, connect, read_files
from engine.catalog.facts import FACT_COLUMNS, IDENTITY_COLUMNS, same_identity
from engine.catalog.segments import candidates
from engine.catalog.state import State, read_state
from engine.model import Action

KNOWN_MEMORY_BYTES = 64 << 20

_UNCHANGED, _DONE = 1, 2


class Delta(NamedTuple):
    """Rows to do, and rows that an earlier execution has done. Rows that this execution has done are in neither."""

    work: pa.Table
    unchanged: pa.Table


class Known:
    """Facts of the compacted state, of earlier executions not yet compacted, and of this one before a resume.

    The newest fact about a path is the one that counts. It holds only if it says transferred (for this execution also:
    skipped) and its identity is the entry's. Safe to use from several threads, one at a time. Keeps about
    KNOWN_MEMORY_BYTES in memory; ``spill`` is a folder for what exceeds that.
    """

    def __init__(
        self,
        spill: Path,
        *,
        state: Path | None = None,
        earlier: Sequence[Path] = (),
        own: Sequence[Path] = (),
    ) -> None:
        self._state_folder = state
        self._state = State() if state is None else read_state(state)
        self._earlier = list(earlier)
        self._own = list(own)
        self._lock = threading.Lock()
        self._connection = connect(spill, KNOWN_MEMORY_BYTES) if self._state.files or earlier or own else None

    def work(self, chunk: pa.Table) -> Delta:
        """Split the candidates among ENTRY_SCHEMA rows; the order stays. A chunk of neighbouring folders is fastest."""
        rows = candidates(chunk)
        verdicts = self._verdicts(rows) if rows.num_rows else None
        if verdicts is None:
            return Delta(rows, rows.slice(0, 0))
        positions = pa.array(range(rows.num_rows), pa.int64())
        known = verdicts["position"].combine_chunks()
        unchanged = known.filter(pc.equal(verdicts["verdict"].combine_chunks(), _UNCHANGED))
        is_known, is_unchanged = pc.is_in(positions, known), pc.is_in(positions, unchanged)
        return Delta(rows.filter(pc.invert(is_known)), rows.filter(is_unchanged))

    def close(self) -> None:
        """Let go of the database; idempotent."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _verdicts(self, rows: pa.Table) -> pa.Table | None:
        """The positions of rows for which a fact holds, or None if nothing is known about their folders."""
        span = pc.min_max(rows["dir"]).as_py()
        facts = " UNION ALL ".join(self._facts(span["min"], span["max"]))
        if not facts or self._connection is None:
            return None
        keys = rows.select(["dir", "name", *IDENTITY_COLUMNS])
        keys = keys.append_column("position", pa.array(range(rows.num_rows), pa.int64()))
        query = f"""
            SELECT position, verdict FROM (
                SELECT c.position, max_by(CASE WHEN f.holds AND {same_identity("f", "c")} THEN f.verdict ELSE 0 END,
                                          f.finished_ns) AS verdict
                FROM chunk c JOIN ({facts}) f ON f.dir = c.dir AND f.name = c.name
                GROUP BY c.position
            ) WHERE verdict > 0"""
        with self._lock:
            self._connection.register("chunk", keys)
            try:
                return self._connection.sql(query).to_arrow_table()
            finally:
                self._connection.unregister("chunk")

    def _facts(self, low: bytes, high: bytes) -> Iterator[str]:
        """SQL of the facts about folders from ``low`` to ``high``, by where they come from."""
        transferred = f"action = {int(Action.TRANSFERRED)}"
        settled = f"action IN ({int(Action.TRANSFERRED)}, {int(Action.SKIPPED)})"
        in_state = []
        if self._state_folder is not None:
            in_state = [self._state_folder / name for name in self._state.names_between(low, high)]
        columns = ", ".join(FACT_COLUMNS)
        for files, holds, verdict in (
            (in_state, "true", _UNCHANGED),
            (self._earlier, transferred, _UNCHANGED),
            (self._own, settled, _DONE),
        ):
            if files:
                yield (
                    f"SELECT {columns}, {holds} AS holds, {verdict} AS verdict FROM {read_files(files)} "
                    f"WHERE dir >= {blob(low)} AND dir <= {blob(high)}"
                )
