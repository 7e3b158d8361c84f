"""Help: what moves, what looks, what acts, and what the glyphs of a screen mean. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence

from xsync_tui.drawing.frame import Hint
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, beside, fitted, row

_KEYS = 14


def help_rows(
    screen: str,
    moves: Sequence[Hint],
    looks: Sequence[Hint],
    acts: Sequence[Hint],
    legend: Sequence[Row],
    canvas: Canvas,
) -> list[Row]:
    """Keys that change nothing at the left; keys that act, and the legend, at the right."""
    half = canvas.width // 2
    room = canvas.height - 3
    left, moving = _block("look, nothing changes", looks), _block("move", moves)
    right = _block("ACT, after enter in a strip", acts) if acts else [row(Piece(" nothing acts here", Role.MUTED))]
    glyphs = [row(Piece(" glyphs", Role.STRONG)), *(legend or _states(canvas))]
    if len(left) + 1 + len(moving) > room and len(left) + len(glyphs) <= room:
        gap: list[Row] = [()] if len(left) + len(glyphs) < room else []
        left, right = [*left, *gap, *glyphs], [*right, (), *moving]
    else:
        left, right = [*left, (), *moving], [*right, (), *glyphs]
    title = row(Piece(f" {screen}: keys", Role.STRONG), "   any key closes")
    zone = time.strftime("%Z") if canvas.zone is None else str(canvas.zone)
    rows = [title, (), *beside(left[:room], right[:room], half)]
    return [
        fitted(each, canvas.width) for each in [*rows, row(Piece(f" times are in {canvas.text(zone, 40)}", Role.MUTED))]
    ]


def _block(heading: str, hints: Sequence[Hint]) -> list[Row]:
    return [
        row(Piece(f" {heading}", Role.STRONG)),
        *(row(Piece(f" {h.key:<{_KEYS}}", Role.KEY), h.words) for h in hints),
    ]


def _states(canvas: Canvas) -> list[Row]:
    done, alarm, here = ("✓", "✗", "▶") if canvas.unicode else ("ok", "x", ">")
    return [
        row(Piece(f" {done:<{_KEYS}}", Role.GOOD), "done, moving, fits"),
        row(Piece(f" {'!':<{_KEYS}}", Role.LOOK), "needs a look"),
        row(Piece(f" {alarm:<{_KEYS}}", Role.ALARM), "needs you"),
        row(Piece(f" {here:<{_KEYS}}"), "where you are"),
    ]
