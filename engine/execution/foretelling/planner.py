"""Plans a migration: gathers what is known of its source, its agents and this host, and has planning work it out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psutil

from engine import cgroups
from engine.errors import UsageError
from engine.execution.checking.host import room_here
from engine.execution.foretelling.held import untried
from engine.execution.foretelling.learning import learn
from engine.execution.foretelling.passes import reports_of
from engine.filters import Filters
from engine.home import Home
from engine.locations.mounts import mount_of, read_mounts
from engine.locations.registry import file_path, open_location
from engine.model import LocationSpec, Migration
from engine.planning import network as networks
from engine.planning.cost import RunWork, run_cost, storage_cost
from engine.planning.datasync_cost import datasync_cost
from engine.planning.estimate import EstimateOptions
from engine.planning.fleet import FleetPlan, size_fleet
from engine.planning.hosting import HostRoom
from engine.planning.partition import DATASYNC, TaskLimits
from engine.planning.plan import Costs, Networks, Parts, Plan, make_plan
from engine.planning.prices import Prices, load_prices
from engine.planning.surroundings import Surroundings, default_roofline, held, limits
from engine.planning.timetable import Timetable
from engine.planning.useful import AGENT_SECONDS
from engine.planning.values import Dataset, Figure, Origin, PlanLimit, Roofline
from engine.survey.cutting import Cut, Folders, counts_files, cut_folders, keeps_all, read_folders, scaled, surveyed
from engine.survey.report import SurveyReport, latest_survey

OLD_SECONDS = 7 * 86_400
"""A survey older than this is worth a word."""


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """What test runs and executions found: of one agent, and what all of them together cannot exceed.

    ``limit``: in bytes/s, that which held back steps of the test run; no figure here rests on those.
    """

    files_per_second: Figure | None = None
    bytes_per_second: Figure | None = None
    shared: PlanLimit | None = None
    limit: float | None = None


class PlanRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to be planned. Bandwidths are raw bytes/s of the link and of one agent's path.

    ``agents``: as many, or as many as the target takes. ``most_hosts``: None, as many as help. ``service``: who is to
    run it. ``prices``: a file that changes the price table.
    """

    migration: Migration
    start_at: float
    bandwidth: float | None = None
    per_agent: float | None = None
    utilisation: float = 0.85
    agents: int | None = None
    most_hosts: int | None = None
    measured: Measured = Measured()
    service: str = "xsync"
    prices: str | None = None


class Gathered(NamedTuple):
    """What planning rests on that is read from disk. It holds for all requests of one migration and service.

    ``dataset``: what filters leave of the ``survey``. ``reports``: of past executions. ``places``: what kinds of
    locations source and destination are. ``room``: of this host. ``alike``: filters are taken to leave the same share
    of every folder.
    """

    survey: SurveyReport
    dataset: Dataset
    reports: list[dict[str, Any]]
    folders: Folders
    nic: Figure | None
    source_remote: bool
    places: tuple[networks.Place, networks.Place]
    prices: Prices
    room: HostRoom
    alike: bool = False


class Worked(NamedTuple):
    """A plan. ``settled``: gathering anew for this request would not change it."""

    plan: Plan
    settled: bool


def plan(request: PlanRequest, home: Home) -> Plan:
    """The plan for ``request``, from the last survey of its source. Raises UsageError without one, LocationError."""
    return work_out(request, gather(request, home)).plan


def gather(request: PlanRequest, home: Home, *, most_agents: int = 1, most_level: int = 1) -> Gathered:
    """Read all that plans for ``request`` need; slow. Fine enough also for ``most_agents`` and tasks by ``most_level``.

    Raises UsageError if the source was not surveyed, LocationError.
    """
    migration = request.migration
    survey, filters = _survey(migration.source, home), Filters(migration.filters)
    spill = Path(tempfile.mkdtemp(prefix="plan-", dir=home.base))
    try:
        gathered = Gathered(
            survey=survey,
            dataset=surveyed(home.surveys, survey, filters, spill),
            reports=reports_of(home, migration, any_filters=True),
            folders=Folders((), {}, 0, 0, {}),
            nic=_nic(),
            source_remote=_is_remote(migration.source),
            places=(_place(migration.source), _place(migration.destination)),
            prices=load_prices(request.prices),
            room=room_here(),
        )
        sized = _sized(request, gathered)
        folders = read_folders(
            home.surveys,
            survey,
            filters,
            sized.fleet.agents,
            round(sized.roofline.knee_bytes),
            spill,
            level=migration.task_level,
            limits=_task_limits(request),
            most_agents=most_agents,
            most_level=most_level,
        )
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    if folders is None:
        raise UsageError(f"the entries of the survey of {survey.location} are gone: survey it anew")
    left = scaled(folders, filters, gathered.dataset)
    return gathered._replace(folders=left, alike=left is not folders)


def work_out(request: PlanRequest, gathered: Gathered) -> Worked:
    """The plan for ``request`` out of what was gathered for its migration, in milliseconds: nothing is read again."""
    migration, survey, dataset = request.migration, gathered.survey, gathered.dataset
    filters = Filters(migration.filters)
    sized, cut = _sized_and_cut(request, gathered, filters)
    tasks = len(cut.partition.tasks)
    parts = Parts(
        source=migration.source.url,
        destination=migration.destination.url,
        surveyed_at=survey.surveyed_at,
        dataset=dataset,
        utilisation=request.utilisation,
        fleet=sized.fleet,
        roofline=sized.roofline,
        limits=sized.limits,
        partition=cut.partition,
        cost=_costs(migration, dataset, tasks, gathered.prices),
        network=_networks(migration, gathered, tasks, request.bandwidth),
        start_at=request.start_at,
        options=_options(request, survey),
        helps=request.service != "datasync",
        warnings=(*_untried(request, gathered, sized.roofline), *_doubts(gathered, filters, request.start_at)),
    )
    return Worked(make_plan(parts, timetable_of(migration)), cut.settled)


class _Sized(NamedTuple):
    roofline: Roofline
    limits: tuple[PlanLimit, ...]
    fleet: FleetPlan


def _sized_and_cut(request: PlanRequest, gathered: Gathered, filters: Filters) -> tuple[_Sized, Cut]:
    """The fleet and its tasks; where agents do not help each other, those without a task are not planned."""
    sized = _sized(request, gathered)
    cut = _cut(request, gathered, filters, sized)
    busy = len({task.agent for task in cut.partition.tasks if task.entries})
    if request.service != "datasync" or busy >= sized.fleet.agents:
        return sized, cut
    sized = _sized(request, gathered, max(1, busy))
    return sized, _cut(request, gathered, filters, sized)


def _cut(request: PlanRequest, gathered: Gathered, filters: Filters, sized: _Sized) -> Cut:
    return cut_folders(
        gathered.folders,
        filters,
        sized.fleet.agents,
        round(sized.roofline.knee_bytes),
        level=request.migration.task_level,
        limits=_task_limits(request),
    )


def _sized(request: PlanRequest, gathered: Gathered, tasks: int | None = None) -> _Sized:
    """How many agents, of which roofline, under which limits."""
    one = roofline_of(request, gathered.reports)
    shared = [request.measured.shared] if request.measured.shared else []
    known = (*limits(one, _surroundings(request, gathered)), *shared)
    fleet = size_fleet(
        known,
        gathered.dataset,
        request.bandwidth,
        request.utilisation,
        agents=request.agents,
        most_hosts=request.most_hosts,
        room=None if request.service == "datasync" else gathered.room,
        tasks=tasks,
        options=_options(request, gathered.survey),
        start=request.start_at,
        timetable=timetable_of(request.migration),
    )
    return _Sized(one, known, fleet)


def _task_limits(request: PlanRequest) -> TaskLimits | None:
    return DATASYNC if request.service == "datasync" else None


def _survey(source: LocationSpec, home: Home) -> SurveyReport:
    location = open_location(source)
    try:
        location.check_source()
        found = latest_survey(home.surveys, location.identity())
    finally:
        location.close()
    if found is None:
        raise UsageError(f"{source.url} was not surveyed yet, so that there is nothing to plan with: xsync survey")
    return found


def roofline_of(request: PlanRequest, reports: Sequence[dict[str, Any]] = ()) -> Roofline:
    """What one agent does: as a test run or executions showed last, else as its stated cap allows, else by default."""
    cap = None if request.per_agent is None else Figure(request.per_agent, Origin("profile", "network.per_agent"))
    assumed = default_roofline("4 vCPU" if cgroups.cores_here() < 8 else "8 vCPU", cap)
    learned, found = learn(reports, assumed, request.agents), request.measured
    return Roofline(
        _newest(found.files_per_second, learned.files_per_second) or assumed.files_per_second,
        _newest(found.bytes_per_second, learned.bytes_per_second) or assumed.bytes_per_second,
        learned.adds and found.files_per_second is None and found.bytes_per_second is None,
    )


def _newest(*figures: Figure | None) -> Figure | None:
    return max((each for each in figures if each is not None), key=lambda each: each.origin.at or 0.0, default=None)


def _surroundings(request: PlanRequest, gathered: Gathered) -> Surroundings:
    migration, survey, datasync = request.migration, gathered.survey, request.service == "datasync"
    rates = survey.probe.rates if survey.probe is not None else ()
    probed = Origin("probe", "the survey's probe of the source", survey.surveyed_at)
    target = None if request.bandwidth is None else Figure(request.bandwidth, Origin("profile", "network.bandwidth"))
    return Surroundings(
        target=target,
        held=held(migration),
        source_bytes=Figure(max(each.bytes_per_second for each in rates), probed) if rates else None,
        nic=gathered.nic,
        source_remote=gathered.source_remote,
        cores=None if datasync else cgroups.cores_here(),
        objects=_is_aws(migration.destination),  # what other servers take is not known
        datasync="with agent" if datasync else None,
    )


def _nic() -> Figure | None:
    """The fastest interface of this host that is up and says its speed."""
    speeds = {name: each.speed for name, each in psutil.net_if_stats().items() if each.isup and each.speed > 0}
    if not speeds:
        return None
    name = max(speeds, key=lambda name: speeds[name])
    return Figure(speeds[name] * 1e6 / 8, Origin("probe", f"speed of {name} on this host"))


def _is_remote(source: LocationSpec) -> bool:
    return source.url.startswith("s3://") or mount_of(file_path(source.url), read_mounts()).is_network


def _options(request: PlanRequest, survey: SurveyReport) -> EstimateOptions:
    listing = Origin("survey", "entries/s of the survey", survey.surveyed_at)
    return EstimateOptions(
        listing=Figure(max(1.0, survey.entries_per_second), listing),
        whole_files=request.service == "datasync",
        rescan=request.migration.options.verify_mode == "POINT_IN_TIME_CONSISTENT",
        start_seconds=AGENT_SECONDS,
    )


def timetable_of(migration: Migration) -> Timetable | None:
    """The limits that a migration has by the hour and always; None without any."""
    always = migration.options.bytes_per_second
    if not migration.limits and always < 0:
        return None
    return Timetable(migration.limits, None if always < 0 else float(always))


def _costs(migration: Migration, dataset: Dataset, tasks: int, prices: Prices) -> Costs:
    """Where a side is AWS; other servers have prices of their own, which are not known."""
    to_aws, from_aws = _is_aws(migration.destination), _is_aws(migration.source)
    if not to_aws and not from_aws:
        return Costs(None, None)
    into = migration.destination.storage_class
    entries = dataset.files + dataset.others
    work = RunWork(
        dataset,
        to_objects=to_aws,
        from_objects=from_aws,
        listed_source=entries if from_aws else 0,
        kms=(migration.destination.sse or "").startswith("aws:kms"),
        leaves_aws=from_aws and not to_aws,
    )
    return Costs(
        run_cost(work, prices, into),
        storage_cost(dataset, prices, into) if to_aws else None,
        tuple(datasync_cost(mode, dataset, prices, into, tasks=tasks) for mode in ("BASIC", "ENHANCED"))
        if to_aws
        else (),
    )


def _is_aws(spec: LocationSpec) -> bool:
    return spec.url.startswith("s3://") and (spec.endpoint_url is None or ".amazonaws.com" in spec.endpoint_url)


def _networks(migration: Migration, gathered: Gathered, tasks: int, target: float | None) -> Networks:
    (source, destination), probe = gathered.places, gathered.survey.probe
    trip = probe.first_byte_median if probe is not None and gathered.source_remote else None
    ours = networks.network(source, destination, round_trip_seconds=trip, target_bytes_per_second=target)
    if not _is_aws(migration.destination):
        return Networks(ours)
    return Networks(ours, networks.datasync_network(source, destination, "PRIVATE_LINK", tasks=tasks))


_PLACES: dict[str, networks.Place] = {"nfs": "nfs", "nfs4": "nfs", "cifs": "smb", "smb3": "smb", "smbfs": "smb"}


def _place(spec: LocationSpec) -> networks.Place:
    if spec.url.startswith("s3://"):
        return "s3" if _is_aws(spec) else "object"
    return _PLACES.get(mount_of(file_path(spec.url), read_mounts()).type, "file")


def _untried(request: PlanRequest, gathered: Gathered, one: Roofline) -> Iterator[str]:
    """That what lifting a limit brings is not known, where it is not."""
    kinds = {one.files_per_second.origin.kind, one.bytes_per_second.origin.kind}
    measured = not kinds.isdisjoint(("test run", "execution"))
    if request.service != "datasync" and (said := untried(gathered.reports, request.measured.limit, measured=measured)):
        yield said


def _doubts(gathered: Gathered, filters: Filters, now: float) -> Iterator[str]:
    """What the survey does not tell."""
    survey = gathered.survey
    if survey.partial:
        yield "the survey is partial: there is more than it counted"
    if gathered.alike:
        yield "tasks are cut as if filters took the same share of every folder"
    if not keeps_all(filters) and not counts_files(survey, filters):
        yield "filters are counted by folders alone: what they leave out by name, age or size is still in it"
    if now - survey.surveyed_at > OLD_SECONDS:
        yield f"the survey is {(now - survey.surveyed_at) / 86_400:.0f} days old: survey again"
