"""What REMOVE may delete: entries of the destination that the source does not have, as a list made before any is.

An entry is *known* if the newest fact about it says that xsync put it there and it still is what xsync put; all
others are *foreign*. Everything here errs towards keeping: what cannot be told is foreign, and a folder stays if
anything in it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from engine.catalog.database import Connection, database, read_files, stream
from engine.catalog.deletion_list import Group, write_list
from engine.catalog.facts import AT_DESTINATION, valid_entries
from engine.catalog.segments import results_writer
from engine.catalog.trust import MEMORY_BYTES, PATH, number_of
from engine.locations.extras import SIDE_PREFIX
from engine.locations.listing import ENTRY_SCHEMA
from engine.locations.posix_files import TEMPORARY_DIGITS
from engine.model import Action, Fate, Kind
from engine.names import OWN_PREFIX, NameError_, key_of, path_of

TIME_STEP_NS = 2 * 10**9
"""The coarsest times that a file system keeps."""

_GONE_SCHEMA = pa.schema(
    [ENTRY_SCHEMA.field(name) for name in ("dir", "name", "kind", "size", "mtime_ns", "etag")]
    + [pa.field("folder", pa.bool_()), pa.field("replaced", pa.bool_()), pa.field("mounted", pa.bool_())]
)
_ESCAPE_MARK = "E2809B"
"""U+201B, with which an escaped name is marked, in hexadecimal."""
_TEMPORARY = f"{OWN_PREFIX.hex().upper()}(3[0-9]|6[1-6]){{{TEMPORARY_DIGITS}}}"
"""Names that posix_files.temporary_name makes, in hexadecimal."""


class Source(NamedTuple):
    """Segments of entries of this execution, and those of facts: files of the state, and results not yet in it."""

    entries: Sequence[Path]
    state: Sequence[Path] = ()
    results: Sequence[Path] = ()


class Rules(NamedTuple):
    """What decides about an entry of the destination.

    ``objects``: it is an object store. ``wanted(path)``: it lies inside the filters. ``mounts``: folders of the source
    below which nothing was listed. ``foreign``: those are deleted, too. ``overwrites``: the old form of what changed
    its type goes; ``old_forms``: nothing else does, or is told of. ``from_objects``: the source is an object store.
    ``times_kept``: files have their source's times. ``ages``: least and greatest mtime of the source that the filters
    select, in ns; ``sizes``: the same in bytes.
    """

    objects: bool
    wanted: Callable[[bytes], bool] = lambda _: True
    mounts: frozenset[bytes] = frozenset()
    foreign: bool = False
    overwrites: bool = True
    from_objects: bool = False
    times_kept: bool = True
    old_forms: bool = False
    ages: tuple[int | None, int | None] = (None, None)
    sizes: tuple[int | None, int | None] = (None, None)


class Found(NamedTuple):
    """What is in the list; ``size`` in bytes. ``held``: entries of the destination inside the filters.

    ``below_mount``: a known entry that the source lacks, below a folder that was not entered: then nothing may go.
    """

    groups: tuple[Group, ...]
    files: int
    folders: int
    size: int
    foreign_files: int
    foreign_folders: int
    held: int
    below_mount: bytes | None


def write_deletions(listing: Path, source: Source, rules: Rules, out: Path) -> Found:
    """Compare a sorted listing of the destination with the source, and write what could be deleted to ``out``.

    ``out`` is durable when this returns. Memory is flat. Raises JournalError, OSError.
    """
    aside = out.with_name(f".{out.name}.gone")
    try:
        with database(out.with_name(f".{out.name}.spill"), MEMORY_BYTES) as connection:
            _make_views(connection, listing, source, rules)
            inside = f"fate = {int(Fate.CANDIDATE)} AND NOT {_is_implied(rules)}"
            held = number_of(connection, f"SELECT count(*) FROM held WHERE {inside}")
            _write_gone(connection, rules, aside)
            _judge(connection, aside, source, rules)
            below = connection.sql("SELECT min(path) FROM judged WHERE mounted AND known").fetchall()[0][0]
            groups = write_list(connection, out)
            return Found(groups, *_counts(connection), held, below)
    finally:
        aside.unlink(missing_ok=True)


def twins_of(path: bytes) -> bytes | None:
    """The path under which an object store lists what was written to ``path``, if that is another one."""
    try:
        listed = path_of(key_of(path))
    except NameError_:
        return None
    return None if listed == path else listed


def _make_views(connection: Connection, listing: Path, source: Source, rules: Rules) -> None:
    """``held``: the destination but its root. ``source``: what the source has, in the form (folder or not) it has it.

    What the source excludes, cannot read or never copies shields both forms.
    """
    is_folder = f"kind = {int(Kind.FOLDER)}"
    connection.execute(
        f"CREATE VIEW held AS SELECT *, {is_folder} AS folder FROM {read_files([listing])} "
        "WHERE NOT (dir = ''::BLOB AND name = ''::BLOB)"
    )
    shields = f"(fate <> {int(Fate.CANDIDATE)} OR kind = {int(Kind.SPECIAL)})"
    listed = f"(SELECT * FROM {valid_entries(source.entries, failed=True)} WHERE kind <> {int(Kind.LISTED)})"
    connection.execute(
        f"CREATE VIEW own AS SELECT dir, name, {is_folder} AS folder, {shields} AS shields FROM {listed}"
    )
    connection.execute("CREATE TABLE twins (dir BLOB, name BLOB, folder BOOLEAN, shields BOOLEAN)")
    if rules.objects:
        _add_twins(connection)
    both = "(SELECT * FROM own UNION ALL SELECT * FROM twins)"
    connection.execute(
        f"CREATE VIEW source AS SELECT dir, name, folder FROM {both} "
        f"UNION ALL SELECT dir, name, NOT folder FROM {both} WHERE shields"
    )


def _add_twins(connection: Connection) -> None:
    """Source entries whose key is read back as another path: that path is at the source, too."""
    marked = f"hex(dir) LIKE '%{_ESCAPE_MARK}%' OR hex(name) LIKE '%{_ESCAPE_MARK}%'"
    found = connection.sql(f"SELECT {PATH}, folder, shields FROM own WHERE {marked}").fetchall()
    for path, folder, shields in found:
        twin = twins_of(path)
        if twin is not None:
            place, _, name = twin.rpartition(b"/")
            connection.execute("INSERT INTO twins VALUES (?, ?, ?, ?)", [place, name, folder, shields])


def _write_gone(connection: Connection, rules: Rules, out: Path) -> None:
    """Write what the source does not have in this form. ``replaced``: it has it in the other."""
    query = f"""
        SELECT h.dir, h.name, h.kind, h.size, h.mtime_ns, h.etag, h.folder, s.name IS NOT NULL AS replaced
        FROM (SELECT * FROM held ANTI JOIN source USING (dir, name, folder) WHERE fate = {int(Fate.CANDIDATE)}) h
        LEFT JOIN (SELECT DISTINCT dir, name FROM source) s ON s.dir = h.dir AND s.name = h.name"""
    with open(out, "wb") as file, results_writer(file, _GONE_SCHEMA) as writer:
        for rows in stream(connection, query):
            paths = [_join(*pair) for pair in zip(rows["dir"].to_pylist(), rows["name"].to_pylist(), strict=True)]
            mounted = pa.array([_is_below(path, rules.mounts) for path in paths], pa.bool_())
            inside = pa.array([rules.wanted(path) for path in paths], pa.bool_())
            writer.write_table(rows.append_column("mounted", mounted).filter(inside).cast(_GONE_SCHEMA))


def _judge(connection: Connection, gone: Path, source: Source, rules: Rules) -> None:
    """Make the table ``judged``: what is gone, whether it is known, and whether it goes."""
    connection.execute(f"CREATE VIEW gone AS SELECT *, {PATH} AS path FROM {read_files([gone])}")
    connection.execute(f"CREATE VIEW facts AS {_facts(source)}")
    put = f"f.action = {int(Action.TRANSFERRED)}"
    known = f"coalesce({put} AND (g.folder OR {_is_as_put(rules)}), false)"
    old_form = "known" if rules.objects else "folder"
    connection.execute(f"""
        CREATE TABLE judged AS
        SELECT *, CASE WHEN mounted OR outside THEN false
                       WHEN implied THEN true
                       WHEN replaced THEN {_sql(rules.overwrites)} AND {old_form}
                       ELSE NOT {_sql(rules.old_forms)} AND (known OR {_sql(rules.foreign)}) END AS deletes
        FROM (
            SELECT g.dir, g.name, g.path, g.folder, g.size, g.mtime_ns, g.mounted, g.replaced, {known} AS known,
                   coalesce({put}, false) AS was_put,
                   CASE WHEN {known} AND {_sql(rules.objects)} THEN f.kind ELSE g.kind END AS kind,
                   {_is_outside(rules)} AS outside,
                   (g.replaced OR NOT {known}) AND {_is_implied(rules, "g.")} AS implied
            FROM gone g LEFT JOIN facts f ON f.dir = g.dir AND f.name = g.name AND f.folder = g.folder
        )""")
    if not rules.objects:
        connection.execute("DELETE FROM judged WHERE replaced AND NOT folder")  # copying has overwritten it, or will
    _keep_parents(connection, rules)
    connection.execute("DELETE FROM judged WHERE implied OR outside OR (known AND NOT deletes AND NOT mounted)")
    if rules.old_forms:
        connection.execute("DELETE FROM judged WHERE NOT replaced")


def _facts(source: Source) -> str:
    """SQL of the newest fact about each path of ``gone`` in each form; what skips or keeps says nothing new."""
    columns = "dir, name, kind, size, mtime_ns, etag, finished_ns"
    silent = ", ".join(str(int(action)) for action in (Action.SKIPPED, Action.RELEASED, Action.NOT_DELETED))
    said = f"action NOT IN ({silent}) OR {AT_DESTINATION}"
    there = f"CASE WHEN {AT_DESTINATION} THEN {int(Action.TRANSFERRED)} ELSE action END AS action"
    nothing = f"NULL::BLOB AS dir, NULL::BLOB AS name, {int(Kind.FILE)} AS kind, 0 AS size, 0 AS mtime_ns, '' AS etag"
    streams = [f"SELECT {nothing}, 0 AS finished_ns, 0 AS action WHERE false"]
    if source.state:
        streams.append(f"SELECT {columns}, {int(Action.TRANSFERRED)} AS action FROM {read_files(source.state)}")
    if source.results:
        streams.append(f"SELECT {columns}, {there} FROM {read_files(source.results)} WHERE {said}")
    return f"""
        SELECT *, kind = {int(Kind.FOLDER)} AS folder
        FROM ({" UNION ALL ".join(streams)}) SEMI JOIN gone USING (dir, name)
        QUALIFY row_number() OVER (PARTITION BY dir, name, kind = {int(Kind.FOLDER)} ORDER BY finished_ns DESC) = 1"""


def _is_as_put(rules: Rules) -> str:
    """SQL that is true if ``g`` is what fact ``f`` says was put there."""
    if rules.objects:
        return "CASE WHEN coalesce(f.etag, '') = '' THEN f.size = g.size ELSE f.etag = g.etag END"
    same, kind = "f.size = g.size", "f.kind = g.kind"
    if rules.from_objects:  # whose times are others, and among which links are objects
        kind = "true"
    elif rules.times_kept:
        same += f" AND abs(f.mtime_ns - g.mtime_ns) < {TIME_STEP_NS}"
    return f"{kind} AND (g.kind <> {int(Kind.FILE)} OR ({same}))"


def _is_outside(rules: Rules) -> str:
    """SQL that is true unless a file is known to be of an age and size that the filters select.

    The age is that of the source when it was copied: the destination's own times need not be the source's.
    """
    outside = ["false"]
    for column, sign, limit in (
        ("f.mtime_ns", "<", rules.ages[0]),
        ("f.mtime_ns", ">", rules.ages[1]),
        ("g.size", "<", rules.sizes[0]),
        ("g.size", ">", rules.sizes[1]),
    ):
        if limit is not None:
            outside.append(f"coalesce({column} {sign} {limit}, true)")
    return f"(NOT g.folder AND ({' OR '.join(outside)}))"


def _is_implied(rules: Rules, alias: str = "") -> str:
    """SQL that is true for a folder of an object store that is only a part of keys: there is nothing to delete.

    What was put there is deleted all the same, as not every server lists it, unless it has become a file: where both
    are one entry (SeaweedFS) the marker's deletion would take an empty file along.
    """
    return f"({alias}folder AND coalesce({alias}etag, '') = '')" if rules.objects else "false"


def _keep_parents(connection: Connection, rules: Rules) -> None:
    """A folder that holds anything that stays, stays, and so do those above it.

    Side objects do not count: they go with the objects to which they belong, which do. Nor do temporaries that killed
    agents have left: they go with their folder.
    """
    own = f"{SIDE_PREFIX.hex().upper()}.*" if rules.objects else _TEMPORARY
    connection.execute(f"""
        CREATE TABLE kept AS
        WITH RECURSIVE up(path) AS (
            SELECT DISTINCT h.dir FROM held h
            SEMI JOIN (SELECT path FROM judged WHERE folder AND deletes) j ON j.path = h.dir
            ANTI JOIN (SELECT dir, name, folder FROM judged WHERE deletes) d
                ON d.dir = h.dir AND d.name = h.name AND d.folder = h.folder
            WHERE h.folder OR NOT regexp_full_match(hex(h.name), '{own}')
            UNION
            SELECT j.dir FROM judged j JOIN up ON j.path = up.path WHERE j.folder AND j.deletes
        ) SELECT path FROM up""")
    connection.execute("UPDATE judged SET deletes = false WHERE folder AND path IN (SELECT path FROM kept)")


def _counts(connection: Connection) -> tuple[int, int, int, int, int]:
    """Files, folders and bytes that go, old forms left out; files and folders that are foreign and stay."""
    goes, stays = "deletes AND NOT replaced", "NOT known AND NOT deletes"
    row = connection.sql(f"""
        SELECT count(*) FILTER ({goes} AND NOT folder), count(*) FILTER ({goes} AND folder),
               coalesce(sum(size) FILTER ({goes} AND NOT folder), 0)::BIGINT,
               count(*) FILTER ({stays} AND NOT folder), count(*) FILTER ({stays} AND folder)
        FROM judged""").fetchall()[0]
    files, folders, size, foreign_files, foreign_folders = row
    return files, folders, size, foreign_files, foreign_folders


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def _is_below(path: bytes, folders: frozenset[bytes]) -> bool:
    """Whether ``path`` lies below one of ``folders``."""
    while folders and path:
        path = path.rpartition(b"/")[0]
        if path in folders:
            return True
    return False


def _sql(truth: bool) -> str:
    return "true" if truth else "false"
