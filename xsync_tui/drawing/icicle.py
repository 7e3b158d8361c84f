"""Folders as an icicle: a row of boxes a level, as wide as their bytes, filled by how long ago they changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.quantities import format_bytes, format_share
from engine.survey.facts import FolderStatistics
from xsync_tui.drawing.bars import wall
from xsync_tui.drawing.folders import FolderTable, age, in_order
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row
from xsync_tui.text import width_of

_LEAST_CELLS = 7
_YEAR = 365 * 86_400
_FILLS = (("█", "#", Role.TIME), ("▒", "=", Role.BYTES), ("░", ".", Role.FILES))
_AGES = ("changed in 7 days", "within a year", "older")


class _Box(NamedTuple):
    """A box of a level: one folder, or several that are too small for a box of their own."""

    folders: tuple[FolderStatistics, ...]
    cells: int

    @property
    def one(self) -> FolderStatistics | None:
        return self.folders[0] if len(self.folders) == 1 else None


def icicle_rows(
    table: FolderTable, below: Sequence[FolderStatistics], cursor: int | None, canvas: Canvas, room: int
) -> list[Row]:
    """A heading that tells of the folder ``cursor`` is on, the folders of ``table``, and below them those in them.

    ``below``: folders of which those in a folder of ``table`` are drawn under it. At most ``room`` rows.
    """
    folders = in_order(table._replace(sort="bytes"))
    rows = [_heading(table, folders, cursor, canvas), _legend(canvas)]
    boxes = _boxes(folders, canvas.width)
    levels: list[list[_Box]] = [boxes]
    children = [box for each in boxes for box in _below(each, below, table.path)]
    if any(box.folders for box in children):
        levels.append(children)
    thick = max(1, min(4, (room - len(rows)) // len(levels) - 1))
    chosen = folders[cursor] if cursor is not None and cursor < len(folders) else None
    for level in levels:
        rows.append(_names(level, chosen, table, canvas))
        rows += [_fills(level, table.surveyed_at, canvas)] * thick
    return rows[:room]


def _boxes(folders: Sequence[FolderStatistics], cells: int) -> list[_Box]:
    """Boxes of ``cells`` together; folders come by size, and what is too small for a box is in one at the end."""
    whole = sum(each.bytes for each in folders)
    if not whole or cells < _LEAST_CELLS:
        return [_Box(tuple(folders), cells)] if folders else []
    kept = [each for each in folders if each.bytes * cells >= whole * _LEAST_CELLS]
    boxes, at, seen = [], 0, 0
    for each in kept:
        seen += each.bytes
        end = round(cells * seen / whole)
        boxes.append(_Box((each,), end - at))
        at = end
    rest = tuple(folders[len(kept) :])
    return [*boxes, _Box(rest, cells - at)] if at < cells else boxes


def _below(box: _Box, folders: Sequence[FolderStatistics], path: str) -> list[_Box]:
    """The boxes under ``box``, as wide as it is together; one without folders where none are known."""
    one = box.one
    if one is None or one.path == path:
        return [_Box((), box.cells)]
    inside = [each for each in folders if each.path.rpartition("/")[0] == one.path]
    rest = one.bytes - sum(each.bytes for each in inside)
    if not inside or not one.bytes:
        return [_Box((), box.cells)]
    used = round(box.cells * (one.bytes - rest) / one.bytes)
    boxes = _boxes(sorted(inside, key=lambda each: -each.bytes), used)
    return [*boxes, _Box((), box.cells - used)] if used < box.cells else boxes


def _names(level: Sequence[_Box], chosen: FolderStatistics | None, table: FolderTable, canvas: Canvas) -> Row:
    pieces = []
    for box in level:
        here = chosen is not None and chosen in box.folders
        text = _label(box, table, canvas, max(0, box.cells - 1))
        edge = wall(canvas) if box.cells else ""
        pieces += [Piece(edge, Role.MUTED), Piece(text, Role.HERE if here else Role.STRONG)]
        pieces.append(Piece(" " * (box.cells - len(edge) - width_of(text))))
    return fitted(tuple(pieces), canvas.width)


def _label(box: _Box, table: FolderTable, canvas: Canvas, cells: int) -> str:
    if not box.folders:
        return ""
    size = sum(each.bytes for each in box.folders)
    one = box.one
    if one is None:
        name = f"+{len(box.folders)}"
    else:
        name = "(files)" if one.path == table.path else one.path.rpartition("/")[2]
    figures = f" {format_bytes(size)}"
    more = f" {format_share(size, table.bytes)}" if table.bytes else ""
    for tail in (figures + more, figures, ""):
        if cells - len(tail) - bool(tail) >= min(width_of(canvas.text(name)), 8 if tail else 4):
            return canvas.text(name, cells - len(tail)) + tail
    return ""


def _fills(level: Sequence[_Box], now: float, canvas: Canvas) -> Row:
    pieces = []
    for box in level:
        if not box.cells:
            continue
        pieces.append(Piece(wall(canvas), Role.MUTED))
        if not box.folders:
            pieces.append(Piece(" " * (box.cells - 1)))
            continue
        glyph, plain, role = _FILLS[min(_age_of(each, now) for each in box.folders)]
        pieces.append(Piece((glyph if canvas.unicode else plain) * (box.cells - 1), role))
    return fitted(tuple(pieces), canvas.width)


def _age_of(each: FolderStatistics, now: float) -> int:
    """Index in _FILLS."""
    if each.changed is not None and each.changed.week.files + each.changed.week.arrived_files:
        return 0
    return 1 if each.newest_at is not None and now - each.newest_at < _YEAR else 2


def _heading(table: FolderTable, folders: Sequence[FolderStatistics], cursor: int | None, canvas: Canvas) -> Row:
    path = canvas.text("/" + table.path, 30)
    what = table.only or "Map"
    pieces = [Piece(" "), Piece(f"{what} of {path}", Role.STRONG if cursor is None else Role.HERE)]
    pieces.append(Piece(f" {format_bytes(table.bytes)}"))
    if cursor is not None and cursor < len(folders):
        each = folders[cursor]
        name = "(files in it)" if each.path == table.path else canvas.text(each.path.rpartition("/")[2], 30)
        share = format_share(each.bytes, table.bytes) if table.bytes else "0 %"
        newest = age(each.newest_at, table.surveyed_at)
        pieces.append(Piece(f"   {'▶' if canvas.unicode else '>'} {name}", Role.STRONG))
        pieces.append(Piece(f"  {format_bytes(each.bytes)}  {share}  newest {newest}"))
    return fitted(tuple(pieces), canvas.width)


def _legend(canvas: Canvas) -> Row:
    pieces: list[Piece | str] = [Piece(" width: bytes", Role.MUTED)]
    for (glyph, plain, role), text in zip(_FILLS, _AGES, strict=True):
        pieces += ["   ", Piece((glyph if canvas.unicode else plain) * 2, role), Piece(f" {text}", Role.MUTED)]
    return fitted(row(*pieces), canvas.width)
