"""How many agents some work can use, and how many of them a host holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.execution import expand
from engine.planning.capacity import fleet
from engine.planning.estimate import DEFAULTS, EstimateOptions, estimate
from engine.planning.fleet import FleetPlan, size_fleet
from engine.planning.hosting import AGENT_BYTES, HostRoom, host_room
from engine.planning.surroundings import Surroundings, default_roofline, limits
from engine.planning.useful import (
    AGENT_SECONDS,
    BATCH_BYTES,
    BATCH_FILES,
    HOST_SECONDS,
    Useful,
    Work,
    pieces_of,
    useful,
    work_of,
)
from engine.planning.values import Dataset, Figure, PlanLimit
from tests.unit.planning_values import LIMITS, SAID, datasets, evenly, measured

GB, TB, PB = 10**9, 10**12, 10**15
LINK = Figure(20e9 / 8, SAID)
WHOLE = EstimateOptions(whole_files=True)

SECONDS = st.floats(0.0, 1e7)
WORKS = st.builds(Work, SECONDS, SECONDS, SECONDS, st.floats(0.0, 1e4), st.floats(0.0, 1.0), st.integers(1, 80))


def _planned(dataset: Dataset, cores: int | None = None, room: HostRoom | None = None) -> FleetPlan:
    around = Surroundings(target=LINK, cores=cores, destination_files=Figure(1e9, SAID))
    return size_fleet(limits(default_roofline(), around), dataset, LINK.value, room=room)


def test_three_thousand_tiny_files_take_one_agent_however_fast_the_link_is() -> None:
    found = _planned(evenly(3_000, 3_000_000), cores=2)
    assert (found.agents, found.hosts, found.reached) == (1, 1, False)
    assert found.work is not None
    assert (found.work.kind, found.work.target_agents, found.work.target_hosts) == ("start", 599, 288)
    assert found.work.saves < AGENT_SECONDS
    assert "less than 1 s sooner" in found.advice
    assert found.advice.endswith("another agent would save less than the 1.5 s that it takes to start")
    assert [each.agents for each in found.what_if] == [1, 2, 3]


def test_a_gigabyte_in_twelve_thousand_files_is_done_in_seconds_by_a_few() -> None:
    found = _planned(evenly(12_000, GB), cores=2)
    assert (found.agents, found.hosts) == (2, 1)
    assert found.what_if[1].seconds.high < 10


@pytest.mark.parametrize(
    ("files", "agents", "hosts"), [(10**6, 2, 1), (10**9, 2, 1), (10**10, 6, 1), (10**12, 599, 36)]
)
def test_a_petabyte_gets_its_proper_fleet(files: int, agents: int, hosts: int) -> None:
    found = _planned(evenly(files, PB), cores=16)
    assert (found.agents, found.hosts, found.reached, found.work) == (agents, hosts, True, None)


def test_agents_are_not_more_than_pieces_of_slow_work() -> None:
    slow = limits(measured(1.0, 1e6), Surroundings(target=LINK))
    found = size_fleet(slow, evenly(3_000, 3_000_000), LINK.value)
    assert found.work is not None
    assert (found.agents, found.work.kind, found.work.why) == (
        3,
        "pieces",
        "it divides into 3 pieces, and an agent does one at a time",
    )


def test_another_host_has_to_save_what_preparing_it_takes() -> None:
    small = _planned(evenly(10**8, 100 * GB), cores=2)
    assert small.work is not None
    assert (small.work.kind, small.work.target_hosts) == ("host", 288)
    assert small.hosts == 5
    assert "another host would save less than the 10 min" in small.advice


def test_a_file_that_one_agent_sends_from_end_to_end_needs_no_others_beside_it() -> None:
    known = limits(measured(3_500, 100e6), Surroundings(target=LINK))
    two = size_fleet(known, evenly(2, TB), LINK.value, options=WHOLE)
    assert two.work is not None
    assert (two.agents, two.work.kind) == (2, "pieces")
    more = Dataset(1_000, 10 * GB, 0, 5 * GB, evenly(1_000, 10 * GB).bins)
    found = size_fleet(known, more, LINK.value, options=WHOLE)
    assert found.work is not None
    assert (found.agents, found.work.target_agents, found.work.kind) == (6, 22, "largest file")


def test_agents_without_a_task_are_not_planned_where_none_helps_another() -> None:
    known = limits(measured(3_500, 110e6), Surroundings(target=LINK))
    found = size_fleet(known, evenly(200, TB), LINK.value, tasks=4, options=WHOLE)
    assert found.work is not None
    assert (found.agents, found.work.kind, found.work.target_agents) == (4, "tasks", 20)
    assert "it is cut into 4 tasks, and no agent helps with the task of another" in found.advice
    assert found.work.lift == "cut it into more tasks"
    rates = [each.bytes_per_second for each in found.what_if]
    assert rates[2] == rates[3] == rates[4] == pytest.approx(440e6)
    asked = size_fleet(known, evenly(200, TB), LINK.value, tasks=4, options=WHOLE, agents=9)
    assert (asked.agents, asked.idle) == (9, 5)
    assert asked.bytes_per_second == pytest.approx(440e6)
    assert size_fleet(known, evenly(200, TB), LINK.value, tasks=30, options=WHOLE).work is None


def test_agents_that_were_asked_for_are_on_no_more_hosts_than_are_worth_it() -> None:
    known = limits(default_roofline(), Surroundings(cores=2, objects=False))
    assert size_fleet(known, evenly(12_000, GB), None, agents=4).hosts == 1
    assert size_fleet(known, evenly(10**9, 10 * TB), None, agents=4).hosts == 2


def test_a_fleet_that_was_asked_for_is_left_alone() -> None:
    asked = size_fleet(limits(default_roofline(), Surroundings(target=LINK)), evenly(3, 3), LINK.value, agents=9)
    assert (asked.agents, asked.idle) == (9, 8)


def test_what_is_done_in_seconds_is_not_said_to_miss_its_target() -> None:
    puts = limits(default_roofline(), Surroundings(target=LINK))
    for agents in (None, 600):
        found = size_fleet(puts, evenly(12_000, GB), LINK.value, agents=agents)
        assert (found.agents, found.binding.name, found.reached) == (agents or 1, "destination", False)
        assert found.work is not None
        assert (found.work.kind, round(found.work.saves, 1)) == ("soon", 3.0)
        assert "does not matter" in found.advice
    assert found.idle == 585
    long = size_fleet(puts, evenly(12_000_000, GB), LINK.value)
    assert long.work is None
    assert "No number of agents" in long.advice


def test_pieces_are_those_that_agents_get() -> None:
    assert (BATCH_FILES, BATCH_BYTES) == (expand.BATCH_ROWS, expand.BATCH_BYTES)
    assert pieces_of(evenly(1, 160 << 20)) == 10
    assert pieces_of(evenly(2_001, 2_001)) == 3
    assert pieces_of(Dataset(0, 0, 2_500)) == 3
    assert pieces_of(evenly(100, 1_000 << 20)) == 16
    assert pieces_of(Dataset(0, 0)) == 1
    assert pieces_of(evenly(7, 160 << 20), whole_files=True) == 7


@given(WORKS, st.integers(1, 30), st.integers(1, 8))
def test_no_other_fleet_is_worth_more(work: Work, agents: int, hosts: int) -> None:
    def all_in(agents: int, hosts: int) -> float:
        return work.seconds(agents, hosts) + AGENT_SECONDS * agents + HOST_SECONDS * (hosts - 1)

    hosts = min(agents, hosts)
    found = useful(work, agents, hosts)
    assert 1 <= found.hosts <= hosts
    assert found.hosts <= found.agents <= max(agents, 1)
    assert found.agents <= work.pieces
    most = min(agents, work.pieces)
    others = [all_in(count, each) for each in range(1, min(hosts, most) + 1) for count in range(each, most + 1)]
    assert all_in(*found) <= min(others) * (1 + 1e-9) + 1e-6


@given(WORKS, st.integers(1, 300), st.integers(1, 9), st.floats(1.0, 50.0))
def test_more_work_never_takes_fewer_agents(work: Work, agents: int, hosts: int, times: float) -> None:
    more = work._replace(agent=work.agent * times, host=work.host * times, shared=work.shared * times)
    found = useful(work, agents, min(agents, hosts))
    assert useful(more, agents, min(agents, hosts)).agents >= found.agents
    assert useful(work, agents + 5, min(agents, hosts)).agents >= found.agents


@given(LIMITS, datasets(), st.integers(1, 9), st.integers(1, 3), st.booleans())
def test_the_time_is_that_of_the_estimate(
    known: list[PlanLimit], dataset: Dataset, agents: int, hosts: int, whole: bool
) -> None:
    work = work_of(known, dataset, WHOLE if whole else DEFAULTS)._replace(pieces=10**9)
    likely = estimate(dataset, fleet(known, agents, hosts), fleet(known, 1), WHOLE if whole else DEFAULTS).likely
    assert work.seconds(agents, hosts) == pytest.approx(likely, rel=1e-6, abs=1e-9)


def test_a_host_holds_what_its_cores_memory_and_descriptors_do() -> None:
    assert host_room(2, 64 << 30, None) == HostRoom(8, "cores", "4 a core by rule of thumb, 2 cores")
    assert host_room(1, 64 << 30, 1_024) == HostRoom(4, "cores", "4 a core by rule of thumb, 1 core")
    assert host_room(16, 10 * AGENT_BYTES + 5, 1_024) == HostRoom(10, "memory", "3.15 GB of memory available")
    assert host_room(200, 1 << 40, 1_024) == HostRoom(224, "open files", "1,024 open files a process")
    assert host_room(2, 100 << 20, None).agents == 1


def test_what_this_host_can_start_of_a_larger_fleet() -> None:
    data, room = evenly(10**10, PB), host_room(1, 64 << 30, None)
    found = _planned(data, cores=1, room=room)
    assert (found.agents, found.hosts) == (6, 6)
    assert found.here is not None
    assert (found.here.agents, found.here.hosts, found.here.binding) == (2, 1, "CPU")
    assert found.here.seconds.likely > found.what_if[2].seconds.likely
    asked = size_fleet(limits(default_roofline(), Surroundings()), data, None, agents=9, room=room)
    assert asked.here is not None
    assert (asked.here.agents, asked.room) == (4, room)
    assert _planned(data, cores=16, room=host_room(16, 64 << 30, None)).here is None
    assert _planned(data, cores=1).here is None


def test_of_nothing_there_is_one_agent() -> None:
    assert useful(Work(0.0, 0.0, 0.0, 0.0, 0.0, 1), 600, 9) == Useful(1, 1)
