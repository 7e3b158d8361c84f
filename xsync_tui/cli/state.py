"""``xsync state``: moves what is known of a migration to another host."""

from __future__ import annotations

from pathlib import Path

import click

from xsync_tui.cli import options


@click.group
def command() -> None:
    """Move what is known of a migration to another host: export, import."""


@command.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@options.execution
@options.as_json
def export_command(file: Path, execution: str | None, as_json: bool) -> int:
    """Write the state of the migration of EXECUTION (its id, or a profile's name; the newest) to FILE, a tar.zst.

    It holds what is known to be at the destination, and the profile if that is saved: no data, no history, no secrets.
    """
    from engine.execution.state_archive import export_state
    from engine.home import find_execution, find_home
    from engine.journal.reader import read_migration
    from profiles import store
    from xsync_tui.cli.output import emit, put

    folder = find_execution(find_home(), execution)
    name = read_migration(folder).name
    saved = (name, store.path_of(name).read_text("utf-8")) if name and name in store.names() else None
    archive = export_state(folder, options.writable(file), saved)
    if as_json:
        emit({"file": str(file.absolute()), "execution": folder.name, **_said(archive)})
    else:
        holds = f" and the profile {name}" if saved else ""
        put(f"Written: {file} (the state of {archive.source.url} -> {archive.destination.url}{holds})")
        put("On the other host: xsync state import FILE")
    return 0


@command.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Also over a state that is newer; that one is kept beside it.")
@options.as_json
def import_command(file: Path, force: bool, as_json: bool) -> int:
    """Make the state in FILE the one that runs here use, between the same source and destination.

    What does not verify is refused, and so is a state older than what is known here. A saved profile of the same name
    is kept.
    """
    from engine.execution.state_archive import import_state
    from xsync_tui.cli.output import emit, put

    imported = import_state(file, force=force)
    profile = _keep_profile(imported.archive.profile, imported.profile)
    notes = [*imported.notes, *([profile] if profile else [])]
    if imported.aside is not None:
        notes.append(f"The state that was here is kept: {imported.aside}")
    if as_json:
        emit({**_said(imported.archive), "rows": sum(each.rows for each in imported.state.files), "notes": notes})
        return 0
    put(f"Imported: {sum(each.rows for each in imported.state.files):,} entries known to be at their destination.")
    for note in notes:
        put(f" {note}")
    return 0


def _keep_profile(name: str | None, text: str | None) -> str:
    """Save the profile of an archive where there is none of its name; returns what to say of it."""
    from engine.errors import ProfileError
    from profiles import store

    if name is None or text is None:
        return ""
    try:
        profile = store.parse(text, "the profile in the archive")
        if profile.name != name:
            return f"The profile in the archive is called {profile.name}, not {name}: not saved."
        if name in store.names():
            same = store.load(name) == profile
            return f"The profile {name} is here already" + (", the same." if same else ", another one: it is kept.")
        return f"Saved the profile: {store.save(profile)}"
    except ProfileError as error:
        return f"The profile was not saved: {error}"


def _said(archive: object) -> dict[str, object]:
    import msgspec

    said: dict[str, object] = msgspec.to_builtins(archive)
    return {key: said.get(key) for key in ("source", "destination", "profile", "newest_ns", "exported_at", "host")}
