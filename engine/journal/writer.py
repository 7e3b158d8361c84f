"""The writing side of a journal: one runner, one thread, one transaction for what belongs together."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from engine.decoding import from_json
from engine.errors import JournalError
from engine.home import JOURNAL_NAME, check_local_file_system, private_folder
from engine.journal import agent_rates, samples
from engine.journal.records import (
    OVERALL,
    SEGMENTS,
    UNANSWERED,
    Command,
    Estimate,
    Execution,
    Runner,
    Segment,
    SegmentKind,
    agreed_limits,
    read_command,
    read_segment,
    read_task,
    to_json,
)
from engine.journal.schema import add_later_tables, connect, has_all, make_tables, storable, translated
from engine.journal.succession import Succession
from engine.model import AgentSnapshot, Event, Failure, Limit, Migration, Sample, Status, TaskSnapshot, Totals

KEPT_FAILURES = 10_000
"""Failures kept with their path; the counts per reason stay exact beyond it."""

KEPT_EVENTS = 1_000
KEPT_ESTIMATES = 240
KEPT_ENDED_AGENTS = 100

ENDED_AGENT_STATES = frozenset({"lost", "gone"})


class Journal(Succession):
    """The journal of an execution, open for writing. Belongs to the thread that opened it; a context manager.

    Every method is a durable transaction of its own, unless it runs inside ``with journal.transaction():``, which
    commits all of them or none. SQLite waits for the disk at each commit (about 1 ms on flash).

    Size: about 300 bytes a segment, so 0.1 MB per million files at one segment of entries and one of results a second
    and 7,000 files/s, before compaction takes most of that back. It does not depend on files otherwise: uploads and
    parts leave it when they end (about 80 bytes a part in flight), samples take 0.5 MB after a day and 28 MB after a
    year, rates of 64 agents 1.4 MB and 30 MB, failures 2 MB at most, events and commands 0.3 MB. Freed space is used
    again; the file does not shrink.
    """

    @classmethod
    def create(cls, folder: Path, execution: Execution, runner: Runner, supersedes: Sequence[str] = ()) -> Journal:
        """Make the journal of a new execution (status LAUNCHING), and ``folder`` where it is missing.

        ``supersedes``: executions whose place it is to take when its runner begins.

        The file gets its name when it is complete: whoever finds a journal finds a whole one. Raises JournalError if
        there is one already or the folder is on a network file system.
        """
        private_folder(folder)
        check_local_file_system(folder)
        path, unfinished = folder / JOURNAL_NAME, folder / f".{JOURNAL_NAME}.{os.getpid()}"
        try:
            os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            try:
                with translated(path):
                    make_tables(unfinished)
                    _insert_execution(unfinished, execution, runner, supersedes)
                _sync(unfinished)  # once: SQLite would have done it 16 times
                os.link(unfinished, path)
            finally:
                unfinished.unlink()
            _sync(folder)
        except OSError as error:
            raise JournalError(f"Cannot create the journal {path}: {error.strerror}.") from error
        return cls(folder, connect(folder, "rw"))

    @classmethod
    def open(cls, folder: Path) -> Journal:
        """Open the journal of an execution to continue it. Raises JournalError."""
        check_local_file_system(folder)
        journal = cls(folder, connect(folder, "rw"))
        if not has_all(journal._db):
            with journal.transaction():
                add_later_tables(journal._db)
        return journal

    # The execution itself

    def execution(self) -> Execution:
        """What was frozen when it began."""
        columns = "id, migration, source_identity, destination_identity, started_at, state_version"
        values = self._rows(f"SELECT {columns} FROM execution")[0]
        return Execution(values[0], from_json(values[1], Migration), *values[2:])

    def set_migration(self, migration: Migration, at: float) -> None:
        """Go on with other values of what does not change its meaning: agents, limits, whom to tell.

        Limits that were agreed until now are kept for what is told of the past.
        """
        with self.transaction():
            before = self.execution().migration
            if agreed_limits(before) != agreed_limits(migration):
                rate, limits = agreed_limits(before)
                self._run("INSERT OR REPLACE INTO agreements VALUES (?, ?, ?)", at, rate, to_json(limits))
            self._run("UPDATE execution SET migration = ?", to_json(migration))

    def set_identities(self, source: str, destination: str) -> None:
        """Record, once, what the two sides are. Raises JournalError if that is known already."""
        change = "UPDATE execution SET source_identity = ?, destination_identity = ?"
        with self.transaction():
            known = self._rows("SELECT source_identity, destination_identity FROM execution")[0]
            if any(known):
                raise JournalError(f"The identities in {self._path} are {known} and stay so.")
            self._run(change, source, destination)

    def status(self) -> Status:
        """The state it was last put in, maybe by a runner that is dead."""
        return Status(self._rows("SELECT status FROM execution")[0][0])

    def set_status(self, status: Status, message: str, at: float) -> None:
        """Record the state and one line about it; the time is its end if the state is one that ends."""
        values = (status.value, storable(message), at if status.ended else None)
        self._run("UPDATE execution SET status = ?, message = ?, ended_at = ?", *values)

    def set_runner(self, runner: Runner, at: float) -> None:
        """Take over from an earlier runner: its agents are lost, and what was asked of it is answered as not done."""
        with self.transaction():
            values = (runner.pid, runner.host, runner.boot_id, runner.user, at)
            self._run("UPDATE execution SET pid = ?, host = ?, boot_id = ?, user = ?, heartbeat_at = ?", *values)
            left = self._rows("SELECT snapshot FROM agents WHERE ended_at IS NULL")
            agents = [from_json(text, AgentSnapshot) for (text,) in left]
            self.put_agents([msgspec.structs.replace(agent, state="lost") for agent in agents], at)
            for command in self.pending_commands():
                self.answer(command.id, "not done: the runner had ended", at)

    def heartbeat(self, at: float, eta_seconds: tuple[float, float] | None) -> None:
        """Say that the runner is at work, and in how many seconds (low, high) it expects to be done, if it can tell."""
        low, high = eta_seconds or (None, None)
        self._run("UPDATE execution SET heartbeat_at = ?, eta_low = ?, eta_high = ?", at, low, high)

    def set_limit(self, limit: Limit) -> None:
        """Record the bandwidth limit that holds from now on."""
        change = "UPDATE execution SET limit_rate = ?, limit_until = ?, limit_chosen = ?"
        self._run(change, limit.bytes_per_second, limit.until, limit.chosen)

    def limit(self) -> Limit:
        """The bandwidth limit that was last recorded, by an earlier runner maybe."""
        rate, until, chosen = self._rows("SELECT limit_rate, limit_until, limit_chosen FROM execution")[0]
        return Limit(rate, until, bool(chosen))

    # Tasks and agents

    def put_tasks(self, tasks: Sequence[TaskSnapshot]) -> None:
        """Record the tasks in the order of their index. Name, include and exclude are frozen by the first call.

        Raises JournalError if a later call changes them: recorded entries refer to tasks by index.
        """
        update = "ON CONFLICT (position) DO UPDATE SET live = excluded.live"
        with self.transaction():
            known = dict(self._rows("SELECT position, plan FROM tasks"))
            for position, task in enumerate(tasks):
                plan = to_json((task.name, task.include, task.exclude))
                if known.get(position, plan) != plan:
                    raise JournalError(
                        f"Task {position} of {self._path} is {known[position]}: it cannot become {plan}."
                    )
                self._run(f"INSERT INTO tasks VALUES (?, ?, ?) {update}", position, plan, _live(task))

    def put_live(self, tasks: Mapping[int, TaskSnapshot]) -> None:
        """Record agent and counts of the tasks given by index; others keep theirs, and all their names and patterns."""
        for position, task in tasks.items():
            self._run("UPDATE tasks SET live = ? WHERE position = ?", _live(task), position)

    def tasks(self) -> list[TaskSnapshot]:
        """The tasks as last put, in the order of their index."""
        return [read_task(*row) for row in self._rows("SELECT plan, live FROM tasks ORDER BY position")]

    def put_agents(self, agents: Iterable[AgentSnapshot], at: float) -> None:
        """Record what agents last reported; one that is new joins at this time, one that is lost or gone ends."""
        keep_end = "CASE WHEN excluded.ended_at IS NOT NULL THEN coalesce(agents.ended_at, excluded.ended_at) END"
        update = f"ON CONFLICT (name) DO UPDATE SET snapshot = excluded.snapshot, ended_at = {keep_end}"
        oldest = "SELECT name FROM agents WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT -1 OFFSET ?"
        with self.transaction():
            for agent in agents:
                ended_at = at if agent.state in ENDED_AGENT_STATES else None
                self._run(f"INSERT INTO agents VALUES (?, ?, ?, ?) {update}", agent.name, to_json(agent), at, ended_at)
            self._run(f"DELETE FROM agents WHERE name IN ({oldest})", KEPT_ENDED_AGENTS)

    # The ledger

    def set_totals(self, totals: Totals, tasks: Mapping[int, Totals]) -> None:
        """Record the ledger of the execution, and of the tasks given by index; others keep theirs.

        To be called in the transaction that adds the segment which changed it.
        """
        with self.transaction():
            for task, value in {OVERALL: totals, **tasks}.items():
                self._run("INSERT OR REPLACE INTO totals VALUES (?, ?)", task, to_json(value))

    def totals(self) -> Totals:
        """The ledger of the whole execution."""
        return self._totals().get(OVERALL, Totals())

    def task_totals(self) -> dict[int, Totals]:
        """The ledger of each task that has one."""
        return {task: totals for task, totals in self._totals().items() if task != OVERALL}

    def add_failures(self, failures: Sequence[Failure]) -> None:
        """Count failures by reason, and keep the first KEPT_FAILURES of them. Paths are in text form (names.py)."""
        update = "ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count"
        insert = "INSERT INTO failures (path, reason, detail) VALUES (?, ?, ?)"
        with self.transaction():
            room = KEPT_FAILURES - self._rows("SELECT count(*) FROM failures")[0][0]
            kept = [(storable(item.path), item.reason, storable(item.detail)) for item in failures[: max(0, room)]]
            self._run_many(insert, kept)
            self._run_many(
                f"INSERT INTO failure_counts VALUES (?, ?) {update}", Counter(item.reason for item in failures).items()
            )

    def restart_failures(self, counts: Mapping[str, int]) -> None:
        """Forget failures, which a resume tries again, but for ``counts`` by reason that still hold."""
        with self.transaction():
            self._run("DELETE FROM failures")
            self._run("DELETE FROM failure_counts")
            self._run_many("INSERT INTO failure_counts VALUES (?, ?)", counts.items())

    # Segments

    def add_segment(self, segment: Segment) -> int:
        """Record a segment whose file is complete and fsynced: from here on its rows count. Returns its id."""
        return self._insert_segment(segment, None)

    def replace_segments(self, old: Sequence[int], new: Segment) -> int:
        """Put one compacted segment in the place of ``old``, which stand next to each other; returns its id.

        It takes the greatest id of ``old``, so that a newer segment stays newer: the newest row of a path wins. The
        files of ``old`` may be deleted once this is committed. Raises JournalError if ``old`` is not what is recorded.
        """
        with self.transaction():
            bounds = (new.kind, min(old), max(old))
            found = self._rows("SELECT id FROM segments WHERE kind = ? AND id BETWEEN ? AND ? ORDER BY id", *bounds)
            if [number for (number,) in found] != sorted(old):
                raise JournalError(f"Segments {sorted(old)} of {self._path} are not neighbours of kind {new.kind}.")
            self._run("DELETE FROM segments WHERE kind = ? AND id BETWEEN ? AND ?", *bounds)
            return self._insert_segment(new, max(old))

    def segments(self, kind: SegmentKind) -> list[Segment]:
        """Segments that count, oldest first."""
        return [read_segment(*row) for row in self._rows(SEGMENTS, kind)]

    def drop_segments(self, kind: SegmentKind | None = None) -> None:
        """Forget all segments, or those of one kind: the state and the audit trail hold what they said."""
        self._run("DELETE FROM segments WHERE kind = ifnull(?, kind)", kind)

    # What people see and ask

    def add_sample(self, sample: Sample) -> None:
        """Record the totals of a moment; several within half a second leave only the last."""
        with self.transaction():
            samples.add(self._db, sample)

    def add_agent_rates(self, at: float, rates: Mapping[str, float]) -> None:
        """Record the bytes/s of each agent that is there at a moment."""
        with self.transaction():
            agent_rates.add(self._db, at, rates)

    def add_estimate(self, estimate: Estimate) -> None:
        """Record when the run is said to end; the last KEPT_ESTIMATES are kept."""
        oldest = "SELECT at FROM estimates ORDER BY at DESC LIMIT 1 OFFSET ?"
        with self.transaction():
            self._run("INSERT OR REPLACE INTO estimates VALUES (?, ?, ?, ?)", *msgspec.structs.astuple(estimate))
            self._run(f"DELETE FROM estimates WHERE at <= ({oldest})", KEPT_ESTIMATES)

    def forget_estimates(self) -> None:
        """What was said before a pause, or by an earlier runner, is held against nobody."""
        self._run("DELETE FROM estimates")

    def add_event(self, event: Event) -> None:
        """Record something a person may want to know; the last KEPT_EVENTS are kept."""
        with self.transaction():
            values = (event.at, event.kind, storable(event.text))
            number = self._run("INSERT INTO events (at, kind, text) VALUES (?, ?, ?)", *values)
            self._run("DELETE FROM events WHERE id <= ?", number - KEPT_EVENTS)

    def pending_commands(self) -> list[Command]:
        """What was asked and not answered, in that order. Cheap enough to poll."""
        return [read_command(*row) for row in self._rows(UNANSWERED)]

    def answer(self, command: int, outcome: str, at: float) -> None:
        """Acknowledge a command with what became of it, in words for the person who asked."""
        change = "UPDATE commands SET acknowledged_at = ?, outcome = ? WHERE id = ? AND acknowledged_at IS NULL"
        self._run(change, at, storable(outcome), command)

    def _totals(self) -> dict[int, Totals]:
        return {task: from_json(text, Totals) for task, text in self._rows("SELECT * FROM totals")}

    def _insert_segment(self, segment: Segment, number: int | None) -> int:
        values = (number, segment.kind, segment.file, segment.rows, segment.bytes, to_json(segment.info))
        return self._run("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)", *values)


def _live(task: TaskSnapshot) -> str:
    """What changes of a task, as its column holds it."""
    return to_json((task.agent, task.files, task.bytes))


def _insert_execution(path: Path, execution: Execution, runner: Runner, supersedes: Sequence[str]) -> None:
    values = {
        "only_row": 1,
        "id": execution.id,
        "migration": to_json(execution.migration),
        "source_identity": execution.source_identity,
        "destination_identity": execution.destination_identity,
        "state_version": execution.state_version,
        "status": Status.LAUNCHING.value,
        "message": "",
        "started_at": execution.started_at,
        "heartbeat_at": execution.started_at,
        **msgspec.structs.asdict(runner),
    }
    marks = ", ".join(f":{column}" for column in values)
    db = sqlite3.connect(path)
    try:
        db.execute("PRAGMA synchronous = OFF")
        with db:
            db.execute(f"INSERT INTO execution ({', '.join(values)}) VALUES ({marks})", values)
            db.executemany("INSERT INTO succession VALUES (?, 0)", [(name,) for name in supersedes])
    finally:
        db.close()


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
