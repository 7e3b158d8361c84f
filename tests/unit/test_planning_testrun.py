"""What follows from the steps of a test run: attribution, fit, curve, verdict, and what changes in the plan."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model import AgentTimes
from engine.planning.attribution import between, shares_of
from engine.planning.candidates import seconds_of
from engine.planning.fitting import Fit, Scaling, assumed, fit, predicted, scaling
from engine.planning.measurement import Link, Shares, Step, Verdict, held_back
from engine.planning.values import Roofline, SizeBin
from engine.planning.verdict import changes, judge, seconds_left

DEFAULT = assumed(None, None, None, None)
LARGE = (SizeBin(1 << 24, 1 << 26, 100, 100 * (20 << 20)),)
SMALL = (SizeBin(1 << 12, 1 << 14, 100_000, 100_000 * 8_000),)
_TIMES = ("clock", "source", "destination", "limited", "idle", "cpu", "busiest")
WAITING = Shares(source=0.1, cpu=0.1, destination=0.8)


def step(
    agents: int, roofline: Roofline, bins: tuple[SizeBin, ...] = LARGE, worth: float | None = None, **more: Any
) -> Step:
    """A steady step of agents of this roofline; ``worth``: of how many alone, all by default."""
    worth = agents if worth is None else worth
    seconds = seconds_of(bins, roofline) / worth
    files, size = sum(each.files for each in bins) / seconds, sum(each.bytes for each in bins) / seconds
    values: dict[str, Any] = {
        "agents": agents,
        "folders": ("a",),
        "distance": 0.0,
        "ended": "steady",
        "seconds": 30.0,
        "files_per_second": files,
        "bytes_per_second": size,
        "spread": 0.02,
        "steady_after": 31.0,
        "bins": bins,
        "each": ((files / agents, size / agents),) * agents,
        "shares": WAITING,
        "cores": 0.1,
        "host_cpu": 0.2,
        "whole_seconds": 40.0,
        "moved_files": 10_000,
    }
    return Step(**(values | more))


def agent(files: float, size: float) -> Roofline:
    return assumed(None, files, size, 0.0)


def concluded(steps: list[Step], ahead: int = 4) -> tuple[Verdict, Fit, Scaling]:
    one = fit(steps, DEFAULT, 0.0)
    curve = scaling(steps, one)
    return judge(steps, one, curve, ahead, steps[0].bins), one, curve


# -- attribution ---------------------------------------------------------------------------------------------------


def test_shares_sum_up_and_name_what_threads_waited_for() -> None:
    found = shares_of([AgentTimes(clock=10, source=2, destination=30, idle=1, cpu=1, busiest=1.5)])
    assert sum(msgspec.structs.astuple(found)) == pytest.approx(1)
    assert found.largest == "destination"
    assert found.idle == pytest.approx(0.1)
    assert found.cpu == pytest.approx(0.15)


def test_requests_in_flight_while_nobody_waits_are_the_destinations() -> None:
    assert shares_of([AgentTimes(clock=10, source=0.5, destination=0)]).destination == pytest.approx(0.95)


def test_many_readers_that_wait_for_the_source_are_the_source() -> None:
    assert shares_of([AgentTimes(clock=10, source=150, destination=5)]).largest == "source"


def test_a_limit_takes_what_was_waited_for_it() -> None:
    found = shares_of([AgentTimes(clock=10, source=1, destination=20, limited=9)])
    assert found.largest == "limit"


def test_waiting_for_a_processor_is_cpu() -> None:
    assert shares_of([AgentTimes(clock=10, source=9, cpu=3, busiest=9)]).cpu == pytest.approx(0.9)


@given(st.lists(st.tuples(*[st.floats(0, 100)] * 7), max_size=5))
def test_shares_are_shares(values: list[tuple[float, ...]]) -> None:
    spent = [msgspec.convert(dict(zip(_TIMES, each, strict=True)), AgentTimes) for each in values]
    found = msgspec.structs.astuple(shares_of(spent))
    assert all(-1e-9 <= share <= 1 + 1e-9 for share in found)
    assert sum(found) == pytest.approx(1 if any(each.clock for each in spent) else 0, abs=1e-6)


def test_counters_of_an_agent_that_began_anew_add_nothing() -> None:
    assert between(AgentTimes(clock=50, cpu=9, slowed=3), AgentTimes(clock=2, cpu=1)) == AgentTimes()


# -- fit -----------------------------------------------------------------------------------------------------------


def test_large_files_show_bytes_alone() -> None:
    one = fit([step(1, agent(2_000, 550e6))], DEFAULT, 7.0)
    assert (one.bytes_measured, one.files_measured) == (True, False)
    assert one.roofline.bytes_per_second.value == pytest.approx(550e6, rel=0.01)
    assert one.roofline.bytes_per_second.origin.at == 7.0
    assert one.roofline.files_per_second.origin.kind == "default"
    assert "files/s were not at work: still default" in one.note


def test_small_files_show_files_alone() -> None:
    one = fit([step(1, agent(800, 550e6), SMALL)], DEFAULT, 0.0)
    assert (one.bytes_measured, one.files_measured) == (False, True)
    assert one.roofline.files_per_second.value == pytest.approx(800, rel=0.01)


@settings(deadline=None)
@given(st.floats(200, 20_000), st.floats(2e7, 5e9))
def test_two_mixes_show_both(files: float, size: float) -> None:
    truth = agent(files, size)
    steps = [step(1, truth, LARGE), step(1, truth, SMALL)]
    one = fit(steps, DEFAULT, 0.0)
    for each in steps:
        assert seconds_of(each.bins, one.roofline) == pytest.approx(seconds_of(each.bins, truth), rel=0.03)
    if one.files_measured and SMALL[0].bytes / SMALL[0].files < 0.5 * size / files:
        assert one.roofline.files_per_second.value == pytest.approx(files, rel=0.03)
    if one.bytes_measured and LARGE[0].bytes / LARGE[0].files > 2 * size / files:
        assert one.roofline.bytes_per_second.value == pytest.approx(size, rel=0.03)


def test_an_agent_slower_than_its_other_rate_allows_moves_both() -> None:
    one = fit([step(1, agent(100, 1e6), LARGE + SMALL)], agent(3.0, 1e9), 0.0)
    assert seconds_of(LARGE + SMALL, one.roofline) == pytest.approx(
        seconds_of(LARGE + SMALL, agent(100, 1e6)), rel=0.02
    )


def test_a_step_that_a_shared_link_holds_back_says_nothing_about_one_agent() -> None:
    truth = agent(2_000, 100e6)
    one = fit([step(1, truth), step(4, truth, worth=1.5)], DEFAULT, 0.0)
    assert one.roofline.bytes_per_second.value == pytest.approx(100e6, rel=0.01)


# -- curve and prediction --------------------------------------------------------------------------------------------


def test_the_story_of_four_agents() -> None:
    truth = agent(3_000, 550e6)
    steps = [step(1, truth), step(2, truth)]
    verdict, one, curve = concluded(steps)
    assert verdict.word == "LINEAR"
    assert verdict.bottleneck is not None
    assert (verdict.bottleneck.name, verdict.bottleneck.scope) == ("the path of one agent", "agent")
    assert verdict.sentence == (
        "Each agent reaches 550 MB/s however many there are: the path of one agent binds; four will bring 2.20 GB/s."
    )
    four = predicted(curve, one, LARGE, 4)
    assert four.low < 2.2e9 < four.high
    (rate, agents) = changes(DEFAULT, one, curve, 0.85 * 2.5e9, LARGE)
    assert (rate.before.low, rate.before.high) == (550e6, 2.2e9)
    assert rate.after.high - rate.after.low < 0.05 * rate.after.likely
    assert (agents.after.low, agents.after.likely) == (4, 4)


@settings(deadline=None)
@given(st.integers(1, 6), st.floats(1.0, 8.0))
def test_more_agents_are_never_predicted_slower(power: int, ceiling: float) -> None:
    truth = agent(1_000, 100e6)
    counts = [2**index for index in range(power + 1)]
    steps = [step(count, truth, worth=min(count, ceiling)) for count in counts]
    one = fit(steps, DEFAULT, 0.0)
    curve = scaling(steps, one)
    found = [predicted(curve, one, LARGE, count) for count in range(1, 100)]
    assert all(a.likely <= b.likely * (1 + 1e-9) for a, b in pairwise(found))
    assert all(each.low <= each.likely <= each.high for each in found)
    if counts[-1] >= 4 * ceiling:
        assert curve.ceiling == pytest.approx(ceiling, rel=0.12)  # what is above 90 % counts as one agent's


# -- verdicts --------------------------------------------------------------------------------------------------------


def test_a_shared_link_is_flat() -> None:
    truth = agent(3_000, 100e6)
    verdict, _, _ = concluded([step(1, truth), step(2, truth, worth=1.02), step(4, truth, worth=1.01)])
    assert verdict.title == "FLAT AFTER 1"
    assert verdict.bottleneck is not None
    assert verdict.bottleneck.scope == "link"
    assert "shared link" in verdict.sentence


@pytest.mark.parametrize(
    ("shares", "host_cpu", "name", "scope"),
    [
        (Shares(source=0.8, destination=0.2), 0.2, "source", "source"),
        (Shares(cpu=0.9, destination=0.1), 0.97, "CPU of this host", "host"),
    ],
)
def test_what_agents_wait_for_names_what_is_shared(shares: Shares, host_cpu: float, name: str, scope: str) -> None:
    truth = agent(3_000, 100e6)
    more: dict[str, Any] = {"shares": shares, "host_cpu": host_cpu}
    verdict, _, _ = concluded([step(1, truth, **more), step(2, truth, worth=1.0, **more)])
    assert verdict.bottleneck is not None
    assert name in verdict.bottleneck.name
    assert verdict.bottleneck.scope == scope


def test_a_step_that_a_limit_held_back_is_no_rate_of_agents_and_lifting_it_was_not_tried() -> None:
    truth = agent(3_000, 100e6)
    held = step(2, truth, worth=1.2, limit=120e6)
    free = step(1, truth)
    one = fit([free], DEFAULT, 0.0)
    verdict = judge([free, held], one, scaling([free], one), 4, LARGE)
    assert verdict.title == "LIMITED"
    assert verdict.sentence == (
        "One agent reaches 100 MB/s; with two the bandwidth limit of 120 MB/s binds, and lifting it was not tried."
    )
    assert verdict.bottleneck is not None
    assert verdict.bottleneck.name == "the bandwidth limit"
    alone = judge([held], None, None, 4, LARGE)
    assert alone.sentence == (
        "Two agents reach 120 MB/s: the bandwidth limit of 120 MB/s binds. What an agent does without it, and whether "
        "more of them help, was not tried."
    )


@pytest.mark.parametrize(
    ("waited", "rate", "limit", "held"),
    [(0.5, 1e6, None, True), (0.0, 9.5e6, 10e6, True), (0.01, 5e6, 10e6, False), (0.01, 5e6, None, False)],
)
def test_a_limit_binds_where_it_is_waited_for_or_all_but_reached(
    waited: float, rate: float, limit: float | None, held: bool
) -> None:
    assert held_back(waited, rate, limit) is held


def test_an_agent_that_computes_all_the_time_is_bound_by_its_cpu() -> None:
    truth = agent(3_000, 100e6)
    busy: dict[str, Any] = {"shares": Shares(cpu=0.95, source=0.05), "host_cpu": 0.4}
    verdict, _, _ = concluded([step(1, truth, **busy), step(2, truth, **busy)])
    assert verdict.word == "LINEAR"
    assert verdict.bottleneck is not None
    assert verdict.bottleneck.name == "the CPU that one agent can use"


def test_a_quota_that_is_used_up_is_named_whatever_threads_seem_to_wait_for() -> None:
    truth = agent(3_000, 100e6)
    verdict, _, _ = concluded([step(1, truth, quota=0.9), step(2, truth, worth=1.0, quota=0.9)])
    assert verdict.bottleneck is not None
    assert verdict.bottleneck.name == "the CPU quota that xsync runs under"


def test_a_full_interface_is_named() -> None:
    truth = agent(3_000, 100e6)
    full = Link("eth0", 119e6, 125e6)
    verdict, _, _ = concluded([step(1, truth), step(2, truth, worth=1.2, link=full)])
    assert verdict.bottleneck is not None
    assert "eth0" in verdict.bottleneck.name
    assert verdict.bottleneck.scope == "host"


def test_one_step_alone_says_nothing_about_more_agents() -> None:
    verdict, _, _ = concluded([step(1, agent(3_000, 550e6))])
    assert verdict.word == "MEASURED"
    assert "--ladder" in verdict.sentence


def test_refusals_are_throttling() -> None:
    verdict, _, _ = concluded([step(1, agent(3_000, 100e6), SMALL, slowed=500)])
    assert verdict.word == "THROTTLED"
    assert "500 times" in verdict.sentence


def test_agents_that_differ_are_named() -> None:
    truth = agent(3_000, 100e6)
    odd = step(4, truth, worth=3.5, each=((5, 100e6), (5, 100e6), (5, 50e6), (5, 100e6)))
    verdict, _, _ = concluded([step(1, truth), step(2, truth), odd])
    assert verdict.word == "UNEVEN"
    assert "agent-3 50.0 MB/s" in verdict.sentence
    assert "agent-1" not in verdict.sentence


def test_without_a_steady_step_nothing_is_concluded() -> None:
    short = step(1, DEFAULT, ended="out of data", whole_seconds=4.0)
    wild = step(1, DEFAULT, ended="out of time", spread=0.4)
    assert judge([short], None, None, 4, LARGE).word == "TOO SMALL"
    assert judge([wild], None, None, 4, LARGE).word == "NOT STEADY"
    assert "40 %" in judge([wild], None, None, 4, LARGE).sentence
    assert "stopped" in judge([step(1, DEFAULT, ended="stopped")], None, None, 4, LARGE).sentence


def test_agents_without_work_are_too_small() -> None:
    verdict, _, _ = concluded([step(1, DEFAULT, shares=Shares(idle=0.7, destination=0.3))])
    assert verdict.word == "TOO SMALL"


def test_steps_that_do_not_count_are_said() -> None:
    truth = agent(3_000, 100e6)
    steps = [step(1, truth), step(2, truth), step(4, truth, ended="out of data")]
    good = steps[:2]
    one = fit(good, DEFAULT, 0.0)
    verdict = judge(steps, one, scaling(good, one), 4, LARGE)
    assert verdict.word == "LINEAR"
    assert verdict.sentence.endswith("Left out: four agents (too little to copy).")


def test_a_target_that_nothing_reaches_changes_no_number_of_agents() -> None:
    truth = agent(3_000, 100e6)
    steps = [step(1, truth), step(2, truth, worth=1.0)]
    one = fit(steps, DEFAULT, 0.0)
    found = changes(DEFAULT, one, scaling(steps, one), 500e6, LARGE)
    assert [each.what for each in found] == ["rate of one agent"]


def test_the_whole_copy_before_and_after_follows_from_the_rates_and_the_link() -> None:
    steps = [step(1, agent(3_000, 500e6)), step(2, agent(3_000, 500e6))]
    one = fit(steps, DEFAULT, 1e9)
    curve = scaling(steps, one)
    size = sum(each.bytes for each in LARGE)
    copy = next(each for each in changes(DEFAULT, one, curve, None, LARGE, 2) if each.unit == "seconds")
    assert copy.what == "full copy, 2 agents"
    assert "rest of it, 2 agents" in [each.what for each in changes(DEFAULT, one, curve, None, LARGE, 2, rest=True)]
    assert copy.after.likely == pytest.approx(size / predicted(curve, one, LARGE, 2).likely)
    assert copy.before.high == pytest.approx(4 * copy.before.low)
    assert copy.after.high - copy.after.low < 0.2 * (copy.before.high - copy.before.low)
    held = seconds_left(LARGE, one, curve, 2, 250e6)
    assert held is not None
    assert (held.low, held.high) == (size / 250e6, size / 250e6)
    assert seconds_left(LARGE, msgspec.structs.replace(one, margin=1.0), curve, 2) is None


def test_no_more_is_promised_than_the_link_carries() -> None:
    steps = [step(1, agent(3_000, 500e6)), step(2, agent(3_000, 500e6))]
    one = fit(steps, DEFAULT, 1e9)
    free = judge(steps, one, scaling(steps, one), 8, LARGE).sentence
    stated = judge(steps, one, scaling(steps, one), 8, LARGE, 1e9).sentence
    assert "eight will bring 1.00 GB/s, all that the stated bandwidth allows." in stated
    assert "stated" not in free


def test_steps_that_nothing_explains_change_no_number_of_agents() -> None:
    steps = [step(1, agent(3_000, 500e6))]
    one = msgspec.structs.replace(fit(steps, DEFAULT, 1e9), margin=1.0)
    found = changes(DEFAULT, one, scaling(steps, one), 500e6, LARGE)
    assert [each.what for each in found] == ["rate of one agent"]
