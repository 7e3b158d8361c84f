"""What is still to do: listed entries less those that are known to be at the destination as they are now."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.comparison import judging
from engine.catalog.database import blob, connect, read_files
from engine.catalog.facts import AT_DESTINATION, FACT_COLUMNS, IDENTITY_COLUMNS, same_identity
from engine.catalog.held import HINT_SCHEMA, Held, Verdict, looking
from engine.catalog.segments import candidates
from engine.catalog.state import Doubt, State, read_state
from engine.model import Action

KNOWN_MEMORY_BYTES = 64 << 20

_UNCHANGED, _DONE, _NO_DOUBT = int(Verdict.UNCHANGED), int(Verdict.DONE), int(Doubt.NONE)

_OWN_FIRST = 1 << 61
"""Nanoseconds that no fact is old: what this execution did before a resume is counted already, whatever came later."""


class Delta(NamedTuple):
    """Rows to do, rows that an earlier execution has done, and rows that this one has done before a resume.

    ``work`` has the columns of HINT_SCHEMA too if any of its rows needs a look. ``adopted``: rows of which nothing was
    known and that the listing of the destination shows to be there; with a column ``known_etag``.
    """

    work: pa.Table
    unchanged: pa.Table
    done: pa.Table
    adopted: pa.Table | None = None


class Known:
    """Facts of the compacted state, of earlier executions not yet compacted, and of this one before a resume.

    The newest fact about a path is the one that counts. It holds only if it says transferred, or found there (for this
    execution also: skipped), and its identity is the entry's. With a listing of the destination (``held``) it must also
    be there as recorded. ``compares``: what seems unchanged is compared by content. ``touches``: where only ctime, mode
    or owner differ, or an earlier execution's fact is unsure, content is compared, too; what is unsure and has no
    checksum is sent. What a verification casts doubt on (Doubt) is work. ``missing``, ``changed``
    (attributes): entries that are work only because the destination has lost or changed them. Safe to use from several
    threads, one at a time. Keeps about KNOWN_MEMORY_BYTES in memory; ``spill`` is a folder for what exceeds that.
    """

    def __init__(
        self,
        spill: Path,
        *,
        state: Path | None = None,
        earlier: Sequence[Path] = (),
        own: Sequence[Path] = (),
        held: Held | None = None,
        compares: bool = False,
        touches: bool = False,
    ) -> None:
        self._state_folder = state
        self._state = State() if state is None else read_state(state)
        self._earlier = list(earlier)
        self._own = list(own)
        self._lock = threading.Lock()
        self._spill = spill
        self._held = held
        self._compares = compares
        self.missing = 0
        self.changed = 0
        self._touches = touches
        asked = self._state.files or earlier or own or held
        self._connection = connect(spill, KNOWN_MEMORY_BYTES) if asked else None

    def work(self, chunk: pa.Table) -> Delta:
        """Split the candidates among ENTRY_SCHEMA rows; the order stays. A chunk of neighbouring folders is fastest."""
        rows = candidates(chunk)
        if not rows.num_rows or self._connection is None:
            return Delta(rows, rows.slice(0, 0), rows.slice(0, 0))
        if self._held is not None or self._compares:
            return self._looked_at(rows)
        delta = self._split(rows)
        if self._touches and delta.work.num_rows:
            return delta._replace(work=self._looked_at(delta.work).work)
        return delta

    def _split(self, rows: pa.Table) -> Delta:
        """The delta by identity alone."""
        verdicts = self._verdicts(rows)
        if verdicts is None:
            return Delta(rows, rows.slice(0, 0), rows.slice(0, 0))
        positions = pa.array(range(rows.num_rows), pa.int64())
        known, verdict = verdicts["position"].combine_chunks(), verdicts["verdict"].combine_chunks()
        is_known = pc.is_in(positions, known)
        is_unchanged, is_done = (
            pc.is_in(positions, known.filter(pc.equal(verdict, value))) for value in (_UNCHANGED, _DONE)
        )
        return Delta(rows.filter(pc.invert(is_known)), rows.filter(is_unchanged), rows.filter(is_done))

    def _looked_at(self, rows: pa.Table) -> Delta:
        """The delta by all that is known, with what is to be found out of each row that is work."""
        facts, there = self._about(rows)
        if not facts and there is None:
            return Delta(rows, rows.slice(0, 0), rows.slice(0, 0))
        query = self._looking(facts, there)
        found = self._ask(query, _keys(rows))
        verdicts, hints = found["verdict"], found.select(HINT_SCHEMA.names).cast(HINT_SCHEMA)
        is_work = pc.greater_equal(verdicts, int(Verdict.WORK))
        work = rows.filter(is_work)
        if (pc.sum(hints["look"]).as_py() or 0) > 0:
            hints = hints.filter(is_work)
            work = pa.table({name: table[name] for table in (work, hints) for name in table.schema.names})
        is_adopted = pc.equal(verdicts, int(Verdict.ADOPTED))
        counts = {row["values"]: row["counts"] for row in pc.value_counts(verdicts.combine_chunks()).to_pylist()}
        with self._lock:
            self.missing += counts.get(int(Verdict.MISSING), 0)
            self.changed += counts.get(int(Verdict.CHANGED), 0)
        return Delta(
            work,
            rows.filter(pc.equal(verdicts, int(Verdict.UNCHANGED))),
            rows.filter(pc.equal(verdicts, int(Verdict.DONE))),
            rows.filter(is_adopted).append_column("known_etag", found["known_etag"].filter(is_adopted)),
        )

    def planned(self, rows: pa.Table) -> pa.Table:
        """What would become of ENTRY_SCHEMA rows, in their order: the columns of held.looking."""
        facts, there = self._about(rows)
        self._connection = self._connection or connect(self._spill, KNOWN_MEMORY_BYTES)
        return self._ask(self._looking(facts, there), _keys(rows))

    def judged(self, rows: pa.Table) -> pa.Table:
        """What is to be said of ENTRY_SCHEMA rows in a verification (see comparison.judging), in their order."""
        facts, there = self._about(rows)
        assert self._held is not None and there is not None, "a verification needs a listing of the destination"
        return self._ask(judging(facts, there, self._held), _keys(rows))

    def _looking(self, facts: str, there: str | None) -> str:
        differing = (
            self._state_folder and self._state.differing and read_files([self._state_folder / self._state.differing])
        )
        held, compares, touches = self._held, self._compares, self._touches
        return looking(facts, there, held, compares=compares, touches=touches, differing=differing or "")

    def _about(self, rows: pa.Table) -> tuple[str, str | None]:
        """SQL of the facts about the folders of ``rows``, and of what the destination holds there."""
        span = pc.min_max(rows["dir"]).as_py()
        facts = " UNION ALL ".join(self._facts(span["min"], span["max"]))
        return facts, None if self._held is None else self._held.rows(span["min"], span["max"])

    def results_of(self, rows: pa.Table) -> pa.Table:
        """The newest results that this execution had for ``rows`` before a resume, with the columns of its segments."""
        span = pc.min_max(rows["dir"]).as_py()
        keys = rows.select(["dir", "name"])
        query = f"""
            SELECT r.* FROM {read_files(self._own)} r SEMI JOIN chunk USING (dir, name)
            WHERE dir >= {blob(span["min"])} AND dir <= {blob(span["max"])}
            QUALIFY row_number() OVER (PARTITION BY dir, name ORDER BY finished_ns DESC) = 1"""
        return self._ask(query, keys)

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
                SELECT c.position, max_by(
                    CASE WHEN f.holds AND NOT f.unsure AND f.doubt = {_NO_DOUBT} AND {same_identity("f", "c")}
                         THEN f.verdict ELSE 0 END,
                    f.newness) AS verdict
                FROM chunk c JOIN ({facts}) f ON f.dir = c.dir AND f.name = c.name
                GROUP BY c.position
            ) WHERE verdict > 0"""
        return self._ask(query, keys)

    def _ask(self, query: str, chunk: pa.Table) -> pa.Table:
        """The answer to a query that reads the table ``chunk``."""
        with self._lock:
            assert self._connection is not None
            self._connection.register("chunk", chunk)
            try:
                return self._connection.sql(query).to_arrow_table()
            finally:
                self._connection.unregister("chunk")

    def _facts(self, low: bytes, high: bytes) -> Iterator[str]:
        """SQL of the facts about folders from ``low`` to ``high``, by where they come from."""
        settled = f"action IN ({int(Action.TRANSFERRED)}, {int(Action.SKIPPED)})"
        in_state: dict[tuple[str, str], list[Path]] = {}
        if self._state_folder is not None:
            for file in self._state.files_between(low, high):
                told = "unsure" if file.unsure else "false", "doubt" if file.doubted else f"{_NO_DOUBT}"
                in_state.setdefault(told, []).append(self._state_folder / file.name)
        columns = ", ".join(FACT_COLUMNS)
        if self._held is not None or self._compares or self._touches:
            columns += ", checksum, etag"
        for files, holds, verdict, unsure, doubt in (
            *((files, "true", _UNCHANGED, *told) for told, files in in_state.items()),
            (self._earlier, AT_DESTINATION, _UNCHANGED, "unsure", _NO_DOUBT),
            (self._own, settled, _DONE, "false", _NO_DOUBT),
        ):
            if files:
                unsure = f"coalesce({unsure}, false)" if self._touches else "false"
                newness = f"finished_ns + {_OWN_FIRST}" if verdict == _DONE else "finished_ns"
                yield (
                    f"SELECT {columns}, {holds} AS holds, {verdict} AS verdict, {unsure} AS unsure, "
                    f"{doubt} AS doubt, {newness} AS newness FROM {read_files(files)} "
                    f"WHERE dir >= {blob(low)} AND dir <= {blob(high)}"
                )


def _keys(rows: pa.Table) -> pa.Table:
    """What queries ask about of ENTRY_SCHEMA rows, with their ``position``."""
    columns = ["dir", "name", *IDENTITY_COLUMNS, "mode", "uid", "gid", "etag", "link_target"]
    return rows.select(columns).append_column("position", pa.array(range(rows.num_rows), pa.int64()))
