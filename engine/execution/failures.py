"""Names the entries that failed, for the journal and the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute

from engine.catalog.totals import NOT_DELETED, NOT_LISTED, reason_in_listing
from engine.model import Action, Failure, Fate, Kind
from engine.names import text_of


def failures_in_entries(tables: Iterable[pa.Table]) -> Iterator[Failure]:
    """Folders that could not be listed and entries that could not be looked at (ENTRY_SCHEMA)."""
    for table in tables:
        wrong = pa.compute.and_(
            table["error"].is_valid(),
            pa.compute.or_(
                pa.compute.equal(table["kind"], int(Kind.LISTED)),
                pa.compute.equal(table["fate"], int(Fate.UNREADABLE)),
            ),
        )
        for row in table.filter(wrong).select(["dir", "name", "kind", "error"]).to_pylist():
            reason, detail = NOT_LISTED, row["error"]
            if row["kind"] != Kind.LISTED:
                reason, detail = reason_in_listing(row["error"])
            yield Failure(_path(row["dir"], row["name"]), reason, detail)


def failures_in_results(tables: Iterable[pa.Table]) -> Iterator[Failure]:
    """Entries whose action is FAILED or NOT_DELETED (RESULT_SCHEMA)."""
    for table in tables:
        wrong = pa.array([Action.FAILED, Action.NOT_DELETED], pa.uint8())
        failed = table.filter(pa.compute.is_in(table["action"], wrong))
        for row in failed.select(["dir", "name", "action", "reason", "detail"]).to_pylist():
            reason = row["reason"] or "unknown"
            if row["action"] == Action.NOT_DELETED:
                reason = NOT_DELETED + reason
            yield Failure(_path(row["dir"], row["name"]), reason, row["detail"] or "")


def _path(folder: bytes, name: bytes) -> str:
    return text_of(folder + b"/" + name if folder and name else folder or name) or "/"
