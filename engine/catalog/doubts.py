"""What a verification found at the destination, put into the state: facts that differ are not believed any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pyarrow as pa

from engine.catalog.compaction import replace_facts
from engine.catalog.database import database, read_files, stream
from engine.catalog.facts import AT_DESTINATION
from engine.catalog.files import replacing
from engine.catalog.segments import results_writer
from engine.catalog.state import STATE_COLUMNS, Doubt, State, read_state, write_state
from engine.catalog.trust import MEMORY_BYTES
from engine.model import Kind

DESTINATION_DIFFERS = ("missing", "size", "content", "metadata")
"""Differences of the destination that sending an entry again mends: foreign objects stay, a changed source is seen."""

_PATHS = pa.schema([("dir", pa.binary()), ("name", pa.binary())])
_KEPT = [name for name in STATE_COLUMNS if name not in ("finished_ns", "doubt")]


def cast_doubt(
    folder: Path,
    earlier: Sequence[Path],
    differences: Path,
    before_ns: int,
    aside: Path,
    *,
    folders: bool,
    tried_ns: int | None = None,
) -> int:
    """Doubt the newest fact about each entry in a list of ``differences``; returns how many there are.

    ``folder`` is that of the state, ``earlier`` are results that are not in it yet. A fact recorded from ``before_ns``
    on stays: it is newer than what was found. Where mode or owner alone differ, the content is still believed, and
    nothing is doubted that was set from ``tried_ns`` on: a destination that does not keep it would be tried again for
    ever. ``folders``: there are facts about folders, too. ``aside``: an existing folder to work in. Raises OSError,
    JournalError.

    A file of other content without a fact is remembered beside the facts (``State.differing``): it would be adopted.
    """
    facts = list(_facts(folder, read_state(folder), earlier))
    unrecorded = _remember(folder, facts, differences, aside)
    if not facts:
        return unrecorded
    differs = ", ".join(f"'{word}'" for word in DESTINATION_DIFFERS)
    metadata = "d.difference = 'metadata' AND NOT contains(coalesce(d.detail, ''), 'mtime')"
    kinds = "true" if folders else f"kind <> {int(Kind.FOLDER)}"
    query = f"""
        SELECT {", ".join(f"f.{name}" for name in _KEPT)}, f.finished_ns + 1 AS finished_ns,
               CASE WHEN {metadata} THEN {int(Doubt.METADATA)} ELSE {int(Doubt.CONTENT)} END::UTINYINT AS doubt
        FROM ({" UNION ALL ".join(facts)}) f
        JOIN (SELECT * FROM {read_files([differences])} WHERE difference IN ({differs}) AND {kinds}) d
            ON d.dir = f.dir AND d.name = f.name AND d.kind = f.kind
        QUALIFY row_number() OVER (PARTITION BY f.dir, f.name ORDER BY f.finished_ns DESC) = 1
            AND f.finished_ns < CASE WHEN {metadata} THEN {tried_ns or before_ns} ELSE {before_ns} END
        ORDER BY f.dir, f.name"""
    out, rows = aside / "doubts.parquet", 0
    with database(aside / "spill", MEMORY_BYTES) as connection, replacing(out) as file, ExitStack() as closing:
        writer = None
        for table in stream(connection, query):
            writer = writer or closing.enter_context(results_writer(file, table.schema))
            writer.write_table(table)
            rows += table.num_rows
    if rows:
        replace_facts(folder, out)
    out.unlink()
    return rows + unrecorded


def _remember(folder: Path, facts: Sequence[str], differences: Path, aside: Path) -> int:
    """Add files of other content, of which there is no fact, to those that are not adopted; returns how many there are.

    Those of before stay while there is no fact about them.
    """
    state = read_state(folder)
    before = f"UNION SELECT dir, name, false FROM {read_files([folder / state.differing])}" if state.differing else ""
    differs = f"kind <> {int(Kind.FOLDER)} AND difference IN ('content', 'size')"
    found = f"SELECT dir, name, true AS is_new FROM {read_files([differences])} WHERE {differs}"
    with database(aside / "spill", MEMORY_BYTES) as connection:
        asked = f"SELECT dir, name, bool_or(is_new) AS is_new FROM ({found} {before}) GROUP BY dir, name"
        connection.execute(f"CREATE TEMP TABLE asked AS {asked}")
        for fact in facts:  # of many facts only those that are asked for are kept in memory
            known = f"SELECT f.dir, f.name FROM ({fact}) f SEMI JOIN asked USING (dir, name)"
            connection.execute(f"DELETE FROM asked USING ({known}) k WHERE asked.dir = k.dir AND asked.name = k.name")
        ((new,),) = connection.sql("SELECT count(*) FROM asked WHERE is_new").fetchall()
        if not new:
            return 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{state.version + 1:06d}-differing.parquet"
        with replacing(folder / name) as file, results_writer(file, _PATHS) as writer:
            for table in stream(connection, "SELECT dir, name FROM asked ORDER BY dir, name"):
                writer.write_table(table.cast(_PATHS))
    write_state(folder, msgspec.structs.replace(state, version=state.version + 1, differing=name))
    return int(new)


def _facts(folder: Path, state: State, earlier: Sequence[Path]) -> Iterator[str]:
    """SQL of what is said to be at the destination, by where it comes from."""
    columns = ", ".join((*_KEPT, "finished_ns"))
    for file in state.files:
        unsure = "unsure" if file.unsure else "false AS unsure"
        yield f"SELECT {columns.replace('unsure', unsure)} FROM {read_files([folder / file.name])}"
    if earlier:
        said = columns.replace("execution", "'' AS execution")
        yield f"SELECT {said} FROM {read_files(earlier)} WHERE {AT_DESTINATION}"
