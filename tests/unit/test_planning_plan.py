"""Plans as a whole: the story of 20 Gbps and four years of folders, and what holds for any plan."""

from __future__ import annotations

import msgspec
import pytest

from engine.planning.alike import part_of
from engine.planning.plan import Plan
from engine.planning.timetable import Timetable
from engine.planning.values import Dataset
from xsync_tui.gallery.four_years import TB, dataset, example_plan


def test_no_range_begins_before_a_stated_link_could_be_done_and_no_agent_makes_it_end_later() -> None:
    plan = example_plan()
    assert all(row.seconds.low >= plan.dataset.bytes / 2.5e9 for row in plan.what_if)
    ends = [row.seconds.high for row in plan.what_if]
    assert ends == sorted(ends, reverse=True)


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
    data = dataset()
    halves = [part_of(data, data.files // 2, data.bytes // 2, data.files // 2 + 10)] * 2
    assert sum(each.bytes for half in halves for each in half.bins) == pytest.approx(data.bytes, rel=1e-6)
    assert all(half.others == 10 for half in halves)
    assert part_of(Dataset(0, 0), 0, 0, 3) == Dataset(0, 0, 3)
