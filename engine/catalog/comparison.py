"""Whether a destination holds what the source has: the SQL of a verification, and what is there besides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from engine.catalog.database import database, read_files, stream
from engine.catalog.held import Held, newest_facts, same_mtime
from engine.catalog.totals import MEMORY_BYTES
from engine.model import Fate, Kind

DIFFERENCES_SCHEMA = pa.schema(
    [
        ("dir", pa.binary()),
        ("name", pa.binary()),
        ("kind", pa.uint8()),
        ("difference", pa.string()),
        ("detail", pa.string()),
        ("size", pa.int64()),
        ("stored_size", pa.int64()),
    ]
)
"""One row an entry that differs: ``difference`` is missing, foreign, size, content, metadata or source changed."""

_FILE, _FOLDER, _SYMLINK = int(Kind.FILE), int(Kind.FOLDER), int(Kind.SYMLINK)


def judging(facts: str, there: str, held: Held) -> str:
    """SQL that judges the rows of the table ``chunk``, in their order.

    ``difference`` and ``detail``, null if none is known; ``stored_size``; ``how`` the content is known to be the same,
    null where that has to be looked at; ``same``: no fact is about the entry as it was before; ``known``: there is one.
    """
    is_file = f"c.kind <> {_FOLDER}"
    sizes = f"c.kind = {_FILE} OR (c.kind = {_SYMLINK} AND {held.objects})"
    recorded = "coalesce(f.same, false) AND f.etag <> '' AND f.etag IS NOT NULL"
    other = f"{recorded} AND d.etag <> f.etag" if held.objects else "c.link_target <> d.link_target"
    metadata = _metadata(held)
    how = f"WHEN {recorded} AND d.etag = f.etag THEN 'etag'" if held.objects else f"WHEN {is_file} THEN 'size-only'"
    return f"""
        SELECT CASE WHEN d.kind IS NULL THEN 'missing'
                    WHEN ({sizes}) AND d.size <> c.size THEN 'size'
                    WHEN {is_file} AND {other} THEN 'content'
                    WHEN {metadata} <> '' THEN 'metadata' END AS difference,
               CASE WHEN d.kind IS NULL OR (({sizes}) AND d.size <> c.size) THEN NULL
                    WHEN {is_file} AND {other} THEN 'not what was recorded when it was put there'
                    ELSE nullif({metadata}, '') END AS detail,
               d.size AS stored_size,
               CASE WHEN f.same AND {held.hides_marker("d", "f", "c")} THEN NULL
                    WHEN c.kind = {_FOLDER} THEN 'folder' {how} END AS how,
               f.verdict IS NULL OR coalesce(f.same, false) AS same,
               f.verdict IS NOT NULL AS known
        FROM chunk c LEFT JOIN ({newest_facts(facts)}) f USING (position)
             LEFT JOIN {there} d ON d.dir = c.dir AND d.name = c.name AND {held.of_a_kind("d", "c")}
        ORDER BY c.position"""


def foreign(listing: Path, source: Path, spill: Path) -> Iterator[pa.Table]:
    """DIFFERENCES_SCHEMA rows of the files of a sorted ``listing``, within the filters, that ``source`` lacks."""
    query = f"""
        SELECT dir, name, kind, 'foreign' AS difference, NULL::VARCHAR AS detail, NULL::BIGINT AS size,
               size AS stored_size
        FROM (SELECT * FROM {read_files([listing])} WHERE fate = {int(Fate.CANDIDATE)} AND kind <> {_FOLDER}) d
        ANTI JOIN (SELECT dir, name FROM {read_files([source])} WHERE kind <> {_FOLDER}) s USING (dir, name)
        ORDER BY dir, name"""
    with database(spill, MEMORY_BYTES) as connection:
        for rows in stream(connection, query):
            yield rows.cast(DIFFERENCES_SCHEMA)


def _metadata(held: Held) -> str:
    """SQL of the names of the attributes that differ, as far as listings tell them."""
    if held.objects or held.from_objects:
        return "''"
    parts = []
    if held.times:
        parts.append(f"CASE WHEN c.kind <> {_SYMLINK} AND NOT {same_mtime('d', 'c')} THEN 'mtime ' ELSE '' END")
    for column in held.compared:
        never = f"c.kind = {_SYMLINK} OR " if column == "mode" else ""
        parts.append(f"CASE WHEN {never}d.{column} = c.{column} THEN '' ELSE '{column} ' END")
    return f"trim({' || '.join(parts)})" if parts else "''"
