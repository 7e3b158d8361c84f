"""``xsync pause``: no new request starts until resume; what is under way is finished."""

from __future__ import annotations

import click

from xsync_tui.cli import options


@click.command
@options.execution
@options.as_json
def command(execution: str | None, as_json: bool) -> int:
    """Stop sending; what is under way is finished first, nothing is lost.

    Go on with: xsync resume
    """
    from engine.journal.reader import read_snapshot
    from xsync_tui.cli.asking import ask_and_tell, require_live
    from xsync_tui.cli.finding import execution_to_act_on

    folder = execution_to_act_on(execution)
    require_live(read_snapshot(folder), "pause")
    return ask_and_tell(folder, "pause", {}, as_json=as_json)
