"""``xsync retry``: runs only what failed in an execution."""

from __future__ import annotations

import click

from xsync_tui.cli import options


@click.command
@options.execution
@options.detach
@options.as_json
def command(execution: str | None, detach: bool, as_json: bool) -> int:
    """Copy only what failed in an execution, as a new one with the same migration; without a name, in the newest.

    It covers the files that failed, and whole folders that could not be listed. Nothing else is looked at, counted or
    deleted.
    """
    from engine.execution.launch import begin
    from engine.execution.retry import prepare_retry
    from engine.home import find_execution, find_home
    from xsync_tui.cli.outcome import covers_line
    from xsync_tui.cli.output import emit, put, say
    from xsync_tui.cli.running import run_and_stay

    earlier = find_execution(find_home(), execution)
    prepared = prepare_retry(earlier)
    if prepared is None:
        if as_json:
            emit({"type": "result", "execution": None, "retry": {"of": earlier.name, "files": 0, "folders": 0}})
        else:
            put(f"Nothing failed in {earlier.name}: there is nothing to retry.")
        return 0
    if as_json:
        emit({"type": "retry", **{key: getattr(prepared.covers, key) for key in ("of", "files", "folders")}})
    else:
        say(covers_line(prepared.covers))
    return run_and_stay(lambda detached: begin(prepared.folder, detached=detached), detach=detach, as_json=as_json)
