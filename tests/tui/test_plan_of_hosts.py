"""Plans that little work bounds, and plans for more agents than this host holds, as they are drawn."""

from __future__ import annotations

from tests.tui.plan_at_ten import ASCII, NARROW, PLAN, WIDE
from tests.tui.reading import page as text
from xsync_tui.drawing.plan import PlanView, agents_here, plan_rows, starting
from xsync_tui.gallery.planning import KNOBS, NOW, little_work, too_large_for_here


def test_little_work_is_its_own_limit() -> None:
    rows = plan_rows(PlanView(NOW, little_work(), KNOBS, 2), NARROW)
    assert (
        text(rows, NARROW)
        == """
 2 agents copy 2.40 GB in 1 - 4 s: more agents would hardly help
 link [20 Gbps] use [85 %] agents [4 auto] cut [even] from [22:00] by [09:00]
 agents  GB/s   link  full copy │ what limits 2 agents, GB/s
     1   0.54   21 %   3 - 8 s  │ paths x 2      █████▉     │            1.10 ○
 ▶   2   1.07   42 %   1 - 4 s  │ link           ███████████│█▍          2.50 ◇
     3   1.61   64 %   1 - 3 s  │ requests       ███████████│██████»     13.3 ○
     4   2.15   85 %   1 - 2 s  │ files/s x 2    ███████████│██████»     27.0 ○
                                │ │ the target: 2.12 = 85 % of 20 Gbps
 task    bytes  by   22:00:00
 2022   490 MB   1  │█████████░░░░░░░░░░░░░░                                   │
 2023   560 MB   2  │███████████░░░░░░░░░░░░░░░                                │
 2024   645 MB   2  │               ████████████░░░░░░░░░░░░░░░░░░             │
 2025   710 MB   1  │             ██████████████░░░░░░░░░░░░░░░░░░░            │
                                            done 22:00
 S3 requests $0.00 (DataSync: $0.03).  DataSync: 16 IPs
 ! a target of 2.12 GB/s would take 4 agents, to be done 1 s sooner: ... i
 rests on ◇ profile  ○ published defaults
""".strip("\n")
    )


def test_little_work_in_ascii() -> None:
    rows = plan_rows(PlanView(NOW, little_work(), KNOBS, 2), ASCII)
    assert (
        text(rows, ASCII)
        == """
 2 agents copy 2.40 GB in 1 - 4 s: more agents would hardly help
 link [20 Gbps] use [85 %] agents [4 auto] cut [even] from [22:00] by [09:00]
 agents  GB/s   link  full copy | what limits 2 agents, GB/s
     1   0.54   21 %   3 - 8 s  | paths x 2      #####      |            1.10 ?
 >   2   1.07   42 %   1 - 4 s  | link           ###########|#           2.50 =
     3   1.61   64 %   1 - 3 s  | requests       ###########|######>     13.3 ?
     4   2.15   85 %   1 - 2 s  | files/s x 2    ###########|######>     27.0 ?
                                | | the target: 2.12 = 85 % of 20 Gbps
 task    bytes  by   22:00:00
 2022   490 MB   1  |#########//////////////                                   |
 2023   560 MB   2  |###########///////////////                                |
 2024   645 MB   2  |               ############//////////////////             |
 2025   710 MB   1  |             ##############///////////////////            |
                                            done 22:00
 S3 requests $0.00 (DataSync: $0.03).  DataSync: 16 IPs
 ! a target of 2.12 GB/s would take 4 agents, to be done 1 s sooner: ... i
 rests on = profile  ? published defaults
""".strip("\n")
    )


def test_little_work_at_120_columns() -> None:
    rows = plan_rows(PlanView(NOW, little_work(), KNOBS, 2), WIDE)
    assert (
        text(rows, WIDE)
        == """
 2 agents copy 2.40 GB in 1 - 4 s. The limit is the work itself: more agents would hardly help
 link [20 Gbps]  use [85 %]  agents [4 auto]  cut [even]  from [22:00]  by [09:00]
 agents  GB/s   link  full copy │ what limits 2 agents, GB/s
     1   0.54   21 %   3 - 8 s  │ paths x 2                ███████████████▎             │                        1.10 ○
 ▶   2   1.07   42 %   1 - 4 s  │ link                     █████████████████████████████│████▋                   2.50 ◇
     3   1.61   64 %   1 - 3 s  │ requests                 █████████████████████████████│██████████████████»     13.3 ○
     4   2.15   85 %   1 - 2 s  │ files/s x 2              █████████████████████████████│██████████████████»     27.0 ○
                                │ │ the target: 2.12 = 85 % of 20 Gbps
 task    bytes  by   22:00:00
 2022   490 MB   1  │████████████████░░░░░░░░░░░░░░░░░░░░░░                                                            │
 2023   560 MB   2  │██████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░                                                      │
 2024   645 MB   2  │                          ████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░                      │
 2025   710 MB   1  │                       ██████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░                    │
                                                            done 22:00
 S3 requests $0.00 (DataSync: $0.03).  DataSync: 16 IPs
 ! a target of 2.12 GB/s would take 4 agents, to be done 1 s sooner: another agent would save less than the 1.5 s ... i
 rests on ◇ profile  ○ published defaults
""".strip("\n")
    )


def test_why_little_work_takes_no_more_agents() -> None:
    rows = plan_rows(PlanView(NOW, little_work(), KNOBS, 2, 0, why=True), NARROW)
    assert (
        text(rows, NARROW)
        == """
 2 agents copy 2.40 GB in 1 - 4 s: more agents would hardly help
 link [20 Gbps] use [85 %] agents [4 auto] cut [even] from [22:00] by [09:00]
 agents  GB/s   link  full copy │ what limits 2 agents, GB/s
     1   0.54   21 %   3 - 8 s  │ paths x 2      █████▉     │            1.10 ○
 ▶   2   1.07   42 %   1 - 4 s  │ link           ███████████│█▍          2.50 ◇
     3   1.61   64 %   1 - 3 s  │ requests       ███████████│██████»     13.3 ○
     4   2.15   85 %   1 - 2 s  │ files/s x 2    ███████████│██████»     27.0 ○
                                │ │ the target: 2.12 = 85 % of 20 Gbps
 2.40 GB in 1 - 4 s
 is        for each size of files the longer of files / F and bytes / B, added
           up: likely 2 s. F = 3.55 k files/s and B = 550 MB/s an agent, 2 of
           them held to 1.07 GB/s. No more agents: a target of 2.12 GB/s would
           take 4 agents, to be done 1 s sooner: another agent would save less
           than the 1.5 s that it takes to start.
 rests on  ○ default: 88 % of the stated cap of 625 MB/s
 better by nothing that is worth it


 S3 requests $0.00 (DataSync: $0.03).  DataSync: 16 IPs
 rests on ◇ profile  ○ published defaults
""".strip("\n")
    )


def test_a_plan_that_is_more_than_this_host_holds() -> None:
    rows = plan_rows(PlanView(NOW, too_large_for_here(), KNOBS, 2), NARROW)
    assert (
        text(rows, NARROW)
        == """
 4 agents copy 962 TB in 4 d 10 h - 8 d 20 h. The limit is each agent's path ○
 link [20 Gbps] use [85 %] agents [4 auto] cut [even] from [22:00] by [09:00]
 agents  GB/s   link  full copy            │ what limits 4 agents, GB/s
     2   1.07   42 %  7 d 06 h - 17 d 15 h │ paths x 4     █████│        2.20 ○
     3   1.61   64 %  4 d 20 h - 11 d 18 h │ link          █████│▍       2.50 ◇
 ▶   4   2.15   85 %  4 d 10 h - 8 d 20 h  │ requests      █████│██»     13.3 ○
     5   2.50  100 %  4 d 10 h - 7 d 02 h  │ files/s x 4   █████│██»     54.1 ○
     6   2.50  100 %        no gain        │ │ target: 85 % of 20 Gbps
 task    bytes  by          Fri 16       Sun 18      Tue 20       Thu 22
 2022   196 TB   4  │███████████████████████░░░░░░░░░░░░░░░░░░░░░░░            │
 2023   224 TB   3  │██████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░      │
 2024   258 TB   2  │████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░  │
 2025   284 TB   1  │████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░  │
                                                 done 08:53 Mon - 17:27 23 May
 S3 requests $1,515 (DataSync: $13,740).  DataSync: 16 IPs
 ! the plan has 4 agents; this host holds 3 agents (1.07 GB of memory ... i
 ! agent 1 has 17 % more to do than an even share: 2025 is one piece: ... i
 rests on ◇ profile  ○ published defaults
""".strip("\n")
    )


def test_a_plan_that_is_more_than_this_host_holds_at_120_columns() -> None:
    rows = plan_rows(PlanView(NOW, too_large_for_here(), KNOBS, 2), WIDE)
    assert (
        text(rows, WIDE)
        == """
 4 agents copy 962 TB in 4 d 10 h - 8 d 20 h. The limit is each agent's path ○
 link [20 Gbps]  use [85 %]  agents [4 auto]  cut [even]  from [22:00]  by [09:00]
 agents  GB/s   link  full copy            │ what limits 4 agents, GB/s
     2   1.07   42 %  7 d 06 h - 17 d 15 h │ paths x 4             █████████████████████████│                    2.20 ○
     3   1.61   64 %  4 d 20 h - 11 d 18 h │ link                  █████████████████████████│███                 2.50 ◇
 ▶   4   2.15   85 %  4 d 10 h - 8 d 20 h  │ requests              █████████████████████████│██████████████»     13.3 ○
     5   2.50  100 %  4 d 10 h - 7 d 02 h  │ files/s x 4           █████████████████████████│██████████████»     54.1 ○
     6   2.50  100 %        no gain        │ │ the target: 2.12 = 85 % of 20 Gbps
 task    bytes  by    Thu 15     Fri 16    Sat 17     Sun 18     Mon 19    Tue 20     Wed 21     Thu 22    Fri 23
 2022   196 TB   4  │ ██████████████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░                    │
 2023   224 TB   3  │████████████████████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░          │
 2024   258 TB   2  │████████████████████████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░    │
 2025   284 TB   1  │████████████████████████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░    │
                                                                     done 08:53 Mon - 17:27 23 May
 S3 requests $1,515 (DataSync: $13,740).  DataSync: 16 IPs
 ! the plan has 4 agents; this host holds 3 agents (1.07 GB of memory available), and all agents of a run are on ... i
 ! agent 1 has 17 % more to do than an even share: 2025 is one piece: neither folders nor names in it cut it finer
 rests on ◇ profile  ○ published defaults
""".strip("\n")
    )


def test_what_a_plan_for_several_hosts_means_here() -> None:
    rows = plan_rows(PlanView(NOW, too_large_for_here(), KNOBS, 2, 0, why=True), NARROW)
    assert (
        text(rows, NARROW)
        == """
 4 agents copy 962 TB in 4 d 10 h - 8 d 20 h. The limit is each agent's path ○
 link [20 Gbps] use [85 %] agents [4 auto] cut [even] from [22:00] by [09:00]
 agents  GB/s   link  full copy            │ what limits 4 agents, GB/s
     2   1.07   42 %  7 d 06 h - 17 d 15 h │ paths x 4     █████│        2.20 ○
     3   1.61   64 %  4 d 20 h - 11 d 18 h │ link          █████│▍       2.50 ◇
 ▶   4   2.15   85 %  4 d 10 h - 8 d 20 h  │ requests      █████│██»     13.3 ○
     5   2.50  100 %  4 d 10 h - 7 d 02 h  │ files/s x 4   █████│██»     54.1 ○
     6   2.50  100 %        no gain        │ │ target: 85 % of 20 Gbps
 962 TB in 4 d 10 h - 8 d 20 h
 is        for each size of files the longer of files / F and bytes / B, added
           up: likely 5 d 04 h. F = 3.55 k files/s and B = 550 MB/s an agent, 4
           of them held to 2.15 GB/s. At the earliest all overlaps, at the
           latest nothing does.
 rests on  ○ default: 88 % of the stated cap of 625 MB/s
 better by a test run: it measures F and B (T)
 look at   the plan has 4 agents; this host holds 3 agents (1.07 GB of memory
           available), and all agents of a run are on one host: here 3 agents
           take 4 d 20 h - 11 d 18 h; for more, run a profile on each host, ...
 S3 requests $1,515 (DataSync: $13,740).  DataSync: 16 IPs
 rests on ◇ profile  ○ published defaults
""".strip("\n")
    )


def test_a_run_begins_with_what_this_host_holds_and_says_what_the_rest_would_take() -> None:
    assert agents_here(PLAN) == 4
    assert starting(PLAN, "s3://lab") == "Copies 48.1 TB to s3://lab with 4 agents, in the background."
    large = too_large_for_here()
    assert agents_here(large) == 3
    assert starting(large, "s3://lab") == (
        "Copies 962 TB to s3://lab with 3 agents on this host, in the background: here it takes 4 d 20 h - 11 d 18 h. "
        "The plan has 4 agents, but all agents of a run are on one host, and this one holds 3 agents (1.07 GB of "
        "memory available)."
    )
