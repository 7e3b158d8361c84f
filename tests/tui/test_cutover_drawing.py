"""The Cutover screen's rows: each verdict with its levers, the freeze against its window, the checklist."""

from __future__ import annotations

import pytest

from engine.execution.cutover.record import STEPS
from xsync_tui.drawing.checklist import Work
from xsync_tui.drawing.cutover import View, body
from xsync_tui.drawing.rows import Canvas, Role, Row, plain, width
from xsync_tui.gallery.proving import (
    CANVASES,
    HOSTILE,
    NARROW,
    NOW,
    PLAIN,
    WIDE,
    begun,
    past,
    ready,
)

ASKS = Work(True, "", "If nobody can write to it any more", ("It looks when it last changed.",))


def drawn(rows: list[Row]) -> str:
    return "\n" + "\n".join(line.rstrip() for line in plain(rows)) + "\n"


def test_ready() -> None:
    assert (
        drawn(body(View("lab-images", past(), ready(3_600.0), now=NOW), NARROW))
        == """
 ✓ READY: the freeze takes 15 - 24 min and fits the window of 1 h 00.
 pass  began          scan       changed          bytes   gone  took
    1  21:05 Sun     1 min        12.4 M        48.1 TB      0  6 h 22
    2  21:05 Mon         -        12.0 k        21.0 GB      0  2 min  ERROR
    3  21:05 Tue     1 min        31.0 k        64.0 GB     12  2 min
 next  predicted           2.88 - 4.50 k   288 - 450 GB      0  10 - 19 min

 freeze now               15 - 24 min  ▓▓▒▒▒▒▒▒▤▤░░░░░                        │
                                                               window 1 h 00 ^
  ▓ scan 3 - 4 min  ▒ delta 9 - 17 min  ▤ verification 3 - 4 min

 Next step: readiness seen and confirmed; v shows the checklist.
"""
    )


def test_not_yet_says_after_how_many_passes() -> None:
    assert (
        drawn(body(View("lab-images", past(5), ready(1_200.0, 8 * 3_600.0), now=NOW), NARROW))
        == """
 ! NOT YET: the freeze takes 1 h 20 - 2 h 17 now, the window is 20 min; after 2
   more passes it takes 8 - 18 min.
 pass  began          scan       changed          bytes   gone  took
    3  21:05 Sun     1 min        31.0 k        64.0 GB     12  2 min
    4  21:05 Mon         -        12.0 k        21.0 GB      0  2 min  ERROR
    5  21:05 Tue     1 min        31.0 k        64.0 GB     12  2 min
 next  predicted           23.0 - 36.0 k 2.30 - 3.60 TB      0  1 h 15 - 2 h 12

 freeze now           1 h 20 - 2 h 17  ▓▒▒▒▒│▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▤░░░░░░░░░░░░░░░░
 after 2 more passes       8 - 18 min  ▓▤░░░│
                                           ^ window 20 min
  ▓ scan 3 - 4 min  ▒ delta 1 h 13 - 2 h 10  ▤ verification 3 - 4 min

 What would help, each alone
 rate         NOT YET  9 - 17 min after 1 more    2 agents instead of 1
 churn        NOT YET  9 - 17 min after 1 more    half of the changes
 verification NOT YET  5 - 14 min after 2 more    verify only what is sent

 Next step: readiness seen and confirmed; v shows the checklist.
"""
    )


def test_never_names_what_would_help() -> None:
    assert (
        drawn(body(View("lab-images", past(), ready(300.0), now=NOW), NARROW))
        == r"""
 ✗ NEVER: no pass makes the freeze fit: at its shortest it takes 6 - 8 min, the
   window is 5 min. Most of it is scan: 3 - 4 min, 47 %.
 pass  began          scan       changed          bytes   gone  took
    1  21:05 Sun     1 min        12.4 M        48.1 TB      0  6 h 22
    2  21:05 Mon         -        12.0 k        21.0 GB      0  2 min  ERROR
    3  21:05 Tue     1 min        31.0 k        64.0 GB     12  2 min
 next  predicted           2.88 - 4.50 k   288 - 450 GB      0  10 - 19 min

 freeze now               15 - 24 min  ▓▓▓▓▓▒▒▒│▒▒▒▒▒▒▒▒▒▒▒▒▤▤▤▤▤░░░░░░░░░░░░░
 after 7 more passes        6 - 8 min  ▓▓▓▓▓▒▤▤│▤▤░░
                                              ^ window 5 min
  ▓ scan 3 - 4 min  ▒ delta 9 - 17 min  ▤ verification 3 - 4 min

 What would help, each alone
 rate         NEVER    6 - 8 min after 5 more     2 agents instead of 1
 churn        NEVER    6 - 8 min after 5 more     half of the changes
 scope        NEVER    6 - 8 min after 3 more     leave a\x1b]0;x\x07\u202e\xff
 verification NOT YET  3 - 5 min after 3 more     verify only what is sent

 Next step: readiness seen and confirmed; v shows the checklist.
"""
    )


def test_never_in_ascii() -> None:
    assert (
        drawn(body(View("lab-images", past(), ready(300.0), now=NOW), PLAIN))
        == r"""
 x NEVER: no pass makes the freeze fit: at its shortest it takes 6 - 8 min, the
   window is 5 min. Most of it is scan: 3 - 4 min, 47 %.
 pass  began          scan       changed          bytes   gone  took
    1  21:05 Sun     1 min        12.4 M        48.1 TB      0  6 h 22
    2  21:05 Mon         -        12.0 k        21.0 GB      0  2 min  ERROR
    3  21:05 Tue     1 min        31.0 k        64.0 GB     12  2 min
 next  predicted           2.88 - 4.50 k   288 - 450 GB      0  10 - 19 min

 freeze now               15 - 24 min  =====:::|::::::::::::%%%%%/////////////
 after 7 more passes        6 - 8 min  =====:%%|%%//
                                              ^ window 5 min
  = scan 3 - 4 min  : delta 9 - 17 min  % verification 3 - 4 min

 What would help, each alone
 rate         NEVER    6 - 8 min after 5 more     2 agents instead of 1
 churn        NEVER    6 - 8 min after 5 more     half of the changes
 scope        NEVER    6 - 8 min after 3 more     leave a\x1b]0;x\x07\u202e\xff
 verification NOT YET  3 - 5 min after 3 more     verify only what is sent

 Next step: readiness seen and confirmed; v shows the checklist.
"""
    )


def test_unknown_churn_says_what_to_do() -> None:
    assert (
        drawn(body(View("lab-images", past(1), ready(3_600.0, known=False), now=NOW), NARROW))
        == """
 ! UNKNOWN: how much the source changes is not known: it takes two passes to
   see that. Run the profile once more.
 pass  began          scan       changed          bytes   gone  took
    1  21:05 Tue     1 min        12.4 M        48.1 TB      0  6 h 22

 Next step: readiness seen and confirmed; v shows the checklist.
"""
    )


def test_the_checklist_before_it_begins() -> None:
    assert (
        drawn(body(View("lab-images", past(), ready(3_600.0), pane="checklist", now=NOW), NARROW))
        == """
 ✓ READY: the freeze takes 15 - 24 min and fits the window of 1 h 00.
 freeze now               15 - 24 min  ▓▓▒▒▒▒▒▒▤▤░░░░░                        │
                                                               window 1 h 00 ^

    step                           state         who              when
 ▶1 readiness seen and confirmed   NEXT
      how: read the freeze above, then type the profile's name to begin
      back: nothing was done yet
  2 source read-only               -
  3 final delta                    -
  4 point-in-time verification     -
  5 sign-off report                -
  6 rollback note                  -
 ── point of no return: the first write of a user at the destination ──────────
  7 hand over                      -
"""
    )


def test_a_step_that_waits_for_a_person() -> None:
    assert (
        drawn(
            body(View("lab-images", past(), ready(3_600.0), begun("readiness"), ASKS, 1, "checklist", now=NOW), NARROW)
        )
        == """
 CUTOVER: step 2 of 7, source read-only; begun 20:54:04 by kim@agent-01.
 Predicted freeze: 15 - 24 min.
 freeze now               15 - 24 min  ▓▓▒▒▒▒▒▒▤▤░░░░░                        │
                                                               window 1 h 00 ^

    step                           state         who              when
  1 readiness seen and confirmed   ✓ done        kim@agent-01     20:55
 ▶2 source read-only               WAITS FOR YOU
      how: make the source read-only where it is exported; xsync only looks, it
      never writes there
      back: make the source writable again; nothing at the destination is lost
  3 final delta                    -
  4 point-in-time verification     -
  5 sign-off report                -
  6 rollback note                  -
 ── point of no return: the first write of a user at the destination ──────────
  7 hand over                      -
   It looks when it last changed.
"""
    )


def test_with_room_each_step_has_its_way_back() -> None:
    assert (
        drawn(
            body(
                View(
                    "lab-images",
                    past(),
                    ready(3_600.0),
                    begun("readiness", "read-only"),
                    Work(True, "comparing: 4,203"),
                    2,
                    schedule=True,
                    now=NOW,
                ),
                WIDE,
            )
        )
        == """
 CUTOVER: step 3 of 7, final delta; begun 20:54:04 by kim@agent-01. Frozen since 20:56:44: 9 min of 1 h 00.
 ! The profile has a schedule: a run in between undoes the final delta, and hand over is refused.
 pass  began          scan       changed          bytes   gone  took
    1  21:05 Sun     1 min        12.4 M        48.1 TB      0  6 h 22
    2  21:05 Mon         -        12.0 k        21.0 GB      0  2 min  ERROR
    3  21:05 Tue     1 min        31.0 k        64.0 GB     12  2 min
 next  predicted           2.88 - 4.50 k   288 - 450 GB      0  10 - 19 min

 freeze now               15 - 24 min  ▓▓▓▓▒▒▒▒▒▒▒▒▒▒▒▒▤▤▤▤░░░░░░░░░░                                               │
                                                                                                     window 1 h 00 ^
  ▓ scan 3 - 4 min  ▒ delta 9 - 17 min  ▤ verification 3 - 4 min

    step                                                                   state         who              when
  1 readiness seen and confirmed                                           ✓ done        kim@agent-01     20:55
      READY: the freeze fits.
      back: nothing was done yet
  2 source read-only                                                       ✓ done        kim@agent-01     20:56
      no change seen for 12 min among 12,412,907 entries
      back: make the source writable again; nothing at the destination is lost
 ▶3 final delta                                                            comparing: 4,203
      how: what changed since the last pass is sent; the destination is looked at, not taken on trust
      back: make the source writable again: it is whole; what is at the destination may stay
  4 point-in-time verification                                             -
      how: both sides are listed and compared
      back: as before: both sides are only read
  5 sign-off report                                                        -
      how: a report of what was done, by whom and how it was verified is written
      back: as before: make the source writable again
  6 rollback note                                                          -
      how: the ways back are shown, and are in the report
      back: as before: make the source writable again
 ── point of no return: the first write of a user at the destination ──────────────────────────────────────────────────
  7 hand over                                                              -
      how: type the profile's name; then let users write at the destination
      back: a reverse migration into a new folder beside the old source; keep that read-only
"""
    )


def test_a_freeze_that_lasts_longer_than_its_window_says_so() -> None:
    rows = body(View("lab-images", past(), ready(480.0), begun("readiness", "read-only"), now=NOW), NARROW)
    assert (
        drawn(rows[:2])
        == """
 CUTOVER: step 3 of 7, final delta; begun 20:54:04 by kim@agent-01. Frozen
 since 20:56:44: 9 min, past the window of 8 min.
"""
    )
    assert Role.LOOK in {piece.role for piece in rows[0]}


def test_a_verification_that_found_something_is_the_answer_until_the_step_is_done_again() -> None:
    said = "The source changed since the final delta: 12 files new or changed. It is not read-only."
    record = begun("readiness", "read-only").back_to("delta", said)
    view = View("lab-images", past(), ready(3_600.0), record, cursor=2, pane="checklist", now=NOW)
    for canvas in CANVASES:
        rows = body(view, canvas)
        assert len(rows) <= canvas.height
    assert (
        drawn(body(view, NARROW)[:5])
        == """
 ✗ STOPPED: The source changed since the final delta: 12 files new or changed.
   It is not read-only. Nothing is handed over; enter does the final delta
   again.
 CUTOVER: step 3 of 7, final delta; begun 20:54:04 by kim@agent-01. Frozen
 since 20:56:44: 9 min of 1 h 00.
"""
    )
    assert "7 hand over" in drawn(body(view, NARROW))
    assert "STOPPED" not in drawn(body(view._replace(work=Work(True)), NARROW))
    again = record.done("delta", record.steps["readiness"])
    assert "STOPPED" not in drawn(body(view._replace(record=again), NARROW))


def test_of_what_it_said_the_last_whole_sentences_are_shown() -> None:
    long = "It took " + "a " * 40 + "long while."
    said = Work(True, "", "", (long, "Step 3 of 7: final delta", "and more"))
    rows = drawn(body(View("lab-images", past(), ready(480.0), None, said, pane="checklist", now=NOW), NARROW))
    assert rows.count("\n") <= NARROW.height + 1
    short = NARROW._replace(height=20)
    rows = drawn(body(View("lab-images", past(), ready(480.0), None, said, pane="checklist", now=NOW), short))
    assert "Step 3 of 7: final delta" in rows
    assert "long while." not in rows


def test_handed_over() -> None:
    assert (
        drawn(
            body(View("lab-images", past(), ready(3_600.0), begun(*STEPS), cursor=6, pane="checklist", now=NOW), NARROW)
        )
        == """
 ✓ HANDED OVER: by kim@agent-01, 21:01:44: the destination is its users' now.

    step                           state         who              when
  1 readiness seen and confirmed   ✓ done        kim@agent-01     20:55
  2 source read-only               ✓ done        kim@agent-01     20:56
  3 final delta                    ✓ done        kim@agent-01     20:57
  4 point-in-time verification     ✓ done        kim@agent-01     20:58
  5 sign-off report                ✓ done        kim@agent-01     20:59
  6 rollback note                  ✓ done        kim@agent-01     21:00
 ── point of no return: the first write of a user at the destination ──────────
 ▶7 hand over                      ✓ done        kim@agent-01     21:01
      done as it should be
      back: a reverse migration into a new folder beside the old source; keep
      that read-only
"""
    )


VIEWS = (
    View(HOSTILE),
    View("lab", looking=HOSTILE),
    View("lab", trouble=HOSTILE * 30),
    View("lab", past(50), ready(None)),
    View("lab", past(), ready(300.0), pane="checklist", verifies=False, schedule=True),
    View("lab", past(), ready(1e-3)),
    View("lab", past(), ready(1e9)),
    View(
        "lab", past(), ready(300.0, 1e9), begun("readiness"), Work(True, HOSTILE, "", (HOSTILE,) * 50), 0, "checklist"
    ),
)


@pytest.mark.parametrize("canvas", [*CANVASES, Canvas(80, 5), Canvas(200, 60)])
@pytest.mark.parametrize("view", VIEWS)
def test_every_state_fits_and_is_safe(view: View, canvas: Canvas) -> None:
    rows = body(view, canvas)
    assert 0 < len(rows) <= canvas.height
    assert max(map(width, rows)) <= canvas.width
    text = "\n".join(plain(rows))
    assert not set(text) & set("\x1b\x07\x9b\u202e\u200b\udcff")
    assert canvas.unicode or text.isascii()


def test_the_freeze_is_solid_to_its_low_end_and_hatched_to_its_high_end() -> None:
    found = ready(3_600.0)
    assert found.now is not None
    rows = body(View("lab", None, found), Canvas(139, 20))
    bar = next(row for row in rows if row and row[0].text.startswith(" freeze now"))[1:]
    cells, top = 100, 3_600.0 * 1.05
    solid = sum(piece.role in (Role.FILES, Role.BYTES, Role.TIME) for piece in bar)
    assert solid == round(found.now.whole.low / top * cells)
    assert solid + sum(piece.role is Role.UNSURE for piece in bar) == round(found.now.whole.high / top * cells)
    assert [piece.role for piece in bar].index(Role.CEILING) == int(3_600.0 / top * cells)
