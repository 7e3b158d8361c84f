"""Rows as text for goldens: each fits its canvas, and nothing stands at the ends of lines."""

from __future__ import annotations

from collections.abc import Sequence

from xsync_tui.drawing.rows import Canvas, Row, plain, width


def lines(rows: Sequence[Row], canvas: Canvas) -> list[str]:
    """The rows as text; none is too wide, and there are no more than there is room for."""
    assert len(rows) <= canvas.height
    assert [each for each in rows if width(each) > canvas.width] == []
    return [line.rstrip() for line in plain(rows)]


def page(rows: Sequence[Row], canvas: Canvas) -> str:
    """The same as one text."""
    return "\n".join(lines(rows, canvas))


def golden(text: str) -> list[str]:
    """The lines between two triple quotes."""
    return text.strip("\n").split("\n")
