"""Goes on with a survey that was interrupted: what it had listed is taken over, what it had not is listed now."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.database import Connection, database, stream
from engine.catalog.files import replacing
from engine.catalog.segments import entries_writer
from engine.model import Fate, Kind
from engine.survey.columns import MEMORY_BYTES, PATH, SURVEY_SCHEMA, open_catalog

KEPT_NAME = "entries-kept.parquet"


class TakenOver(NamedTuple):
    """Files of a catalog that hold what is known already, the entries in them, and the folders still to be listed."""

    segments: list[Path]
    entries: int
    left: list[bytes]


NOTHING = TakenOver([], 0, [b""])
"""Where there is no survey to go on with: all is still to be listed."""


def take_over(old: Path, catalog: Path) -> TakenOver:
    """Copy what counts of the interrupted catalog ``old`` into ``catalog``. Raises OSError, JournalError.

    A folder counts if it and all folders above it were listed to their ends without an error. Rows of the others are
    left out, and with them what was found below: they are listed again, and so is all that lies below them.
    """
    segments = sorted(old.glob("*.parquet"))
    kept = catalog / KEPT_NAME
    with database(catalog / ".spill", MEMORY_BYTES) as connection:
        open_catalog(connection, segments)
        connection.execute(_FIND_KEPT)
        entries = _write(kept, stream(connection, "SELECT * FROM listed SEMI JOIN kept USING (dir)"))
        left = _left(connection)
    return TakenOver([kept], entries, left)


_FIND_KEPT = f"""
    CREATE TEMP TABLE done AS
    SELECT DISTINCT dir, dir::VARCHAR AS text FROM listed WHERE kind = {int(Kind.LISTED)} AND error IS NULL;
    CREATE TEMP TABLE kept AS
    WITH above AS (
        SELECT dir, unnest(list_transform(
            range(0, len(parts)), lambda n: array_to_string(list_slice(parts, 1, n), '/'))) AS text
        FROM (SELECT dir, string_split(text, '/') AS parts FROM done WHERE text <> '')),
    orphans AS (SELECT DISTINCT dir FROM above ANTI JOIN done USING (text))
    SELECT dir FROM done ANTI JOIN orphans USING (dir)"""


def _left(connection: Connection) -> list[bytes]:
    """The folders that are known by their own row alone. That of a nested mount is not entered."""
    if not connection.sql("SELECT 1 FROM kept WHERE dir = ''::BLOB").fetchall():
        return [b""]
    rows = connection.sql(f"""
        SELECT {PATH} AS path FROM listed SEMI JOIN kept USING (dir)
        WHERE kind = {int(Kind.FOLDER)} AND fate = {int(Fate.CANDIDATE)} AND name <> ''::BLOB
        AND ({PATH}) NOT IN (SELECT dir FROM kept)""").fetchall()
    return [path for (path,) in rows]


def _write(path: Path, tables: Iterable[pa.Table]) -> int:
    entries = 0
    with replacing(path) as file, entries_writer(file, SURVEY_SCHEMA, fast=True) as writer:
        for table in tables:
            writer.write_table(table.select(SURVEY_SCHEMA.names).cast(SURVEY_SCHEMA))
            entries += pc.sum(pc.not_equal(table["kind"], int(Kind.LISTED))).as_py() or 0
    return entries
