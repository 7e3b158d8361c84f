"""A plan's fleet sizes side by side, and what limits the chosen one on one scale with the target as a line. Pure."""

from __future__ import annotations

from engine.planning.capacity import ScaledLimit
from engine.planning.plan import Plan
from engine.quantities import format_duration_range, format_rate, format_share
from xsync_tui.drawing.bars import bar, number, rate_unit, wall
from xsync_tui.drawing.evidence import mark
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted

NO_GAIN = 1.005
"""A fleet that is faster by less than this is no faster."""

_LINE_AT = 0.6
"""Of the scale's width: where the target stands."""

_BEYOND = 1 + 1e-9
"""Of the scale: rates above it are told by their figure alone."""

_NAMES = {
    "path of one agent": "paths",
    "files of one agent": "files/s",
    "source": "source reads",
    "destination": "requests",
    "VPN tunnel": "VPN",
    "DataSync task quota": "task quota",
}


def what_if_rows(plan: Plan, canvas: Canvas, cursor: int | None = None) -> list[Row]:
    """A heading and a row for each number of agents, as wide as they need; ``cursor``: the row that is looked at."""
    unit, word = rate_unit(plan.bytes_per_second, bits=canvas.bits)
    hosts = any(each.hosts > 1 for each in plan.what_if)
    texts = [_took(plan, index) for index in range(len(plan.what_if))]
    most = max(len("full copy"), *map(len, texts))
    rows: list[Row] = [
        (Piece(f" agents{' hosts' if hosts else ''} {word:>5} {'link':>6}  {'full copy':<{most}}", Role.STRONG),)
    ]
    for index, (each, took) in enumerate(zip(plan.what_if, texts, strict=True)):
        share = "-" if each.share is None else format_share(each.share, 1.0)
        chosen = each.agents == plan.agents
        middle = f"{each.hosts:>6}" if hosts else ""
        rate = number(each.bytes_per_second / unit)
        here = ("▶" if canvas.unicode else ">") if chosen else " "
        text = f" {here}{each.agents:>4} {middle}{rate:>6} {share:>6}  {took:^{most}}"
        rows.append((Piece(text, Role.HERE if index == cursor else Role.STRONG if chosen else Role.PLAIN),))
    return rows


def _took(plan: Plan, index: int) -> str:
    """How long a full copy takes; of a fleet that is not faster than the smaller one before it just that."""
    each = plan.what_if[index]
    slower = plan.what_if[index - 1].bytes_per_second if index else 0.0
    if each.bytes_per_second <= slower * NO_GAIN and each.agents != plan.agents:
        return "no gain"
    return format_duration_range(each.seconds.low, each.seconds.high)


def limit_rows(plan: Plan, canvas: Canvas, cursor: int | None = None) -> list[Row]:
    """A heading, a row for each limit, the one that binds first, and what the line means."""
    found = in_order(plan)
    rate = plan.bytes_per_second
    wanted = None if plan.target_bytes_per_second is None else plan.target_bytes_per_second * plan.utilisation
    unit, word = rate_unit(rate, bits=canvas.bits)
    names = 14 + (canvas.width - 41) // 4 if canvas.width > 41 else 14
    cells = max(4, canvas.width - names - 13)
    scale = wanted / _LINE_AT if wanted else min(4 * rate, max((each.bytes_per_second for each in found), default=rate))
    line = None if wanted is None else round(cells * _LINE_AT)
    agents = "1 agent" if plan.agents == 1 else f"{plan.agents} agents"
    rows: list[Row] = [fitted((Piece(f" what limits {agents}, {word}", Role.STRONG),), canvas.width)]
    for index, each in enumerate(found):
        binds = plan.work is None and each.name == plan.binding_limit.name
        role = Role.HERE if index == cursor else Role.LOOK if binds else Role.PLAIN
        figure = f"{number(each.bytes_per_second / unit):>8} {mark(each.origin, canvas)}"
        name = canvas.text(_name(each), names - 1)
        pieces = [Piece(f" {name:<{names}}", role), *_bar(each.bytes_per_second / scale, cells, line, binds, canvas)]
        rows.append(fitted((*pieces, Piece(f" {figure}", role)), canvas.width))
    if wanted is not None:
        share = format_share(plan.utilisation, 1.0)
        full, short = f"the target: {number(wanted / unit)} = ", f"{share} of {_link(plan)}"
        said = f" {wall(canvas)} {full}{short}"
        said = said if len(said) <= canvas.width else f" {wall(canvas)} target: {short}"
        rows.append(fitted((Piece(said, Role.CEILING),), canvas.width))
    return rows


def in_order(plan: Plan) -> list[ScaledLimit]:
    """The limits as they are shown: what binds first, then the lowest."""
    return sorted(plan.limits, key=lambda each: (each.name != plan.binding_limit.name, each.bytes_per_second))


def _name(limit: ScaledLimit) -> str:
    times = f" x {limit.count}" if limit.count > 1 else ""
    return f"{_NAMES.get(limit.name, limit.name)}{times}"


def _bar(share: float, cells: int, line: int | None, binds: bool, canvas: Canvas) -> list[Piece]:
    """A bar with the target's line through it; one that goes beyond the scale ends with an arrow."""
    drawn = bar(share, cells, unicode=canvas.unicode)
    drawn += " " * (cells - len(drawn))
    if share > _BEYOND:
        drawn = drawn[:-1] + ("»" if canvas.unicode else ">")
    role = Role.LOOK if binds else Role.BYTES
    if line is None:
        return [Piece(drawn, role)]
    return [Piece(drawn[:line], role), Piece(wall(canvas), Role.CEILING), Piece(drawn[line + 1 :], role)]


def _link(plan: Plan) -> str:
    target = plan.target_bytes_per_second or 0.0
    return f"{target * 8 / 1e9:.4g} Gbps" if target >= 1.25e8 else format_rate(target)
