"""The exact ledger of an execution and what is still to be listed, from committed segments alone (for a resume)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from engine.catalog.database import database, read_files
from engine.catalog.facts import IDENTITY_COLUMNS, broken_listings, listed_folders, same_identity, valid_entries
from engine.catalog.merging import give_back, grouped, newest_rows
from engine.catalog.segments import results_writer
from engine.model import Action, Bytes, Fate, Kind, Totals

MEMORY_BYTES = 96 << 20
"""What counting keeps in memory, whatever the number of rows; its peak is about half above that."""

UNREADABLE = "unreadable"
NOT_LISTED = "folder not listed"
COLLIDES = "collides with another name"
"""Reasons under which failures that listing found are counted."""

NOT_DELETED = "not deleted: "
"""What the reason begins with of what should have been deleted and is still there."""

COLLIDING = f"starts_with(coalesce(error, ''), '{COLLIDES}: ')"
"""SQL that is true of a row that shares its key with another name: nothing but that is wrong with it."""

_SETTLED = f"action IN ({int(Action.TRANSFERRED)}, {int(Action.SKIPPED)})"


def reason_in_listing(error: str | None) -> tuple[str, str | None]:
    """Reason and detail of an UNREADABLE row; its ``error`` may say that it is about the name instead."""
    owner = (error or "").removeprefix(f"{COLLIDES}: ")
    return (UNREADABLE, error) if owner == (error or "") else (COLLIDES, owner)


class Counted(NamedTuple):
    """``tasks``: totals by task index. ``frontier``: folders found and not completely listed, the root included.

    ``failure_counts``: files by reason that listing alone has decided. Failures of copying count as pending: they are
    work again. ``broken``: (folder, listing) of the rows that do not count.
    """

    tasks: dict[int, Totals]
    frontier: list[bytes]
    failure_counts: dict[str, int]
    broken: frozenset[tuple[bytes, int]] = frozenset()


def count(entries: Sequence[Path], results: Sequence[Path], spill: Path, *, folders_again: bool = False) -> Counted:
    """Count what segments of ``entries`` and ``results`` of one execution say.

    Only rows of the newest listing of a folder count, if it came to its end without an error. The newest result of a
    path decides about its entry if it says transferred or skipped and was made from exactly that entry; everything else
    is pending, entries that an earlier execution has transferred too. A folder that could not be listed is listed
    again. ``folders_again``: a session ends with all folders, so that they are pending whatever was done to them. Takes
    about MEMORY_BYTES plus the frontier.
    """
    if not entries:
        return Counted({}, [b""], {})
    with (
        database(spill, MEMORY_BYTES) as connection,
        TemporaryDirectory(dir=entries[0].parent, prefix=".counting-") as aside,
    ):
        decided = _newest(results, Path(aside) / "results") if results else None
        groups = connection.sql(_groups(entries, decided, folders_again=folders_again)).fetchall()
        frontier = [row[0] for row in connection.sql(_frontier(entries)).fetchall()]
        deleted = connection.sql(_deleted(decided)).fetchall() if decided is not None else []
        broken = frozenset(connection.sql(f"SELECT * FROM {broken_listings(entries)}").fetchall())
    tasks: dict[int, Totals] = {}
    failures: Counter[str] = Counter()
    for task, kind, fate, action, collides, *sums in groups:
        totals = tasks.get(task, Totals())
        group = _Group(*sums)
        if kind == Kind.LISTED:
            tasks[task] = totals
            continue
        if fate == Fate.UNREADABLE:
            failures[COLLIDES if collides else UNREADABLE] += group.rows
        tasks[task] = _plus(totals, kind, _changes(kind, fate, action, group), _sizes(kind, fate, action, group))
    for kind, rows in deleted:
        tasks[0] = _plus(tasks.get(0, Totals()), kind, {"deleted": rows}, Bytes())
    return Counted(tasks, sorted(frontier), dict(failures), broken)


class _Group(NamedTuple):
    """Sums over entries of the same task, kind, fate and action."""

    rows: int
    bytes: int
    sent: int
    verified: int


def _changes(kind: int, fate: int, action: int | None, group: _Group) -> dict[str, int]:
    word = {Action.TRANSFERRED: "transferred", Action.SKIPPED: "skipped"}.get(Action(action)) if action else None
    if fate == Fate.EXCLUDED:
        word = "excluded"
    elif fate == Fate.UNREADABLE:
        word = "failed"
    elif kind == Kind.SPECIAL:
        word = "skipped"
    return {"discovered": group.rows, "verified": group.verified} | ({word: group.rows} if word else {})


def _sizes(kind: int, fate: int, action: int | None, group: _Group) -> Bytes:
    if kind == Kind.FOLDER or fate != Fate.CANDIDATE:
        return Bytes(transferred=group.sent)
    pending = 0 if action or kind == Kind.SPECIAL else group.bytes
    return Bytes(group.bytes, group.sent, pending)


def _plus(totals: Totals, kind: int, changes: dict[str, int], sizes: Bytes) -> Totals:
    files, folders = totals.files, totals.folders
    if kind == Kind.FOLDER:
        folders = folders.plus(**changes)
    else:
        files = files.plus(**changes)
    before = totals.bytes
    summed = Bytes(before.source + sizes.source, before.transferred + sizes.transferred, before.pending + sizes.pending)
    return Totals(files, folders, summed)


def _newest(results: Sequence[Path], out: Path) -> Path:
    """Write what counting needs of the newest result of each path: a join takes less memory than finding it in SQL."""
    columns = ["dir", "name", *IDENTITY_COLUMNS, "action", "sent_bytes", "verified", "finished_ns"]
    known = pq.read_schema(results[0])
    schema = pa.schema([known.field(column) for column in columns])
    with open(out, "wb") as file, results_writer(file, schema) as writer:
        for rows in grouped(newest_rows(results, columns)):
            writer.write_table(rows)
    give_back()
    return out


def _deleted(results: Path) -> str:
    """SQL of how many entries of each kind were deleted at the destination: no part of what was discovered."""
    return f"SELECT kind, count(*) FROM {read_files([results])} WHERE action = {int(Action.DELETED)} GROUP BY kind"


def _groups(entries: Sequence[Path], results: Path | None, *, folders_again: bool) -> str:
    """SQL of one row for each task, kind, fate and action that occurs, with the sums of ``_Group``."""
    decided = "(SELECT NULL AS action, NULL AS sent_bytes, NULL AS verified)"
    same = "false"
    if results is not None:
        decided = f"(SELECT * FROM {read_files([results])} WHERE {_SETTLED})"
        never = [Kind.SPECIAL, Kind.LISTED, *([Kind.FOLDER] if folders_again else [])]
        candidate = f"e.fate = {int(Fate.CANDIDATE)} AND e.kind NOT IN ({', '.join(str(int(kind)) for kind in never)})"
        same = f"r.dir = e.dir AND r.name = e.name AND {same_identity('r', 'e')} AND {candidate}"
    return f"""
        SELECT e.task, e.kind, e.fate, r.action, {COLLIDING}, count(*), coalesce(sum(e.size), 0)::BIGINT,
               coalesce(sum(r.sent_bytes), 0)::BIGINT, count(r.verified)
        FROM {valid_entries(entries, failed=False)} e LEFT JOIN {decided} r ON {same}
        GROUP BY ALL"""


def _frontier(entries: Sequence[Path]) -> str:
    """SQL of the paths of folders that were found and are not listed."""
    path = "CASE WHEN dir = ''::BLOB THEN name ELSE dir || '/'::BLOB || name END"
    is_folder = f"kind = {int(Kind.FOLDER)} AND fate = {int(Fate.CANDIDATE)}"
    found = f"SELECT {path} AS path FROM {valid_entries(entries, failed=False)} WHERE {is_folder}"
    return f"""
        SELECT path FROM ({found} UNION SELECT ''::BLOB) f
        ANTI JOIN {listed_folders(entries, failed=False)} l ON l.dir = f.path"""
