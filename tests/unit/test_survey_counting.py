"""Sizes are counted while a scan goes on, in the bins that the report will have."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from engine.planning.values import SizeBin
from engine.survey.counting import SizeCounts, count_sizes

_EDGES = [0, 1, *(10**power + step for power in range(1, 19) for step in (-1, 0, 1)), (1 << 63) - 1]
_POWERS = [(1 << power) + step for power in range(1, 63) for step in (-1, 0, 1)]


@given(st.lists(st.integers(0, 10**18) | st.integers(0, 63).map(lambda power: (1 << power) - 1), max_size=30))
@example(_EDGES)
@example(_POWERS)
def test_every_size_is_in_its_bin_once(sizes: list[int]) -> None:
    found = SizeCounts()
    for size in sizes:
        found = found.plus(count_sizes(pa.chunked_array([[size], []], pa.int64())))
    assert found.largest == max(sizes, default=0)
    for each in found.bins():
        inside = [size for size in sizes if each.low <= size < each.high]
        assert (each.files, each.bytes) == (len(inside), sum(inside))
    assert sum(each.files for each in found.bins()) == len(sizes)


def test_many_are_counted_at_once() -> None:
    found = count_sizes(pa.chunked_array([[0, 0, 9], [10, 12, 1_000]], pa.int64()))
    assert found.bins() == (
        SizeBin(0, 1, 2, 0),
        SizeBin(1, 10, 1, 9),
        SizeBin(10, 100, 2, 22),
        SizeBin(100, 1_000, 0, 0),
        SizeBin(1_000, 10_000, 1, 1_000),
    )


def test_nothing_is_no_bin() -> None:
    assert count_sizes(pa.chunked_array([], pa.int64())) == SizeCounts()
    assert SizeCounts().bins() == ()
