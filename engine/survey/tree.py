"""The folders of a survey's catalog that matter, and the names in one of them, for cutting a dataset into tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine.catalog.database import Connection, blob, database, read_files
from engine.model import Kind
from engine.names import common_start
from engine.planning.values import FolderNode, NameGroup

MEMORY_BYTES = 512 << 20
"""What a query keeps in memory, whatever the number of entries; the peak is about half above that."""

SHARE = 1 / 2_000
"""Of the whole: lighter folders count in their parents alone."""

MOST_FOLDERS = 20_000
"""Folders of a tree, the heaviest first."""

_FILE = f"kind = {int(Kind.FILE)}"
_BELOW = f"name <> ''::BLOB AND kind <> {int(Kind.LISTED)}"
_SUMS = "sum(files)::BIGINT AS files, sum(bytes)::BIGINT AS bytes, sum(entries)::BIGINT AS entries"


def folder_tree(
    files: Sequence[Path], spill: Path, knee_bytes: int, *, share: float = SHARE, level: int = 1
) -> list[FolderNode]:
    """The tree of the entries in Parquet ``files``: the root, what is heavy, and all folders down to ``level``.

    Heavy is what weighs, in bytes + ``knee_bytes`` for each file, at least ``share`` of the whole. One pass over the
    entries, then one over the folders of each level that lie in heavy ones. Raises JournalError.
    """
    if not files:
        return [FolderNode(b"", 0, 0, 0, 0)]
    with database(spill, MEMORY_BYTES) as connection:
        # As text a BLOB shows what is not ASCII as escapes: it can be cut at slashes, and turned back.
        connection.execute(f"""
            CREATE TEMP TABLE level AS SELECT string_split(dir::VARCHAR, '/') AS parts, * FROM (
                SELECT dir, count(*) FILTER ({_FILE}) AS files, count(*) FILTER ({_BELOW}) AS entries,
                       coalesce(sum(size) FILTER ({_FILE}), 0)::BIGINT AS bytes
                FROM {read_files(files)} GROUP BY dir)""")
        connection.execute(f"CREATE TEMP TABLE found AS {_nodes(0, knee_bytes, 0)}")
        whole = connection.sql(f"SELECT bytes + {knee_bytes} * files FROM found").fetchall()[0][0]
        depth = 1
        while True:
            _descend(connection, depth, knee_bytes, whole * share if depth > level else 0)
            if not connection.sql("SELECT count(*) FROM level").fetchall()[0][0]:
                break
            depth += 1
        rows = connection.sql(f"""
            SELECT path::BLOB, files, bytes, own_files, own_bytes, entries FROM (
                SELECT * FROM found ORDER BY depth > {level}, bytes + {knee_bytes} * files DESC, path
                LIMIT {MOST_FOLDERS}) ORDER BY 1""").fetchall()
    return [FolderNode(*row) for row in rows]


def _nodes(depth: int, knee_bytes: int, least: float) -> str:
    """The folders of a depth with all below them, of the rows of ``level``."""
    path = f"array_to_string(parts[1:{depth}], '/')"
    own = "dir = ''::BLOB" if depth == 0 else f"len(parts) = {depth}"
    return f"""
        SELECT {depth} AS depth, {path} AS path, {_SUMS},
               coalesce(sum(files) FILTER ({own}), 0)::BIGINT AS own_files,
               coalesce(sum(bytes) FILTER ({own}), 0)::BIGINT AS own_bytes
        FROM level GROUP BY path HAVING sum(bytes) + {knee_bytes} * sum(files) >= {least}"""


def _descend(connection: Connection, depth: int, knee_bytes: int, least: float) -> None:
    """Add the heavy folders of ``depth`` to ``found``, and keep in ``level`` what lies in them."""
    deep = "dir <> ''::BLOB" if depth == 1 else f"len(parts) >= {depth}"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE level AS SELECT * FROM level WHERE {deep}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE heavy AS {_nodes(depth, knee_bytes, least)}")
    connection.execute("INSERT INTO found SELECT * FROM heavy")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE level AS SELECT level.* FROM level
        SEMI JOIN heavy ON array_to_string(parts[1:{depth}], '/') = heavy.path WHERE len(parts) > {depth}""")


def name_groups(
    files: Sequence[Path], spill: Path, folders: Sequence[bytes], knee_bytes: int, most_weight: float
) -> dict[bytes, list[NameGroup]]:
    """What each of ``folders`` holds by how its names begin, in order of name, at most ``most_weight`` in a group.

    A group is finer only where it is too heavy, down to a single name; no name is in two. Names that are not UTF-8 are
    in none. One pass over the entries for all folders. Raises JournalError.
    """
    groups: dict[bytes, list[NameGroup]] = {folder: [] for folder in folders}
    if not files or not folders:
        return groups
    with database(spill, MEMORY_BYTES) as connection:
        connection.execute(_names(files, folders))
        while True:
            found = [_Found(*row) for row in connection.sql(_GROUPED).fetchall()]
            heavy = [group for group in found if group.is_heavy(knee_bytes, most_weight)]
            for group in found:
                if not group.is_heavy(knee_bytes, most_weight):
                    groups[group.folder].append(group.value())
            if not heavy:
                return {folder: sorted(own, key=lambda group: group.name) for folder, own in groups.items()}
            finer = [1 + len(common_start(group.first, group.last)) for group in heavy]
            connection.execute(_FINER, [[group.folder for group in heavy], [group.start for group in heavy], finer])


class _Found(NamedTuple):
    """Names in ``folder`` that begin with ``start``, cut to ``length``; the first and last of them, what they hold."""

    folder: bytes
    length: int
    start: str
    first: str
    last: str
    files: int
    bytes: int
    entries: int

    def is_heavy(self, knee_bytes: int, most_weight: float) -> bool:
        """Whether it has to be finer, and can be."""
        weight = self.bytes + knee_bytes * self.files
        return (weight > most_weight or not self.start) and self.first != self.last

    def value(self) -> NameGroup:
        """The group: names that are shorter than the cut are whole."""
        is_open = len(self.start) == self.length and self.first != self.last
        name = self.start if is_open else self.first
        return NameGroup(name.encode(), is_open, self.files, self.bytes, self.entries)


_GROUPED = f"""
    SELECT folder, length, left(name, length) AS start, min(name), max(name), {_SUMS} FROM names
    GROUP BY folder, length, start"""

_FINER = """
    CREATE OR REPLACE TEMP TABLE names AS
    SELECT folder, heavy.finer AS length, name, files, bytes, entries FROM names JOIN (
        SELECT unnest($1::BLOB[]) AS folder, unnest($2::VARCHAR[]) AS start, unnest($3::BIGINT[]) AS finer
    ) AS heavy USING (folder) WHERE left(name, length) = heavy.start"""


def _names(files: Sequence[Path], folders: Sequence[bytes]) -> str:
    """Makes the table of the names in ``folders`` with what each holds at any depth."""
    counts = f"({_FILE})::INT AS files, CASE WHEN {_FILE} THEN size ELSE 0 END AS bytes, 1 AS entries"
    wanted = f"SELECT unnest([{', '.join(map(blob, folders))}]) AS folder"
    below = [_below(depth) for depth in sorted({folder.count(b"/") + 1 if folder else 0 for folder in folders})]
    return f"""
        CREATE TEMP TABLE names AS
        WITH wanted AS ({wanted}),
        entries AS NOT MATERIALIZED (SELECT dir, name, {counts} FROM {read_files(files)} WHERE {_BELOW}),
        sums AS MATERIALIZED (
            SELECT string_split(dir::VARCHAR, '/') AS parts, * FROM (
                SELECT dir, {_SUMS} FROM entries WHERE dir <> ''::BLOB GROUP BY dir))
        SELECT folder, 0::BIGINT AS length, TRY(decode(name)) AS name, {_SUMS} FROM (
            SELECT folder, name, files, bytes, entries FROM entries JOIN wanted ON dir = folder
            UNION ALL {" UNION ALL ".join(below)}
        ) GROUP BY ALL HAVING name IS NOT NULL"""


def _below(depth: int) -> str:
    """What lies in the folders of ``wanted`` of a depth, by the name in them under which it lies."""
    parent = f"array_to_string(parts[1:{depth}], '/')"
    return f"""
        SELECT folder, parts[{depth + 1}]::BLOB AS name, files, bytes, entries
        FROM sums JOIN wanted ON {parent} = folder::VARCHAR WHERE len(parts) > {depth}"""
