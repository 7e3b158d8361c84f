"""What an audit trail adds up to: sizes and checks of what was transferred, work by agent, failures by reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.catalog.database import Connection, database, read_files
from engine.names import text_of

MEMORY_BYTES = 64 << 20
"""What the sums keep in memory, whatever the number of rows."""

MOST_TOP_FOLDERS = 20

_FILES = "action = 'transferred' AND kind <> 'folder'"


class SizeBin(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Files transferred of ``from_`` <= size < ``to`` bytes, and their bytes."""

    from_: int
    to: int
    files: int
    bytes: int


class AgentWork(msgspec.Struct, frozen=True):
    """What one agent transferred; ``agent`` is empty for files that several sent in parts.

    ``bytes_by_time``: bytes of the files finished in each of equal shares of the time, from the first file to the last.
    """

    agent: str
    files: int
    bytes: int
    bytes_by_time: tuple[int, ...]


class TopFolder(msgspec.Struct, frozen=True):
    """Files transferred below a top folder, and their bytes; ``folder`` is text, "" for the root's own files."""

    folder: str
    files: int
    bytes: int


class AuditSummary(msgspec.Struct, frozen=True):
    """Counts of files, symlinks included; ``failures`` are by reason and count folders too.

    ``verified``: by how it was, skipped files whose content was compared included; the empty key counts what was
    transferred and not verified. ``not_deleted``: by kind. ``top_folders``: with most
    bytes.
    """

    sizes: tuple[SizeBin, ...] = ()
    verified: dict[str, int] = {}
    agents: tuple[AgentWork, ...] = ()
    failures: dict[str, int] = {}
    skipped: dict[str, int] = {}
    metadata_updates: int = 0
    not_deleted: dict[str, int] = {}
    top_folders: tuple[TopFolder, ...] = ()


def summarise(audit: Path, spill: Path, shares: int) -> AuditSummary:
    """Add up ``files.parquet``; work by agent in ``shares`` shares of the time. Raises JournalError."""
    with database(spill, MEMORY_BYTES) as connection:
        connection.execute(f"CREATE VIEW audit AS SELECT * FROM {read_files([audit])}")
        return AuditSummary(
            sizes=_sizes(connection),
            verified=_counts(
                connection, "verified", "kind <> 'folder' AND (action = 'transferred' OR verified IS NOT NULL)"
            ),
            agents=_agents(connection, shares),
            failures=_counts(connection, "reason", "action = 'failed'"),
            not_deleted=_counts(connection, "kind", "action = 'not_deleted'"),
            skipped=_counts(connection, "reason", "action = 'skipped' AND kind <> 'folder'"),
            top_folders=_top_folders(connection),
            metadata_updates=_counts(connection, "reason", _FILES).get("metadata", 0),
        )


def _sizes(connection: Connection) -> tuple[SizeBin, ...]:
    """Bins 0..1, 1..10, 10..100 bytes and so on up to the largest file, empty ones included."""
    digits = "CASE WHEN size < 1 THEN 0 ELSE length(size::VARCHAR) END"
    found = {
        power: (files, size)
        for power, files, size in _rows(
            connection,
            f"SELECT {digits}, count(*), sum(size)::BIGINT FROM audit WHERE {_FILES} AND size IS NOT NULL GROUP BY ALL",
        )
    }
    least, most = min(found, default=0), max(found, default=-1)
    powers = range(least, most + 1)
    return tuple(SizeBin(10 ** (power - 1) if power else 0, 10**power, *found.get(power, (0, 0))) for power in powers)


def _counts(connection: Connection, column: str, where: str) -> dict[str, int]:
    """Rows by the value of a column, most first."""
    query = f"SELECT coalesce({column}, ''), count(*) AS n FROM audit WHERE {where} GROUP BY 1 ORDER BY n DESC, 1"
    return dict(_rows(connection, query))


def _top_folders(connection: Connection) -> tuple[TopFolder, ...]:
    """As text a BLOB shows what is not ASCII as escapes: ``/`` can be searched for."""
    query = f"""
        SELECT split_part(dir::VARCHAR, '/', 1)::BLOB AS folder, count(*), coalesce(sum(size), 0)::BIGINT AS bytes
        FROM audit WHERE {_FILES} GROUP BY 1 ORDER BY 3 DESC, 2 DESC, 1 LIMIT {MOST_TOP_FOLDERS}"""
    return tuple(TopFolder(text_of(folder), files, size) for folder, files, size in _rows(connection, query))


def _agents(connection: Connection, shares: int) -> tuple[AgentWork, ...]:
    done = f"(SELECT coalesce(agent, '') AS agent, finished_ns, sent_bytes FROM audit WHERE {_FILES})"
    span = f"(SELECT min(finished_ns) AS began, greatest(max(finished_ns) - min(finished_ns), 1) AS lasted FROM {done})"
    share = f"least((finished_ns - began)::HUGEINT * {shares} // lasted, {shares - 1})::INTEGER"
    query = f"""
        SELECT agent, {share} AS share, count(*), coalesce(sum(sent_bytes), 0)::BIGINT
        FROM {done}, {span} WHERE finished_ns IS NOT NULL GROUP BY ALL"""
    found: dict[str, list[Any]] = {}
    for agent, number, files, size in _rows(connection, query):
        work = found.setdefault(agent, [0, [0] * shares])
        work[0] += files
        work[1][number] += size
    return tuple(
        AgentWork(agent, files, sum(sizes), tuple(sizes))
        for agent, (files, sizes) in sorted(found.items(), key=lambda item: _natural(item[0]))
    )


def _natural(agent: str) -> tuple[bool, str, int]:
    """agent-2 before agent-10, what several sent last."""
    stem, _, number = agent.rpartition("-")
    return (not agent, stem, int(number)) if number.isdecimal() else (not agent, agent, 0)


def _rows(connection: Connection, query: str) -> Sequence[Any]:
    found: list[Any] = connection.sql(query).fetchall()
    return found
