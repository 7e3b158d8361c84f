"""Compares two surveys of one source: what came, what changed, what went, and which hazards are new."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.catalog.database import database
from engine.model import Kind
from engine.names import text_of
from engine.survey.columns import MEMORY_BYTES, open_catalog
from engine.survey.facts import Amount, Comparison, FolderChurn, Hazard
from engine.survey.folders import gather_folders
from engine.survey.hazard_rules import ANYWHERE, Target
from engine.survey.hazards import find_hazards
from engine.survey.report import SurveyReport

MOST_FOLDERS = 100
_COPIED = f"kind IN ({int(Kind.FILE)}, {int(Kind.SYMLINK)})"
_STATES = ("new", "changed", "removed", "touched")


def compare(
    earlier: SurveyReport,
    before: Sequence[Path],
    report: SurveyReport,
    now: Sequence[Path],
    spill: Path,
    target: Target = ANYWHERE,
) -> Comparison:
    """What happened between two complete surveys whose catalogs are the files ``before`` and ``now``.

    Files and links are told apart by path: what was renamed is removed and new. Hazards of both are those of
    ``target``. Memory stays flat. Raises OSError.
    """
    with database(spill, MEMORY_BYTES) as connection:
        open_catalog(connection, before, "old_")
        open_catalog(connection, now, "new_")
        rows = connection.sql(_COMPARED).fetchall()
    amounts: dict[tuple[bytes, str], Amount] = {(top, state): Amount(files, size) for top, state, files, size in rows}
    folders = [_churn(top, amounts) for top in sorted({top for top, _ in amounts})]
    folders.sort(key=lambda each: (-_moved(each), each.path))
    return Comparison(
        since=earlier.surveyed_at,
        seconds=report.surveyed_at - earlier.surveyed_at,
        files_before=earlier.files,
        bytes_before=earlier.bytes,
        **{state: _sum(amount for (_, found), amount in amounts.items() if found == state) for state in _STATES},
        folders=tuple(each for each in folders if each.new.files or each.changed.files or each.removed.files)[
            :MOST_FOLDERS
        ],
        new_hazards=_new_hazards(_hazards(before, spill, target), report.hazards),
    )


_COMPARED = f"""
    SELECT CASE WHEN dir = ''::BLOB THEN ''::BLOB ELSE split_part(dir::VARCHAR, '/', 1)::BLOB END AS top, state,
           count(*), sum(bytes)::BIGINT FROM (
        SELECT coalesce(n.dir, o.dir) AS dir,
               CASE WHEN o.name IS NULL THEN 'new' WHEN n.name IS NULL THEN 'removed'
                    WHEN n.kind <> o.kind OR n.size <> o.size OR n.mtime_ns <> o.mtime_ns THEN 'changed'
                    WHEN n.ctime_ns <> o.ctime_ns THEN 'touched' ELSE 'same' END AS state,
               CASE WHEN coalesce(n.kind, o.kind) = {int(Kind.FILE)} THEN coalesce(n.size, o.size) ELSE 0 END AS bytes
        FROM (SELECT * FROM new_entries WHERE {_COPIED}) n FULL JOIN (SELECT * FROM old_entries WHERE {_COPIED}) o
        ON n.dir = o.dir AND n.name = o.name
    ) WHERE state <> 'same' GROUP BY top, state"""


def _churn(top: bytes, amounts: dict[tuple[bytes, str], Amount]) -> FolderChurn:
    return FolderChurn(text_of(top), *(amounts.get((top, state), Amount()) for state in _STATES[:3]))


def _moved(churn: FolderChurn) -> int:
    return churn.new.bytes + churn.changed.bytes + churn.removed.bytes


def _sum(amounts: Any) -> Amount:
    found = list(amounts)
    return Amount(sum(each.files for each in found), sum(each.bytes for each in found))


def _hazards(before: Sequence[Path], spill: Path, target: Target) -> tuple[Hazard, ...]:
    """Those of the earlier catalog: its report may be about another destination."""
    with database(spill, MEMORY_BYTES) as connection:
        open_catalog(connection, before)
        gather_folders(connection, 0)
        return find_hazards(connection, target)


def _new_hazards(before: Sequence[Hazard], now: Sequence[Hazard]) -> tuple[Hazard, ...]:
    """Kinds that were not there, or that are more; examples are those that were not named before."""
    known = {hazard.kind: hazard for hazard in before}
    found = []
    for hazard in now:
        old = known.get(hazard.kind)
        more = hazard.count - (old.count if old else 0)
        if more > 0:
            examples = tuple(path for path in hazard.examples if old is None or path not in old.examples)
            found.append(msgspec.structs.replace(hazard, count=more, examples=examples))
    return tuple(found)
