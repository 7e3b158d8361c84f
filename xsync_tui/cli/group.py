"""The ``xsync`` command group: each command's module is imported when it is called, so that starting stays fast."""

from __future__ import annotations

import difflib
import importlib
from typing import Final

import click

COMMANDS: Final = {
    "open": "Open the terminal app, which walks through it all.",
    "survey": "Measure a location: files, bytes, sizes, folders, hazards.",
    "check": "Find out whether a run would work, before anything moves.",
    "plan": "How many agents, which tasks, how long, what limits, what it costs.",
    "test-run": "Measure agents on comparable folders: what binds, and how many help.",
    "run": "Copy a profile, or a source to a destination, with parallel agents.",
    "attach": "Watch an execution live; Ctrl-C leaves it running.",
    "status": "Show how executions stand now.",
    "pause": "Stop sending; what is under way is finished first.",
    "resume": "Go on: a paused execution, or one that was interrupted.",
    "limit": "Change the bandwidth limit of all agents together while it runs.",
    "retry": "Copy only what failed in an execution, as a new one.",
    "cancel": "End an execution for good; finished files stay.",
    "fleet": "List, add and drain the agents of a running execution.",
    "cutover": "Switch over: whether it is time, and the last pass as a checklist.",
    "verify": "Compare both sides now: what is missing, foreign, or differs, and how.",
    "report": "What an execution did, and what it could not do.",
    "cleanup": "Discard what broken runs left at a destination: open uploads, temporary files.",
    "state": "Move what is known of a migration to another host: export, import.",
    "schedule": "Have a profile run by itself again and again: install, remove, list.",
    "profiles": "Saved migrations: list, show, new, validate, path, delete.",
    "demo": "See it all work: a dataset, an S3 server, four agents, a check.",
}
"""Every command, in the order of a person's day, with the line that ``xsync --help`` shows."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports ``xsync_tui.cli.<name>`` (``-`` as ``_``) on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"xsync_tui.cli.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with the nearest command named where there is none."""
        nearest = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            meant = f" Did you mean {nearest[0]}?" if nearest else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
