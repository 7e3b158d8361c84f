"""``xsync cancel``: ends an execution for good."""

from __future__ import annotations

import click

from xsync_tui.cli import options


@click.command
@options.execution
@options.as_json
def command(execution: str | None, as_json: bool) -> int:
    """End an execution for good; finished files stay at the destination."""
    from engine.journal.reader import read_snapshot
    from xsync_tui.cli.asking import ask_and_tell, require_live
    from xsync_tui.cli.finding import execution_to_act_on

    folder = execution_to_act_on(execution)
    require_live(read_snapshot(folder), "cancel")
    return ask_and_tell(folder, "cancel", {}, as_json=as_json)
