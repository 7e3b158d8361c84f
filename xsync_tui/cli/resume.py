"""``xsync resume``: goes on with a paused execution, or with one whose runner ended or died."""

from __future__ import annotations

import click

from xsync_tui.cli import options


@click.command
@options.execution
@options.detach
@options.as_json
def command(execution: str | None, detach: bool, as_json: bool) -> int:
    """Go on: a paused execution sends again, an interrupted one is started again without redoing finished files."""
    from engine.journal.reader import read_snapshot
    from engine.model import Status
    from xsync_tui.cli.asking import ask_and_tell
    from xsync_tui.cli.finding import execution_to_resume
    from xsync_tui.cli.running import run_and_stay

    folder = execution_to_resume(execution)
    snapshot = read_snapshot(folder)
    if snapshot.runner_alive and snapshot.status is Status.PAUSED:
        return ask_and_tell(folder, "resume", {}, as_json=as_json)

    from engine.execution.launch import resume

    return run_and_stay(lambda detached: resume(folder, detached=detached), detach=detach, as_json=as_json)
