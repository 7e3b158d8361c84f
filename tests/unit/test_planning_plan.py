"""Plans as a whole: the story of 20 Gbps and four years of folders, and what holds for any plan."""

from __future__ import annotations

import msgspec
import pytest

from engine.planning.cost import RunWork, run_cost
from engine.planning.datasync_cost import datasync_cost
from engine.planning.fleet import size_fleet
from engine.planning.network import datasync_network, network
from engine.planning.partition import DATASYNC, partition
from engine.planning.plan import Costs, Networks, Parts, Plan, make_plan, part_of
from engine.planning.prices import load_prices
from engine.planning.surroundings import Surroundings, default_roofline, limits
from engine.planning.timetable import Timetable
from engine.planning.values import Dataset, Figure, FolderNode, Origin, SizeBin

GBPS = 1e9 / 8
TB = 10**12
STATED = Origin("profile", "network")
YEARS = {b"2022": (3_200_000, 9.8), b"2023": (3_100_000, 11.2), b"2024": (3_000_000, 12.9), b"2025": (3_112_907, 14.2)}


def _dataset() -> Dataset:
    """48.1 TB in 12.4 M files: two thirds of them small."""
    files, size = sum(count for count, _ in YEARS.values()), round(sum(tb for _, tb in YEARS.values()) * TB)
    small = round(files * 0.67)
    bins = (
        SizeBin(1, 100_000, small, small * 20_000),
        SizeBin(100_000, 10_000_000, files - small - 60_000, round(0.15 * size)),
        SizeBin(10_000_000, 10_000_000_000, 60_000, size - small * 20_000 - round(0.15 * size)),
    )
    return Dataset(files, size, 213_044, 4_000_000_000, bins)


def _tree() -> list[FolderNode]:
    data = _dataset()
    nodes = [FolderNode(b"", data.files, data.bytes, 0, 0, data.files + data.others)]
    for year, (files, tb) in YEARS.items():
        size = round(tb * TB)
        nodes.append(FolderNode(year, files, size, 0, 0, files))
        for month in range(12):
            share = FolderNode(b"%s/%02d" % (year, month + 1), files // 12, size // 12, files // 12, size // 12)
            nodes.append(msgspec.structs.replace(share, entries=files // 12))
    return nodes


def example_plan(
    *, level: int | None = 1, datasync: bool = False, agents: int | None = None, timetable: Timetable | None = None
) -> Plan:
    cap = Figure(5 * GBPS, STATED)
    one = default_roofline("4 vCPU", cap)
    around = Surroundings(target=Figure(20 * GBPS, STATED), datasync="with agent" if datasync else None)
    known = limits(one, around)
    data, prices = _dataset(), load_prices()
    fleet = size_fleet(known, data, 20 * GBPS, agents=agents)
    cut = partition(_tree(), fleet.agents, round(one.knee_bytes), level=level, limits=DATASYNC if datasync else None)
    parts = Parts(
        source="file:///mnt/lab",
        destination="s3://lab-archive/images",
        surveyed_at=1.0,
        dataset=data,
        utilisation=0.85,
        fleet=fleet,
        roofline=one,
        limits=known,
        partition=cut,
        cost=Costs(run_cost(RunWork(data), prices), None, (datasync_cost("BASIC", data, prices, tasks=4),)),
        network=Networks(network("nfs", "s3"), datasync_network("nfs", "s3", "PRIVATE_LINK", tasks=4)),
        start_at=1_000_000.0,
        helps=not datasync,
    )
    return make_plan(parts, timetable)


def test_hours_with_limits_that_double_the_time_are_what_limits() -> None:
    assert example_plan().answer.endswith("The limit is each agent's path.")
    assert example_plan(timetable=Timetable((), always=1.5e9)).answer.endswith("The limit is each agent's path.")
    assert example_plan(timetable=Timetable((), always=0.5e9)).answer.endswith("The limit is the timetable.")


def test_four_agents_of_5_gbps_take_a_year_each_and_fill_88_percent_of_20() -> None:
    plan = example_plan()
    assert (plan.agents, plan.binding_limit.name, plan.binding_limit.scope) == (4, "path of one agent", "agent")
    assert plan.limits[0].name == "path of one agent"
    assert plan.limits[0].bytes_per_second == pytest.approx(4 * 550e6)
    assert plan.share == pytest.approx(0.86, abs=0.02)  # 88 % of large files alone; small ones cost a little
    assert [task.include for task in plan.tasks if task.include] == [(f"/{year}",) for year in (2022, 2023, 2024, 2025)]
    assert sorted(task.agent for task in plan.tasks if task.include) == [1, 2, 3, 4]
    assert plan.answer.startswith("4 agents copy 48.1 TB in ")
    assert "The limit is each agent's path." in plan.answer
    hours = plan.duration_seconds.low / 3_600, plan.duration_seconds.high / 3_600
    assert hours[0] < 48.1 * TB / 2.2e9 / 3_600 * 1.03 < hours[1]
    assert plan.network.datasync is not None
    assert plan.network.datasync.addresses == 16


def test_a_wide_range_and_what_it_rests_on_are_said() -> None:
    plan = example_plan()
    assert any("88" in origin.source for origin in plan.rests_on)
    assert all(origin.kind in ("default", "profile") for origin in plan.rests_on)
    assert plan.done_at == (1_000_000.0 + plan.duration_seconds.low, 1_000_000.0 + plan.duration_seconds.high)
    assert any("xsync test-run" in warning for warning in plan.warnings) == (
        plan.duration_seconds.high > 2 * plan.duration_seconds.low
    )


def test_a_year_that_is_too_heavy_is_named_where_tasks_are_asked_for_by_year() -> None:
    plan = example_plan(level=1)
    assert plan.imbalance > 0.10
    assert any("more to do than an even share" in warning and "2025" in warning for warning in plan.warnings)
    assert example_plan(level=None).imbalance <= 0.10


def test_on_datasync_nobody_helps_the_slowest_task() -> None:
    ours, theirs = example_plan(), example_plan(datasync=True)
    slowest = max(task.begins + task.seconds.likely for task in theirs.tasks)
    assert theirs.duration_seconds.likely == pytest.approx(slowest, rel=0.02)
    assert theirs.duration_seconds.likely > ours.duration_seconds.likely
    assert not any(task.helped for task in theirs.tasks)


def test_a_plan_survives_json() -> None:
    plan = example_plan()
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
    shown = msgspec.to_builtins(plan)
    for key in ("target_bytes_per_second", "agents", "binding_limit", "limits", "what_if", "tasks", "duration_seconds"):
        assert key in shown
    assert set(shown["duration_seconds"]) == {"low", "likely", "high"}


def test_parts_of_a_dataset_add_up_to_it() -> None:
    data = _dataset()
    halves = [part_of(data, data.files // 2, data.bytes // 2, data.files // 2 + 10)] * 2
    assert sum(each.bytes for half in halves for each in half.bins) == pytest.approx(data.bytes, rel=1e-6)
    assert all(half.others == 10 for half in halves)
    assert part_of(Dataset(0, 0), 0, 0, 3) == Dataset(0, 0, 3)
