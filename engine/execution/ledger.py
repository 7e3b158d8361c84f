"""The exact ledger of an execution: discovered = transferred + skipped + failed + excluded + pending. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute
from msgspec.structs import replace

from engine.model import NOT_AT_SOURCE, Action, Bytes, Deletions, Fate, Kind, Tally, Totals


class Ledger:
    """Counts per task, starting from ``baseline``. ``listing_errors``: folders whose content is unknown.

    ``deletions``: what REMOVE found at the destination; ``not_deleted``: how much of it could not be deleted.
    ``differences``: what a verification at its end found.
    """

    def __init__(self, baseline: Sequence[Totals], listing_errors: int = 0) -> None:
        self._tasks = list(baseline)
        self.listing_errors = listing_errors
        self.not_deleted = 0
        self.deletions: Deletions | None = None
        self.differences = 0

    def copy(self) -> Ledger:
        """A ledger of its own with the same counts."""
        twin = Ledger(self._tasks, self.listing_errors)
        twin.not_deleted, twin.deletions, twin.differences = self.not_deleted, self.deletions, self.differences
        return twin

    def by_task(self) -> dict[int, Totals]:
        """The totals of each task."""
        return dict(enumerate(self._tasks))

    def totals(self, *, listing_complete: bool) -> Totals:
        """The totals of all tasks."""
        sizes = [task.bytes for task in self._tasks]
        files = _sum([task.files for task in self._tasks])
        return Totals(
            files=files,
            folders=_sum([task.folders for task in self._tasks]),
            bytes=Bytes(
                source=sum(size.source for size in sizes),
                transferred=sum(size.transferred for size in sizes),
                pending=sum(size.pending for size in sizes) if files.pending else 0,
                failed=sum(size.failed for size in sizes),
            ),
            listing_complete=listing_complete,
            deletions=self.deletions and replace(self.deletions, not_deleted=self.not_deleted),
            differences=self.differences,
        )

    def listed(self, rows: pa.Table) -> None:
        """Count the ENTRY_SCHEMA rows of a scan."""
        for (task, kind, fate), count, size in _groups(rows, "fate"):
            if kind != Kind.LISTED:
                self._entry(task, Kind(kind), Fate(fate), count, size)
        not_listed = pa.compute.and_(pa.compute.equal(rows["kind"], int(Kind.LISTED)), rows["error"].is_valid())
        self.listing_errors += rows.filter(not_listed).num_rows

    def unchanged(self, rows: pa.Table) -> None:
        """Count ENTRY_SCHEMA rows that need no work."""
        for (task, kind, _), count, size in _groups(rows, "fate"):
            self._change(task, Kind(kind), skipped=count)
            if kind != Kind.FOLDER:
                self._size(task, pending=-size)

    def acted(self, rows: pa.Table) -> None:
        """Count RESULT_SCHEMA rows."""
        for (task, kind, action), count, size in _groups(rows, "action"):
            if action in _DELETIONS:  # no part of what was discovered
                self._deleted(task, Kind(kind), Action(action), count)
                continue
            self._change(task, Kind(kind), **{_WORDS[Action(action)]: count})
            if kind != Kind.FOLDER:
                self._size(task, pending=-size, failed=size if action == Action.FAILED else 0)
        absent = rows.filter(pa.compute.equal(rows["reason"], NOT_AT_SOURCE))  # named by a manifest, never listed
        for (task, kind, _), count, _ in _groups(absent, "action"):
            self._change(task, Kind(kind), discovered=count)
        grouped = rows.select(["task", "kind", "sent_bytes", "verified"]).group_by(["task", "kind"])
        for row in grouped.aggregate([("sent_bytes", "sum"), ("verified", "count")]).to_pylist():
            self._size(row["task"], transferred=row["sent_bytes_sum"] or 0)
            self._change(row["task"], Kind(row["kind"]), verified=row["verified_count"])

    def _deleted(self, task: int, kind: Kind, action: Action, count: int) -> None:
        if action is Action.DELETED:
            self._change(task, kind, deleted=count)
        else:
            self.not_deleted += count

    def _entry(self, task: int, kind: Kind, fate: Fate, count: int, size: int) -> None:
        decided = ""
        if fate == Fate.EXCLUDED:
            decided = "excluded"
        elif fate == Fate.UNREADABLE:
            decided = "failed"
        elif kind == Kind.SPECIAL:
            decided = "skipped"
        self._change(task, kind, discovered=count, **({decided: count} if decided else {}))
        if kind != Kind.FOLDER and fate == Fate.CANDIDATE:
            self._size(task, source=size, pending=0 if decided else size)

    def _change(self, task: int, kind: Kind, **changes: int) -> None:
        totals = self._tasks[task]
        if kind == Kind.FOLDER:
            self._tasks[task] = Totals(totals.files, totals.folders.plus(**changes), totals.bytes)
        else:
            self._tasks[task] = Totals(totals.files.plus(**changes), totals.folders, totals.bytes)

    def _size(self, task: int, source: int = 0, transferred: int = 0, pending: int = 0, failed: int = 0) -> None:
        totals = self._tasks[task]
        sizes = totals.bytes
        left = max(0, sizes.pending + pending)
        changed = Bytes(sizes.source + source, sizes.transferred + transferred, left, sizes.failed + failed)
        self._tasks[task] = Totals(totals.files, totals.folders, changed)


_DELETIONS = (Action.DELETED, Action.NOT_DELETED)
_WORDS = {Action.TRANSFERRED: "transferred", Action.SKIPPED: "skipped", Action.FAILED: "failed"}


def _groups(rows: pa.Table, last: str) -> list[tuple[tuple[int, int, int], int, int]]:
    """((task, kind, ``last``), rows, bytes) for each combination that occurs."""
    if not rows.num_rows:
        return []
    grouped = rows.select(["task", "kind", last, "size"]).group_by(["task", "kind", last])
    table = grouped.aggregate([("size", "sum"), ([], "count_all")]).to_pylist()
    return [((row["task"], row["kind"], row[last]), row["count_all"], row["size_sum"] or 0) for row in table]


def _sum(tallies: list[Tally]) -> Tally:
    return Tally(*(sum(getattr(tally, name) for tally in tallies) for name in Tally.__struct_fields__))
