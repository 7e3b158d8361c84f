"""Durations as ranges: the story's figures, ends in order, tails, tables of hours, tasks, and what is left in a run."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model import LimitRule
from engine.planning.alike import Part, estimate_parts, part_of
from engine.planning.capacity import Fleet, fleet
from engine.planning.estimate import EstimateOptions, circuit_seconds, estimate, remaining, tail_seconds
from engine.planning.surroundings import Surroundings, limits
from engine.planning.tasktimes import TaskTimes, estimate_tasks
from engine.planning.timetable import Timetable
from engine.planning.values import Dataset, Figure, Origin, PlanLimit, Roofline, Seconds, SizeBin
from engine.planning.walltime import wall_seconds
from engine.quantities import format_duration_range, parse_days
from tests.unit.planning_values import FIGURES, LIMITS, MEASURED, RATES, ROOFLINES, SAID, datasets, evenly, measured

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
ALL_WEEK = parse_days("Mon-Sun")


def story(agents: int) -> Fleet:
    around = Surroundings(target=Figure(20e9 / 8, SAID))
    return fleet(limits(measured(2_900, 550e6), around), agents)


def mixed(size: int) -> Dataset:
    """Two thirds of the files are small; they hold one thousandth of the bytes."""
    small = SizeBin(10_000, 100_000, size // 6_000_000, size // 6_000_000 * 30_000)
    large = SizeBin(1_000_000, 10**9, size // 12_000_000, size - small.bytes)
    return Dataset(small.files + large.files, size, 2_000, 10**9, (small, large))


def ordered(found: Seconds) -> bool:
    return 0 <= found.low <= found.likely <= found.high and math.isfinite(found.high)


def test_a_month_by_one_agent_and_all_februaries_by_four() -> None:
    month = estimate(evenly(2_000, 550_000_000_000), story(1), story(1))
    assert month.likely == pytest.approx(1_000)
    assert format_duration_range(month.low, month.high) == "16 - 18 min"
    februaries = estimate(mixed(4_200_000_000_000), story(4), story(1))
    assert 30 * MINUTE <= februaries.low <= februaries.likely <= februaries.high <= 36 * MINUTE
    assert 31 * MINUTE <= februaries.likely <= 34 * MINUTE


def test_a_circuit_takes_at_least_what_its_bits_take() -> None:
    assert circuit_seconds(100 * 10**12, 1e9, 0.8) / DAY == pytest.approx(11.574, abs=1e-3)
    assert circuit_seconds(100 * 10**12, 1e9, 0.8, hours_a_day=12) / DAY == pytest.approx(23.148, abs=1e-3)


def test_the_three_ends_are_all_some_and_no_overlap() -> None:
    dataset = Dataset(1_000, 1_000_000, 0, 999_001, (SizeBin(1, 2, 999, 999), SizeBin(2, 10**6, 1, 999_001)))
    found = estimate(dataset, measured(100, 100_000), options=EstimateOptions(again=0.0))
    assert found.low == pytest.approx(10 * 1.0)
    assert found.likely == pytest.approx(9.99 + 9.99001)
    assert found.high == pytest.approx((9.99 + 9.99001) * 1.08)  # 20.0 s without any overlap are less than the margin


def test_folders_and_links_count_as_files() -> None:
    assert estimate(evenly(0, 0, 1_000), measured(100, 1e9)).likely == pytest.approx(10)


def test_a_slow_listing_holds_everything_up() -> None:
    slow = EstimateOptions(listing=Figure(10.0, MEASURED))
    assert estimate(evenly(1_000, 1_000), measured(100, 1e9), options=slow).likely == pytest.approx(100)


def test_what_is_only_assumed_gives_a_wider_range() -> None:
    assumed = Origin("default", "published")
    dataset = evenly(100, 10**12)
    guess = estimate(dataset, Roofline(Figure(3_500.0, assumed), Figure(550e6, assumed)))
    known = estimate(dataset, measured(3_500, 550e6))
    half = estimate(dataset, Roofline(Figure(3_500.0, assumed), Figure(550e6, MEASURED)))
    assert guess.likely == known.likely == half.likely
    assert guess.high / guess.low > 2 > 1.2 > known.high / known.low
    assert half == known  # files/s that do not bind widen nothing


def test_the_largest_file_is_cut_or_makes_a_tail() -> None:
    one, four = measured(1_000, 100e6), measured(4_000, 400e6)
    huge = evenly(1, 10**12)
    assert estimate(huge, four, one).likely == pytest.approx(2_500, rel=1e-3)
    assert estimate(huge, four, one, EstimateOptions(whole_files=True)).likely == pytest.approx(10_000)
    assert tail_seconds(huge, 10_000, one, whole=True) == 0


def test_reading_back_and_listing_again_come_after_the_copy() -> None:
    dataset, roofline = evenly(1_000, 10**12), measured(1_000, 1e9)
    copied = estimate(dataset, roofline)
    back = estimate(dataset, roofline, options=EstimateOptions(read_back=Figure(2e9, MEASURED)))
    assert back.low == copied.low
    assert back.likely - copied.likely == pytest.approx(500 * 0.98)
    again = EstimateOptions(listing=Figure(100.0, MEASURED), rescan=True)
    assert estimate(dataset, roofline, options=again).likely == pytest.approx(1_010)


def test_a_start_comes_before_the_copy() -> None:
    assert estimate(evenly(1, 10**9), measured(1, 1e9), options=EstimateOptions(start_seconds=5)).likely == 6


def test_hours_with_a_limit_stretch_what_falls_into_them() -> None:
    """10 h at 100 MB/s from 06:00 on; from 08:00 to 18:00 only 25 MB/s: 2 h, 10 h for a quarter, then the rest."""
    timetable = Timetable([LimitRule(ALL_WEEK, 8 * 60, 18 * 60, 25_000_000)])
    start = datetime(2025, 5, 12, 6, tzinfo=UTC).timestamp()
    busy = Seconds(2 * HOUR, 10 * HOUR, 10 * HOUR)
    found = wall_seconds(busy, int(10 * HOUR * 100e6), start, timetable, UTC)
    assert found.likely == pytest.approx(12 * HOUR + (10 - 2 - 2.5) * HOUR)


def test_a_limit_that_always_holds_and_one_that_is_never_reached() -> None:
    dataset, roofline = evenly(10, 10**12), measured(1_000, 1e9)
    free = estimate(dataset, roofline, start=0.0, timetable=Timetable((), 5e9))
    assert free == estimate(dataset, roofline)
    assert estimate(dataset, roofline, start=0.0, timetable=Timetable((), 1e8)).likely == pytest.approx(10_000)


def test_an_estimate_of_years_is_not_walked_through_by_the_hour() -> None:
    timetable = Timetable([LimitRule(ALL_WEEK, 0, 12 * 60, 50)])
    found = wall_seconds(Seconds(1.0, 1e9, 2e9), 10**11, 0.0, timetable, UTC)
    assert found.likely == pytest.approx(1e9 / 0.75, rel=0.01)


def test_tasks_end_together_where_idle_agents_help() -> None:
    path = [PlanLimit("path of one agent", "agent", MEASURED, 100e6, 1_000.0)]
    sizes = {"2025": 400, "2024": 300, "2023": 200, "2022": 100}
    parts, owners = [Part(100, size * 10**9) for size in sizes.values()], [0, 1, 2, 3]
    whole = evenly(400, 1_000 * 10**9)
    helping = estimate_tasks(whole, parts, owners, path, 4)
    assert helping.whole.likely == pytest.approx(2_500, rel=1e-3)
    assert [each.helped for each in helping.tasks] == [True, True, False, False]
    assert [round(each.seconds.likely) for each in helping.tasks] == [2_500, 2_500, 2_000, 1_000]
    alone = estimate_tasks(whole, parts, owners, path, 4, balanced=False)
    assert alone.whole.likely == pytest.approx(4_000)
    assert [each.helped for each in alone.tasks] == [False] * 4


def test_tasks_of_one_agent_follow_each_other() -> None:
    path = [PlanLimit("path of one agent", "agent", MEASURED, 100e6, 1_000.0)]
    whole, parts = evenly(2, 2 * 10**9), [Part(1, 10**9), Part(1, 10**9)]
    found = estimate_tasks(whole, parts, [0, 0], path, 1, balanced=False)
    assert [each.begins for each in found.tasks] == [0, pytest.approx(10)]
    assert found.whole.likely == pytest.approx(20)
    slowed = estimate_tasks(whole, parts, [0, 0], path, 1, start=0.0, timetable=Timetable((), 50e6))
    assert [slowed.whole.likely, slowed.tasks[1].begins] == pytest.approx([40, 20])


def scaled_exactly(whole: Dataset, part: Part) -> Dataset:
    """The part with bins that are not rounded to whole files and bytes."""
    x, y = part.files / whole.files, part.bytes / whole.bytes
    bins = tuple(
        SizeBin(each.low, each.high, each.files * x, each.bytes * y)  # type: ignore[arg-type]
        for each in whole.bins
    )
    return Dataset(part.files, part.bytes, part.others, min(whole.largest_bytes, part.bytes), bins)


def at_random(random: Random) -> tuple[Dataset, list[Part], Fleet, Fleet, EstimateOptions]:
    """A dataset, parts of it, a fleet and one of its agents, and what is done beside copying."""

    def figure(low: float, high: float) -> Figure:
        kind: Any = random.choice(["default", "profile", "survey", "probe", "test run", "execution"])
        return Figure(10 ** random.uniform(low, high), Origin(kind, "somewhere"))

    bins = [SizeBin(0, 1, random.randrange(1_000), 0)]
    for power in range(random.randrange(1, 14)):
        files = random.randrange(1, 10**6)
        bins.append(
            SizeBin(10**power, 10 ** (power + 1), files, files * random.randrange(10**power, 10 ** (power + 1)))
        )
    whole = Dataset(
        sum(each.files for each in bins), sum(each.bytes for each in bins), 9_999, bins[-1].high - 1, tuple(bins)
    )
    parts = [Part(random.randrange(10**5), random.randrange(10**13), random.randrange(999)) for _ in range(30)]
    parts += [Part(0, 0, 0), Part(0, 0, 7), Part(5, 0, 0), Part(1, 10**6, 0)]
    limits_ = []
    scopes: list[Any] = ["agent", "host", "link", "source", "destination"]
    for scope in random.sample(scopes, random.randrange(1, 6)):
        rate, size = figure(0, 7), figure(5, 11)
        which = random.randrange(3)
        found = PlanLimit(scope, scope, rate.origin, size.value, rate.value, adds=random.random() < 0.3)
        limits_.append(
            msgspec.structs.replace(found, **({}, {"files_per_second": None}, {"bytes_per_second": None})[which])
        )
    limits_.append(PlanLimit("path", "connection", SAID, 1e9, 1e4))
    options = EstimateOptions(
        listing=random.choice([None, figure(1, 6)]),
        whole_files=random.random() < 0.5,
        read_back=random.choice([None, figure(5, 10)]),
        rescan=random.random() < 0.5,
        start_seconds=random.choice([0.0, 7.0]),
    )
    return whole, parts, fleet(limits_, 3).shared(3), fleet(limits_, 1), options


@given(st.integers(0, 10**9))
def test_many_parts_at_once_take_what_each_takes_alone(seed: int) -> None:
    whole, parts, share, one, options = at_random(Random(seed))
    found = estimate_parts(whole, parts, share, one, options)
    for part, seconds in zip(parts, found, strict=True):
        slow = estimate(scaled_exactly(whole, part), share, one, options)
        assert [seconds.low, seconds.likely, seconds.high] == pytest.approx(
            [slow.low, slow.likely, slow.high], rel=1e-9
        )
        rounded = estimate(part_of(whole, part.files, part.bytes, part.files + part.others), share, one, options)
        files = max(1 / each.files_per_second.value for each in share.scopes)
        size = max(1 / each.bytes_per_second.value for each in share.scopes)
        off = len(whole.bins) * (files + size) * 2  # half a file and half a byte a bin, and what is left of all bins
        assert seconds.likely == pytest.approx(rounded.likely, rel=1e-9, abs=off)


@given(st.integers(0, 10**9))
def test_parts_of_what_no_bins_tell_of_are_estimated_one_by_one(seed: int) -> None:
    whole, parts, share, one, options = at_random(Random(seed))
    bare = Dataset(whole.files, whole.bytes, whole.others, whole.largest_bytes)
    slow = [estimate(part_of(bare, p.files, p.bytes, p.files + p.others), share, one, options) for p in parts]
    assert estimate_parts(bare, parts, share, one, options) == slow


@given(
    datasets(),
    ROOFLINES,
    st.integers(1, 20),
    st.builds(
        EstimateOptions,
        listing=st.one_of(st.none(), FIGURES),
        whole_files=st.booleans(),
        read_back=st.one_of(st.none(), FIGURES),
        rescan=st.booleans(),
        start_seconds=st.floats(0, 1_000),
    ),
    st.one_of(st.none(), st.floats(1e3, 1e9)),
)
def test_low_likely_and_high_are_in_order(
    dataset: Dataset, one: Roofline, agents: int, options: EstimateOptions, limit: float | None
) -> None:
    path = [PlanLimit("path", "agent", MEASURED, one.bytes_per_second.value, one.files_per_second.value)]
    timetable = None if limit is None else Timetable((), limit)
    found = estimate(dataset, fleet(path, agents), one, options, start=1.7e9, timetable=timetable)
    assert ordered(found)
    assert (found.high > 0) == (dataset.files + dataset.others > 0)
    if limit is None:
        more = estimate(dataset, fleet(path, agents + 1), one, options)
        assert more.likely <= found.likely * (1 + 1e-9)


@given(st.integers(0, 10**9), LIMITS, st.booleans())
def test_each_task_lies_within_the_whole(seed: int, found: list[PlanLimit], balanced: bool) -> None:
    capped = [*found, PlanLimit("path", "agent", MEASURED, 1e9, 1e4)]
    random = Random(seed)
    whole, parts, *_ = at_random(random)
    owners = [random.randrange(4) for _ in parts]
    times: TaskTimes = estimate_tasks(whole, parts, owners, capped, 4, balanced=balanced)
    assert ordered(times.whole)
    for each in times.tasks:
        assert ordered(each.seconds)
        assert each.begins + each.seconds.likely <= times.whole.likely * (1 + 1e-9)


# -- what is left in a run


def left(files: int, size: int, files_rate: float, bytes_rate: float) -> tuple[float, float] | None:
    found = remaining(Dataset(files, size), files_rate, bytes_rate)
    return None if found is None else (found.low, found.high)


def test_both_rates_agree_while_the_mix_of_sizes_stays() -> None:
    assert left(1000, 20_000, 10.0, 200.0) == pytest.approx((92.0, 108.0))


def test_another_mix_of_sizes_widens_the_range() -> None:
    assert left(1000, 40_000, 10.0, 200.0) == pytest.approx((92.0, 216.0))


def test_one_rate_alone_gives_a_wider_range() -> None:
    assert left(1, 10_000, 0.0, 100.0) == pytest.approx((92.0, 184.0))
    assert left(100, 10_000, 10.0, 0.0) == pytest.approx((9.2, 18.4))


def test_nothing_left_takes_no_time_whatever_is_known() -> None:
    assert left(0, 0, 0.0, 0.0) == (0.0, 0.0)
    assert remaining(Dataset(-3, -7), 1.0, 1.0, measured(1, 1)) == Seconds(0.0, 0.0, 0.0)


def test_nothing_is_said_while_no_rate_is_known() -> None:
    assert left(10, 10, 0.0, 0.0) is None
    assert left(10, 0, 0.0, 5.0) is None


def test_a_known_roofline_says_something_from_the_first_moment() -> None:
    found = remaining(evenly(1_000, 10**12), 0.0, 0.0, measured(1_000, 1e9))
    assert found == estimate(evenly(1_000, 10**12), measured(1_000, 1e9))


def test_an_estimate_stretches_as_the_run_is_slower_than_known() -> None:
    """Small files now, at half of F; large ones are left, and take twice as long as B alone would have them take."""
    found = remaining(evenly(1_000, 10**12), 500.0, 1e6, measured(1_000, 1e9))
    assert found is not None
    assert found.likely == pytest.approx(2_000)


@given(
    st.integers(-10, 10**15),
    st.integers(-10, 10**15),
    st.one_of(st.just(0.0), RATES),
    st.one_of(st.just(0.0), RATES),
    st.one_of(st.none(), ROOFLINES),
)
def test_what_is_left_is_in_order_and_unknown_only_while_nothing_is_known(
    files: int, size: int, files_rate: float, bytes_rate: float, known: Roofline | None
) -> None:
    found = remaining(Dataset(files, size), files_rate, bytes_rate, known)
    if found is None:
        assert known is None
        assert files <= 0 or files_rate == 0
        assert size <= 0 or bytes_rate == 0
    else:
        assert ordered(found)
        assert (found.high == 0) == (files <= 0 and size <= 0)
