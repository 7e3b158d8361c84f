"""Rates as a canvas wants them, and the glyphs that have an ASCII twin. Pure."""

from __future__ import annotations

from engine.quantities import format_bytes, format_rate
from xsync_tui.drawing.rows import Canvas, Piece, Role


def rate(bytes_per_second: float, canvas: Canvas) -> str:
    """``2.17 GB/s``, or in bits ``17.4 Gbit/s``."""
    if not canvas.bits:
        return format_rate(bytes_per_second)
    return format_bytes(bytes_per_second * 8).removesuffix("B") + "bit/s"


def rate_both(bytes_per_second: float, canvas: Canvas) -> str:
    """A limit in both units, that of the canvas first: ``2.50 GB/s (20.0 Gbit/s)``."""
    other = canvas._replace(bits=not canvas.bits)
    return f"{rate(bytes_per_second, canvas)} ({rate(bytes_per_second, other)})"


def cross(canvas: Canvas) -> str:
    """Marks what needs a human."""
    return "✗" if canvas.unicode else "x"


def check(canvas: Canvas) -> str:
    """Marks what is done."""
    return "✓" if canvas.unicode else "ok"


def divider(canvas: Canvas) -> str:
    """Stands between panes."""
    return "│" if canvas.unicode else "|"


def bar(share: float, cells: int, canvas: Canvas, role: Role = Role.BYTES) -> tuple[Piece, Piece]:
    """A bar of ``cells``, full at share 1; in Unicode by eighths, and at least one unless the share is zero."""
    eighths = round(max(0.0, min(1.0, share)) * cells * 8)
    if share > 0:
        eighths = max(1, min(eighths, cells * 8 - (share < 1)))
    full, part = divmod(eighths, 8)
    if not canvas.unicode:
        return Piece("#" * full, role), Piece("." * (cells - full), Role.MUTED)
    drawn = "█" * full + ("▏▎▍▌▋▊▉"[part - 1] if part else "")
    return Piece(drawn, role), Piece("·" * (cells - len(drawn)), Role.MUTED)
