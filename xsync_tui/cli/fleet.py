"""``xsync fleet``: the agents of a running execution."""

from __future__ import annotations

import click

from xsync_tui.cli import options


@click.group
def command() -> None:
    """List, add and drain the agents of a running execution."""


@command.command("list")
@options.execution
@options.as_json
def list_command(execution: str | None, as_json: bool) -> int:
    """List the agents and what each does."""
    from engine.journal.reader import read_snapshot
    from xsync_tui.cli.agent_lines import agent_line
    from xsync_tui.cli.finding import execution_to_show
    from xsync_tui.cli.look import paint
    from xsync_tui.cli.output import current_look, emit, put

    snapshot = read_snapshot(execution_to_show(execution))
    if as_json:
        emit({"execution": snapshot.execution, "status": snapshot.status, "agents": snapshot.agents})
    elif not snapshot.agents:
        put(f"{snapshot.execution} has no agents ({snapshot.status}).")
    else:
        look = current_look()
        print("\n".join(paint([agent_line(agent, look) for agent in snapshot.agents], look)))
    return 0


@command.command()
@options.execution
@click.option("--agents", type=click.IntRange(1, 64), default=1, show_default=True, help="How many more.")
@options.as_json
def add(execution: str | None, agents: int, as_json: bool) -> int:
    """Start more agents; idle ones take work of the task with most left."""
    from engine.journal.reader import read_snapshot
    from xsync_tui.cli.asking import ask_and_tell, require_live
    from xsync_tui.cli.finding import execution_to_act_on

    folder = execution_to_act_on(execution)
    require_live(read_snapshot(folder), "add agents to")
    return max(ask_and_tell(folder, "add_agent", {}, as_json=as_json) for _ in range(agents))


@command.command()
@click.argument("agent")
@options.execution
@options.as_json
def drain(agent: str, execution: str | None, as_json: bool) -> int:
    """Let AGENT finish what it holds, then leave; the others go on."""
    from engine.errors import UsageError
    from engine.journal.reader import read_snapshot
    from xsync_tui.cli.asking import ask_and_tell, require_live
    from xsync_tui.cli.finding import execution_to_act_on

    folder = execution_to_act_on(execution)
    snapshot = read_snapshot(folder)
    require_live(snapshot, "drain in")
    names = [each.name for each in snapshot.agents if each.state not in ("lost", "gone")]
    if agent not in names:
        raise UsageError(f"{snapshot.execution} has no agent {agent!r}. It has: {', '.join(names) or 'none'}")
    return ask_and_tell(folder, "drain_agent", {"agent": agent}, as_json=as_json)
