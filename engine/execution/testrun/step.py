"""One step of a test run: an execution of the migration on some folders, ended for good once its rate is steady."""

from __future__ import annotations

import subprocess
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from engine import home
from engine.catalog.files import replacing
from engine.errors import XsyncError
from engine.execution import launch
from engine.execution.manifests import with_frozen_manifest
from engine.execution.retry import ONLY
from engine.execution.testrun.host import Host
from engine.filters import only_record
from engine.journal.commands import ask
from engine.journal.reader import SnapshotReader
from engine.journal.records import Execution, this_runner
from engine.journal.writer import Journal
from engine.model import AgentTimes, Migration, Snapshot, Status
from engine.names import text_of
from engine.planning import steadiness
from engine.planning.attribution import between, cores_of, shares_of, waited_of
from engine.planning.candidates import Choice
from engine.planning.measurement import Ended, Step, held_back
from engine.planning.steadiness import Pace, Reading, Span

LOOK_SECONDS = 0.25
"""How often the journal is read; its runner writes it twice a second."""

FINISH_SECONDS = 90.0
"""How long a runner may take to end after it was asked to; then it is told by a signal."""


def run_step(
    migration: Migration,
    choice: Choice,
    agents: int,
    pace: Pace,
    on_snapshot: Callable[[Snapshot], None],
    stopped: Callable[[], bool],
) -> Step:
    """Copy the folders of ``choice`` until the rate is steady, the time is up, all is copied, or ``stopped()``.

    What was copied is known to be at the destination from then on, as of any execution. Raises XsyncErrors of its
    runner: locations that cannot be reached, a destination in use.
    """
    folder = _create(migration, choice, agents)
    launched = launch.begin(folder, detached=False)
    watched = _Watched()
    try:
        with SnapshotReader(folder) as reader:
            ended = _follow(reader, launched.process, watched, pace, on_snapshot, stopped)
            if launched.process.poll() is None and ended != "out of data":
                ask(folder, "finish", {}, "test run")
            _wait(launched.process)
            last = reader.read()
    finally:
        if launched.process.poll() is None:
            launched.process.terminate()
            launched.process.wait()
        if launched.process.stdin is not None:
            launched.process.stdin.close()
    if ended == "out of data" and (last.status is Status.INTERRUPTED or _failed(last)):
        raise XsyncError(f"the step with {agents} agents ended: {last.message or last.status}; see {folder}")
    return _figures(watched, choice, agents, pace, ended, last)


def _create(migration: Migration, choice: Choice, agents: int) -> Path:
    """The folder of a new execution that covers the folders of ``choice`` alone."""
    now = time.time()
    execution = home.new_execution_id(now, migration.name)
    place = home.prepare_home()
    migration = with_frozen_manifest(migration, place)
    folder = home.private_folder(place.executions / execution)
    with replacing(folder / ONLY) as file:
        for path in choice.folders:
            file.write(only_record(path, whole=True))
    # Beside the folders nothing is looked at, so nothing may look deleted, or missing at the destination.
    options = msgspec.structs.replace(
        migration.options,
        preserve_deleted_files="PRESERVE",
        delta="state",
        drift_every=0,
        verify_mode="NONE" if migration.options.verify_mode == "NONE" else "ONLY_FILES_TRANSFERRED",
    )
    filters = migration.filters
    if b"" not in choice.folders:
        filters = msgspec.structs.replace(filters, only=str(folder / ONLY))
    step = msgspec.structs.replace(
        migration, filters=filters, options=options, agents=agents, test=True, notify=None, metrics_file=None
    )
    Journal.create(folder, Execution(execution, step, "", "", now), this_runner()).close()
    return folder


class _Watched:
    """All that was seen of a step."""

    def __init__(self) -> None:
        self.readings: dict[str, list[Reading]] = {}
        self.times: dict[str, list[AgentTimes]] = {}
        self.host = Host()
        self.lost = False
        self.limit: float | None = None

    def add(self, snapshot: Snapshot) -> None:
        self.limit = snapshot.limit_bytes_per_second or self.limit
        for agent in snapshot.agents:
            if not agent.times.clock:
                self.lost = self.lost or agent.state == "lost"
                continue
            readings = self.readings.setdefault(agent.name, [])
            if not readings or agent.reported_at > readings[-1].at:
                readings.append(Reading(agent.reported_at, agent.files, agent.bytes))
                self.times.setdefault(agent.name, []).append(agent.times)
        self.host.sample(time.time())

    def spent(self, span: Span) -> list[AgentTimes]:
        """What each agent's time went into between the readings next to the ends of ``span``."""
        found = []
        for name, readings in self.readings.items():
            moments = [reading.at for reading in readings]
            first = min(bisect_left(moments, span.start), len(moments) - 1)
            last = min(bisect_left(moments, span.end), len(moments) - 1)
            if last > first:
                found.append(between(self.times[name][first], self.times[name][last]))
        return found


def _follow(
    reader: SnapshotReader,
    process: subprocess.Popen[bytes],
    watched: _Watched,
    pace: Pace,
    on_snapshot: Callable[[Snapshot], None],
    stopped: Callable[[], bool],
) -> Ended:
    """Watch until there is a reason to end."""
    while True:
        over = process.poll() is not None
        snapshot = reader.read()
        watched.add(snapshot)
        on_snapshot(snapshot)
        totals = snapshot.totals
        if stopped():
            return "stopped"
        if over or (totals.listing_complete and totals.files.discovered and not totals.files.pending):
            return "out of data"
        span = steadiness.latest(watched.readings, pace) if watched.readings else None
        if span is not None and span.spread < steadiness.STEADY_SPREAD:
            return "steady"
        began = steadiness.began(watched.readings)
        if began is not None and time.time() - began >= pace.most:
            return "out of time"
        try:
            process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(FINISH_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()


def _failed(last: Snapshot) -> bool:
    pending = last.totals.files.pending > 0 or not last.totals.listing_complete
    return last.status is Status.ERROR and pending


def _figures(watched: _Watched, choice: Choice, agents: int, pace: Pace, ended: Ended, last: Snapshot) -> Step:
    series = watched.readings
    began, moved = steadiness.began(series) if series else None, steadiness.last_moved(series)
    span = steadiness.latest(series, pace) if series and ended in ("steady", "out of time") else None
    if span is None and moved is not None:
        span = steadiness.middle(series, moved)
    now = time.time()
    began = now if began is None else began
    if span is None:
        span = Span(now - 1, now, 1.0)
    each = [steadiness.rates(series[name], span.start, span.end) for name in sorted(series)] or [(0.0, 0.0)]
    spent = watched.spent(span)
    rate = sum(size for _, size in each)
    held = watched.limit is not None and held_back(waited_of(spent), rate, watched.limit)
    return Step(
        agents=agents,
        folders=tuple(text_of(path) for path in choice.folders),
        distance=choice.distance,
        ended=ended if not (watched.lost and ended == "steady") else "out of time",
        seconds=span.end - span.start,
        files_per_second=sum(files for files, _ in each),
        bytes_per_second=rate,
        spread=span.spread,
        steady_after=span.end - began if ended == "steady" else None,
        bins=choice.bins,
        each=tuple(each),
        shares=shares_of(spent),
        cores=cores_of(spent),
        host_cpu=watched.host.cpu(span.start, span.end),
        quota=watched.host.quota(span.start, span.end),
        slowed=sum(times.slowed for times in spent),
        link=watched.host.busiest(span.start, span.end),
        execution=last.execution,
        moved_files=last.totals.files.transferred,
        moved_bytes=last.totals.bytes.transferred,
        whole_seconds=(moved - began) if moved is not None else 0.0,
        limit=watched.limit if held else None,
    )


def steps_of(agents: int, *, ladder: bool) -> Sequence[int]:
    """How many agents each step has: 1, 2, 4 and so on up to ``agents``, or that alone."""
    if not ladder:
        return (agents,)
    steps = [1]
    while steps[-1] * 2 < agents:
        steps.append(steps[-1] * 2)
    return (*steps, agents) if agents > 1 else (1,)
