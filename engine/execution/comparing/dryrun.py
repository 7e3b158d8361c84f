"""What a run would do: both sides are looked at, nothing is changed at source, destination and state."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.deletions import Rules, Source, write_deletions
from engine.catalog.delta import Known
from engine.catalog.destination import listing_error, sort_listing
from engine.catalog.files import replacing
from engine.catalog.held import Verdict
from engine.catalog.merging import grouped, read
from engine.catalog.segments import candidates, results_writer
from engine.catalog.state import read_state
from engine.catalog.trust import listing_errors, not_entered
from engine.errors import DestinationError
from engine.execution.comparing.drift import reason_to_list
from engine.execution.comparing.verification import Progress
from engine.execution.expand import SMALL_BYTES
from engine.execution.session import earlier_results, held, state_folder_of
from engine.execution.uploads import part_size
from engine.filters import Filters
from engine.locations.base import Location
from engine.locations.registry import open_location
from engine.model import Fate, Kind, Look, Migration
from engine.names import is_safe_relative, text_of
from engine.planning.prices import load_prices
from engine.planning.requests import Requests, pages
from engine.quantities import counted
from engine.survey.listing import Listing, list_entries
from engine.transfer.looking import NEWER
from engine.transfer.selecting import selected

CHUNK_ROWS = 20_000

PLAN_SCHEMA = pa.schema(
    [
        ("dir", pa.binary()),
        ("name", pa.binary()),
        ("kind", pa.uint8()),
        ("action", pa.string()),
        ("reason", pa.string()),
        ("size", pa.int64()),
    ]
)
"""One row an entry. ``action``: transfer, overwrite, look, skip, delete or fail.

look: it is sent unless a look at the destination, or its content, shows that it need not be.
"""

_LOOKS = {
    Look.ADOPT: "the destination holds something of this size: adopted if its time or content agrees",
    Look.COMPARE: "its content is compared",
    Look.METADATA: "only its metadata is set if its content is the same",
}


class Sums(msgspec.Struct, frozen=True):
    """Files and links, folders, and bytes of files."""

    files: int = 0
    folders: int = 0
    bytes: int = 0


class DryRun(msgspec.Struct, frozen=True):
    """What would be done, by action and by (action, reason) as text; ``requests`` without retries.

    ``dollars``: what they cost at S3's list prices, zero where none go to S3. ``notes``: what limits this forecast.
    """

    source: str
    destination: str
    seconds: float
    actions: dict[str, Sums]
    reasons: dict[str, Sums]
    requests: dict[str, int]
    dollars: float
    notes: list[str]


class _Sides(NamedTuple):
    source: Location
    destination: Any
    identities: tuple[str, str]
    exists: bool

    @property
    def to_objects(self) -> bool:
        return bool(self.destination.capabilities.transport == "objects")

    @property
    def from_objects(self) -> bool:
        return self.source.capabilities.transport == "objects"


def dry_run(
    migration: Migration,
    out: Path,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> DryRun:
    """Write what would become of each entry to ``out`` (PLAN_SCHEMA), and add it up.

    Raises SourceError, DestinationError, StoppedError, OSError.
    """
    sides = _open(migration)
    try:
        with tempfile.TemporaryDirectory(prefix=".dry-run-", dir=out.parent) as folder:
            return _Planner(migration, sides, Path(folder), cancelled, on_progress).run(out)
    finally:
        sides.source.close()
        sides.destination.close()


def _open(migration: Migration) -> _Sides:
    source, destination = open_location(migration.source), open_location(migration.destination)
    source.check_source()
    root = getattr(destination, "root", None)
    exists = root is None or os.path.isdir(root)
    return _Sides(source, destination, (source.identity(), destination.identity() if exists else ""), exists)


class _Planner:
    def __init__(
        self,
        migration: Migration,
        sides: _Sides,
        folder: Path,
        cancelled: Callable[[], bool],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._migration = migration
        self._options = migration.options
        self._sides = sides
        self._folder = folder
        self._cancelled = cancelled
        self._tell = on_progress
        self._began_at = time.time()
        self._requests = Requests()
        self._sums: Counter[tuple[str, str, str]] = Counter()
        self._notes: list[str] = []

    def run(self, out: Path) -> DryRun:
        source = self._list("source")
        change = partial(selected, filters=Filters(self._migration.filters), began_at=self._began_at)
        entries = sort_listing(source.files, self._folder / "source.parquet", change)
        changed_only = self._options.transfer_mode == "CHANGED"
        state = state_folder_of(*self._sides.identities)
        earlier = earlier_results(*self._sides.identities) if self._sides.exists else []
        listing = self._destination(state, earlier)
        known = Known(
            self._folder / "spill",
            state=state if changed_only else None,
            earlier=earlier if changed_only else (),
            held=None
            if listing is None or not changed_only
            else held(listing, self._sides.source, self._sides.destination, self._options),
            compares=self._options.checksum and changed_only,
            touches=self._options.overwrite_mode != "NEVER" and changed_only,
        )
        with known, replacing(out) as file, results_writer(file, PLAN_SCHEMA) as writer:
            for rows in grouped(read(entries), CHUNK_ROWS):
                writer.write_table(self._counted(self._unlisted(rows)))
                work = candidates(rows)
                if self._sides.to_objects:  # where the root is no entry
                    work = work.filter(pc.greater(pc.binary_length(work["name"]), 0))
                if work.num_rows:
                    writer.write_table(self._counted(self._planned(work, known)))
            for rows in self._deletions(source, listing, state, earlier):
                writer.write_table(self._counted(rows))
        return self._summary()

    # -- listings ----------------------------------------------------------------------------------------------

    def _list(self, side: str) -> Listing:
        spec = self._migration.source if side == "source" else self._migration.destination
        listing = list_entries(
            spec,
            self._migration.filters,
            self._folder / side,
            cancelled=self._cancelled,
            on_progress=lambda now: self._tell(Progress(f"listing the {side}", now.entries)),
        )
        objects = self._sides.from_objects if side == "source" else self._sides.to_objects
        if objects:
            self._requests = self._requests.plus(LIST=pages(listing.entries))
        broken = listing_error(listing.files)
        if broken is not None and side == "source":
            self._notes.append(f"{listing.errors:,} folders of the source cannot be listed: {text_of(broken[0])}, ...")
        if broken is not None and side == "destination":
            raise DestinationError(
                f"the destination's folder {text_of(broken[0]) or '/'} cannot be listed: {broken[1]}"
            )
        return listing

    def _destination(self, state: Path, earlier: Sequence[Path]) -> Path | None:
        """A listing of the destination where the run would make one, or where its answer depends on what is there."""
        if not self._sides.exists:
            self._notes.append("the destination does not exist yet: it would be made")
            return None
        known = bool(earlier or read_state(state).files)
        reason = reason_to_list(self._migration, self._sides.destination, state, known=known)
        decides = self._options.overwrite_mode != "ALWAYS" or self._options.preserve_deleted_files == "REMOVE"
        if reason is None and not decides:
            return None
        if reason is not None:
            self._notes.append(f"the destination is listed: {reason.text}")
        return sort_listing(self._list("destination").files, self._folder / "destination.parquet")

    # -- what would become of entries --------------------------------------------------------------------------

    def _unlisted(self, rows: pa.Table) -> pa.Table:
        """What is no candidate: excluded, unreadable, special."""
        excluded = pc.equal(rows["fate"], int(Fate.EXCLUDED))
        unreadable = pc.equal(rows["fate"], int(Fate.UNREADABLE))
        special = pc.and_(pc.equal(rows["kind"], int(Kind.SPECIAL)), pc.equal(rows["fate"], int(Fate.CANDIDATE)))
        wanted = pc.or_(pc.or_(excluded, unreadable), special)
        action = pc.if_else(unreadable, "fail", "skip")
        reason = pc.if_else(excluded, "excluded", pc.if_else(unreadable, "unreadable", "special"))
        return _table(rows, action, reason).filter(wanted)

    def _planned(self, rows: pa.Table, known: Known) -> pa.Table:
        told = known.planned(rows).to_pydict()
        kinds, sizes, times = (rows[name].to_pylist() for name in ("kind", "size", "mtime_ns"))
        actions, reasons = [], []
        for row, verdict in enumerate(told["verdict"]):
            there = told["there"][row] or (told["known"][row] and verdict != Verdict.MISSING)
            action, reason = self._decide(verdict, Look(told["look"][row]), there=there)
            if action in ("overwrite", "look") and kinds[row] != Kind.FOLDER:
                action, reason = self._allowed(action, reason, told["there_ns"][row], times[row])
            if action != "skip":
                self._ask(action, Look(told["look"][row]), kinds[row], sizes[row] or 0, replaces=bool(there))
            actions.append(action)
            reasons.append(reason)
        return _table(rows, pa.array(actions, pa.string()), pa.array(reasons, pa.string()))

    def _decide(self, verdict: int, look: Look, *, there: bool) -> tuple[str, str]:
        if verdict in (Verdict.UNCHANGED, Verdict.DONE):
            return "skip", "unchanged"
        if verdict == Verdict.ADOPTED:
            return "skip", "adopted"
        if look:
            return "look", _LOOKS[look]
        if verdict == Verdict.MISSING:
            return "transfer", "missing at the destination"
        if verdict == Verdict.CHANGED:
            return "overwrite", "changed at the destination"
        return ("overwrite", "changed") if there else ("transfer", "new")

    def _allowed(self, action: str, reason: str, there_ns: int | None, mtime_ns: int | None) -> tuple[str, str]:
        """The same, unless the overwrite mode keeps what is there."""
        mode = self._options.overwrite_mode
        if mode == "NEVER":
            return ("skip", "exists") if action == "overwrite" else (action, reason)
        if mode == "NEWER" and self._sides.to_objects:
            return "look", "overwritten if the destination's file-mtime is not newer"
        if mode == "NEWER" and there_ns is not None and mtime_ns is not None and there_ns > mtime_ns:
            return "skip", NEWER
        return action, reason

    def _ask(self, action: str, look: Look, kind: int, size: int, *, replaces: bool) -> None:
        """Count the requests of one entry, those of a look's worse outcome left out."""
        heads = bool(look in (Look.ADOPT, Look.METADATA)) + (self._options.overwrite_mode == "NEWER" and replaces)
        reads = kind == Kind.FILE and look is not Look.ADOPT
        if not self._sides.to_objects:
            if self._sides.from_objects:
                self._requests = self._requests.plus(GET=int(reads), HEAD=int(look is Look.ADOPT))
            return
        if action == "look":
            self._requests = self._requests.plus(HEAD=heads, COPY=int(look is Look.METADATA))
        elif kind == Kind.FILE and size > SMALL_BYTES:
            parts = -(-size // part_size(size))
            self._requests = self._requests.plus(POST=2, PUT=parts, HEAD=heads, GET=parts * self._sides.from_objects)
        else:
            self._requests = self._requests.plus(PUT=1, HEAD=heads, GET=int(self._sides.from_objects))

    def _deletions(
        self, source: Listing, listing: Path | None, state: Path, earlier: Sequence[Path]
    ) -> Iterator[pa.Table]:
        """What would be deleted, before the guards that a run has: the threshold, a source that went away."""
        if self._options.preserve_deleted_files != "REMOVE" or listing is None:
            return
        if listing_errors(source.files, self._folder / "spill"):
            self._notes.append("nothing would be deleted: parts of the source cannot be read")
            return
        filters = Filters(self._migration.filters)
        rules = Rules(
            self._sides.to_objects,
            wanted=lambda path: is_safe_relative(path) and filters.fate(path, False) is Fate.CANDIDATE,
            mounts=not_entered(source.files, self._folder / "spill"),
            foreign=self._options.delete_foreign,
            overwrites=self._options.overwrite_mode != "NEVER",
            times_kept=self._options.mtime == "PRESERVE",
        )
        files = [state / file.name for file in read_state(state).files]
        out = self._folder / "deletions.parquet"
        found = write_deletions(listing, Source(source.files, files, list(earlier)), rules, out)
        gone = found.files + found.folders
        share = f"{100 * gone / max(found.held, 1):.1f} %"
        self._notes.append(f"deletions: {gone:,} of {counted(found.held, 'entry', 'entries')} there ({share})")
        for rows in read(out):
            yield pa.Table.from_pylist([_deletion(row) for row in rows.to_pylist()], schema=PLAN_SCHEMA)

    # -- sums --------------------------------------------------------------------------------------------------

    def _counted(self, rows: pa.Table) -> pa.Table:
        grouped_ = rows.append_column("folder", pc.equal(rows["kind"], int(Kind.FOLDER))).group_by(
            ["action", "reason", "folder"]
        )
        for row in grouped_.aggregate([("size", "sum"), ([], "count_all")]).to_pylist():
            key = row["action"], row["reason"]
            self._sums[*key, "folders" if row["folder"] else "files"] += row["count_all"]
            if not row["folder"]:
                self._sums[*key, "bytes"] += row["size_sum"] or 0
        self._tell(Progress("comparing", sum(n for (_, _, what), n in self._sums.items() if what != "bytes")))
        return rows

    def _summary(self) -> DryRun:
        actions: dict[str, Counter[str]] = {}
        reasons: dict[str, Counter[str]] = {}
        for (action, reason, what), count in self._sums.items():
            actions.setdefault(action, Counter())[what] += count
            reasons.setdefault(f"{action}: {reason}", Counter())[what] += count
        prices, kept_as = load_prices(), self._migration.destination.storage_class
        if self._requests.counts:
            self._notes.append(f"cost: {prices.basis}, {kept_as or 'STANDARD'}, without retries and storage")
        return DryRun(
            self._migration.source.url,
            self._migration.destination.url,
            time.time() - self._began_at,
            {name: Sums(**sums) for name, sums in actions.items()},
            {name: Sums(**sums) for name, sums in sorted(reasons.items())},
            self._requests.counts,
            self._requests.dollars(prices, kept_as),
            self._notes,
        )


def planned_rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a plan for people: paths as text. Raises OSError."""
    for rows in read(file):
        yield from _for_people(rows.to_pylist())


def _for_people(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        path = b"/".join(filter(None, (row.pop("dir"), row.pop("name"))))
        yield {"path": text_of(path), "kind": Kind(row.pop("kind")).name.lower()} | row


def _deletion(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a deletion list as one of a plan."""
    folder, _, name = row["path"].rpartition(b"/")
    action, kind = "delete" if row["deletes"] else "skip", int(Kind[row["kind"].upper()])
    return {"dir": folder, "name": name, "kind": kind, "action": action, "reason": row["why"], "size": row["size"]}


def _table(rows: pa.Table, action: Any, reason: Any) -> pa.Table:
    columns = {name: rows[name] for name in ("dir", "name", "kind", "size")}
    for name, values in (("action", action), ("reason", reason)):
        columns[name] = pa.repeat(values, rows.num_rows) if isinstance(values, pa.Scalar) else values
    return pa.table(columns).select(PLAN_SCHEMA.names).cast(PLAN_SCHEMA)
