"""What the wizard asks of the world while somebody types: looks at places, canaries, counts over a survey. Blocking."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.execution.checking.findings import Expected, Finding
from engine.home import Home
from engine.model import LocationSpec
from xsync_tui.drafting import Draft, destination_of, patterns, source_of
from xsync_tui.drawing.wizard import SILENT_SECONDS, Look
from xsync_tui.jobs import Job

if TYPE_CHECKING:
    from engine.survey.matching import Kept
    from engine.survey.report import SurveyReport


class LookJob(Job):
    """A look at a place, in a thread. One that hangs cannot be ended: it is left alone, and ends with the process."""

    def __init__(self, about: tuple[LocationSpec, ...], find: Callable[[], Iterator[Finding]], *, tried: bool) -> None:
        super().__init__()
        self.about = about
        self._findings: tuple[Finding, ...] = ()
        self._find, self._tried = find, tried
        self._began = time.monotonic()
        self.start(self._run)

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

    return LookJob(places(draft), find, tried=False)


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

    return LookJob(places(draft), find, tried=True)


def places(draft: Draft) -> tuple[LocationSpec, ...]:
    """What a look of its step is about: its answer counts until one of these is changed."""
    return (source_of(draft),) if draft.step == 1 else (source_of(draft), destination_of(draft))


class Counter:
    """Counts what a draft's patterns keep: each file of a catalog once, as long as the patterns stay the same."""

    def __init__(self) -> None:
        self._wanted: object = None
        self._counted: dict[Path, Kept] = {}
        self._identity: tuple[LocationSpec, str] | None = None

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
                return self._count(draft, files, cancelled)
            if report is not None:
                with reading(home.surveys, report) as files:
                    return self._count(draft, files, cancelled)
        except OSError:  # the survey has just ended, and its files are others now
            pass
        return None

    def _count(self, draft: Draft, files: list[Path], cancelled: Callable[[], bool]) -> Kept | None:
        from engine.survey.matching import count_kept, total

        wanted = (patterns(draft.include), patterns(draft.exclude))
        if wanted != self._wanted:
            self._wanted, self._counted = wanted, {}
        for file in files:
            if file not in self._counted:
                kept = count_kept([file], *wanted, cancelled)
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
