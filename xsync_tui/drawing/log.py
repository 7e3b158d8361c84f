"""The log of a runner: its last lines, those that match a filter, safe to show. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row
from xsync_tui.text import cut_end


def matching(lines: Sequence[str], words: str) -> list[str]:
    """The lines that hold all ``words``, however they are written."""
    wanted = words.lower().split()
    return [line for line in lines if all(word in line.lower() for word in wanted)]


def log_rows(lines: Sequence[str], first: int, path: str, canvas: Canvas, *, follows: bool, cut: bool) -> list[Row]:
    """What is shown, then the lines from ``first`` on.

    ``path``: of the file; ``follows``: new lines are shown as they come; ``cut``: the file has more before these lines.
    """
    state = "follows" if follows else f"line {first + 1} of {len(lines)}, standing still"
    start = "the end of " if cut else ""
    end = f": {state}"
    heading = f" {start}{canvas.text(path, canvas.width - 2 - len(start) - len(end))}{end}"
    rows = [fitted(row(Piece(heading, Role.STRONG)), canvas.width)]
    if not lines:
        return [*rows, row(Piece(" Nothing in it.", Role.MUTED))]
    shown = lines[first : first + max(0, canvas.height - 1)]
    return [*rows, *(row(Piece(cut_end(f" {canvas.text(line)}", canvas.width), _role(line))) for line in shown)]


def _role(line: str) -> Role:
    return Role.ALARM if "Error" in line or "ERROR" in line else Role.PLAIN
