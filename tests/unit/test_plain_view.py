"""The plain view, line by line: what a person reads of an execution in each of its states."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model import AgentSnapshot, Bytes, Event, Snapshot, Status, Tally, Totals
from xsync_tui.cli.agent_lines import agent_line
from xsync_tui.cli.headline import Life, life_of, sentence
from xsync_tui.cli.look import Look
from xsync_tui.cli.outcome import summary_lines
from xsync_tui.cli.plain_view import failed_lines, one_line, view
from xsync_tui.text import width_of

NOW = 1_747_192_327.0  # Wed 2025-05-14 03:12:07 UTC
LOOK = Look(zone=UTC)
ASCII = LOOK._replace(unicode=False)
FOOT = "Ctrl-C leaves it running."
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e\udcff\n細胞/" + "x" * 300


def _agent(number: int, state: str = "working", **more: Any) -> AgentSnapshot:
    values: dict[str, Any] = {
        "path": "2023/May/plate 3/scan-of-something.svs",
        "bytes_per_second": 539e6,
        "files_per_second": 134.2,
        "in_flight": 32,
        "window": 64,
    }
    return AgentSnapshot(f"agent-{number}", state, **{**values, **more})


def _snapshot(**changes: Any) -> Snapshot:
    usual = Snapshot(
        execution="20250513-214847-lab-images-3f2a",
        profile="lab-images",
        source="file:///mnt/lab",
        destination="s3://lab/img",
        status=Status.TRANSFERRING,
        started_at=NOW - 19_400,
        ended_at=None,
        heartbeat_at=NOW - 1,
        runner_alive=True,
        runner_pid=21634,
        host="agent-01",
        totals=Totals(
            Tally(discovered=12_412_907, transferred=7_571_203, failed=3, verified=7_571_203),
            Tally(discovered=213_044),
            Bytes(source=48_100_000_000_000, transferred=29_400_000_000_000, pending=18_700_000_000_000),
            listing_complete=True,
        ),
        files_per_second=540,
        bytes_per_second=2.17e9,
        eta_seconds=(8_580, 10_680),
        agents=(_agent(1), _agent(2), _agent(3), _agent(4, "draining")),
        failure_counts={"unreadable": 1, "changed while read": 2},
        events=(Event(NOW - 145, "limit", "limit set"), Event(NOW - 9, "retry", "agent-2: x.svs changed: sent again")),
    )
    return msgspec.structs.replace(usual, **changes)


def _empty(**changes: Any) -> Snapshot:
    nothing: dict[str, Any] = {
        "totals": Totals(),
        "files_per_second": 0.0,
        "bytes_per_second": 0.0,
        "eta_seconds": None,
        "agents": (),
        "failure_counts": {},
        "events": (),
    }
    return _snapshot(**{**nothing, **changes})


def _golden(text: str) -> list[str]:
    return text.strip("\n").split("\n")


def test_transferring() -> None:
    assert view(_snapshot(), NOW, LOOK, FOOT) == _golden("""
 lab-images  /mnt/lab → s3://lab/img                TRANSFERRING  live  03:12:07
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58.
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ██████····· 61 %  listed all
 4 agents: 3 moving, 1 draining
   agent-1    moving    539 MB/s    134 files/s   32/64 open  2023/May…thing.svs
   agent-2    moving    539 MB/s    134 files/s   32/64 open  2023/May…thing.svs
   agent-3    moving    539 MB/s    134 files/s   32/64 open  2023/May…thing.svs
   agent-4    draining  539 MB/s    134 files/s   32/64 open  2023/May…thing.svs
 discovered = transferred + skipped + failed + excluded +   pending │  verified
 12,412,907     7,571,203         0        3          0   4,841,701 │ 7,571,203
 ✗ 3 failed: 2 changed while read, 1 unreadable
 03:09:42 limit set
 03:11:58 agent-2: x.svs changed: sent again
 Ctrl-C leaves it running.
""")


def test_transferring_in_ascii_with_agents_that_need_a_look() -> None:
    agents = (_agent(1), _agent(2, "stalled", bytes_per_second=0, files_per_second=0), _agent(3, "lost", in_flight=0))
    assert view(_snapshot(agents=agents, events=()), NOW, ASCII) == _golden("""
 lab-images  /mnt/lab -> s3://lab/img               TRANSFERRING  live  03:12:07
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58.
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ######..... 61 %  listed all
 3 agents: 1 moving, ! 1 STALLED, x 1 LOST
   agent-1    moving    539 MB/s    134 files/s   32/64 open  2023/Ma...hing.svs
 ! agent-2    STALLED      0 B/s      0 files/s   32/64 open  2023/Ma...hing.svs
 x agent-3    LOST      539 MB/s    134 files/s    0/64 open  2023/Ma...hing.svs
 discovered = transferred + skipped + failed + excluded +   pending |  verified
 12,412,907     7,571,203         0        3          0   4,841,701 | 7,571,203
 x 3 failed: 2 changed while read, 1 unreadable
""")


def test_preparing() -> None:
    snapshot = _empty(status=Status.PREPARING, agents=(AgentSnapshot("agent-1", "starting"),))
    assert view(snapshot, NOW, LOOK) == _golden("""
 lab-images  /mnt/lab → s3://lab/img                   PREPARING  live  03:12:07
 Listing the source; the first files follow within seconds.
 0 B/s  0 files/s  copied 0 B of at least 0 B  0 folders so far
 1 agent: 1 starting
   agent-1    starting     0 B/s      0 files/s     0/0 open
 discovered = transferred + skipped + failed + excluded + pending │ verified
          0             0         0        0          0         0 │        0
""")


def test_an_incremental_run_counts_what_it_checked_and_gives_no_percent_while_it_lists() -> None:
    totals = Totals(
        Tally(discovered=3_100_000, transferred=12_000, skipped=2_900_000),
        Tally(discovered=40_512),
        Bytes(source=9_000_000_000_000, transferred=21_000_000_000, pending=100_000_000_000),
    )
    assert view(_empty(totals=totals, files_per_second=7_650.0), NOW, LOOK)[1:3] == _golden("""
 No estimate yet: the listing goes on.
 0 B/s  7.65 k files/s  checked 2.91 M of at least 3.10 M files  copied 21.0 GB
""")


def test_paused() -> None:
    snapshot = _snapshot(status=Status.PAUSED, bytes_per_second=0.0, files_per_second=0.0, agents=(), events=())
    assert view(snapshot, NOW, LOOK) == _golden("""
 lab-images  /mnt/lab → s3://lab/img                      PAUSED  live  03:12:07
 Paused: nothing is sent. Go on: xsync resume 20250513-214847-lab-images-3f2a
 0 B/s  0 files/s  copied 29.4 TB of 48.1 TB  ██████████······· 61 %  listed all
 discovered = transferred + skipped + failed + excluded +   pending │  verified
 12,412,907     7,571,203         0        3          0   4,841,701 │ 7,571,203
 ✗ 3 failed: 2 changed while read, 1 unreadable
""")


def test_runner_gone_says_what_is_safe_and_how_to_go_on() -> None:
    gone = _snapshot(heartbeat_at=NOW - 266, runner_alive=False, message="No space left on device: /var/lib/xsync")
    assert view(gone, NOW, LOOK) == _golden("""
 lab-images  /mnt/lab → s3://lab/img          RUNNER GONE since 03:07:41 (4 min)
 ✗ The runner (pid 21634 on agent-01) ended about 03:07:41. Nothing moves.
   Safe: 7,571,203 files transferred, no half file under its final name.
   4,841,701 files left. Go on: xsync resume 20250513-214847-lab-images-3f2a
   Last words: No space left on device: /var/lib/xsync
 copied 29.4 TB of 48.1 TB  ████████████········ 61 %  listed all
 discovered = transferred + skipped + failed + excluded +   pending │  verified
 12,412,907     7,571,203         0        3          0   4,841,701 │ 7,571,203
 ✗ 3 failed: 2 changed while read, 1 unreadable
 03:09:42 limit set
 03:11:58 agent-2: x.svs changed: sent again
""")


def _ended(status: Status, **changes: Any) -> Snapshot:
    totals = Totals(
        Tally(discovered=12_412_907, transferred=12_412_907, verified=12_412_907),
        Tally(discovered=213_044),
        Bytes(source=48_100_000_000_000, transferred=48_100_000_000_000),
        listing_complete=True,
    )
    usual: dict[str, Any] = {"totals": totals, "ended_at": NOW - 60, "runner_alive": False, "failure_counts": {}}
    return _snapshot(status=status, events=(), **{**usual, **changes})


def test_success() -> None:
    assert view(_ended(Status.SUCCESS), NOW, LOOK) == _golden("""
 lab-images  /mnt/lab → s3://lab/img                           SUCCESS  03:11:07
 12,412,907 files, 48.1 TB transferred in 5 h 22.
 copied 48.1 TB of 48.1 TB  ████████████████████ 100 %  listed all
 discovered = transferred + skipped + failed + excluded + pending │   verified
 12,412,907    12,412,907         0        0          0         0 │ 12,412,907
""")


def test_a_run_that_had_nothing_to_send_says_so() -> None:
    unchanged = Totals(Tally(discovered=743, skipped=743), Tally(discovered=9), Bytes(2_000), True)
    assert sentence(_ended(Status.SUCCESS, totals=unchanged), NOW, LOOK) == (
        "Nothing had to be sent: 743 files looked at in 5 h 22."
    )
    [first, *_] = summary_lines(
        _ended(Status.SUCCESS, totals=unchanged), [], {"transfer_seconds": 1.0}, LOOK._replace(color=False), gone=False
    )
    assert first == " lab-images  SUCCESS  nothing had to be sent, in 5 h 22"
    report = {"transfer_seconds": 1.0, "files": {"skipped": 743}, "skipped": {"special": 3}}
    lines = summary_lines(_ended(Status.SUCCESS, totals=unchanged), [], report, LOOK._replace(color=False), gone=False)
    assert " skipped: 3 special (FIFOs, sockets, devices); 740 unchanged" in lines
    empty = Totals(Tally(), Tally(discovered=1), Bytes(), True)
    assert sentence(_ended(Status.SUCCESS, totals=empty), NOW, LOOK) == (
        "Nothing had to be sent: no file was found in 5 h 22."
    )


def test_done_but_some_failed() -> None:
    totals = Totals(
        Tally(discovered=1_000, transferred=996, failed=4), Tally(discovered=9), Bytes(2_000_000, 1_990_000), True
    )
    snapshot = _ended(Status.ERROR, totals=totals, failure_counts={"unreadable": 4}, message="done, but 4 files failed")
    assert view(snapshot, NOW + 86_400, LOOK) == _golden("""
 lab-images  /mnt/lab → s3://lab/img                         ERROR  03:11:07 Wed
 4 of 1,000 files failed. 996 files, 1.99 MB transferred in 5 h 22.
 ! done, but 4 files failed
 copied 1.99 MB of 2.00 MB  ███████████████████· 99 %  listed all
 discovered = transferred + skipped + failed + excluded + pending │ verified
      1,000           996         0        4          0         0 │        0
 ✗ 4 failed: 4 unreadable
""")


def test_folders_that_failed_are_told_apart_for_causes_count_them_too() -> None:
    def said(files: int, folders: int) -> list[str]:
        totals = Totals(files=Tally(40, failed=files), folders=Tally(5, failed=folders))
        found = _snapshot(totals=totals, failure_counts={"key too long": files + folders})
        return [line.text for line in failed_lines(found, Look())]

    assert said(30, 1) == [" ✗ 30 files and 1 folder failed: 31 key too long"]
    assert said(0, 2) == [" ✗ 2 folders failed: 2 key too long"]
    assert said(3, 0) == [" ✗ 3 failed: 3 key too long"]
    assert said(0, 0) == []


def test_a_verification_that_found_differences_is_no_early_end_that_could_go_on() -> None:
    found = "verification found 1 differences (1 size)"
    shown = "\n".join(view(_ended(Status.ERROR, message=found), NOW, LOOK))
    assert "Nothing is left to copy, but it failed. 12,412,907 files" in shown
    assert found in shown
    assert "resume" not in shown


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.ERROR, " Ended early, 4,841,701 files left. Go on: xsync resume 20250513-214847-lab-images-3f2a"),
        (Status.INTERRUPTED, " 4,841,701 files left. Go on: xsync resume 20250513-214847-lab-images-3f2a"),
        (Status.CANCELLED, " Cancelled with 4,841,701 files left. Finished files stay."),
        (Status.CANCELLING, " Agents finish what they hold, then all ends. Finished files stay."),
        (Status.LAUNCHING, " Starting agents."),
    ],
)
def test_each_state_has_its_sentence(status: Status, said: str) -> None:
    assert view(_snapshot(status=status, ended_at=NOW), NOW, LOOK._replace(width=120))[1] == said


def test_many_agents_are_cut_to_the_height_and_those_that_need_a_look_stay() -> None:
    agents = tuple(_agent(number, "lost" if number == 60 else "working") for number in range(1, 65))
    lines = view(_snapshot(agents=agents), NOW, LOOK, FOOT)
    assert len(lines) == LOOK.height
    assert lines[3] == " 64 agents: 63 moving, ✗ 1 LOST"
    assert lines[4].startswith(" ✗ agent-60   LOST")
    assert lines[-5] == "   and 49 more: xsync fleet list 20250513-214847-lab-images-3f2a"
    assert lines[-1] == f" {FOOT}"


def test_hostile_names_reach_the_terminal_only_as_escapes() -> None:
    snapshot = _snapshot(
        profile=HOSTILE,
        source=HOSTILE,
        destination=HOSTILE,
        host=HOSTILE,
        message=HOSTILE,
        agents=(_agent(1, HOSTILE, path=HOSTILE), AgentSnapshot(HOSTILE, "working")),
        failure_counts={HOSTILE: 3},
        events=(Event(NOW, HOSTILE, HOSTILE),),
    )
    for each in (snapshot, msgspec.structs.replace(snapshot, runner_alive=False, heartbeat_at=NOW - 99)):
        for look in (LOOK, ASCII):
            text = "".join([*view(each, NOW, look), one_line(each, NOW, look)])
            assert text.isprintable()
            assert "\\x1b]0;" in text
            assert text.isascii() or look.unicode


_NAMES = st.text(st.characters(), max_size=60)


@given(
    _NAMES,
    _NAMES,
    st.sampled_from(Status),
    st.integers(0, 10**13),
    st.integers(20, 200),
    st.integers(1, 40),
    st.booleans(),
    st.booleans(),
)
def test_no_line_is_wider_and_no_block_higher_than_the_terminal(
    name: str, path: str, status: Status, files: int, width: int, height: int, alive: bool, unicode: bool
) -> None:
    snapshot = _snapshot(
        profile=name,
        source=path,
        destination=path,
        status=status,
        message=path,
        runner_alive=alive,
        heartbeat_at=NOW - 60,
        totals=Totals(Tally(discovered=files, failed=files // 2), Tally(files), Bytes(files, files // 3, files // 2)),
        agents=tuple(_agent(number, path=path) for number in range(5)),
    )
    lines = view(snapshot, NOW, Look(width, height, unicode, zone=UTC), FOOT)
    assert len(lines) <= height
    assert all(width_of(line) <= width for line in lines)


def test_the_title_fills_the_width_so_that_its_right_end_stands_still() -> None:
    for width in (60, 80, 200):
        assert width_of(view(_snapshot(), NOW, LOOK._replace(width=width))[0]) == width


def test_colour_only_repeats_what_words_say() -> None:
    plain = view(_snapshot(), NOW, LOOK)
    coloured = view(_snapshot(), NOW, LOOK._replace(color=True))
    assert coloured != plain
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == plain


def test_what_failed_is_not_done_while_it_runs_either() -> None:
    totals = Totals(
        Tally(discovered=100, transferred=40, failed=40),
        Tally(),
        Bytes(source=1_000_000, transferred=400_000, pending=200_000, failed=400_000),
        True,
    )
    assert "40 %" in view(_snapshot(totals=totals), NOW, LOOK)[2]
    few = msgspec.structs.replace(totals, bytes=Bytes())
    assert "40 %" in view(_snapshot(totals=few), NOW, LOOK)[2]
    skipped = Tally(discovered=100, transferred=10, skipped=50, failed=40)
    ended = Totals(skipped, Tally(), Bytes(1_000_000, 100_000, 0, 400_000), True)
    assert "60 %" in view(_ended(Status.ERROR, totals=ended), NOW, LOOK)[2]


def test_it_never_says_100_percent_before_the_end() -> None:
    totals = Totals(Tally(discovered=9, transferred=9), Tally(), Bytes(source=9, transferred=9), True)
    assert "99 %" in view(_snapshot(totals=totals), NOW, LOOK)[2]


@pytest.mark.parametrize(
    ("status", "silence", "alive", "life"),
    [
        (Status.TRANSFERRING, 1, True, Life.LIVE),
        (Status.TRANSFERRING, 1, False, Life.LIVE),
        (Status.TRANSFERRING, 3, True, Life.LIVE),
        (Status.TRANSFERRING, 3, False, Life.GONE),
        (Status.PAUSED, 3, False, Life.GONE),
        (Status.LAUNCHING, 9, False, Life.LIVE),
        (Status.QUEUED, 9, False, Life.LIVE),
        (Status.LAUNCHING, 11, False, Life.GONE),
        (Status.TRANSFERRING, 11, True, Life.SILENT),
        (Status.TRANSFERRING, 11, False, Life.GONE),
        (Status.SUCCESS, 1_000, False, Life.ENDED),
    ],
)
def test_a_runner_is_gone_only_if_it_is_silent_and_its_lock_is_free(
    status: Status, silence: float, alive: bool, life: Life
) -> None:
    assert life_of(_snapshot(status=status, heartbeat_at=NOW - silence, runner_alive=alive), NOW) is life


def test_one_line_holds_the_whole_ledger() -> None:
    assert one_line(_snapshot(), NOW, LOOK) == (
        "03:12:07  TRANSFERRING  12,412,907 found  7,571,203 transferred  0 skipped  3 failed  0 excluded  "
        "4,841,701 pending  29.4 TB  2.17 GB/s  done in 2 h 23 - 2 h 58"
    )


def test_a_silent_runner_shows_for_how_long() -> None:
    title = view(_snapshot(heartbeat_at=NOW - 42), NOW, LOOK)[0]
    assert title.endswith("TRANSFERRING  silent 42 s  03:12:07")


def test_an_agent_of_another_state_is_shown_by_its_word() -> None:
    assert agent_line(AgentSnapshot("agent-9", "idle"), LOOK).text == (
        "   agent-9    idle         0 B/s      0 files/s     0/0 open"
    )


def test_what_is_left_is_a_least_while_the_listing_is_not_complete() -> None:
    sentence = view(_empty(status=Status.INTERRUPTED, ended_at=NOW), NOW, LOOK)[1]
    assert sentence == " at least 0 files left. Go on: xsync resume 20250513-214847-lab-images-3f2a"
