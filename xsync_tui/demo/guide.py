"""The demo's guide: one line over the footer that says what to press next; a step goes on when it was done. Pure."""

from __future__ import annotations

from typing import NamedTuple

from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row
from xsync_tui.text import cut_end


class Reached(NamedTuple):
    """What was done so far. ``place``: the screen on top."""

    place: str = ""
    surveyed: bool = False
    turned: bool = False  # the knob of the agents
    linked: bool = False  # the knob of the link
    testing: bool = False  # a test run is at work now
    tested: bool = False
    started: bool = False
    killed: bool = False
    ended: bool = False
    told: bool = False  # the report was opened after the end
    on_link: bool = False  # the cursor is on that knob
    typing: bool = False  # a value is being typed


class Step(NamedTuple):
    """What to press on its screen, and how to get there from another one. ``done``: the field of Reached."""

    place: str
    here: str
    elsewhere: str
    done: str


STEPS = (
    Step("survey", "R, then enter: what is there? No file is opened.", "2: what is there?", "surveyed"),
    Step(
        "plan",
        "+ for one more agent: answer, table, limits and timeline move.",
        "Look: v views, s sorts, enter opens a folder. Then 3: the plan.",
        "turned",
    ),
    Step(
        "plan",
        "' and l, then enter, 20, enter: what if it had 20 Gbps? i says why.",
        "3: back to the plan.",
        "linked",
    ),
    Step(
        "test",
        "T; enter when it has said what it copies: all is held to 12 MB/s.",
        "4: a test run, for the plan rests on published defaults so far.",
        "tested",
    ),
    Step(
        "run",
        "R, then enter: copies what is left, at 12 MB/s.",
        "What does the plan say now? 3 shows it. Then 5: the run.",
        "started",
    ),
    Step(
        "run",
        "K, then enter: kills one agent. Is anything lost? Look at the sum.",
        "5: the run. It goes on, whatever you look at.",
        "killed",
    ),
    Step(
        "report",
        "This is told when the run has ended.",
        "t, z, [ ] look; P, L, A act. At the end 7: report.",
        "told",
    ),
    Step("", "That was it. q leaves: both sides are compared, then all is removed.", "", ""),
)
"""In the order of the story. The last one is never done."""

_PREFIX = " demo {}/{} "


def step_of(reached: Reached) -> int:
    """The index of the step to do next: the one after the last that was done, whoever left some out."""
    if reached.ended:
        reached = reached._replace(started=True, killed=True)
    done = [at for at, step in enumerate(STEPS) if step.done and getattr(reached, step.done)]
    return max(done, default=-1) + 1


def said_of(reached: Reached) -> str:
    """What to press next, on the screen that is on top."""
    step = STEPS[step_of(reached)]
    if reached.typing:
        right = reached.on_link and step.done == "linked"
        return (
            "20, then enter; esc leaves it as it was."
            if right
            else "enter takes what is typed; esc leaves it as it was."
        )
    if reached.testing and step.done in ("linked", "tested"):
        return "It copies and measures: 4 shows it. Look around, it goes on."
    if reached.ended and step.done == "told" and reached.place != step.place:
        return "The run has ended; does the sum hold? Then 7: the report."
    if reached.on_link and step.done == "linked" and reached.place == step.place:
        return "enter, then 20, enter: what if it had 20 Gbps? i says why."
    return step.here if step.place in ("", reached.place) else step.elsewhere


def guide_row(reached: Reached, canvas: Canvas) -> Row:
    """What to press next. Exactly the canvas's width."""
    at = step_of(reached)
    prefix = _PREFIX.format(at + 1, len(STEPS))
    right = "  h hides this " if canvas.width >= 100 else ""
    room = canvas.width - len(prefix) - 1 - len(right)
    text = cut_end(said_of(reached), room).ljust(room)
    return fitted(row(Piece(prefix, Role.HERE), f" {text}", Piece(right, Role.MUTED)), canvas.width)
