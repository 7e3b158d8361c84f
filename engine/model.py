"""Frozen values that cross layers: identities, locations, options, units' counters and snapshots.

Sizes are bytes, rates bytes/s or files/s, wall-clock times nanoseconds since the epoch (``*_ns``) or
seconds since the epoch (``*_at``), durations seconds. Paths are bytes relative to a location's root,
without leading or trailing slash; the root itself is ``b""``.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Literal

import msgspec


class Kind(IntEnum):
    """What an entry is. LISTED is no entry: its row says that all entries of folder ``dir`` are recorded."""

    FILE = 1
    FOLDER = 2
    SYMLINK = 3
    SPECIAL = 4
    LISTED = 9


class Fate(IntEnum):
    """What listing decided about an entry."""

    CANDIDATE = 0
    EXCLUDED = 1
    UNREADABLE = 2


class Action(IntEnum):
    """What happened to an entry. RELEASED means: not done, give it out again."""

    TRANSFERRED = 1
    SKIPPED = 2
    FAILED = 3
    RELEASED = 4


class Status(StrEnum):
    """State of a task execution, in DataSync's words plus PAUSED."""

    QUEUED = "QUEUED"
    LAUNCHING = "LAUNCHING"
    PREPARING = "PREPARING"
    TRANSFERRING = "TRANSFERRING"
    VERIFYING = "VERIFYING"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    CANCELLED = "CANCELLED"
    INTERRUPTED = "INTERRUPTED"

    @property
    def ended(self) -> bool:
        """True when no runner works on an execution in this state."""
        return self in (Status.SUCCESS, Status.ERROR, Status.CANCELLED, Status.INTERRUPTED)


class Identity(msgspec.Struct, frozen=True, array_like=True):
    """What a stored fact about a file is valid for (safety.md, Identity)."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class LocationSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where data is: a URL and what is needed to reach it. Holds no secret."""

    url: str
    region: str | None = None
    endpoint_url: str | None = None
    aws_profile: str | None = None
    storage_class: str | None = None
    addressing: Literal["path", "virtual"] | None = None
    ca_bundle: str | None = None


class FilterSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """DataSync filter patterns (already split at ``|``) and the path of a manifest, if any."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    manifest: str | None = None


class TransferOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """DataSync's task options that the engine honours, with DataSync's values and defaults."""

    verify_mode: Literal["ONLY_FILES_TRANSFERRED", "NONE"] = "ONLY_FILES_TRANSFERRED"
    overwrite_mode: Literal["ALWAYS", "NEVER"] = "ALWAYS"
    transfer_mode: Literal["CHANGED", "ALL"] = "CHANGED"
    posix_permissions: Literal["PRESERVE", "NONE"] = "PRESERVE"
    uid: Literal["INT_VALUE", "NONE"] = "INT_VALUE"
    gid: Literal["INT_VALUE", "NONE"] = "INT_VALUE"
    mtime: Literal["PRESERVE", "NONE"] = "PRESERVE"
    atime: Literal["BEST_EFFORT", "NONE"] = "BEST_EFFORT"
    invalid_names: Literal["escape", "fail"] = "escape"


class Migration(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that an execution needs to know; frozen into its journal."""

    source: LocationSpec
    destination: LocationSpec
    name: str | None = None
    filters: FilterSpec = FilterSpec()
    options: TransferOptions = TransferOptions()
    agents: int = 2


class Tally(msgspec.Struct, frozen=True, omit_defaults=False):
    """Counts of files or of folders. ``pending`` is what makes the sum true."""

    discovered: int = 0
    transferred: int = 0
    skipped: int = 0
    failed: int = 0
    excluded: int = 0
    deleted: int = 0
    verified: int = 0

    @property
    def pending(self) -> int:
        """Entries discovered and not yet decided."""
        return self.discovered - self.transferred - self.skipped - self.failed - self.excluded

    def plus(self, **changes: int) -> Tally:
        """Return a copy with ``changes`` added to the named counts."""
        return msgspec.structs.replace(self, **{k: getattr(self, k) + v for k, v in changes.items()})


class Bytes(msgspec.Struct, frozen=True):
    """``source``: bytes of the files found; ``transferred``: bytes written; ``pending``: bytes of pending files."""

    source: int = 0
    transferred: int = 0
    pending: int = 0


class Totals(msgspec.Struct, frozen=True):
    """The exact ledger of an execution."""

    files: Tally = Tally()
    folders: Tally = Tally()
    bytes: Bytes = Bytes()
    listing_complete: bool = False


class AgentSnapshot(msgspec.Struct, frozen=True):
    """One agent as it last reported. Rates are over the last seconds; counts are since it joined."""

    name: str
    state: str  # starting, working, idle, draining, stalled, lost, gone
    task: str = ""
    path: str = ""  # text form of what it works on (names.py)
    files: int = 0
    bytes: int = 0
    files_per_second: float = 0.0
    bytes_per_second: float = 0.0
    in_flight: int = 0
    window: int = 0
    cpu_share: float = 0.0
    memory_bytes: int = 0
    reported_at: float = 0.0


class TaskSnapshot(msgspec.Struct, frozen=True):
    """One task of the partition. ``agent`` is the one that prefers it."""

    name: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    agent: str
    files: Tally = Tally()
    bytes: Bytes = Bytes()


class Sample(msgspec.Struct, frozen=True):
    """Totals at one moment, kept for graphs."""

    at: float
    files: int
    bytes: int
    files_per_second: float
    bytes_per_second: float


class Event(msgspec.Struct, frozen=True):
    """Something a person may want to know about: who, what, when."""

    at: float
    kind: str  # started, agent-lost, agent-ready, paused, resumed, unit-halved, warning, error, ended, ...
    text: str


class Failure(msgspec.Struct, frozen=True):
    """A file that could not be transferred, and why."""

    path: str
    reason: str  # short code, stable: unreadable, changed while read, vanished, key too long, ...
    detail: str = ""


class Snapshot(msgspec.Struct, frozen=True):
    """Everything a screen or ``status`` shows of one execution, read from its journal alone."""

    execution: str
    profile: str | None
    source: str
    destination: str
    status: Status
    started_at: float
    ended_at: float | None
    heartbeat_at: float
    runner_alive: bool
    runner_pid: int
    host: str
    totals: Totals
    files_per_second: float = 0.0
    bytes_per_second: float = 0.0
    eta_seconds: tuple[float, float] | None = None
    message: str = ""
    agents: tuple[AgentSnapshot, ...] = ()
    tasks: tuple[TaskSnapshot, ...] = ()
    failure_counts: dict[str, int] = {}
    events: tuple[Event, ...] = ()
