"""What the wizard asks of the world while somebody types: looks at places, canaries, counts over a survey. Blocking."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.execution.checking.findings import Expected, Finding
from engine.home import Home
from engine.model import LocationSpec
from xsync_tui.drafting import Draft, buckets_of, class_of, destination_of, filter_texts, filters_of, source_of
from xsync_tui.drawing.wizard_view import BUCKETS_SECONDS, SILENT_SECONDS, Buckets, Look
from xsync_tui.jobs import Job

if TYPE_CHECKING:
    from engine.survey.matching import Kept
    from engine.survey.report import SurveyReport


class LookJob(Job):
    """A look at a place, in a thread. One that hangs cannot be ended: it is left alone, and ends with the process."""

    def __init__(self, draft: Draft, find: Callable[[], Iterator[Finding]], *, tried: bool) -> None:
        super().__init__()
        self._about = _places(draft, tried=tried)
        self._findings: tuple[Finding, ...] = ()
        self._find, self._tried = find, tried
        self._began = time.monotonic()
        self.start(self._run)

    def is_about(self, draft: Draft) -> bool:
        """Whether its answer still counts: until what it is about was changed."""
        return draft.step <= 2 and self._about == _places(draft, tried=self._tried)

    @property
    def look(self) -> Look:
        """How far it is. A canary may take longer than a look: it is not left alone before it was removed."""
        seconds = time.monotonic() - self._began
        silent = self.at_work and seconds > SILENT_SECONDS * (3 if self._tried else 1)
        findings = self._findings
        if self.trouble:
            findings = (*findings, Finding("check", "failure", self.trouble))
        return Look(self.at_work and not silent, seconds, silent, findings, self._tried)

    def _run(self) -> None:
        for finding in self._find():
            if self.stopping.is_set():
                return
            self._findings = (*self._findings, finding)


def look_at(draft: Draft) -> LookJob:
    """Look at the place that the draft's step is about. Nothing is written."""
    source, destination = source_of(draft), destination_of(draft)

    def find() -> Iterator[Finding]:
        from engine.execution.checking.looking import look_at_destination, look_at_source

        return look_at_source(source) if draft.step == 1 else look_at_destination(destination, source)

    return LookJob(draft, find, tried=False)


def write_canary(draft: Draft, expected: Expected | None = None) -> LookJob:
    """Write something small of ours to the destination, read it, and remove it. ``expected``: what is to come."""
    source, destination = source_of(draft), destination_of(draft)

    def find() -> Iterator[Finding]:
        from engine.execution.checking.destinations import check_destination
        from engine.locations.registry import open_location
        from engine.model import Migration

        location = open_location(destination)
        try:
            yield from check_destination(location, Migration(source, destination), expected)
        finally:
            location.close()

    return LookJob(draft, find, tried=True)


def _places(draft: Draft, *, tried: bool) -> tuple[LocationSpec, ...]:
    """What a look of its step is about; a storage class matters only to what is written."""
    source, destination = source_of(draft), destination_of(draft)
    if draft.step == 1:
        return (source,)
    return source, destination if tried else msgspec.structs.replace(destination, storage_class=None)


class BucketsJob(Job):
    """A list of buckets, in a thread; one that hangs is left alone."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._spec, self._step = buckets_of(draft), draft.step
        self._names: tuple[str, ...] = ()
        self._began = time.monotonic()
        self.start(self._run)

    def is_about(self, draft: Draft) -> bool:
        """Whether it is what would be asked for now."""
        return draft.step == self._step and buckets_of(draft) == self._spec

    @property
    def buckets(self) -> Buckets:
        """How far it is."""
        seconds = time.monotonic() - self._began
        silent = self.at_work and seconds > BUCKETS_SECONDS
        return Buckets(self.at_work and not silent, seconds, silent, self._names, self.trouble)

    def _run(self) -> None:
        from engine.locations.s3_buckets import bucket_names

        self._names = tuple(bucket_names(self._spec))


def counted_of(draft: Draft) -> tuple[object, ...]:
    """What a count over a draft's source rests on."""
    return (source_of(draft), *filter_texts(draft), class_of(draft).small_bytes)


class Counter:
    """Counts what a draft's filters keep: each file of a catalog once, as long as the filters stay the same."""

    def __init__(self) -> None:
        self._wanted: object = None
        self._counted: dict[Path, Kept] = {}
        self._identity: tuple[LocationSpec, str] | None = None
        self._began = time.time()

    def count(
        self, draft: Draft, report: SurveyReport | None, home: Home, *, scanning: bool, cancelled: Callable[[], bool]
    ) -> Kept | None:
        """Over a survey under way, else over the last one; None if ``cancelled``, or if there is nothing to count.

        Raises XsyncError.
        """
        from engine.survey.report import being_listed, reading, survey_folder

        try:
            files = being_listed(survey_folder(home.surveys, self._identity_of(source_of(draft)))) if scanning else []
            if files:
                return self._count(draft, files, self._began, cancelled)
            if report is not None:
                with reading(home.surveys, report) as files:
                    return self._count(draft, files, report.surveyed_at, cancelled)
        except OSError:  # the survey has just ended, and its files are others now
            pass
        return None

    def _count(self, draft: Draft, files: list[Path], at: float, cancelled: Callable[[], bool]) -> Kept | None:
        from engine.survey.matching import Wanted, count_kept, total

        wanted = Wanted(filters_of(draft), at, class_of(draft).small_bytes)
        if wanted != self._wanted:
            self._wanted, self._counted = wanted, {}
        for file in files:
            if file not in self._counted:
                kept = count_kept([file], wanted, cancelled)
                if kept is None:
                    return None
                self._counted[file] = kept
        return total([self._counted[file] for file in files])

    def _identity_of(self, source: LocationSpec) -> str:
        from engine.locations.registry import open_location

        if self._identity is None or self._identity[0] != source:
            location = open_location(source)
            try:
                self._identity = source, location.identity()
            finally:
                location.close()
        return self._identity[1]
