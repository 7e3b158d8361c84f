"""Survey: what is there and what of it takes the time; a scan is followed live, its panes filter each other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from textual import work

from engine.catalog.stopping import Stopper
from engine.errors import XsyncError
from engine.model import LocationSpec
from engine.planning.sizes import ROWS, SizeTimes, decimal_bins, size_times
from engine.planning.values import Origin, SizeBin
from xsync_tui.bridge import Bridge
from xsync_tui.drafts import new_draft
from xsync_tui.drawing.evidence import glyph_rows, weakest
from xsync_tui.drawing.facts import Facts, Subject, plain_url
from xsync_tui.drawing.filtered import Look
from xsync_tui.drawing.folders import FolderTable, Sort, in_order
from xsync_tui.drawing.frame import Act
from xsync_tui.drawing.handout import survey_handout
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row
from xsync_tui.drawing.survey import Scanning, SurveyView, survey_rows
from xsync_tui.drawing.survey_panes import Pane, pane_length, panes_of
from xsync_tui.keys import Key, Tier
from xsync_tui.keys import Pane as Jumped
from xsync_tui.looks import Looks, next_sort
from xsync_tui.screens.base import BaseScreen, Drawn, defect
from xsync_tui.screens.exporting import export
from xsync_tui.surveying import Reports, SurveyJob, look_inside

if TYPE_CHECKING:
    from engine.execution.foretelling.planner import PlanRequest
    from engine.planning.values import Roofline
    from engine.survey.report import SurveyReport
    from profiles.schema import Profile


_LETTERS: Mapping[Pane, str] = {
    "folders": "f",
    "map": "m",
    "ages": "a",
    "kinds": "k",
    "hazards": "h",
    "facts": "t",
    "samples": "p",
}

_STOPPED = "Stopped. What was found is kept: R goes on from there within 12 hours."


class Found(NamedTuple):
    """The last survey of the source, what one agent does, and what the sizes found take it."""

    report: SurveyReport | None
    one: Roofline
    origin: Origin
    times: SizeTimes | None = None


class SurveyScreen(BaseScreen[Found]):
    """Shows the last survey; R makes a new one in a thread, which leaving the screen does not stop.

    Enter looks closer, in either pane, and backspace undoes; what a look needs of the catalog is read in a thread.
    """

    place = "survey"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("survey.open", "enter", "filter by it", "open"),
        Key("survey.undo", "backspace", "undo", "back"),
        Key("survey.pane", "tab", "pane", "pane(1)"),
        Key("survey.view", "v", "view", "view"),
        Key("survey.sort", "s", "sort", "sort", footer=False),
        Key("survey.zoom", "z", "zoom", "zoom", footer=False),
        Key("survey.why", "i", "why", "why"),
        Key("survey.export", "x", "export", "export"),
        Key("survey.new", "N", "make a migration", "new", Tier.ACT),
        Key("survey.scan", "R", "survey", "scan", Tier.ACT),
        Key("survey.stop", "C", "stop", "stop", Tier.ACT),
    )

    def __init__(self) -> None:
        super().__init__()
        self._job: SurveyJob | None = None
        self._problem = ""
        self._reports: Reports | None = None
        self._known: tuple[object, Found] | None = None
        self._about: Subject | None = None
        self._looks = Looks(None, None, None)
        self._catalog = asyncio.Lock()
        self._stopper: Stopper | None = None
        self._pane: Pane = "folders"
        self._sort: Sort = "bytes"
        self._above = self._zoomed = self._why = False
        self._other_cursor = 0

    def sample(self, subject: Subject, bridge: Bridge) -> Found:
        """The last survey of the subject's source; nothing of the source itself is touched."""
        facts = bridge.facts(subject)
        self._reports = self._reports or Reports(bridge.home.surveys)
        report = self._reports.latest(facts.source) if facts.source else None
        rests_on = (subject, facts.profile)
        if self._known is None or self._known[0] != rests_on or self._known[1].report is not report:
            one = _roofline(facts, bridge)
            origin = weakest((one.bytes_per_second.origin, one.files_per_second.origin))
            times = None
            if report is not None:
                bins = [SizeBin(b.from_, b.to or b.from_, b.files, b.bytes) for b in report.size_histogram]
                times = size_times(decimal_bins(bins), one, report.largest_bytes)
            self._known = rests_on, Found(report, one, origin, times)
        return self._known[1]

    def draw(self, value: Found, canvas: Canvas, now: float) -> Drawn:
        """The body; a survey that has ended leaves what it found, or why it failed."""
        self._job = self.xsync.surveying.get(plain_url(self.facts.source)) or self._job
        self._forget(value)
        scanning = self._scanning
        if value.report is not None and self._pane not in panes_of(value.report, canvas):
            self._pane, self.cursor = "folders", 0
        view = SurveyView(
            now,
            value.report,
            _times_so_far(scanning, value.one) if scanning is not None else self._looks.times(),
            value.origin,
            self._looks.table(self._sort),
            scanning,
            self._pane,
            self._zoomed,
            self._problem if self.facts.source else "Nothing is chosen yet: 1 goes to the list of migrations.",
            self._looks.present,
            self._above,
            self.cursor,
            self._looks.reading,
            value.one,
            self._why,
        )
        return Drawn(survey_rows(view, canvas))

    def count(self) -> int:
        """Rows of the pane that has the keys."""
        if self.value is None or self.value.report is None:
            return 0
        if self._above:
            times = self._looks.times()
            return 0 if times is None else len(times.bins)
        return pane_length(self._pane, self.value.report, self._looks.table(self._sort), self.canvas)

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
            case "survey.undo":
                return "" if self._looks.deep or self._looks.reading is not None else "nothing is filtered"
            case "survey.pane" if self._scanning is not None:
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
        """How well figures are known, and what filters."""
        sign = "»" if canvas.unicode else "="
        return [*glyph_rows(canvas), (Piece(f" {sign}  folders are filtered by it"),)]

    # Looking.

    def action_view(self) -> None:
        """The next view of the lower part."""
        if self.value is None or self.value.report is None:
            return
        panes = panes_of(self.value.report, self.canvas)
        self._enter_pane(above=False)
        self._why = False
        self._pane, self.cursor = panes[(panes.index(self._pane) + 1) % len(panes)], 0
        self.redraw()

    def action_pane(self, panes: int) -> None:
        """From sizes to what is below them, and back."""
        if self._scanning is None and not self._zoomed:
            self._enter_pane(above=not self._above)
            self.redraw()

    def action_show(self, pane: Pane | Literal["sizes"]) -> None:
        """The keys to the sizes, or to a view of the lower part."""
        self._enter_pane(above=pane == "sizes")
        if pane != "sizes" and pane != self._pane:
            self._pane, self.cursor = pane, 0
        self.redraw()

    def _enter_pane(self, *, above: bool) -> None:
        if above != self._above:
            self._above = above
            self.cursor, self._other_cursor = self._other_cursor, self.cursor

    def action_sort(self) -> None:
        """Sort the folders by the next column."""
        if self._pane == "folders":
            self._enter_pane(above=False)
            self._sort, self.cursor = next_sort(self._sort, filtered=self._looks.present.only is not None), 0
            self.redraw()

    def action_why(self) -> None:
        """What the figures rest on, and back to what is below them."""
        self._why = not self._why and self.value is not None and self.value.report is not None
        self.redraw()

    def action_zoom(self) -> None:
        """The lower part alone, and back."""
        self._enter_pane(above=False)
        self._zoomed = not self._zoomed
        self.redraw()

    def action_open(self) -> None:
        """Look closer: folders with files of the size under the cursor, or the sizes in the folder under it."""
        if self._looks.reading is not None or not self.count():
            return
        self._why = False
        look, times, table = self._looks.present, self._looks.times(), self._looks.table(self._sort)
        if self._above and times is not None:
            low = times.bins[self.cursor].bin.low
            if low != look.only:
                self._take(look._replace(only=low))
        path = self._folder_here(table) if table is not None and not self._above else None
        if table is not None and path is not None and (path != table.path or not look.own):
            self._take(look._replace(path=path, own=path == table.path))

    def action_export(self) -> None:
        """Write the survey as JSON and as Markdown into the current folder."""
        found = self.value
        if found is None or found.report is None or found.times is None:
            self.notice("There is no survey yet.")
            return
        now, name = self.xsync.now(), self.facts.subject.name
        text = survey_handout(found.report, found.times, found.origin, name, now, self.canvas.zone)
        try:
            self.notice(export("survey", name, now, found.report, text))
        except XsyncError as error:
            self.notice(str(error), Role.ALARM)

    def panes(self) -> Sequence[Jumped]:
        """Sizes, and each view of the lower part."""
        report = self.value.report if self.value else None
        if report is None or self._scanning is not None:
            return ()
        sizes = [] if self._zoomed else [Jumped("s", "sizes", "show('sizes')")]
        return [*sizes, *(Jumped(_LETTERS[pane], pane, f"show('{pane}')") for pane in panes_of(report, self.canvas))]

    def copies(self) -> tuple[str, str] | None:
        """The folder under the cursor, as a path or a URL."""
        report, table = self.value.report if self.value else None, self._looks.table(self._sort)
        path = self._folder_here(table) if table is not None and not self._above else None
        if report is None or path is None:
            return super().copies()
        return "path", f"{report.location.removeprefix('file://').rstrip('/')}/{path}".rstrip("/")

    def _folder_here(self, table: FolderTable) -> str | None:
        """The folder under the cursor of the pane below, where that shows folders."""
        if self._pane not in ("folders", "map") or not self.count():
            return None
        ordered = in_order(table if self._pane == "folders" else table._replace(sort="bytes"))
        return ordered[self.cursor].path

    def action_back(self) -> None:
        """Back to the look before, else out of the zoom, else back."""
        if self._looks.reading is not None:
            self._stop_reading()
            self.redraw()
        elif self._why and not self._notice:
            self.action_why()
        elif self._looks.deep and not self._notice:
            left = self._looks.undo()
            self._enter_pane(above=left.above)
            self.cursor, self._sort = left.cursor, left.sort
            self.redraw()
        elif self._zoomed and not self._notice:
            self.action_zoom()
        else:
            super().action_back()

    @work(group="folders")
    async def _take(self, look: Look) -> None:
        """Look so, once the catalog has told of the folder; not if something else was done meanwhile."""
        looks = self._looks
        if looks.report is not None and not looks.knows(look.path) and not await self._read(looks, look.path):
            return
        if looks is not self._looks:
            return
        left = look._replace(above=self._above, cursor=self.cursor, sort=self._sort)
        if self._above and look.only is not None:
            self._sort = looks.sort_for(look.only)
            self._pane = self._pane if self._pane == "map" else "folders"
        looks.take(left)
        self._enter_pane(above=False)
        self.cursor = 0
        self.redraw()

    async def _read(self, looks: Looks, path: str) -> bool:
        """Let ``looks`` learn of a folder, one at a time: each may take hundreds of megabytes. False: it did not."""
        assert looks.report is not None
        stopper = self._stopper = Stopper()
        looks.reading = path
        self.redraw()
        home, trouble = self.xsync.bridge.home, ""
        try:
            async with self._catalog:
                looks.learn(path, await asyncio.to_thread(look_inside, home, looks.report, path, stopper))
        except XsyncError as error:
            trouble = str(error)
        except Exception as error:
            trouble = defect(error)
        if stopper.stopped:
            return False
        looks.reading = None
        if trouble:
            self.notice(trouble, Role.ALARM)
        return not trouble

    def _stop_reading(self) -> None:
        self._looks.reading = None
        if self._stopper is not None:
            self._stopper.stop()

    @property
    def _scanning(self) -> Scanning | None:
        """The survey of what is looked at, while it goes on."""
        job = self._job
        here = job is not None and not job.ended and plain_url(job.url) == plain_url(self.facts.source)
        return job.scanning if job is not None and here else None

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
        self.act(Act("R", "survey", effect, "start", asked=False), lambda: self._start(source, destination))

    def action_new(self) -> None:
        """Describe a migration of what was surveyed: nothing is kept or begun before its own steps say so."""
        if not self._not_now("survey.new"):
            self.xsync.describe(new_draft(self.facts.source))

    def action_stop(self) -> None:
        """Stop the survey, after its strip."""
        if not self._not_now("survey.stop") and self._job is not None:
            job = self._job
            effect = (
                "Ends the survey early. What was found is kept, and the next one goes on from there within 12 hours."
            )
            self.act(Act("C", "stop the survey", effect, "stop", asked=False), lambda: _stop(job))

    def _not_now(self, key_id: str) -> bool:
        """Whether a key can do nothing now; says why."""
        why = self.reason(next(each for each in self.KEYS if each.id == key_id))
        if why:
            self.notice(f"{why.capitalize()}.")
        return bool(why)

    def _start(self, source: LocationSpec, destination: LocationSpec | None) -> str:
        from engine.home import prepare_home

        self._problem = ""
        self._above = False
        self._job = self.xsync.surveying[plain_url(source.url)] = SurveyJob(source, destination, prepare_home().surveys)
        return "Begun. Leaving this screen does not stop it; leaving xsync does."

    def _forget(self, value: Found) -> None:
        """What is over: a survey that has ended, and looks into another one."""
        if self._job is not None and self._job.ended:
            job, self._job = self._job, None
            self.xsync.surveying.pop(plain_url(job.url), None)
            self._notice = []
            self._problem = f"The survey failed: {job.problem}" if job.problem else ""
            self.call_after_refresh(self.reread)
            if job.scanning.stopping and not job.problem:
                self.call_after_refresh(self.notice, _STOPPED)
        elif self._about != self.facts.subject:
            self._problem = ""
        if self._about != self.facts.subject or self._looks.report is not value.report:
            self._about = self.facts.subject
            self._looks = Looks(value.report, value.times, value.one)
            self._above, self._sort, self.cursor, self._other_cursor = False, "bytes", 0, 0

    def on_unmount(self) -> None:
        """Nothing is read for nobody."""
        self._stop_reading()


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
    from engine.execution.foretelling.passes import reports_of
    from engine.execution.foretelling.planner import roofline_of
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
