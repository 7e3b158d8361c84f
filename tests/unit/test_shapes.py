"""Words that several screens and commands share."""

from __future__ import annotations

import pytest

from engine.planning.values import Range
from engine.quantities import format_count_short
from xsync_tui.drawing.shapes import files_range


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0, 0, "0 files"),
        (0, 1, "up to 1 file"),
        (1, 1, "1 file"),
        (0, 2, "0 - 2 files"),
        (2_880, 4_500, "2.88 - 4.50 k files"),
    ],
)
def test_a_range_of_files_is_a_phrase(low: float, high: float, said: str) -> None:
    assert files_range(Range(low, low, high), format_count_short) == said
