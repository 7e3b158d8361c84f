"""What a watcher remembers: rates by steps of the clock, since when an agent stands, what it waits for, estimates."""

from __future__ import annotations

import msgspec
import pytest

from engine.model import AgentTimes, Status
from xsync_tui.drawing.agents import in_order
from xsync_tui.drawing.seen import Seen
from xsync_tui.gallery.runs import NOW, agent, fleet, run

START = NOW // 5 * 5


def test_rates_are_means_of_steps_and_nothing_where_nobody_looked() -> None:
    seen = Seen()
    for second, rate in ((0, 10.0), (2, 30.0), (15, 50.0)):
        seen.add(run(agents=(agent(1, bytes_per_second=rate),)), START + second)
    assert seen.rates("agent-1", START + 20, 6) == [None, 20.0, None, None, 50.0, None]
    assert seen.rates("agent-9", START, 2) == [None, None]
    assert seen.best(["agent-1", "agent-9"]) == 50.0


def test_an_agent_stands_since_its_counts_last_changed() -> None:
    seen = Seen()
    for second, size in ((0, 1), (5, 2), (10, 2), (60, 2)):
        seen.add(run(agents=(agent(1, bytes=size),)), START + second)
    assert seen.stands_since("agent-1") == START + 5
    assert seen.stands_since("agent-2") is None


@pytest.mark.parametrize(
    ("late", "waits"),
    [
        (AgentTimes(130, source=48, destination=71, cpu=10), "source"),
        (AgentTimes(130, source=20, destination=98, cpu=10), "destination"),
        (AgentTimes(130, source=20, destination=98, limited=29, cpu=10), "limit"),
        (AgentTimes(130, source=20, destination=70, cpu=38, busiest=28), "cpu"),
        (AgentTimes(130, source=20, destination=70, cpu=10, idle=29), "idle"),
    ],
)
def test_what_an_agent_waits_for_is_of_late_not_since_its_start(late: AgentTimes, waits: str) -> None:
    seen = Seen()
    seen.add(run(agents=(agent(1, times=AgentTimes(100, source=20, destination=70, cpu=10)),)), START)
    latest = agent(1, times=late)
    seen.add(run(agents=(latest,)), START + 30)
    assert seen.waits(latest) == waits


def test_at_the_first_look_it_is_since_the_start_and_without_a_clock_unknown() -> None:
    seen, first = Seen(), agent(1)
    seen.add(run(agents=(first,)), START)
    assert seen.waits(first) == "destination"
    assert seen.waits(agent(2, times=AgentTimes())) is None


def test_an_agent_that_began_anew_is_counted_anew() -> None:
    seen = Seen()
    seen.add(run(agents=(agent(1, times=AgentTimes(100, source=90)),)), START)
    again = agent(1, times=AgentTimes(2, destination=2))
    seen.add(run(agents=(again,)), START + 5)
    assert seen.waits(again) == "destination"


def test_an_estimate_moves_only_by_what_leaves_the_ranges_said_before() -> None:
    seen = Seen()
    seen.add(run(eta_seconds=(9, 10)), START - 30)
    seen.add(run(eta_seconds=(3_600, 4_000)), START)
    assert seen.moved(run(eta_seconds=(3_300, 4_200)), START + 60) is None
    moved = seen.moved(run(eta_seconds=(7_200, 7_600)), START + 60)
    assert moved is not None
    assert (moved.seconds, moved.since) == (3_660, START)
    assert seen.moved(run(eta_seconds=(7_200, 7_600), status=Status.PAUSED), START + 60) is None
    assert seen.moved(run(eta_seconds=(7_200, 7_600)), START + 3_600) is None


def test_agents_stand_in_the_order_of_their_numbers_and_those_that_left_do_not() -> None:
    mixed = (*reversed(fleet(11)), msgspec.structs.replace(agent(3), name="special"), agent(12, "gone"))
    assert [each.name for each in in_order(mixed)][-3:] == ["agent-10", "agent-11", "special"]


def test_what_is_said_while_rates_still_rise_and_before_a_pause_does_not_count() -> None:
    seen = Seen()
    seen.add(run(eta_seconds=(9, 10)), START)
    seen.add(run(eta_seconds=(9, 10)), START + 29)
    assert seen.moved(run(eta_seconds=(7_200, 7_600)), START + 60) is None
    seen.add(run(eta_seconds=(9, 10)), START + 30)
    assert seen.moved(run(eta_seconds=(7_200, 7_600)), START + 60) is not None
    seen.add(run(status=Status.PAUSED), START + 61)
    assert seen.moved(run(eta_seconds=(7_200, 7_600)), START + 62) is None
