"""What a verification found at the destination, put into the state: facts that differ are not believed any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from engine.catalog.compaction import replace_facts
from engine.catalog.database import database, read_files, stream
from engine.catalog.facts import AT_DESTINATION
from engine.catalog.files import replacing
from engine.catalog.segments import results_writer
from engine.catalog.state import STATE_COLUMNS, Doubt, State, read_state
from engine.catalog.trust import MEMORY_BYTES
from engine.model import Kind

DESTINATION_DIFFERS = ("missing", "size", "content", "metadata")
"""Differences of the destination that sending an entry again mends: foreign objects stay, a changed source is seen."""

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
    """
    facts = list(_facts(folder, read_state(folder), earlier))
    if not facts:
        return 0
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
    return rows


def _facts(folder: Path, state: State, earlier: Sequence[Path]) -> Iterator[str]:
    """SQL of what is said to be at the destination, by where it comes from."""
    columns = ", ".join((*_KEPT, "finished_ns"))
    for file in state.files:
        unsure = "unsure" if file.unsure else "false AS unsure"
        yield f"SELECT {columns.replace('unsure', unsure)} FROM {read_files([folder / file.name])}"
    if earlier:
        said = columns.replace("execution", "'' AS execution")
        yield f"SELECT {said} FROM {read_files(earlier)} WHERE {AT_DESTINATION}"
