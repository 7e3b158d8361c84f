"""The bell: at the first need of a human and at the end, never at the first look, never twice."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.model import Snapshot, Status
from xsync_tui.alarm import Alarm
from xsync_tui.gallery.runs import NOW, fleet, run


def _heard(*looks: Snapshot) -> list[bool]:
    alarm = Alarm()
    return [alarm.rings(each, NOW) for each in looks]


def _ended(status: Status = Status.SUCCESS, **more: Any) -> Snapshot:
    return run(status=status, ended_at=NOW, runner_alive=False, **more)


def test_it_rings_once_when_a_human_is_needed_and_once_at_the_end() -> None:
    lost, more = run(agents=fleet(4, a2="lost")), run(agents=fleet(4, a2="lost", a3="stalled"))
    looks = (run(), run(), lost, more, run(), lost, _ended(), _ended())
    assert _heard(*looks) == [False, False, True, False, False, False, True, False]


def test_a_runner_that_is_gone_and_a_message_need_one_and_failures_do_not() -> None:
    gone = run(heartbeat_at=NOW - 60, runner_alive=False)
    assert _heard(run(), gone) == [False, True]
    assert _heard(run(), run(message="the state disk is full")) == [False, True]
    assert _heard(run(failure_counts={}), run(failure_counts={"unreadable": 9})) == [False, False]


def test_what_had_ended_before_the_first_look_is_no_news_and_each_run_has_its_own() -> None:
    assert _heard(_ended(), _ended()) == [False, False]
    other = msgspec.structs.replace(run(), execution="another")
    assert _heard(run(), other, _ended(Status.ERROR), _ended(execution="another")) == [False, False, True, True]
