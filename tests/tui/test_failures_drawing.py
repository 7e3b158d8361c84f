"""Failures as text, grouped by cause with what helps; and the exact ledger."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.model import Failure, Status, Tally
from tests.tui.reading import golden
from tests.tui.reading import lines as text
from tests.tui.test_run_drawing import SOME_FAILED
from xsync_tui.drawing.failures import causes, failures_answer, failures_list, failures_table
from xsync_tui.drawing.ledger import ledger
from xsync_tui.drawing.rows import Canvas, Role, plain
from xsync_tui.gallery.runs import ASCII, CANVAS, HOSTILE, WIDE, run

COUNTS = {"unreadable": 12, "changed while read": 41_204, "something new": 1}
KEPT = [
    Failure("2023/secret.svs", "unreadable", "EACCES"),
    Failure("2023/May/x.svs", "changed while read", "size 5 became 6"),
    Failure("2024/" + "deep/" * 30 + "y.svs", "changed while read"),
]


def test_causes_with_most_files_first_and_what_helps() -> None:
    assert text(failures_table(causes(COUNTS, KEPT), 0, CANVAS), CANVAS) == golden("""
         files  retry helps  cause
 ▶      41,204  now          changed while read
            12  after        unreadable
             1  after        something new

 changed while read
   It was written to while it was read: run again when it is quiet.
   2023/May/x.svs: size 5 became 6
   2024/deep/deep/deep/deep/deep/deep/dee…ep/deep/deep/deep/deep/deep/deep/y.svs
""")


def test_the_cursor_chooses_the_cause_that_is_explained_in_ascii() -> None:
    assert text(failures_table(causes(COUNTS, KEPT), 1, ASCII), ASCII) == golden("""
         files  retry helps  cause
        41,204  now          changed while read
 >          12  after        unreadable
             1  after        something new

 unreadable
   This account may not read it: run as an account that may.
   2023/secret.svs: EACCES
""")


def test_a_cause_nobody_knows_says_where_to_look() -> None:
    rows = text(failures_table(causes({"something new": 1}, []), 0, CANVAS), CANVAS)
    assert rows[-1] == "   Nothing is known to help: see the detail beside each file."


def test_all_files_of_a_cause_that_were_kept() -> None:
    assert text(failures_list(causes(COUNTS, KEPT)[0], 0, WIDE), WIDE) == golden("""
 41,204 changed while read, the first 2 here, x writes all at the end
   2023/May/x.svs: size 5 became 6
   2024/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/dee…ep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/y.svs
""")


def test_the_answer_says_whether_a_retry_can_help() -> None:
    def said(counts: dict[str, int], **changes: Any) -> str:
        return plain([failures_answer(run(failure_counts=counts, **changes), CANVAS)])[0].rstrip()

    ended: dict[str, Any] = {"status": Status.ERROR, "totals": SOME_FAILED}
    assert said({}, **ended) == " Nothing failed."
    assert said(COUNTS, **ended) == " ✗ 41,217 failed, 3 causes. A retry may do for 41,204 of them."
    assert said({"unreadable": 1}, **ended) == " ✗ 1 failed, 1 cause. Put that right first, then F retries only them."
    assert said({"changed while read": 2}, **ended) == " ✗ 2 failed, 1 cause. A retry may do: F."
    early = said({"unreadable": 1}, status=Status.ERROR)
    assert early == " ✗ 1 failed, 1 cause. It ended early: 5, then R, tries them too."
    assert said({"unreadable": 1}) == " ✗ 1 failed, 1 cause. Retry them once the run has ended."


def test_hostile_names_and_reasons_show_as_escapes() -> None:
    found = causes({HOSTILE: 1}, [Failure(HOSTILE, HOSTILE, HOSTILE)])
    for canvas in (CANVAS, ASCII):
        drawn = "\n".join(
            text([*failures_table(found, 0, canvas)], canvas) + text(failures_list(found[0], 0, canvas), canvas)
        )
        assert drawn.count("\\x1b") >= 4
        assert not set(drawn) & set("\x1b\x07\u202e\udcff")


def test_a_ledger_in_two_rows() -> None:
    assert text(ledger(Tally(12_412_907, 7_571_203, failed=3, verified=7_571_203), CANVAS), CANVAS) == golden("""
 discovered = transferred + skipped + failed + excluded +   pending │  verified
 12,412,907     7,571,203         0        3          0   4,841,701 │ 7,571,203
""")


def test_a_ledger_of_a_billion_takes_three_rows_and_keeps_what_is_verified() -> None:
    assert text(ledger(Tally(1_204_412_907, 757_120_312, 12, 3, verified=757_120_312), ASCII), ASCII) == golden("""
 discovered 1,204,412,907  = transferred 757,120,312  + skipped           12
                           + failed                3  + excluded           0
                           + pending     447,292,580  | verified 757,120,312
""")


def test_where_nothing_else_fits_each_count_has_its_row() -> None:
    assert text(ledger(Tally(10**12, 10**11, 10**11, 10**11, 10**11), Canvas(40)), Canvas(40)) == golden("""
    discovered    1,000,000,000,000
  = transferred     100,000,000,000
  + skipped         100,000,000,000
  + failed          100,000,000,000
  + excluded        100,000,000,000
  + pending         600,000,000,000
""")


def test_a_ledger_that_does_not_add_up_alarms() -> None:
    rows = ledger(Tally(1, 2), CANVAS)
    assert plain(rows)[0].startswith(" discovered != transferred")
    assert [piece.text for piece in rows[0] if piece.role is Role.ALARM] == ["!=", "pending"]
    assert [piece.text.strip() for piece in rows[1] if piece.role is Role.ALARM] == ["-1"]


def test_failed_files_alarm_and_none_do_not() -> None:
    def alarms(files: Tally) -> int:
        return sum(piece.role is Role.ALARM for each in ledger(files, CANVAS) for piece in each)

    assert alarms(Tally(3, failed=1)) == 2
    assert alarms(Tally(3)) == 0


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 10**15), st.integers(38, 200), st.booleans())
def test_every_count_stands_in_the_ledger_exactly(one: int, two: int, three: int, cells: int, unicode: bool) -> None:
    files = Tally(one + two + three, one, two, three)
    canvas = Canvas(cells, 20, unicode)
    drawn = " ".join(text(ledger(files, canvas), canvas)).replace(",", "")
    assert {str(one + two + three), str(one), str(two), str(three)} <= set(drawn.split())
