"""Verifies a migration: lists both sides, compares what listings and the state tell, and looks where they do not."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.comparison import DIFFERENCES_SCHEMA, foreign
from engine.catalog.delta import Known
from engine.catalog.destination import listing_error, sort_listing
from engine.catalog.doubts import DESTINATION_DIFFERS, cast_doubt
from engine.catalog.files import replacing
from engine.catalog.held import Held
from engine.catalog.merging import grouped, read
from engine.catalog.segments import candidates, results_writer
from engine.errors import BusyError, DestinationError, LocationError, SourceError, StoppedError
from engine.execution.bandwidth import Bandwidth
from engine.execution.comparing.drift import count_doubts
from engine.execution.prepare import claim_destination
from engine.execution.session import earlier_results, held, state_folder_of
from engine.filters import Filters
from engine.locations.base import Location, Reads
from engine.locations.metadata import FileAttributes, parse_metadata
from engine.locations.registry import open_location
from engine.model import Kind, Limit, LocationSpec, Migration
from engine.names import text_of
from engine.survey.listing import list_entries
from engine.transfer.buffers import BODY_STEP
from engine.transfer.crt import crc64nvme
from engine.transfer.looking import Content, read_content
from engine.transfer.readback import checksum_of, open_unread, pages
from engine.transfer.selecting import selected
from engine.transfer.throttle import Throttle

if TYPE_CHECKING:
    from engine.locations.posix import PosixLocation
    from engine.locations.s3_objects import S3File

LOOKERS = 16
"""Files looked at or read at the same time."""

CHUNK_ROWS = 20_000

NO_LIMIT = Limit()

CHANGED = "source changed"
"""Difference of an entry that is not what it was when it was read."""


class Facts(NamedTuple):
    """What is known: the folder of the state, and results that are not folded into it yet."""

    state: Path
    earlier: Sequence[Path] = ()


class Progress(NamedTuple):
    """``step``: what is being done. ``entries``: how many are listed or compared so far."""

    step: str
    entries: int


class Verification(msgspec.Struct, frozen=True):
    """``verified``: files by how their content is known to be the same. ``differences``: entries by how they differ.

    ``requests`` beyond the listings. ``read_bytes``: of content, at both sides. ``source_changed``: files that are new
    or not what they were when they were put there, counted where the verification is strict. ``doubted``: entries that
    are not taken for unchanged any more, so that the next run copies them; None if a run under way forbade to note it.
    ``metadata_unseen``: objects and markers whose mode, owner and times were not compared, as no listing tells them.
    """

    source: str
    destination: str
    files: int
    folders: int
    bytes: int
    seconds: float
    verified: dict[str, int]
    differences: dict[str, int]
    requests: dict[str, int]
    read_bytes: int
    listed: dict[str, int]
    source_changed: int = 0
    doubted: int | None = 0
    metadata_unseen: int = 0

    @property
    def mendable(self) -> bool:
        """Whether the destination differs in what a run would copy again."""
        return any(self.differences.get(word) for word in DESTINATION_DIFFERS)

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


class Verifier:
    """Compares the two sides of ``migration``; works in ``folder``, where ``out`` gets the list of differences.

    ``began_at``: what ages of files are relative to, in seconds since the epoch. ``strict``: a source entry that is not
    what it was when it was put there is a difference, too. ``limit``: of a person, in place of the migration's.
    """

    def __init__(
        self,
        migration: Migration,
        folder: Path,
        *,
        source: Location,
        destination: Location,
        held: Callable[[Path], Held],
        began_at: float,
        read_source: bool = False,
        strict: bool = False,
        limit: Limit = NO_LIMIT,
        cancelled: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._migration = migration
        self._folder = folder
        self._source = source
        self._destination = destination
        self._held_of = held
        self._began_at = began_at
        self._read_source = read_source
        self._strict = strict
        self._cancelled = cancelled
        self._tell = on_progress
        self._objects = destination.capabilities.transport == "objects"
        self._compares_metadata = source.capabilities.transport != "objects"
        self._throttle = Throttle()
        self._bandwidth = Bandwidth(migration)
        self._bandwidth.keep(limit)
        self._lock = threading.Lock()
        self._verified: Counter[str] = Counter()
        self._differences: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._bytes = self._read_bytes = self._files = self._folders = self._source_changed = 0
        self._unseen = 0

    def run(self, facts: Facts, out: Path) -> Verification:
        """Write what differs to ``out`` (DIFFERENCES_SCHEMA). Raises SourceError, DestinationError, StoppedError."""
        began = time.monotonic()
        filters = Filters(self._migration.filters)
        source, at_source = self._list(
            self._migration.source, "source", SourceError, partial(selected, filters=filters, began_at=self._began_at)
        )
        listing, at_destination = self._list(
            self._migration.destination, "destination", DestinationError, lambda rows: rows
        )
        held = self._held_of(listing)
        known = Known(self._folder / "spill", state=facts.state, earlier=facts.earlier, held=held)
        pool = ThreadPoolExecutor(LOOKERS, "xsync-verify")
        with known, pool, replacing(out) as file, results_writer(file, DIFFERENCES_SCHEMA) as writer:
            for rows in grouped(map(candidates, read(source)), CHUNK_ROWS):
                writer.write_table(self._compare(rows, known, pool))
            for rows in foreign(listing, source, self._folder / "spill"):
                self._differences["foreign"] += rows.num_rows
                writer.write_table(rows)
        return Verification(
            self._migration.source.url,
            self._migration.destination.url,
            self._files,
            self._folders,
            self._bytes,
            time.monotonic() - began,
            dict(self._verified),
            dict(self._differences),
            dict(self._requests),
            self._read_bytes,
            {"source": at_source, "destination": at_destination},
            self._source_changed,
            metadata_unseen=self._unseen,
        )

    def _list(
        self, spec: LocationSpec, side: str, kind: type[LocationError], change: Callable[[pa.Table], pa.Table]
    ) -> tuple[Path, int]:
        listing = list_entries(
            spec,
            self._migration.filters,
            self._folder / side,
            cancelled=self._cancelled,
            on_progress=lambda now: self._tell(Progress(f"listing the {side}", now.entries)),
        )
        broken = listing_error(listing.files)
        if broken is not None:
            raise kind(f"the {side}'s folder {text_of(broken[0]) or '/'} cannot be listed: {broken[1]}")
        sorted_ = sort_listing(listing.files, self._folder / f"{side}.parquet", change)
        for file in listing.files:
            file.unlink()
        return sorted_, listing.entries

    def _compare(self, rows: pa.Table, facts: Known, pool: ThreadPoolExecutor) -> pa.Table:
        """The differences of a chunk of source rows."""
        if not rows.num_rows:
            return DIFFERENCES_SCHEMA.empty_table()
        judged = facts.judged(rows)
        is_folder = pc.equal(rows["kind"], int(Kind.FOLDER))
        folders = pc.sum(is_folder).as_py()
        self._folders += folders
        self._files += rows.num_rows - folders
        self._bytes += pc.sum(rows["size"].filter(pc.invert(is_folder))).as_py() or 0
        found = judged.select(["difference", "detail", "stored_size", "how"]).to_pydict()
        kinds = rows["kind"].to_pylist()
        if self._strict:
            known = judged["known"].to_pylist()
            for row, same in enumerate(judged["same"].to_pylist()):
                if kinds[row] == Kind.FOLDER:
                    continue
                self._source_changed += not same or (found["difference"][row] == "missing" and not known[row])
                if not same and found["difference"][row] is None:
                    found["difference"][row] = CHANGED
        seen = self._look(rows, found, pool)
        self._verified.update(
            h for h, d in zip(found["how"], found["difference"], strict=True) if h != "folder" and not d
        )
        if self._objects:
            self._unseen += sum(not (d or looked) for d, looked in zip(found["difference"], seen, strict=True))
        self._differences.update(filter(None, found["difference"]))
        self._tell(Progress("comparing", self._files + self._folders))
        columns = {name: rows[name] for name in ("dir", "name", "kind", "size")}
        columns |= {name: pa.array(found[name], DIFFERENCES_SCHEMA.field(name).type) for name in found if name != "how"}
        differing = pa.array([difference is not None for difference in found["difference"]])
        return pa.table(columns).filter(differing).select(DIFFERENCES_SCHEMA.names).cast(DIFFERENCES_SCHEMA)

    def _look(self, rows: pa.Table, found: dict[str, list[Any]], pool: ThreadPoolExecutor) -> list[bool]:
        """Find out what neither the listings nor the state tell about rows, and put it into ``found``.

        Returns of which rows the metadata was compared.
        """
        deep = [self._read_source and (self._objects or kind == Kind.FILE) for kind in rows["kind"].to_pylist()]
        # Of the root nothing is asked: what it has may be aside.
        seen: list[bool] = pc.equal(pc.binary_length(rows["name"]), 0).to_pylist()
        asked = [
            row
            for row, how in enumerate(found["how"])
            if found["difference"][row] is None and (how is None or deep[row]) and not seen[row]
        ]
        entries = rows.take(pa.array(asked, pa.int64())).to_pylist()
        hows = [found["how"][row] for row in asked]
        for row, (difference, detail, how) in zip(asked, pool.map(self._look_at, entries, hows), strict=True):
            found["difference"][row] = difference
            found["detail"][row] = detail
            found["how"][row] = how
            seen[row] = self._compares_metadata
        if self._cancelled():
            raise StoppedError("the verification was stopped before its end")
        return seen

    def _look_at(self, entry: dict[str, Any], known: str | None) -> tuple[str | None, str | None, str]:
        """(difference, detail, how) of one entry. ``known``: how its content is known to be the same without a look."""
        if self._cancelled():
            return None, None, ""
        path = b"/".join(filter(None, (entry["dir"], entry["name"])))
        try:
            if self._objects:
                return self._look_at_object(path, entry, known)
            return self._compare_content(path, self._read_back(path, entry["size"]), "read-back")
        except FileNotFoundError:
            return "missing", None, ""
        except OSError as error:
            return "content", f"cannot be read: {error.strerror or error}", ""

    def _look_at_object(
        self, path: bytes, entry: dict[str, Any], known: str | None
    ) -> tuple[str | None, str | None, str]:
        is_marker = bool(path) and entry["kind"] == Kind.FOLDER
        self._count(HEAD=1)
        stored = cast("S3File", cast("Reads", self._destination).open_file(path + b"/" * is_marker, 0, 0))
        stored.close()
        metadata = self._metadata(entry, parse_metadata(stored.kept.metadata))
        if metadata:
            return "metadata", metadata, ""
        if not self._read_source or entry["kind"] != Kind.FILE:
            return None, None, known or ("folder" if entry["kind"] == Kind.FOLDER else "size-only")
        if stored.stored_checksum is not None:
            return self._compare_content(path, stored.stored_checksum, "stored-checksum")
        self._count(GET=1)
        there = self._content(self._destination, path)
        if there is None:
            return "content", "it changed while it was read", ""
        there.file.close()
        self._count(there.found.size)
        return self._compare_content(path, there.checksum, "read-back")

    def _compare_content(self, path: bytes, expected: int | None, how: str) -> tuple[str | None, str | None, str]:
        content = self._content(self._source, path)
        if content is None:
            return "content", "the source changed while it was read", ""
        content.file.close()
        self._count(content.found.size)
        return (None, None, how) if content.checksum == expected else ("content", "the checksums differ", "")

    def _content(self, location: Location, path: bytes) -> Content | None:
        """Read a file whole; what comes out of a bucket within the bandwidth limit."""
        if location.capabilities.transport == "files":
            return read_content(cast("Reads", location), path, self._go_on)
        return read_content(cast("Reads", location), path, self._go_on, self._take)

    def _take(self, size: int) -> bool:
        with self._lock:
            rate = self._bandwidth.limit(time.time()).bytes_per_second
            if rate != self._throttle.rate:
                self._throttle.set_rate(rate)
        return self._throttle.take(size, self._go_on)

    def _read_back(self, path: bytes, size: int) -> int:
        """CRC64NVME of what the device of the destination holds."""

        def read(name: bytes, dir_fd: int) -> int:
            if stat.S_ISLNK(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode):
                return crc64nvme(os.readlink(name, dir_fd=dir_fd))
            fd = open_unread(name, dir_fd)
            try:
                return checksum_of(fd, 0, size, pages(min(size, BODY_STEP)))
            finally:
                os.close(fd)

        self._count(size)
        return cast("PosixLocation", self._destination).folders.within(path, read)

    def _metadata(self, entry: dict[str, Any], told: FileAttributes) -> str:
        """Which attributes of an object's file are not the source's, as far as they are to be kept."""
        if not self._compares_metadata:
            return ""
        options = self._migration.options
        pairs = [
            ("mtime", options.mtime == "PRESERVE", told.mtime_ns, entry["mtime_ns"]),
            ("mode", options.posix_permissions == "PRESERVE", told.mode, entry["mode"] & 0o7777),
            ("uid", options.uid == "INT_VALUE", told.uid, entry["uid"]),
            ("gid", options.gid == "INT_VALUE", told.gid, entry["gid"]),
        ]
        return " ".join(name for name, kept, stored, expected in pairs if kept and stored != expected)

    def _count(self, read_bytes: int = 0, **requests: int) -> None:
        with self._lock:
            self._read_bytes += read_bytes
            self._requests.update(requests)

    def _go_on(self) -> bool:
        return not self._cancelled()


def verify(
    migration: Migration,
    out: Path,
    *,
    read_source: bool = False,
    strict: bool = False,
    began_at: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Verification:
    """Verify ``migration`` now; nothing is changed but what is believed of the destination (``distrust``).

    ``strict``, ``began_at`` (None: now): as the Verifier has them.

    Raises SourceError, DestinationError, StoppedError, OSError.
    """
    source, destination = open_location(migration.source), open_location(migration.destination)
    try:
        source.check_source()
        identities = source.identity(), destination.identity()
        began_ns = time.time_ns()
        facts = Facts(state_folder_of(*identities), earlier_results(*identities))
        with tempfile.TemporaryDirectory(prefix=".verify-", dir=out.parent) as folder:
            verifier = Verifier(
                migration,
                Path(folder),
                source=source,
                destination=destination,
                held=lambda listing: held(listing, source, destination, migration.options),
                began_at=time.time() if began_at is None else began_at,
                read_source=read_source,
                strict=strict,
                cancelled=cancelled,
                on_progress=on_progress,
            )
            found = verifier.run(facts, out)
            if not found.mendable:
                return found
            try:
                with claim_destination(migration, "of a verification"):
                    facts = Facts(facts.state, earlier_results(*identities))
                    doubted = distrust(facts, out, began_ns, Path(folder), destination)
            except BusyError:
                return msgspec.structs.replace(found, doubted=None)
            return msgspec.structs.replace(found, doubted=doubted)
    finally:
        source.close()
        destination.close()


def distrust(
    facts: Facts,
    differences: Path,
    began_ns: int,
    aside: Path,
    destination: Location,
    tried_ns: int | None = None,
) -> int:
    """Let no run believe the facts about what a verification begun at ``began_ns`` found to differ; how many there are.

    The caller holds the destination. ``tried_ns`` as in cast_doubt. Raises JournalError, OSError.
    """
    folders = not destination.capabilities.real_folders
    doubted = cast_doubt(facts.state, facts.earlier, differences, began_ns, aside, folders=folders, tried_ns=tried_ns)
    if doubted:
        count_doubts(facts.state, doubted)
    return doubted


def differences(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a list of differences for people: paths as text. Raises OSError."""
    for rows in read(file):
        for row in rows.to_pylist():
            path = b"/".join(filter(None, (row.pop("dir"), row.pop("name"))))
            yield {"path": text_of(path), "kind": Kind(row.pop("kind")).name.lower()} | row
