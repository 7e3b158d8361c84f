"""What a destination holds, compared with what is recorded of it and with the source: the SQL of drift and adoption."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from engine.catalog.database import blob, read_files
from engine.catalog.facts import same_identity
from engine.catalog.state import Doubt
from engine.model import TIME_UNITS_NS, Kind, Look

HINT_SCHEMA = pa.schema([("look", pa.uint8()), ("known_checksum", pa.uint64()), ("known_etag", pa.string())])
"""Columns that rows of ENTRY_SCHEMA get beside their own when they are not simply to be sent.

``look`` is a Look; the others are of the newest fact about the path, null where there is none.
"""

_FILE, _FOLDER, _SYMLINK = int(Kind.FILE), int(Kind.FOLDER), int(Kind.SYMLINK)


class Verdict(IntEnum):
    """What is known of an entry. From WORK on it is to be sent, unless a look shows otherwise.

    MISSING, CHANGED: it would be unchanged, had the destination not lost or changed it.
    """

    UNCHANGED = 1
    DONE = 2
    ADOPTED = 3
    WORK = 4
    MISSING = 5
    CHANGED = 6


class Held(NamedTuple):
    """A listing of the destination as ``sort_listing`` leaves it, and how it may be compared.

    ``objects``: it is an object store. ``from_objects``: the source is one. ``times``: the mtime of a file there was
    made that of its source. ``compared``: those of mode, uid and gid that were too.
    """

    listing: Path
    objects: bool
    from_objects: bool = False
    times: bool = True
    compared: Sequence[str] = ()

    def rows(self, low: bytes, high: bytes) -> str:
        """SQL of what is there in folders from ``low`` to ``high``, both included."""
        return f"(SELECT * FROM {read_files([self.listing])} WHERE dir >= {blob(low)} AND dir <= {blob(high)})"

    def of_a_kind(self, there: str, entry: str) -> str:
        """SQL that is true if ``there`` can be what ``entry`` became: links are objects at an object store."""
        if self.objects:
            return f"(({there}.kind = {_FOLDER}) = ({entry}.kind = {_FOLDER}) AND {there}.kind IN ({_FILE}, {_FOLDER}))"
        if self.from_objects:
            return f"({there}.kind = {entry}.kind OR ({entry}.kind = {_FILE} AND {there}.kind = {_SYMLINK}))"
        return f"{there}.kind = {entry}.kind"

    def unchanged(self, there: str, fact: str, entry: str) -> str:
        """SQL that is true if ``there`` is what ``fact``, which holds for ``entry``, recorded."""
        if self.objects:
            same = f"{fact}.etag IS NULL OR {fact}.etag = '' OR {there}.etag = {fact}.etag"
            return f"({entry}.kind = {_FOLDER} OR ({there}.size = {entry}.size AND ({same})))"
        times = same_mtime(there, entry) if self._times_compare else f"{there}.ctime_ns <= {fact}.finished_ns"
        return self._of_files(there, entry, times)

    def hides_marker(self, there: str, fact: str, entry: str) -> str:
        """SQL that is true if a marker was put for folder ``entry``, and the listing shows none.

        A folder that is listed in slices may have it nevertheless: the server has to be asked.
        """
        if not self.objects:
            return "false"
        recorded = f"coalesce({fact}.etag, '') <> '' AND octet_length({entry}.name) > 0"
        return f"({entry}.kind = {_FOLDER} AND {there}.kind = {_FOLDER} AND {there}.etag IS NULL AND {recorded})"

    def same(self, there: str, entry: str) -> str:
        """SQL that is true if ``there`` need not be looked at to be taken for a copy of ``entry``."""
        if self.objects or not self._times_compare:
            return "false"  # a listing of objects says nothing of their metadata
        columns = "".join(f" AND {there}.{column} = {entry}.{column}" for column in self.compared)
        return f"({self._of_files(there, entry, same_mtime(there, entry))}{columns})"

    def alike(self, there: str, entry: str) -> str:
        """SQL that is true if a look at ``there`` may show that it is a copy of ``entry``."""
        if self.objects:
            return f"({entry}.kind = {_FOLDER} OR {there}.size = {entry}.size)"
        if self.from_objects and self.times:  # whose listing does not say the time of the file
            return f"({there}.kind = {_FILE} AND {there}.size = {entry}.size)"
        return "false"

    @property
    def _times_compare(self) -> bool:
        return self.times and not self.from_objects

    def _of_files(self, there: str, entry: str, times: str) -> str:
        link = f"{entry}.link_target IS NULL OR {there}.link_target = {entry}.link_target"
        file = f"{there}.size = {entry}.size AND {times}"
        return (
            f"(CASE WHEN {there}.kind = {_FILE} THEN {file} WHEN {there}.kind = {_SYMLINK} THEN {link} ELSE true END)"
        )


def same_mtime(there: str, entry: str) -> str:
    """SQL that is true if both have one mtime, as far as the destination can tell it.

    A coarser time counts only if the destination's is a multiple of it.
    """
    exact = f"{there}.mtime_ns = {entry}.mtime_ns"
    coarser = " OR ".join(
        f"({there}.mtime_ns % {unit} = 0 AND {entry}.mtime_ns - {there}.mtime_ns BETWEEN 0 AND {unit - 1})"
        for unit in TIME_UNITS_NS
    )
    return f"({exact} OR {coarser})"


def looking(
    facts: str, there: str | None, held: Held | None, *, compares: bool, touches: bool, differing: str = ""
) -> str:
    """SQL of a Verdict and the columns of HINT_SCHEMA for each row of the table ``chunk``, in its order.

    Also whether its path is ``known``, whether the destination has it (``there``), and the mtime there (``there_ns``).

    ``facts``: SQL of facts, "" if there are none. ``there``: of what the destination holds, None if it is not listed.
    ``differing``: of paths (dir, name) that are not adopted: what is there was found to be something else.
    """
    lost = changed = same = alike = hidden = "false"
    join = ""
    if held is not None and there is not None:
        join = f"LEFT JOIN {there} d ON d.dir = c.dir AND d.name = c.name AND {held.of_a_kind('d', 'c')}"
        lost, changed = "d.kind IS NULL", f"NOT coalesce({held.unchanged('d', 'f', 'c')}, false)"
        hidden = held.hides_marker("d", "f", "c") if held.times else "false"  # by its time it is known again
        same = "false" if compares else f"coalesce({held.same('d', 'c')}, false)"
        alike = f"coalesce({held.alike('d', 'c')}, false)"
        if differing:
            join += f" LEFT JOIN (SELECT DISTINCT dir, name FROM {differing}) x ON x.dir = c.dir AND x.name = c.name"
            same, alike = (f"({word} AND (f.verdict IS NOT NULL OR x.dir IS NULL))" for word in (same, alike))
    there_columns = (
        f"{'d.kind IS NOT NULL' if join else 'false'} AS there, {'d.mtime_ns' if join else 'NULL'} AS there_ns"
    )
    recorded = f"f.checksum IS NOT NULL AND c.kind = {_FILE}"
    known = f"f.same AND f.verdict = {int(Verdict.UNCHANGED)}"
    compared = f"{known} AND ({compares} OR f.unsure) AND {recorded}"
    blind = f"{known} AND {compares} AND {touches} AND f.checksum IS NULL AND c.kind = {_FILE}"
    other = f"f.doubt = {int(Doubt.CONTENT)}"
    touched = (
        f"(NOT f.same OR f.doubt = {int(Doubt.METADATA)}) AND f.touched AND NOT {other} AND {touches} AND {recorded}"
    )
    return f"""
        SELECT CASE WHEN f.same AND f.verdict = {int(Verdict.DONE)} THEN {int(Verdict.DONE)}
                    WHEN f.same AND {lost} THEN {int(Verdict.MISSING)}
                    WHEN f.same AND ({changed} OR f.doubt > 0) THEN {int(Verdict.CHANGED)}
                    WHEN ({compared}) OR ({blind}) OR (f.same AND (f.unsure OR {hidden})) THEN {int(Verdict.WORK)}
                    WHEN f.same THEN {int(Verdict.UNCHANGED)}
                    WHEN f.verdict IS NULL AND {same} THEN {int(Verdict.ADOPTED)}
                    ELSE {int(Verdict.WORK)} END::UTINYINT AS verdict,
               CASE WHEN f.same AND ({lost} OR {changed} OR {other}) THEN {int(Look.NONE)}
                    WHEN {touched} THEN {int(Look.METADATA)}
                    WHEN {compared} THEN {int(Look.COMPARE)}
                    WHEN {blind} AND coalesce(f.etag, '') <> '' THEN {int(Look.ADOPT)}
                    WHEN f.verdict IS NULL AND {alike} AND NOT {same} OR (f.same AND {hidden}) THEN {int(Look.ADOPT)}
                    ELSE {int(Look.NONE)} END::UTINYINT AS look,
               f.verdict IS NOT NULL AS known, {there_columns},
               f.checksum AS known_checksum, {"coalesce(f.etag, d.etag)" if join else "f.etag"} AS known_etag
        FROM chunk c LEFT JOIN ({newest_facts(facts)}) f USING (position) {join}
        ORDER BY c.position"""


def newest_facts(facts: str) -> str:
    """SQL of the newest fact about each row of ``chunk``: ``same``, its identity; ``touched``, but for ctime and owner.

    Whether it holds, a ``doubt`` (Doubt) tells, too.
    """
    columns = "verdict, same, touched, unsure, doubt, checksum, etag, finished_ns"
    if not facts:
        types = ("UTINYINT", "BOOLEAN", "BOOLEAN", "BOOLEAN", "UTINYINT", "UBIGINT", "VARCHAR", "BIGINT")
        nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in zip(columns.split(", "), types, strict=True))
        return f"SELECT 0::BIGINT AS position, {nothing} WHERE false"
    like = " AND ".join(
        f"f.{name} IS NOT DISTINCT FROM c.{name}" for name in ("kind", "size", "mtime_ns", "dev", "inode")
    )
    return f"""
        SELECT position, unnest(newest) FROM (
            SELECT c.position, max_by(struct_pack(
                verdict := f.verdict, same := f.holds AND {same_identity("f", "c")}, touched := f.holds AND {like},
                unsure := f.unsure, doubt := f.doubt, checksum := f.checksum, etag := f.etag,
                finished_ns := f.finished_ns), f.newness) AS newest
            FROM chunk c JOIN ({facts}) f ON f.dir = c.dir AND f.name = c.name
            GROUP BY c.position)"""
