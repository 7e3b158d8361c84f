"""The Test screen's rows: before, live, each verdict; both sizes, both glyph sets; nothing wider than its canvas."""

from __future__ import annotations

import pytest

from xsync_tui.drawing.rows import Canvas, Row, plain, width
from xsync_tui.drawing.testrun import View, body
from xsync_tui.gallery.proving import (
    CANVASES,
    FLAT,
    HOSTILE,
    LINEAR,
    LINK,
    LIVE,
    NARROW,
    NOW,
    PLAIN,
    WIDE,
    measured_run,
    prepared,
    step,
)


def drawn(rows: list[Row]) -> str:
    return "\n" + "\n".join(line.rstrip() for line in plain(rows)) + "\n"


def test_nothing_measured_says_what_a_test_run_is() -> None:
    assert (
        drawn(body(View(), NARROW))
        == """
 What one agent reaches here is not measured yet.

 A test run copies folders whose mix of sizes is most like the whole, with 1,
 2, 4 agents, each step until its rate is steady. It says what one agent
 reaches, what limits it, and from how many agents on more bring nothing. It
 writes into the real destination, and what it copies counts: no later run
 sends it again.

 T looks for the folders and says what it would copy; nothing begins before you
 agree.
"""
    )


def test_before_it_begins_it_says_how_much_into_what_at_what_cost_and_that_it_counts() -> None:
    assert (
        drawn(body(View(prepared=prepared(), dollars=4.02), NARROW))
        == """
 TEST RUN: copies about 3.15 TB in 150,000 files into s3://lab/img in 1 - 8
 min; requests cost at most $4.02.
 What is copied counts: no later run sends it again. S stops it cleanly at any
 time.

 agents  folders                       files    bytes  size mix
      1  /2025/Feb +1                 50,000  1.05 TB  94 % like the whole
      2  /2025/Feb +1                 50,000  1.05 TB  94 % like the whole
      4  /2025/Feb +1                 50,000  1.05 TB  94 % like the whole

 Each step takes 30 s to 2 min, on folders of its own: no cache helps the next
 one. It goes on when you leave.
"""
    )


def test_steps_without_comparable_folders_are_named() -> None:
    assert (
        drawn(body(View(prepared=prepared(missing=(4,))), PLAIN))
        == """
 TEST RUN: copies about 2.10 TB in 100,000 files into s3://lab/img in 1 - 5
 min; requests cost less than $0.01.
 What is copied counts: no later run sends it again. S stops it cleanly at any
 time.

 agents  folders                       files    bytes  size mix
      1  /2025/Feb +1                 50,000  1.05 TB  94 % like the whole
      2  /2025/Feb +1                 50,000  1.05 TB  94 % like the whole
 ! No comparable folder is left for 4 agents: not tried.

 Each step takes 30 s to 2 min, on folders of its own: no cache helps the next
 one. It goes on when you leave.
"""
    )


def test_while_it_runs_each_step_says_how_it_is() -> None:
    assert (
        drawn(
            body(
                View(prepared=prepared(), measured=[step(1, 551e6), step(2, 1_098e6)], live=LIVE, ceilings=LINK), NARROW
            )
        )
        == """
 TESTING: step 3 of 3, 4 agents for 12 s: 2.10 GB/s, 101 files/s; until steady,
 or 2 min of copying.

 agents  folders                       files    bytes  state
      1  /2025/Feb +1                 50,000  1.05 TB  551 MB/s steady
      2  /2025/Feb +1                 50,000  1.05 TB  1.10 GB/s steady
      4  /2025/Feb +1                 50,000  1.05 TB  now
 This step copied 1,203 files, 25.2 GB; they stay, and count.

 MB/s  ● measured  ◉ now                   2 agents: where their time went
 2,500│┄ link 20 Gbps ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄  network     ████████████▊       71 %
      │┄ target 85 % ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄◉┄┄┄┄  source read ███                 17 %
      │                                    CPU         █▋                   9 %
      │                                    idle        ▌                    3 %
 1,250│               ●
      │
      │       ●
      │
     0│
agents        1       2             4
"""
    )


def test_a_linear_verdict() -> None:
    assert (
        drawn(body(View(found=LINEAR, ceilings=LINK, now=NOW), NARROW))
        == """
 ✓ LINEAR: Each agent reaches 547 MB/s however many there are: the path of one
   agent binds; five will bring 2.50 GB/s, all that the stated bandwidth
   allows.
 4 agents fill 88 % of the link 20 Gbps; 5 would fill it, more bring nothing.
 MB/s  ● measured  o predicted             one agent: where its time went
 2,500│┄ link 20 Gbps ┄┄┄┄┄┄┄┄┄┄⡀⡀⠄⠂⠂o⠂⠂⠂  network     ████████████▊       71 %
      │┄ target 85 % ┄┄┄┄┄┄┄⡀⠄⠂●┄┄┄┄┄┄┄┄┄  source read ███                 17 %
      │                ⡀⠄⠂⠂⠁               CPU         █▋                   9 %
 1,250│            ●⠄⠂⠁                    idle        ▌                    3 %
      │       ⡀⠄⠂⠁⠁                        agents      MB/s      each  of a line
      │  ⡀⠄⠄⠂●                                  1       551       551      100 %
     0│⠂⠁                                       2     1,098       549      100 %
agents       1     2           4     5          4     2,189       547       99 %
 changes in the plan                     before          after, measured ●
 rate of one agent         550 MB/s - 2.20 GB/s             540 - 562 MB/s
 full copy, 4 agents                  6 - 8 min                  7 - 9 min
 agents                                   1 - 4                          4
 The run skips its 99,000 files. Left 43.9 TB: 5 h 35 - 6 h 35 with 4 agents.
 Next: 3 shows the plan with these figures.
"""
    )


def test_a_linear_verdict_in_ascii() -> None:
    assert (
        drawn(body(View(found=LINEAR, ceilings=LINK, now=NOW), PLAIN))
        == """
 ok LINEAR: Each agent reaches 547 MB/s however many there are: the path of one
    agent binds; five will bring 2.50 GB/s, all that the stated bandwidth
    allows.
 4 agents fill 88 % of the link 20 Gbps; 5 would fill it, more bring nothing.
 MB/s  o measured  + predicted             one agent: where its time went
 2,500|- link 20 Gbps -----------....+...  network     ############        71 %
      |- target 85 % -------...o.--------  source read ###                 17 %
      |                .....               CPU         #                    9 %
 1,250|            o...                    idle                             3 %
      |       .....                        agents      MB/s      each  of a line
      |   ...o                                  1       551       551      100 %
     0|...                                      2     1,098       549      100 %
agents       1     2           4     5          4     2,189       547       99 %
 changes in the plan                     before          after, measured *
 rate of one agent         550 MB/s - 2.20 GB/s             540 - 562 MB/s
 full copy, 4 agents                  6 - 8 min                  7 - 9 min
 agents                                   1 - 4                          4
 The run skips its 99,000 files. Left 43.9 TB: 5 h 35 - 6 h 35 with 4 agents.
 Next: 3 shows the plan with these figures.
"""
    )


def test_a_linear_verdict_with_room() -> None:
    assert (
        drawn(body(View(found=LINEAR, ceilings=LINK, kept_in="/p/lab.toml", now=NOW), WIDE))
        == """
 ✓ LINEAR: Each agent reaches 547 MB/s however many there are: the path of one agent binds; five will bring 2.50 GB/s,
   all that the stated bandwidth allows.
 4 agents fill 88 % of the link 20 Gbps; 5 would fill it, more bring nothing.
 MB/s  ● measured  o predicted                                                     one agent: where its time went
 2,500│┄ link 20 Gbps ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄⠄⠂⠂⠂⠂⠂o⠂⠂⠂⠂⠂⠂⠂  network     ████████████▊       71 %
      │                                                         ⠄⠂⠁                source read ███                 17 %
      │                                                     ●⠄⠂⠁                   CPU         █▋                   9 %
      │┄ target 85 % ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄⡀⠄⠂⠁┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄  idle        ▌                    3 %
      │                                               ⡀⠄⠂                          agents      MB/s      each  of a line
      │                                            ⡀⠄⠂                                  1       551       551      100 %
      │                                         ⡀⠄⠂                                     2     1,098       549      100 %
      │                                      ⡀⠄⠂                                        4     2,189       547       99 %
      │                                   ⡀⠄⠂
      │                                ⡀⠄⠁
 1,250│                             ⡀⠄⠁
      │                          ⡀●⠁
      │                       ⡀⠄⠁
      │                    ⡀⠂⠁
      │                 ⡀⠂⠁
      │              ⡀⠂⠁
      │           ⡀⠂●
      │        ⡀⠂⠁
      │     ⠄⠂⠁
      │  ⠄⠂⠁
     0│⠂⠁
agents              1             2                         4            5
 changes in the plan                     before          after, measured ●  both on one scale
 rate of one agent         550 MB/s - 2.20 GB/s             540 - 562 MB/s            ██░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
 full copy, 4 agents                  6 - 8 min                  7 - 9 min                                       ░░░░░██
 agents                                   1 - 4                          4             ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░█
 The run skips its 99,000 files. Left 43.9 TB: 5 h 35 - 6 h 35 with 4 agents.
 Sample: /2025/Feb and 2 more: 461 GB in 32 min; its size mix is 94 % like the whole.
 Files/s were not at work: still default, Azure Storage Mover's published tests, NFS to blob, agent with 4 vCPU.
 Kept in /p/lab.toml.
 20:33:46, 3 steps, 1, 2 and 4 agents.
 Next: 3 shows the plan with these figures.
"""
    )


def test_a_flat_verdict_names_what_binds() -> None:
    assert (
        drawn(body(View(found=FLAT, now=NOW), NARROW))
        == """
 ! FLAT AFTER 1: One agent brings all there is: two agents reach 580 MB/s in
   all; the shared link, or the destination behind it, binds. 71 % of the time
   goes into waiting for the network and the destination.
 MB/s  ● measured  o predicted             4 agents: where their time went
   580│      ●⠂⠂⠂⠂⠂●⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂●⠂⠂⠂⠂⠂o⠂⠂⠂  network     ████████████▊       71 %
      │     ⠄                              source read ███                 17 %
      │    ⠄                               CPU         █▋                   9 %
   290│   ⠄                                idle        ▌                    3 %
      │  ⠄                                 agents      MB/s      each  of a line
      │ ⠂                                       1       551       551      100 %
     0│⠂                                        2       580       290       53 %
agents       1     2           4     5          4       575       144       26 %
 changes in the plan                     before          after, measured ●
 rate of one agent         550 MB/s - 2.20 GB/s             540 - 562 MB/s
 full copy, 4 agents                  6 - 8 min                29 - 31 min
 The run skips its 99,000 files. Left 43.9 TB: 5 h 35 - 6 h 35 with 4 agents.
 Sample: /2025/Feb and 2 more: 205 GB in 32 min; its size mix is 94 % like the
 whole.
 Next: More agents do not help: 3 shows what the plan makes of it.
"""
    )


def test_a_sample_that_was_too_small_changes_nothing() -> None:
    assert (
        drawn(body(View(found=measured_run({1: 5e6}, ended="out of data"), now=NOW), NARROW))
        == """
 ! TOO SMALL: One agent had copied all after 12 s, before a rate was steady:
   choose larger folders (--folder), or a shorter time (--seconds).
 No rate was measured yet.                 one agent: where its time went
                                           network     ████████████▊       71 %
                                           source read ███                 17 %
                                           CPU         █▋                   9 %
                                           idle        ▌                    3 %
                                           agents      MB/s      each  of a line
                                                1      5.00  out of data
 The run skips its 99,000 files.
 Sample: /2025/Feb: 600 MB in 32 min; its size mix is 94 % like the whole.
 20:33:46, 1 step, 1 agent.
 Next: Nothing was changed. T tests again, on larger folders: xsync test-run
 --folder.
"""
    )


def test_a_test_run_that_cannot_be_says_why() -> None:
    assert (
        drawn(body(View(trouble="s3://lab: access denied\x1b[2J"), NARROW))
        == r"""
 ✗ NOT TESTED: s3://lab: access denied\x1b[2J
 T tries again. Nothing of the profile was changed.
"""
    )


VIEWS = (
    View(),
    View(looking=HOSTILE),
    View(trouble=HOSTILE * 30),
    View(prepared=prepared(HOSTILE.encode("utf-8", "surrogateescape")), dollars=1e9),
    View(prepared=prepared(), live=LIVE._replace(stopping=True), measured=[step(1, 551e6)]),
    View(live=LIVE),
    View(found=measured_run({1: 551e6}, folder=HOSTILE), kept_in=HOSTILE),
    View(found=measured_run({n: n * 9e14 for n in (1, 2, 4, 8, 16, 32, 64)}), ceilings=LINK),
    View(found=measured_run({1: 12.0, 2: 24.0}), ceilings=LINK),
    View(found=measured_run({1: 0.0}, ended="stopped")),
    View(found=measured_run({})),
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


def test_a_rate_above_the_link_is_not_promised() -> None:
    text = "\n".join(plain(body(View(found=LINEAR, ceilings=LINK), NARROW)))
    assert "4 agents fill 88 % of the link 20 Gbps; 5 would fill it, more bring nothing." in text
