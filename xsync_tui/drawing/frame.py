"""The frame of every screen: title row, journey row, footer row, and the strip that an act opens. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from xsync_tui.cli.clock import clock
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row
from xsync_tui.drawing.shapes import wrapped
from xsync_tui.text import cut_end, width_of

LEAST_WIDTH, LEAST_HEIGHT = 80, 20
"""Below this a screen shows its answer and how to go on, instead of being squeezed."""

FRAME_ROWS = 3
"""Title, journey, footer."""

_LEAST_ROUTE = 16
_MOST_NAME = 28


class Title(NamedTuple):
    """What a screen is about. ``state`` and ``liveness`` are words of ours; the rest comes from outside."""

    name: str
    source: str = ""
    destination: str = ""
    state: str = ""
    liveness: str = ""
    role: Role = Role.STRONG


class Step(NamedTuple):
    """A step of the journey: its digit, its name, what it has reached (``ok``, ``new``, ``old``, ``61 %``, ``-``)."""

    digit: str
    label: str
    reached: str = ""


class Hint(NamedTuple):
    """A key and what it does, in few words, and in fewer where there is no room."""

    key: str
    words: str
    brief: str = ""


class Act(NamedTuple):
    """An act that waits for its confirmation.

    ``effect``: sentences that say what will happen. ``go``: what enter does; ``stay``: what esc does. ``typed``: text
    that must be typed before enter counts, for what destroys. ``asked``: a runner is asked through its journal.
    """

    key: str
    name: str
    effect: str
    go: str
    stay: str = "change nothing"
    typed: str | None = None
    asked: bool = True


def title_row(title: Title, now: float, canvas: Canvas) -> Row:
    """Name and route at the left; state, liveness and clock at the right. Exactly the canvas's width."""
    right = "  ".join(part for part in (title.state, title.liveness, clock(now, canvas.zone)) if part)
    room = canvas.width - width_of(right) - 3
    name = canvas.text(title.name, max(1, min(room, _MOST_NAME)))
    route = route_text(title.source, title.destination, room - width_of(name) - 2, canvas)
    left = f" {name}  {route}" if route else f" {name}"
    gap = " " * max(1, canvas.width - width_of(left) - width_of(right))
    return fitted(row(Piece(left, Role.STRONG), gap, Piece(right, title.role)), canvas.width)


def route_text(source: str, destination: str, cells: int, canvas: Canvas) -> str:
    """``/mnt/lab -> s3://lab/img`` in at most ``cells``, each cut in its middle; nothing without room."""
    if cells < _LEAST_ROUTE or not source:
        return ""
    first, last = (canvas.text(url.removeprefix("file://")) for url in (source, destination))
    if not destination:
        return canvas.text(source.removeprefix("file://"), cells)
    arrow = " → " if canvas.unicode else " -> "
    if width_of(first) + len(arrow) + width_of(last) > cells:
        side = (cells - len(arrow)) // 2
        # Each may take what the other leaves of its half.
        rooms = [cells - len(arrow) - min(side, width_of(other)) for other in (last, first)]
        first, last = (
            canvas.text(url.removeprefix("file://"), room)
            for url, room in zip((source, destination), rooms, strict=True)
        )
    return first + arrow + last


def journey_row(steps: Sequence[Step], current: str, canvas: Canvas) -> Row:
    """The steps, that with digit ``current`` in brackets, each with what it has reached. Exactly the canvas's width."""
    full = [f"{step.digit} {step.label} {step.reached}".rstrip() for step in steps]
    fewer = [text.removesuffix(" -") for text in full]
    least = [f"{step.digit} {step.label}" for step in steps]
    fitting = (texts for texts in (full, fewer) if sum(map(width_of, texts)) + 2 * len(texts) <= canvas.width)
    texts = next(fitting, least)
    pieces = []
    for step, text in zip(steps, texts, strict=True):
        here = step.digit == current
        pieces.append(Piece(f"[{text}]" if here else f" {text} ", Role.STRONG if here else Role.PLAIN))
    return fitted(tuple(pieces), canvas.width)


def footer_row(hints: Sequence[Hint], canvas: Canvas) -> Row:
    """Keys and words; where they do not fit, brief words, then those before the last, and before help, are left out.

    Exactly the canvas's width.
    """

    def fits(hints: Sequence[Hint]) -> bool:
        return sum(width_of(h.key) + width_of(h.words) + 3 for h in hints) - 1 <= canvas.width

    kept = list(hints) if fits(hints) else [each._replace(words=each.brief or each.words) for each in hints]
    while len(kept) > 1 and not fits(kept):
        del kept[-3 if kept[-2].key == "?" and len(kept) > 2 else -2]
    pieces: list[Piece | str] = []
    for hint in kept:
        pieces += [Piece(" " if not pieces else "  "), Piece(hint.key, Role.KEY), f" {hint.words}"]
    return fitted(row(*pieces), canvas.width)


def strip_rows(act: Act, who: str, canvas: Canvas, trouble: str = "") -> list[Row]:
    """The box of an act: what will happen, who will have asked for it, and the two ways on.

    Its last row but one is left empty for what is typed, where something has to be.
    """
    inner = canvas.width - 4
    flat, left, right = ("─", "│ ", " │") if canvas.unicode else ("-", "| ", " |")
    corners = "┌┐└┘" if canvas.unicode else "++++"
    said = f"{act.effect} Journalled as {who}." if act.asked else act.effect

    def inside(text: str, role: Role = Role.PLAIN) -> Row:
        return row(left, *fitted(row(Piece(text, role)), inner), right)

    rows = [_edge(corners[0], corners[1], flat, f" {act.key}  {canvas.text(act.name)} ", canvas)]
    rows += [inside(line) for line in wrapped(canvas.text(said), inner)]
    if trouble:
        rows.append(inside(canvas.text(trouble, inner), Role.LOOK))
    if act.typed is not None:
        rows += [inside(canvas.text(f"Type {act.typed} and press enter:", inner), Role.ALARM), inside("")]
    ways = canvas.text(f" enter {act.go}   esc or backspace {act.stay} ")
    return [*rows, _edge(corners[2], corners[3], flat, ways, canvas)]


def small_rows(answer: Sequence[Row], canvas: Canvas) -> list[Row]:
    """What is shown where there is no room for a screen: its answer and how to go on."""
    lines = [
        f"This terminal is {canvas.width} wide and {canvas.height + FRAME_ROWS} high.",
        "Make it 80x24, or use: xsync status",
    ]
    said = [(Role.PLAIN if not each else each[0].role, "".join(piece.text for piece in each)) for each in answer]
    rows = [row(Piece(f" {line}", role)) for role, text in said for line in wrapped(text, canvas.width - 2)]
    return [*rows, *(row(Piece(cut_end(f" {line}", canvas.width), Role.LOOK)) for line in lines)]


def _edge(first: str, last: str, flat: str, text: str, canvas: Canvas) -> Row:
    text = cut_end(text, canvas.width - 4)
    return row(first, flat, Piece(text, Role.STRONG), flat * (canvas.width - 3 - width_of(text)), last)
