"""Small parts of several screens: wrapped sentences, glyphs of state, counts and durations in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from engine.planning.values import Range
from engine.quantities import format_duration_range
from xsync_tui.cli.clock import clock
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, width
from xsync_tui.text import cut_end, width_of


def unsure(canvas: Canvas) -> str:
    """What is between the low and the high end of a range."""
    return "░" if canvas.unicode else "/"


def wrapped(text: str, cells: int, most: int | None = None) -> list[str]:
    """Safe ``text`` in lines of at most ``cells``, broken at blanks; what is longer than a line is broken anywhere.

    Of more than ``most`` lines the last one ends with an ellipsis in ASCII.
    """
    lines = [""]
    for word in text.split():
        if width_of(lines[-1]) + bool(lines[-1]) + width_of(word) <= cells:
            lines[-1] += (" " if lines[-1] else "") + word
            continue
        if lines[-1]:
            lines.append("")
        while width_of(word) > cells:
            lines[-1] = cut_end(word, cells)
            word = word[len(lines[-1]) :]
            lines.append("")
        lines[-1] = word
    if most is not None and len(lines) > most:
        lines = [*lines[: most - 1], cut_end(lines[most - 1], cells - 3) + "..."]
    return lines


def sentence(mark: str, word: str, text: str, role: Role, canvas: Canvas, most: int = 3) -> list[Row]:
    """The answer of a screen: a mark, a word in capitals, and why; wrapped below the word."""
    indent = width_of(mark) + 2 if mark else 1
    lines = wrapped(f"{word}: {text}" if word else text, canvas.width - indent - 1, most)
    start = len(word) + 1 if word and lines[0].startswith(f"{word}:") else 0
    first = f" {mark} " if mark else " "
    found: list[Row] = [(Piece(first + lines[0][:start], role), Piece(lines[0][start:], Role.STRONG))]
    return found + [(Piece(" " * indent + line, Role.STRONG),) for line in lines[1:]]


def seconds_range(low: float, high: float) -> str:
    """``18 - 25 min``; less than a second is no time."""
    return "no time" if high <= 0 else format_duration_range(low, high)


def within(rows: Sequence[Row], canvas: Canvas) -> list[Row]:
    """As many rows as the canvas has, none wider than it."""
    return [fitted(row, canvas.width) if width(row) > canvas.width else row for row in rows[: canvas.height]]


def when(at: float, canvas: Canvas, now: float) -> str:
    """``21:05``, ``21:05 Tue``, ``21:05 14 May``: at most 12 cells."""
    said = clock(at, canvas.zone, now)
    return said[:5] + said[8:]


def heading(text: str) -> Row:
    """The first row of a pane."""
    return (Piece(text, Role.STRONG),)


def lines_of(texts: Iterable[str], role: Role = Role.PLAIN) -> list[Row]:
    """Rows of one piece each."""
    return [(Piece(text, role),) for text in texts]


def files_range(found: Range, text: Callable[[float], str]) -> str:
    """``1 file``, ``up to 1 file``, ``2.88 - 4.50 k files``: a range in the words of ``text``, with its noun."""
    low, high = text(found.low), text(found.high)
    if high == "1":
        return "1 file" if low == high else "up to 1 file"
    return f"{number_range(found, text)} files"


def number_range(found: Range, text: Callable[[float], str]) -> str:
    """``21 - 64 GB``: in the words of ``text``, the unit once where both ends have the same."""
    low, high = text(found.low), text(found.high)
    if low == high:
        return low
    first, _, unit = low.partition(" ")
    return f"{first} - {high}" if unit and high.endswith(f" {unit}") else f"{low} - {high}"
