"""A week of limits as seven rows of hours: the lower the limit, the darker. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model import LimitRule
from engine.planning.timetable import holds
from xsync_tui.drawing.figures import rate_both
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row

WEEK_ROWS = 9
"""Hours, seven days, and what the shades mean."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SHADES = "█▓▒░", "#=-:"
"""From the lowest limit on; further ones look like the last."""

_LABEL = 5


def week_rows(rules: Sequence[LimitRule], canvas: Canvas) -> list[Row]:
    """``WEEK_ROWS`` rows, two to four cells an hour; a cell shows the lowest limit that holds at any time of it."""
    cells = max(1, min(4, (canvas.width - _LABEL - 1) // 24))
    limits = sorted({rule.bytes_per_second for rule in rules})
    shades, free = _SHADES[not canvas.unicode], "·" if canvas.unicode else "."
    glyphs = {limit: shades[min(rank, len(shades) - 1)] for rank, limit in enumerate(limits)}
    hours = "".join(f"{hour:02d}".ljust(3 * cells) for hour in range(0, 24, 3))
    rows = [fitted(row(" " * _LABEL, Piece(hours, Role.STRONG)), canvas.width)]
    for day, name in enumerate(_DAYS):
        slots = [_lowest(rules, day, n * 60 // cells, (n + 1) * 60 // cells) for n in range(24 * cells)]
        drawn = "".join(free if limit is None else glyphs[limit] for limit in slots)
        rows.append(fitted(row(f" {name} ", *_runs(drawn, free)), canvas.width))
    return [*rows, fitted(row(*_legend(glyphs, free, canvas)), canvas.width)]


def _lowest(rules: Sequence[LimitRule], day: int, start: int, end: int) -> int | None:
    """The lowest limit in some minutes of a day: what holds can change only where a rule begins or ends."""
    turns = {start} | {minute for rule in rules for minute in (rule.start, rule.end) if start < minute < end}
    found = [rule.bytes_per_second for rule in rules if any(holds(rule, day, minute) for minute in turns)]
    return min(found, default=None)


def _runs(drawn: str, free: str) -> list[Piece]:
    found: list[Piece] = []
    for char in drawn:
        role = Role.MUTED if char == free else Role.CEILING
        if found and found[-1].role is role:
            found[-1] = Piece(found[-1].text + char, role)
        else:
            found.append(Piece(char, role))
    return found


def _legend(glyphs: dict[int, str], free: str, canvas: Canvas) -> list[Piece]:
    parts = [Piece(" " * _LABEL), Piece(free, Role.MUTED), Piece(" no limit")]
    for limit, glyph in glyphs.items():
        parts += [Piece("   "), Piece(glyph, Role.CEILING), Piece(f" {rate_both(limit, canvas._replace(bits=True))}")]
    return parts
