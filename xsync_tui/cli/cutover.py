"""``xsync cutover``: whether a migration can be switched over now, and its last pass as a checklist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from xsync_tui.cli import options

if TYPE_CHECKING:
    from engine.execution.cutover.work import Known
    from engine.execution.foretelling.passes import History
    from engine.home import Home
    from engine.model import Migration
    from engine.planning.cutover import Readiness
    from profiles.schema import Profile


@click.command
@click.argument("name", metavar="PROFILE")
@click.option("--estimate", is_flag=True, help="Say how long the freeze takes and whether it fits; do nothing.")
@click.option(
    "--verify-mode",
    type=click.Choice(["POINT_IN_TIME_CONSISTENT", "ONLY_FILES_TRANSFERRED"]),
    default="POINT_IN_TIME_CONSISTENT",
    help="Compare both sides after the final delta (default), or trust what it sent.",
)
@click.option(
    "--wait-quiet", type=click.IntRange(1), metavar="MINUTES", help="Wait until the source is unchanged so long."
)
@click.option("--yes", is_flag=True, help="Confirm every step without asking; needed off a terminal.")
@click.option("--restart", is_flag=True, help="Forget a cutover that was begun, and begin anew.")
@options.as_json
def command(
    name: str,
    estimate: bool,
    verify_mode: Literal["POINT_IN_TIME_CONSISTENT", "ONLY_FILES_TRANSFERRED"],
    wait_quiet: int | None,
    yes: bool,
    restart: bool,
    as_json: bool,
) -> int:
    """Switch PROFILE over: readiness, source read-only, final delta, verification, sign-off report, hand over.

    Each step is recorded; stopped anywhere, the same command goes on with the first that is not done. The source is
    only read. Exit code 3 if the sides differ or files failed, 4 if it is not confirmed.
    """
    from engine.home import prepare_home
    from profiles.convert import to_migration
    from xsync_tui.cli.cutover_steps import Checklist
    from xsync_tui.cli.cutover_talk import Terminal
    from xsync_tui.cli.output import emit, put
    from xsync_tui.cli.profile_names import load_profile

    profile = load_profile(name)
    migration, home = to_migration(profile), prepare_home()
    history, ready = readiness_of(home, profile, migration, verify_mode)
    if estimate:
        if as_json:
            emit(_json(profile.name, history, ready))
        else:
            put("\n".join(_lines(profile.name, history, ready)))
        return 0
    shown = _json(profile.name, history, ready) if as_json else _lines(profile.name, history, ready)
    return Checklist(
        home,
        profile.name,
        migration,
        readiness=ready,
        verifies=verify_mode == "POINT_IN_TIME_CONSISTENT",
        wait_quiet=wait_quiet,
        yes=yes,
        talk=Terminal(shown, as_json=as_json),
    ).run(restart=restart)


def readiness_of(
    home: Home,
    profile: Profile,
    migration: Migration,
    verify_mode: Literal["POINT_IN_TIME_CONSISTENT", "ONLY_FILES_TRANSFERRED"],
) -> tuple[History, Readiness]:
    """What past passes tell, and whether the freeze fits the window now. Raises JournalError."""
    import time

    from engine.execution.cutover.stillness import read_only_mount
    from engine.execution.cutover.work import survey_of, work_of
    from engine.execution.foretelling.passes import read_history
    from engine.planning.cutover import readiness
    from engine.quantities import parse_duration

    history = read_history(home, migration)
    work = work_of(
        migration,
        history,
        survey_of(home, history),
        _known(profile),
        verify_mode=verify_mode,
        look_first=read_only_mount(migration.source) is None,
    )
    window = None if profile.cutover.window is None else float(parse_duration(profile.cutover.window))
    since = time.time() - history.passes[-1].began_at if history.passes else 0.0
    return history, readiness(history.churn, work, window, max(0.0, since), history.busiest)


def _known(profile: Profile) -> Known:
    """What the profile says about rates."""
    from engine.execution.cutover.work import Known
    from engine.planning.values import Figure, Origin, Roofline
    from engine.quantities import parse_rate

    measured, roofline = profile.measured, None
    if measured.files_per_second and measured.bytes_per_second:
        at = None if measured.date is None else measured.date.timestamp()
        origin = Origin("test run", "[measured] of the profile", at)
        roofline = Roofline(Figure(measured.files_per_second, origin), Figure(measured.bytes_per_second, origin))

    def said(text: str | None, key: str) -> Figure | None:
        return None if text is None else Figure(parse_rate(text), Origin("profile", f"network.{key}"))

    network = profile.network
    return Known(roofline, said(network.per_agent, "per_agent"), said(network.bandwidth, "bandwidth"))


def _lines(name: str, history: History, ready: Readiness) -> list[str]:
    from xsync_tui.cli.cutover_view import readiness_lines
    from xsync_tui.cli.output import current_look

    return readiness_lines(name, history, ready, current_look())


def _json(name: str, history: History, ready: Readiness) -> dict[str, object]:
    from xsync_tui.cli.cutover_view import readiness_json

    return readiness_json(name, history, ready)
