"""A test run: comparable folders, one step after another, and what they say of agents, bottleneck and plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine import home
from engine.catalog.files import replacing
from engine.catalog.state import read_state
from engine.decoding import from_json
from engine.errors import StoppedError, UsageError
from engine.execution.prepare import open_sides
from engine.execution.session import earlier_results, state_folder_of
from engine.execution.testrun.step import run_step
from engine.execution.uploads import PART_BYTES
from engine.model import Migration, Snapshot
from engine.names import text_of
from engine.planning.candidates import Candidate, Choice, FolderMix, choice_of, choose, rank, seconds_of
from engine.planning.fitting import Fit, Range, Scaling, fit, predicted, scaling
from engine.planning.measurement import Step, Verdict
from engine.planning.requests import Requests
from engine.planning.steadiness import Pace
from engine.planning.values import Roofline
from engine.planning.verdict import Change, Left, changes, judge, seconds_left
from engine.survey.mixes import folder_mixes
from engine.survey.report import SurveyReport, latest_survey, survey_folder
from engine.survey.scan import SurveyProgress, survey
from engine.transfer.copying import SMALL_FILE

START_SECONDS = 2.0
"""What a step takes at least beside its measured time; draining takes up to 20 s more."""

DRAIN_SECONDS = 20.0

KEPT_CANDIDATES = 50

_AWS = "https://s3.amazonaws.com"

_NAMED = 5
"""Folders that are named to whoever asked for one that is not there."""

_RESERVE = 0.9
"""Share of the dataset that steps divide among themselves by agents, if it is small."""


class Request(NamedTuple):
    """What to try: so many agents a step, folders that a person chose for the first step, and what is assumed so far.

    ``target``: bytes/s that are to be reached, if there is a target; ``link``: that there are, or may be used
    at any time, if that is stated: no more is promised.
    """

    migration: Migration
    profile: str | None
    ladder: Sequence[int]
    folders: Sequence[bytes]
    pace: Pace
    before: Roofline
    target: float | None = None
    link: float | None = None


class PlannedStep(NamedTuple):
    """So many agents on these folders."""

    agents: int
    choice: Choice


class Prepared(NamedTuple):
    """A test run that is ready to begin. ``whole``: all that is still to be sent. ``surveyed_at``: Unix time.

    ``missing``: agents of steps for which no comparable folder is left. ``rest``: some is at the destination already.
    """

    request: Request
    steps: Sequence[PlannedStep]
    missing: Sequence[int]
    whole: FolderMix
    candidates: Sequence[Candidate]
    surveyed_at: float
    rest: bool = False

    @property
    def files(self) -> int:
        """Files that it copies at most."""
        return sum(each.files for step in self.steps for each in step.choice.bins)

    @property
    def bytes(self) -> int:
        """Their bytes."""
        return sum(each.bytes for step in self.steps for each in step.choice.bins)

    @property
    def seconds(self) -> tuple[float, float]:
        """How long it takes at least and at most."""
        pace, count = self.request.pace, len(self.steps)
        return count * (pace.least + START_SECONDS), count * (pace.most + START_SECONDS + DRAIN_SECONDS)

    @property
    def requests(self) -> Requests:
        """Requests to S3 of AWS, at most; those of other servers have no price that is known."""
        destination = self.request.migration.destination
        if not destination.url.startswith("s3:") or ".amazonaws.com" not in (destination.endpoint_url or _AWS):
            return Requests()
        counted = Requests()
        for step in self.steps:
            for each in step.choice.bins:
                parts = -(-each.bytes // PART_BYTES)
                large = each.files and each.bytes / each.files > SMALL_FILE
                counted = counted.plus(**({"PUT": parts, "POST": 2 * each.files} if large else {"PUT": each.files}))
        return counted


class Ranked(msgspec.Struct, frozen=True):
    """A folder (text) and its distance from the whole, 0 to 1; ``problem``: why it was not taken by itself, if so."""

    path: str
    distance: float
    files: int
    bytes: int
    problem: str


class TestRun(msgspec.Struct, frozen=True):
    """What a test run came to; kept as JSON. ``one``, ``curve``: None unless a step was steady that no limit held back.

    ``mix``: how like the whole the steps were, at least (1: the same). ``missing``: agents of steps for which no
    comparable folder was left. ``predictions``: bytes/s on the whole dataset by number of agents. ``candidates``: the
    folders most like the whole, as ranked before the test. ``left``: what was still to be sent when it ended.
    """

    __test__ = False

    id: str
    profile: str | None
    source: str
    destination: str
    at: float
    seconds: float
    steps: tuple[Step, ...]
    missing: tuple[int, ...]
    verdict: Verdict
    one: Fit | None
    curve: Scaling | None
    changes: tuple[Change, ...]
    predictions: dict[int, Range]
    mix: float
    files: int
    bytes: int
    stopped: bool = False
    candidates: tuple[Ranked, ...] = ()
    left: Left | None = None


def prepare(
    request: Request, on_survey: Callable[[SurveyProgress], None], cancelled: Callable[[], bool] = lambda: False
) -> Prepared:
    """Choose folders by the latest survey of the source, which is made first if there is none.

    Raises UsageError for a folder that the survey does not know, and if nothing is left to be sent; XsyncErrors of the
    locations; StoppedError once ``cancelled``.
    """
    migration = request.migration
    sides = open_sides(migration)
    identities = sides.source_identity, sides.destination_identity
    sides.source.close()
    sides.destination.close()
    surveys = home.prepare_home().surveys
    report = latest_survey(surveys, identities[0])
    if report is None or report.partial:
        report = survey(migration.source, surveys, on_progress=on_survey, cancelled=cancelled)
        if report.partial:
            raise StoppedError("stopped while the source was surveyed: nothing was copied")
    known = _known(migration, identities)
    mixes = _mixes(migration, report, identities[0], known)
    whole = next(mix for mix in mixes if not mix.path)
    if not whole.files:
        raise UsageError("nothing is left to test with: all that the survey found is at the destination already")
    steps, missing, candidates = _plan(request, mixes, whole)
    if not steps:
        raise UsageError("no folder is fit for a test: " + "; ".join(_why(each) for each in candidates[:3]))
    return Prepared(request, steps, missing, whole, candidates, report.surveyed_at, bool(known.files or known.results))


def run(
    prepared: Prepared,
    on_step: Callable[[PlannedStep], None],
    on_snapshot: Callable[[Snapshot], None],
    on_measured: Callable[[Step], None],
    stopped: Callable[[], bool],
) -> TestRun:
    """Carry out the steps and draw the conclusions; the result is kept. ``stopped()`` ends it after draining.

    Raises XsyncErrors of the executions.
    """
    began, steps = time.time(), []
    request = prepared.request
    migration = msgspec.structs.replace(request.migration, name=request.profile or request.migration.name)
    for planned in prepared.steps:
        if stopped():
            break
        on_step(planned)
        step = run_step(migration, planned.choice, planned.agents, request.pace, on_snapshot, stopped)
        steps.append(step)
        on_measured(step)
    found = _conclude(prepared, steps, began, time.time(), stopped=stopped())
    _keep(found)
    return found


def latest_test_run(folder: Path, source: str, destination: str) -> TestRun | None:
    """The newest of the test runs kept in ``folder`` between these two URLs, or None."""
    for path in sorted(folder.glob("*.json"), reverse=True):
        try:
            found = from_json(path.read_bytes(), TestRun)
        except (OSError, msgspec.DecodeError):
            continue
        if (found.source, found.destination) == (source, destination):
            return found
    return None


class _Known(NamedTuple):
    """Files that tell what was sent before: those of the state, and results that are not folded into it yet."""

    files: list[Path]
    results: list[Path]


def _known(migration: Migration, identities: tuple[str, str]) -> _Known:
    if migration.options.transfer_mode != "CHANGED":
        return _Known([], [])
    state = state_folder_of(*identities)
    return _Known([state / item.name for item in read_state(state).files], earlier_results(*identities))


def _mixes(migration: Migration, report: SurveyReport, source: str, known: _Known) -> list[FolderMix]:
    catalog = survey_folder(home.find_home().surveys, source) / report.catalog
    return folder_mixes(sorted(catalog.glob("*.parquet")), catalog / ".spill", migration.filters, *known)


def _plan(
    request: Request, mixes: Sequence[FolderMix], whole: FolderMix
) -> tuple[list[PlannedStep], list[int], list[Candidate]]:
    everything = seconds_of(whole.bins, request.before)
    share = _RESERVE * everything / sum(request.ladder)
    candidates = rank(mixes, whole, request.before, min(request.pace.least, share))
    steps: list[PlannedStep] = []
    missing = []
    taken: list[bytes] = []
    for agents in request.ladder:
        if request.folders and not steps:
            choice: Choice | None = _chosen(request, mixes, whole)
        else:
            choice = choose(candidates, whole, agents * min(request.pace.most / 2, share), taken)
        if choice is None and not steps and len(request.ladder) == 1:
            choice = Choice((b"",), whole.bins, 0.0, everything)  # flat: all there is
        if choice is None:
            missing.append(agents)
            continue
        taken += choice.folders
        steps.append(PlannedStep(agents, choice))
    return steps, missing, candidates


def _chosen(request: Request, mixes: Sequence[FolderMix], whole: FolderMix) -> Choice:
    known = {mix.path: mix for mix in mixes}
    for path in request.folders:
        if path not in known or not known[path].files:
            raise UsageError(f"{text_of(path)}: nothing to copy is known of such a folder; {_folders(mixes)}")
    return choice_of([known[path] for path in request.folders], whole, request.before)


def _folders(mixes: Sequence[FolderMix]) -> str:
    """Which folders there are, the least deep first, and how many more, as a person can read it."""
    paths = sorted((mix.path for mix in mixes if mix.path and mix.files), key=lambda path: (path.count(b"/"), path))
    if not paths:
        return "the source has none with files in it"
    named = ", ".join(text_of(path) for path in paths[:_NAMED])
    more = len(paths) - _NAMED
    return f"there {'is' if len(paths) == 1 else 'are'} {named}{f' and {more:,} more' if more > 0 else ''}"


def _why(candidate: Candidate) -> str:
    return f"{text_of(candidate.mix.path)} is {candidate.problem}"


def _conclude(prepared: Prepared, steps: Sequence[Step], began: float, now: float, *, stopped: bool) -> TestRun:
    request, whole = prepared.request, prepared.whole.bins
    good = [step for step in steps if step.steady and step.bytes_per_second + step.files_per_second > 0]
    free = [step for step in good if step.limit is None]
    one = fit(free, request.before, now) if free else None
    curve = scaling(free, one) if one is not None else None
    most = max((step.agents for step in good), default=0)
    ahead = max(2 * most, request.migration.agents)
    link = min((each for each in (request.link, *(step.limit for step in good)) if each is not None), default=None)
    verdict = judge(steps, one, curve, ahead, whole, link)
    told: Sequence[Change] = ()
    predictions: dict[int, Range] = {}
    left = None
    if one is not None and curve is not None:
        told = changes(request.before, one, curve, request.target, whole, most, link, rest=prepared.rest)
        counts = sorted({1, *(step.agents for step in good), most + 1, ahead})
        predictions = {count: _within(predicted(curve, one, whole, count), link) for count in counts}
        left = _left(prepared, steps, one, curve, most, link)
    elif good:
        held = _under_limit(good, request.before, now)
        told = changes(request.before, *held, None, whole, most, link, rest=prepared.rest)
        left = _left(prepared, steps, *held, most, link)
    return TestRun(
        id=home.new_execution_id(began, request.profile),
        profile=request.profile,
        source=request.migration.source.url,
        destination=request.migration.destination.url,
        at=began,
        seconds=now - began,
        steps=tuple(steps),
        missing=tuple(prepared.missing),
        verdict=verdict,
        one=one,
        curve=curve,
        changes=tuple(told),
        predictions=predictions,
        mix=1 - max((step.distance for step in steps), default=0.0),
        files=sum(step.moved_files for step in steps),
        bytes=sum(step.moved_bytes for step in steps),
        stopped=stopped,
        candidates=tuple(_ranked(each) for each in prepared.candidates[:KEPT_CANDIDATES]),
        left=left,
    )


def _under_limit(held: Sequence[Step], before: Roofline, at: float) -> tuple[Fit, Scaling]:
    """What foretells a copy under the limit that held back all steps: nothing that an agent was found to do."""
    one = fit(held, before, at)
    return msgspec.structs.replace(one, files_measured=False, bytes_measured=False), scaling(held, one)


def _within(rate: Range, most: float | None) -> Range:
    """A rate that cannot be more than ``most``, if that is known."""
    return rate if most is None else Range(min(rate.low, most), min(rate.likely, most), min(rate.high, most))


def _left(
    prepared: Prepared, steps: Sequence[Step], one: Fit, curve: Scaling, agents: int, link: float | None
) -> Left | None:
    """What is still to be sent, taken to be of the same mix of sizes as all that was before."""
    whole = prepared.whole
    seconds = seconds_left(whole.bins, one, curve, agents, link)
    size = whole.bytes - sum(step.moved_bytes for step in steps)
    files = whole.files - sum(step.moved_files for step in steps)
    if seconds is None or size <= 0 or files <= 0:
        return None
    share = size / whole.bytes
    return Left(files, size, agents, Range(seconds.low * share, seconds.likely * share, seconds.high * share))


def _ranked(candidate: Candidate) -> Ranked:
    mix = candidate.mix
    return Ranked(text_of(mix.path), candidate.distance, mix.files, mix.bytes, candidate.problem)


def _keep(found: TestRun) -> None:
    folder = home.private_folder(home.prepare_home().test_runs)
    with replacing(folder / f"{found.id}.json") as file:
        file.write(msgspec.json.format(msgspec.json.encode(found), indent=2))
