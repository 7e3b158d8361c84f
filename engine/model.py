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
    """What an entry is. LISTED is no entry: its row says that all entries of folder ``dir`` are recorded.

    SPECIAL is skipped; DEVICE is a device or FIFO that is to be copied.
    """

    FILE = 1
    FOLDER = 2
    SYMLINK = 3
    SPECIAL = 4
    DEVICE = 5
    LISTED = 9


class Fate(IntEnum):
    """What listing decided about an entry."""

    CANDIDATE = 0
    EXCLUDED = 1
    UNREADABLE = 2


class Action(IntEnum):
    """What happened to an entry. RELEASED means: not done, give it out again.

    DELETED and NOT_DELETED are about entries of the destination that the source does not have: no part of what was
    discovered.
    """

    TRANSFERRED = 1
    SKIPPED = 2
    FAILED = 3
    RELEASED = 4
    DELETED = 5
    NOT_DELETED = 6


ADOPTED, SAME_CONTENT, HELD_BACK = "adopted", "same content", "held back"
NOT_AT_SOURCE = "not at the source"
"""Reasons of SKIPPED results of entries that the destination holds; held back: but for their metadata."""


TIME_UNITS_NS = (100, 1_000, 1_000_000_000, 2_000_000_000)
"""How file systems cut times short: SMB, older NFS servers, ext3 and HFS+, FAT."""


class Look(IntEnum):
    """What is to be found out about an entry before it is sent, if that has to be (column ``look`` of a CopyUnit)."""

    NONE = 0
    ADOPT = 1  # the destination holds something of that size that nothing is known about
    COMPARE = 2  # all but its content is known to be the same
    METADATA = 3  # only ctime, mode or owner are not what is known


class Status(StrEnum):
    """State of a task execution, in DataSync's words plus PAUSED, CANCELLED, INTERRUPTED and SUPERSEDED.

    SUPERSEDED: it was interrupted, and a newer execution between the same two sides has taken its place.
    """

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
    SUPERSEDED = "SUPERSEDED"

    @property
    def ended(self) -> bool:
        """True when no runner works on an execution in this state."""
        return self in (Status.SUCCESS, Status.ERROR, Status.CANCELLED, Status.INTERRUPTED, Status.SUPERSEDED)


UNSURE_NS = 60 * 10**9
"""How long a file must have been left alone before it is read to be known by its times alone (Identity.is_unsure).

Some changes move no time: those in the same tick of the clock, up to 2 s (FAT), and those to a page of a mapped file
that is dirty already, up to 35 s (Linux: vm.dirty_expire_centisecs and one round of writing out). The rest is for a
file server whose clock is behind this host's, which cannot be seen from here. What changed within that time is read
once more, not sent: more than is needed costs little.
"""


class Identity(msgspec.Struct, frozen=True, array_like=True):
    """What a stored fact about a file is valid for (safety.md, Identity)."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    def is_unsure(self, read_ns: int) -> bool:
        """Whether the file may have changed once more after ``read_ns``, and be of this identity still.

        ``read_ns``: before its first byte was read, in ns since the epoch. The mtime counts for file systems that keep
        no ctime; one in the future is what somebody set.
        """
        since = read_ns - UNSURE_NS
        return self.ctime_ns >= since or since <= self.mtime_ns <= read_ns + UNSURE_NS


class LocationSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where data is: a URL and what is needed to reach it. Holds no secret.

    ``mounts``: other folders where the very same export is mounted, for agents to take in turn. ``interfaces``: network
    interfaces through which agents reach a bucket, in turn too. ``bucket_owner``: the account that a bucket must belong
    to.
    """

    url: str
    region: str | None = None
    endpoint_url: str | None = None
    aws_profile: str | None = None
    storage_class: str | None = None
    addressing: Literal["path", "virtual"] | None = None
    ca_bundle: str | None = None
    mounts: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    sse: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    kms_key_id: str | None = None
    bucket_owner: str | None = None


class FilterSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """DataSync filter patterns (already split at ``|``) and the path of a manifest, if any.

    Ages and sizes are about files alone: the age from a file's mtime to the start of the execution, all ends included.
    ``only``: the path of a list of paths (filters.only_record) beside which nothing is looked at or counted.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    manifest: str | None = None
    min_age_seconds: int | None = None
    max_age_seconds: int | None = None
    min_size_bytes: int | None = None
    max_size_bytes: int | None = None
    only: str | None = None


class TransferOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """DataSync's task options that the engine honours, with DataSync's values and defaults; and ours.

    ``delta``: what an unchanged file is known from, the state alone or also a listing of the destination. Every
    ``drift_every`` runs it is the latter; 0: never. ``checksum``: content counts, where size and times agree too.
    """

    verify_mode: Literal["POINT_IN_TIME_CONSISTENT", "ONLY_FILES_TRANSFERRED", "NONE"] = "ONLY_FILES_TRANSFERRED"
    overwrite_mode: Literal["ALWAYS", "NEVER", "NEWER"] = "ALWAYS"
    transfer_mode: Literal["CHANGED", "ALL"] = "CHANGED"
    preserve_devices: Literal["PRESERVE", "NONE"] = "NONE"
    posix_permissions: Literal["PRESERVE", "NONE"] = "PRESERVE"
    uid: Literal["INT_VALUE", "NONE"] = "INT_VALUE"
    gid: Literal["INT_VALUE", "NONE"] = "INT_VALUE"
    mtime: Literal["PRESERVE", "NONE"] = "PRESERVE"
    atime: Literal["BEST_EFFORT", "NONE"] = "BEST_EFFORT"
    invalid_names: Literal["escape", "fail"] = "escape"
    object_tags: Literal["PRESERVE", "NONE"] = "PRESERVE"
    bytes_per_second: int = -1
    preserve_deleted_files: Literal["PRESERVE", "REMOVE"] = "PRESERVE"
    max_deletions: int | None = None
    max_deletion_share: float = 0.10
    delete_foreign: bool = False
    delta: Literal["state", "destination"] = "state"
    drift_every: int = 7
    checksum: bool = False


class LimitRule(msgspec.Struct, frozen=True):
    """A bandwidth limit of the whole fleet for some hours of some days, by the wall clock.

    ``days``: Monday 0 to Sunday 6. ``start``, ``end``: minutes since midnight, ``end`` excluded, and on the next day
    unless it is above ``start``.
    """

    days: tuple[int, ...]
    start: int
    end: int
    bytes_per_second: int


class Limit(msgspec.Struct, frozen=True):
    """A bandwidth limit of the whole fleet in bytes/s, None for none, and when it ends (seconds since the epoch).

    ``chosen``: by a person, while it runs; the agreed limits wait until it ends.
    """

    bytes_per_second: float | None = None
    until: float | None = None
    chosen: bool = False


class Retry(msgspec.Struct, frozen=True):
    """What a retry covers: the files and folders that had failed in execution ``of``."""

    of: str
    files: int
    folders: int


class Notify(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom to tell: a command and its arguments, and the environment variable that holds the URL of a webhook.

    ``on``: end (however it ends), failure (it ends as ERROR), stall.
    """

    command: tuple[str, ...] = ()
    webhook_variable: str | None = None
    on: tuple[str, ...] = ("end", "failure", "stall")


class Migration(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that an execution needs to know; frozen into its journal. ``test``: it is a step of a test run."""

    source: LocationSpec
    destination: LocationSpec
    name: str | None = None
    filters: FilterSpec = FilterSpec()
    options: TransferOptions = TransferOptions()
    agents: int = 2
    test: bool = False
    limits: tuple[LimitRule, ...] = ()
    retry: Retry | None = None
    notify: Notify | None = None
    metrics_file: str | None = None
    task_level: int | None = None  # a task for each folder of this depth


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
    """``source``: bytes of the files found; ``transferred``: bytes written; ``pending``: bytes of pending files.

    ``failed``: bytes of the found files that failed; 0 in journals that are older than this field.
    """

    source: int = 0
    transferred: int = 0
    pending: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        """Bytes of the found files that are as they should be at the destination: transferred or skipped."""
        return max(0, self.source - self.pending - self.failed)


class Deletions(msgspec.Struct, frozen=True):
    """What the destination holds inside the filters and the source does not, as REMOVE found it.

    ``files``, ``folders``, ``bytes``: to be deleted. ``foreign_files``, ``foreign_folders``: not put there by xsync,
    and kept. ``held``: entries that the destination holds inside the filters. ``held_back``: why nothing was deleted;
    ``refused``: that was for safety. ``not_deleted``: entries that could not be. ``versioned``: the bucket keeps
    versions. ``listed_in``: path of the deletion list.
    """

    files: int = 0
    folders: int = 0
    bytes: int = 0
    foreign_files: int = 0
    foreign_folders: int = 0
    held: int = 0
    not_deleted: int = 0
    held_back: str = ""
    refused: bool = False
    versioned: bool = False
    listed_in: str = ""


class Totals(msgspec.Struct, frozen=True):
    """The exact ledger of an execution. ``deletions``: None unless REMOVE has looked for any.

    ``differences``: what its own verification found, foreign objects left out.
    """

    files: Tally = Tally()
    folders: Tally = Tally()
    bytes: Bytes = Bytes()
    listing_complete: bool = False
    deletions: Deletions | None = None
    differences: int = 0


class AgentTimes(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an agent's time went, in seconds since it started; ``clock`` is its own.

    ``source``, ``destination``: of all its threads that move files, with either; ``limited``: in which somebody waited
    for the bandwidth limit; ``idle``: without anything to move; ``cpu``: of all threads; ``busiest``: in which its
    busiest thread computed or waited for a processor. ``slowed``: how often the destination asked for fewer requests.
    """

    clock: float = 0.0
    source: float = 0.0
    destination: float = 0.0
    limited: float = 0.0
    idle: float = 0.0
    cpu: float = 0.0
    busiest: float = 0.0
    slowed: int = 0


class AgentSnapshot(msgspec.Struct, frozen=True):
    """One agent as it last reported. Rates are over the last seconds; counts are since it joined."""

    name: str
    state: str  # starting, working, idle, draining, stalled, lost, gone; ended: with its runner
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
    times: AgentTimes = AgentTimes()

    def without_runner(self) -> AgentSnapshot:
        """As it is where no runner lives: it ended with it, whatever the journal last heard of it."""
        if self.state in ("lost", "gone"):
            return self
        return msgspec.structs.replace(self, state="ended", bytes_per_second=0.0, files_per_second=0.0, in_flight=0)


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
    """Everything a screen or ``status`` shows of one execution, read from its journal alone.

    ``superseded_by``: the execution that took its place; ``supersedes``: those whose place it takes.
    """

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
    limit_bytes_per_second: float | None = None
    limit_until: float | None = None
    eta_seconds: tuple[float, float] | None = None
    message: str = ""
    agents: tuple[AgentSnapshot, ...] = ()
    tasks: tuple[TaskSnapshot, ...] = ()
    failure_counts: dict[str, int] = {}
    events: tuple[Event, ...] = ()
    superseded_by: str = ""
    supersedes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it took: from its start to its end or, while it has none, to its last sign of life."""
        return max(0.0, (self.ended_at or self.heartbeat_at) - self.started_at)
