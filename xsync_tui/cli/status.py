"""``xsync status``: how executions stand now, from their journals alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xsync_tui.cli import options

if TYPE_CHECKING:
    from engine.journal.records import Summary


@click.command
@options.execution
@options.as_json
def command(execution: str | None, as_json: bool) -> int:
    """Show how an execution stands now; without one, all that have not ended, or the newest."""
    from engine.home import find_home, list_execution_folders
    from xsync_tui.cli.finding import execution_to_show, open_executions
    from xsync_tui.cli.output import emit, put

    unended = [] if execution else open_executions()
    if len(unended) > 1:
        _show_list(unended, as_json)
    elif execution or list_execution_folders(find_home()):
        _show_one(execution_to_show(execution), as_json)
    elif as_json:
        emit({"executions": []})
    else:
        put("Nothing has run yet. Start with: xsync run SOURCE DESTINATION, or see it work: xsync demo")
    return 0


def _show_one(folder: Path, as_json: bool) -> None:
    from engine.journal.reader import read_snapshot
    from xsync_tui.cli.headline import life_of
    from xsync_tui.cli.outcome import snapshot_json
    from xsync_tui.cli.output import current_look, emit
    from xsync_tui.cli.plain_view import view

    snapshot, now = read_snapshot(folder), time.time()
    if as_json:
        emit(snapshot_json(snapshot, life_of(snapshot, now).value, now))
    else:
        # Nothing is redrawn here, so that the height of the terminal is no limit.
        print("\n".join(view(snapshot, now, current_look()._replace(height=1_000))))


def _show_list(executions: list[Summary], as_json: bool) -> None:
    from xsync_tui.cli.executions import list_lines
    from xsync_tui.cli.output import current_look, emit

    if as_json:
        emit({"executions": executions})
    else:
        print("\n".join(list_lines(executions, current_look())))
