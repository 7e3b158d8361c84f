"""The body of the Cutover screen: the answer, past passes and the next one, the freeze, levers, the checklist. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from engine.execution.cutover.record import STEPS, Cutover
from engine.planning.cutover import Readiness
from engine.quantities import format_bytes, format_count_short, format_duration
from xsync_tui.cli.clock import clock
from xsync_tui.drawing.checklist import Work, checklist
from xsync_tui.drawing.figures import check, cross
from xsync_tui.drawing.freeze import Bar, freeze_rows
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, headed
from xsync_tui.drawing.shapes import heading, lines_of, number_range, seconds_range, sentence, when, within, wrapped
from xsync_tui.text import cut_end

if TYPE_CHECKING:
    from engine.execution.foretelling.passes import History

Pane = Literal["readiness", "checklist"]

_TALL = 34
"""From so many rows on both panes are shown."""


class View(NamedTuple):
    """All that the screen shows. ``verifies``: both sides are compared after the final delta. ``looking``: what is
    being read, in words; ``schedule``: the profile has one."""

    profile: str
    history: History | None = None
    ready: Readiness | None = None
    record: Cutover | None = None
    work: Work = Work()
    cursor: int = 0
    pane: Pane = "readiness"
    verifies: bool = True
    schedule: bool = False
    looking: str = ""
    trouble: str = ""
    now: float = 0.0


_ANSWER_ROWS = 3
"""A longer answer leaves no room for bars beside a checklist on a low screen."""


def body(view: View, canvas: Canvas) -> list[Row]:
    """The rows below the journey, the answer first; at most ``canvas.height``."""
    rows = _answer(view, canvas)
    if view.schedule:
        text = "The profile has a schedule: a run in between undoes the final delta, and hand over is refused."
        rows += lines_of([f" ! {line}" for line in wrapped(text, canvas.width - 4, 1)], Role.LOOK)
    both = canvas.height >= _TALL
    if both or view.pane == "readiness":
        rows += headed("readiness", _readiness(view, canvas))
    if both or view.pane == "checklist":
        if view.pane == "checklist" and not both and len(rows) <= _ANSWER_ROWS:
            rows += _bars(view, canvas)[:2]
        rows += _work(view, canvas._replace(height=canvas.height - len(rows) - 1))
    return within(rows, canvas)


def _answer(view: View, canvas: Canvas) -> list[Row]:
    """One sentence: what went wrong, handed over, under way, or how ready."""
    record, ready = view.record, view.ready
    if view.trouble:
        return sentence(cross(canvas), "STOPPED", canvas.text(" ".join(view.trouble.split())), Role.ALARM, canvas, 4)
    if record is not None and record.stopped and not view.work.running:
        text = f"{canvas.text(record.stopped)} Nothing is handed over; enter does the final delta again."
        return [*sentence(cross(canvas), "STOPPED", text, Role.ALARM, canvas, 4), *_begun(record, view, canvas)]
    if record is not None:
        return _begun(record, view, canvas)
    if ready is None:
        return sentence(
            "", "", canvas.text(view.looking) or "Nothing is known of this migration yet.", Role.PLAIN, canvas
        )
    fine = ready.verdict == "READY"
    mark = check(canvas) if fine else cross(canvas) if ready.verdict == "NEVER" else "!"
    role = Role.GOOD if fine else Role.ALARM if ready.verdict == "NEVER" else Role.LOOK
    return sentence(mark, ready.verdict, canvas.text(ready.reason), role, canvas)


def _begun(record: Cutover, view: View, canvas: Canvas) -> list[Row]:
    """Handed over, or at which step."""
    if record.next is None:
        handed = record.steps["hand-over"]
        at = clock(handed.at, canvas.zone, view.now)
        text = f"by {canvas.text(handed.who)}, {at}: the destination is its users' now."
        return sentence(check(canvas), "HANDED OVER", text, Role.GOOD, canvas)
    number = list(STEPS).index(record.next) + 1
    began = clock(record.began_at, canvas.zone, view.now)
    text = f"step {number} of {len(STEPS)}, {STEPS[record.next]}; begun {began} by {canvas.text(record.began_by, 24)}."
    frozen, window = record.steps.get("read-only"), None if view.ready is None else view.ready.window
    role = Role.STRONG
    if frozen is not None:
        since = max(0.0, view.now - frozen.at)
        text += f" Frozen since {clock(frozen.at, canvas.zone, view.now)}: {format_duration(since)}"
        if window is not None and since > window:
            role = Role.LOOK
            text += f", past the window of {format_duration(window)}"
        elif window is not None:
            text += f" of {format_duration(window)}"
        text += "."
    elif view.ready is not None and view.ready.now is not None:
        whole = view.ready.now.whole
        text += f" Predicted freeze: {seconds_range(whole.low, whole.high)}."
    return sentence("", "CUTOVER", text, role, canvas)


def _handed(view: View) -> bool:
    """Whether nothing is to be foretold any more."""
    return view.record is not None and view.record.next is None


def _readiness(view: View, canvas: Canvas) -> list[Row]:
    """Past passes, the next one, the freeze, and what would help."""
    rows = _passes(view, canvas)
    bars = _bars(view, canvas)
    if bars:
        rows += [(), *bars]
    if view.ready is not None and view.ready.levers and view.ready.verdict != "READY" and not _handed(view):
        rows += _levers(view.ready, canvas)
    if view.pane == "readiness" and canvas.height < _TALL and view.ready is not None:
        step = "readiness" if view.record is None else view.record.next
        rows += [
            (),
            (Piece(f" Next step: {STEPS[step]}; v shows the checklist." if step else " v shows the checklist."),),
        ]
    return rows


def _passes(view: View, canvas: Canvas) -> list[Row]:
    """The newest passes, and what the next one is likely to be."""
    history, ready = view.history, view.ready
    if history is None or not history.passes:
        return lines_of([" No pass has ended yet: 5 runs the first one."] if ready is not None else [])
    rows = [heading(_columns("pass", "began", "scan", "changed", "bytes", "gone", "took"))]
    first = max(0, len(history.passes) - (12 if canvas.height >= _TALL else 3))
    for number, each in list(enumerate(history.passes, 1))[first:]:
        text = _columns(
            str(number),
            when(each.began_at, canvas, view.now),
            "-" if each.scan_seconds is None else format_duration(each.scan_seconds),
            format_count_short(each.files),
            format_bytes(each.bytes),
            format_count_short(each.deletions),
            format_duration(each.seconds),
        )
        failed = () if each.status == "SUCCESS" else (Piece(f"  {each.status}", Role.LOOK),)
        rows.append((Piece(text), *failed))
    if ready is not None and ready.changes is not None and ready.next_pass is not None and not _handed(view):
        files, size, gone = (
            number_range(ready.changes.files, format_count_short),
            number_range(ready.changes.bytes, format_bytes),
            number_range(ready.changes.deletions, format_count_short),
        )
        took = seconds_range(ready.next_pass.low, ready.next_pass.high)
        rows.append((Piece(_columns("next", "predicted", "", files, size, gone, took), Role.UNSURE),))
    return rows


def _columns(number: str, began: str, scan: str, files: str, size: str, gone: str, took: str) -> str:
    return f" {number:>4}  {began:<12} {scan:>6} {files:>13} {size:>14} {gone:>6}  {took}"


def _bars(view: View, canvas: Canvas) -> list[Row]:
    ready = view.ready
    if ready is None or ready.now is None or _handed(view):
        return []
    bars = [Bar("freeze now", ready.now)]
    if ready.then is not None and ready.passes:
        bars.append(Bar(f"after {ready.passes} more {'pass' if ready.passes == 1 else 'passes'}", ready.then))
    return freeze_rows(bars, ready.window, canvas)


def _levers(ready: Readiness, canvas: Canvas) -> list[Row]:
    """What one could change, and the shortest freeze with it."""
    rows = [(), heading(" What would help, each alone")]
    for lever in ready.levers:
        after = f" after {lever.passes} more" if lever.passes else ""
        role = Role.GOOD if lever.verdict == "READY" else Role.PLAIN
        took = seconds_range(lever.freeze.low, lever.freeze.high) + after
        text = _short(canvas.text(lever.text), canvas.width - 51)
        rows.append((Piece(f" {lever.name:<13}"), Piece(f"{lever.verdict:<9}", role), Piece(f"{took:<26} {text}")))
    return rows


def _short(text: str, cells: int) -> str:
    """The text, without what follows its colon where there is no room for it."""
    return text if len(text) <= cells else cut_end(text.partition(": ")[0], cells)


def _work(view: View, canvas: Canvas) -> list[Row]:
    """The checklist, and what it said last."""
    rows: list[Row] = [()]
    rows += headed("checklist", checklist(view.record, view.work, view.cursor, canvas, view.now))
    if not view.verifies:
        rows.append((Piece(" ! Both sides are not compared after the final delta: m chooses that.", Role.LOOK),))
    said: list[str] = []
    room = max(0, canvas.height - len(rows))
    for text in reversed(view.work.said):
        lines = wrapped(canvas.text(text), canvas.width - 4)
        if said and len(lines) + len(said) > room:
            break
        said = [*lines[:room], *said]
    return rows + [(Piece(f"   {line}"),) for line in said]
