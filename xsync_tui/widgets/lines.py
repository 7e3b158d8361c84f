"""``Lines``: shows rows of pieces and repaints only the runs of cells that changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from xsync_tui.drawing.rows import Role, Row
from xsync_tui.text import width_of

_NEAR = 6
"""Runs nearer than this are painted as one: moving the terminal's cursor costs about as many bytes."""

_REVERSE = Style(reverse=True)

Cell = tuple[str, Role]


def changed_runs(before: Row, after: Row) -> list[tuple[int, int]]:
    """Where two rows differ, as (first cell, cells), from left to right; past its end a row is plain spaces."""
    old, new = _cells(before), _cells(after)
    most = max(len(old), len(new))
    blank: Cell = (" ", Role.PLAIN)
    old, new = old + (blank,) * (most - len(old)), new + (blank,) * (most - len(new))
    runs: list[tuple[int, int]] = []
    for at in range(most):
        if old[at] == new[at]:
            continue
        if runs and at - sum(runs[-1]) < _NEAR:
            runs[-1] = (runs[-1][0], at + 1 - runs[-1][0])
        else:
            runs.append((at, 1))
    return runs


@lru_cache(maxsize=512)
def _cells(row: Row) -> tuple[Cell, ...]:
    """One item a cell; the second half of a wide character is an item of its own."""
    found: list[Cell] = []
    for text, role, _ in row:
        if text.isascii():
            found += [(char, role) for char in text]
            continue
        for char in text:
            wide = width_of(char)
            if wide:
                found += [(char, role)] + [(f"{char}+", role)] * (wide - 1)
            elif found:  # an accent belongs to the letter before it
                found[-1] = (found[-1][0] + char, found[-1][1])
    return tuple(found)


class Lines(Widget):
    """Rows of pieces, from top to bottom. What a role looks like is in ``xsync.tcss``, by class ``role-<role>``."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"role-{role}" for role in Role}
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self._rows: list[Row] = []
        self._cursor: int | None = None

    @property
    def rows(self) -> list[Row]:
        """What is shown."""
        return self._rows

    def show(self, rows: Sequence[Row], cursor: int | None = None) -> None:
        """Show ``rows``, that at index ``cursor`` reversed; only what differs from before is painted."""
        before, was_at = self._rows, self._cursor
        self._rows, self._cursor = list(rows), cursor
        if len(rows) != len(before) and self.styles.is_auto_height:
            self.refresh(layout=True)
            return
        dirty = [
            Region(x, y, cells, 1)
            for y in range(max(len(rows), len(before)))
            for x, cells in changed_runs(_at(before, y), _at(self._rows, y))
        ]
        if was_at != cursor:
            dirty += [Region(0, y, self.size.width, 1) for y in (was_at, cursor) if y is not None]
        if dirty:
            self.refresh(*dirty)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as there are, where the height is automatic."""
        return len(self._rows)

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        base = self.get_component_rich_style("role-plain")
        here = y == self._cursor
        segments = []
        for text, role, _ in _at(self._rows, y):
            style = self.get_component_rich_style(f"role-{role}")
            words = text.lstrip() if role is Role.ALARM else text
            if len(words) < len(text):  # where alarms are reversed, what only holds them apart is not
                segments.append(Segment(text[: len(text) - len(words)], base + _REVERSE if here else base))
            segments.append(Segment(words, style + _REVERSE if here else style))
        return Strip(segments).adjust_cell_length(self.size.width, base + _REVERSE if here else base)


def _at(rows: Sequence[Row], y: int) -> Row:
    return rows[y] if y < len(rows) else ()
