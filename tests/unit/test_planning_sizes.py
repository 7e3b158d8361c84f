"""Which sizes take the time: rows by tens, the roofline's seconds, and the sentence, which adds up."""

from __future__ import annotations

import pytest
from hypothesis import given

from engine.planning.capacity import busy_seconds
from engine.planning.sizes import decides, decimal_bins, size_times
from engine.planning.values import Dataset, Roofline, SizeBin
from tests.unit.planning_values import ROOFLINES, datasets, measured

ONE = measured(1_000, 100e6)


def test_rows_are_by_tens_with_all_below_a_thousand_and_from_a_billion_on_as_one() -> None:
    bins = [SizeBin(low, high, 1, low) for low, high in ((0, 1), (1, 10), (10, 100), (100, 1_000), (1_000, 10_000))]
    bins += [SizeBin(10**9, 10**10, 2, 3 * 10**9), SizeBin(10**11, 10**12, 1, 10**11), SizeBin(10**12, 10**13, 0, 0)]
    rows = decimal_bins(bins)
    assert [(each.low, each.high, each.files) for each in rows] == [
        (0, 1, 1),
        (1, 1_000, 3),
        (1_000, 10_000, 1),
        (10**9, 10**13, 3),
    ]


@given(datasets(), ROOFLINES)
def test_seconds_are_those_of_the_roofline_and_shares_add_up(data: Dataset, one: Roofline) -> None:
    times = size_times(data.bins, one)
    files = Dataset(times.files, times.bytes, bins=data.bins)
    assert times.seconds == pytest.approx(sum(busy_seconds(files, one)))
    assert times.files == sum(each.files for each in data.bins)
    small = times.bins[: times.knee_index]
    assert all(each.bin.bytes < one.knee_bytes * each.bin.files for each in small if each.bin.files)
    assert decides(times).endswith(".")


@pytest.mark.parametrize(
    ("bins", "largest", "said"),
    [
        ([], 0, "There is no file here: there is nothing to copy."),
        ([SizeBin(0, 1, 5, 0)], 0, "File count decides: all are empty, and take 100 % of the time."),
        (
            [SizeBin(10_000, 100_000, 670, 670 * 20_000), SizeBin(10**6, 10**9, 330, 2_000 * 10**6)],
            10**8,
            "Bytes decide: 67 % of the files are small, but they take 3.2 % of the time.",
        ),
        (
            [SizeBin(1_000, 10_000, 9_000, 18_000_000), SizeBin(10**6, 10**7, 100, 10**8)],
            10**6,
            "File count decides: 90 % of the time is for small files (15 % of the bytes).",
        ),
        (
            [SizeBin(1_000, 10_000, 1_000, 2_000_000), SizeBin(10**6, 10**7, 100, 10**8)],
            10**6,
            "Both decide: small files, 90 % of all, take 50 % of the time.",
        ),
        (
            [SizeBin(1_000, 10_000, 10, 20_000), SizeBin(10**9, 10**10, 1, 9 * 10**9)],
            9 * 10**9,
            "One file decides: the largest has 9.00 GB and takes 99 % of the time.",
        ),
        (
            [SizeBin(10**6, 10**7, 100, 10**8)],
            10**6,
            "Bytes decide: no files to speak of are below the knee of 100 kB.",
        ),
    ],
)
def test_the_sentence_is_true_of_its_data(bins: list[SizeBin], largest: int, said: str) -> None:
    times = size_times(bins, ONE, largest)
    assert decides(times) == said
    assert max(len(said), len(decides(times, so_far=True))) < 80


def test_of_a_part_it_says_so_far() -> None:
    times = size_times([SizeBin(10_000, 100_000, 670, 670 * 20_000), SizeBin(10**6, 10**9, 330, 2_000 * 10**6)], ONE)
    said = "So far bytes decide: 67 % of the files are small, but take 3.2 % of the time."
    assert decides(times, so_far=True) == said
