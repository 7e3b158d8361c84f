"""Several executions as lines: one line each, those that need a person first."""

from __future__ import annotations

from collections.abc import Sequence

from engine.journal.records import Summary
from engine.quantities import format_bytes, format_count_short
from xsync_tui.cli.look import Line, Look, Role, paint
from xsync_tui.text import width_of

_STATE_CELLS = 12


def list_lines(executions: Sequence[Summary], look: Look) -> list[str]:
    """A line per execution, newest first among those that need a look and among the others."""
    ordered = sorted(executions, key=lambda each: (not _needs_a_look(each), -each.started_at))
    return paint([_line(each, look) for each in ordered], look, cut=False)


def _needs_a_look(summary: Summary) -> bool:
    return bool(summary.problem) or (
        summary.status is not None and not summary.status.ended and not summary.runner_alive
    )


def _line(summary: Summary, look: Look) -> Line:
    name = look.text(summary.execution, 40)
    if summary.problem:
        return Line(f" {look.cross} {name}  {look.text(summary.problem)}", Role.ALARM)
    gone = _needs_a_look(summary)
    state = "RUNNER GONE" if gone else str(summary.status)
    files = summary.totals.files
    done = format_count_short(files.discovered - files.pending - files.failed)
    moved = f"{done} of {format_count_short(files.discovered)} files  {format_bytes(summary.totals.bytes.transferred)}"
    text = f" {look.cross if gone else ' '} {name:<40}  {state:<{_STATE_CELLS}}  {moved}"
    route = look.text(f"{summary.source} -> {summary.destination}", max(0, look.width - width_of(text) - 2))
    return Line(f"{text}  {route}".rstrip(), Role.ALARM if gone else Role.PLAIN)
