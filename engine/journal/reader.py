"""The reading side of a journal: snapshots, history and lists, for any number of processes that watch."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from engine.decoding import from_json
from engine.errors import JournalError
from engine.home import JOURNAL_NAME, Home, list_execution_folders
from engine.journal import agent_rates, samples
from engine.journal.records import (
    OVERALL,
    SEGMENTS,
    UNANSWERED,
    Agreement,
    Command,
    Estimate,
    Segment,
    SegmentKind,
    Summary,
    read_command,
    read_segment,
    read_task,
)
from engine.journal.schema import connect, has_agreements, has_history, has_succession, translated
from engine.locks import runner_alive
from engine.model import (
    AgentSnapshot,
    Event,
    Failure,
    LimitRule,
    Migration,
    Sample,
    Snapshot,
    Status,
    TaskSnapshot,
    Totals,
)

SHOWN_EVENTS = 100
"""The newest events that a snapshot carries."""

_EXECUTION = (
    "id, migration, status, message, started_at, ended_at, heartbeat_at, eta_low, eta_high, pid, host, "
    f"limit_rate, limit_until, (SELECT totals FROM totals WHERE task = {OVERALL})"
)


_Rules = tuple[LimitRule, ...]


class Standing(NamedTuple):
    """What an execution is about, its last status, and its ledger."""

    migration: Migration
    status: Status
    totals: Totals


class Succession(NamedTuple):
    """The execution that took the place of one, "" if none did, and those whose place it takes itself."""

    superseded_by: str
    supersedes: tuple[str, ...]


class SnapshotReader:
    """Watches one execution through a read-only connection. For one thread at a time; a context manager.

    Raises JournalError where the journal is missing, damaged or of another version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / JOURNAL_NAME
        self._db = connect(folder, "ro", any_thread=True)
        self._version: int | None = None
        self._last: Snapshot | None = None

    def read(self) -> Snapshot:
        """The execution as it is now; the same object as before while nothing changed.

        All values are of one commit. Without a runner rates are zero, and no agent is at work. Cheap at 4 Hz: what is
        unchanged costs one PRAGMA and one probe of the runner's lock (``locks.is_locked`` tells of its race).
        """
        alive = runner_alive(self.folder)
        with translated(self._path):
            (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if self._last is None or version != self._version or alive != self._last.runner_alive:
            with self._one_commit():
                self._last = _snapshot(self._db, alive)
            self._version = version
        return self._last

    def history(self, buckets: int) -> list[Sample]:
        """The whole run in at most ``buckets`` samples of equal width, oldest first; no samples, no bucket."""
        with self._one_commit():
            return samples.history(self._db, buckets)

    def within(self, start: float, width: float, buckets: int) -> dict[int, Sample]:
        """Samples of ``buckets`` times of ``width`` seconds from ``start`` on, by number; none, no number."""
        with self._one_commit():
            return samples.within(self._db, start, width, buckets)

    def agent_rates(self, start: float, width: float, buckets: int) -> agent_rates.Rates:
        """Mean bytes/s of each agent in the same times, by number; nothing in a journal that kept none."""
        with self._one_commit():
            return agent_rates.within(self._db, start, width, buckets) if has_history(self._db) else {}

    def estimates(self) -> list[Estimate]:
        """When the run was said to end, since it last began to send, oldest first."""
        with self._one_commit():
            if not has_history(self._db):
                return []
            query = "SELECT at, low, high, bytes_per_second FROM estimates ORDER BY at"
            return [Estimate(*row) for row in self._db.execute(query)]

    def chosen_limits(self) -> list[tuple[float, float | None]]:
        """Limits that people chose: since when (seconds since the epoch), and bytes/s, None for none; oldest first."""
        query = (
            "SELECT acknowledged_at, arguments FROM commands "
            "WHERE verb = 'limit' AND outcome LIKE 'done%' ORDER BY acknowledged_at, id"
        )
        with translated(self._path):
            rows = self._db.execute(query).fetchall()
        return [(at, from_json(arguments).get("bytes_per_second")) for at, arguments in rows]

    def earlier_agreements(self) -> list[Agreement]:
        """Limits that were agreed before others took their place, oldest first."""
        with self._one_commit():
            if not has_agreements(self._db):
                return []
            rows = self._db.execute("SELECT until, bytes_per_second, limits FROM agreements ORDER BY until").fetchall()
        return [Agreement(until, rate, from_json(text, _Rules)) for until, rate, text in rows]

    def unanswered(self) -> list[Command]:
        """What people asked of the runner and it has not answered yet, oldest first."""
        with translated(self._path):
            rows = self._db.execute(UNANSWERED).fetchall()
        return [read_command(*row) for row in rows]

    def failures(self) -> list[Failure]:
        """The failures that were kept (writer.KEPT_FAILURES), in the order they happened."""
        with translated(self._path):
            rows = self._db.execute("SELECT path, reason, detail FROM failures ORDER BY id").fetchall()
        return [Failure(*row) for row in rows]

    def close(self) -> None:
        """Close it; idempotent."""
        self._db.close()

    def __enter__(self) -> SnapshotReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _one_commit(self) -> Iterator[None]:
        """All queries inside see the same commit; the transaction lasts milliseconds."""
        with translated(self._path):
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.execute("COMMIT")


def read_snapshot(folder: Path) -> Snapshot:
    """The execution in ``folder`` as it is now. Raises JournalError."""
    with SnapshotReader(folder) as reader:
        return reader.read()


def read_migration(folder: Path) -> Migration:
    """The migration that is frozen in the execution in ``folder``. Raises JournalError."""
    return from_json(_rows(folder, "SELECT migration FROM execution")[0][0], Migration)


def read_identities(folder: Path) -> tuple[str, str]:
    """Identities of source and destination; empty until its runner has reached both. Raises JournalError."""
    source, destination = _rows(folder, "SELECT source_identity, destination_identity FROM execution")[0]
    return source, destination


def read_segments(folder: Path, kind: SegmentKind) -> list[Segment]:
    """Segments of an execution that count, oldest first. Raises JournalError."""
    return [read_segment(*row) for row in _rows(folder, SEGMENTS, kind)]


def read_standing(folder: Path) -> Standing:
    """What an execution is about and where it stands, read at once. Raises JournalError."""
    query = f"SELECT migration, status, (SELECT totals FROM totals WHERE task = {OVERALL}) FROM execution"
    migration, status, totals = _rows(folder, query)[0]
    return Standing(
        from_json(migration, Migration),
        Status(status),
        from_json(totals, Totals) if totals else Totals(),
    )


def read_succession(folder: Path) -> Succession:
    """Who took the place of an execution, and whose place it takes. Raises JournalError."""
    db = connect(folder, "ro")
    try:
        with translated(folder / JOURNAL_NAME):
            return _succession(db)
    finally:
        db.close()


def read_left_open(folder: Path) -> tuple[list[tuple[int, bytes, str]], dict[bytes, float]]:
    """Open uploads (number, path, upload id), and intents with their times, of an execution. Raises JournalError."""
    uploads = [tuple(row) for row in _rows(folder, "SELECT id, path, upload_id FROM uploads ORDER BY id")]
    return uploads, dict(_rows(folder, "SELECT path, created_at FROM intents"))


def history(folder: Path, buckets: int) -> list[Sample]:
    """The whole run in at most ``buckets`` samples; see ``SnapshotReader.history``. Raises JournalError."""
    with SnapshotReader(folder) as reader:
        return reader.history(buckets)


def list_executions(home: Home) -> list[Summary]:
    """All executions, oldest first; one whose journal cannot be read says why in ``problem``."""
    return [_summary(folder) for folder in list_execution_folders(home)]


def _rows(folder: Path, query: str, *values: object) -> list[Any]:
    db = connect(folder, "ro")
    try:
        with translated(folder / JOURNAL_NAME):
            return db.execute(query, values).fetchall()
    finally:
        db.close()


def _summary(folder: Path) -> Summary:
    try:
        found = read_snapshot(folder)
    except JournalError as error:
        return Summary(folder.name, problem=str(error))
    return Summary(
        execution=found.execution,
        profile=found.profile,
        source=found.source,
        destination=found.destination,
        status=found.status,
        started_at=found.started_at,
        ended_at=found.ended_at,
        runner_alive=found.runner_alive,
        totals=found.totals,
    )


def _snapshot(db: sqlite3.Connection, alive: bool) -> Snapshot:
    values = db.execute(f"SELECT {_EXECUTION} FROM execution").fetchone()
    number, migration_text, status, message, started_at, ended_at, heartbeat_at, low, high, pid, host, *rest = values
    limit_rate, limit_until, totals = rest
    migration = from_json(migration_text, Migration)
    files_per_second, bytes_per_second = samples.rates(db) if alive else (0.0, 0.0)
    return Snapshot(
        execution=number,
        profile=migration.name,
        source=migration.source.url,
        destination=migration.destination.url,
        status=Status(status),
        started_at=started_at,
        ended_at=ended_at,
        heartbeat_at=heartbeat_at,
        runner_alive=alive,
        runner_pid=pid,
        host=host,
        totals=from_json(totals, Totals) if totals else Totals(),
        files_per_second=files_per_second,
        bytes_per_second=bytes_per_second,
        limit_bytes_per_second=limit_rate,
        limit_until=limit_until,
        eta_seconds=None if low is None else (low, high),
        message=message,
        agents=_agents(db) if alive else tuple(agent.without_runner() for agent in _agents(db)),
        tasks=_tasks(db),
        failure_counts=dict(db.execute("SELECT reason, count FROM failure_counts ORDER BY reason")),
        events=_events(db),
        **_succession(db)._asdict(),
    )


def _succession(db: sqlite3.Connection) -> Succession:
    if not has_succession(db):
        return Succession("", ())
    rows = db.execute("SELECT execution, newer FROM succession ORDER BY execution").fetchall()
    newer = next((name for name, is_newer in rows if is_newer), "")
    return Succession(newer, tuple(name for name, is_newer in rows if not is_newer))


def _agents(db: sqlite3.Connection) -> tuple[AgentSnapshot, ...]:
    rows = db.execute("SELECT snapshot FROM agents ORDER BY joined_at, rowid")
    return tuple(from_json(text, AgentSnapshot) for (text,) in rows)


def _tasks(db: sqlite3.Connection) -> tuple[TaskSnapshot, ...]:
    return tuple(read_task(*row) for row in db.execute("SELECT plan, live FROM tasks ORDER BY position"))


def _events(db: sqlite3.Connection) -> tuple[Event, ...]:
    rows = db.execute("SELECT at, kind, text FROM events ORDER BY id DESC LIMIT ?", (SHOWN_EVENTS,)).fetchall()
    return tuple(Event(*row) for row in reversed(rows))
