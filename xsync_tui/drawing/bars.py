"""Bars to the eighth of a cell, or of whole cells in ASCII, and numbers that go with them. Pure."""

from __future__ import annotations

from xsync_tui.drawing.rows import Canvas, Piece, Role

_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


def bar(share: float, cells: int, *, unicode: bool) -> str:
    """A bar that is full at share 1: whatever is above zero shows an eighth at least, in ASCII only whole cells."""
    if share <= 0 or cells <= 0:
        return ""
    eighths = max(1, round(min(1.0, share) * cells * 8))
    if not unicode:
        return "#" * (eighths // 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8]


def bar_piece(share: float, cells: int, role: Role, canvas: Canvas, *, track: bool = False) -> Piece:
    """A bar filled up to ``cells``: with dots where there is a ``track``."""
    drawn = bar(share, cells, unicode=canvas.unicode)
    rest = ("·" if canvas.unicode else ".") if track else " "
    return Piece(drawn + rest * (cells - len(drawn)), role)


def with_line(drawn: str, cells: int, at: int | None, canvas: Canvas) -> tuple[str, str, str]:
    """A bar of ``cells`` cut at a line: what is before it, the line (``""``: none), and what is after it."""
    filled = drawn.ljust(cells)
    if at is None or not 0 <= at < cells:
        return filled, "", ""
    return filled[:at], "│" if canvas.unicode else "|", filled[at + 1 :]


def wall(canvas: Canvas) -> str:
    """What stands between columns."""
    return "│" if canvas.unicode else "|"


def number(value: float) -> str:
    """Three significant digits or more, with commas: ``0.55``, ``5.50``, ``55.0``, ``2,200``."""
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:,.{decimals}f}"


def rate_unit(bytes_per_second: float, *, bits: bool) -> tuple[float, str]:
    """The unit in which a rate has few digits before its point, as bytes/s and in words, for a column's heading."""
    value, suffix, each = (bytes_per_second * 8, "bit/s", 1 / 8) if bits else (bytes_per_second, "B/s", 1.0)
    power, prefix = next(
        ((power, prefix) for power, prefix in ((9, "G"), (6, "M"), (3, "k")) if value >= 10**power), (0, "")
    )
    return 10.0**power * each, prefix + suffix
