"""Surveys for screens: one that runs in a thread and is asked how far it is, and what earlier ones found. Blocking."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from engine.decoding import from_json
from engine.errors import XsyncError
from engine.model import LocationSpec
from engine.names import path_of_text
from xsync_tui.drawing.evidence import weakest
from xsync_tui.drawing.facts import plain_url
from xsync_tui.drawing.filtered import Inside
from xsync_tui.drawing.survey import Scanning
from xsync_tui.drawing.wizard_view import Source
from xsync_tui.processes import start_resource_tracker

if TYPE_CHECKING:
    from engine.catalog.stopping import Stopper
    from engine.home import Home
    from engine.planning.values import Origin, Roofline
    from engine.survey.facts import FolderStatistics
    from engine.survey.report import SurveyReport
    from engine.survey.scan import SurveyProgress


class SurveyJob:
    """A survey in a thread of its own. ``problem``: why it failed, once it has ended."""

    def __init__(self, source: LocationSpec, destination: LocationSpec | None, surveys: Path) -> None:
        self.url = source.url
        self.scanning = Scanning()
        self.problem = ""
        self._source, self._destination, self._surveys = source, destination, surveys
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="survey")
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether it is over: done, stopped, or failed."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End it early: what it found is kept, and the next one goes on from there."""
        self._stop.set()
        self.scanning = self.scanning._replace(stopping=True)

    def _run(self) -> None:
        from engine.survey.extending import Wishes
        from engine.survey.scan import survey

        start_resource_tracker()
        try:
            survey(
                self._source,
                self._surveys,
                on_progress=self._progress,
                on_step=self._step,
                live_sizes=True,
                cancelled=self._stop.is_set,
                wishes=Wishes(destination=self._destination),
            )
        except (XsyncError, OSError) as error:
            self.problem = str(error)
        except BaseException as error:
            self.problem = f"unexpected {type(error).__name__}: {error}"
            raise

    def _progress(self, found: SurveyProgress) -> None:
        self.scanning = self.scanning._replace(
            files=found.files,
            entries=found.entries,
            bytes=found.bytes,
            seconds=found.seconds,
            errors=found.errors,
            bins=found.sizes.bins(),
            largest=found.sizes.largest,
            waiting=found.waiting,
        )

    def _step(self, text: str) -> None:
        self.scanning = self.scanning._replace(step=text)


class Reports:
    """The last survey of a location, read anew when its file changes."""

    def __init__(self, surveys: Path) -> None:
        self._surveys = surveys
        self._kept: dict[Path, tuple[tuple[int, int], SurveyReport | None]] = {}

    def latest(self, url: str) -> SurveyReport | None:
        """Of the location with this URL; the newest where several kinds of access share it."""
        found = [self._report(path) for path in self._surveys.glob("*/survey.json")]
        mine = [each for each in found if each is not None and plain_url(each.location) == plain_url(url)]
        return max(mine, key=lambda each: each.surveyed_at, default=None)

    def _report(self, path: Path) -> SurveyReport | None:
        import msgspec

        from engine.survey.report import SurveyReport

        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if path not in self._kept or self._kept[path][0] != stamp:
                self._kept[path] = stamp, from_json(path.read_bytes(), SurveyReport)
        except (OSError, msgspec.DecodeError):
            return None
        return self._kept[path][1]


def found_by(report: SurveyReport) -> Source:
    """What a survey found, with what one agent is taken to do before anything is known of the way."""
    from engine.planning.sizes import decimal_bins, size_times
    from engine.planning.surroundings import default_roofline
    from engine.planning.values import SizeBin

    one = default_roofline()
    bins = [SizeBin(each.from_, each.to or each.from_, each.files, each.bytes) for each in report.size_histogram]
    times = size_times(decimal_bins(bins), one, report.largest_bytes)
    return Source(times, _origin(one), first_level(report), report.bytes, report.surveyed_at, report.partial)


def found_so_far(scanning: Scanning) -> Source:
    """The same of a survey under way: all sizes from the first, so that none moves."""
    from engine.planning.sizes import ROWS, decimal_bins, size_times
    from engine.planning.surroundings import default_roofline

    one = default_roofline()
    times = size_times(decimal_bins(scanning.bins, ROWS), one, scanning.largest)
    return Source(times, _origin(one), bytes=scanning.bytes, so_far=True)


def _origin(one: Roofline) -> Origin:
    return weakest((one.bytes_per_second.origin, one.files_per_second.origin))


def first_level(report: SurveyReport) -> tuple[FolderStatistics, ...]:
    """The folders in the root, as the report has them."""
    return tuple(each for each in report.layout.folders if "/" not in each.path)


def look_inside(home: Home, report: SurveyReport, path: str, stopper: Stopper) -> Inside:
    """What a survey knows of the folders in ``path`` (text) and of the sizes in them; reads its catalog.

    ``stopper`` can end it. Raises UsageError if its entries are gone, JournalError.
    """
    from engine.survey.folder_sizes import sizes_in
    from engine.survey.folders import children
    from engine.survey.report import reading, survey_folder

    folder = path_of_text(path)
    with reading(home.surveys, report) as segments:
        spill = survey_folder(home.surveys, report.identity) / ".spill"
        sizes = sizes_in(segments, spill, folder, stopper)
        if not path:
            return Inside(first_level(report), sizes)
        found = children(segments, spill, folder, int(report.surveyed_at * 1e9), stopper)
        return Inside(tuple(found), sizes)
