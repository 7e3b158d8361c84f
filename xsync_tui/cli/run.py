"""``xsync run``: copies what a profile or the command line says, with parallel agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from xsync_tui.cli import options
from xsync_tui.cli.options import MigrationOptions

if TYPE_CHECKING:
    from engine.execution.launch import RunRequest
    from profiles.schema import Profile


@click.command
@click.argument("what", metavar="PROFILE | SOURCE DESTINATION", nargs=-1, required=True)
@options.migration
@options.detach
@options.as_json
def command(what: tuple[str, ...], detach: bool, as_json: bool, **chosen: Unpack[MigrationOptions]) -> int:
    """Copy what a profile says, or SOURCE to DESTINATION.

    An interrupted execution of the same, unchanged migration is continued. On a terminal it runs on when you leave with
    Ctrl-C; elsewhere it stays in the foreground, and SIGTERM drains it.
    """
    from xsync_tui.cli.running import run_and_stay

    request = _request(what, chosen)

    from engine.execution.launch import start

    return run_and_stay(lambda detached: start(request, detached=detached), detach=detach, as_json=as_json)


def _request(what: tuple[str, ...], chosen: MigrationOptions) -> RunRequest:
    import msgspec

    from engine.execution.launch import RunRequest
    from profiles.convert import to_migration

    if len(what) == 1:
        profile = _load(what[0], chosen)
        migration = to_migration(profile)
        if chosen["agents"] is not None:
            migration = msgspec.structs.replace(migration, agents=chosen["agents"])
        return RunRequest(migration, profile.name)
    if len(what) != 2:
        raise click.UsageError(f"Expected a PROFILE, or a SOURCE and a DESTINATION; got {len(what)} arguments.")
    profile = options.to_profile("unnamed", *what, chosen, "command line")
    return RunRequest(msgspec.structs.replace(to_migration(profile), name=None), None)


def _load(name: str, chosen: MigrationOptions) -> Profile:
    from xsync_tui.cli.profile_names import load_profile

    said = [f"--{key.replace('_', '-')}" for key, value in chosen.items() if value and key != "agents"]
    if said:
        raise click.UsageError(
            f"{', '.join(said)}: with a profile, this is said in the profile: xsync profiles path {name}"
        )
    return load_profile(name)
