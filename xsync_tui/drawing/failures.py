"""The failures of an execution, grouped by cause: how many, what helps, whether a retry does, examples. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.model import Failure, Snapshot, Status
from engine.quantities import format_count
from xsync_tui.cli.outcome import remedy_for, work_left
from xsync_tui.drawing.figures import cross
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row
from xsync_tui.text import width_of

_AT_ONCE = ("changed", "vanished", "busy", "transfer error", "upload not", "checksum")
"""Causes that may be gone by themselves when it is tried again."""


class Cause(NamedTuple):
    """Failures of one reason; ``examples``: those that were kept, which may be fewer than ``number``."""

    reason: str
    number: int
    remedy: str
    examples: tuple[Failure, ...]

    @property
    def helps(self) -> str:
        """Whether a retry helps as things are: ``now``, or ``after`` something was put right."""
        return "now" if any(word in self.reason.lower() for word in _AT_ONCE) else "after"


def causes(counts: Mapping[str, int], failures: Sequence[Failure]) -> list[Cause]:
    """Reasons with most failures first, the files of each by path."""
    ordered = sorted(failures, key=lambda failure: failure.path)
    found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        Cause(reason, count, remedy_for(reason), tuple(each for each in ordered if each.reason == reason))
        for reason, count in found
    ]


def failures_answer(snapshot: Snapshot, canvas: Canvas) -> Row:
    """How many failed, of how many causes, and whether a retry can help."""
    number, found = sum(snapshot.failure_counts.values()), causes(snapshot.failure_counts, ())
    if not number:
        return fitted(row(Piece(" Nothing failed.", Role.GOOD)), canvas.width)
    ready = sum(cause.number for cause in found if cause.helps == "now")
    said = f"{format_count(number)} failed, {len(found)} cause{'s' * (len(found) != 1)}."
    if not snapshot.status.ended:
        advice = "Retry them once the run has ended."
    elif work_left(snapshot) and snapshot.status is not Status.CANCELLED:
        advice = "It ended early: 5, then R, tries them too."
    elif ready == number:
        advice = "A retry may do: F."
    elif ready:
        advice = f"A retry may do for {format_count(ready)} of them."
    else:
        advice = "Put that right first, then F retries only them."
    return fitted(row(Piece(f" {cross(canvas)} {said} {advice}", Role.ALARM)), canvas.width)


def failures_table(found: Sequence[Cause], here: int, canvas: Canvas) -> list[Row]:
    """A row a cause, that at ``here`` marked, then its remedy and files in what room there is."""
    cursor = "▶" if canvas.unicode else ">"
    room = max(10, canvas.width - 32)
    rows = [row(Piece(f"   {'files':>11}  {'retry helps':<11}  cause", Role.STRONG))]
    for number, cause in enumerate(found):
        text = f" {cursor if number == here else ' '} {format_count(cause.number):>11}  {cause.helps:<11}  "
        rows.append(fitted(row(Piece(text), Piece(canvas.text(cause.reason, room), Role.ALARM)), canvas.width))
    if found:
        cause = found[min(max(0, here), len(found) - 1)]
        rows += [row(), row(Piece(f" {canvas.text(cause.reason, canvas.width - 2)}", Role.STRONG))]
        rows += [
            fitted(
                row(f"   {cause.remedy or 'Nothing is known to help: see the detail beside each file.'}"), canvas.width
            )
        ]
        rows += [_example(failure, canvas) for failure in cause.examples[: max(0, canvas.height - len(rows))]]
    return rows[: canvas.height]


def failures_list(cause: Cause, first: int, canvas: Canvas) -> list[Row]:
    """All files of a cause that were kept, from the one at ``first`` on."""
    heading = f" {format_count(cause.number)} {canvas.text(cause.reason, 40)}"
    if len(cause.examples) < cause.number:
        heading += f", the first {format_count(len(cause.examples))} here, x writes all at the end"
    rows = [fitted(row(Piece(heading, Role.STRONG)), canvas.width)]
    last = max(0, first) + max(0, canvas.height - 1)
    return [*rows, *(_example(failure, canvas) for failure in cause.examples[max(0, first) : last])]


def _example(failure: Failure, canvas: Canvas) -> Row:
    """Path and detail; the path gives way first, in its middle."""
    detail = canvas.text(failure.detail, canvas.width // 2) if failure.detail else ""
    end = f": {detail}" if detail else ""
    return fitted(
        row(f"   {canvas.text(failure.path, canvas.width - 3 - width_of(end))}", Piece(end, Role.MUTED)), canvas.width
    )
