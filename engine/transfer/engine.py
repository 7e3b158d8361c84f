"""The engine of an agent: takes units, runs them over shared threads, window and memory, hands back outcomes."""

from __future__ import annotations

import gc
import resource
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import psutil

from engine.errors import LocationError
from engine.filters import Filters
from engine.locations.base import Lists, ListsSlices
from engine.locations.listing import ENTRY_SCHEMA, Rest, ScanBatch, ScanLimit
from engine.locations.registry import open_location
from engine.names import text_of
from engine.planning.partition import TaskSelector
from engine.transfer.clashes import without_clashes
from engine.transfer.copying import Copying
from engine.transfer.deleting import delete_entries
from engine.transfer.duplicating import Forwarding, ServerCopying
from engine.transfer.files import FileCopying
from engine.transfer.folders import finish_folders
from engine.transfer.objects import ObjectCopying
from engine.transfer.parts import Parts
from engine.transfer.patience import patiently
from engine.transfer.selecting import selected, with_devices
from engine.transfer.shared import Shared
from engine.transfer.twins import without_twins
from engine.transfer.units import (
    AgentConfig,
    AgentProgress,
    CopyUnit,
    DeleteUnit,
    FoldersUnit,
    PartsUnit,
    ScanUnit,
    Unit,
    UnitOutcome,
    config_of_agent,
    to_ipc,
)

if TYPE_CHECKING:
    from engine.locations.posix import PosixLocation
    from engine.locations.s3 import S3Location

WANTED_DESCRIPTORS = 16_384
"""Open files that many folders, connections and readers may need; the usual limit is 1,024."""

GARBAGE_THRESHOLD = 50_000
"""New objects between two looks for cycles. With the default of 700 they were 7 % of the time of small files."""

CLOSE_SECONDS = 5.0
"""How long ``close`` waits for requests in flight."""


class Engine:
    """One per agent process; made after the process starts. For any thread."""

    def __init__(self, config: AgentConfig, name: str) -> None:
        _raise_descriptor_limit()
        gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)
        self._config = config = config_of_agent(config, name)
        self._name = name
        self._shared = Shared(config, open_location(config.source), open_location(config.destination))
        self._filters = Filters(config.filters)
        self._selector = TaskSelector(self._filters, config.task_includes)
        self._process = psutil.Process()
        self._open: set[Future[UnitOutcome]] = set()
        self._rest: Rest | None = None
        if self._shared.destination.capabilities.transport == "objects":
            if not config.keeps_backslashes:
                cast("S3Location", self._shared.destination).lose_backslashes()
            self._shared.crew.submit(self._connect_early)
        else:
            cast("PosixLocation", self._shared.destination).folders.folds = config.folds_names

    def submit(self, unit: Unit) -> Future[UnitOutcome]:
        """Begin a unit; several at once share readers, window and memory. The future raises LocationError at worst."""
        future: Future[UnitOutcome] = Future()
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        if not isinstance(unit, ScanUnit):
            self._shared.spent.begun()
            future.add_done_callback(lambda _: self._shared.spent.ended())
        match unit:
            case CopyUnit():
                self._begin(future, lambda: self._copying(unit, future.set_result).begin())
            case PartsUnit():
                self._begin(future, lambda: Parts(self._shared, unit, future.set_result).begin())
            case ScanUnit():
                self._run(future, lambda: self._scan(unit))
            case FoldersUnit():
                self._run(future, lambda: finish_folders(self._shared, unit, self._name))
            case DeleteUnit():
                self._run(future, lambda: delete_entries(self._shared, unit, self._name))
        return future

    def _connect_early(self) -> None:
        """Make the transport while the first folders are listed; what is wrong with it is said by the first unit."""
        with suppress(Exception):
            _ = self._shared.client

    def progress(self) -> AgentProgress:
        """Counters since the start; cheap."""
        shared = self._shared
        path = shared.readers.oldest_path() or next(iter(list(shared.active.values())), b"")
        times = self._process.cpu_times()
        cpu_seconds, waited_seconds = times.user + times.system, shared.throttle.waited_seconds()
        return AgentProgress(
            files=shared.files,
            bytes=shared.bytes,
            in_flight=shared.gate.in_flight,
            window=shared.gate.window,
            path=text_of(path),
            cpu_seconds=cpu_seconds,
            memory_bytes=self._process.memory_info().rss,
            passed_bytes=shared.throttle.passed,
            waited_seconds=waited_seconds,
            clock_seconds=shared.control.clock(),
            times=shared.spent.times(cpu_seconds, waited_seconds),
        )

    def set_paused(self, paused: bool) -> None:
        """While paused no new request starts; those in flight go on."""
        self._shared.control.paused = paused
        self._shared.gate.wake()

    def set_limit(self, bytes_per_second: float | None) -> None:
        """This agent's share of the bandwidth limit from now on; None for no limit."""
        self._shared.throttle.set_rate(bytes_per_second)

    def renew_lease(self, until: float) -> None:
        """Nothing is written after ``until`` (seconds of time.monotonic()); rows not begun then are RELEASED."""
        self._shared.control.lease_until = until

    def fence(self, epoch: int) -> None:
        """Units of earlier epochs stop: their rows that are not under way are RELEASED."""
        self._shared.control.epoch = max(self._shared.control.epoch, epoch)
        self._shared.gate.wake()
        self._shared.later.wake()

    def close(self) -> None:
        """Stop; open units come back with what is not done RELEASED, as far as their threads still answer."""
        self._shared.control.closed = True
        self._shared.gate.wake()
        self._shared.later.wake()
        wait(list(self._open), CLOSE_SECONDS)
        self._shared.close()
        self._shared.source.close()
        self._shared.destination.close()

    def _copying(self, unit: CopyUnit, on_outcome: Callable[[UnitOutcome], None]) -> Copying:
        if self._shared.destination.capabilities.transport == "files":
            return FileCopying(self._shared, unit, self._name, on_outcome)
        if self._shared.source.capabilities.transport == "objects":
            between = ServerCopying if self._shared.copies_itself else Forwarding
            return between(self._shared, unit, self._name, on_outcome)
        return ObjectCopying(self._shared, unit, self._name, on_outcome)

    def _begin(self, future: Future[UnitOutcome], begin: Callable[[], None]) -> None:
        """Start what hands over its outcome later."""
        try:
            begin()
        except Exception as error:
            future.set_exception(error)

    def _run(self, future: Future[UnitOutcome], work: Callable[[], UnitOutcome]) -> None:
        """Run what blocks on a thread of its own, so that copies go on beside it."""

        def run() -> None:
            try:
                future.set_result(work())
            except Exception as error:
                future.set_exception(error)

        threading.Thread(target=run, name="xsync-unit", daemon=True).start()

    def _scan(self, unit: ScanUnit) -> UnitOutcome:
        began, batch = time.monotonic(), None

        def allowed() -> bool:
            return self._shared.control.allows(unit.epoch)

        try:
            batch = patiently(self._shared, allowed, lambda: self._list(unit))
            problem = self._shared.source_problem()  # afterwards: what vanished meanwhile must not look empty
        except LocationError as error:
            problem = str(error) if allowed() else ""  # who stops did not wait for the end of it
        if problem or batch is None:
            nothing = to_ipc(ENTRY_SCHEMA.empty_table())
            return UnitOutcome(unit.id, unit.epoch, nothing, folders_left=unit.folders, rest=unit.rest, fatal=problem)
        self._rest = batch.rest
        rest = None if batch.rest is None else batch.rest[:2]
        seconds = time.monotonic() - began
        rows = selected(batch.rows, self._filters, self._config.began_at)
        has_folders = self._shared.destination.capabilities.real_folders
        if has_folders and self._config.options.preserve_devices == "PRESERVE":
            rows = with_devices(rows)
        if has_folders and self._shared.source.capabilities.transport == "objects":
            rows = without_clashes(rows)
        return UnitOutcome(unit.id, unit.epoch, to_ipc(rows), batch.folders_left, rest, seconds=seconds)

    def _list(self, unit: ScanUnit) -> ScanBatch:
        batch = self._listed(unit)
        source = self._shared.source
        if self._shared.destination.capabilities.real_folders or source.capabilities.transport == "objects":
            return batch
        sliced = {rest[0] for rest in (unit.rest, batch.rest) if rest is not None}
        return without_twins(batch, sliced, lambda path: _exists(cast("PosixLocation", source), path))

    def _listed(self, unit: ScanUnit) -> ScanBatch:
        limit = ScanLimit(unit.rows, unit.seconds, slice_rows=unit.rows)
        if unit.rest is None:
            return cast("Lists", self._shared.source).scan(unit.folders, limit, self._selector, unit.listing)
        kept, self._rest = self._rest, None
        rest = kept if kept is not None and kept[:2] == unit.rest else Rest(*unit.rest)
        return cast("ListsSlices", self._shared.source).scan_rest(rest, limit, self._selector, unit.listing)


def _exists(source: PosixLocation, path: bytes) -> bool:
    """Whether something may be at ``path``."""
    try:
        source.status(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(WANTED_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
