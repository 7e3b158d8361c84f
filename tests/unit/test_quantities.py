"""Quantities: what people type becomes exact integers, what they see keeps its width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import quantities as q
from engine.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4096", 4096),
        ("0", 0),
        ("8 MiB", 8 << 20),
        ("8MiB", 8 << 20),
        ("8mib", 8 << 20),
        ("64K", 64_000),
        ("64Ki", 65_536),
        ("1.5 GB", 1_500_000_000),
        (".5 kB", 500),
        ("12 B", 12),
        ("1.1 TB", 1_100_000_000_000),
        ("3 EiB", 3 << 60),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert q.parse_bytes(text) == expected


@pytest.mark.parametrize(
    "text", ["", "MB", "-1 MB", "1,5 GB", "8 MiBs", "1.5 B", "1.0001 kB", "8 iB", "1e3", "8 MB/s", "٣"]
)
def test_sizes_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a size such as 8 MiB"):
        q.parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20Gbps", 2_500_000_000),
        ("20gbps", 2_500_000_000),
        ("500 Mbit/s", 62_500_000),
        ("550 MB/s", 550_000_000),
        ("550 Mb/s", 68_750_000),
        ("550 MiB/s", 550 << 20),
        ("1.25 GBps", 1_250_000_000),
        ("8 bps", 1),
        ("16 Kibit/s", 2048),
    ],
)
def test_rates(text: str, expected: int) -> None:
    assert q.parse_rate(text) == expected


@pytest.mark.parametrize("text", ["", "20", "20G", "20 GB", "0 Gbps", "-1 Gbps", "3 bps", "20 Gbph", "fast", "20 ibps"])
def test_rates_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a rate such as 20Gbps"):
        q.parse_rate(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4h", 14_400),
        ("90 min", 5_400),
        ("1h 30min", 5_400),
        ("1h30m", 5_400),
        ("1.5h", 5_400),
        ("2d", 172_800),
        ("42 S", 42),
    ],
)
def test_durations(text: str, expected: int) -> None:
    assert q.parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", " ", "4", "h", "4 weeks", "4h 30", "0.5 s", "-4h", "4h-5h"])
def test_durations_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a duration such as 4h"):
        q.parse_duration(text)


def test_hours() -> None:
    day = q.parse_hours("08:00-18:00")
    assert (day.start, day.end) == (480, 1080)
    assert day.holds(480)
    assert not day.holds(1080)
    night = q.parse_hours("22:00 - 6:00")
    assert [minute for minute in (0, 359, 360, 1319, 1320, 1439) if night.holds(minute)] == [0, 359, 1320, 1439]
    whole = q.parse_hours("00:00-24:00")
    assert all(whole.holds(minute) for minute in range(1440))


@pytest.mark.parametrize(
    "text",
    ["", "08:00", "8-18", "08:00-25:00", "08:60-09:00", "08:00-08:00", "24:00-08:00", "08:00-24:01", "1:00-2:00-3:00"],
)
def test_hours_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected hours such as 08:00-18:00"):
        q.parse_hours(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mon-Fri", (0, 1, 2, 3, 4)),
        ("sat,sun", (5, 6)),
        ("Fri-Mon", (0, 4, 5, 6)),
        ("Wed", (2,)),
        ("Mon-Tue, Sun", (0, 1, 6)),
        ("Mon-Sun", (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_days(text: str, expected: tuple[int, ...]) -> None:
    assert q.parse_days(text) == expected


@pytest.mark.parametrize("text", ["", "Mon-", "Monday", "1-5", "Mon-Wed-Fri", "Mon,,Tue"])
def test_days_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected days such as Mon-Fri"):
        q.parse_days(text)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.00 kB"),
        (2_170_000_000, "2.17 GB"),
        (539_400_000, "539 MB"),
        (48_060_000_000_000, "48.1 TB"),
        (9_996, "10.0 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (999_999_999, "1.00 GB"),
        (1_234_000 * 10**18, "1234000 EB"),
    ],
)
def test_bytes_have_three_digits(count: int, expected: str) -> None:
    assert q.format_bytes(count) == expected


@given(st.integers(min_value=0, max_value=999 * 10**18))
def test_formatted_bytes_keep_their_width_and_value(count: int) -> None:
    text = q.format_bytes(count)
    assert len(text) <= 7
    assert abs(q.parse_bytes(text) - count) <= count * 0.00501


@given(st.floats(min_value=0, max_value=1e15))
def test_formatted_rates_keep_their_width(rate: float) -> None:
    assert len(q.format_rate(rate)) <= 9


def test_counts() -> None:
    assert q.format_count(12_412_907) == "12,412,907"
    assert q.format_count_short(12_412_907) == "12.4 M"
    assert q.format_count_short(999) == "999"
    assert q.format_count_short(0) == "0"


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (0, 10, "0 %"),
        (1, 100_000, "<0.1 %"),
        (999_999, 1_000_000, "99 %"),
        (10, 10, "100 %"),
        (61, 100, "61 %"),
        (36, 1000, "3.6 %"),
        (0, 0, "?"),
    ],
)
def test_shares_never_promise_too_much(part: int, whole: int, expected: str) -> None:
    assert q.format_share(part, whole) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (0.2, "1 s"),
        (42.4, "42 s"),
        (59.6, "1 min"),
        (18 * 60 + 10, "18 min"),
        (59.6 * 60, "1 h 00"),
        (6 * 3600 + 5 * 60, "6 h 05"),
        (124 * 3600, "5 d 04 h"),
    ],
)
def test_format_durations(seconds: float, expected: str) -> None:
    assert q.format_duration(seconds) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (18 * 60, 25 * 60, "18 - 25 min"),
        (18.4 * 60, 18.6 * 60, "18 - 19 min"),
        (3, 9, "3 - 9 s"),
        (1080, 1080, "about 18 min"),
        (0, 0.5, "about 1 s"),
        (42, 110, "42 s - 2 min"),
        (145 * 60, 180 * 60, "2 h 25 - 3 h 00"),
        (50 * 60, 70 * 60, "50 min - 1 h 10"),
    ],
)
def test_ranges_hold_both_ends(low: float, high: float, expected: str) -> None:
    assert q.format_duration_range(low, high) == expected


def test_percent_is_rounded_with_a_blank() -> None:
    assert [q.format_percent(share) for share in (0.0, 0.176, 1.31)] == ["0 %", "18 %", "131 %"]


@pytest.mark.parametrize(
    ("took", "low", "high", "inside"),
    [
        (3.4, 1.2, 3.2, True),  # 1 - 4 s, took 3 s
        (4.4, 1.2, 3.2, True),  # took 4 s
        (4.6, 1.2, 3.2, False),  # took 5 s
        (0.3, 1.2, 3.2, True),  # took 1 s
        (1_519.0, 1_080.0, 1_470.0, True),  # 18 - 25 min, took 25 min
        (1_531.0, 1_080.0, 1_470.0, False),
        (1_030.0, 1_080.0, 1_470.0, False),
    ],
)
def test_a_duration_is_inside_a_range_as_both_are_read(took: float, low: float, high: float, inside: bool) -> None:
    assert q.in_duration_range(took, low, high) is inside
