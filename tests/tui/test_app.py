"""The app as a person uses it: nothing acts without its strip, and nothing of a screen takes the app away."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import msgspec
import pytest

from engine.home import find_home
from engine.journal.reader import list_executions
from engine.journal.writer import Journal
from engine.model import Failure, Status
from profiles import store
from profiles.schema import Place, Profile
from tests.conftest import SpecMaker
from tests.tui.driving import Driver, drive
from tests.unit.cli_journals import DONE, FAILURES, alive, answering, make_execution
from xsync_tui.app import XsyncApp, goodbye, terminal_title
from xsync_tui.drawing.facts import Facts, Subject
from xsync_tui.gallery import planning
from xsync_tui.gallery.executions import HOSTILE, NOW, snapshot
from xsync_tui.gallery.proving import report
from xsync_tui.screens.base import BaseScreen
from xsync_tui.screens.strip import Strip


def _save(name: str, source: str = "file:///mnt/lab", destination: str = "s3://lab/img") -> None:
    store.save(Profile(schema=1, name=name, source=Place(source), destination=Place(destination)))


def test_the_first_start_asks_for_the_data_and_surveys_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_bytes(b"x" * 1000)

    async def play(driver: Driver) -> None:
        await driver.sees("Where is the data?")
        await driver.until(lambda: "? help" not in driver.read(), lambda: "it would be typed into the field")
        await driver.press(*str(tmp_path / "data"), "enter")
        await driver.sees("[2 Survey ok]")
        await driver.sees("1 file  1.00 kB")
        await driver.press("backspace")
        await driver.sees("1.00 kB found")

    drive(play)


def test_letters_are_keys_again_when_the_field_was_left() -> None:
    async def play(driver: Driver) -> None:
        await driver.sees("Where is the data?")
        await driver.press("escape")
        await driver.sees("? help")

    drive(play)


def test_home_lists_what_needs_a_person_first_whatever_names_hold() -> None:
    _save("lab")
    hostile = HOSTILE.replace("\udcff", "")
    _save("hostile", f"file:///{hostile}", f"s3://bucket/{hostile}")
    failures = [Failure(hostile, hostile, hostile)]
    make_execution("hostile", Status.ERROR, totals=DONE, failures=failures, message=hostile)
    make_execution("gone", Status.TRANSFERRING, message=hostile, silent=300.0)

    async def play(driver: Driver) -> None:
        seen = await driver.sees("ERROR, 2 failed")
        assert seen.index("ERROR, 2 failed") < seen.index("RUNNER GONE") < seen.index("not surveyed")
        for key in (*"5f", "backspace", "o", "backspace", *"76432", *"1j5f", "backspace", *"o1j2"):
            await driver.press(key)
            await driver.pilot.pause(0.05)
            strips = [strip.text for strip in driver.app.screen._compositor.render_strips()]
            assert not any(mark in "".join(strips) for mark in "\x1b\x07\u202e\u200b"), (key, strips)

    drive(play)


def test_the_cursor_stays_on_its_migration_and_digits_are_about_it() -> None:
    for name in ("a", "b", "c"):
        _save(name)

    async def play(driver: Driver) -> None:
        await driver.sees("not surveyed")
        await driver.press("j", "down", "k")
        assert driver.app.subject == Subject(profile="b")
        _save("aa")
        await driver.sees("aa ")
        assert driver.app.subject == Subject(profile="b")
        await driver.press("trade_mark_sign")  # esc and 2 through tmux
        await driver.until(lambda: driver.app.current_mode == "survey")
        await driver.sees(" b  /mnt/lab")

    drive(play)


def test_an_act_does_nothing_before_its_strip_is_confirmed_and_destroying_wants_the_name() -> None:
    _save("lab")

    async def play(driver: Driver) -> None:
        await driver.sees("not surveyed")
        await driver.press("R", "escape", "R", "backspace", "D", *"la", "enter")
        await driver.sees("That is not it.")
        assert store.names() == ["lab"]
        await driver.press("b", "enter")
        await driver.sees("Deleted:")
        assert store.names() == []
        assert list_executions(find_home()) == []

    drive(play)


def test_no_key_acts_by_itself() -> None:
    _save("lab")
    make_execution("lab", Status.ERROR, totals=DONE, failures=FAILURES)

    async def play(driver: Driver) -> None:
        await driver.sees("ERROR, 2 failed")
        before = (store.names(), len(list_executions(find_home())))
        for key in "ABCDEFGHIJKLMNOPRSTUVWXYZ":  # a pasted line, a cat
            await driver.press(key)
            if isinstance(driver.app.screen, Strip):
                await driver.press("escape")
        assert (store.names(), len(list_executions(find_home()))) == before

    drive(play)


def test_resuming_a_paused_run_asks_its_runner() -> None:
    _save("lab")
    folder = make_execution("lab", Status.PAUSED)

    async def play(driver: Driver) -> None:
        await driver.sees("PAUSED")
        await driver.press("R")
        await driver.sees("resume lab")
        await driver.press("enter")
        await driver.sees("resume: goes on")

    with answering(folder, "goes on") as asked:
        drive(play)
    assert [verb for verb, _ in asked] == ["resume"]


def test_from_a_report_f_leads_to_what_failed_and_o_to_the_log_and_what_was_said_is_gone_when_one_comes_back() -> None:
    _save("lab")
    folder = make_execution("lab", Status.ERROR, totals=DONE, failures=FAILURES)
    (folder / "report.json").write_bytes(msgspec.json.encode(report(status="ERROR", failure_counts={"unreadable": 2})))

    async def play(driver: Driver) -> None:
        await driver.press("7")
        await driver.sees("f failures")
        assert isinstance(driver.app.screen, BaseScreen)
        driver.app.screen.notice("it was said")
        await driver.sees("it was said")
        await driver.press("f")
        await driver.sees("retry helps  cause")
        await driver.press("o")
        await driver.sees("runner.log")
        await driver.press("7")
        await driver.sees("f failures")
        assert "it was said" not in driver.read()

    drive(play, XsyncApp(Subject("lab")))


@pytest.mark.parametrize(("size", "rows"), [((80, 23), 3), ((80, 28), 8), ((80, 40), 11)])
def test_what_is_said_takes_the_rows_that_the_body_can_spare_and_shows_where_it_is_cut(
    size: tuple[int, int], rows: int
) -> None:
    words = [f"word-{number:03}" for number in range(88)]
    _save("lab")

    async def play(driver: Driver) -> None:
        await driver.press("7")
        await driver.sees("[7 Report")
        assert isinstance(driver.app.screen, BaseScreen)
        driver.app.screen.notice(" ".join(words))
        await driver.sees(words[0])
        said = [line for line in driver.read().splitlines() if "word-" in line]
        assert len(said) == rows
        assert (words[-1] in said[-1]) is (rows == 11)
        assert said[-1].rstrip().endswith("...") is (rows < 11)
        assert "This terminal is" not in driver.read()
        await driver.pilot.resize_terminal(120, 23)
        await driver.sees(f"{words[12]}\n")

    drive(play, XsyncApp(Subject("lab")), size=size)


def test_the_palette_says_what_can_be_done_and_why_not() -> None:
    _save("lab")

    async def play(driver: Driver) -> None:
        await driver.sees("not surveyed")
        await driver.press("colon", *"failed")
        await driver.sees("retry failed: not now, nothing failed")
        await driver.press("enter")
        assert "retry failed: not now" in driver.read()
        await driver.press(*["backspace"] * 7, "ctrl+p", *"delete", "enter")
        await driver.sees("Type lab and press enter:")

    drive(play)


def test_help_has_the_keys_in_three_blocks_and_any_key_closes_it() -> None:
    async def play(driver: Driver) -> None:
        await driver.sees("Where is the data?")
        await driver.press("escape", "question_mark")
        seen = await driver.sees("any key closes")
        assert all(part in seen for part in ("look, nothing changes", "ACT, after enter in a strip", "glyphs"))
        await driver.press("D")
        await driver.sees("Where is the data?")

    drive(play)


def test_a_filter_is_typed_and_goes_with_backspace() -> None:
    _save("lab")
    _save("fin", "file:///mnt/fin", "s3://fin")

    async def play(driver: Driver) -> None:
        await driver.sees("fin ")
        await driver.press("slash", *"lab", "enter")
        await driver.until(lambda: "/mnt/fin" not in driver.read())
        await driver.press("backspace")
        await driver.sees("/mnt/fin")

    drive(play)


def test_too_small_a_terminal_gets_the_answer() -> None:
    _save("lab")

    async def play(driver: Driver) -> None:
        await driver.sees("Make it 80x24")
        await driver.pilot.resize_terminal(120, 40)
        await driver.sees("from, to")

    drive(play, size=(60, 15))


def test_a_broken_profile_says_why_where_it_is_opened(home: Path) -> None:
    _save("lab")
    (home / "profiles" / "lab.toml").write_text("schema = 1\nname = 'lab'\n")

    async def play(driver: Driver) -> None:
        await driver.sees("profile not valid")
        await driver.press("enter")
        await driver.sees("source: missing")

    drive(play)


def test_keys_can_be_others() -> None:
    _save("lab")

    async def play(driver: Driver) -> None:
        seen = await driver.sees("not surveyed")
        assert "X delete profile" in seen
        await driver.press("X")
        await driver.sees("Type lab and press enter:")

    drive(play, XsyncApp(keymap={"home.delete": "X"}))


@pytest.mark.parametrize("theme", ["dark", "light", "contrast", "ansi-dark", "ansi-light", "auto"])
@pytest.mark.parametrize("no_color", [False, True])
def test_every_theme_shows_text_that_is_not_its_background(theme: str, no_color: bool) -> None:
    _save("lab")
    make_execution("lab", Status.ERROR, totals=DONE, failures=FAILURES)

    async def play(driver: Driver) -> None:
        await driver.sees("ERROR, 2 failed")
        drawn = [segment for strip in driver.app.screen._compositor.render_strips() for segment in strip]
        looks = {segment.style for segment in drawn if segment.text.strip() and segment.style}
        assert any(look.bold for look in looks)
        assert not [look for look in looks if look.color == look.bgcolor and look.color and not look.color.is_default]

    drive(play, XsyncApp(theme=theme, no_color=no_color))


def test_r_runs_the_profile_to_its_end(tmp_path: Path, bucket: str, s3_spec: SpecMaker) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_bytes(b"x" * 1000)
    spec = s3_spec(bucket)
    destination = Place(spec.url, spec.region, spec.endpoint_url, addressing="path")
    store.save(Profile(schema=1, name="lab", source=Place(f"file://{tmp_path}/data"), destination=destination))

    async def play(driver: Driver) -> None:
        await driver.sees("not surveyed")
        await driver.press("R")
        await driver.sees("run lab")
        await driver.press("enter")
        await driver.sees("It goes on when you leave.")
        await driver.sees("SUCCESS")
        await driver.until(lambda: not driver.app.bridge.runners)

    drive(play)
    assert [each.status for each in list_executions(find_home())] == [Status.SUCCESS]


def test_on_home_the_bell_rings_for_every_run_that_ends() -> None:
    folders = [make_execution(name, Status.TRANSFERRING) for name in ("one", "two")]
    rung: list[str] = []

    async def play(driver: Driver) -> None:
        driver.app.bell = lambda: rung.append("")  # type: ignore[method-assign]  # instead of a sound
        await driver.sees("TRANSFERRING")
        for number, folder in enumerate(folders, start=1):
            with Journal.open(folder) as journal:
                journal.set_status(Status.SUCCESS, "", time.time())
            await driver.until(partial(_reached, rung, number), driver.read)

    with alive(folders[0]), alive(folders[1]):
        drive(play)
    assert len(rung) == 2


def _reached(found: list[str], number: int) -> bool:
    return len(found) == number


def test_who_leaves_is_told_what_goes_on() -> None:
    _save("lab")
    folder = make_execution("lab", Status.TRANSFERRING)
    with alive(folder):
        app = XsyncApp()
        (line,) = goodbye(app.bridge.live(), time.time())
        app.bridge.close()
    assert line.startswith("lab goes on: 75 %, done ")
    assert line.endswith("Come back: xsync attach lab")


def test_the_terminals_title_says_how_far_it_is_and_when_the_runner_is_gone() -> None:
    facts = Facts(Subject(profile="lab"), snapshot=snapshot())
    assert terminal_title(facts, NOW).startswith("61 % lab ")
    gone = facts._replace(snapshot=snapshot(heartbeat_at=NOW - 300, runner_alive=False))
    assert terminal_title(gone, NOW) == "RUNNER GONE lab"
    assert terminal_title(facts._replace(snapshot=snapshot(Status.SUCCESS)), NOW) == "SUCCESS lab"
    assert terminal_title(Facts(Subject()), NOW) == "xsync"


def test_an_error_is_told_whole_under_the_name_of_what_it_is_about(tmp_path: Path) -> None:
    (tmp_path / "home" / "profiles").mkdir(parents=True)
    text = 'schema = 1\nname = "lab"\n[source]\nurl = "file:///mnt/{0}"\n[destination]\nurl = "s3://lab"\n'
    (tmp_path / "home" / "profiles" / "lab.toml").write_text(text.format("nowhere-" * 20))
    report = planning.report()
    folder = tmp_path / "home" / "surveys" / "lab"
    folder.mkdir(parents=True)
    found = msgspec.structs.replace(report, location=f"file:///mnt/{'nowhere-' * 20}")
    (folder / "survey.json").write_bytes(msgspec.json.encode(found))

    async def play(user: Driver) -> None:
        await user.press("3")
        text = await user.sees("mounted.")
        assert text.startswith(" lab  /mnt/nowhere-")
        assert "[3 Plan -]" in text

    drive(play, XsyncApp(Subject("lab")))


def test_an_empty_no_color_takes_no_colours_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert not XsyncApp().no_color
    monkeypatch.setenv("NO_COLOR", "1")
    assert XsyncApp(no_color=True).no_color
