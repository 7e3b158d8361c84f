"""Where the time of agents went, as bars; and what each number of agents reached. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.planning.measurement import Shares, Step
from engine.quantities import counted, format_percent
from xsync_tui.drawing.bars import bar_piece, number, rate_unit
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row
from xsync_tui.drawing.shapes import heading

_NAMES = (
    ("destination", "network"),
    ("source", "source read"),
    ("cpu", "CPU"),
    ("limit", "rate limit"),
    ("idle", "idle"),
)


def where_time_went(step: Step, canvas: Canvas) -> list[Row]:
    """Shares of the time of a step's agents, largest first; what took none is left out."""
    title = "one agent: where its time went" if step.agents == 1 else f"{step.agents} agents: where their time went"
    rows = [heading(title)]
    found = _named(step.shares)
    if not found:
        return [*rows, (Piece("not known: no agent reported twice", Role.MUTED),)]
    cells = max(6, canvas.width - 12 - 7)
    for index, (name, share) in enumerate(found):
        role = Role.LOOK if index == 0 else Role.TIME
        rows.append(
            (Piece(f"{name:<12}"), bar_piece(share, cells, role, canvas), Piece(f" {format_percent(share):>5}"))
        )
    return rows


def by_agents(steps: Sequence[Step], canvas: Canvas, *, by_files: bool) -> list[Row]:
    """What so many agents reached, each of them, and of what the smallest step promised; 37 cells.

    ``by_files``: files/s bind, and are shown.
    """
    rates = [each.files_per_second if by_files else each.bytes_per_second for each in steps]
    highest, lowest = max(rates, default=0.0), min(rates, default=0.0)
    scale, unit = (1.0, "files/s") if by_files else rate_unit(max(lowest, highest / 1e5), bits=canvas.bits)
    rows = [heading(f"{'agents':<6} {unit:>9} {'each':>9} {'of a line':>10}")]
    ordered = sorted(zip(steps, rates, strict=True), key=lambda each: each[0].agents)
    first = next((rate / step.agents for step, rate in ordered if step.steady), 0.0)
    for step, rate in ordered:
        figure = f"{step.agents:>6} {number(rate / scale):>9}"
        if not step.steady:
            rows.append((Piece(f"{figure}  ", Role.MUTED), Piece(step.ended, Role.LOOK)))
            continue
        line = format_percent(rate / (first * step.agents)) if first > 0 else "?"
        rows.append((Piece(f"{figure} {number(rate / step.agents / scale):>9} {line:>10}"),))
    return rows


def steps_said(steps: Sequence[Step]) -> str:
    """``3 steps, 1, 2 and 4 agents``."""
    counts = [str(step.agents) for step in steps]
    listed = counts[0] if len(counts) == 1 else f"{', '.join(counts[:-1])} and {counts[-1]}"
    return f"{counted(len(steps), 'step')}, {listed} {'agent' if counts == ['1'] else 'agents'}"


def _named(shares: Shares) -> list[tuple[str, float]]:
    found = [(name, float(getattr(shares, field))) for field, name in _NAMES]
    return sorted(((name, share) for name, share in found if share > 0), key=lambda each: -each[1])
