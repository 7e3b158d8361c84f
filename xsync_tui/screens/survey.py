"""Survey: what is there and what of it takes the time; a scan is followed live, folders are gone into."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import work

from engine.errors import XsyncError
from engine.model import LocationSpec
from engine.names import path_of_text
from engine.planning.sizes import SizeTimes, decimal_bins, size_times
from engine.planning.values import Origin, SizeBin
from xsync_tui.bridge import Bridge
from xsync_tui.drafts import new_draft
from xsync_tui.drawing.evidence import glyph_rows, weakest
from xsync_tui.drawing.facts import Facts, Subject, plain_url
from xsync_tui.drawing.folders import SORTS, FolderTable, in_order
from xsync_tui.drawing.frame import Act
from xsync_tui.drawing.rows import Canvas, Role, Row
from xsync_tui.drawing.survey import PANES, SurveyView, survey_rows
from xsync_tui.keys import Key, Tier
from xsync_tui.screens.base import BaseScreen, Drawn
from xsync_tui.surveying import Reports, SurveyJob, folders_in

if TYPE_CHECKING:
    from engine.execution.planner import PlanRequest
    from engine.planning.values import Roofline
    from engine.survey.facts import FolderStatistics
    from engine.survey.report import SurveyReport
    from profiles.schema import Profile


class Found(NamedTuple):
    """The last survey of the source, and what its sizes take one agent."""

    report: SurveyReport | None
    times: SizeTimes | None = None
    origin: Origin | None = None


class Level(NamedTuple):
    """A folder that was gone into, the folders in it, and where the cursor was above it."""

    path: str
    folders: tuple[FolderStatistics, ...]
    cursor_above: int


class SurveyScreen(BaseScreen[Found]):
    """Shows the last survey; R makes a new one in a thread, which leaving the screen does not stop."""

    place = "survey"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("survey.open", "enter", "into the folder", "open"),
        Key("survey.view", "v", "view", "view"),
        Key("survey.sort", "s", "sort", "sort"),
        Key("survey.zoom", "z", "zoom", "zoom"),
        Key("survey.new", "N", "make a migration", "new", Tier.ACT),
        Key("survey.scan", "R", "survey", "scan", Tier.ACT),
        Key("survey.stop", "C", "stop", "stop", Tier.ACT),
    )

    def __init__(self) -> None:
        super().__init__()
        self._job: SurveyJob | None = None
        self._problem = ""
        self._reports: Reports | None = None
        self._known: tuple[SurveyReport, Found] | None = None
        self._about: Subject | None = None
        self._levels: list[Level] = []
        self._pane = self._sort = 0
        self._zoomed = False

    def sample(self, subject: Subject, bridge: Bridge) -> Found:
        """The last survey of the subject's source; nothing of the source itself is touched."""
        facts = bridge.facts(subject)
        self._reports = self._reports or Reports(bridge.home.surveys)
        report = self._reports.latest(facts.source) if facts.source else None
        if report is None:
            return Found(None)
        if self._known is None or self._known[0] is not report:
            one = _roofline(facts, bridge)
            bins = [
                SizeBin(each.from_, each.to or each.from_, each.files, each.bytes) for each in report.size_histogram
            ]
            times = size_times(decimal_bins(bins), one, report.largest_bytes)
            origin = weakest((one.bytes_per_second.origin, one.files_per_second.origin))
            self._known = report, Found(report, times, origin)
        return self._known[1]

    def draw(self, value: Found, canvas: Canvas, now: float) -> Drawn:
        """The body; a survey that has ended leaves what it found, or why it failed."""
        self._job = self.xsync.surveying.get(plain_url(self.facts.source))
        self._forget()
        job = self._job
        problem = self._problem if self.facts.source else "Nothing is chosen yet: 1 goes to the list of migrations."
        scanning = job.scanning if job is not None and not job.ended else None
        view = SurveyView(
            now,
            value.report,
            value.times,
            value.origin,
            self._table(),
            scanning,
            PANES[self._pane],
            self._zoomed,
            problem,
        )
        return Drawn(survey_rows(view, canvas))

    def count(self) -> int:
        """Folders in the table."""
        table = self._table()
        return 0 if table is None or PANES[self._pane] != "folders" else len(table.folders)

    def reason(self, key: Key) -> str:
        """Why a key can do nothing now."""
        scanning = self._job is not None and not self._job.ended
        match key.id:
            case "survey.scan":
                return "a survey is under way" if scanning else "" if self.facts.source else "nothing is chosen"
            case "survey.new":
                if self.facts.profile is not None:
                    return "it is one already"
                return "" if self.facts.source else "nothing is chosen"
            case "survey.stop":
                return "" if scanning else "no survey is under way"
            case _:
                return "" if self.value is not None and self.value.report is not None else "there is no survey yet"

    def words(self, key: Key) -> str:
        """What a key does now."""
        if key.id == "survey.scan" and self.value is not None and self.value.report is not None:
            return "survey again"
        return key.words

    def legend(self, canvas: Canvas) -> list[Row]:
        """How well figures are known."""
        return glyph_rows(canvas)

    # Looking.

    def action_view(self) -> None:
        """The next view of the lower part."""
        self._pane, self.cursor = (self._pane + 1) % len(PANES), 0
        self.redraw()

    def action_sort(self) -> None:
        """Sort the folders by the next column."""
        self._sort, self.cursor = (self._sort + 1) % len(SORTS), 0
        self.redraw()

    def action_zoom(self) -> None:
        """The lower part alone, and back."""
        self._zoomed = not self._zoomed
        self.redraw()

    def action_open(self) -> None:
        """Into the folder under the cursor."""
        table = self._table()
        if table is None or not self.count():
            return
        chosen = in_order(table)[self.cursor]
        if chosen.path != table.path and self.value is not None and self.value.report is not None:
            self._go_into(chosen.path, self.value.report)

    def action_back(self) -> None:
        """Out of the folder, else out of the zoom, else back."""
        if self._levels:
            self.cursor = self._levels.pop().cursor_above
            self.redraw()
        elif self._zoomed:
            self.action_zoom()
        else:
            super().action_back()

    @work(group="folders", exclusive=True)
    async def _go_into(self, path: str, report: SurveyReport) -> None:
        home = self.xsync.bridge.home
        try:
            found = await asyncio.to_thread(folders_in, home, report, path_of_text(path))
        except XsyncError as error:
            self.notice(str(error), Role.ALARM)
            return
        if self.value is not None and self.value.report is report:
            self._levels.append(Level(path, tuple(found), self.cursor))
            self.cursor = 0
            self.redraw()

    def _table(self) -> FolderTable | None:
        if self.value is None or self.value.report is None:
            return None
        report = self.value.report
        if self._about != self.facts.subject:
            self._about, self._levels, self._problem = self.facts.subject, [], ""
        cursor = self.cursor if PANES[self._pane] == "folders" else None
        sort = SORTS[self._sort]
        if self._levels:
            top = self._levels[-1]
            size = sum(each.bytes for each in top.folders)
            return FolderTable(top.path, top.folders, size, report.surveyed_at, sort, cursor)
        first = tuple(each for each in report.layout.folders if "/" not in each.path)
        return FolderTable("", first, report.bytes, report.surveyed_at, sort, cursor)

    # Surveying.

    def begin(self) -> None:
        """Survey the location that was typed: it only looks, so there is no strip."""
        location = self.xsync.subject.location
        if location is not None and (self._job is None or self._job.ended):
            self._start(LocationSpec(location), None)
            self.redraw()

    def action_scan(self) -> None:
        """Survey the source, after its strip."""
        if self._not_now("survey.scan"):
            return
        source, destination = _specs(self.facts)
        effect = (
            f"Lists {self.canvas.text(source.url)}: names, sizes and times. It opens no file and writes nothing there."
        )
        self.act(Act("R", "survey", effect, "start"), lambda: self._start(source, destination))

    def action_new(self) -> None:
        """Describe a migration of what was surveyed: nothing is kept or begun before its own steps say so."""
        if not self._not_now("survey.new"):
            self.xsync.describe(new_draft(self.facts.source))

    def action_stop(self) -> None:
        """Stop the survey, after its strip."""
        if self._job is not None and not self._job.ended:
            job = self._job
            effect = (
                "Ends the survey early. What was found is kept, and the next one goes on from there within 12 hours."
            )
            self.act(Act("C", "stop the survey", effect, "stop"), lambda: _stop(job))

    def _not_now(self, key_id: str) -> bool:
        """Whether a key can do nothing now; says why."""
        why = self.reason(next(each for each in self.KEYS if each.id == key_id))
        if why:
            self.notice(f"{why.capitalize()}.")
        return bool(why)

    def _start(self, source: LocationSpec, destination: LocationSpec | None) -> str:
        from engine.home import prepare_home

        self._problem = ""
        self._job = self.xsync.surveying[plain_url(source.url)] = SurveyJob(source, destination, prepare_home().surveys)
        return "The survey has begun. Leaving this screen does not stop it; leaving xsync does."

    def _forget(self) -> None:
        if self._job is not None and self._job.ended:
            job, self._job = self._job, None
            self.xsync.surveying.pop(plain_url(job.url), None)
            self._levels, self._notice = [], []
            self._problem = f"The survey failed: {job.problem}" if job.problem else ""


def _stop(job: SurveyJob) -> str:
    job.stop()
    return "Stopping: what was found is kept."


def _specs(facts: Facts) -> tuple[LocationSpec, LocationSpec | None]:
    """Source and destination as locations that can be opened."""
    if facts.profile is None:
        return LocationSpec(facts.source), None
    from profiles.convert import to_migration

    migration = to_migration(facts.profile)
    return migration.source, migration.destination


def _roofline(facts: Facts, bridge: Bridge) -> Roofline:
    """What one agent of this migration does, as far as is known."""
    from engine.execution.passes import reports_of
    from engine.execution.planner import roofline_of
    from engine.planning.surroundings import default_roofline

    if facts.profile is None:
        return default_roofline()
    request = profile_request(facts.profile, 0.0)
    return roofline_of(request, reports_of(bridge.home, request.migration, any_filters=True))


def profile_request(profile: Profile, now: float) -> PlanRequest:
    """What a profile asks to be planned."""
    from profiles.convert import to_migration
    from xsync_tui.cli.plan import request_of

    return request_of(to_migration(profile), profile, now)
