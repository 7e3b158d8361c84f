"""Survey: what is there and what of it takes the time; a scan is followed live, its panes filter each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import work

from engine.errors import XsyncError
from engine.model import LocationSpec
from engine.planning.sizes import ROWS, SizeTimes, decimal_bins, size_times
from engine.planning.values import Origin, SizeBin
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.evidence import glyph_rows, weakest
from xsync_tui.drawing.facts import Facts, Subject
from xsync_tui.drawing.filtered import EVERYTHING, Inside, Look, only_these, times_of
from xsync_tui.drawing.folders import SORTS, FolderTable, in_order
from xsync_tui.drawing.frame import Act
from xsync_tui.drawing.rows import Canvas, Role, Row
from xsync_tui.drawing.survey import Scanning, SurveyView, survey_rows
from xsync_tui.drawing.survey_panes import Pane, pane_length, panes_of
from xsync_tui.keys import Key, Tier
from xsync_tui.screens.base import BaseScreen, Drawn
from xsync_tui.surveying import Reports, SurveyJob, first_level, look_inside

if TYPE_CHECKING:
    from engine.execution.planner import PlanRequest
    from engine.planning.values import Roofline
    from engine.survey.report import SurveyReport
    from profiles.schema import Profile


_STOPPED = "Stopped. What was found is kept: R goes on from there within 12 hours."


class Found(NamedTuple):
    """The last survey of the source, what one agent does, and what the sizes found take it."""

    report: SurveyReport | None
    one: Roofline
    origin: Origin
    times: SizeTimes | None = None


class SurveyScreen(BaseScreen[Found]):
    """Shows the last survey; R makes a new one in a thread, which leaving the screen does not stop.

    Enter looks closer, in either pane, and backspace undoes: ``_looks`` are the looks that were taken, the present one
    last. What a look needs of the catalog is read once in a thread and kept in ``_inside`` by folder.
    """

    place = "survey"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("survey.open", "enter", "filter by it", "open"),
        Key("survey.undo", "backspace", "undo", "back"),
        Key("survey.pane", "tab", "pane", "pane(1)"),
        Key("survey.view", "v", "view", "view"),
        Key("survey.sort", "s", "sort", "sort"),
        Key("survey.zoom", "z", "zoom", "zoom"),
        Key("survey.scan", "R", "survey", "scan", Tier.ACT),
        Key("survey.stop", "C", "stop", "stop", Tier.ACT),
    )

    def __init__(self) -> None:
        super().__init__()
        self._job: SurveyJob | None = None
        self._problem = ""
        self._reports: Reports | None = None
        self._known: tuple[object, Found] | None = None
        self._about: tuple[Subject, SurveyReport | None] | None = None
        self._looks = [EVERYTHING]
        self._inside: dict[str, Inside] = {}
        self._reading: str | None = None
        self._catalog = asyncio.Lock()
        self._pane: Pane = "folders"
        self._above = self._zoomed = False
        self._sort = self._other_cursor = 0

    def sample(self, subject: Subject, bridge: Bridge) -> Found:
        """The last survey of the subject's source; nothing of the source itself is touched."""
        facts = bridge.facts(subject)
        self._reports = self._reports or Reports(bridge.home.surveys)
        report = self._reports.latest(facts.source) if facts.source else None
        stamp = (subject, facts.profile, report and (report.catalog, report.surveyed_at))
        if self._known is None or self._known[0] != stamp:
            one = _roofline(facts, bridge)
            origin = weakest((one.bytes_per_second.origin, one.files_per_second.origin))
            times = None
            if report is not None:
                bins = [SizeBin(b.from_, b.to or b.from_, b.files, b.bytes) for b in report.size_histogram]
                times = size_times(decimal_bins(bins), one, report.largest_bytes)
            self._known = stamp, Found(report, one, origin, times)
        return self._known[1]

    def draw(self, value: Found, canvas: Canvas, now: float) -> Drawn:
        """The body; a survey that has ended leaves what it found, or why it failed."""
        self._forget(value.report)
        scanning = self._scanning
        if value.report is not None and self._pane not in panes_of(value.report, canvas):
            self._pane, self.cursor = "folders", 0
        view = SurveyView(
            now,
            value.report,
            _times_so_far(scanning, value.one) if scanning is not None else self._times(value),
            value.origin,
            self._table(),
            scanning,
            self._pane,
            self._zoomed,
            self._problem if self.facts.source else "Nothing is chosen yet: 1 goes to the list of migrations.",
            self._looks[-1],
            self._above,
            self.cursor,
            self._reading,
        )
        return Drawn(survey_rows(view, canvas))

    def count(self) -> int:
        """Rows of the pane that has the keys."""
        if self.value is None or self.value.report is None:
            return 0
        if self._above:
            times = self._times(self.value)
            return 0 if times is None else len(times.bins)
        return pane_length(self._pane, self.value.report, self._table(), self.canvas)

    def reason(self, key: Key) -> str:
        """Why a key can do nothing now."""
        scanning = self._scanning is not None
        match key.id:
            case "survey.scan":
                return "a survey is under way" if scanning else "" if self.facts.source else "nothing is chosen"
            case "survey.stop":
                return "" if scanning else "no survey is under way"
            case "survey.undo":
                return "" if len(self._looks) > 1 or self._reading is not None else "nothing is filtered"
            case "survey.pane" if scanning:
                return "sizes are still counted"
            case "survey.sort" if self._pane != "folders":
                return "folders alone can be sorted: v shows them"
            case "survey.open" if not self._above and self._pane not in ("folders", "map"):
                return "enter is for folders and sizes"
            case _:
                return "" if self.value is not None and self.value.report is not None else "there is no survey yet"

    def words(self, key: Key) -> str:
        """What a key does now."""
        if key.id == "survey.scan" and self.value is not None and self.value.report is not None:
            return "survey again"
        if key.id == "survey.open":
            return "folders of it" if self._above else "open folder"
        return key.words

    def legend(self, canvas: Canvas) -> list[Row]:
        """How well figures are known."""
        return glyph_rows(canvas)

    # Looking.

    def action_view(self) -> None:
        """The next view of the lower part."""
        if self.value is None or self.value.report is None:
            return
        panes = panes_of(self.value.report, self.canvas)
        self._enter_pane(above=False)
        self._pane, self.cursor = panes[(panes.index(self._pane) + 1) % len(panes)], 0
        self.redraw()

    def action_pane(self, panes: int) -> None:
        """From sizes to what is below them, and back."""
        if self._scanning is None and not self._zoomed:
            self._enter_pane(above=not self._above)
            self.redraw()

    def _enter_pane(self, *, above: bool) -> None:
        if above != self._above:
            self._above = above
            self.cursor, self._other_cursor = self._other_cursor, self.cursor

    def action_sort(self) -> None:
        """Sort the folders by the next column."""
        if self._pane == "folders":
            self._enter_pane(above=False)
            self._sort, self.cursor = (self._sort + 1) % len(SORTS), 0
            self.redraw()

    def action_zoom(self) -> None:
        """The lower part alone, and back."""
        self._enter_pane(above=False)
        self._zoomed = not self._zoomed
        self.redraw()

    def action_open(self) -> None:
        """Look closer: folders with files of the size under the cursor, or the sizes in the folder under it."""
        if self.value is None or self._reading is not None or not self.count():
            return
        look = self._looks[-1]
        if self._above:
            times = self._times(self.value)
            if times is not None and times.bins[self.cursor].bin.low != look.only:
                self._take(look._replace(only=times.bins[self.cursor].bin.low), look.path)
        elif self._pane in ("folders", "map") and (table := self._table()) is not None:
            ordered = in_order(table if self._pane == "folders" else table._replace(sort="bytes"))
            path = ordered[self.cursor].path
            if path != table.path:
                self._take(look._replace(path=path, own=False), path)
            elif not look.own:
                self._take(look._replace(own=True), path)

    def action_back(self) -> None:
        """Back to the look before, else out of the zoom, else back."""
        if self._reading is not None:
            self._reading = None
            self.redraw()
        elif len(self._looks) > 1 and not self._notice:
            left = self._looks.pop()
            self._enter_pane(above=left.above)
            self.cursor, self._sort = left.cursor, left.sort
            self.redraw()
        elif self._zoomed and not self._notice:
            self.action_zoom()
        else:
            super().action_back()

    @work(group="folders")
    async def _take(self, look: Look, path: str) -> None:
        """Look so, once the catalog has told of ``path``; not if something else was done meanwhile."""
        assert self.value is not None
        report, about = self.value.report, self._about
        inside = self._inside.get(path)
        if report is not None and (inside is None or inside.sizes is None):
            self._reading = path
            self.redraw()
            try:
                async with self._catalog:  # one at a time: each may take hundreds of megabytes
                    if self._reading == path:
                        self._inside[path] = await asyncio.to_thread(look_inside, self.xsync.bridge.home, report, path)
            except XsyncError as error:
                self._reading = None
                self.notice(str(error), Role.ALARM)
                return
            if self._reading != path or self._about != about:
                return
            self._reading = None
        self._looks.append(look._replace(above=self._above, cursor=self.cursor, sort=self._sort))
        if self._above:
            self._sort = self._sort_for(look)
            self._pane = "folders" if self._pane != "map" else "map"
        self._enter_pane(above=False)
        self.cursor = 0
        self.redraw()

    def _sort_for(self, look: Look) -> int:
        """By files where a file of this size costs time, by bytes where its bytes do."""
        assert self.value is not None
        times = self._times(self.value)
        by = [each.by for each in times.bins if each.bin.low == look.only] if times is not None else []
        return SORTS.index("files" if by == ["files"] else "bytes")

    def _times(self, value: Found) -> SizeTimes | None:
        """What the sizes take of what is looked at."""
        look = self._looks[-1]
        inside = self._inside.get(look.path)
        if value.times is None or not (look.path or look.own) or inside is None or inside.sizes is None:
            return value.times
        return times_of(inside.sizes, look, value.one, [each.bin for each in value.times.bins])

    def _table(self) -> FolderTable | None:
        """The folders of what is looked at."""
        if self.value is None or self.value.report is None or self.value.times is None:
            return None
        report, look = self.value.report, self._looks[-1]
        inside = self._inside.get(look.path) or Inside(first_level(report))
        size, files = sum(each.bytes for each in inside.folders), sum(each.files for each in inside.folders)
        if not look.path:
            size, files = report.bytes, report.files
        table = FolderTable(look.path, inside.folders, size, report.surveyed_at, SORTS[self._sort], files=files)
        row = next((each.bin for each in self.value.times.bins if each.bin.low == look.only), None)
        return table if row is None or inside.sizes is None else only_these(table, inside.sizes, row)

    @property
    def _scanning(self) -> Scanning | None:
        return self._job.scanning if self._job is not None and not self._job.ended else None

    # Surveying.

    def begin(self) -> None:
        """Survey the location that was typed: it only looks, so there is no strip."""
        location = self.xsync.subject.location
        if location is not None and (self._job is None or self._job.ended):
            self._start(LocationSpec(location), None)
            self.redraw()

    def action_scan(self) -> None:
        """Survey the source, after its strip."""
        if reason := self.reason(next(key for key in self.KEYS if key.id == "survey.scan")):
            self.notice(f"{reason.capitalize()}.")
            return
        source, destination = _specs(self.facts)
        effect = (
            f"Lists {self.canvas.text(source.url)}: names, sizes and times. It opens no file and writes nothing there."
        )
        self.act(Act("R", "survey", effect, "start", asked=False), lambda: self._start(source, destination))

    def action_stop(self) -> None:
        """Stop the survey, after its strip."""
        if self._job is not None and not self._job.ended:
            job = self._job
            effect = (
                "Ends the survey early. What was found is kept, and the next one goes on from there within 12 hours."
            )
            self.act(Act("C", "stop the survey", effect, "stop", asked=False), lambda: _stop(job))

    def _start(self, source: LocationSpec, destination: LocationSpec | None) -> str:
        from engine.home import prepare_home

        self._problem = ""
        self._look_at_everything()
        self._job = SurveyJob(source, destination, prepare_home().surveys)
        return "Begun. Leaving this screen does not stop it; leaving xsync does."

    def _forget(self, report: SurveyReport | None) -> None:
        """What is over: a survey that has ended, and looks into another one."""
        if self._job is not None and self._job.ended:
            job, self._job = self._job, None
            self._look_at_everything()
            self._notice = []
            self._problem = f"The survey failed: {job.problem}" if job.problem else ""
            self.call_after_refresh(self.reread)
            if job.scanning.stopping and not job.problem:
                self.call_after_refresh(self.notice, _STOPPED)
        about = (self.facts.subject, report)
        if self._about is None or self._about[0] != about[0] or self._about[1] is not report:
            if self._about is not None and self._about[0] != about[0]:
                self._problem = ""
            self._about = about
            self._look_at_everything()

    def _look_at_everything(self) -> None:
        self._looks, self._inside, self._reading = [EVERYTHING], {}, None
        self._above, self._sort, self.cursor, self._other_cursor = False, 0, 0, 0

    def on_unmount(self) -> None:
        """A survey does not outlive the app: it keeps what it found."""
        if self._job is not None:
            self._job.stop()


def _stop(job: SurveyJob) -> str:
    job.stop()
    return "Stopping: what was found is kept."


def _times_so_far(scanning: Scanning, one: Roofline) -> SizeTimes:
    """What the files found so far take one agent: all rows from the first, so that none moves."""
    return size_times(decimal_bins(scanning.bins, ROWS), one, scanning.largest)


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
