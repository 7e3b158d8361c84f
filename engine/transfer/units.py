"""What a coordinator sends to an agent and what comes back. Tables travel as Arrow IPC streams (bytes)."""

from __future__ import annotations

import msgspec
import pyarrow as pa

from engine.model import FilterSpec, Identity, LocationSpec, TransferOptions

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
    ]
)
"""One row an entry acted on. size..gid are as read, not as listed. ``checksum`` is CRC64NVME."""

PART_SCHEMA = pa.schema(
    [("number", pa.int32()), ("size", pa.int64()), ("checksum", pa.uint64()), ("etag", pa.string())]
)
"""One row a finished part; numbers start at 1."""


class AgentConfig(msgspec.Struct, frozen=True):
    """What an agent needs to work for one execution. Memory in bytes, times in seconds. Holds no secret."""

    execution: str
    source: LocationSpec
    destination: LocationSpec
    filters: FilterSpec
    options: TransferOptions
    task_folders: dict[bytes, int]  # top-level folder -> task index; everything else is task 0
    source_identity: str = ""  # what the source must still be when something is missing from it; "": not looked at
    server_checks: bool = True  # the destination refuses a body whose CRC64NVME is wrong
    memory_bytes: int = 128 << 20
    window: int = 64  # requests in flight
    reader_threads: int = 0  # 0: by mount type
    retry_seconds: float = 300.0
    stall_seconds: float = 60.0


class ScanUnit(msgspec.Struct, frozen=True, tag=True):
    """List these folders; ``listing`` marks the rows."""

    id: int
    epoch: int
    folders: list[bytes]
    listing: int
    rows: int = 50_000
    seconds: float = 1.0


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


Unit = ScanUnit | CopyUnit | PartsUnit | FoldersUnit


class UnitOutcome(msgspec.Struct, frozen=True):
    """What became of a unit.

    ``table`` is an IPC stream: ENTRY_SCHEMA for a scan, RESULT_SCHEMA for copies and folders, PART_SCHEMA for parts.
    ``source_changed`` (parts): the file is no longer what it was when the upload began. ``error`` (parts): why parts
    are missing, as "reason: detail". ``fatal``: nothing else can succeed either (credentials, bucket gone...): the rows
    not done are RELEASED.
    """

    unit_id: int
    epoch: int
    table: bytes
    folders_left: list[bytes] = []
    source_changed: bool = False
    error: str = ""
    fatal: str = ""
    seconds: float = 0.0


class AgentProgress(msgspec.Struct, frozen=True):
    """Counters of one agent since it started; ``bytes`` moves while a file is sent, not only at its end."""

    files: int
    bytes: int
    in_flight: int
    window: int
    path: str
    cpu_seconds: float
    memory_bytes: int


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
