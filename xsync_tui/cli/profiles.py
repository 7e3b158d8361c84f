"""``xsync profiles``: the saved migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from xsync_tui.cli import options
from xsync_tui.cli.options import MigrationOptions

if TYPE_CHECKING:
    from engine.model import Migration


@click.group
def command() -> None:
    """Saved migrations: list, show, new, validate, path, delete."""


@command.command("list")
@options.as_json
def list_command(as_json: bool) -> int:
    """List the saved profiles; those that are not valid say why."""
    from engine.errors import ProfileError
    from profiles import store
    from xsync_tui.cli.output import emit, put

    rows = []
    for name in store.names():
        try:
            profile = store.load(name)
            rows.append(
                {"name": name, "source": profile.source.url, "destination": profile.destination.url, "problem": None}
            )
        except ProfileError as error:
            rows.append({"name": name, "source": None, "destination": None, "problem": str(error)})
    if as_json:
        emit({"folder": str(store.profiles_folder()), "profiles": rows})
    elif not rows:
        put(f"No profile in {store.profiles_folder()} yet. Make one: xsync profiles new NAME SOURCE DESTINATION")
    for row in [] if as_json else rows:
        put(f"{row['name']:<20}  {row['problem'] or '{source} -> {destination}'.format(**row)}")
    return 0


@command.command()
@click.argument("name")
@options.as_json
def show(name: str, as_json: bool) -> int:
    """Print a profile as TOML, what equals its default left out."""
    from profiles import store
    from xsync_tui.cli.output import emit, put
    from xsync_tui.cli.profile_names import load_profile

    profile = load_profile(name)
    if as_json:
        emit(profile)
    else:
        put(store.render(profile).rstrip())
    return 0


@command.command()
@click.argument("name")
@click.argument("source")
@click.argument("destination")
@options.migration
@options.as_json
def new(name: str, source: str, destination: str, as_json: bool, **chosen: Unpack[MigrationOptions]) -> int:
    """Save a profile under NAME; run it with: xsync run NAME."""
    from profiles import store
    from profiles.convert import to_migration
    from xsync_tui.cli.output import emit, put

    profile = options.to_profile(name, source, destination, chosen, "command line")
    _check_places(to_migration(profile))
    path = store.save(profile, new=True)
    if as_json:
        emit({"name": name, "path": str(path)})
    else:
        put(f"Saved: {path}\nNext: xsync run {name}")
    return 0


@command.command()
@click.argument("name")
@options.as_json
def validate(name: str, as_json: bool) -> int:
    """Check a saved profile or a .toml file: every key, value, pattern and quantity."""
    from profiles import store
    from profiles.convert import to_migration
    from xsync_tui.cli.output import emit, put
    from xsync_tui.cli.profile_names import load_profile

    _check_places(to_migration(load_profile(name)))
    if as_json:
        emit({"name": name, "path": str(store.find(name)), "valid": True})
    else:
        put(f"{store.find(name)} is valid.")
    return 0


@command.command()
@click.argument("name", required=False)
@options.as_json
def path(name: str | None, as_json: bool) -> int:
    """Print where a profile is, or would be; without NAME the folder of all."""
    from profiles import store
    from xsync_tui.cli.output import emit, put

    where = store.path_of(name) if name else store.profiles_folder()
    if as_json:
        emit({"path": str(where), "exists": where.exists()})
    else:
        put(str(where))
    return 0


@command.command()
@click.argument("name")
@options.as_json
def delete(name: str, as_json: bool) -> int:
    """Remove a saved profile; its executions and all data stay."""
    from profiles import store
    from xsync_tui.cli.output import emit, put

    where = store.delete(name)
    if as_json:
        emit({"name": name, "path": str(where), "deleted": True})
    else:
        put(f"Removed {where}; its executions stay.")
    return 0


def _check_places(migration: Migration) -> None:
    """Raise UsageError for a URL that no location has."""
    from engine.locations.registry import destination_key

    for spec in (migration.source, migration.destination):
        destination_key(spec)
