"""A block of lines on a terminal, redrawn in place: no scrolling, right again after a resize."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TextIO

from xsync_tui.text import width_of

_SGR = re.compile(r"\x1b\[[0-9;]*m")


class Block:
    """Draws lines over what it drew before; the cursor rests on the row below them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn: list[str] = []

    def draw(self, lines: Sequence[str], columns: int) -> None:
        """Replace the block by ``lines`` on a terminal now ``columns`` wide. One write, so that nothing flickers."""
        # After the terminal became narrower, what was drawn takes more rows than it has lines.
        rows = sum(max(1, -(-width_of(_SGR.sub("", line)) // columns)) for line in self._drawn)
        up = f"\x1b[{rows}A" if rows else ""
        self._stream.write(f"{up}\r" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        self._stream.flush()
        self._drawn = list(lines)

    def erase(self, columns: int) -> None:
        """Take the block away; what is written next stands in its place."""
        self.draw([], columns)
