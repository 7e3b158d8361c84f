"""Surveys a location: workers list folders at the same time, each streaming its rows into its file of the catalog."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from engine import cgroups
from engine.errors import UsageError
from engine.locations.base import Lists
from engine.locations.listing import ScanLimit
from engine.locations.registry import open_location
from engine.model import LocationSpec
from engine.survey.continuing import NOTHING, TakenOver, take_over
from engine.survey.counting import SizeCounts
from engine.survey.crew import Crew
from engine.survey.extending import NO_WISHES, Wishes, extend
from engine.survey.hazard_rules import ANYWHERE
from engine.survey.hazards import target_of
from engine.survey.report import SurveyReport, begin, complete, new_catalog, save, survey_folder, unfinished
from engine.survey.statistics import measure
from engine.survey.worker import SURVEYED, Scanned, ScanRequest

THREADS_PER_PROCESS = 16
"""Threads in the place of one process where latency rules: they wait for the network, not for each other."""

UNIT_ROWS = 40_000
UNIT_SECONDS = 0.5
"""How much is asked for at once, unless another worker has nothing to do: it is soon enough to tell of progress."""

UNIT_FOLDERS = 256
PROGRESS_SECONDS = 0.2

CANCEL_SECONDS = 5.0
"""How long a cancelled survey waits for workers; what one that hangs has found is left out."""

START_SECONDS = 60.0
"""How long to wait for workers to start; those that take longer join later."""

FINISH_SECONDS = 300.0
"""How long workers may take to write their last rows."""


class SurveyProgress(NamedTuple):
    """What a survey has found so far; ``entries`` are files, folders, links and specials.

    ``errors``: folders that could not be listed; ``waiting``: folders that are known and were not handed out yet.
    """

    files: int = 0
    entries: int = 0
    bytes: int = 0
    seconds: float = 0.0
    errors: int = 0
    sizes: SizeCounts = SizeCounts()
    waiting: int = 0


class CrewScan(NamedTuple):
    """The files of the catalog, what is in them, whether it was cancelled, and the folders that time did not allow."""

    segments: list[Path]
    found: SurveyProgress
    partial: bool
    left: list[bytes]


def survey(
    spec: LocationSpec,
    surveys: Path,
    *,
    processes: int | None = None,
    on_progress: Callable[[SurveyProgress], None] = lambda _: None,
    on_step: Callable[[str], None] = lambda _: None,
    live_sizes: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
    wishes: Wishes = NO_WISHES,
) -> SurveyReport:
    """List everything at ``spec``, compute statistics, and keep both below ``surveys`` as the latest of this source.

    ``processes``: one a processor by default; THREADS_PER_PROCESS threads each for a network location. Once
    ``cancelled`` is true the report is of what was found; if not all was listed it is marked partial, and the next
    survey goes on with it. ``on_step`` is told in words what is done; with ``live_sizes`` ``on_progress`` is told how
    sizes are spread. A process takes about 100 MB whatever the number of entries, and what posix_scan says of a flat
    folder. Raises LocationError, UsageError, OSError.
    """
    target = target_of(wishes.destination) if wishes.destination is not None else ANYWHERE
    location = open_location(spec)
    if not isinstance(location, Lists):
        raise UsageError(f"{spec.url} cannot be surveyed: this kind of location cannot be listed")
    location.check_source()
    identity = location.identity()
    in_threads = location.capabilities.network
    workers = (processes or math.ceil(cgroups.cores_here())) * (THREADS_PER_PROCESS if in_threads else 1)
    folder = survey_folder(surveys, identity)
    with new_catalog(folder) as catalog:
        times, taken = _begin(folder, catalog, on_step, anew=wishes.anew)
        wanted = SURVEYED._replace(sizes=live_sizes)
        with Crew(spec, catalog, workers, in_threads=in_threads, wanted=wanted) as crew:
            scan = scan_all(crew, on_progress, cancelled, taken.left)
        segments = [*taken.segments, *scan.segments]
        on_step("computing statistics")
        now_ns = time.time_ns()
        measured = measure(segments, catalog / ".spill", now_ns, target, wishes.knee)
        report = SurveyReport(
            location=spec.url,
            identity=identity,
            surveyed_at=times[0],
            partial=scan.partial,
            catalog=catalog.name,
            seconds=scan.found.seconds,
            entries_per_second=scan.found.entries / max(scan.found.seconds, 1e-9),
            destination=target.url,
            continued_at=times[1:],
            **measured._asdict(),
        )
        if not scan.partial:
            complete(catalog)
        save(folder, report)
        extended = extend(report, location, segments, surveys, wishes, target, on_step, cancelled)
        if extended is not report:
            save(folder, extended)
    location.close()
    return extended


def _begin(
    folder: Path, catalog: Path, on_step: Callable[[str], None], *, anew: bool
) -> tuple[tuple[float, ...], TakenOver]:
    """Take over an interrupted survey if there is one. Returns the times when this was begun and gone on with."""
    now = time.time()
    found = None if anew else unfinished(folder, now)
    if found is None:
        begin(catalog, (now,))
        return (now,), NOTHING
    old, begun = found
    on_step("taking over what an interrupted survey has found")
    taken = take_over(old, catalog)
    times = (*begun.times, now)
    begin(catalog, times)
    on_step(
        f"continued: {taken.entries:,} entries are known, {len(taken.left):,} folders and what is below them are not"
    )
    return times, taken


class _Progress:
    """Adds up answers, and tells about it now and then."""

    def __init__(self, tell: Callable[[SurveyProgress], None]) -> None:
        self.found = SurveyProgress()
        self._tell = tell
        self._started = self._told = time.monotonic()

    def restart(self) -> None:
        """Count the seconds from now."""
        self._started = time.monotonic()

    def add(self, answer: Scanned) -> None:
        """Take what one request found."""
        now = self.found
        self.found = SurveyProgress(
            now.files + answer.files,
            now.entries + answer.entries,
            now.bytes + answer.bytes,
            now.seconds,
            now.errors + answer.errors,
            now.sizes.plus(answer.sizes),
        )

    def tell(self, waiting: int) -> None:
        """Bring the seconds and the folders that wait up to date, and report unless that was done just before."""
        now = time.monotonic()
        self.found = self.found._replace(seconds=now - self._started, waiting=waiting)
        if now - self._told >= PROGRESS_SECONDS:
            self._told = now
            self._tell(self.found)


def scan_all(
    crew: Crew,
    on_progress: Callable[[SurveyProgress], None],
    cancelled: Callable[[], bool],
    folders: Sequence[bytes] = (b"",),
    seconds: float = math.inf,
) -> CrewScan:
    """Hand out ``folders`` and those below until none is left or it is cancelled, for no longer than ``seconds``.

    They begin when the workers are ready.
    """
    progress = _Progress(on_progress)
    waiting = list(folders)
    give_up_at: float | None = None
    partial = False
    crew.gather(START_SECONDS)
    progress.restart()
    until = time.monotonic() + seconds
    while crew.busy or (waiting and time.monotonic() < until):
        if give_up_at is None and cancelled():
            give_up_at = time.monotonic() + CANCEL_SECONDS
        if give_up_at is not None:
            partial = partial or bool(waiting)
            waiting.clear()
            if time.monotonic() >= give_up_at:
                break
        if time.monotonic() < until:
            _hand_out(waiting, crew)
            if crew.idle and not waiting:
                crew.share()
        for answer in crew.answers(PROGRESS_SECONDS):
            waiting += answer.folders_left
            progress.add(answer)
        progress.tell(len(waiting))
    partial = partial or bool(crew.busy)
    progress.tell(len(waiting))
    segments, all_finished = crew.finish(CANCEL_SECONDS if partial else FINISH_SECONDS)
    on_progress(progress.found)
    return CrewScan(segments, progress.found, partial or not all_finished, waiting)


def _hand_out(waiting: list[bytes], crew: Crew) -> None:
    """Give the idle workers all folders there are: those who find none left get a share of theirs."""
    while waiting and crew.idle:
        share = min(UNIT_FOLDERS, -(-len(waiting) // crew.idle))
        crew.ask(ScanRequest(waiting[-share:], ScanLimit(UNIT_ROWS, UNIT_SECONDS)))
        del waiting[-share:]
