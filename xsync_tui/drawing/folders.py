"""Folders as a table: what is in each, its share as a bar, its newest file, and what changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from engine.quantities import format_bytes, format_count, format_count_short, format_duration, format_share
from engine.survey.facts import FolderStatistics
from xsync_tui.drawing.bars import bar_piece
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted
from xsync_tui.text import width_of

Sort = Literal["bytes", "files", "newest", "changed"]

SORTS: tuple[Sort, ...] = ("bytes", "files", "newest", "changed")

_FIGURES = 50  # everything but the name and the bar
_DAY = 86_400


class FolderTable(NamedTuple):
    """The folders in ``path`` (``""``: the root), as found at ``surveyed_at``; ``cursor``: None where it is not here.

    ``bytes``, ``files``: of all of ``path``, what shares are of. ``only``: the sizes that alone are counted, in words.
    ``more``: folders that are not among them.
    """

    path: str
    folders: Sequence[FolderStatistics]
    bytes: int
    surveyed_at: float
    sort: Sort = "bytes"
    cursor: int | None = None
    files: int = 0
    only: str = ""
    more: int = 0


def folder_rows(table: FolderTable, canvas: Canvas, most: int) -> list[Row]:
    """A heading and at most ``most`` - 1 rows, those around the cursor."""
    bars = max(6, min(30, (canvas.width - _FIGURES) // 3))
    names = max(8, canvas.width - _FIGURES - bars)
    arrow = "▼" if canvas.unicode else "v"
    words = {"bytes": "bytes", "files": "files", "newest": "mtime", "changed": "ctime 7 d"}
    if table.only:  # known of all files of a folder, not of these
        words |= {"newest": "", "changed": ""}
    heads = {key: f"{text} {arrow}" if key == table.sort else text for key, text in words.items()}
    share = "share of files" if table.sort == "files" else "share of bytes"
    head = f"{heads['files']:>8} {heads['bytes']:>9}  {share:<{bars + 8}}{heads['newest']:>9}{heads['changed']:>11}"
    what = table.only or "Folders"
    where = f"{what} in {canvas.text('/' + table.path, max(4, names - len(what) - 3))}"
    role = Role.STRONG if table.cursor is None else Role.HERE
    rows = [fitted((Piece(" "), Piece(where, role), Piece(_gap(where, names + 1) + head, Role.STRONG)), canvas.width)]
    if not table.folders:
        said = "no folder and no file" if not table.only else "no file of this size"
        return [*rows, (Piece(f"   {said} in here: backspace goes back", Role.MUTED),)]
    folders = in_order(table)
    room = max(1, most - 1)
    start = scrolled(table.cursor or 0, len(folders), room)
    rows += [
        _row(each, table, names, bars, canvas, here=index == table.cursor)
        for index, each in enumerate(folders[start : start + room], start)
    ]
    return rows


def in_order(table: FolderTable) -> list[FolderStatistics]:
    """The folders as the table shows them."""
    return sorted(table.folders, key=lambda each: (-_weight(each, table.sort), -each.files, each.path))


def _weight(each: FolderStatistics, sort: Sort) -> float:
    match sort:
        case "bytes":
            return each.bytes
        case "files":
            return each.files
        case "newest":
            return each.newest_at or 0.0
        case "changed":
            return _changed(each)


def scrolled(cursor: int, count: int, room: int) -> int:
    """The first row to show so that the cursor is among ``room`` rows."""
    return max(0, min(cursor - room // 2, count - room))


def left_over(table: FolderTable, most: int) -> str:
    """What the table does not show, in words; nothing if it shows all."""
    hidden = len(table.folders) + table.more - max(1, most - 1)
    return f"{format_count(hidden)} more folders" if hidden > 0 else ""


def age(newest: float | None, now: float) -> str:
    """How long before ``now`` that was, in one unit: ``2 min``, ``3 d``, ``16 mo``, ``12 y``; ``-``: never."""
    if newest is None:
        return "-"
    seconds = max(0.0, now - newest)
    if seconds < _DAY:
        return format_duration(seconds).partition(" h ")[0] + (" h" if seconds >= 3_600 else "")
    days = int(seconds // _DAY)
    return f"{days} d" if days < 60 else f"{days // 30} mo" if days < 730 else f"{days // 365} y"


def _row(each: FolderStatistics, table: FolderTable, names: int, bars: int, canvas: Canvas, *, here: bool) -> Row:
    own = each.path == table.path
    name = "(files in it)" if own else canvas.text(each.path.rpartition("/")[2] or each.path, names)
    mark = (">" if not canvas.unicode else "▶") if here else " "
    part, whole = (each.files, table.files) if table.sort == "files" else (each.bytes, table.bytes)
    share, figure = (part / whole, format_share(part, whole)) if whole else (0.0, "0 %")
    changed = "?" if each.changed is None else format_bytes(_changed(each)) if _changed(each) else "0"
    times = "" if table.only else f" {age(each.newest_at, table.surveyed_at):>9}{changed:>11}"
    role = Role.HERE if here else Role.PLAIN
    return fitted(
        (
            Piece(
                f"{mark} {_padded(name, names)}{format_count_short(each.files):>8} {format_bytes(each.bytes):>9}  ",
                role,
            ),
            bar_piece(share, bars, Role.FILES if table.sort == "files" else Role.BYTES, canvas, track=True),
            Piece(f" {figure:>6}{times}", role),
        ),
        canvas.width,
    )


def _changed(each: FolderStatistics) -> int:
    return each.changed.week.bytes + each.changed.week.arrived_bytes if each.changed is not None else 0


def _padded(text: str, cells: int) -> str:
    return text + _gap(text, cells)


def _gap(text: str, cells: int) -> str:
    return " " * (cells - width_of(text))
