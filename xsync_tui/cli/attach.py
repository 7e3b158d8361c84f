"""``xsync attach``: watches any execution live, with its whole truth."""

from __future__ import annotations

import click

from xsync_tui.cli import options


@click.command
@options.execution
@options.as_json
def command(execution: str | None, as_json: bool) -> int:
    """Watch an execution live; Ctrl-C leaves it running."""
    from xsync_tui.cli.finding import execution_to_show
    from xsync_tui.cli.running import watch

    return watch(execution_to_show(execution), as_json=as_json)
