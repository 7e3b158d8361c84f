"""The exact ledger: discovered = transferred + skipped + failed + excluded + pending, never rounded. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model import Tally
from engine.quantities import format_count
from xsync_tui.drawing.figures import divider
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, row, width

Cell = tuple[str, str, int]
"""Sign before it, name, count."""


def ledger(files: Tally, canvas: Canvas) -> list[Row]:
    """The ledger in the widest form that fits: two rows, three (from about 100 M files on), or one row a count.

    Should the sum ever not hold, its ``=`` reads ``!=`` and alarms.
    """
    cells: list[Cell] = [
        ("", "discovered", files.discovered),
        ("=" if files.pending >= 0 else "!=", "transferred", files.transferred),
        ("+", "skipped", files.skipped),
        ("+", "failed", files.failed),
        ("+", "excluded", files.excluded),
        ("+", "pending", files.pending),
        (divider(canvas), "verified", files.verified),
    ]
    for form in (_two_rows(cells), _three_rows(cells), _two_rows(cells[:-1])):
        if max(map(width, form)) <= canvas.width:
            return form
    return [row(" ", _sign(sign, 2), f" {name:<11} ", _count(name, number, 19)) for sign, name, number in cells[:-1]]


def _two_rows(cells: Sequence[Cell]) -> list[Row]:
    """Names and signs above, counts below."""
    names, counts = [Piece(" ")], [Piece(" ")]
    for sign, name, number in cells:
        room = max(len(name), len(format_count(number)))
        if sign:
            names += [Piece(" "), _sign(sign), Piece(" ")]
            bare = sign if name == "verified" else " " * len(sign)
            counts += [Piece(f" {bare} ")]
        names.append(Piece(f"{name:>{room}}", Role.ALARM if _failed(name, number) else Role.PLAIN))
        counts.append(_count(name, number, room))
    return [tuple(names), tuple(counts)]


def _three_rows(cells: Sequence[Cell]) -> list[Row]:
    """Name and count side by side, under each other what belongs together."""
    first, lines = cells[0], [(cells[1], cells[2]), (cells[3], cells[4]), (cells[5], cells[6])]
    rooms = [_room([first]), _room([pair[0] for pair in lines]), _room([pair[1] for pair in lines])]
    found = []
    for index, pair in enumerate(lines):
        start = [Piece(" "), *_named(first, rooms[0])] if index == 0 else [Piece(" " * (1 + sum(rooms[0]) + 1))]
        line: list[Piece] = [*start]
        for cell, room in zip(pair, rooms[1:], strict=True):
            line += [Piece(" "), _sign(cell[0], 2), Piece(" "), *_named(cell, room)]
        found.append(tuple(line))
    return found


def _room(cells: Sequence[Cell]) -> tuple[int, int]:
    return max(len(name) for _, name, _ in cells), max(len(format_count(number)) for _, _, number in cells)


def _named(cell: Cell, room: tuple[int, int]) -> tuple[Piece, Piece, Piece]:
    _, name, number = cell
    return Piece(f"{name:<{room[0]}}"), Piece(" "), _count(name, number, room[1])


def _sign(sign: str, cells: int = 0) -> Piece:
    return Piece(f"{sign:>{cells}}", Role.ALARM if sign == "!=" else Role.PLAIN)


def _count(name: str, number: int, cells: int) -> Piece:
    role = Role.ALARM if _failed(name, number) else Role.STRONG
    return Piece(f"{format_count(number):>{cells}}", role)


def _failed(name: str, number: int) -> bool:
    return (name == "failed" and number > 0) or number < 0
