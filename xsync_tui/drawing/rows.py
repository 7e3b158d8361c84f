"""Rows of a screen: pieces of text, each with what it means. How a meaning looks is the theme's business. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from enum import StrEnum
from typing import NamedTuple

from engine.quantities import format_bytes, format_rate
from xsync_tui.text import cut_end, shown, width_of


class Role(StrEnum):
    """What a piece of text means; the value names its style. Words and glyphs say the same without it."""

    PLAIN = "plain"
    MUTED = "muted"  # waiting, paused, not known
    STRONG = "strong"  # headings, the answer
    GOOD = "good"  # moving, done, fits
    LOOK = "look"  # needs a look; the limit that binds
    ALARM = "alarm"  # needs a human; data that is not there
    HERE = "here"  # where the cursor is
    KEY = "key"
    FILES = "files"  # series of data: files, bytes, time
    BYTES = "bytes"
    TIME = "time"
    CEILING = "ceiling"  # limits and targets in a picture
    UNSURE = "unsure"  # the hatched part of a range


class Piece(NamedTuple):
    """Text that may be shown as it is, and what it means."""

    text: str
    role: Role = Role.PLAIN


Row = tuple[Piece, ...]
"""One row of a screen, from left to right."""


class Canvas(NamedTuple):
    """Where rows are drawn: cells, rows, glyphs beyond ASCII, bits or bytes for rates, zone of times (None: local)."""

    width: int = 80
    height: int = 20
    unicode: bool = True
    bits: bool = False
    zone: tzinfo | None = None

    def text(self, text: str, cells: int | None = None) -> str:
        """Text from outside, made safe and cut in the middle."""
        return shown(text, cells, ascii_only=not self.unicode)

    def rate(self, bytes_per_second: float) -> str:
        """``2.17 GB/s``, or ``17.4 Gbps`` where bits are wanted."""
        if self.bits:
            return format_bytes(bytes_per_second * 8).replace("B", "bps")
        return format_rate(bytes_per_second)


def row(*pieces: Piece | str) -> Row:
    """A row of pieces; bare text is plain."""
    return tuple(Piece(piece) if isinstance(piece, str) else piece for piece in pieces)


def plain(rows: Iterable[Row]) -> list[str]:
    """Rows as bare text, as tests read them."""
    return ["".join(piece.text for piece in each) for each in rows]


def width(of: Row) -> int:
    """Cells that a row takes."""
    return sum(width_of(piece.text) for piece in of)


def fitted(of: Row, cells: int) -> Row:
    """The row cut or filled up to exactly ``cells``."""
    found: list[Piece] = []
    room = cells
    for piece in of:
        text = cut_end(piece.text, room)
        if text:
            found.append(Piece(text, piece.role))
        room -= width_of(text)
        if text != piece.text:
            break
    return (*found, Piece(" " * room)) if room > 0 else tuple(found)


def beside(left: Sequence[Row], right: Sequence[Row], cells: int, gap: str = " ") -> list[Row]:
    """Two blocks side by side, the left one ``cells`` wide; the shorter one is filled up."""
    most = max(len(left), len(right))
    empty: Row = ()
    pairs = zip([*left, *[empty] * (most - len(left))], [*right, *[empty] * (most - len(right))], strict=True)
    return [(*fitted(one, cells), Piece(gap), *other) for one, other in pairs]
