"""What a coordinator sends to an agent and what comes back. Tables travel as Arrow IPC streams (bytes)."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa

from engine.locations.base import ServerChecks
from engine.model import AgentTimes, FilterSpec, Identity, LocationSpec, TransferOptions

RESULT_SCHEMA = pa.schema(
    [
        ("dir", pa.binary()),
        ("name", pa.binary()),
        ("kind", pa.uint8()),
        ("task", pa.uint16()),
        ("action", pa.uint8()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("ctime_ns", pa.int64()),
        ("dev", pa.uint64()),
        ("inode", pa.uint64()),
        ("mode", pa.uint32()),
        ("uid", pa.uint32()),
        ("gid", pa.uint32()),
        ("sent_bytes", pa.int64()),
        ("checksum", pa.uint64()),
        ("etag", pa.string()),
        ("verified", pa.string()),
        ("agent", pa.string()),
        ("finished_ns", pa.int64()),
        ("link", pa.string()),
        ("unsure", pa.bool_()),
    ]
)
"""One row an entry acted on. size..gid are as read, not as listed. ``checksum`` is CRC64NVME.

``link``: of a file that is restored and had other names, the same for all of them (extras.Extras). ``unsure``: of a
file whose content was read, Identity.is_unsure of that moment; null counts as false.
"""

IN_PARTS = "in parts"
"""Reason of a RELEASED row: a large file that an agent has looked at, and that has to be sent in parts."""

PART_SCHEMA = pa.schema(
    [("number", pa.int32()), ("size", pa.int64()), ("checksum", pa.uint64()), ("etag", pa.string())]
)
"""One row a finished part; numbers start at 1."""


WAITS = "waits for deletions"
"""Reason of a RELEASED row of a file whose place a folder holds: it is copied once what is in that is deleted."""


class AgentConfig(msgspec.Struct, frozen=True):
    """What an agent needs to work for one execution. Memory in bytes, times in seconds. Holds no secret."""

    execution: str
    source: LocationSpec
    destination: LocationSpec
    filters: FilterSpec
    options: TransferOptions
    task_includes: tuple[tuple[str, ...], ...] = ()  # the include patterns of each task
    source_identity: str = ""  # what the source must still be when something is missing from it; "": not looked at
    source_mounts: tuple[tuple[LocationSpec, str], ...] = ()  # the source, and its identity, as agents take it in turn
    destination_mounts: tuple[LocationSpec, ...] = ()
    server_checks: ServerChecks = "crc64nvme"  # how the destination proves what it received
    marker_metadata: bool = True  # the destination keeps the metadata of folder markers
    folds_names: bool = False  # names of the destination that differ in case or Unicode form alone are one there
    keeps_backslashes: bool = True  # see Capabilities of the destination
    began_at: float = 0.0  # start of the execution, seconds since the epoch: ages are relative to it
    memory_bytes: int = 128 << 20
    window: int = 64  # requests in flight
    tunes: bool = True  # the window finds its own size
    reader_threads: int = 0  # 0: by mount type
    retry_seconds: float = 300.0
    stall_seconds: float = 60.0


def config_of_agent(config: AgentConfig, name: str) -> AgentConfig:
    """``config`` with what is agent ``name``'s in turn: agent-1 has the first mount and interface, agent-2 the next."""
    digits = name.rpartition("-")[2]
    turn = int(digits) - 1 if digits.isdecimal() else 0
    changes: dict[str, Any] = {}
    if config.source_mounts:
        mounts = config.source_mounts
        changes["source"], changes["source_identity"] = mounts[turn % len(mounts)]
    if config.destination_mounts:
        changes["destination"] = config.destination_mounts[turn % len(config.destination_mounts)]
    if names := config.destination.interfaces:
        destination = changes.get("destination", config.destination)
        changes["destination"] = msgspec.structs.replace(destination, interfaces=(names[turn % len(names)],))
    return msgspec.structs.replace(config, **changes)


class ScanUnit(msgspec.Struct, frozen=True, tag=True):
    """List these folders, or go on with ``rest``: a folder and its last name listed. ``listing`` marks the rows."""

    id: int
    epoch: int
    folders: list[bytes]
    listing: int
    rows: int = 50_000
    seconds: float = 1.0
    rest: tuple[bytes, bytes] | None = None


class CopyUnit(msgspec.Struct, frozen=True, tag=True):
    """Copy these entries (ENTRY_SCHEMA rows as an IPC stream): small files, symlinks, folder markers."""

    id: int
    epoch: int
    entries: bytes


class PartsUnit(msgspec.Struct, frozen=True, tag=True):
    """Send parts ``first_part``..``last_part`` (1-based, inclusive) of one large file."""

    id: int
    epoch: int
    path: bytes
    upload_id: str
    identity: Identity
    part_size: int
    first_part: int
    last_part: int


class FoldersUnit(msgspec.Struct, frozen=True, tag=True):
    """Give destination folders their last owner, mode and times (ENTRY_SCHEMA rows as an IPC stream, deepest first).

    ``sweep``: agents died before, so that temporaries of theirs may lie in the folders; remove them.
    """

    id: int
    epoch: int
    entries: bytes
    sweep: bool = False


class DeleteUnit(msgspec.Struct, frozen=True, tag=True):
    """Delete these entries of the destination (ENTRY_SCHEMA rows as an IPC stream), which the source lacks.

    ``old_form``: the source has something of another type in their place; they leave no row when they are gone.
    """

    id: int
    epoch: int
    entries: bytes
    old_form: bool = False


Unit = ScanUnit | CopyUnit | PartsUnit | FoldersUnit | DeleteUnit


class UnitOutcome(msgspec.Struct, frozen=True):
    """What became of a unit.

    ``table`` is an IPC stream: ENTRY_SCHEMA for a scan, RESULT_SCHEMA for copies and folders, PART_SCHEMA for parts.
    ``rest`` (scans): a folder that is listed up to a name, and that name; its LISTED row is still to come.
    ``source_changed`` (parts): the file is no longer what it was when the upload began. ``error`` (parts): why parts
    are missing, as "reason: detail". ``fatal``: nothing else can succeed either (credentials, bucket gone...): the rows
    not done are RELEASED. ``not_kept``: how many entries went without what (owner, ACL...).
    """

    unit_id: int
    epoch: int
    table: bytes
    folders_left: list[bytes] = []
    rest: tuple[bytes, bytes] | None = None
    source_changed: bool = False
    error: str = ""
    fatal: str = ""
    seconds: float = 0.0
    not_kept: dict[str, int] = {}


class AgentProgress(msgspec.Struct, frozen=True):
    """Counters of one agent since it started; ``bytes`` moves while a file is sent, not only at its end.

    ``passed_bytes``: let through under a bandwidth limit, attempts that failed included; ``waited_seconds``: in which
    somebody waited for it; ``clock_seconds``: when that was, by the agent's own clock.
    """

    files: int
    bytes: int
    in_flight: int
    window: int
    path: str
    cpu_seconds: float
    memory_bytes: int
    passed_bytes: int = 0
    waited_seconds: float = 0.0
    clock_seconds: float = 0.0
    times: AgentTimes = AgentTimes()


def to_ipc(table: pa.Table) -> bytes:
    """Serialise a table as an IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def from_ipc(data: bytes) -> pa.Table:
    """Read back what ``to_ipc`` wrote, without copying columns."""
    return pa.ipc.open_stream(pa.py_buffer(data)).read_all()
