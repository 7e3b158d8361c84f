"""Surveys a location: workers list folders at the same time, each streaming its rows into its file of the catalog."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.errors import UsageError
from engine.locations.base import Lists
from engine.locations.listing import ScanLimit
from engine.locations.registry import open_location
from engine.model import LocationSpec
from engine.survey.crew import Crew
from engine.survey.report import SurveyReport, new_catalog, save, survey_folder
from engine.survey.statistics import measure
from engine.survey.worker import Scanned, ScanRequest

THREADS_PER_PROCESS = 16
"""Threads in the place of one process where latency rules: they wait for the network, not for each other."""

UNIT_ROWS = 10_000
"""Rows of a request when there are folders enough for all: tens of milliseconds of work."""

FIRST_UNIT_ROWS = 2_000
"""Rows of a request while folders are few: what is left of it is soon there for the others."""

UNIT_SECONDS = 0.5
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

    ``errors``: folders that could not be listed.
    """

    files: int = 0
    entries: int = 0
    bytes: int = 0
    seconds: float = 0.0
    errors: int = 0


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
    cancelled: Callable[[], bool] = lambda: False,
) -> SurveyReport:
    """List everything at ``spec``, compute statistics, and keep both below ``surveys`` as the latest of this source.

    ``processes``: one a processor by default; THREADS_PER_PROCESS threads each for a network location. Once
    ``cancelled`` is true the report is of what was found and marked partial. A process takes about 100 MB whatever the
    number of entries, and what posix_scan says of a flat folder. Raises LocationError, UsageError, OSError.
    """
    location = open_location(spec)
    if not isinstance(location, Lists):
        raise UsageError(f"{spec.url} cannot be surveyed: this kind of location cannot be listed")
    location.check_source()
    identity = location.identity()
    in_threads = location.capabilities.network
    workers = (processes or os.cpu_count() or 1) * (THREADS_PER_PROCESS if in_threads else 1)
    folder = survey_folder(surveys, identity)
    began = time.time()
    with new_catalog(folder) as catalog:
        with Crew(spec, catalog, workers, in_threads=in_threads) as crew:
            scan = scan_all(crew, on_progress, cancelled)
        measured = measure(scan.segments, catalog / ".spill", time.time_ns())
        report = SurveyReport(
            location=spec.url,
            identity=identity,
            surveyed_at=began,
            partial=scan.partial,
            catalog=catalog.name,
            seconds=scan.found.seconds,
            entries_per_second=scan.found.entries / max(scan.found.seconds, 1e-9),
            **measured._asdict(),
        )
        save(folder, report)
    return report


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
        )

    def tell(self, *, always: bool = False) -> None:
        """Bring the seconds up to date, and report unless that was done just before."""
        now = time.monotonic()
        self.found = self.found._replace(seconds=now - self._started)
        if always or now - self._told >= PROGRESS_SECONDS:
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
        for answer in crew.answers(PROGRESS_SECONDS):
            waiting += answer.folders_left
            progress.add(answer)
        progress.tell()
    partial = partial or bool(crew.busy)
    segments = crew.finish(CANCEL_SECONDS if partial else FINISH_SECONDS)
    progress.tell(always=True)
    return CrewScan(segments, progress.found, partial or len(segments) < crew.size, waiting)


def _hand_out(waiting: list[bytes], crew: Crew) -> None:
    """Give the idle workers their share of the folders, in small requests while there are few."""
    while waiting and crew.idle:
        rows = UNIT_ROWS if len(waiting) > 4 * crew.size else FIRST_UNIT_ROWS if len(waiting) > 1 else 1
        share = min(UNIT_FOLDERS, -(-len(waiting) // crew.size))
        crew.ask(ScanRequest(waiting[-share:], ScanLimit(rows, UNIT_SECONDS)))
        del waiting[-share:]
