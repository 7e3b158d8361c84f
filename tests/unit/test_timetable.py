"""The timetable of limits: days and hours of the wall clock, over midnight, through both changes of the clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model import Limit, LimitRule
from engine.planning.timetable import Timetable
from engine.quantities import parse_days, parse_hours

BERLIN = ZoneInfo("Europe/Berlin")

LIMITS = st.integers(1, 5)
RULES = st.lists(
    st.builds(
        LimitRule,
        days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
        start=st.integers(0, 1439),
        end=st.integers(0, 1440),
        bytes_per_second=LIMITS,
    ).filter(lambda rule: rule.start != rule.end),
    max_size=4,
)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=BERLIN))


def rule(days: str, hours: str, limit: int) -> LimitRule:
    return LimitRule(parse_days(days), *parse_hours(hours), limit)


def at(text: str) -> float:
    """A moment of Berlin's wall clock; with an offset where it shows an hour twice."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=BERLIN)).timestamp()


def limits(timetable: Timetable, start: str, count: int) -> list[tuple[float | None, str]]:
    """The limits from ``start`` on, each with the wall clock when it begins."""
    found, moment = [], at(start)
    for _ in range(count):
        limit = timetable.limit(moment, BERLIN)
        found.append((limit.bytes_per_second, f"{datetime.fromtimestamp(moment, BERLIN):%a %H:%M %z}"))
        assert limit.until is not None
        moment = limit.until
    return found


def test_without_rules_the_limit_of_all_times_holds_for_ever() -> None:
    assert Timetable(()).limit(at("2025-05-12 12:00"), BERLIN) == Limit(None, None)
    assert Timetable((), 7.0).limit(at("2025-05-12 12:00"), BERLIN) == Limit(7.0, None)


def test_a_rule_that_always_holds_never_ends() -> None:
    timetable = Timetable([rule("Mon-Sun", "00:00-24:00", 5)])
    assert timetable.limit(at("2025-05-12 12:00"), BERLIN) == Limit(5, None)


def test_working_hours() -> None:
    timetable = Timetable([rule("Mon-Fri", "08:00-18:00", 5)])
    assert limits(timetable, "2025-05-15 07:00", 6) == [
        (None, "Thu 07:00 +0200"),
        (5, "Thu 08:00 +0200"),
        (None, "Thu 18:00 +0200"),
        (5, "Fri 08:00 +0200"),
        (None, "Fri 18:00 +0200"),
        (5, "Mon 08:00 +0200"),
    ]


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    timetable = Timetable([rule("Fri", "22:00-06:00", 5), rule("Sun", "23:30-00:00", 3)])
    assert limits(timetable, "2025-05-16 00:00", 6) == [
        (None, "Fri 00:00 +0200"),
        (5, "Fri 22:00 +0200"),
        (None, "Sat 06:00 +0200"),
        (3, "Sun 23:30 +0200"),
        (None, "Mon 00:00 +0200"),
        (5, "Fri 22:00 +0200"),
    ]


def test_the_lowest_of_several_holds_and_a_change_that_changes_nothing_is_none() -> None:
    timetable = Timetable([rule("Mon-Sun", "08:00-18:00", 5), rule("Mon-Sun", "12:00-20:00", 3)], 4.0)
    assert limits(timetable, "2025-05-15 00:00", 3) == [
        (4.0, "Thu 00:00 +0200"),
        (3, "Thu 12:00 +0200"),
        (4.0, "Thu 20:00 +0200"),
    ]


def test_an_hour_that_is_skipped_starts_what_lies_in_it_at_its_end() -> None:
    timetable = Timetable([rule("Sun", "02:30-04:00", 5)])
    assert limits(timetable, "2025-03-30 00:00", 3) == [
        (None, "Sun 00:00 +0100"),
        (5, "Sun 03:00 +0200"),
        (None, "Sun 04:00 +0200"),
    ]


def test_an_hour_that_comes_twice_counts_twice() -> None:
    timetable = Timetable([rule("Sun", "02:30-04:00", 5)])
    assert limits(timetable, "2025-10-26 00:00", 5) == [
        (None, "Sun 00:00 +0200"),
        (5, "Sun 02:30 +0200"),
        (None, "Sun 02:00 +0100"),
        (5, "Sun 02:30 +0100"),
        (None, "Sun 04:00 +0100"),
    ]


@pytest.mark.parametrize(("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25)])
def test_a_day_on_which_the_clock_changes_is_as_long_as_it_is(day: str, hours: int) -> None:
    limit = Timetable([rule("Sun", "00:00-24:00", 5)]).limit(at(f"{day} 00:00"), BERLIN)
    assert limit == Limit(5, at(f"{day} 00:00") + hours * 3600)


@settings(deadline=None)
@given(RULES, st.none() | LIMITS.map(float), MOMENTS)
def test_nothing_changes_before_the_next_change(rules: list[LimitRule], always: float | None, now: datetime) -> None:
    timetable = Timetable(rules, always)
    limit = timetable.limit(now.timestamp(), BERLIN)
    for minutes in range(1, 8 * 24 * 60, 977):
        later = now.timestamp() + 60 * minutes
        if limit.until is None or later < limit.until:
            assert timetable.limit(later, BERLIN).bytes_per_second == limit.bytes_per_second
    if limit.until is not None:
        assert limit.until > now.timestamp()
        assert timetable.limit(limit.until, BERLIN).bytes_per_second != limit.bytes_per_second
        assert timetable.limit(limit.until - 1, BERLIN).bytes_per_second == limit.bytes_per_second


@settings(deadline=None)
@given(RULES, MOMENTS)
def test_the_limit_is_the_lowest_of_the_rules_that_the_wall_clock_shows(rules: list[LimitRule], now: datetime) -> None:
    clock = datetime.fromtimestamp(now.timestamp(), BERLIN)
    rates = [each.bytes_per_second for each in rules if _shown(each, clock.replace(tzinfo=None))]
    assert Timetable(rules).limit(now.timestamp(), BERLIN).bytes_per_second == min(rates, default=None)


def _shown(each: LimitRule, clock: datetime) -> bool:
    """Whether one of the spans that began today or yesterday holds the clock; said otherwise than in the code."""
    today = clock.replace(hour=0, minute=0, second=0, microsecond=0)
    for midnight in (today, today - timedelta(days=1)):
        begins = midnight + timedelta(minutes=each.start)
        ends = midnight + timedelta(minutes=each.end, days=int(each.end < each.start))
        if midnight.weekday() in each.days and begins <= clock < ends:
            return True
    return False
