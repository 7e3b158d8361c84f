"""How a run ends as text: its runner gone, success, failures, and no run at all."""

from __future__ import annotations

import pytest

from engine.model import Status
from tests.tui.reading import golden
from tests.tui.reading import lines as text
from tests.tui.test_run_drawing import DONE, ENDED, SOME_FAILED, _body
from xsync_tui.drawing.past import FullDisk, Past
from xsync_tui.drawing.rows import Role
from xsync_tui.drawing.run import body, no_run, state_words
from xsync_tui.gallery.runs import (
    CANVAS,
    NOW,
    TOTALS,
    run,
    view,
)


def test_runner_gone() -> None:
    gone = run(heartbeat_at=NOW - 266, runner_alive=False, message="No space left on device: /var/lib/xsync")
    assert state_words(view(gone, CANVAS), CANVAS) == ("RUNNER GONE since 03:07:41 (4 min)", "", Role.ALARM)
    assert _body(
        run(heartbeat_at=NOW - 266, runner_alive=False, message="No space left on device: /var/lib/xsync")
    ) == golden("""
 ✗ The runner (pid 21634 on agent-01) ended about 03:07:41. Nothing moves.
   Safe: 7,571,203 files transferred, no half file under its final name.
   4,841,701 files left. R goes on with them.
   Last words: No space left on device: /var/lib/xsync
 copied 29.4 TB of 48.1 TB  ████████████▎······· 61 %  listed all
   2.14│┄┄┄ best seen 2.14 GB/s ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉  ⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
      0│                        ╌╌
       └02:07             02:22             02:37             02:52        03:07
 4 agents:  4 ended
 1 2022 58 %                      ended  2 2023 61 %                      ended
 ⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⡇        ⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⡆
 0 files, 5.00 kB since it joined        0 files, 5.00 kB since it joined
 3 2024 64 %                      ended  4 2025 67 %                      ended
 ⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⡆        ⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⡇
 0 files, 5.00 kB since it joined        0 files, 5.00 kB since it joined
 discovered = transferred + skipped + failed + excluded +   pending │  verified
 12,412,907     7,571,203         0        3          0   4,841,701 │ 7,571,203
 ✗ 3 failed: 2 changed while read, 1 unreadable
 03:11:58 agent-2: x.svs changed: sent again
""")


def test_what_was_handed_over_is_not_to_be_run_again() -> None:
    drawn = text(body(view(run(status=Status.SUCCESS, totals=DONE, **ENDED), CANVAS, handed=True), CANVAS), CANVAS)
    assert "   6 handed over to its users: a run would replace what they wrote; ways back" in drawn
    assert not [row for row in drawn if "another pass" in row]


def test_a_silent_runner_is_not_gone() -> None:
    silent = run(heartbeat_at=NOW - 40)
    assert state_words(view(silent, CANVAS), CANVAS) == ("TRANSFERRING", "silent 40 s", Role.LOOK)


def test_success_says_what_to_do_next() -> None:
    assert _body(run(status=Status.SUCCESS, totals=DONE, **ENDED)) == golden("""
 12,412,907 files, 48.1 TB transferred in 5 h 22.
 copied 48.1 TB of 48.1 TB  ████████████████████ 100 %  listed all
   2.14│┄┄┄ best seen 2.14 GB/s ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⠒⠊⠉⠒⠉⠉⠒⠉⠉⠒⠉⠑⠊⠉⠑⠊⠉⠑⠊⠉⠒⠊⠉⠒  ⠒⠉⠉⠒⠉⠑⠊⠉⠑⠊⠉⠑⠊⠉⠒⠊⠉⠒⠉⠉⠒⠉⠉⠒⠉⠑⠊⠉⠑⠊⠉⠑⠊⠉⠒⠊⠉⠒⠉⠉⠒⠉⠉⠒⠉⠑
       │
       │
       │
       │
       │
       │
       │
       │
       │
      0│                        ╌╌
       └02:11             02:26             02:41             02:56        03:11
 discovered = transferred + skipped + failed + excluded + pending │   verified
 12,412,907    12,412,907         0        0          0         0 │ 12,412,907
   7 what was said and what it took, and the report to keep
   R another pass: sends only what changed since
   6 cutover: freeze, last pass, verification, hand-over
""")


def test_done_but_some_failed() -> None:
    assert _body(
        run(status=Status.ERROR, totals=SOME_FAILED, **{**ENDED, "failure_counts": {"unreadable": 4}})
    ) == golden("""
 4 of 1,000 files failed. 996 files, 1.99 MB transferred in 5 h 22.
 copied 1.99 MB of 2.00 MB  ███████████████████▉ 99 %  listed all
   2.14│┄┄┄ best seen 2.14 GB/s ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⠒⠉⠉⠒⠉⠉⠒⠉⠉⠊⠉⠑⠊⠉⠑⠊⠉⠑⠉⠉⠒⠉⠉⠒  ⠒⠉⠉⠊⠉⠑⠊⠉⠑⠊⠉⠑⠉⠉⠒⠉⠉⠒⠉⠉⠒⠉⠉⠊⠉⠑⠊⠉⠑⠊⠉⠑⠉⠉⠒⠉⠉⠒⠉⠉⠒⠉⠉⠊⠉⠑
       │
       │
       │
       │
       │
       │
       │
       │
      0│                        ╌╌
       └02:11             02:26             02:41             02:56        03:11
 discovered = transferred + skipped + failed + excluded + pending │ verified
      1,000           996         0        4          0         0 │      996
 ✗ 4 failed: 4 unreadable
   f the 4 that failed, by cause and what helps
   F retries only them, once that is put right
   7 the report to keep
""")


@pytest.mark.parametrize(
    ("status", "said", "key"),
    [
        (Status.CANCELLED, " Cancelled with 4,841,701 files left. Finished files stay.", "   R runs it again"),
        (Status.INTERRUPTED, " 4,841,701 files left. R goes on with them.", "   R goes on where it ended"),
        (Status.ERROR, " Ended early, 4,841,701 files left. R goes on with them.", "   R goes on where it ended"),
    ],
)
def test_other_ends(status: Status, said: str, key: str) -> None:
    rows = _body(run(status=status, totals=TOTALS, **ENDED))
    assert rows[0] == said
    assert any(row.startswith(key) for row in rows)


def test_no_run_says_which_key_starts_it() -> None:
    assert text(no_run("lab-images", CANVAS), CANVAS) == golden("""
 lab-images has not been run yet.
 R starts it, once the strip is confirmed; 3 shows how long it will take, 4
 measures that first.
""")
    assert text(no_run("lab-images", CANVAS, tested=True), CANVAS) == golden("""
 lab-images has not been run yet: only what test runs copied is at the
 destination by xsync.
 R starts it, once the strip is confirmed; 3 shows how long it will take.
""")
    assert text(no_run("lab-images", CANVAS, NOW + 10_073, NOW), CANVAS)[2].endswith("Its schedule begins it at 06:00.")


def test_a_finished_pass_says_when_the_schedule_begins_the_next() -> None:
    done = view(run(status=Status.SUCCESS, totals=DONE, **ENDED), CANVAS, past=Past(due=NOW + 10_073))
    assert "   R another pass: sends only what changed since; by itself at 06:00" in text(body(done, CANVAS), CANVAS)


def test_a_runner_that_ended_on_a_full_state_disk_says_so_and_where() -> None:
    gone = view(
        run(heartbeat_at=NOW - 266, runner_alive=False), CANVAS, past=Past(full=FullDisk("/var/lib/x\x1b[2J", 4_096))
    )
    assert text(body(gone, CANVAS), CANVAS)[:4] == golden("""
 ✗ The runner (pid 21634 on agent-01) ended about 03:07:41. Nothing moves.
   Safe: 7,571,203 files transferred, no half file under its final name.
   4,841,701 files left. Make room, then R goes on with them.
   The disk of the state folder is full (4.10 kB free): /var/lib/x\\x1b[2J
""")


def test_what_ended_a_run_early_comes_with_what_helps_and_what_is_safe() -> None:
    counts = {"failure_counts": {"no space left at the destination": 2}}
    full = run(status=Status.ERROR, message="no space left at the destination", totals=TOTALS, **{**ENDED, **counts})
    assert _body(full)[:4] == golden("""
 Ended early, 4,841,701 files left. R goes on with them.
 ! no space left at the destination
   Free space at the destination, then run again.
   Safe: 7,571,203 files transferred, no half file under its final name.
""")
    long = "The disk is full: /var/lib/xsync/executions/20250513-2148-lab-3f2a cannot be written. Free space there."
    assert _body(run(status=Status.ERROR, message=long, totals=TOTALS, **ENDED))[1:4] == golden("""
 ! The disk is full: /var/lib/xsync/executions/20250513-2148-lab-3f2a cannot be
   written. Free space there.
   Safe: 7,571,203 files transferred, no half file under its final name.
""")
