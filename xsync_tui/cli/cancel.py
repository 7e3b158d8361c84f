"""``xsync cancel``: ends an execution for good, also one that was interrupted and has no runner any more."""

from __future__ import annotations

from pathlib import Path

import click

from xsync_tui.cli import options

SOME_FAILED = 3


@click.command
@options.execution
@options.as_json
def command(execution: str | None, as_json: bool) -> int:
    """End an execution for good; finished files stay at the destination.

    One that was interrupted, or whose runner is gone, is ended here and now: what it had copied counts for the next
    run, its open uploads are discarded, and it cannot be resumed any more. Exit code 3: the destination could not be
    reached, and something stays open there. Then repeat it.
    """
    import time

    from engine.journal.reader import read_snapshot
    from engine.model import Status
    from xsync_tui.cli.asking import ask_and_tell
    from xsync_tui.cli.finding import execution_to_end
    from xsync_tui.cli.headline import Life, life_of

    folder = execution_to_end(execution)
    snapshot = read_snapshot(folder)
    begins = snapshot.status in (Status.QUEUED, Status.LAUNCHING) and life_of(snapshot, time.time()) is Life.LIVE
    if snapshot.runner_alive or begins:
        return ask_and_tell(folder, "cancel", {}, as_json=as_json)
    return _end(folder, as_json=as_json)


def _end(folder: Path, *, as_json: bool) -> int:
    import time

    from engine.execution.abandon import abandon
    from xsync_tui.bridge import who
    from xsync_tui.cli.asking import Answer
    from xsync_tui.cli.output import emit, put
    from xsync_tui.cli.running import tell_result

    asked_at, asked_by = time.time(), who()
    ended = abandon(folder, asked_by)
    if as_json:
        outcome = "not all done: " + ended.problem if ended.problem else "done"
        emit(Answer(folder.name, "cancel", asked_by, asked_at, outcome))
    elif ended.before:
        put(f"{folder.name} was cancelled before.{'' if ended.problem else ' Nothing is open at the destination.'}")
    tell_result(folder, as_json=as_json, gone=False)
    return SOME_FAILED if ended.problem else 0
