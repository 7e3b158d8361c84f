"""The frame of every screen: exact rows, at any width, for any name."""

from __future__ import annotations

import msgspec
import pytest

from engine.model import Bytes, Status, Tally, Totals
from xsync_tui.drawing.facts import CutoverBrief, Facts, Subject
from xsync_tui.drawing.frame import Act, Hint, footer_row, journey_row, small_rows, strip_rows, title_row
from xsync_tui.drawing.help import help_rows
from xsync_tui.drawing.journey import progress, steps_of, title_of
from xsync_tui.drawing.rows import Canvas, Piece, Row, plain, row, width
from xsync_tui.gallery.executions import ASCII, CANVAS, HOSTILE, NOW, profile, snapshot, survey

LAB = Subject(profile="lab-images")
FACTS = Facts(LAB, profile("lab-images"), "", survey(), snapshot())


def text(of: Row) -> str:
    return plain([of])[0].rstrip()


def test_title_says_what_state_and_whether_it_is_still_true() -> None:
    live = title_row(title_of(FACTS, NOW, CANVAS), NOW, CANVAS)
    assert text(live) == " lab-images  /mnt/lab → s3://lab/img                TRANSFERRING  live  03:12:07"
    old = FACTS._replace(snapshot=snapshot(heartbeat_at=NOW - 266, runner_alive=False))
    assert "RUNNER GONE since 03:07:41  (4 min)  03:12:07" in text(title_row(title_of(old, NOW, CANVAS), NOW, CANVAS))
    silent = FACTS._replace(snapshot=snapshot(heartbeat_at=NOW - 12))
    assert "TRANSFERRING  silent 12 s  03:12:07" in text(title_row(title_of(silent, NOW, CANVAS), NOW, CANVAS))
    none = FACTS._replace(snapshot=None)
    assert "-> s3://lab/img" in text(title_row(title_of(none, NOW, ASCII), NOW, ASCII))
    assert "no run yet" in text(title_row(title_of(none, NOW, ASCII), NOW, ASCII))


@pytest.mark.parametrize("canvas", [CANVAS, ASCII, Canvas(120, 36), Canvas(40, 10), Canvas(20, 5, unicode=False)])
def test_rows_are_as_wide_as_the_screen_whatever_names_hold(canvas: Canvas) -> None:
    hostile = msgspec.structs.replace(snapshot(), source=f"file:///{HOSTILE * 9}", profile=HOSTILE)
    facts = Facts(Subject(execution=HOSTILE), None, "", None, hostile)
    rows = [
        title_row(title_of(facts, NOW, canvas), NOW, canvas),
        journey_row(steps_of(facts, NOW), "5", canvas),
        footer_row([Hint("f", "failures"), Hint("P", "pause"), Hint("?", "help")], canvas),
    ]
    assert [width(each) for each in rows] == [canvas.width] * 3
    assert not any(mark in "".join(plain(rows)) for mark in "\x1b\x07\u202e\u200b\udcff")


def test_the_journey_says_what_each_step_has_reached() -> None:
    assert text(journey_row(steps_of(FACTS, NOW), "5", CANVAS)) == (
        " 1 Home  2 Survey ok  3 Plan ok  4 Test - [5 Run 61 %] 6 Cutover -  7 Report -"
    )
    done = FACTS._replace(snapshot=snapshot(Status.SUCCESS), cutover=CutoverBrief({"hand-over": {}}))
    assert text(journey_row(steps_of(done, NOW), "2", CANVAS)) == (
        " 1 Home [2 Survey ok] 3 Plan ok  4 Test -  5 Run ok  6 Cutover ok  7 Report ok"
    )
    assert FACTS.survey is not None
    weeks = FACTS._replace(survey=msgspec.structs.replace(FACTS.survey, surveyed_at=NOW - 8 * 86_400))
    assert " 2 Survey old  3 Plan ok " in text(journey_row(steps_of(weeks, NOW), "1", CANVAS))
    anew = FACTS._replace(survey=msgspec.structs.replace(FACTS.survey, surveyed_at=NOW, partial=True))
    assert " 2 Survey partial  3 Plan new " in text(journey_row(steps_of(anew, NOW), "1", CANVAS))
    only = FACTS._replace(snapshot=None)
    assert " 2 Survey ok  3 Plan -  4 Test - " in text(journey_row(steps_of(only, NOW), "1", CANVAS))
    listing = FACTS._replace(snapshot=msgspec.structs.replace(snapshot(), totals=_listing()))
    assert "5 Run 29.3 TB " in text(journey_row(steps_of(listing, NOW), "1", CANVAS))
    assert text(journey_row(steps_of(Facts(Subject()), NOW), "1", CANVAS)) == (
        "[1 Home] 2 Survey  3 Plan  4 Test  5 Run  6 Cutover  7 Report"
    )


def _listing() -> object:
    return msgspec.structs.replace(snapshot().totals, listing_complete=False)


def test_the_journey_never_says_100_percent_before_the_end() -> None:
    sent = Totals(Tally(4, 4), Tally(9), Bytes(100, 100), True)
    assert progress(msgspec.structs.replace(snapshot(), totals=sent)) == "99 %"
    assert progress(msgspec.structs.replace(snapshot(Status.ERROR), totals=sent)) == "100 %"


def test_help_stays_in_a_footer_that_is_too_narrow() -> None:
    hints = [Hint("f", "failures"), Hint("P", "pause"), Hint("C", "cancel"), Hint("?", "help")]
    assert text(footer_row(hints, CANVAS)) == " f failures  P pause  C cancel  ? help"
    assert text(footer_row(hints, Canvas(28, 5))) == " f failures  P pause  ? help"


def test_a_strip_says_the_effect_and_who_asks() -> None:
    act = Act(
        "P",
        "pause lab-images",
        "Agents finish the parts they hold, then stop. Nothing is lost.",
        "pause",
        "keep running",
    )
    assert (
        "\n".join(plain(strip_rows(act, "kim@agent-01", ASCII)))
        == """\
+- P  pause lab-images --------------------------------------------------------+
| Agents finish the parts they hold, then stop. Nothing is lost. Journalled as |
| kim@agent-01.                                                                |
+- enter pause   esc or backspace keep running --------------------------------+"""
    )


def test_a_strip_that_destroys_asks_for_the_name_and_says_what_was_wrong() -> None:
    act = Act("D", "delete lab", "Deletes the profile.", "delete", "keep it", typed="lab", asked=False)
    assert (
        "\n".join(plain(strip_rows(act, "kim", CANVAS, "That is not it.")))
        == """\
┌─ D  delete lab ──────────────────────────────────────────────────────────────┐
│ Deletes the profile.                                                         │
│ That is not it.                                                              │
│ Type lab and press enter:                                                    │
│                                                                              │
└─ enter delete   esc or backspace keep it ────────────────────────────────────┘"""
    )


def test_a_small_terminal_gets_the_answer_and_the_way_on() -> None:
    rows = plain(small_rows([row(" Done 05:35 - 06:10, in 2 h 25 - 3 h.")], Canvas(50, 9)))
    assert [each.rstrip() for each in rows] == [
        " Done 05:35 - 06:10, in 2 h 25 - 3 h.",
        " This terminal is 50 wide and 12 high.",
        " Make it 80x24, or use: xsync status",
    ]


def test_a_small_terminal_gets_all_of_the_answer() -> None:
    rows = plain(small_rows([row(Piece(" 4 agents copy 48.1 TB in 6 h 05 - 7 h 10."))], Canvas(30, 9)))
    assert rows[:2] == [" 4 agents copy 48.1 TB in 6 h", " 05 - 7 h 10."]


def test_help_stays_in_a_footer_that_is_too_long() -> None:
    hints = [Hint(letter, "something to do") for letter in "abcdef"]
    (line,) = plain([footer_row([*hints, Hint("?", "help"), Hint("q", "leave")], Canvas(80, 20))])
    assert line.rstrip().endswith("? help  q leave")


def test_help_of_many_looks_still_shows_every_move_on_a_small_screen() -> None:
    looks = [Hint(letter, "looks") for letter in "abcdefghijklmn"]
    moves = [Hint(f"move {number}", "moves") for number in range(11)]
    legend = [row(f" glyph {number}") for number in range(5)]
    shown = "\n".join(plain(help_rows("survey", moves, looks, [Hint("R", "acts")], legend, Canvas(80, 24))))
    assert "move 10" in shown
    assert "glyph 4" in shown
