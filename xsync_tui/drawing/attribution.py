"""Where the time of agents went, as bars; and what each number of agents reached. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.planning.measurement import Shares, Step
from xsync_tui.drawing.bars import bar_piece
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row
from xsync_tui.drawing.shapes import counted, heading, percent

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
        rows.append((Piece(f"{name:<12}"), bar_piece(share, cells, role, canvas), Piece(f" {percent(share):>5}")))
    return rows


def by_agents(steps: Sequence[Step], *, by_files: bool) -> list[Row]:
    """What so many agents reached, each of them, and of what the smallest step promised; 37 cells.

    ``by_files``: files/s bind, and are shown.
    """
    unit = "files/s" if by_files else "MB/s"
    rows = [heading(f"{'agents':<6} {unit:>9} {'each':>9} {'of a line':>10}")]
    ordered = sorted(steps, key=lambda step: step.agents)
    first = next((_rate(step, by_files) / step.agents for step in ordered if step.steady), 0.0)
    for step in ordered:
        rate = _rate(step, by_files)
        if not step.steady:
            rows.append((Piece(f"{step.agents:>6} {_figure(rate)} ", Role.MUTED), Piece(f"  {step.ended}", Role.LOOK)))
            continue
        line = f"{percent(rate / (first * step.agents)):>10}" if first > 0 else f"{'?':>10}"
        rows.append((Piece(f"{step.agents:>6} {_figure(rate)} {_figure(rate / step.agents)} {line}"),))
    return rows


def steps_said(steps: Sequence[Step]) -> str:
    """``3 steps, 1, 2 and 4 agents``."""
    counts = [str(step.agents) for step in steps]
    listed = counts[0] if len(counts) == 1 else f"{', '.join(counts[:-1])} and {counts[-1]}"
    return f"{counted(len(steps), 'step')}, {listed} {'agent' if counts == ['1'] else 'agents'}"


def _named(shares: Shares) -> list[tuple[str, float]]:
    found = [(name, float(getattr(shares, field))) for field, name in _NAMES]
    return sorted(((name, share) for name, share in found if share > 0), key=lambda each: -each[1])


def _rate(step: Step, by_files: bool) -> float:
    return step.files_per_second if by_files else step.bytes_per_second / 1e6


def _figure(value: float) -> str:
    """Right-aligned in nine cells: three digits at least."""
    return f"{value:>9,.0f}" if value >= 99.5 else f"{value:>9.1f}"
