"""``xsync schedule``: has a profile run again and again, by a systemd timer or cron, and shows how that goes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Literal

import click

from xsync_tui.cli import options

if TYPE_CHECKING:
    from engine.execution.launch import Launched
    from engine.execution.scheduling.schedule import Ended, ScheduleRecord
    from engine.home import Home
    from engine.model import Migration
    from engine.recurrence import Recurrence
    from profiles.schema import Profile


@click.group
def command() -> None:
    """Run a profile again and again: install, remove, list."""


@command.command()
@click.argument("profile")
@click.option("--cron", help="When, such as '0 2 * * Mon-Fri'; else what the profile says.")
@click.option("--every", "interval", help="How often, such as '15 min' or '6 h', counted from midnight.")
@click.option("--with", "kind", type=click.Choice(["systemd", "crontab"]), help="Which; systemd where it answers.")
@options.as_json
def install(
    profile: str, cron: str | None, interval: str | None, kind: Literal["systemd", "crontab"] | None, as_json: bool
) -> int:
    """Have PROFILE run by itself from now on, also after a reboot.

    A time that comes while an execution still runs is skipped and counted. After five ends in a row for the same reason
    it stops and says so, until it is installed anew.
    """
    from engine.execution.scheduling.schedule import ScheduleRecord, write_record
    from engine.execution.scheduling.timers import command_of, timers
    from engine.home import prepare_home
    from xsync_tui.cli.clock import moment
    from xsync_tui.cli.output import emit, put, say

    saved = _saved(profile)
    times = _times(saved, cron, interval)
    home, installer = prepare_home(), timers(kind)
    where = installer.install(saved.name, times, command_of(saved.name))
    record = ScheduleRecord(saved.name, times.cron, time.time(), installer.kind)
    write_record(home, record)
    if as_json:
        emit(_shown(record))
    else:
        put(f"{saved.name} runs at {times.cron} (minute hour day month weekday), next {moment(_next(record))}")
        put(f"Installed in {where}. How it goes: xsync schedule list. Take it back: xsync schedule remove {saved.name}")
    for warning in _warnings(saved, installer.kind):
        say(f"warning: {warning}")
    return 0


@command.command()
@click.argument("profile")
@options.as_json
def remove(profile: str, as_json: bool) -> int:
    """Let PROFILE run no more by itself. An execution that runs goes on."""
    from engine.errors import UsageError
    from engine.execution.scheduling.schedule import forget_record, read_record
    from engine.execution.scheduling.timers import timers
    from engine.home import prepare_home
    from xsync_tui.cli.output import emit, put

    home = prepare_home()
    record = read_record(home, profile)
    if record is None:
        raise UsageError(f"{profile} has no schedule. Those there are: xsync schedule list")
    gone = timers(_kind(record)).remove(profile)
    forget_record(home, profile)
    if as_json:
        emit({"name": profile, "removed": True, "was_installed": gone})
    else:
        put(f"Removed: {profile} no longer runs by itself." + ("" if gone else " Its timer was gone already."))
    return 0


@command.command("list")
@click.argument("profile", required=False)
@options.as_json
def list_command(profile: str | None, as_json: bool) -> int:
    """Show the schedules: when next, how the last execution ended, what was skipped, and which stopped themselves."""
    from engine.execution.scheduling.schedule import read_records
    from engine.home import find_home
    from xsync_tui.cli.output import emit, put

    records = [record for record in read_records(find_home()) if profile in (None, record.name)]
    if as_json:
        emit({"schedules": [_shown(record) for record in records]})
    elif not records:
        put("There is no schedule yet. Make one: xsync schedule install PROFILE --every '6 h'")
    for record in [] if as_json else records:
        put("\n".join(_lines(record)))
    return 0


@command.command(hidden=True)
@click.argument("profile")
@options.as_json
def run(profile: str, as_json: bool) -> int:
    """Run PROFILE now as its timer does: nothing if the last one still runs, or after too many ends alike."""
    from engine.errors import RefusedError
    from engine.execution.scheduling.schedule import after_end, alone, read_record, write_record
    from engine.home import prepare_home
    from xsync_tui.cli.output import say

    home = prepare_home()
    record = read_record(home, profile)
    if record is None:
        raise RefusedError(f"{profile} has no schedule any more. Make one: xsync schedule install {profile}")
    if record.stopped_at is not None:
        raise RefusedError(_stopped(record))
    with alone(home, profile) as free:
        if not free:
            say(f"{profile}: the execution before still runs: skipped.")
            return 0
        ended = _execute(home, record, as_json=as_json)
        if ended is None:
            return 0
        # Read anew: the schedule may have been installed or removed while this ran.
        record = read_record(home, profile)
        if record is None:
            return ended.code
        record = after_end(record, ended)
        write_record(home, record)
    if record.stopped_at is not None:
        say(_stopped(record))
        _tell(record)
    return ended.code


def _execute(home: Home, record: ScheduleRecord, *, as_json: bool) -> Ended | None:
    """Run the profile to its end; None if another execution holds the destination, which counts as skipped."""
    from engine.errors import BusyError, XsyncError
    from engine.execution.launch import RunRequest, start
    from engine.execution.scheduling.schedule import Ended, after_skip, write_record
    from profiles.convert import to_migration
    from xsync_tui.cli.output import say
    from xsync_tui.cli.presenters import state_presenter
    from xsync_tui.cli.running import in_foreground

    began = time.time()
    launched: list[Launched] = []

    def launch(detached: bool) -> Launched:
        launched.append(start(request, detached=detached))
        return launched[0]

    try:
        request = RunRequest(to_migration(_saved(record.name)), record.name)
        code = in_foreground(launch, as_json=as_json, shown=None if as_json else state_presenter())
        message = _message_of(launched[0])
    except BusyError as error:
        say(f"{record.name}: skipped: {error}")
        write_record(home, after_skip(record))
        return None
    except XsyncError as error:
        say(f"{record.name}: {error}")
        code, message = error.exit_code, str(error)
    return Ended(began, time.time(), code, message, launched[0].execution if launched else None)


def _message_of(launched: Launched) -> str:
    from engine.journal.reader import SnapshotReader

    with SnapshotReader(launched.folder) as reader:
        return reader.read().message


def _tell(record: ScheduleRecord) -> None:
    """Tell whom the profile names that its schedule has stopped."""
    from engine.errors import ProfileError
    from engine.reporting.notify import notify
    from profiles.convert import to_migration
    from xsync_tui.cli.output import say

    try:
        migration: Migration = to_migration(_saved(record.name))
    except ProfileError:
        return
    if migration.notify is not None:
        event = {"event": "schedule stopped", "profile": record.name, "message": _stopped(record)}
        for problem in notify(migration.notify, event):
            say(problem)


def _saved(name: str) -> Profile:
    """A profile under its name: a timer finds it nowhere else. Raises ProfileError, UsageError."""
    from engine.errors import UsageError
    from profiles import store
    from xsync_tui.cli.profile_names import load_profile

    if name.endswith(".toml"):
        raise UsageError(f"{name}: a schedule needs a saved profile; save it in {store.profiles_folder()}")
    return load_profile(name)


def _times(profile: Profile, cron: str | None, interval: str | None) -> Recurrence:
    from engine.errors import UsageError
    from engine.recurrence import Recurrence, every

    if cron is not None and interval is not None:
        raise click.UsageError("--cron and --every: one of them.")
    chosen = (cron, interval) if cron or interval else (profile.schedule.cron, profile.schedule.every)
    if chosen[0] is not None:
        return Recurrence(chosen[0])
    if chosen[1] is not None:
        return every(chosen[1])
    raise UsageError(
        f"{profile.name} does not say when it runs: add [schedule] with cron or every to the profile, or say --cron or "
        "--every here"
    )


def _warnings(profile: Profile, kind: str) -> list[str]:
    from engine.execution.scheduling.timers import ends_with_the_session

    found = []
    places = (profile.source, profile.destination)
    if "AWS_ACCESS_KEY_ID" in os.environ and any(p.url.startswith("s3:") and not p.aws_profile for p in places):
        found.append("credentials come from this shell's environment, which a timer does not have: name an aws_profile")
    if kind == "systemd" and ends_with_the_session():
        found.append("timers of this account end when it logs out; keep them: loginctl enable-linger")
    return found


def _kind(record: ScheduleRecord) -> Literal["systemd", "crontab"]:
    return "systemd" if record.installed_as == "systemd" else "crontab"


def _next(record: ScheduleRecord) -> float:
    from engine.recurrence import Recurrence

    return next(Recurrence(record.cron).after(time.time()))


def _shown(record: ScheduleRecord) -> dict[str, Any]:
    import msgspec

    shown: dict[str, Any] = msgspec.to_builtins(record)
    return shown | {"next_at": None if record.stopped_at is not None else _next(record)}


def _stopped(record: ScheduleRecord) -> str:
    return (
        f"The schedule of {record.name} stopped itself after {record.same} ends in a row for the same reason: "
        f"{record.last_message or f'exit code {record.last_code}'}\n"
        f"When that is mended: xsync schedule install {record.name}"
    )


def _lines(record: ScheduleRecord) -> list[str]:
    from xsync_tui.cli.clock import moment

    when = "STOPPED" if record.stopped_at is not None else f"next {moment(_next(record))}"
    counts = f"{record.runs} run{'' if record.runs == 1 else 's'}, {record.skipped} skipped"
    lines = [f"{record.name}  {record.cron}  ({record.installed_as})  {when}  {counts}"]
    if record.last_ended_at is not None:
        why = f": {record.last_message}" if record.last_message else ""
        lines.append(f"  last ended {moment(record.last_ended_at)} with exit code {record.last_code}{why}")
    if record.stopped_at is not None:
        lines += [f"  {line}" for line in _stopped(record).splitlines()]
    return lines
