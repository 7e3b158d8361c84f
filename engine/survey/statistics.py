"""Statistics of a catalog of entries, in SQL with flat memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.catalog.database import Connection, database, read_files
from engine.model import Fate, Kind
from engine.names import text_of
from engine.survey.report import Bin, Extension, FolderStatistics, Hazard, Layout, WidestDirectory

MEMORY_BYTES = 512 << 20
"""What the statistics keep in memory, whatever the number of entries; the peak is about half above that."""

MAX_KEY_BYTES = 1_024
"""Longest key of an S3 object (Amazon S3 user guide, object keys), in bytes of UTF-8."""

MOST_FOLDERS = 1_000
"""Folders of the second level that are reported, the largest first."""

MOST_EXTENSIONS = 50
EXAMPLES = 5
_AGES_DAYS = (0, 1, 7, 30, 90, 180, 365, 730, 1_825, 3_650)
_DAY_NS = 86_400 * 10**9

_FILE = f"kind = {int(Kind.FILE)}"
_ENTRY = f"kind <> {int(Kind.LISTED)}"
_PATH = "CASE WHEN dir = ''::BLOB THEN name ELSE dir || '/'::BLOB || name END"


class Statistics(NamedTuple):
    """All of a report that comes from the catalog; the fields mean what those of SurveyReport do."""

    files: int
    directories: int
    symlinks: int
    specials: int
    bytes: int
    size_histogram: tuple[Bin, ...]
    age_histogram: tuple[Bin, ...]
    layout: Layout
    extensions: tuple[Extension, ...]
    hazards: tuple[Hazard, ...]


def measure(segments: Sequence[Path], spill: Path, now_ns: int) -> Statistics:
    """Compute the statistics of Parquet files of ENTRY_SCHEMA rows; ages are relative to ``now_ns``. Raises OSError."""
    with database(spill, MEMORY_BYTES) as connection:
        if segments:
            connection.execute(f"CREATE VIEW listed AS SELECT * FROM {read_files(segments)}")
        else:
            connection.execute(_NO_ROWS)
        connection.execute(f"CREATE VIEW entries AS SELECT * FROM listed WHERE {_ENTRY}")
        counts = dict(connection.sql("SELECT kind, count(*) FROM entries GROUP BY kind").fetchall())
        sizes = _size_histogram(connection)
        return Statistics(
            files=counts.get(Kind.FILE, 0),
            directories=counts.get(Kind.FOLDER, 0),
            symlinks=counts.get(Kind.SYMLINK, 0),
            specials=counts.get(Kind.SPECIAL, 0),
            bytes=sum(size.bytes for size in sizes),
            size_histogram=sizes,
            age_histogram=_age_histogram(connection, now_ns),
            layout=_layout(connection),
            extensions=_extensions(connection),
            hazards=_hazards(connection),
        )


_NO_ROWS = """
    CREATE VIEW listed AS SELECT ''::BLOB AS dir, ''::BLOB AS name, 0 AS kind, 0 AS fate, 0 AS size, 0 AS mtime_ns,
    0 AS dev, NULL::VARCHAR AS error WHERE false"""


def _size_histogram(connection: Connection) -> tuple[Bin, ...]:
    """Bins 0..1, 1..10, 10..100 bytes and so on up to the largest file, empty ones included."""
    cases = " ".join(f"WHEN size < {10**power} THEN {power}" for power in range(19))
    query = f"""
        SELECT CASE {cases} ELSE 19 END AS bin, count(*), sum(size)::BIGINT FROM entries WHERE {_FILE} GROUP BY bin"""
    found = {power: (files, size) for power, files, size in connection.sql(query).fetchall()}
    bounds = [0, *(10**power for power in range(max(found, default=-1) + 1))]
    return _bins(bounds, found)


def _age_histogram(connection: Connection, now_ns: int) -> tuple[Bin, ...]:
    """Bins by days since the last modification; the future counts as today."""
    days = f"greatest(0, ({now_ns} - mtime_ns) // {_DAY_NS})"
    cases = " ".join(f"WHEN days < {bound} THEN {index}" for index, bound in enumerate(_AGES_DAYS[1:]))
    query = f"""
        SELECT CASE {cases} ELSE {len(_AGES_DAYS) - 1} END AS bin, count(*), sum(size)::BIGINT
        FROM (SELECT {days} AS days, size FROM entries WHERE {_FILE}) GROUP BY bin"""
    found = {index: (files, size) for index, files, size in connection.sql(query).fetchall()}
    return _bins(_AGES_DAYS, found, open_end=True)


def _bins(bounds: Sequence[int], found: dict[int, tuple[int, int]], *, open_end: bool = False) -> tuple[Bin, ...]:
    ends: list[int | None] = [*bounds[1:], *([None] if open_end else [])]
    ranges = zip(bounds[: len(ends)], ends, strict=True)
    return tuple(Bin(low, high, *found.get(index, (0, 0))) for index, (low, high) in enumerate(ranges))


def _layout(connection: Connection) -> Layout:
    """Rolls up one row a folder. As text a BLOB shows what is not ASCII as escapes: ``/`` can be searched for."""
    connection.execute(f"""
        CREATE TEMP TABLE folders AS
        SELECT dir, dir::VARCHAR AS text, count(*) AS entries, count(*) FILTER ({_FILE}) AS files,
               coalesce(sum(size) FILTER ({_FILE}), 0)::BIGINT AS bytes
        FROM entries WHERE name <> ''::BLOB GROUP BY dir""")
    depth = "CASE WHEN text = '' THEN 1 ELSE 2 + len(text) - len(replace(text, '/', '')) END"
    deepest = connection.sql(f"SELECT coalesce(max({depth}), 0) FROM folders").fetchall()[0][0]
    widest = connection.sql("SELECT dir, entries FROM folders ORDER BY entries DESC, dir LIMIT 1").fetchall()
    directory, entries = widest[0] if widest else (b"", 0)
    folders = [*_level(connection, 1), *_level(connection, 2)]
    return Layout(deepest, WidestDirectory(text_of(directory), entries), tuple(folders))


def _level(connection: Connection, level: int) -> list[FolderStatistics]:
    """The folders of one level with all below them, empty ones too; on the first level also the root's own files."""
    parts = "split_part(text, '/', 1)" if level == 1 else "split_part(text, '/', 1) || '/' || split_part(text, '/', 2)"
    below = "true" if level == 1 else "contains(text, '/')"
    parent = "dir = ''::BLOB" if level == 1 else "dir <> ''::BLOB AND NOT contains(dir::VARCHAR, '/')"
    rows = connection.sql(f"""
        SELECT path::BLOB, sum(files)::BIGINT, sum(bytes)::BIGINT FROM (
            SELECT {parts} AS path, files, bytes FROM folders WHERE {below}
            UNION ALL
            SELECT ({_PATH})::VARCHAR, 0, 0 FROM entries
            WHERE kind = {int(Kind.FOLDER)} AND fate = {int(Fate.CANDIDATE)} AND name <> ''::BLOB AND {parent}
        ) GROUP BY path ORDER BY 3 DESC, 1 {"" if level == 1 else f"LIMIT {MOST_FOLDERS}"}""").fetchall()
    return [FolderStatistics(text_of(path), files, size) for path, files, size in rows]


def _extensions(connection: Connection) -> tuple[Extension, ...]:
    extension = r"lower(regexp_extract(name::VARCHAR, '[^.]\.([A-Za-z0-9_]{1,12})$', 1))"
    query = f"""
        SELECT {extension} AS extension, count(*), sum(size)::BIGINT FROM entries WHERE {_FILE}
        GROUP BY extension ORDER BY 3 DESC, 1 LIMIT {MOST_EXTENSIONS}"""
    return tuple(Extension(*row) for row in connection.sql(query).fetchall())


def _hazards(connection: Connection) -> tuple[Hazard, ...]:
    """What was found of each kind of hazard; kinds without an entry are left out."""
    root_device = "(SELECT any_value(dev) FROM entries WHERE dir = ''::BLOB AND name = ''::BLOB)"
    where = {
        "key over 1,024 bytes": f"octet_length(dir) + octet_length(name) + (dir <> ''::BLOB)::INT > {MAX_KEY_BYTES}",
        "name not UTF-8": r"regexp_matches(name::VARCHAR, '\\x[89A-F]') AND TRY(decode(name)) IS NULL",
        "control character in name": r"regexp_matches(name::VARCHAR, '\\x([01]|7F)')",
        "unreadable": f"fate = {int(Fate.UNREADABLE)}",
        "special file": f"kind = {int(Kind.SPECIAL)}",
        "nested mount": f"kind = {int(Kind.FOLDER)} AND dev <> {root_device}",
    }
    queries = {kind: f"SELECT {_PATH} AS path FROM entries WHERE {condition}" for kind, condition in where.items()}
    queries["folder not listed"] = f"SELECT dir AS path FROM listed WHERE NOT {_ENTRY} AND error IS NOT NULL"
    queries["names differ in case alone"] = _CASE_TWINS
    return tuple(hazard for kind, query in queries.items() if (hazard := _hazard(connection, kind, query)).count)


_CASE_TWINS = f"""
    SELECT unnest(paths) AS path FROM (
        SELECT list({_PATH}) AS paths FROM entries WHERE name <> ''::BLOB
        GROUP BY dir, lower(name::VARCHAR) HAVING count(*) > 1)"""


def _hazard(connection: Connection, kind: str, query: str) -> Hazard:
    found: list[Any] = connection.sql(f"SELECT count(*), min(path, {EXAMPLES}) FROM ({query})").fetchall()
    count, examples = found[0]
    return Hazard(kind, count, tuple(map(text_of, examples or ())))
