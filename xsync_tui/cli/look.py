"""How plain lines are drawn: their room, their glyphs, and what a line means."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from enum import Enum
from typing import NamedTuple

from xsync_tui.drawing.rows import Canvas
from xsync_tui.text import cut_end, shown


class Look(NamedTuple):
    """How to draw: cells and rows there are, glyphs beyond ASCII, colour, and the zone of clock times (None: local)."""

    width: int = 80
    height: int = 24
    unicode: bool = True
    color: bool = False
    zone: tzinfo | None = None

    def text(self, text: str, cells: int | None = None) -> str:
        """Text from outside, made safe and cut in the middle."""
        return shown(text, cells, ascii_only=not self.unicode)

    @property
    def cross(self) -> str:
        """Marks what needs a human."""
        return "✗" if self.unicode else "x"

    def bar(self, share: float, cells: int) -> str:
        """A bar of ``cells`` that is full at share 1; whole cells only, so that only its growing end changes."""
        full = int(max(0.0, min(1.0, share)) * cells)
        on, off = ("█", "·") if self.unicode else ("#", ".")
        return on * full + off * (cells - full)


class Role(Enum):
    """What a line means; the value is the SGR code that draws it. A word always says the same: colour only helps."""

    PLAIN = ""
    TITLE = "1"
    LOOK = "1;33"
    ALARM = "1;31"
    GOOD = "1;32"


class Line(NamedTuple):
    """One row and what it means."""

    text: str
    role: Role = Role.PLAIN


def canvas_of(look: Look) -> Canvas:
    """The canvas that drawing functions want for this look."""
    return Canvas(look.width, look.height, look.unicode, zone=look.zone)


def look_of(canvas: Canvas) -> Look:
    """The look of a canvas, for what is written as plain lines and shown on both."""
    return Look(canvas.width, canvas.height, canvas.unicode, zone=canvas.zone)


def paint(lines: Sequence[Line], look: Look, *, cut: bool = True) -> list[str]:
    """Colour lines that mean something, if there is colour.

    ``cut`` to the width for what is redrawn; what is printed once may wrap: a command or path in it stays whole.
    """
    return [_paint(cut_end(line.text, look.width) if cut else line.text, line.role, look) for line in lines]


def _paint(text: str, role: Role, look: Look) -> str:
    return f"\x1b[{role.value}m{text}\x1b[0m" if look.color and role.value else text
