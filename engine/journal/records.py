"""Values that only the journal knows: its execution record, segments, uploads and commands."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from engine.decoding import from_json
from engine.home import account_name
from engine.model import Bytes, Identity, LimitRule, Migration, Status, Tally, TaskSnapshot, Totals

SegmentKind = Literal["entries", "results"]
Verb = Literal["pause", "resume", "cancel", "drain", "finish", "add_agent", "drain_agent", "limit"]
VERBS: tuple[str, ...] = get_args(Verb)

OVERALL = -1
"""The row of ``totals`` that is about the whole execution; others are numbered like the tasks."""

SEGMENTS = "SELECT kind, file, rows, bytes, info, id FROM segments WHERE kind = ? ORDER BY id"
"""The query behind ``read_segment``: segments of a kind that count, oldest first."""


UNANSWERED = "SELECT id, asked_at, who, verb, arguments FROM commands WHERE acknowledged_at IS NULL ORDER BY id"
"""The query behind ``read_command``: what was asked and not answered, in that order. Cheap enough to poll."""


class Runner(msgspec.Struct, frozen=True):
    """The process that works on an execution. ``boot_id`` tells whether its host was restarted since."""

    pid: int
    host: str
    boot_id: str
    user: str


def this_runner() -> Runner:
    """Describe this process."""
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        boot_id = ""
    return Runner(os.getpid(), socket.gethostname(), boot_id, account_name(os.geteuid()))


class Execution(msgspec.Struct, frozen=True):
    """What is frozen when an execution begins; ``state_version`` is the version of the state it compares with.

    The identities may be empty at first: its runner sets them when it has reached both sides.
    """

    id: str
    migration: Migration
    source_identity: str
    destination_identity: str
    started_at: float
    state_version: int = 0


class Segment(msgspec.Struct, frozen=True):
    """A Parquet file that counts: fsynced before its row is committed. ``bytes``: size of the file.

    ``info`` is JSON of the caller: counts per task, folders listed. ``id`` is given by the journal; greater is newer.
    """

    kind: SegmentKind
    file: str
    rows: int
    bytes: int
    info: dict[str, Any] = {}
    id: int = 0


class Part(NamedTuple):
    """A finished part, shaped like ``locations.base.PartResult``. ``checksum`` is CRC64NVME, unsigned."""

    number: int
    size: int
    checksum: int
    etag: str


class Upload(msgspec.Struct, frozen=True):
    """An upload that was neither completed nor aborted, with the parts recorded so far in order of their numbers."""

    id: int
    path: bytes
    upload_id: str
    identity: Identity
    part_size: int
    opened_at: float
    parts: tuple[Part, ...] = ()


class Command(msgspec.Struct, frozen=True):
    """Something a person asked of the runner."""

    id: int
    asked_at: float
    who: str
    verb: Verb
    arguments: dict[str, Any]


class Estimate(msgspec.Struct, frozen=True):
    """When a run was said to end, at earliest and latest (all in seconds since the epoch), and bytes/s at that time."""

    at: float
    low: float
    high: float
    bytes_per_second: float


class Agreement(NamedTuple):
    """Limits that were agreed until then (seconds since the epoch): bytes/s, negative for none, and by the clock."""

    until: float
    bytes_per_second: int
    limits: tuple[LimitRule, ...]

    def under(self, migration: Migration) -> Migration:
        """``migration`` as it was under it, as far as its limits go."""
        options = msgspec.structs.replace(migration.options, bytes_per_second=self.bytes_per_second)
        return msgspec.structs.replace(migration, options=options, limits=self.limits)


def agreed_limits(migration: Migration) -> tuple[int, tuple[LimitRule, ...]]:
    """What a migration agrees: bytes/s, and limits by the clock."""
    return migration.options.bytes_per_second, migration.limits


class Summary(msgspec.Struct, frozen=True):
    """One line of a list of executions. ``problem`` says why the rest could not be read, else it is empty."""

    execution: str
    profile: str | None = None
    source: str = ""
    destination: str = ""
    status: Status | None = None
    started_at: float = 0.0
    ended_at: float | None = None
    runner_alive: bool = False
    totals: Totals = Totals()
    problem: str = ""


def to_json(value: object) -> str:
    """A value as it is kept in a column."""
    return msgspec.json.encode(value).decode()


def read_segment(kind: SegmentKind, file: str, rows: int, size: int, info: str, number: int) -> Segment:
    """A segment from the columns of SEGMENTS."""
    return Segment(kind, file, rows, size, from_json(info), number)


def read_command(number: int, asked_at: float, who: str, verb: Verb, arguments: str) -> Command:
    """A command from the columns of UNANSWERED."""
    return Command(number, asked_at, who, verb, from_json(arguments))


def read_task(plan: str, live: str) -> TaskSnapshot:
    """Join the frozen and the moving part of a task as they are kept in columns."""
    name, include, exclude = from_json(plan, tuple[str, tuple[str, ...], tuple[str, ...]])
    agent, files, size = from_json(live, tuple[str, Tally, Bytes])
    return TaskSnapshot(name, include, exclude, agent, files, size)
