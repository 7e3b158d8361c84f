"""The estimate is a range, wider where less is known, and silence where nothing is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planning.eta import eta

COUNTS = st.integers(min_value=0, max_value=10**15)
RATES = st.one_of(st.just(0.0), st.floats(min_value=1e-3, max_value=1e12))


def test_both_rates_agree_while_the_mix_of_sizes_stays() -> None:
    assert eta(1000, 20_000, 10.0, 200.0, True) == pytest.approx((92.0, 108.0))


def test_another_mix_of_sizes_widens_the_range() -> None:
    assert eta(1000, 40_000, 10.0, 200.0, True) == pytest.approx((92.0, 216.0))


def test_one_rate_alone_gives_a_wider_range() -> None:
    assert eta(1, 10_000, 0.0, 100.0, True) == pytest.approx((92.0, 184.0))
    assert eta(100, 10_000, 10.0, 0.0, True) == pytest.approx((9.2, 18.4))


def test_nothing_left() -> None:
    assert eta(0, 0, 0.0, 0.0, True) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("files", "size", "files_rate", "bytes_rate", "complete"),
    [(10, 10, 0.0, 0.0, True), (10, 10, 1.0, 1.0, False), (0, 0, 1.0, 1.0, False), (10, 0, 0.0, 5.0, True)],
)
def test_unknown(files: int, size: int, files_rate: float, bytes_rate: float, complete: bool) -> None:
    assert eta(files, size, files_rate, bytes_rate, complete) is None


@given(COUNTS, COUNTS, RATES, RATES)
def test_low_is_below_high_and_neither_negative(files: int, size: int, files_rate: float, bytes_rate: float) -> None:
    found = eta(files, size, files_rate, bytes_rate, True)
    if found is not None:
        low, high = found
        assert (low, high) == (0.0, 0.0) or 0 < low < high
        assert (files == size == 0) == (low == 0)
