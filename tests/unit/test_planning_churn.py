"""The churn of a source as a curve: ordered, never decreasing, concave in its likely course, and true to its passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planning.churn import FEW, LEAST_SPREAD, Churn, Pass
from engine.planning.values import Range, Seconds

LENGTHS = st.floats(1, 1e7)
PASSES = st.lists(
    st.builds(Pass, st.just(0.0), LENGTHS, st.integers(0, 10**9), st.integers(0, 10**16), st.integers(0, 10**6)),
    min_size=1,
    max_size=6,
)


def ranges(churn: Churn, length: float | Seconds) -> tuple[Range, Range, Range]:
    found = churn.after(length)
    return found.files, found.bytes, found.deletions


def passes(*points: tuple[float, int]) -> Churn:
    return Churn([Pass(0.0, length, files, files * 1_000) for length, files in points])


@given(PASSES, LENGTHS)
def test_ends_are_in_order_and_nothing_changes_in_no_time(some: list[Pass], length: float) -> None:
    churn = Churn(some)
    for each in ranges(churn, length):
        assert 0 <= each.low <= each.likely <= each.high
    assert ranges(churn, 0.0) == (Range(0.0, 0.0, 0.0),) * 3


@given(PASSES, LENGTHS, LENGTHS)
def test_more_time_never_means_less_changes(some: list[Pass], one: float, other: float) -> None:
    churn = Churn(some)
    for less, more in zip(ranges(churn, min(one, other)), ranges(churn, max(one, other)), strict=True):
        assert less.low <= more.low * (1 + 1e-9)
        assert less.likely <= more.likely * (1 + 1e-9)
        assert less.high <= more.high * (1 + 1e-9)


@given(PASSES)
def test_each_pass_lies_in_the_range_of_its_length(some: list[Pass]) -> None:
    churn = Churn(some)
    for each in some:
        found = churn.after(each.length)
        for amount, got in ((each.files, found.files), (each.bytes, found.bytes), (each.deletions, found.deletions)):
            assert got.low * (1 - 1e-9) <= amount <= got.high * (1 + 1e-9)


@given(PASSES, LENGTHS, st.floats(0.01, 1))
def test_a_share_of_the_changes_is_that_share_of_every_end(some: list[Pass], length: float, share: float) -> None:
    whole, part = Churn(some).after(length), Churn(some).scaled(share, share / 2).after(length)
    for got, of, factor in (
        (part.files, whole.files, share),
        (part.bytes, whole.bytes, share / 2),
        (part.deletions, whole.deletions, share),
    ):
        assert (got.low, got.likely, got.high) == pytest.approx(
            (of.low * factor, of.likely * factor, of.high * factor), rel=1e-6, abs=1e-6
        )


@given(PASSES, LENGTHS, LENGTHS)
def test_a_length_that_is_a_range_takes_each_end_from_its_own(some: list[Pass], one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = ranges(Churn(some), Seconds(low, low, high))
    for each, least, most in zip(found, ranges(Churn(some), low), ranges(Churn(some), high), strict=True):
        assert (each.low, each.likely, each.high) == (least.low, least.likely, most.high)


def test_one_hot_file_counts_once_however_long_a_pass_is() -> None:
    found = passes((60, 1), (3_600, 1), (86_400, 1)).after(7 * 86_400).files
    assert found.likely == pytest.approx(1)
    assert found.high == pytest.approx(LEAST_SPREAD)


def test_arrivals_go_on_at_their_rate() -> None:
    found = passes((600, 100), (3_600, 600), (7_200, 1_200)).after(14_400).files
    assert found.likely == pytest.approx(2_400)


def test_few_passes_keep_all_concave_curves_and_more_do_not() -> None:
    one = passes((3_600, 600))
    assert (one.after(60).files.low, one.after(60).files.high) == (10, 600)
    assert one.after(36_000).files.high == 6_000
    enough = passes(*[(3_600.0 * each, 600 * each) for each in range(1, FEW + 1)])
    assert enough.after(60).files.high == pytest.approx(10 * LEAST_SPREAD)


def test_passes_that_found_nothing_do_not_blow_up_the_high_end() -> None:
    found = passes((3_600, 0), (3_700, 0), (3_650, 0), (3_600, 0), (3_620, 1_000)).after(3_600)
    assert found.files.low == 0
    assert found.files.likely == pytest.approx(200, rel=0.05)
    assert found.files.high == pytest.approx(1_000, rel=0.05)


def test_without_passes_nothing_is_known() -> None:
    assert not Churn([]).known
    assert not Churn([Pass(0.0, 0.0, 5, 5)]).known
    assert passes((60, 0)).known
