"""Home's rows: what needs a person first, in every state, at both sizes."""

from __future__ import annotations

import msgspec
import pytest

from engine.model import Bytes, Snapshot, Status
from profiles.schema import ScheduleSection
from xsync_tui.drafting import Draft
from xsync_tui.drawing.facts import CutoverBrief, Execution
from xsync_tui.drawing.home import Entry, Group, HomeFacts, entries, filtered, first_rows, home_rows, host_text
from xsync_tui.drawing.rows import Canvas, plain, width
from xsync_tui.gallery.executions import (
    ASCII,
    CANVAS,
    FACTS,
    HOST,
    HOSTILE,
    NOW,
    WIDE,
    execution,
    profile,
    snapshot,
    survey,
    totals,
)


def drawn(canvas: Canvas, facts: HomeFacts = FACTS, cursor: int = 0) -> list[str]:
    return plain(home_rows(entries(facts, NOW, canvas), cursor, canvas)[0])


def test_a_step_of_a_test_run_is_no_latest_run() -> None:
    step = execution(snapshot(Status.CANCELLED))._replace(test=True)
    assert drawn(CANVAS, FACTS._replace(executions=[*FACTS.executions, step])) == drawn(CANVAS)


def test_home_at_80() -> None:
    assert (
        "\n".join(row.rstrip() for row in drawn(CANVAS))
        == """\
 3 need you: the runner of 202…00000-3f2b is gone.  1 runs.  1 is due at 09:18.
   profile     state                   moved              next, or ends
 ▶ 20250…-3f2b RUNNER GONE             61 %               R resume
   /old → s3://old                     4.84 M left        since 03:07:07
 ✗ finance     ERROR, 12 failed        48.1 of 48.1 TB    f failures, F retry
   /mnt/fin → s3://fin                 ended 03:02:07
 ✗ broken      profile not valid       -                  enter says why

   pathology   TRANSFERRING 2.17 GB/s  61 % ━━━━━····     05:35 - 06:10
   /mnt/wsi → s3://wsi                 4 of 4 agents      on agent-01
   lab-images  SUCCESS                 48.1 of 48.1 TB    next 09:18
   /mnt/lab → s3://lab/img             ended 03:02:07
   fresh       surveyed, no run yet    48.1 TB found      3 plan it
   /mnt/fresh → s3://fresh
   scratch     not surveyed            -                  2 survey it
   /scratch → s3://scratch"""
    )


def test_home_in_ascii() -> None:
    assert (
        "\n".join(row.rstrip() for row in drawn(ASCII, cursor=3)[:9])
        == """\
 3 need you: the runner of 20...0000-3f2b is gone.  1 runs.  1 is due at 09:18.
   profile     state                   moved              next, or ends
 x 2025...3f2b RUNNER GONE             61 %               R resume
   /old -> s3://old                    4.84 M left        since 03:07:07
 x finance     ERROR, 12 failed        48.1 of 48.1 TB    f failures, F retry
   /mnt/fin -> s3://fin                ended 03:02:07
 x broken      profile not valid       -                  enter says why

 > pathology   TRANSFERRING 2.17 GB/s  61 % #####....     05:35 - 06:10"""
    )


def test_home_at_120_has_one_row_each_in_the_same_order() -> None:
    assert (
        "\n".join(row.rstrip() for row in drawn(WIDE))
        == """\
 3 need you: the runner of 20250512-000000-3f2b is gone.  1 runs.  1 is due at 09:18.
   profile         state                     moved               next, or ends          from, to
 ▶ 2025051…00-3f2b RUNNER GONE               61 %                R resume               /old → s3://old
 ✗ finance         ERROR, 12 failed          48.1 of 48.1 TB     f failures, F retry    /mnt/fin → s3://fin
 ✗ broken          profile not valid         -                   enter says why
   pathology       TRANSFERRING 2.17 GB/s    61 % ━━━━━····      05:35 - 06:10          /mnt/wsi → s3://wsi
   lab-images      SUCCESS                   48.1 of 48.1 TB     next 09:18             /mnt/lab → s3://lab/img
   fresh           surveyed, no run yet      48.1 TB found       3 plan it              /mnt/fresh → s3://fresh
   scratch         not surveyed              -                   2 survey it            /scratch → s3://scratch"""
    )


def test_drafts_stand_with_the_rest_and_each_is_another_entry() -> None:
    drafts = (Draft("a" * 16, 2, "/scratch2"), Draft("b" * 16), Draft("c" * 16, 4, "/mnt/fresh2", destination="s3://f"))
    facts = HomeFacts(HOST, surveys={"/scratch2": survey("/scratch2")}, drafts=drafts)
    assert (
        "\n".join(row.rstrip() for row in drawn(CANVAS, facts, cursor=1))
        == """\
 Nothing needs you.  Nothing runs.
   profile     state                   moved              next, or ends
   /mnt/fresh2 draft, step 4 of 5      -                  enter goes on
   /mnt/fresh2 → s3://f
 ▶ /scratch2   draft, step 2 of 5      48.1 TB found      enter goes on
   /scratch2 → ?
   draft       draft, step 1 of 5      -                  enter goes on
"""
    )
    assert len({entry.subject for entry in entries(facts, NOW, CANVAS)}) == 3


def test_nothing_needs_you() -> None:
    facts = FACTS._replace(
        profiles={"lab-images": profile("lab-images")}, executions=[execution(snapshot(Status.SUCCESS))], due={}
    )
    assert drawn(CANVAS, facts)[0].rstrip() == " Nothing needs you.  Nothing runs."


@pytest.mark.parametrize(
    ("found", "state", "ahead"),
    [
        (snapshot(Status.PAUSED), "PAUSED", "R resume"),
        (snapshot(Status.INTERRUPTED, totals=totals()), "INTERRUPTED", "R resume"),
        (snapshot(Status.ERROR, totals=totals()), "ERROR", "R resume"),
        (snapshot(Status.CANCELLED), "CANCELLED", "7 report"),
        (snapshot(eta_seconds=None), "TRANSFERRING 2.17 GB/s", "no estimate yet"),
        (snapshot(totals=totals(listed=False)), "TRANSFERRING 2.17 GB/s", "05:35 - 06:10"),
        (
            snapshot(Status.PREPARING, totals=totals(done=0.0, files=0), bytes_per_second=0.0),
            "PREPARING",
            "05:35 - 06:10",
        ),
        (None, "journal damaged", "enter says why"),
    ],
)
def test_every_state_says_what_to_do_next(found: Snapshot | None, state: str, ahead: str) -> None:
    (entry,) = entries(HomeFacts(HOST, {}, [execution(found, problem="damaged")]), NOW, CANVAS)
    assert (entry.state, entry.next) == (state, ahead)


def test_a_total_that_grows_has_no_percent_and_no_bar() -> None:
    (entry,) = entries(HomeFacts(HOST, {}, [execution(snapshot(totals=totals(listed=False)))]), NOW, CANVAS)
    assert entry.moved.strip() == "29.3 TB so far"


def test_a_schedule_that_stopped_itself_needs_a_person() -> None:
    facts = HomeFacts(HOST, {"lab": profile("lab")}, stopped=frozenset({"lab"}))
    (entry,) = entries(facts, NOW, CANVAS)
    assert (entry.group, entry.next) == (Group.NEEDS, "schedule STOPPED")


def test_a_cutover_that_was_begun_needs_a_person_above_all_while_the_source_is_frozen() -> None:
    done = execution(snapshot(Status.SUCCESS, profile="lab"))

    def entry(**steps: float) -> Entry:
        brief = CutoverBrief({name.replace("_", "-"): {"at": at} for name, at in steps.items()})
        (found,) = entries(HomeFacts(HOST, {"lab": profile("lab")}, [done], cutovers={"lab": brief}), NOW, CANVAS)
        return found

    begun = entry(readiness=NOW - 1_200)
    assert (begun.group, begun.state, begun.next, begun.place) == (
        Group.NEEDS,
        "CUTOVER, step 2",
        "6 goes on",
        "cutover",
    )
    frozen = entry(readiness=NOW - 1_200, read_only=NOW - 900)
    assert (frozen.details[1], frozen.why) == (
        "frozen 15 min",
        "the cutover of lab is at step 3, its source frozen for 15 min",
    )
    handed = entry(readiness=NOW - 1_200, read_only=NOW - 900, hand_over=NOW - 60)
    assert (handed.group, handed.state, handed.handed, handed.resumable) == (Group.REST, "HANDED OVER", True, False)
    assert handed.details[1].startswith("since ")


def test_a_schedule_is_told_beside_what_is_more_urgent_and_when_nothing_starts_it() -> None:
    scheduled = msgspec.structs.replace(profile("lab-images"), schedule=ScheduleSection(every="6 h"))
    done, failed = execution(snapshot(Status.SUCCESS)), execution(snapshot(Status.CANCELLED, profile="lab-images"))

    def entry(*executions: Execution, due: float | None = None) -> Entry:
        known = {} if due is None else {"lab-images": due}
        (found,) = entries(HomeFacts(HOST, {"lab-images": scheduled}, executions, due=known), NOW, CANVAS)
        return found

    assert (entry(done, due=NOW + 10_073).next, entry(done, due=NOW + 10_073).group) == ("next 06:00", Group.DUE)
    assert (entry(done).next, entry(done).details[1]) == ("schedule has no timer", "see: xsync schedule")
    assert (entry().next, entry().details[1]) == ("2 survey it", "schedule has no timer")
    broken = execution(snapshot(Status.ERROR, profile="lab-images"))
    assert (entry(broken, due=NOW + 10_073).group, entry(broken, due=NOW + 10_073).details[1]) == (
        Group.NEEDS,
        "next 06:00",
    )
    assert entry(failed).next == "schedule has no timer"


def test_only_the_newest_execution_of_a_profile_or_route_is_listed() -> None:
    old, new = snapshot(Status.ERROR), snapshot(Status.SUCCESS)
    facts = HomeFacts(HOST, {"lab-images": profile("lab-images")}, [execution(old), execution(new)])
    assert [entry.state for entry in entries(facts, NOW, CANVAS)] == ["SUCCESS"]


def test_a_surveyed_location_without_a_profile_stands_for_itself() -> None:
    facts = HomeFacts(HOST, {"lab": profile("lab")}, surveys={"/mnt/lab": survey(), "/mnt/new": survey("/mnt/new")})
    found = {entry.subject.name: (entry.state, entry.next) for entry in entries(facts, NOW, CANVAS)}
    assert found == {"lab": ("surveyed, no run yet", "3 plan it"), "/mnt/new": ("surveyed", "2 look")}


def test_many_migrations_scroll_with_the_cursor() -> None:
    facts = HomeFacts(HOST, {f"p{n:02}": profile(f"p{n:02}") for n in range(40)})
    for cursor in (0, 20, 39):
        rows, at = home_rows(entries(facts, NOW, CANVAS), cursor, CANVAS)
        assert len(rows) <= CANVAS.height
        assert at is not None
        assert f"p{cursor:02}" in plain(rows)[at]


def test_a_filter_that_finds_nothing_says_so_and_keeps_the_count_of_all() -> None:
    found = entries(FACTS, NOW, CANVAS)
    assert [entry.subject.name for entry in filtered(found, "MNT fin")] == ["finance"]
    assert plain(home_rows([], 0, CANVAS, found, "nope")[0])[0].startswith(" No migration holds 'nope'.")
    assert plain(home_rows(found[:1], 0, CANVAS, found, "20")[0])[0].startswith(" 3 need you")


@pytest.mark.parametrize("canvas", [CANVAS, ASCII, WIDE, Canvas(80, 4), Canvas(110, 36, bits=True)])
def test_rows_are_never_too_wide_whatever_names_and_counts_are(canvas: Canvas) -> None:
    huge = totals(failed=10**12, files=10**13)
    huge = msgspec.structs.replace(huge, bytes=Bytes(10**21, 10**20, 10**20))
    found = [
        execution(
            snapshot(state, profile=None, source=HOSTILE * 5, destination=f"{n}{HOSTILE}", totals=huge, host=HOSTILE),
            HOSTILE,
        )
        for n, state in enumerate(Status)
    ]
    rows = home_rows(entries(HomeFacts(HOST, {}, found), NOW, canvas), 0, canvas)[0]
    assert all(width(each) <= canvas.width for each in rows)
    assert not any(mark in "".join(plain(rows)) for mark in "\x1b\x07\u202e\u200b\udcff")


def test_the_first_start_asks_one_question() -> None:
    rows = [each.rstrip() for each in plain(first_rows("/root/.local/state/xsync", CANVAS))]
    assert rows[0] == " Where is the data?"
    assert "   What it finds stays on this host, in /root/.local/state/xsync" in rows
    assert host_text(HOST, CANVAS) == "agent-01  bond0 20.0 Gbps  16 cores"


def test_a_pass_that_found_nothing_new_does_not_look_as_if_nothing_had_arrived() -> None:
    again = execution(snapshot(Status.SUCCESS, totals=totals(done=0.0, files=9)))
    rows = drawn(CANVAS, FACTS._replace(executions=[again]))
    assert any("SUCCESS                 nothing was new" in row for row in rows), rows
