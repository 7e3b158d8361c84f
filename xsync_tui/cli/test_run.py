"""``xsync test-run``: measures agents on comparable folders; says what binds, how many help, and what that changes."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

import click

from xsync_tui.cli import options
from xsync_tui.cli.options import MigrationOptions

if TYPE_CHECKING:
    from engine.execution.testrun.ladder import PlannedStep, Prepared, Request, TestRun
    from engine.model import Migration, Snapshot
    from engine.planning.measurement import Step
    from engine.planning.values import Roofline
    from profiles.schema import MeasuredSection, Profile

STOPPED = 5
STEP_SECONDS = 120.0
DEFAULT_LADDER = 4
LEAST_SECONDS = 8.0


@click.command(epilog=options.FOR_A_PAIR)
@click.argument("what", metavar="PROFILE | SOURCE DESTINATION", nargs=-1, required=True)
@options.migration
@click.option("--folder", "folders", multiple=True, metavar="FOLDER", help="Of the source, for the first step.")
@click.option("--ladder", is_flag=True, help="One agent, then 2, 4 and so on up to --agents, each on other folders.")
@click.option(
    "--seconds",
    type=click.FloatRange(LEAST_SECONDS),
    default=STEP_SECONDS,
    show_default=True,
    help="What a step may take at most; it ends once its rate was steady for a quarter of that.",
)
@click.option("--yes", is_flag=True, help="Do not ask before it begins.")
@options.as_json
def command(
    what: tuple[str, ...],
    folders: tuple[str, ...],
    ladder: bool,
    seconds: float,
    yes: bool,
    as_json: bool,
    **chosen: Unpack[MigrationOptions],
) -> int:
    """Copy a sample with one agent, or with more and more (--ladder), and say what binds.

    It runs the migration on folders whose size mix is most like the whole. What it copies counts: no later run sends it
    again. A saved profile keeps what was measured in its section [measured].
    """
    from xsync_tui.cli.run import migration_of
    from xsync_tui.cli.survey import cancelled_by_signals

    migration, profile = migration_of(what, chosen)
    agents = chosen["agents"] or (max(migration.agents, DEFAULT_LADDER) if ladder else 1)
    with cancelled_by_signals() as came:
        prepared = _prepare(request_of(migration, profile, folders, agents, seconds, ladder=ladder), came)
    if not _agreed(prepared, yes=yes, as_json=as_json):
        return STOPPED
    with cancelled_by_signals() as came:
        found = _run(prepared, came, as_json=as_json)
    saved = save(profile, found) if profile is not None else None
    _tell(found, saved, as_json=as_json)
    return STOPPED if found.stopped else 0


def request_of(
    migration: Migration, profile: str | None, folders: Sequence[str], agents: int, seconds: float, *, ladder: bool
) -> Request:
    """What to test: steps of up to ``agents``, each for at most ``seconds``, the first one on ``folders`` if any.

    Raises ProfileError.
    """
    from engine.execution.testrun.ladder import Request
    from engine.execution.testrun.step import steps_of
    from engine.names import path_of_text
    from engine.planning.steadiness import Pace

    before, target, link = _assumptions(profile)
    limit = migration.options.bytes_per_second
    known = [rate for rate in (link, float(limit) if limit > 0 else None) if rate is not None]
    return Request(
        migration=migration,
        profile=profile,
        ladder=steps_of(agents, ladder=ladder),
        folders=[path_of_text(folder.strip("/")) for folder in folders],
        pace=Pace(seconds / 4, seconds),
        before=before,
        target=target,
        link=min(known, default=None),
    )


def _prepare(request: Request, came: list[int]) -> Prepared:
    from engine.execution.testrun.ladder import prepare
    from xsync_tui.cli.output import say

    told: list[bool] = []

    def on_survey(_: object) -> None:
        if not told:
            told.append(True)
            say("The source was not surveyed yet: that comes first.")

    return prepare(request, on_survey, lambda: bool(came))


def _assumptions(name: str | None) -> tuple[Roofline, float | None, float | None]:
    """What one agent is taken to do before the test, the bytes/s that are to be reached, and those of the link."""
    from engine.planning.fitting import assumed
    from engine.quantities import parse_rate

    if name is None:
        return assumed(None, None, None, None), None, None
    profile = _profile(name)
    measured, network = profile.measured, profile.network
    per_agent = None if network.per_agent is None else float(parse_rate(network.per_agent))
    at = None if measured.date is None else measured.date.timestamp()
    link = None if network.bandwidth is None else float(parse_rate(network.bandwidth))
    target = None if link is None else link * (network.utilisation or 0.85)
    return assumed(per_agent, measured.files_per_second, measured.bytes_per_second, at), target, link


def _profile(name: str) -> Profile:
    from xsync_tui.cli.profile_names import load_profile

    return load_profile(name)


def _agreed(prepared: Prepared, *, yes: bool, as_json: bool) -> bool:
    """Say what is going to happen; ask a person at a terminal."""
    from xsync_tui.cli.look import paint
    from xsync_tui.cli.output import current_look, on_terminal
    from xsync_tui.cli.test_run_view import announcement

    look = current_look()
    click.echo("\n".join(paint(announcement(prepared, look), look, cut=False)), err=as_json)
    if yes or as_json or not on_terminal():
        return True
    try:
        return click.confirm(" Begin?", default=True)
    except click.Abort:
        return False


def _run(prepared: Prepared, came: list[int], *, as_json: bool) -> TestRun:
    from engine.execution.testrun.ladder import run
    from xsync_tui.cli.output import current_look, say
    from xsync_tui.cli.presenters import Presenter, presenter
    from xsync_tui.cli.test_run_view import step_line

    shown: list[Presenter] = []

    def on_step(step: PlannedStep) -> None:
        if not as_json:
            shown[:] = [presenter(as_json=False, foot=f"Step with {step.agents} agents. Ctrl-C ends it, and the test.")]

    def on_snapshot(snapshot: Snapshot) -> None:
        for each in shown:
            each.show(snapshot, time.time())

    def on_measured(step: Step) -> None:
        for each in shown:
            each.close()
        say(step_line(step, current_look()))

    return run(prepared, on_step, on_snapshot, on_measured, lambda: bool(came))


def save(name: str, found: TestRun) -> str | None:
    """Keep what was measured in a saved profile; returns its file. Raises ProfileError.

    None where nothing is kept: no step was steady, or a limit held back all of them and what an agent does without one
    is in the profile already.
    """
    from profiles import store

    kept = _profile(name).measured
    known = kept.files_per_second is not None or kept.bytes_per_second is not None
    if not any(step.steady for step in found.steps) or (found.one is None and known):
        return None
    return str(store.save_measured(name, _measured(found)))


def _shared(found: TestRun, measured: bool, what: str, flat: Sequence[Step]) -> float:
    """All that agents reach together: as many times what one does as were seen; what one does not tell as it was seen.

    The rates of a step are of the sizes that came by in its time, and would hold for no others.
    """
    if measured and found.one is not None and found.curve is not None and found.curve.ceiling is not None:
        return found.curve.ceiling * float(getattr(found.one.roofline, f"{what}_per_second").value)
    return max(float(getattr(step, f"{what}_per_second")) for step in flat)


def _measured(found: TestRun) -> MeasuredSection:
    """What a profile keeps of a test run."""
    from profiles.schema import MeasuredSection, MeasuredStep

    one, bottleneck = found.one, found.verdict.bottleneck
    after = None if found.curve is None else found.curve.after
    scope = bottleneck.scope if bottleneck is not None else None
    free = [step for step in found.steps if step.steady and step.limit is None]
    flat = [step for step in free if after is not None and step.agents > after]
    by_files, by_bytes = (False, False) if one is None else (one.files_measured, one.bytes_measured)
    return MeasuredSection(
        date=datetime.datetime.fromtimestamp(int(found.at), datetime.UTC),
        agents=max(step.agents for step in found.steps if step.steady),
        files_per_second=round(one.roofline.files_per_second.value, 1) if one and by_files else None,
        bytes_per_second=float(round(one.roofline.bytes_per_second.value)) if one and by_bytes else None,
        margin=None if one is None else round(one.margin, 4),
        verdict=found.verdict.title,
        bottleneck=bottleneck.name.rstrip(",") if bottleneck is not None else None,
        shared_bytes_per_second=float(round(_shared(found, by_bytes, "bytes", flat))) if flat else None,
        shared_files_per_second=round(_shared(found, by_files, "files", flat), 1) if flat else None,
        shared_scope=scope if flat and scope in ("host", "link", "source", "destination") else None,
        steps=tuple(
            MeasuredStep(
                step.agents,
                round(step.files_per_second, 1),
                float(round(step.bytes_per_second)),
                step.steady,
                None if step.limit is None else float(round(step.limit)),
            )
            for step in found.steps
        ),
    )


def _tell(found: TestRun, saved: str | None, *, as_json: bool) -> None:
    from xsync_tui.cli.look import paint
    from xsync_tui.cli.output import current_look, emit, say
    from xsync_tui.cli.test_run_view import result_lines

    if as_json:
        emit(found)
        return
    look = current_look()
    print("\n".join(paint(result_lines(found, look), look, cut=False)), flush=True)
    if saved is not None:
        say(f" Kept in {saved}, section [measured].")
