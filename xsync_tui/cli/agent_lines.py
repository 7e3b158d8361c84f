"""The agents of an execution as lines: how many do what, then one line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.model import AgentSnapshot, Snapshot
from engine.quantities import format_count_short, format_rate
from xsync_tui.cli.look import Line, Look, Role
from xsync_tui.text import width_of

_WORDS = {"working": "moving", "stalled": "STALLED", "lost": "LOST"}
_ROLES = {"stalled": Role.LOOK, "lost": Role.ALARM}
_NAME_CELLS, _WORD_CELLS = 10, 8


def agent_lines(snapshot: Snapshot, look: Look, rows: int) -> list[Line]:
    """At most ``rows`` lines, agents in their own order; where rows are short, those that need a look come first."""
    agents = [agent for agent in snapshot.agents if agent.state != "gone"]
    if not agents or rows < 1:
        return []
    heading = Line(f" {_summary(agents, look)}", Role.TITLE)
    if len(agents) < rows:
        return [heading, *(agent_line(agent, look) for agent in agents)]
    if rows < 3:
        return [heading]
    first = sorted(agents, key=lambda agent: agent.state not in _ROLES)[: rows - 2]
    rest = Line(f"   and {len(agents) - len(first)} more: xsync fleet list {snapshot.execution}")
    return [heading, *(agent_line(agent, look) for agent in first), rest]


def agent_line(agent: AgentSnapshot, look: Look) -> Line:
    """One agent: name, what it does, rates, requests open of those allowed, and the path, cut in the middle."""
    name = look.text(agent.name, _NAME_CELLS)
    name += " " * (_NAME_CELLS - width_of(name))
    rates = f"{format_rate(agent.bytes_per_second):>9} {format_count_short(agent.files_per_second):>6} files/s"
    requests = f"{agent.in_flight}/{agent.window}"
    start = f" {_mark(agent.state, look)} {name} {_word(agent.state, look):<{_WORD_CELLS}} {rates} {requests:>7} open  "
    text = start + look.text(agent.path, max(0, look.width - width_of(start)))
    return Line(text.rstrip(), _ROLES.get(agent.state, Role.PLAIN))


def _summary(agents: Sequence[AgentSnapshot], look: Look) -> str:
    counts = Counter(agent.state for agent in agents)
    said = (f"{_mark(state, look)} {number} {_word(state, look)}".strip() for state, number in counts.items())
    return f"{len(agents)} agent{'s' * (len(agents) != 1)}: {', '.join(said)}"


def _word(state: str, look: Look) -> str:
    return _WORDS.get(state) or look.text(state, _WORD_CELLS)


def _mark(state: str, look: Look) -> str:
    return {"lost": look.cross, "stalled": "!"}.get(state, " ")
