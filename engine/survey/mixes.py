"""The size mix of every folder of a surveyed source, as a test run needs it: of all that is still to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from engine.catalog.database import Connection, database, read_files
from engine.catalog.facts import AT_DESTINATION
from engine.filters import Filters
from engine.model import Fate, FilterSpec, Kind
from engine.planning.candidates import FolderMix
from engine.planning.values import SizeBin

MEMORY_BYTES = 512 << 20
MOST_DEPTH = 6
"""Levels of folders that are offered; deeper ones count in those above."""

MOST_FOLDERS = 2_000
"""Folders that are offered, the largest."""

FILE_BYTES = 256 << 10
"""What a file weighs beside its bytes when folders are compared (as transfer/tuner.py has it)."""

_BOUNDS = tuple(4**power for power in range(31))


def folder_mixes(
    segments: Sequence[Path], spill: Path, filters: FilterSpec, state: Sequence[Path] = (), results: Sequence[Path] = ()
) -> list[FolderMix]:
    """Folders by path, the whole dataset (``b""``) first, from the files of a survey's catalog.

    Files that ``state`` or ``results`` (of executions) know to be at the destination, unchanged since, are left out.
    Patterns leave out folders; which single files they leave out is not looked at. Raises JournalError, OSError.
    """
    if not segments:
        return [FolderMix(b"", ())]
    with database(spill, MEMORY_BYTES) as connection:
        connection.execute(f"""
            CREATE VIEW files AS SELECT dir, name, size, mtime_ns FROM {read_files(segments)}
            WHERE kind = {int(Kind.FILE)} AND fate = {int(Fate.CANDIDATE)}""")
        _leave_out_known(connection, state, results)
        cases = " ".join(f"WHEN size < {bound} THEN {index}" for index, bound in enumerate(_BOUNDS))
        connection.execute(f"""
            CREATE TEMP TABLE folders AS
            SELECT dir, CASE {cases} ELSE {len(_BOUNDS)} END AS bin, count(*) AS files, sum(size)::BIGINT AS bytes
            FROM to_send GROUP BY dir, bin""")
        _leave_out_filtered(connection, filters)
        return _rolled_up(connection)


def _leave_out_known(connection: Connection, state: Sequence[Path], results: Sequence[Path]) -> None:
    columns = "dir, name, size, mtime_ns"
    known = [f"SELECT {columns} FROM {read_files(state)}"] if state else []
    if results:
        known.append(f"SELECT {columns} FROM {read_files(results)} WHERE {AT_DESTINATION}")
    rest = f"ANTI JOIN ({' UNION ALL '.join(known)}) USING ({columns})" if known else ""
    connection.execute(f"CREATE VIEW to_send AS SELECT * FROM files {rest}")


def _leave_out_filtered(connection: Connection, spec: FilterSpec) -> None:
    if spec == FilterSpec():
        return
    filters = Filters(spec)
    folders = [row[0] for row in connection.sql("SELECT DISTINCT dir FROM folders").fetchall()]
    # A name that no pattern means tells whether a folder is selected as a whole; patterns of names select some of all.
    kept = [path for path in folders if filters.fate((path + b"/" if path else b"") + b"\x01", False) == Fate.CANDIDATE]
    kept = kept or [path for path in folders if filters.enters(path)]
    connection.register("kept", pa.table({"dir": pa.array(kept, pa.binary())}))
    connection.execute("CREATE TEMP TABLE selected AS SELECT f.* FROM folders f SEMI JOIN kept USING (dir)")
    connection.execute("DROP TABLE folders")
    connection.execute("ALTER TABLE selected RENAME TO folders")


def _rolled_up(connection: Connection) -> list[FolderMix]:
    """As text a BLOB shows what is not ASCII as escapes: ``/`` can be searched for."""
    parts = "string_split(dir::VARCHAR, '/')"
    levels = [f"SELECT '' AS path, 0 AS level, bin, files, bytes FROM folders WHERE dir = {_EMPTY}"]
    levels += [f"SELECT '' AS path, 0, bin, files, bytes FROM folders WHERE dir <> {_EMPTY}"]
    for level in range(1, MOST_DEPTH + 1):
        path = f"array_to_string(list_slice({parts}, 1, {level}), '/')"
        levels.append(
            f"SELECT {path}, {level}, bin, files, bytes FROM folders WHERE dir <> {_EMPTY} AND len({parts}) >= {level}"
        )
    connection.execute(f"""
        CREATE TEMP TABLE mixes AS
        SELECT path, bin, sum(files)::BIGINT AS files, sum(bytes)::BIGINT AS bytes
        FROM ({" UNION ALL ".join(levels)}) GROUP BY path, bin""")
    rows = connection.sql(f"""
        SELECT path::BLOB, bin, files, bytes FROM mixes WHERE path IN (
            SELECT path FROM mixes GROUP BY path ORDER BY path <> '', sum(bytes + {FILE_BYTES} * files) DESC, path
            LIMIT {MOST_FOLDERS + 1})
        ORDER BY path, bin""").fetchall()
    found: dict[bytes, list[SizeBin]] = {b"": []}
    for path, index, files, size in rows:
        low = 0 if index == 0 else _BOUNDS[index - 1]
        found.setdefault(path, []).append(SizeBin(low, _BOUNDS[min(index, len(_BOUNDS) - 1)], files, size))
    return [FolderMix(path, tuple(bins)) for path, bins in found.items()]


_EMPTY = "''::BLOB"
