"""``xsync plan``: how many agents, which tasks, how long, what limits, what it costs, and what that rests on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, Unpack

import click

from xsync_tui.cli import options
from xsync_tui.cli.options import MigrationOptions

if TYPE_CHECKING:
    from engine.execution.foretelling.planner import Measured, PlanRequest
    from engine.model import Migration
    from profiles.schema import Profile


@click.command(epilog=options.FOR_A_PAIR)
@click.argument("what", metavar="PROFILE | SOURCE DESTINATION", nargs=-1, required=True)
@options.migration
@click.option("--bandwidth", type=options.Rate(), help="Of the link, such as 20Gbps; else what the profile says.")
@click.option("--per-agent", type=options.Rate(), help="A known cap of one agent's path, such as 5Gbps.")
@click.option("--utilisation", type=click.FloatRange(0, 1, min_open=True), help="Share of the link to plan for (0.85).")
@click.option("--hosts", type=click.IntRange(1, 1000), help="At most so many agent hosts.")
@click.option("--level", type=click.IntRange(1, 16), help="A task for each folder of this depth: 1 by year, say.")
@click.option("--for", "service", type=click.Choice(["xsync", "datasync"]), default="xsync", help="Who is to run it.")
@click.option("--prices", type=click.Path(dir_okay=False, exists=True), help="A file that changes the price table.")
@options.as_json
def command(
    what: tuple[str, ...],
    bandwidth: int | None,
    per_agent: int | None,
    utilisation: float | None,
    hosts: int | None,
    level: int | None,
    service: Literal["xsync", "datasync"],
    prices: str | None,
    as_json: bool,
    **chosen: Unpack[MigrationOptions],
) -> int:
    """Plan a migration from the last survey of its source, which is made first if there is none.

    Figures are measured where a test run or earlier executions measured them, else defaults; each says which.
    """
    import msgspec

    from engine.execution.foretelling.planner import plan
    from engine.home import prepare_home
    from xsync_tui.cli.output import current_look, emit
    from xsync_tui.cli.plan_view import plan_lines
    from xsync_tui.cli.run import migration_of

    migration = migration_of(what, chosen)[0]
    if level is not None:
        migration = msgspec.structs.replace(migration, task_level=level)
    home = prepare_home()
    _survey_first(migration)
    request = request_of(migration, _profile(what), time.time())
    said = {"bandwidth": bandwidth, "per_agent": per_agent, "utilisation": utilisation, "agents": chosen["agents"]}
    request = msgspec.structs.replace(
        request,
        **{key: value for key, value in said.items() if value is not None},
        most_hosts=hosts,
        service=service,
        prices=prices,
    )
    made = plan(request, home)
    if as_json:
        emit(made)
    else:
        print("\n".join(plan_lines(made, current_look())), flush=True)
    return 0


def request_of(migration: Migration, profile: Profile | None, now: float) -> PlanRequest:
    """What a profile says about planning its ``migration``; defaults without one."""
    from engine.execution.foretelling.planner import PlanRequest
    from engine.quantities import parse_rate

    if profile is None:
        return PlanRequest(migration, now)
    network = profile.network
    return PlanRequest(
        migration,
        now,
        bandwidth=None if network.bandwidth is None else float(parse_rate(network.bandwidth)),
        per_agent=None if network.per_agent is None else float(parse_rate(network.per_agent)),
        utilisation=network.utilisation or 0.85,
        agents=profile.agents,
        measured=_measured(profile),
    )


def _measured(profile: Profile) -> Measured:
    """What the last test run kept in the profile."""
    from engine.execution.foretelling.planner import Measured
    from engine.planning.values import Figure, Origin, PlanLimit

    found = profile.measured
    if found.date is None:
        return Measured()
    origin = Origin("test run", found.verdict or "the last one", found.date.timestamp())
    shared = None
    if found.shared_scope is not None:
        name = f"shared {(found.bottleneck or found.shared_scope).removeprefix('the ').removeprefix('shared ')}"
        rates = found.shared_bytes_per_second, found.shared_files_per_second
        # One mix of sizes shows one of the two: that whose limit all agents together ran into.
        by_files = found.bytes_per_second is None
        shared = PlanLimit(
            name, found.shared_scope, origin, None if by_files else rates[0], rates[1] if by_files else None
        )
    return Measured(
        files_per_second=None if found.files_per_second is None else Figure(found.files_per_second, origin),
        bytes_per_second=None if found.bytes_per_second is None else Figure(found.bytes_per_second, origin),
        shared=shared,
        limit=max((each for step in found.steps if (each := step.limit_bytes_per_second) is not None), default=None),
    )


def _profile(what: tuple[str, ...]) -> Profile | None:
    from xsync_tui.cli.profile_names import load_profile

    return load_profile(what[0]) if len(what) == 1 else None


def _survey_first(migration: Migration) -> None:
    """Survey the source if that was never done. Raises StoppedError if it is stopped before its end."""
    from engine.errors import StoppedError
    from engine.home import prepare_home
    from engine.locations.registry import open_location
    from engine.survey.report import latest_survey
    from engine.survey.scan import survey
    from xsync_tui.cli.output import say
    from xsync_tui.cli.survey import cancelled_by_signals

    surveys = prepare_home().surveys
    location = open_location(migration.source)
    location.check_source()
    identity = location.identity()
    location.close()
    if latest_survey(surveys, identity) is not None:
        return
    say("The source was not surveyed yet: that comes first.")
    with cancelled_by_signals() as cancelled:
        report = survey(migration.source, surveys, cancelled=lambda: bool(cancelled))
    if report.partial:
        raise StoppedError("The survey was stopped: there is nothing complete to plan with.")
