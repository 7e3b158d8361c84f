"""The verdict of a test run, its next step, and what it changes: before and after, the range visibly narrower. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.planning.fitting import Range
from engine.planning.measurement import Verdict
from engine.quantities import format_duration_range, format_rate
from xsync_tui.drawing.figures import check
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row
from xsync_tui.drawing.shapes import heading, sentence

if TYPE_CHECKING:
    from engine.planning.verdict import Change

_GOOD = ("LINEAR", "MEASURED")

_NEXT = {
    "MEASURED": "3 shows the plan with these figures; T tests again, on other folders.",
    "LINEAR": "3 shows the plan with these figures.",
    "FLAT": "More agents do not help: 3 shows what the plan makes of it.",
    "THROTTLED": "Spread keys over more prefixes, or ask for a higher request rate; then T.",
    "UNEVEN": "Look at the agents named above: their mounts, interfaces, other load; then T.",
    "LIMITED": "The limit binds the run, too. To see what agents do without: xsync test-run --limit none.",
    "NOT STEADY": "Nothing was changed. T tests again; a longer step helps: xsync test-run --seconds.",
    "TOO SMALL": "Nothing was changed. T tests again, on larger folders: xsync test-run --folder.",
}
"""What to do after each verdict."""


def verdict_rows(verdict: Verdict, canvas: Canvas, most: int = 3) -> list[Row]:
    """The word, and the sentence that names the bottleneck."""
    fine = verdict.word in _GOOD
    mark = check(canvas) if fine else "!"
    text = canvas.text(verdict.sentence)
    return sentence(mark, verdict.title, text, Role.GOOD if fine else Role.LOOK, canvas, most)


def next_step(verdict: Verdict) -> str:
    """What a person does next."""
    return _NEXT[verdict.word]


def changes_rows(changes: Sequence[Change], canvas: Canvas) -> list[Row]:
    """Each figure before and after; from 110 cells on with both ranges on one scale."""
    if not changes:
        return []
    cells = canvas.width - 76 if canvas.width >= 110 else 0
    mark = "●" if canvas.unicode else "*"
    head = f" {'changes in the plan':<20} {'before':>25}  {f'after, measured {mark}':>25}"
    legend = "  both on one scale" if cells else ""
    rows = [heading(head + legend)]
    for each in changes:
        text = f" {each.what:<20} {range_said(each.before, each.unit):>25}  {range_said(each.after, each.unit):>25}"
        narrower = (Piece("  "), *_both(each, cells, canvas)) if cells else ()
        rows.append((Piece(text), *narrower))
    return rows


def range_said(value: Range, unit: str) -> str:
    """``540 - 560 MB/s``, ``3 - 6``, ``5 h 35 - 6 h 35``; the unit once where both ends have the same."""
    if unit == "seconds":
        return format_duration_range(value.low, value.high)
    low, high = _said(value.low, unit), _said(value.high, unit)
    if low == high:
        return low
    first, _, one = low.partition(" ")
    return f"{first} - {high}" if one and high.endswith(f" {one}") else f"{low} - {high}"


def _said(figure: float, unit: str) -> str:
    if unit == "bytes/s":
        return format_rate(figure)
    return f"{figure:,.0f}" + (" files/s" if unit == "files/s" else "")


def _both(change: Change, cells: int, canvas: Canvas) -> Row:
    """The range before hatched, that after solid, on a scale from 0 to the higher end."""
    top = max(change.before.high, change.after.high)
    kinds = [" "] * cells
    for found, kind in ((change.before, "before"), (change.after, "after")):
        first = min(cells - 1, int(found.low / top * cells))
        last = min(cells - 1, int(found.high / top * cells))
        kinds[first : last + 1] = [kind] * (last + 1 - first)
    looks = {
        "before": ("░" if canvas.unicode else "/", Role.UNSURE),
        "after": ("█" if canvas.unicode else "#", Role.GOOD),
        " ": (" ", Role.PLAIN),
    }
    return tuple(Piece(*looks[kind]) for kind in kinds)
