"""``xsync limit``: changes the bandwidth that all agents of a running execution have together."""

from __future__ import annotations

import click

from xsync_tui.cli import options


@click.command
@click.argument("what", metavar="[EXECUTION] RATE|none", nargs=-1, required=True)
@options.as_json
def command(what: tuple[str, ...], as_json: bool) -> int:
    """Limit the bandwidth of all agents together, from now on: 500Mbit/s, 60MB/s, or none.

    It holds in place of bytes_per_second and the timetable of the profile, until the limit that these two make changes
    next; the answer says when that is. Where they never change, it holds until the execution ends, resumed or not.
    """
    from engine.journal.reader import read_snapshot
    from xsync_tui.cli.asking import ask_and_tell, require_live
    from xsync_tui.cli.finding import execution_to_act_on

    if len(what) > 2:
        raise click.UsageError(f"Expected [EXECUTION] RATE|none; got {len(what)} arguments.")
    rate = options.Rate().convert(what[-1], None, None)
    folder = execution_to_act_on(what[0] if len(what) == 2 else None)
    require_live(read_snapshot(folder), "limit")
    return ask_and_tell(folder, "limit", {"bytes_per_second": rate if rate > 0 else None}, as_json=as_json)
