"""The wizard as a person uses it: between real folders and a real server, to a profile and on to a finished run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from textual import events

from engine.execution.checking import looking
from engine.execution.checking.findings import Finding, ok
from engine.home import find_home
from engine.journal.reader import list_executions
from engine.locations import s3_buckets
from engine.model import LocationSpec, Status
from engine.survey import scan
from engine.survey.report import SurveyReport
from engine.survey.scan import survey
from profiles import store
from profiles.schema import Place, Profile
from tests.conftest import SpecMaker
from tests.tui.driving import Driver, drive
from tests.tui.wizard_steps import make_lab, paste, to_step_2
from xsync_tui import drafts
from xsync_tui.app import XsyncApp
from xsync_tui.drafting import Draft
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.wizard_view import BUCKETS_SECONDS, SILENT_SECONDS
from xsync_tui.gallery.executions import HOSTILE
from xsync_tui.screens.strip import Strip
from xsync_tui.screens.wizard import WizardScreen
from xsync_tui.widgets.entry import Entry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SIZES = pytest.mark.parametrize("size", [(80, 23), (120, 40)])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_lab(tmp_path / "lab")


@SIZES
def test_from_nothing_to_a_finished_run(
    source: Path, bucket: str, s3_spec: SpecMaker, boto: S3Client, size: tuple[int, int]
) -> None:
    endpoint = s3_spec(bucket).endpoint_url or ""

    async def play(driver: Driver) -> None:
        await to_step_2(driver, source)
        await paste(driver, f"s3://{bucket}/lab")
        await driver.press("tab")
        await paste(driver, endpoint)
        await driver.sees(f"s3://{bucket}/lab/.xsync-canary-*")
        await driver.press("enter")
        seen = await driver.sees("enter goes on to 3")
        assert "credentials from the environment" in seen
        await driver.press("tab", "tab", "tab", "right", "right")
        await driver.sees("are under 128 KiB: in STANDARD_IA billed as 128 KiB each")
        await driver.press("left", "left", "tab", "enter")
        assert isinstance(driver.app.screen, Strip)
        await driver.sees(".xsync-canary-*: objects of")
        assert "Contents" not in boto.list_objects_v2(Bucket=bucket)
        await driver.press("enter")
        await driver.sees("was written, read and removed")
        assert "Contents" not in boto.list_objects_v2(Bucket=bucket)
        await driver.press("tab", "enter")
        await driver.sees("[3 leave out]")
        await driver.press(*"/scratch")
        seen = await driver.sees("It keeps 60 % of 100 files")
        assert "   /scratch/" in seen
        await driver.press("enter")
        await driver.sees("[4 limits]")
        await driver.press("tab", "right")
        await driver.sees("One limit, of 1.00 Gbit/s (125 MB/s).")
        await driver.press("left", "tab", "4", "enter")
        await driver.sees("[5 name]")
        await driver.sees('name = "lab"')
        await driver.press(*"first", "enter")
        await driver.until(lambda: driver.app.current_mode == "plan")
        await driver.sees("what limits 4")
        await driver.press("R")
        await driver.until(lambda: isinstance(driver.app.screen, Strip))
        await driver.press("enter")
        await driver.sees("Started: ")
        await driver.press("5")
        await driver.sees("SUCCESS")
        await driver.until(lambda: not driver.app.bridge.executions() or not driver.app.bridge.runners)

    drive(play, size=size)
    saved = store.load("first")
    assert (saved.agents, saved.filters.exclude, saved.network.timetable) == (4, ("/scratch",), ())
    assert saved.destination == Place(f"s3://{bucket}/lab", endpoint_url=endpoint)
    [found] = list_executions(find_home())
    assert (found.status, found.totals.files.transferred) == (Status.SUCCESS, 60)
    assert drafts.all_drafts(find_home()) == []


def test_keys_that_come_faster_than_they_are_drawn_keep_their_order(source: Path) -> None:
    drafts.save(Draft("0" * 16, 3, str(source)))

    async def play(driver: Driver) -> None:
        await driver.sees("draft, step 3 of 5")
        await driver.press("enter")
        await driver.sees("[3 leave out]")
        keys = [*"*.tmX", "backspace", "p", "down", *"/2024", "up", *"|/x", "enter", *"Mon 2Gbps", "down", "down", "7"]
        for key in keys:  # all at once, as a slow line delivers them
            driver.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await driver.sees("One limit, of 2.00 Gbit/s")
        await driver.until(lambda: drafts.all_drafts(find_home())[0].agents == "7")

    drive(play)
    [draft] = drafts.all_drafts(find_home())
    assert (draft.exclude, draft.include, draft.limits) == ("*.tmp|/x", "/2024", "Mon 2Gbps")


def test_a_wrong_bucket_is_named_and_mended(source: Path, bucket: str, s3_spec: SpecMaker) -> None:
    endpoint = s3_spec(bucket).endpoint_url or ""

    async def play(driver: Driver) -> None:
        await to_step_2(driver, source)
        await driver.press(*"s3://no-such-bucket", "tab")
        await paste(driver, endpoint)
        await driver.press("enter")
        seen = await driver.sees("A run would fail")
        assert "no-such-bucket" in seen.partition("canary")[2]
        await driver.press("shift+tab", "ctrl+u")
        await paste(driver, f"s3://{bucket}")
        await driver.press("enter")
        await driver.sees("enter goes on to 3")

    drive(play)


def test_a_look_is_repeated_when_what_was_wrong_has_been_mended_elsewhere(
    source: Path, bucket: str, s3_spec: SpecMaker, boto: S3Client
) -> None:
    endpoint, later = s3_spec(bucket).endpoint_url or "", f"{bucket}-later"

    async def play(driver: Driver) -> None:
        await to_step_2(driver, source)
        assert "look again" not in driver.read()
        await paste(driver, f"s3://{later}")
        await driver.press("tab")
        await paste(driver, endpoint)
        await driver.press("enter")
        assert "ctrl+r look again" in await driver.sees("A run would fail")
        boto.create_bucket(Bucket=later)
        await driver.press("ctrl+r")
        await driver.sees("enter goes on to 3")

    drive(play)
    boto.delete_bucket(Bucket=later)


def test_buckets_are_listed_beside_what_is_typed(source: Path, bucket: str, s3_spec: SpecMaker) -> None:
    endpoint = s3_spec(bucket).endpoint_url or ""

    async def play(driver: Driver) -> None:
        await to_step_2(driver, source)
        await driver.press(*"s3://", "tab")
        await paste(driver, endpoint)
        assert "ctrl+l" not in driver.read()
        await driver.press("shift+tab", "ctrl+l")
        await driver.sees("buckets: right takes the first")
        await paste(driver, bucket[-6:])
        await driver.sees(f"   {bucket}")
        await driver.press("right")
        await driver.until(lambda: driver.app.screen.query_one("#answer", Entry).value == f"s3://{bucket}")
        await driver.press("escape")
        await driver.sees("enter looks at it. Nothing is written.")
        assert "[2 destination]" in driver.read()
        await driver.press(*"/lab", "enter")
        await driver.sees("enter goes on to 3")

    drive(play)


def test_a_list_of_buckets_may_be_denied_or_hang_and_nobody_waits_for_it(
    source: Path, bucket: str, s3_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, endpoint = threading.Event(), s3_spec(bucket).endpoint_url or ""

    async def play(driver: Driver) -> None:
        await to_step_2(driver, source)
        await driver.press(*"s3://b", "tab")
        await paste(driver, endpoint)
        with monkeypatch.context() as wrong:
            wrong.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
            await driver.press("shift+tab", "ctrl+l")
            await driver.sees("no list: ")
            assert "AWS_SECRET_ACCESS_KEY" in driver.read()
        with monkeypatch.context() as slow:
            slow.setattr(s3_buckets, "bucket_names", lambda spec: released.wait() or [])
            await driver.press("ctrl+l")
            await driver.sees("Asking for the buckets")
            await driver.press("x")
            await driver.sees("s3://bx")
            screen = driver.app.screen
            assert isinstance(screen, WizardScreen)
            assert screen._listing is not None
            screen._listing._began -= BUCKETS_SECONDS
            await driver.sees("no list within 10 s: type the bucket's name")
            await driver.press("escape")
            await driver.sees("enter looks at it.")

    drive(play)
    released.set()


def test_ages_and_sizes_are_counted_as_they_are_typed_and_planned(source: Path, tmp_path: Path) -> None:
    drafts.save(Draft("0" * 16, 3, str(source), destination=str(tmp_path / "new")))

    async def play(driver: Driver) -> None:
        await driver.sees("draft, step 3 of 5")
        await driver.press("enter")
        await driver.sees("Folders in /")
        await driver.press("tab", "tab", "tab", "tab", *"1kB")
        await driver.sees("files, and")
        await driver.press("tab", *"1kB")
        await driver.sees("It keeps 40 % of 100 files")  # those of 1,000 bytes, the ends included
        await driver.press("enter", "enter", "enter")
        await driver.until(lambda: driver.app.current_mode == "plan")
        await driver.sees("40.0 kB")

    drive(play)
    filters = store.load("lab").filters
    assert (filters.min_size, filters.max_size) == ("1kB", "1kB")


def test_next_says_why_it_waits(source: Path, tmp_path: Path) -> None:
    store.save(Profile(schema=1, name="taken", source=Place("/a"), destination=Place("/b")))

    async def play(driver: Driver) -> None:
        await driver.sees("not surveyed")
        await driver.press("N")
        await driver.sees("! Next waits: say where the data is")
        await driver.press("enter")
        await paste(driver, str(tmp_path / "nowhere"))
        await driver.press("enter")
        seen = await driver.sees("! Next waits: it cannot be read, see above")
        assert "/nowhere" in seen
        await driver.press("ctrl+u")
        await paste(driver, str(source))
        await driver.press("enter")
        await driver.sees("[2 destination]")
        await paste(driver, str(source / "inside"))
        await driver.press("enter")
        await driver.sees("it lies in the source")
        await driver.press("ctrl+u")
        await paste(driver, str(tmp_path / "new"))
        await driver.press("enter")
        await driver.sees("it will be made in")
        await driver.press("enter", *"a*b")
        seen = await driver.sees("* may stand only at its start and end")
        await driver.press("enter")
        assert "[3 leave out]" in driver.read()
        await driver.press("ctrl+u", "enter", *"Mon-Fry 2Gbps")
        await driver.sees("'Mon-Fry'")
        await driver.press("ctrl+u", "enter", *"taken", "enter")
        await driver.sees("! Next waits: there is a profile taken already")
        await driver.press("2", "enter")
        await driver.until(lambda: "taken2" in store.names())

    drive(play)
    assert store.load("taken").source == Place("/a")
    assert not (tmp_path / "new").exists()


def test_a_look_that_hangs_is_left_alone(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hangs(spec: LocationSpec, source: LocationSpec | None = None) -> Iterator[Finding]:
        released.wait()
        yield ok("destination", "late")

    monkeypatch.setattr(looking, "look_at_destination", hangs)

    async def play(driver: Driver) -> None:
        await to_step_2(driver, source)
        await driver.press(*"s3://bucket", "enter")
        await driver.sees("Next waits for the answer")
        await driver.press("escape")
        await driver.sees("enter looks at it. Nothing is written.")
        await driver.press("enter")
        await driver.sees("Next waits for the answer")
        screen = driver.app.screen
        assert isinstance(screen, WizardScreen)
        assert screen._job is not None
        screen._job._began -= SILENT_SECONDS
        await driver.sees("no answer within 20 s")
        await driver.press("enter")
        await driver.sees("[3 leave out]")

    drive(play)
    released.set()


def test_a_survey_that_still_runs_is_shown_when_the_profile_is_saved(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    real = scan.survey

    def slow(*arguments: Any, **named: Any) -> SurveyReport:
        named["on_progress"](scan.SurveyProgress(3_104_233, 3_200_000, 12 * 10**12, 18.0))
        released.wait()
        return real(*arguments, **named)

    monkeypatch.setattr(scan, "survey", slow)

    async def play(driver: Driver) -> None:
        await to_step_2(driver, source)
        await paste(driver, str(tmp_path / "new"))
        await driver.press("enter")
        await driver.sees("enter goes on to 3")
        await driver.sees("3,104,233 files, 12.0 TB so far")
        await driver.press("enter", "enter", "enter", "enter")
        await driver.until(lambda: driver.app.current_mode == "survey")
        await driver.sees("C stop")
        assert driver.app.subject == Subject("lab")
        released.set()
        await driver.sees("100 files")
        await driver.until(lambda: not driver.app.surveying)

    drive(play)


def test_a_recent_survey_is_used_and_its_screen_leads_here(source: Path) -> None:
    home = find_home()
    home.surveys.mkdir(parents=True)
    before = survey(LocationSpec(str(source)), home.surveys)

    async def play(driver: Driver) -> None:
        await driver.sees("100 files")
        await driver.press("N")
        seen = await driver.sees("is there and is used")
        assert f"/{source.name}" in seen
        assert "2 Survey ok" in seen
        await driver.press("x")
        assert "2 Survey -" in await driver.sees(f"/{source.name}x")
        await driver.press("backspace")
        await driver.sees("2 Survey ok")
        await driver.press("enter")
        await driver.sees("[2 destination]")
        assert driver.app.surveying == {}

    drive(play, XsyncApp(Subject(location=str(source))))
    [report] = home.surveys.glob("*/survey.json")
    assert str(before.surveyed_at).encode()[:10] in report.read_bytes()


def test_a_small_terminal_shows_the_question_alone() -> None:
    async def play(driver: Driver) -> None:
        await driver.sees("esc, then N")
        await driver.press("escape", "N")
        await driver.sees("[1 source]")
        await driver.pilot.resize_terminal(70, 15)
        await driver.sees("Make it 80x24")
        await driver.press("x")
        entry = driver.app.screen.query_one("#answer", Entry)
        assert entry.region.y >= 15
        await driver.pilot.resize_terminal(120, 40)
        await driver.sees("▶ from       x")
        await driver.until(lambda: entry.region.y == 5)

    drive(play)


def test_hostile_text_reaches_no_terminal(source: Path) -> None:
    hostile = HOSTILE.replace("\udcff", "")
    draft = Draft(
        "0" * 16, 1, f"/{hostile}", exclude=hostile, limits=hostile, agents=hostile, destination=f"s3://{hostile}"
    )
    drafts.save(draft)

    async def play(driver: Driver) -> None:
        await driver.sees("draft, step 1 of 5")
        await driver.press("enter")
        for step in range(1, 6):
            screen = driver.app.screen
            assert isinstance(screen, WizardScreen)
            screen._step(step)
            for _ in range(4):
                await driver.press("tab")
                strips = [strip.text for strip in driver.app.screen._compositor.render_strips()]
                assert not any(mark in "".join(strips) for mark in "\x1b\x07\u202e\u200b"), (step, strips)

    drive(play)
