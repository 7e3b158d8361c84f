"""The Plan screen as text: knobs, what if, limits on one scale, tasks on the clock, and its states."""

from __future__ import annotations

import msgspec
import pytest

from engine.planning.plan import Plan
from engine.planning.values import Origin, Seconds
from tests.tui.plan_at_ten import ASCII, HOUR, NARROW, PLAN, VIEW, WIDE
from tests.tui.reading import page as text
from xsync_tui.drawing.plan import Knob, PlanView, knob_row, plan_rows
from xsync_tui.drawing.rows import Canvas, plain
from xsync_tui.drawing.timeline import Slow, timeline_rows
from xsync_tui.drawing.why import figure_count, why_rows
from xsync_tui.gallery.planning import KNOBS, NOW, plan_at_ten


def test_a_plan_at_80_columns() -> None:
    rows = plan_rows(VIEW, NARROW)
    assert (
        text(rows, NARROW)
        == """
 4 agents copy 48.1 TB in 5 h 20 - 10 h 35. The limit is each agent's path ○
 link [20 Gbps] use [85 %] agents [4 auto] cut [even] from [22:00] by [09:00]
 agents  GB/s   link  full copy        │ what limits 4 agents, GB/s
     2   1.07   42 %  8 h 42 - 21 h 09 │ paths x 4     ████████│         2.20 ○
     3   1.61   64 %  5 h 48 - 14 h 06 │ link          ████████│▏        2.50 ◇
 ▶   4   2.15   85 %  5 h 20 - 10 h 35 │ requests      ████████│███»     13.3 ○
     5   2.50  100 %  5 h 20 - 8 h 28  │ files/s x 4   ████████│███»     54.1 ○
     6   2.50  100 %      no gain      │ │ the target: 2.12 = 85 % of 20 Gbps
 task    bytes  by   22:00     00:00     02:00     04:00      06:00     08:00
 2022  9.80 TB   4  │██████████████████████░░░░░░░░░░░░░░░░░░░░░░            │ │
 2023  11.2 TB   3  │█████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░      │ │
 2024  12.9 TB   2  │███████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░  │ │
 2025  14.2 TB   1  │███████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░  │ │
                                               done 03:20 - 08:34 Thu  window ▲
 ✓ fits the window, 26 min to spare.  S3 requests $76 (DataSync: $687).
 ! agent 1 has 17 % more to do than an even share: 2025 is one piece: ... i
 rests on ◇ profile  ○ published defaults
""".strip("\n")
    )


def test_a_plan_in_ascii() -> None:
    rows = plan_rows(VIEW, ASCII)
    assert (
        text(rows, ASCII)
        == """
 4 agents copy 48.1 TB in 5 h 20 - 10 h 35. The limit is each agent's path ?
 link [20 Gbps] use [85 %] agents [4 auto] cut [even] from [22:00] by [09:00]
 agents  GB/s   link  full copy        | what limits 4 agents, GB/s
     2   1.07   42 %  8 h 42 - 21 h 09 | paths x 4     ########|         2.20 ?
     3   1.61   64 %  5 h 48 - 14 h 06 | link          ########|         2.50 =
 >   4   2.15   85 %  5 h 20 - 10 h 35 | requests      ########|###>     13.3 ?
     5   2.50  100 %  5 h 20 - 8 h 28  | files/s x 4   ########|###>     54.1 ?
     6   2.50  100 %      no gain      | | the target: 2.12 = 85 % of 20 Gbps
 task    bytes  by   22:00     00:00     02:00     04:00      06:00     08:00
 2022  9.80 TB   4  |######################//////////////////////            | |
 2023  11.2 TB   3  |#########################/////////////////////////      | |
 2024  12.9 TB   2  |###########################///////////////////////////  | |
 2025  14.2 TB   1  |###########################///////////////////////////  | |
                                               done 03:20 - 08:34 Thu  window ^
 ok fits the window, 26 min to spare.  S3 requests $76 (DataSync: $687).
 ! agent 1 has 17 % more to do than an even share: 2025 is one piece: ... i
 rests on = profile  ? published defaults
""".strip("\n")
    )


def test_a_plan_at_120_columns() -> None:
    rows = plan_rows(VIEW, WIDE)
    assert (
        text(rows, WIDE)
        == """
 4 agents copy 48.1 TB in 5 h 20 - 10 h 35. The limit is each agent's path ○
 link [20 Gbps]  use [85 %]  agents [4 auto]  cut [even]  from [22:00]  by [09:00]
 agents  GB/s   link  full copy        │ what limits 4 agents, GB/s
     2   1.07   42 %  8 h 42 - 21 h 09 │ paths x 4              ██████████████████████████│▍                     2.20 ○
     3   1.61   64 %  5 h 48 - 14 h 06 │ link                   ██████████████████████████│████                  2.50 ◇
 ▶   4   2.15   85 %  5 h 20 - 10 h 35 │ requests               ██████████████████████████│████████████████»     13.3 ○
     5   2.50  100 %  5 h 20 - 8 h 28  │ files/s x 4            ██████████████████████████│████████████████»     54.1 ○
     6   2.50  100 %      no gain      │ │ the target: 2.12 = 85 % of 20 Gbps
 task    bytes  by   22:00            00:00            02:00            04:00             06:00            08:00
 2022  9.80 TB   4  │ █████████████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░                   │   │
 2023  11.2 TB   3  │███████████████████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░          │   │
 2024  12.9 TB   2  │██████████████████████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   │   │
 2025  14.2 TB   1  │██████████████████████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   │   │
                                                                   done 03:20 - 08:34 Thu                   window ▲
 ✓ fits the window, 26 min to spare.  S3 requests $76 (DataSync: $687).  DataSync: 16 IPs
 ! agent 1 has 17 % more to do than an even share: 2025 is one piece: neither folders nor names in it cut it finer
 rests on ◇ profile  ○ published defaults
""".strip("\n")
    )


def test_a_plan_that_passes_its_window_crosses_the_line() -> None:
    rows = plan_rows(VIEW._replace(window_ends=NOW + 8 * HOUR), NARROW)
    assert (
        text(rows, NARROW)
        == """
 ! 4 agents copy 48.1 TB in 5 h 20 - 10 h 35: up to 2 h 34 past 06:00.
 link [20 Gbps] use [85 %] agents [4 auto] cut [even] from [22:00] by [09:00]
 agents  GB/s   link  full copy        │ what limits 4 agents, GB/s
     2   1.07   42 %  8 h 42 - 21 h 09 │ paths x 4     ████████│         2.20 ○
     3   1.61   64 %  5 h 48 - 14 h 06 │ link          ████████│▏        2.50 ◇
 ▶   4   2.15   85 %  5 h 20 - 10 h 35 │ requests      ████████│███»     13.3 ○
     5   2.50  100 %  5 h 20 - 8 h 28  │ files/s x 4   ████████│███»     54.1 ○
     6   2.50  100 %      no gain      │ │ the target: 2.12 = 85 % of 20 Gbps
 task    bytes  by   22:00      00:00     02:00      04:00     06:00      08:00
 2022  9.80 TB   4  │███████████████████████░░░░░░░░░░░░░░░░░░░!░░░            │
 2023  11.2 TB   3  │██████████████████████████░░░░░░░░░░░░░░░░!░░░░░░░░░      │
 2024  12.9 TB   2  │████████████████████████████░░░░░░░░░░░░░░!░░░░░░░░░░░░░  │
 2025  14.2 TB   1  │████████████████████████████░░░░░░░░░░░░░░!░░░░░░░░░░░░░  │
                                 done 03:20 - 08:34 Thu  window ▲
 ! may pass the window by 2 h 34.  S3 requests $76 (DataSync: $687).
 ! agent 1 has 17 % more to do than an even share: 2025 is one piece: ... i
 rests on ◇ profile  ○ published defaults
""".strip("\n")
    )


def test_without_a_survey_there_is_nothing_to_plan_with() -> None:
    rows = plan_rows(PlanView(NOW, knobs=KNOBS, surveyed=False), NARROW)
    assert (
        text(rows, NARROW)
        == """
 Not surveyed yet: there is nothing to plan with.
 link [20 Gbps] use [85 %] agents [4 auto] cut [even] from [22:00] by [09:00]

 A plan needs to know how many files of which sizes there are, and in which
 folders. The survey finds that out, and writes nothing to the source: 2 goes
 there, R starts it.
""".strip("\n")
    )


def test_what_the_answer_rests_on() -> None:
    rows = why_rows(PLAN, 0, NARROW)
    assert (
        text(rows, NARROW)
        == """
 48.1 TB in 5 h 20 - 10 h 35
 is        for each size of files the longer of files / F and bytes / B, added
           up: likely 6 h 13. F = 3.55 k files/s and B = 550 MB/s an agent, 4
           of them held to 2.15 GB/s. At the earliest all overlaps, at the
           latest nothing does.
 rests on  ○ default: 88 % of the stated cap of 625 MB/s
 better by a test run: it measures F and B (T)
 look at   agent 1 has 17 % more to do than an even share: 2025 is one piece:
           neither folders nor names in it cut it finer
""".strip("\n")
    )


def test_what_a_limit_rests_on() -> None:
    rows = why_rows(PLAN, 1 + len(PLAN.what_if), NARROW)
    assert (
        text(rows, NARROW)
        == """
 path of one agent, a limit of each agent
 is        550 MB/s x 4 = 2.20 GB/s for this mix of sizes; 97 % of it is used
 rests on  ○ default: 88 % of the stated cap of 625 MB/s
 better by add agents, or widen the path of each; a test run measures it
""".strip("\n")
    )


def test_sixty_agents_have_limits_of_their_own() -> None:
    rows = plan_rows(VIEW._replace(plan=plan_at_ten(60), window_ends=None), NARROW)[:9]
    assert (
        text(rows, NARROW)
        == """
 60 agents copy 48.1 TB in 5 h 20 - 6 h 25. The limit is the link itself ◇
 link [20 Gbps] use [85 %] agents [4 auto] cut [even] from [22:00] by [09:00]
 agents  GB/s   link  full copy       │ what limits 60 agents, GB/s
    58   2.50  100 %  5 h 20 - 6 h 25 │ link          ████████│▉         2.50 ◇
    59   2.50  100 %      no gain     │ requests      ████████│████»     13.3 ○
 ▶  60   2.50  100 %  5 h 20 - 6 h 25 │ paths x 60    ████████│████»     33.0 ○
    61   2.50  100 %      no gain     │ files/s x 60  ████████│████»      811 ○
    62   2.50  100 %      no gain     │ │ the target: 2.12 = 85 % of 20 Gbps
 task    bytes  by   22:00            00:00             02:00            04:00
""".strip("\n")
    )


def test_a_change_keeps_the_old_answer_beside_the_new_one() -> None:
    narrow = msgspec.structs.replace(PLAN, duration_seconds=Seconds(21_900, 23_000, 25_800))
    view = PlanView(NOW, narrow, KNOBS, was=Seconds(29_100, 30_000, 34_200))
    answer = plain(plan_rows(view, NARROW))[0].rstrip()
    assert answer == " 4 agents copy 48.1 TB in 6 h 05 - 7 h 10 (was 8 h 05 - 9 h 30)."
    assert "(was" not in plain(plan_rows(view._replace(was=None), NARROW))[0]


def test_a_narrow_range_names_the_limit() -> None:
    narrow = msgspec.structs.replace(PLAN, duration_seconds=Seconds(21_900, 23_000, 25_800))
    answer = plain(plan_rows(PlanView(NOW, narrow, KNOBS), NARROW))[0].rstrip()
    assert answer == " 4 agents copy 48.1 TB in 6 h 05 - 7 h 10. The limit is each agent's path ○"


def test_hours_with_a_limit_that_are_most_of_the_time_are_what_limits() -> None:
    narrow = msgspec.structs.replace(PLAN, duration_seconds=Seconds(21_900, 23_000, 25_800))
    for hours, limit in ((1, "each agent's path ○"), (4, "the timetable")):
        view = PlanView(NOW, narrow, KNOBS, slow=[Slow(NOW, NOW + hours * HOUR)])
        assert plain(plan_rows(view, NARROW))[0].rstrip().endswith(f"The limit is {limit}")


def test_an_unreachable_target_is_said_first() -> None:
    next_limit = msgspec.structs.replace(PLAN.next_limit, bytes_per_second=PLAN.bytes_per_second)
    far = msgspec.structs.replace(PLAN, share=0.43, target_bytes_per_second=5e9, next_limit=next_limit)
    answer = plain(plan_rows(VIEW._replace(plan=far), NARROW))[0]
    assert answer.startswith(" ! No number of agents reaches 4.25 GB/s: each agent's path ○ gives 2.15 GB/s")
    held = msgspec.structs.replace(
        far.binding_limit, name="rate limit", origin=Origin("profile", ""), bytes_per_second=12e6
    )
    limits = msgspec.structs.replace(next_limit, bytes_per_second=12e6)
    slow = msgspec.structs.replace(far, binding_limit=held, next_limit=limits, bytes_per_second=12e6)
    answer = plain(plan_rows(VIEW._replace(plan=slow), NARROW))[0].rstrip()
    assert answer == " ! 4.25 GB/s is not reached: the profile's rate limit ◇ gives 12.0 MB/s."


def test_more_tasks_than_rows_are_summed_up() -> None:
    many = _tasks(PLAN, 300)
    rows = timeline_rows(many, NARROW, 7)
    assert len(rows) == 7
    assert plain(rows)[-2].startswith(" and 296 more tasks with ")


def test_hours_with_a_limit_are_thin_and_agents_that_are_done_help() -> None:
    first = msgspec.structs.replace(PLAN.tasks[1], seconds=Seconds(3_600, 4_000, 5_000))
    plan = msgspec.structs.replace(PLAN, tasks=(first, *PLAN.tasks[2:]))
    drawn = plain(timeline_rows(plan, NARROW, 8, slow=[Slow(NOW, NOW + 1_800)]))
    assert "▄" in drawn[1]
    assert "helps" in drawn[1]
    assert "helps" not in drawn[-2]


@pytest.mark.parametrize("canvas", [NARROW, ASCII, WIDE, NARROW._replace(width=200, height=60, bits=True)])
@pytest.mark.parametrize("seconds", [5.0, 90.0, 86_400.0, 400 * 86_400.0])
def test_any_duration_and_size_fits(canvas: Canvas, seconds: float) -> None:
    long = Seconds(seconds, seconds * 1.2, seconds * 1.9)
    what_if = tuple(msgspec.structs.replace(each, seconds=long) for each in PLAN.what_if)
    tasks = tuple(msgspec.structs.replace(each, seconds=long) for each in PLAN.tasks)
    done = (NOW + long.low, NOW + long.high)
    plan = msgspec.structs.replace(PLAN, duration_seconds=long, what_if=what_if, tasks=tasks, done_at=done)
    for each in (plan, _tasks(plan, 200)):
        text(plan_rows(VIEW._replace(plan=each, window_ends=None), canvas), canvas)
        for figure in range(figure_count(each)):
            text(why_rows(each, figure, canvas._replace(height=60)), canvas._replace(height=60))


def test_a_knob_shows_what_is_typed_and_hostile_names_are_escaped() -> None:
    knobs = (Knob("link", "20 Gbps", typed="4\x1b"),)
    assert plain([knob_row(PlanView(NOW, knobs=knobs), NARROW)])[0].startswith(" link [4\\x1b_]")
    task = msgspec.structs.replace(PLAN.tasks[1], name="\x1b]0;x\x07")
    plan = msgspec.structs.replace(PLAN, tasks=(task,), warnings=("\x1b[2J",))
    assert "\x1b" not in "".join(plain(plan_rows(VIEW._replace(plan=plan), NARROW)))


def _tasks(plan: Plan, count: int) -> Plan:
    tasks = tuple(
        msgspec.structs.replace(plan.tasks[1], name=f"part {n}", bytes=10**9 * n) for n in range(1, count + 1)
    )
    return msgspec.structs.replace(plan, tasks=tasks)


def test_addresses_of_many_datasync_tasks_have_commas() -> None:
    assert PLAN.network.datasync is not None
    network = msgspec.structs.replace(
        PLAN.network, datasync=msgspec.structs.replace(PLAN.network.datasync, addresses=79_920)
    )
    rows = plan_rows(PlanView(NOW, msgspec.structs.replace(PLAN, network=network), knobs=KNOBS), WIDE)
    assert "DataSync: 79,920 IPs" in text(rows, WIDE)


def test_an_old_survey_is_told_with_the_answer_alone() -> None:
    old = msgspec.structs.replace(PLAN, surveyed_at=PLAN.start_at - 40 * 86_400)
    assert " look at   the survey is of 2025-" in text(why_rows(old, 0, NARROW), NARROW)
    assert "40 days before the start" in " ".join(text(why_rows(old, 0, NARROW), NARROW).split())
    assert "the survey is of" not in text(why_rows(old, 1, NARROW), NARROW)
    assert "the survey is of" not in text(why_rows(PLAN, 0, NARROW), NARROW)


def test_why_the_answer_is_so_tells_the_timetable_and_the_window() -> None:
    slow = [Slow(PLAN.start_at, PLAN.start_at + 2 * HOUR)]
    view = PlanView(NOW, PLAN, KNOBS, slow=slow, window_ends=PLAN.done_at[1] - HOUR, why=True)
    said = " ".join(text(plan_rows(view, WIDE), WIDE).split())
    assert "look at the timetable allows less than the agents can for 2 h 00 of the likely 6 h 13" in said
    assert "look at the window ends 2025-" in said
    assert "up to 1 h 00 before it is done" in said
    assert "the timetable allows" not in text(plan_rows(view._replace(figure=1), WIDE), WIDE)
