"""The palette: all that can be done now, each with its key, or why it cannot. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row
from xsync_tui.text import width_of


class Choice(NamedTuple):
    """Something to do. ``why_not``: why it cannot be done now; empty if it can. ``action``: as Textual calls it."""

    words: str
    key: str
    action: str
    why_not: str = ""


def matching(choices: Sequence[Choice], typed: str) -> list[Choice]:
    """Choices that hold every word of ``typed``, in any case, what can be done first."""
    wanted = typed.lower().split()
    found = [each for each in choices if all(word in each.words.lower() for word in wanted)]
    return sorted(found, key=lambda each: bool(each.why_not))


def choice_rows(choices: Sequence[Choice], cursor: int, canvas: Canvas) -> tuple[list[Row], int | None]:
    """Choices around number ``cursor``, and the row that one is on."""
    if not choices:
        return [row(Piece(" Nothing is called like that. esc goes back.", Role.LOOK))], None
    first = max(0, min(cursor - canvas.height // 2, len(choices) - canvas.height))
    rows = [_row(each, canvas) for each in choices[first : first + canvas.height]]
    return rows, cursor - first


def _row(choice: Choice, canvas: Canvas) -> Row:
    role = Role.MUTED if choice.why_not else Role.PLAIN
    words = f" {choice.words}" + (f": not now, {choice.why_not}" if choice.why_not else "")
    room = canvas.width - width_of(choice.key) - 2
    return (*fitted(row(Piece(canvas.text(words, room), role)), room), Piece(f" {choice.key} ", Role.KEY))
