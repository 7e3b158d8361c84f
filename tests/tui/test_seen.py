"""What a watcher remembers and what the journal tells: since when an agent stands, what it waits for, estimates."""

from __future__ import annotations

import msgspec
import pytest

from engine.journal.records import Estimate
from engine.model import AgentTimes, Limit, Status
from xsync_tui.drawing.agents import in_order
from xsync_tui.drawing.graph import Window
from xsync_tui.drawing.past import AgentPast, Past, moved, window_end
from xsync_tui.drawing.seen import Seen
from xsync_tui.gallery.runs import NOW, agent, fleet, run

START = NOW // 5 * 5


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


def test_what_it_waited_for_a_quarter_of_a_minute_ago_is_no_matter() -> None:
    seen = Seen()
    readings = [AgentTimes(0), AgentTimes(12, destination=12), AgentTimes(23, destination=23, limited=10)]
    for times in readings:
        seen.add(run(agents=(agent(1, times=times),)), START + times.clock)
    assert seen.waits(agent(1, times=readings[-1])) == "limit"


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
    said = [Estimate(START - 30, START + 3_600, START + 4_000, 2e9), Estimate(START, START + 3_600, START + 4_000, 1e9)]
    assert moved(said, run(eta_seconds=(3_300, 4_200)), START + 60) is None
    found = moved(said, run(eta_seconds=(7_200, 7_600)), START + 60)
    assert found is not None
    assert (found.seconds, found.since, found.rate_before) == (3_660, START, 1e9)
    assert moved(said, run(eta_seconds=(7_200, 7_600), status=Status.PAUSED), START + 60) is None
    assert moved(said, run(eta_seconds=(7_200, 7_600)), START + 3_600) is None
    assert moved([], run(eta_seconds=(7_200, 7_600)), START) is None


def test_the_past_of_an_agent_ends_now_and_tells_since_when_it_stands() -> None:
    past = AgentPast(Window(START, 5.0, 20), {"agent-1": {1: 30.0, 2: 10.0, 3: 0.0}, "agent-2": {}})
    assert past.line("agent-1", START + 22) == [None, 30.0, 10.0, 0.0, None]
    assert past.line("agent-9", START + 4) == [None]
    assert past.best(["agent-1", "agent-2", "agent-9"]) == 30.0
    assert past.stands_since("agent-1") == START + 15
    assert past.stands_since("agent-2") is None


def test_the_window_is_what_is_agreed_else_where_the_limit_falls_below_the_rate() -> None:
    snapshot = run(limit_until=START + 60, bytes_per_second=2e9)
    assert window_end(Past(then=Limit(1e9)), snapshot) == START + 60
    assert window_end(Past(then=Limit(3e9)), snapshot) is None
    assert window_end(Past(then=Limit(None)), snapshot) is None
    assert window_end(Past(then=Limit(1e9), window_ends=START), snapshot) == START


def test_agents_stand_in_the_order_of_their_numbers_and_those_that_left_do_not() -> None:
    mixed = (*reversed(fleet(11)), msgspec.structs.replace(agent(3), name="special"), agent(12, "gone"))
    assert [each.name for each in in_order(mixed)][-3:] == ["agent-10", "agent-11", "special"]
