"""The checklist of a cutover: each step with its state, who, when and the way back; the point of no return. Pure."""

from __future__ import annotations

from typing import NamedTuple

from engine.execution.cutover.record import STEPS, Cutover, Step
from xsync_tui.drawing.figures import check
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row
from xsync_tui.drawing.shapes import heading, when, wrapped

POINT_OF_NO_RETURN = "point of no return: the first write of a user at the destination"

HOW: dict[Step, str] = {
    "readiness": "read the freeze above, then type the profile's name to begin",
    "read-only": "make the source read-only where it is exported; xsync only looks, it never writes there",
    "delta": "what changed since the last pass is sent; the destination is looked at, not taken on trust",
    "verification": "both sides are listed and compared",
    "sign-off": "a report of what was done, by whom and how it was verified is written",
    "rollback": "the ways back are shown, and are in the report",
    "hand-over": "type the profile's name; then let users write at the destination",
}

BACK: dict[Step, str] = {
    "readiness": "nothing was done yet",
    "read-only": "make the source writable again; nothing at the destination is lost",
    "delta": "make the source writable again: it is whole; what is at the destination may stay",
    "verification": "as before: both sides are only read",
    "sign-off": "as before: make the source writable again",
    "rollback": "as before: make the source writable again",
    "hand-over": "a reverse migration into a new folder beside the old source; keep that read-only",
}


class Work(NamedTuple):
    """What is under way: whether a checklist runs here; what its step does now; the question that waits, if one does.

    ``said``: what it said so far, oldest first.
    """

    running: bool = False
    doing: str = ""
    question: str = ""
    said: tuple[str, ...] = ()


def checklist(record: Cutover | None, work: Work, cursor: int, canvas: Canvas, now: float) -> list[Row]:
    """All steps; below that under the cursor, or below each where ``canvas.height`` has room, how and the way back."""
    steps = dict.fromkeys(STEPS) if record is None else {step: record.steps.get(step) for step in STEPS}
    following = "readiness" if record is None else record.next
    cells = canvas.width - 50
    rows = [heading(f"    {'step':<{cells}} {'state':<13} {'who':<16} {'when':<14}")]
    full = canvas.height >= 1 + 3 * len(STEPS) + 1
    for index, (step, done) in enumerate(steps.items()):
        if step == "hand-over":
            rows.append(_line(canvas))
        here = index == cursor
        mark = ("▶" if canvas.unicode else ">") if here else " "
        name = f" {mark}{index + 1} {canvas.text(STEPS[step], cells):<{cells}}"
        if done is not None:
            who, at = canvas.text(done.who, 16), when(done.at, canvas, now)
            state = (Piece(f"{check(canvas)} done".ljust(13), Role.GOOD), Piece(f" {who:<16} {at}"))
        elif step == following:
            state = (Piece(canvas.text(_now(work), canvas.width - cells - 6), Role.LOOK), Piece(""))
        else:
            state = (Piece("-", Role.MUTED), Piece(""))
        rows.append((Piece(name, Role.HERE if here else Role.PLAIN), Piece(" "), *state))
        if here or full:
            texts = [canvas.text(done.text)] if done is not None else [f"how: {HOW[step]}"]
            rows += _below([*texts, f"back: {BACK[step]}"], canvas)
    return rows


def _now(work: Work) -> str:
    if work.question:
        return "WAITS FOR YOU"
    if work.running:
        return work.doing or "AT WORK"
    return "NEXT"


def _below(texts: list[str], canvas: Canvas) -> list[Row]:
    lines = (line for text in texts for line in wrapped(text, canvas.width - 7, 2))
    return [(Piece(f"      {line}", Role.MUTED),) for line in lines]


def _line(canvas: Canvas) -> Row:
    dash = "─" if canvas.unicode else "-"
    text = f" {dash * 2} {POINT_OF_NO_RETURN} "
    return (Piece(text + dash * (canvas.width - len(text) - 1), Role.CEILING),)
