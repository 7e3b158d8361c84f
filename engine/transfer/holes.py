"""Which pieces of a content must be written so that the holes that a file had are holes again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

_ZEROS = bytes(1 << 20)


class HoleMap:
    """Made of ``Extras.lengths``: bytes of data, hole, data... from the start of the file; empty: no holes."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self._ends = list(accumulate(lengths))

    def pieces(self, content: memoryview, offset: int) -> Iterator[tuple[memoryview, int]]:
        """The pieces of ``content`` at ``offset`` of the file that hold data, each with its own offset.

        What lies in a hole counts as data unless it is zero: the map may belong to another content.
        """
        if not self._ends:
            yield content, offset
            return
        run = bisect_right(self._ends, offset)
        while content:
            end = self._ends[run] if run < len(self._ends) else offset + len(content)
            piece = content[: end - offset]
            is_hole = run % 2 == 1 and run < len(self._ends)
            if piece and not (is_hole and _is_zero(piece)):
                yield piece, offset
            content, offset, run = content[len(piece) :], offset + len(piece), run + 1


def _is_zero(content: memoryview) -> bool:
    return all(
        bytes(content[start : start + len(_ZEROS)]) == _ZEROS[: len(content) - start]
        for start in range(0, len(content), len(_ZEROS))
    )
