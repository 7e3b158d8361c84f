"""Rows of a screen: pieces of text, each with what it means. How a meaning looks is the theme's business. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    """Text that may be shown as it is, and what it means; ``heads``: the pane that begins with it, if one does."""

    text: str
    role: Role = Role.PLAIN
    heads: str = ""


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


def headed(pane: str, rows: Sequence[Row]) -> list[Row]:
    """The rows of a pane, so that a letter can be drawn where it begins."""
    found = list(rows)
    first = next((index for index, each in enumerate(found) if each), None)
    if first is not None:
        found[first] = (found[first][0]._replace(heads=pane), *found[first][1:])
    return found


def lettered(rows: Sequence[Row], letters: Mapping[str, str]) -> list[Row]:
    """Each pane's letter in the space that its heading begins with, or stands after; ``letters``: by pane."""
    return [_lettered(each, letters) for each in rows]


def _lettered(of: Row, letters: Mapping[str, str]) -> Row:
    found: list[Piece] = []
    for piece in of:
        mark = Piece(letters.get(piece.heads, "") if piece.heads else "", Role.HERE)
        if mark.text and piece.text.startswith(" "):
            found += [mark, piece._replace(text=piece.text[1:])]
        elif mark.text and found and found[-1].text.endswith(" "):
            found[-1] = found[-1]._replace(text=found[-1].text[:-1])
            found += [mark, piece]
        else:
            found.append(piece)
    return tuple(found)


def drawn_panes(rows: Iterable[Row]) -> set[str]:
    """The panes whose beginning is among the rows."""
    return {piece.heads for each in rows for piece in each if piece.heads}


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
            found.append(piece._replace(text=text))
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
