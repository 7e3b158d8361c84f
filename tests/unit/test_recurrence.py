"""Cron expressions: what is taken, when they fire, and that systemd reads the same times."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.recurrence import Recurrence, every


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 2 * * Mon-Fri", "2026-11-20T12:00", "2026-11-23T02:00"),
        ("*/15 * * * *", "2026-11-20T12:00", "2026-11-20T12:15"),
        ("30 4 1,15 * 5", "2026-11-20T12:00", "2026-11-27T04:30"),
        ("0 0 29 2 *", "2026-11-20T12:00", "2028-02-29T00:00"),
    ],
)
def test_the_next_time(cron: str, after: str, expected: str) -> None:
    assert next(Recurrence(cron).after(_at(after))) == _at(expected)


def test_times_in_between_are_counted_with_the_last_and_without_the_first() -> None:
    hourly = Recurrence("0 * * * *")
    assert hourly.count(_at("2026-11-20T12:00"), _at("2026-11-20T15:00")) == 3
    assert hourly.count(_at("2026-11-20T12:01"), _at("2026-11-20T12:59")) == 0


@pytest.mark.parametrize(
    "cron",
    ["", "0 2 * *", "* * * * * *", "61 * * * *", "0 0 30 2 *", "0 0 L * *", "0 0 * * 5L", "0 0 * * Mon#2", "@daily"],
)
def test_what_is_no_expression_of_every_cron_says_what_is(cron: str) -> None:
    with pytest.raises(UsageError, match="expected five fields of cron"):
        Recurrence(cron)


@pytest.mark.parametrize(
    ("interval", "cron"),
    [("1 min", "*/1 * * * *"), ("15min", "*/15 * * * *"), ("6h", "0 */6 * * *"), ("1d", "0 0 * * *")],
)
def test_intervals_from_one_minute_to_a_day(interval: str, cron: str) -> None:
    assert every(interval).cron == cron


@pytest.mark.parametrize(
    ("interval", "nearest"), [("7 min", "5 min"), ("45 min", "30 min"), ("30s", "1 min"), ("5h", "4 h")]
)
def test_an_interval_that_would_leave_a_rest_names_one_that_does_not(interval: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=f"such as {nearest}"):
        every(interval)


def test_either_day_or_weekday_becomes_two_calendar_events() -> None:
    assert Recurrence("30 4 1,15 * 5").on_calendar() == ["*-*-01,15 04:30:00", "Fri *-*-* 04:30:00"]
    assert Recurrence("0 2 * * 7").on_calendar() == ["Sun *-*-* 02:00:00"]


_FIELDS = st.tuples(
    st.sampled_from(["*", "0", "*/7", "5,50", "10-20"]),
    st.sampled_from(["*", "3", "*/6", "8-18"]),
    st.sampled_from(["*", "1", "31", "10-12"]),
    st.sampled_from(["*", "2", "1,12", "Jun-Aug"]),
    st.sampled_from(["*", "0", "7", "Mon-Fri", "2,4"]),
)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@settings(deadline=None)
@given(_FIELDS)
def test_systemd_finds_the_same_next_time(fields: tuple[str, ...]) -> None:
    try:
        times = Recurrence(" ".join(fields))
    except UsageError:
        return  # such as 31 February
    after = "2026-11-20 12:00:00"
    found = [_elapse(each, after) for each in times.on_calendar()]
    assert min(each for each in found if each) == datetime.fromtimestamp(next(times.after(_at(after))))


def _elapse(expression: str, after: str) -> datetime | None:
    command = ["systemd-analyze", "calendar", f"--base-time={after}", expression]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in said.splitlines() if "Next elapse:" in line)
    words = line.partition("Next elapse:")[2].split()  # such as: Tue 2026-11-24 02:00:00 UTC, or never
    return datetime.fromisoformat(f"{words[1]}T{words[2]}") if len(words) > 2 else None
