"""New migration: five steps from where the data is to a saved profile; the survey runs beside them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import msgspec

from engine.errors import JournalError, ProfileError, UsageError, XsyncError
from engine.execution.checking.canary import canary_of
from engine.execution.checking.findings import Expected
from profiles import store
from xsync_tui import drafts
from xsync_tui.bridge import Bridge
from xsync_tui.drafting import (
    STEPS,
    Draft,
    bucket_typed,
    class_of,
    destination_of,
    has_password,
    is_bucket,
    location,
    name_of,
    problem,
    profile_of,
    source_of,
    with_bucket,
)
from xsync_tui.drawing.facts import Facts, Subject, SurveyBrief, plain_url
from xsync_tui.drawing.frame import FRAME_ROWS, LEAST_HEIGHT, LEAST_WIDTH, Act, Title
from xsync_tui.drawing.rows import Canvas, Role
from xsync_tui.drawing.wizard import wizard_rows
from xsync_tui.drawing.wizard_view import Look, Source, WizardView, is_recent
from xsync_tui.keys import Key, Tier
from xsync_tui.looking import BucketsJob, Counter, LookJob, counted_of, look_at, write_canary
from xsync_tui.screens.answering import AnsweringScreen
from xsync_tui.screens.base import BaseScreen, Drawn
from xsync_tui.surveying import Reports, SurveyJob, found_by, found_so_far

if TYPE_CHECKING:
    from engine.survey.matching import Kept
    from engine.survey.report import SurveyReport


def _url_of(draft: Draft) -> str:
    """The plain URL of a draft's source; empty where none was typed."""
    return plain_url(location(draft.source)) if draft.source.strip() else ""


class Known(NamedTuple):
    """What is known while somebody types. ``source``: its plain URL. ``names``: of saved profiles."""

    source: str = ""
    survey: SurveyBrief | None = None
    kept: Kept | None = None
    names: tuple[str, ...] = ()
    found: Source = Source()


class WizardScreen(AnsweringScreen[Known]):
    """What is typed is a draft on disk until it is saved as a profile."""

    place = "new"
    about_subject = False
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("new.next", "enter", "go on", "open", Tier.DRAFT),
        Key("new.field", "tab,down", "field", "pane(1)", Tier.DRAFT),
        Key("new.before", "shift+tab,up", "field before", "pane(-1)", Tier.DRAFT, footer=False),
        Key("new.choose", "right", "choose", "choose(1)", Tier.DRAFT),
        Key("new.choose-before", "left", "choose the one before", "choose(-1)", Tier.DRAFT, footer=False),
        Key("new.back", "escape,backspace", "back", "back", Tier.DRAFT),
        Key("new.again", "ctrl+r", "look again", "again"),
        Key("new.buckets", "ctrl+l", "buckets", "buckets"),
        Key("new.palette", "ctrl+p", "all", "app.palette"),
    )

    def __init__(self, draft: Draft | None = None) -> None:
        super().__init__(draft or drafts.new_draft())
        self._kept_draft = self.draft
        self._resumed = self.draft.step == 1 or not self.draft.source.strip()
        self._job: LookJob | None = None
        self._listing: BucketsJob | None = None
        self._first = 0
        self._reports: Reports | None = None
        self._counter = Counter()
        self._ended = False
        self._unsaved = ""

    def on_mount(self) -> None:
        """Digits are about what is described from now on."""
        self.xsync.subject = Subject(location=self.draft.source.strip() or None, draft=self.draft.id)

    def on_unmount(self) -> None:
        """Keep what was typed last."""
        self._keep(self.draft)

    # What is known.

    def sample(self, subject: Subject, bridge: Bridge) -> Known:
        """Keep the draft, look for a survey of its source, count over it."""
        draft = self.draft
        self._keep(draft)
        source = _url_of(draft)
        self._reports = self._reports or Reports(bridge.home.surveys)
        report = self._reports.latest(source) if source else None
        brief = None
        if report is not None:
            brief = SurveyBrief(
                report.location, report.surveyed_at, report.partial, report.files, report.bytes, report.seconds
            )
        kept = self._kept(draft, report, bridge)
        return Known(source, brief, kept, tuple(store.names()), Source() if report is None else found_by(report))

    def _kept(self, draft: Draft, report: SurveyReport | None, bridge: Bridge) -> Kept | None:
        """What the filters leave, where the step shows it."""
        wanted = draft.step == 3 or (draft.step == 2 and class_of(draft).small_bytes)
        if not wanted or problem(msgspec.structs.replace(draft, step=3)):
            return None
        about = counted_of(draft)
        scanning = (job := self._survey_job(draft)) is not None and not job.ended
        return self._counter.count(
            draft, report, bridge.home, scanning=scanning, cancelled=lambda: counted_of(self.draft) != about
        )

    def draw(self, value: Known, canvas: Canvas, now: float) -> Drawn:
        """The step."""
        view = self._view(value, now)
        drawn = wizard_rows(view, canvas)
        small = canvas.width < LEAST_WIDTH or canvas.height + FRAME_ROWS < LEAST_HEIGHT
        self._place((1, self.size.height, 1) if small else drawn.entry)  # out of sight, where its row is not drawn
        if not self._resumed:
            self._resumed = True
            self._survey_source()
        draft = self.draft
        state = f"draft, step {draft.step} of {len(STEPS)}"
        source, destination = ("" if has_password(url) else url.strip() for url in (draft.source, draft.destination))
        title = Title("new migration", source, destination, state, role=Role.MUTED)
        return Drawn(drawn.rows, None, title)

    def journey_facts(self) -> Facts:
        """Only what is known of the source that stands there now, not of what the app was about before."""
        known = self.value
        survey = known.survey if known is not None and known.source == _url_of(self.draft) else None
        return Facts(Subject(draft=self.draft.id), survey=survey)

    def _view(self, value: Known, now: float) -> WizardView:
        draft, about = self.draft, _url_of(self.draft)
        job = self._survey_job(draft)
        path, toml, canary = "", "", ""
        try:
            if draft.step == 2 and draft.destination.strip():
                canary = canary_of(destination_of(draft))
            if draft.step == 5:
                path, toml = str(store.path_of(name_of(draft))), store.render(profile_of(draft))
        except XsyncError:
            pass  # ``problem`` says what is wrong
        return WizardView(
            draft,
            self._field,
            now,
            problem(draft, value.names),
            self._look,
            job.scanning if job is not None and not job.ended else None,
            value.survey if value.source == about else None,
            job.problem if job is not None and job.ended else "",
            value.kept if value.source == about else None,
            canary,
            path,
            toml,
            self._unsaved,
            self._listing.buckets if self._listing is not None and self._listing.is_about(draft) else None,
            found_so_far(job.scanning) if job is not None and not job.ended else value.found,
            self._first,
        )

    @property
    def _look(self) -> Look | None:
        """The look at what stands there now; what was found of another place counts no more."""
        return self._job.look if self._job is not None and self._job.is_about(self.draft) else None

    @property
    def waits(self) -> bool:
        """Whether a look goes on: esc ends that, and then it can be typed again."""
        return self._look is not None and self._look.running

    @property
    def _canary_is_written(self) -> bool:
        look = self._look
        return look is not None and look.tried and not look.failed

    def _survey_job(self, draft: Draft) -> SurveyJob | None:
        return self.xsync.surveying.get(plain_url(location(draft.source))) if draft.source.strip() else None

    def reason(self, key: Key) -> str:
        """Left and right choose where there is something to choose; a look can be repeated once it has answered."""
        match key.id:
            case "new.choose" | "new.choose-before":
                return "" if self._here.choices else "there is nothing to choose here"
            case "new.again":
                return "" if self._look is not None and self._look.done else "nothing was looked at yet"
            case "new.buckets":
                if not self._is_place:
                    return "only where a place is typed"
                typed = getattr(self.draft, self._here.key).strip()
                return "" if not typed or "s3://".startswith(typed.lower()) or is_bucket(typed) else "it is no bucket"
        return ""

    @property
    def _is_place(self) -> bool:
        return self._here.key in ("source", "destination")

    def words(self, key: Key) -> str:
        """What enter does."""
        if key.id != "new.next":
            return "leave" if key.id == "new.back" and self.draft.step == 1 else key.words
        if self._here.act and not self._canary_is_written:
            return "write a canary"
        known = self.draft.step == 2 and self._look is not None and self._look.done
        return "go on" if known else {1: "look, survey", 2: "look", 5: "save"}.get(self.draft.step, "go on")

    # From step to step.

    def action_back(self) -> None:
        """Wait no longer for a look; else one step back, and from the first one out. Everything typed stays."""
        self._take()
        if self._notice:
            super().action_back()
        elif self._listing is not None:
            self._listing = None
            self.redraw()
        elif self._job is not None and self._look is not None and self._look.running:
            self._job.stop()
            self._job = None
            self.redraw()
        elif self.draft.step > 1:
            self._step(self.draft.step - 1)
        else:
            self.xsync.back()

    def action_open(self) -> None:
        """Do what the last row says."""
        self._take()
        self._notice = []
        view = self._view(self.value or Known(), self.xsync.now())
        look = view.look
        if self._here.act and not view.problem and not self._canary_is_written:
            self._offer_canary()
        elif view.problem or (look is not None and look.running):
            self.redraw()
        elif self.draft.step <= 2 and (look is None or not look.done or (self.draft.step == 1 and look.failed)):
            self._look_at_it()
        elif self.draft.step == 1:
            self._source_is_known()
        elif self.draft.step < len(STEPS):
            self._step(self.draft.step + 1)
        else:
            self._save()

    def action_again(self) -> None:
        """Look once more at what was looked at: what was wrong may have been mended elsewhere."""
        self._take()
        if not self.reason(self._key("new.again")):
            self._look_at_it()

    def _look_at_it(self) -> None:
        self._listing = None
        self._job = look_at(self.draft)
        self._follow(self._job)

    def action_buckets(self) -> None:
        """List the buckets there are, beside what is typed."""
        self._take()
        if not self.reason(self._key("new.buckets")):
            self._job, self._listing = None, BucketsJob(self.draft)
            self._follow_list(self._listing)

    def _follow_list(self, job: BucketsJob) -> None:
        if job is self._listing and self.is_attached:
            self.redraw()
            if job.buckets.running:
                self.set_timer(0.1, partial(self._follow_list, job))

    def completed(self) -> str:
        """The text of the field with the first bucket of the list; empty where there is none."""
        if self._listing is None or not self._is_place or not self._listing.is_about(self.draft):
            return ""
        typed = getattr(self.draft, self._here.key)
        names = self._listing.buckets.like(bucket_typed(typed))
        return with_bucket(typed, names[0]) if names else ""

    def action_page(self, pages: int) -> None:
        """Further on in the profile that would be saved."""
        rows = max(1, self.canvas.height - 10)
        self._first = max(0, self._first + pages * rows)
        self.redraw()

    def _key(self, key_id: str) -> Key:
        return next(key for key in self.KEYS if key.id == key_id)

    def _follow(self, job: LookJob) -> None:
        """Draw until it has answered; what can be read is surveyed at once."""
        self.redraw()
        if job is not self._job or not self.is_attached:
            return
        if job.look.running:
            self.set_timer(0.1, partial(self._follow, job))
        elif self.draft.step == 1 and self._look is not None and not self._look.failed:
            self._source_is_known()

    def _source_is_known(self) -> None:
        """It is surveyed while the other steps are answered."""
        self.draft = msgspec.structs.replace(self.draft, source=location(self.draft.source))
        self.xsync.subject = Subject(location=self.draft.source, draft=self.draft.id)
        self._survey_source()
        self._step(2)

    def _survey_source(self) -> None:
        """Survey it, unless that was done of late."""
        known = self.value.survey if self.value and self.value.source == plain_url(self.draft.source) else None
        job = self._survey_job(self.draft)
        if not is_recent(known, self.xsync.now()) and (job is None or job.ended):
            from engine.home import prepare_home

            url = plain_url(self.draft.source)
            self.xsync.surveying[url] = SurveyJob(source_of(self.draft), None, prepare_home().surveys)

    def _step(self, step: int) -> None:
        """Keep what was typed, and ask what the step asks."""
        draft = self.draft
        if draft.step == 2:
            draft = msgspec.structs.replace(draft, destination=location(draft.destination))
        if draft.step == 5:
            draft = msgspec.structs.replace(draft, name=draft.name.strip())
        self.draft = msgspec.structs.replace(draft, step=step)
        self._first, self._listing = 0, None
        self._keep(self.draft)
        self._go_to(0)

    def _keep(self, draft: Draft) -> None:
        """Have it on disk; whoever types is not stopped where that fails."""
        if draft == self._kept_draft or self._ended:
            return
        try:
            drafts.save(draft)
            self._kept_draft, self._unsaved = draft, ""
        except JournalError as error:
            self._unsaved = str(error)

    def _offer_canary(self) -> None:
        """The strip that says what would be written."""
        spec = destination_of(self.draft)
        if "://" in spec.url:
            what = "objects of a few bytes, with right and with wrong checksums; reads them, and removes them."
        else:
            what = "a file of a few bytes; reads it, and removes it. The folder is made if it is missing, and stays."
        effect = f"Writes {self.canvas.text(canary_of(spec))}: {what} Nothing else there is touched."
        known = self.value.survey if self.value is not None else None
        expected = None if known is None or known.partial else Expected(known.files, known.bytes)
        act = Act("enter", "write a canary", effect, "write it", "write nothing", asked=False)
        self.act(act, partial(self._write_canary, expected))

    def _write_canary(self, expected: Expected | None) -> str:
        job = self._job = write_canary(self.draft, expected)
        self.app.call_from_thread(self._follow, job)
        return ""

    def _save(self) -> None:
        try:
            profile = profile_of(self.draft)
            path = store.save(profile, new=True)
        except (ProfileError, UsageError) as error:
            self.notice(str(error), Role.ALARM)
            return
        self._ended = True
        with suppress(JournalError):  # a draft too many is a small thing now
            drafts.delete(self.xsync.bridge.home, self.draft.id)
        job = self._survey_job(self.draft)
        surveyed = self.value is not None and self.value.survey is not None and (job is None or job.ended)
        self._open_profile(profile.name, path, "plan" if surveyed else "survey")

    def _open_profile(self, name: str, path: Path, place: str) -> None:
        app = self.xsync
        self.dismiss()
        app.go(place, Subject(profile=name))
        if isinstance(app.screen, BaseScreen):
            app.call_after_refresh(app.screen.notice, f"Saved: {path}")
