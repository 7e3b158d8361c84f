"""When a rate counts as steady."""

from __future__ import annotations

import pytest

from engine.planning.steadiness import Pace, Reading, began, last_moved, latest, middle, moved, rates

PACE = Pace(least=6, most=24)


def line(rate: float, seconds: float, *, start: float = 0.0, files: float = 1.0) -> list[Reading]:
    """Readings twice a second of an agent that moves ``rate`` bytes/s from ``start`` on."""
    moments = [step / 2 for step in range(int(seconds * 2) + 1)]
    return [Reading(at, int(max(0, at - start) * files), int(max(0, at - start) * rate)) for at in moments]


def test_a_constant_rate_is_steady_as_soon_as_three_windows_are_there() -> None:
    assert latest({"a": line(1e6, 5.5)}, PACE) is None
    span = latest({"a": line(1e6, 7)}, PACE)
    assert span is not None
    assert span.spread == pytest.approx(0, abs=1e-3)
    assert span.end - span.start == pytest.approx(6)


def test_a_rate_that_rises_is_not_steady() -> None:
    rising = [Reading(at / 2, at * at, at * at * 1_000) for at in range(20)]
    span = latest({"a": rising}, PACE)
    assert span is not None
    assert span.spread > 0.3


def test_agents_that_take_turns_are_steady_together() -> None:
    one = [Reading(at / 2, 0, int(1e6 * (at // 4 * 2 + min(at % 4, 2)))) for at in range(21)]
    other = [Reading(at / 2, 0, int(1e6 * (at // 4 * 2 + max(0, at % 4 - 2)))) for at in range(21)]
    span = latest({"a": one, "b": other}, PACE)
    assert span is not None
    assert span.spread < 0.05


def test_bytes_count_where_sizes_differ_and_files_are_uneven() -> None:
    readings = [Reading(at / 2, at**3, at * 1_000_000) for at in range(20)]
    span = latest({"a": readings}, PACE)
    assert span is not None
    assert span.spread < 0.05


def test_what_comes_in_lumps_is_steady_over_longer_windows() -> None:
    lumps = [Reading(at / 2, 0, at // 3 * 1_000_000) for at in range(60)]
    assert latest({"a": lumps[:14]}, PACE) != latest({"a": lumps}, PACE)
    span = latest({"a": lumps}, PACE)
    assert span is not None
    assert span.spread < 0.25
    assert span.end - span.start > PACE.least


def test_time_counts_from_the_first_byte() -> None:
    late = line(1e6, 12, start=8)
    assert began({"a": late}) == 8.5
    assert latest({"a": late}, PACE) is None


def test_reports_at_other_moments_are_read_between() -> None:
    readings = [Reading(0, 0, 0), Reading(2, 4, 100), Reading(4, 4, 300)]
    assert moved(readings, 1) == (2, 50)
    assert moved(readings, 3) == (4, 200)
    assert moved(readings, 9) == (4, 300)
    assert rates(readings, 1, 3) == (1, 75)


def test_bytes_that_are_sent_again_make_no_negative_rate() -> None:
    assert rates([Reading(0, 0, 500), Reading(1, 0, 100)], 0, 1) == (0, 0)


def test_of_data_that_ended_neither_start_nor_tail_counts() -> None:
    readings = line(1e6, 10)
    readings += [Reading(10 + step / 2, readings[-1].files, readings[-1].bytes) for step in range(1, 9)]
    assert last_moved({"a": readings}) == 10
    span = middle({"a": readings}, 10)
    assert span is not None
    assert span.start == pytest.approx(0.5 + 0.25 * 9.5)
    assert span.end == pytest.approx(10 - 0.95)


def test_nothing_moved_is_nothing() -> None:
    assert began({"a": [Reading(0, 0, 0), Reading(1, 0, 0)]}) is None
    assert last_moved({"a": [Reading(0, 0, 0), Reading(1, 0, 0)]}) is None
