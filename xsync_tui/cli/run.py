"""``xsync run``: copies what a profile or the command line says, with parallel agents."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Unpack

import click

from xsync_tui.cli import options
from xsync_tui.cli.options import MigrationOptions

if TYPE_CHECKING:
    from engine.execution.launch import RunRequest
    from engine.model import Migration
    from profiles.schema import Profile


@click.command(epilog=options.FOR_A_PAIR)
@click.argument("what", metavar="PROFILE | SOURCE DESTINATION", nargs=-1, required=True)
@options.migration
@options.metrics_file
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("--unmounted", is_flag=True, help="A folder below a mount point whose mount is gone is really meant.")
@click.option("--output", type=click.Path(dir_okay=False), metavar="FILE", help="Of a dry run: .parquet or .jsonl.")
@options.detach
@options.as_json
def command(
    what: tuple[str, ...],
    metrics_file: str | None,
    dry_run: bool,
    unmounted: bool,
    output: str | None,
    detach: bool,
    as_json: bool,
    **chosen: Unpack[MigrationOptions],
) -> int:
    """Copy what a profile says, or SOURCE to DESTINATION.

    An interrupted execution of the same migration is continued, also with another limit, timetable or number of agents.
    If anything else has changed it is superseded by the new one, which says so. On a terminal it runs on when you leave
    with Ctrl-C; elsewhere it stays in the foreground, and SIGTERM drains it.
    """
    if output is not None and not dry_run:
        raise click.UsageError("--output: only a --dry-run has one; a run's own is files.parquet (xsync report)")
    if dry_run and detach:
        raise click.UsageError("--detach: a --dry-run says all it has to say here, and starts nothing")
    if unmounted:
        from engine.execution.vanished import accept_unmounted

        accept_unmounted()
    if dry_run:
        from xsync_tui.cli.dry_run import show_plan

        return show_plan(migration_of(what, chosen)[0], output, as_json=as_json)

    from xsync_tui.cli.running import run_and_stay

    request = _with_metrics(_request(what, chosen), metrics_file)
    _tell_of_too_many(request.migration.agents)

    from engine.execution.launch import start

    return run_and_stay(lambda detached: start(request, detached=detached), detach=detach, as_json=as_json)


def _tell_of_too_many(agents: int) -> None:
    """Say that this host does not hold so many agents; they are started all the same, as somebody asked for them."""
    from engine.execution.checking.host import room_here
    from xsync_tui.cli.output import say

    room = room_here()
    if agents > room.agents:
        say(f"! {agents:,} agents are more than this host holds, which is {room.said}: they will slow each other down.")


def _with_metrics(request: RunRequest, metrics_file: str | None) -> RunRequest:
    """The request with the metrics file that the command line names. Raises UsageError if its folder is not."""
    import msgspec

    if metrics_file is not None:
        path = os.path.abspath(metrics_file)
        request = msgspec.structs.replace(
            request, migration=msgspec.structs.replace(request.migration, metrics_file=path)
        )
    path = request.migration.metrics_file or ""
    if path and not os.path.isdir(os.path.dirname(path)):
        raise click.UsageError(f"{path}: there is no such folder to keep metrics in.")
    return request


def _request(what: tuple[str, ...], chosen: MigrationOptions) -> RunRequest:
    from engine.execution.launch import RunRequest

    return RunRequest(*migration_of(what, chosen))


def migration_of(what: tuple[str, ...], chosen: MigrationOptions) -> tuple[Migration, str | None]:
    """What a command line describes, and the name of its profile. Raises ProfileError, click.UsageError."""
    import msgspec

    from profiles.convert import to_migration

    if len(what) == 1:
        profile = _load(what[0], chosen)
        migration = to_migration(profile)
        if chosen["agents"] is not None:
            migration = msgspec.structs.replace(migration, agents=chosen["agents"])
        if chosen["limit"] is not None:
            limited = msgspec.structs.replace(migration.options, bytes_per_second=chosen["limit"])
            migration = msgspec.structs.replace(migration, options=limited)
        if chosen["delta"] is not None:
            looking = msgspec.structs.replace(migration.options, delta=chosen["delta"])
            migration = msgspec.structs.replace(migration, options=looking)
        deleting = msgspec.structs.replace(migration.options, **options.deletions(chosen))
        if (deleting.transfer_mode, deleting.preserve_deleted_files) == ("ALL", "REMOVE"):
            raise click.UsageError("--delete: not with transfer_mode = ALL, as in DataSync.")
        migration = msgspec.structs.replace(migration, options=deleting)
        return migration, profile.name
    if len(what) != 2:
        raise click.UsageError(f"Expected a PROFILE, or a SOURCE and a DESTINATION; got {len(what)} arguments.")
    profile = options.to_profile("unnamed", *what, chosen, "command line")
    return msgspec.structs.replace(to_migration(profile), name=None), None


def _load(name: str, chosen: MigrationOptions) -> Profile:
    from xsync_tui.cli.profile_names import load_profile

    refused = [key for key, value in chosen.items() if value and key not in options.ALSO_WITH_PROFILE]
    said = [f"--{key.replace('_', '-')}" for key in refused]
    if said:
        raise click.UsageError(
            f"{', '.join(said)}: with a profile, this is said in the profile: xsync profiles path {name}"
        )
    return load_profile(name)
