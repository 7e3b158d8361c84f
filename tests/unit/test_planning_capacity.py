"""What limits a fleet, how large it has to be for a target, and what one agent more would do."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planning.capacity import Fleet, binding, busy_seconds, fleet, rate, scaled
from engine.planning.fleet import FleetPlan, size_fleet
from engine.planning.surroundings import Surroundings, default_roofline, limits
from engine.planning.values import Dataset, Figure, Origin, PlanLimit, SizeBin
from tests.unit.planning_values import LIMITS, MEASURED, SAID, datasets, evenly, measured

LARGE = evenly(42_000, 48_100_000_000_000)
LINK = Figure(20e9 / 8, SAID)


def test_an_agent_of_nothing_known_is_as_published() -> None:
    found = default_roofline("4 vCPU")
    assert (found.files_per_second.value, found.bytes_per_second.value) == (3_548, 1.1e9)
    assert found.bytes_per_second.origin.kind == "default"
    assert "Storage Mover" in found.bytes_per_second.origin.source
    assert round(found.knee_bytes) == 310_034


def test_a_stated_cap_lets_its_goodput_through() -> None:
    found = default_roofline("4 vCPU", Figure(5e9 / 8, SAID)).bytes_per_second
    assert found.value == pytest.approx(550e6)
    assert (found.origin.kind, found.origin.source) == ("default", "88 % of the stated cap of 625 MB/s")


def test_a_cap_above_what_an_agent_does_changes_nothing() -> None:
    assert default_roofline("4 vCPU", Figure(100e9, SAID)) == default_roofline("4 vCPU")


def test_twenty_gigabits_and_agents_of_550_megabytes() -> None:
    found = size_fleet(limits(measured(3_500, 550e6), Surroundings(target=LINK)), LARGE, LINK.value)
    assert (found.agents, found.binding.name, found.binding.scope) == (4, "path of one agent", "agent")
    assert found.bytes_per_second == pytest.approx(2_200e6)
    assert found.share == pytest.approx(0.88)
    assert found.wanted_bytes_per_second == pytest.approx(2_125e6)
    assert (found.binding.by, found.next.name) == ("bytes", "link")
    assert found.binding.lifted == found.next.bytes_per_second == pytest.approx(2_500e6)
    table = [(each.agents, round(each.bytes_per_second / 1e6), each.binding) for each in found.what_if]
    assert table == [
        (2, 1_100, "path of one agent"),
        (3, 1_650, "path of one agent"),
        (4, 2_200, "path of one agent"),
        (5, 2_500, "link"),
        (6, 2_500, "link"),
    ]
    assert [each.share for each in found.what_if][3:] == [1.0, 1.0]
    assert found.what_if[2].seconds.likely == pytest.approx(48.1e12 / 2.2e9, rel=1e-3)
    assert "more bandwidth" not in found.advice
    assert "add agents" in found.advice


def test_requests_of_small_files_are_spread_over_the_time_of_large_ones() -> None:
    """Two thirds of 12.4 million files are small: one after the other they would need 40 min of the 3,500 PUT/s."""
    small = SizeBin(1_000, 100_000, 8_300_000, 250_000_000_000)
    mix = Dataset(
        12_400_000, 48_100_000_000_000, 213_044, 10**11, (small, SizeBin(10**5, 10**12, 4_100_000, 47_850 * 10**9))
    )
    found = size_fleet(limits(measured(2_900, 550e6), Surroundings(target=LINK)), mix, LINK.value)
    assert (found.agents, found.binding.name) == (4, "path of one agent")
    assert found.share == pytest.approx(0.8557, abs=1e-3)


def test_small_files_bind_by_their_number() -> None:
    found = limits(measured(1_000, 550e6), Surroundings(target=LINK))
    small = evenly(10_000_000, 100_000_000_000)
    bind = binding(found, small, 3)
    assert (bind.name, bind.by) == ("files of one agent", "files")
    assert bind.bytes_per_second == pytest.approx(3_000 * 10_000)


def test_a_destination_takes_3500_requests_a_second_until_measured() -> None:
    found = limits(measured(3_000, 550e6), Surroundings(target=LINK))
    small = evenly(10_000_000, 100_000_000_000)
    plan = size_fleet(found, small, LINK.value)
    assert (plan.reached, plan.agents, plan.binding.name) == (False, 2, "destination")
    assert plan.bytes_per_second == pytest.approx(3_500 * 10_000)
    assert plan.advice.startswith("No number of agents reaches 2.12 GB/s: the destination allows 35.0 MB/s.")
    assert "ramp" in plan.advice
    measured_there = Surroundings(target=LINK, destination_files=Figure(9_000, MEASURED))
    assert size_fleet(limits(measured(3_000, 550e6), measured_there), small, LINK.value).agents == 3


def test_a_second_agent_does_not_lift_a_cap_of_its_host() -> None:
    around = Surroundings(target=LINK, nic=Figure(10e9 / 8, SAID))
    found = size_fleet(limits(measured(3_500, 550e6), around), LARGE, LINK.value)
    assert (found.agents, found.hosts, found.agents_per_host) == (4, 2, 2)
    alone = size_fleet(limits(measured(3_500, 550e6), around), LARGE, LINK.value, most_hosts=1)
    assert (alone.reached, alone.hosts, alone.binding.name, alone.agents) == (False, 1, "host NIC", 3)
    assert "add hosts" in alone.advice


def test_reading_and_writing_share_an_interface_only_if_its_cap_is_of_both() -> None:
    def nic(around: Surroundings) -> float | None:
        return next(each for each in limits(measured(1, 1), around) if each.name == "host NIC").bytes_per_second

    assert nic(Surroundings(nic=Figure(1e9, SAID))) == 1e9
    assert nic(Surroundings(nic=Figure(1e9, SAID), nic_aggregate=True)) == 0.5e9
    assert nic(Surroundings(nic=Figure(1e9, SAID), nic_aggregate=True, source_remote=False)) == 1e9


def test_every_limit_is_named_with_its_scope_and_unknown_ones_are_left_out() -> None:
    figure = Figure(1e9, SAID)
    around = Surroundings(figure, figure, None, figure, cores=4, tunnels=2, datasync="with agent")
    found = {
        each.name: (each.scope, each.bytes_per_second, each.files_per_second)
        for each in limits(measured(10, 20), around)
    }
    assert found == {
        "link": ("link", 1e9, None),
        "path of one agent": ("agent", 20, None),
        "files of one agent": ("agent", None, 10),
        "source": ("source", 1e9, None),
        "host NIC": ("host", 1e9, None),
        "CPU": ("host", 4e9, 14_800),
        "destination": ("destination", None, 3_500),
        "VPN tunnel": ("link", 2 * 156.25e6, None),
        "DataSync task quota": ("task", 1.25e9, None),
    }
    least = limits(measured(10, 20), Surroundings(objects=False))
    assert [each.name for each in least] == ["path of one agent", "files of one agent"]


def test_limits_that_are_equally_low_are_named_together() -> None:
    found = limits(measured(1e9, 500e6), Surroundings(target=LINK, source_bytes=Figure(2.5e9, MEASURED), objects=False))
    bind = binding(found, LARGE, 5)
    assert (bind.name, bind.also) == ("link", ("path of one agent", "source"))
    assert bind.lifted == pytest.approx(48.1e12 / 42_000 * 5e9, rel=1e-3)


def test_of_limits_that_would_help_alike_the_one_that_costs_the_most_time_binds() -> None:
    small, large = SizeBin(10_000, 100_000, 10_000, 500_000_000), SizeBin(10_000_000, 100_000_000, 20, 500_000_000)
    mixed = Dataset(10_020, 1_000_000_000, bins=(small, large))
    known = limits(measured(3_500, 1.1e9), Surroundings(cores=1))
    path, files, *others = known
    without_files, without_path = fleet([path, *others], 1), fleet([files, *others], 1)
    assert rate(mixed, fleet(known, 1)) < rate(mixed, without_files) == rate(mixed, without_path)
    assert binding(known, mixed, 1).name == "files of one agent"


def test_a_rate_limit_of_the_migration_binds_like_a_link() -> None:
    around = Surroundings(target=LINK, held=Figure(12e6, SAID))
    found = size_fleet(limits(measured(3_500, 550e6), around), LARGE, LINK.value)
    assert (found.agents, found.reached, found.binding.name) == (1, False, "rate limit")
    assert found.bytes_per_second == pytest.approx(12e6)
    assert "the profile's rate limit allows 12.0 MB/s" in found.advice
    assert "options.bytes_per_second" in found.advice


def test_without_a_target_the_fleet_is_what_was_asked_for() -> None:
    found = size_fleet(limits(measured(3_500, 550e6), Surroundings()), LARGE, None, agents=3)
    assert (found.agents, found.share, found.reached) == (3, None, True)
    assert found.bytes_per_second == pytest.approx(1_650e6)
    short = size_fleet(limits(measured(3_500, 550e6), Surroundings(target=LINK)), LARGE, LINK.value, agents=2)
    assert (short.reached, short.agents) == (False, 2)
    assert short.advice.startswith("1.10 GB/s instead of 2.12 GB/s: the limit is each agent's path.")


def test_each_limit_as_the_whole_fleet_meets_it() -> None:
    found = scaled(limits(measured(3_500, 550e6), Surroundings(target=LINK)), evenly(1_000_000, 10**12), 4)
    assert [(each.name, each.count, round(each.bytes_per_second / 1e6)) for each in found] == [
        ("path of one agent", 4, 2_200),
        ("link", 1, 2_500),
        ("destination", 1, 3_500),
        ("files of one agent", 4, 14_000),
    ]


def test_entries_without_bytes_take_requests_too() -> None:
    assert busy_seconds(evenly(10, 0, 20), measured(10, 1e9)) == (3.0, 0.0)
    assert rate(evenly(10, 0, 20), Fleet((measured(10, 1e9),))) == 1e9


@pytest.mark.parametrize(("agents", "hosts"), [(0, 1), (1, 0)])
def test_no_fleet_without_agents_or_hosts(agents: int, hosts: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        fleet([PlanLimit("link", "link", SAID, 1.0)], agents, hosts)


def test_a_limit_of_nothing_is_no_limit() -> None:
    with pytest.raises(ValueError, match="above zero"):
        fleet([PlanLimit("link", "link", SAID, 0.0)], 1)
    with pytest.raises(ValueError, match="above zero"):
        size_fleet([PlanLimit("link", "link", SAID, 1.0)], LARGE, 0.0)


def test_a_plan_is_json() -> None:
    found = size_fleet(limits(measured(3_500, 550e6), Surroundings(target=LINK)), LARGE, LINK.value)
    assert msgspec.json.decode(msgspec.json.encode(found), type=FleetPlan) == found


@given(LIMITS, datasets(), st.integers(1, 50), st.integers(1, 50))
def test_more_agents_and_more_hosts_are_never_slower(
    found: list[PlanLimit], dataset: Dataset, agents: int, hosts: int
) -> None:
    now = rate(dataset, fleet(found, agents, hosts))
    assert rate(dataset, fleet(found, agents + 1, hosts)) >= now * (1 - 1e-9)
    assert rate(dataset, fleet(found, agents, hosts + 1)) >= now * (1 - 1e-9)


@given(LIMITS, datasets(), st.floats(1e3, 1e12), st.one_of(st.none(), st.integers(1, 9)))
def test_the_fleet_is_the_smallest_that_reaches_the_target(
    found: list[PlanLimit], dataset: Dataset, target: float, most_hosts: int | None
) -> None:
    plan = size_fleet(found, dataset, target, most_hosts=most_hosts)

    def best(agents: int) -> float:
        return rate(dataset, fleet(found, agents, min(agents, most_hosts or agents)))

    assert plan.bytes_per_second == pytest.approx(rate(dataset, fleet(found, plan.agents, plan.hosts)))
    assert plan.reached == (plan.bytes_per_second >= 0.85 * target * (1 - 1e-8))
    assert plan.agents == 1 or best(plan.agents - 1) < 0.85 * target
    if plan.work is not None:
        assert not plan.reached
        assert plan.agents <= plan.work.target_agents
    elif not plan.reached:
        assert best(1_000) < 0.85 * target
    rates = [each.bytes_per_second for each in plan.what_if]
    assert all(later >= earlier * (1 - 1e-8) for earlier, later in pairwise(rates))
    assert plan.hosts <= plan.agents <= plan.hosts * plan.agents_per_host


@given(LIMITS, datasets(), st.integers(1, 20))
def test_lifting_what_binds_is_what_helps_most(found: list[PlanLimit], dataset: Dataset, agents: int) -> None:
    bind = binding(found, dataset, agents)
    for index in range(len(found)):
        others = found[:index] + found[index + 1 :]
        lifted = rate(dataset, fleet(others, agents))
        assert bind.lifted is None or bind.lifted >= lifted * (1 - 1e-8)


def test_origins_go_with_the_lowest_limit() -> None:
    default = Origin("default", "published")
    found = fleet([PlanLimit("a", "agent", default, 10.0, 5.0), PlanLimit("b", "link", MEASURED, 15.0, 50.0)], 2)
    assert found.bytes_per_second == Figure(15.0, MEASURED)
    assert found.files_per_second == Figure(10.0, default)
