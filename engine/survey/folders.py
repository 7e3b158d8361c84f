"""The folders of a catalog: each with all that lies below it, what changed there, the widest and the deepest. SQL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.catalog.database import Connection, blob, database
from engine.catalog.stopping import Stopper
from engine.model import Fate, Kind
from engine.names import text_of
from engine.survey.columns import IS_FILE, MEMORY_BYTES, PATH, open_catalog
from engine.survey.facts import Changed, Changes, FolderStatistics, Layout, WidestDirectory

MOST_FOLDERS = 1_000
"""Folders of the second level that are reported, the largest first."""

_DAY_NS = 86_400 * 10**9
_DAYS = (1, 7, 30)
_SUMS = ("files", "bytes", *(f"{what}{days}" for days in _DAYS for what in ("mf", "mb", "af", "ab")))
"""Columns that a folder has the sum of: modified and arrived files and bytes of each time."""

_FOLDER = f"kind = {int(Kind.FOLDER)} AND fate = {int(Fate.CANDIDATE)} AND name <> ''::BLOB"


def gather_folders(connection: Connection, now_ns: int, where: str = "true") -> None:
    """Make a table ``folders`` of one row a folder that holds something, of the rows ``where`` is true for.

    As text a BLOB shows what is not ASCII as escapes: ``/`` can be searched for. Recent entries are summed apart from
    the others, for they are few.
    """
    month = now_ns - _DAYS[-1] * _DAY_NS
    recent = ", ".join(_recent(now_ns - days * _DAY_NS, days) for days in _DAYS)
    zeros = ", ".join(f"coalesce({column}, 0) AS {column}" for column in _SUMS[2:])
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE folders AS
        WITH everything AS (
            SELECT dir, count(*) AS entries, count(*) FILTER ({IS_FILE}) AS files,
                   max(mtime_ns) FILTER ({IS_FILE}) AS newest,
                   coalesce(sum(size) FILTER ({IS_FILE}), 0)::BIGINT AS bytes
            FROM entries WHERE name <> ''::BLOB AND {where} GROUP BY dir),
        recent AS (
            SELECT dir, {recent} FROM entries
            WHERE {IS_FILE} AND greatest(mtime_ns, coalesce(ctime_ns, 0)) >= {month} AND {where} GROUP BY dir)
        SELECT dir, dir::VARCHAR AS text, entries, files, bytes, newest, {zeros}
        FROM everything LEFT JOIN recent USING (dir)""")


def layout(connection: Connection) -> Layout:
    """The shape of the whole tree, out of ``folders``."""
    depth = "CASE WHEN text = '' THEN 1 ELSE 2 + len(text) - len(replace(text, '/', '')) END"
    ((deepest, where),) = connection.sql(f"""
        SELECT coalesce(max(depth), 0), min_by(dir, (-depth, dir))
        FROM (SELECT dir, {depth} AS depth FROM folders)""").fetchall()
    widest = connection.sql("SELECT dir, entries FROM folders ORDER BY entries DESC, dir LIMIT 1").fetchall()
    directory, entries = widest[0] if widest else (b"", 0)
    shown = [*_first_level(connection, b""), *_second_level(connection)]
    return Layout(deepest, WidestDirectory(text_of(directory), entries), tuple(shown), text_of(where or b""))


def whole(connection: Connection) -> Changes:
    """What changed in all of ``folders``."""
    (row,) = connection.sql(f"SELECT {_totals()} FROM folders").fetchall()
    return _changes(row[3:])


def children(
    segments: Sequence[Path], spill: Path, folder: bytes, now_ns: int, stopper: Stopper | None = None
) -> list[FolderStatistics]:
    """The folders in ``folder`` with all that lies below each, the largest first; itself: the files directly in it.

    ``now_ns``: of the survey; ``stopper`` can end it. Nothing if there is no such folder. Raises OSError, JournalError.
    """
    with database(spill, MEMORY_BYTES) as connection:
        if stopper is not None:
            stopper.hold(connection)
        open_catalog(connection, segments)
        gather_folders(connection, now_ns, inside(folder))
        return _first_level(connection, folder)


def inside(folder: bytes) -> str:
    """SQL that is true of the rows in ``folder`` and below it."""
    low, high = blob(folder + b"/"), blob(folder + b"0")
    return f"(dir = {blob(folder)} OR (dir >= {low} AND dir < {high}))" if folder else "true"


def child_of(folder: bytes) -> str:
    """SQL of the folder in ``folder`` that a row lies in, itself where directly; as text, of ``dir`` and its ``text``.

    As text a BLOB shows what is not ASCII as escapes: ``/`` can be searched for.
    """
    own = f"({blob(folder)})::VARCHAR"
    start = 1 if not folder else f"len({own}) + 2"
    prefix = "" if not folder else f"{own} || '/' || "
    return f"CASE WHEN dir = {blob(folder)} THEN text ELSE {prefix}split_part(substr(text, {start}), '/', 1) END"


def _first_level(connection: Connection, folder: bytes) -> list[FolderStatistics]:
    """The children of a folder: also empty ones, and as itself what lies directly in it."""
    return _rolled_up(connection, child_of(folder), f"files > 0 OR dir <> {blob(folder)}", f"dir = {blob(folder)}")


def _second_level(connection: Connection) -> list[FolderStatistics]:
    path = "split_part(text, '/', 1) || '/' || split_part(text, '/', 2)"
    in_first = "dir <> ''::BLOB AND NOT contains(dir::VARCHAR, '/')"
    return _rolled_up(connection, path, "contains(text, '/')", in_first, f"LIMIT {MOST_FOLDERS}")


def _rolled_up(connection: Connection, path: str, among: str, parent: str, limit: str = "") -> list[FolderStatistics]:
    """Sums of ``folders`` by ``path`` (as text), and the folders of ``entries`` whose ``parent`` is as given."""
    zeros = ", ".join("0" for _ in _SUMS)
    rows = connection.sql(f"""
        SELECT path::BLOB, {_totals()} FROM (
            SELECT {path} AS path, newest, {", ".join(_SUMS)} FROM folders WHERE {among}
            UNION ALL
            SELECT ({PATH})::VARCHAR, NULL, {zeros} FROM entries WHERE {_FOLDER} AND {parent}
        ) GROUP BY path ORDER BY 4 DESC, 1 {limit}""").fetchall()
    return [
        FolderStatistics(
            text_of(path), files, size, newest_at=None if newest is None else newest / 1e9, changed=_changes(changes)
        )
        for path, newest, files, size, *changes in rows
    ]


def _totals() -> str:
    return ", ".join(["max(newest)", *(f"coalesce(sum({column}), 0)::BIGINT" for column in _SUMS)])


def _recent(since: int, days: int) -> str:
    modified, arrived = f"mtime_ns >= {since}", f"mtime_ns < {since} AND ctime_ns >= {since}"
    return (
        f"count(*) FILTER ({modified}) AS mf{days}, sum(size) FILTER ({modified})::BIGINT AS mb{days}, "
        f"count(*) FILTER ({arrived}) AS af{days}, sum(size) FILTER ({arrived})::BIGINT AS ab{days}"
    )


def _changes(row: Sequence[Any]) -> Changes:
    return Changes(*(Changed(*row[start : start + 4]) for start in range(0, 4 * len(_DAYS), 4)))
