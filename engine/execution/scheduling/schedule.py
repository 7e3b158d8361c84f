"""What happened to a schedule: its executions, what was skipped, and when it stops itself. One small file a profile."""

from __future__ import annotations

from contextlib import AbstractContextManager

import msgspec

from engine.home import Home
from engine.records import Records
from engine.recurrence import Recurrence

MOST_IDENTICAL_FAILURES = 5
"""After so many ends in a row for the same reason nothing is started any more: the next one would end alike."""

STOPPING_CODES = (1, 2, 4)
"""Exit codes that may stop a schedule: nothing got done. Some failed files (3) or a person's stop (5) never do."""


class ScheduleRecord(msgspec.Struct, frozen=True):
    """A schedule of the profile ``name``. Moments are Unix time.

    ``skipped``: times that passed while an execution was running, ``skipped_last`` of them in the last one. ``same``:
    ends in a row with the last exit code and message that count as failures; ``stopped_at``: they were too many.
    """

    name: str
    cron: str
    installed_at: float
    installed_as: str
    runs: int = 0
    skipped: int = 0
    skipped_last: int = 0
    last_started_at: float | None = None
    last_ended_at: float | None = None
    last_code: int | None = None
    last_message: str = ""
    last_execution: str | None = None
    same: int = 0
    stopped_at: float | None = None


class Ended(msgspec.Struct, frozen=True):
    """How one scheduled execution ended; ``execution``: None if none was started."""

    started_at: float
    ended_at: float
    code: int
    message: str
    execution: str | None


def after_end(record: ScheduleRecord, ended: Ended) -> ScheduleRecord:
    """The record once an execution has ended. Pure."""
    failed = ended.code in STOPPING_CODES
    alike = failed and record.same > 0 and (record.last_code, record.last_message) == (ended.code, ended.message)
    same = record.same + 1 if alike else int(failed)
    missed = Recurrence(record.cron).count(ended.started_at, ended.ended_at)
    return msgspec.structs.replace(
        record,
        runs=record.runs + 1,
        skipped=record.skipped + missed,
        skipped_last=missed,
        last_started_at=ended.started_at,
        last_ended_at=ended.ended_at,
        last_code=ended.code,
        last_message=ended.message,
        last_execution=ended.execution,
        same=same,
        stopped_at=ended.ended_at if same >= MOST_IDENTICAL_FAILURES else record.stopped_at,
    )


def after_skip(record: ScheduleRecord) -> ScheduleRecord:
    """The record once a time passed because somebody else's execution held the destination. Pure."""
    return msgspec.structs.replace(record, skipped=record.skipped + 1)


def read_record(home: Home, name: str) -> ScheduleRecord | None:
    """The record of a profile's schedule, None if it has none. Raises XsyncError if it cannot be read."""
    return _records(home).read(name, f"Install the schedule again: xsync schedule install {name}")


def read_records(home: Home) -> list[ScheduleRecord]:
    """All of them, by name. Raises XsyncError."""
    return [record for name in _records(home).names() if (record := read_record(home, name)) is not None]


def write_record(home: Home, record: ScheduleRecord) -> None:
    """Keep ``record``, whole or not at all. Raises OSError."""
    _records(home).write(record.name, record)


def forget_record(home: Home, name: str) -> None:
    """Remove the record of a schedule that is no more."""
    _records(home).forget(name)


def alone(home: Home, name: str) -> AbstractContextManager[bool]:
    """Whether no other scheduled execution of this profile runs; until the block ends this is one. Raises OSError."""
    return _records(home).held(name)


def _records(home: Home) -> Records[ScheduleRecord]:
    return Records(home.schedules, ScheduleRecord)
