"""Jumping: letters at the headings of panes, any other key leaves; in footer, help and palette like other keys."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.model import Status
from profiles import store
from profiles.schema import Place, Profile
from tests.tui.driving import Driver, drive
from tests.unit.cli_journals import DONE, FAILURES, make_execution
from xsync_tui.drawing import cutover, report, testrun
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, drawn_panes, fitted, headed, lettered, plain, width
from xsync_tui.gallery import proving
from xsync_tui.screens.overlays import Jump


def test_a_letter_stands_in_the_first_cell_of_a_heading_and_moves_nothing() -> None:
    rows: list[Row] = [(), (Piece("\u3042"),), (Piece(" Size", Role.STRONG), Piece(" bytes"))]
    marked = [*headed("empty", rows[:2]), *headed("sizes", rows[2:])]
    assert plain(marked) == plain(rows)
    found = lettered([fitted(each, 20) for each in marked], {"sizes": "s", "empty": "e"})
    assert plain(found) == [" " * 20, "\u3042" + " " * 18, "sSize bytes" + " " * 9]
    assert [width(each) for each in found] == [20, 20, 20]
    assert found[2][:2] == (Piece("s", Role.HERE), Piece("Size", Role.STRONG, "sizes"))
    assert lettered(marked, {}) == marked


@pytest.mark.parametrize(
    ("rows", "panes"),
    [
        (report.body(report.View(proving.FAILED), proving.WIDE), {"failures", "tasks", "agents", "folders"}),
        (report.body(report.View(proving.report(), table=1), proving.NARROW), {"agents"}),
        (testrun.body(testrun.View(found=proving.LINEAR), proving.NARROW), {"curve", "where the time went"}),
        (testrun.body(testrun.View(found=proving.LINEAR, zoomed="curve"), proving.NARROW), {"curve"}),
        (testrun.body(testrun.View(), proving.NARROW), set()),
        (cutover.body(cutover.View("lab", pane="checklist"), proving.NARROW), {"checklist"}),
    ],
)
def test_drawings_say_where_their_panes_begin(rows: Sequence[Row], panes: set[str]) -> None:
    assert drawn_panes(rows) == panes


def test_a_part_of_a_test_run_takes_all_the_room() -> None:
    canvas = Canvas(80, 20)
    whole = testrun.body(testrun.View(found=proving.LINEAR), canvas)
    curve = testrun.body(testrun.View(found=proving.LINEAR, zoomed="curve"), canvas)
    times = testrun.body(testrun.View(found=proving.LINEAR, zoomed="where the time went"), canvas)
    assert plain(whole)[0] == plain(curve)[0] == plain(times)[0]
    assert "one agent: where its time went" in plain(whole)[3]
    assert "one agent: where its time went" not in "".join(plain(curve))
    (first,) = lettered(whole[3:4], {"where the time went": "t", "curve": "c"})
    assert plain([first])[0].startswith("cMB/s")
    assert "tone agent: where" in plain([first])[0]
    assert "Next:" in "".join(plain(whole))
    assert "Next:" not in "".join(plain(curve))


def test_home_jumps_from_group_to_group_and_any_other_key_leaves() -> None:
    for name in ("bad", "idle", "paused"):
        store.save(Profile(schema=1, name=name, source=Place("file:///mnt/lab"), destination=Place("s3://lab/img")))
    make_execution("bad", Status.ERROR, totals=DONE, failures=FAILURES)
    make_execution("paused", Status.PAUSED)

    async def play(driver: Driver) -> None:
        home = await driver.sees("ERROR, 2 failed")
        assert "' jump" in home
        await driver.press("apostrophe")
        text = await driver.sees("jump to   n needs you  r runs  o others")
        assert "jump to" in text
        below = driver.app.screen_stack[-2]
        assert {"n", "r", "o"} <= {line[0] for line in _body(below) if line}
        await driver.press("r")
        await driver.until(lambda: driver.app.subject.name == "paused")
        assert {line[0] for line in _body(driver.app.screen) if line} == {" "}
        await driver.press("apostrophe")
        await driver.sees("jump to")
        await driver.press("R")
        await driver.until(lambda: not isinstance(driver.app.screen, Jump))
        assert driver.app.subject.name == "paused"
        assert "resume paused" not in driver.read()
        await driver.press("question_mark")
        text = await driver.sees("any key closes")
        assert any(line.startswith(" '  ") and "jump" in line for line in text.split("\n")), text

    drive(play, size=(100, 23))


def test_home_shows_the_key_at_80_columns() -> None:
    for name in ("bad", "idle"):
        store.save(Profile(schema=1, name=name, source=Place("file:///mnt/lab"), destination=Place("s3://lab/img")))
    make_execution("bad", Status.ERROR, totals=DONE, failures=FAILURES)

    async def play(driver: Driver) -> None:
        home = await driver.sees("ERROR, 2 failed")
        assert home.rstrip().endswith("D delete  ' jump  ? help  q leave")
        assert "F retry  " in home
        await driver.press("colon")
        assert "delete profile" in await driver.sees("retry failed")

    drive(play, size=(80, 23))


def test_where_there_is_one_pane_the_palette_says_so() -> None:
    store.save(Profile(schema=1, name="lab", source=Place("file:///mnt/lab"), destination=Place("s3://lab/img")))

    async def play(driver: Driver) -> None:
        assert "' jump" not in await driver.sees("lab")
        await driver.press("apostrophe")
        await driver.sees("There is one pane here.")
        await driver.press("colon", *"jump")
        await driver.sees("there is one pane here")

    drive(play)


def _body(screen: object) -> list[str]:
    from xsync_tui.screens.base import BaseScreen

    assert isinstance(screen, BaseScreen)
    return plain(screen._body.rows)
