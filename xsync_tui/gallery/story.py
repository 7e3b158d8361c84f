"""The story as files: a home of xsync with a survey, a test run and a run at work, as the app itself reads them."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Any

import msgspec

from engine.execution.testrun.ladder import TestRun
from engine.home import Home, prepare_home, private_folder
from engine.journal.records import Estimate, Execution, Runner
from engine.journal.writer import Journal
from engine.locks import runner_lock
from engine.model import (
    AgentSnapshot,
    AgentTimes,
    Bytes,
    Event,
    Failure,
    Limit,
    Sample,
    Status,
    Tally,
    TaskSnapshot,
    Totals,
)
from engine.survey.facts import FolderStatistics, Hazard
from engine.survey.report import REPORT_NAME, SurveyReport, survey_folder
from profiles import store
from profiles.convert import to_migration
from profiles.schema import CutoverSection, NetworkSection, Place, Profile, TaskSection
from xsync_tui.gallery import planning, proving
from xsync_tui.gallery.four_years import TB, YEARS, dataset

EVENING = planning.NOW
"""Wed 14 May 2025, 22:00 UTC: surveyed and tested, about to be planned."""

SURVEYED, TESTED = EVENING - 7_200, EVENING - 3_600
BEGAN = EVENING + 300
NIGHT = BEGAN + 13_560
"""Thu 15 May, 01:51: 61 % are copied, at 2.17 GB/s all the time."""

RATE, FILES_PER_SECOND = 2.17e9, 560.0
FILES, BYTES = dataset().files, dataset().bytes
HOST = "agent-01"
PROFILE = Profile(
    schema=1,
    name="lab-images",
    source=Place("file:///mnt/lab"),
    destination=Place("s3://lab/img", region="eu-central-1"),
    network=NetworkSection(bandwidth="20Gbps", per_agent="5Gbps"),
    tasks=TaskSection(level=1),
    cutover=CutoverSection(window="1 h"),
)
FINANCE = Profile(schema=1, name="finance", source=Place("file:///mnt/fin"), destination=Place("s3://fin"))
SCRATCH = Profile(schema=1, name="scratch", source=Place("file:///scratch"), destination=Place("s3://scratch"))
HAZARDS = (
    Hazard("keys over 1,024 bytes", 3, ("2024/very long",), "They cannot be objects: rename them."),
    Hazard("unreadable", 12, ("2023/May/secret",), "xsync reports them as failed: give it the right to read."),
)
FAILURES = (
    Failure("2023/May/x.svs", "changed while read", "size 5 became 6"),
    Failure("2023/May/y.svs", "changed while read", "size 812 became 900"),
    Failure("2023/secret/z.svs", "unreadable", "EACCES"),
)


def survey_report() -> SurveyReport:
    """The survey of the four years, whose sizes add up to the files and bytes that are planned for."""
    bins = {each.low: [each.files, each.bytes] for each in planning.bins()}
    bins[1_000][0] += FILES - sum(files for files, _ in bins.values())
    bins[10**8][1] += BYTES - sum(size for _, size in bins.values())
    found = planning.report(hazards=HAZARDS)
    sizes = tuple(
        msgspec.structs.replace(each, files=bins[each.from_][0], bytes=bins[each.from_][1])
        for each in found.size_histogram
    )
    back = planning.NOW - SURVEYED
    years = [
        msgspec.structs.replace(each, newest_at=each.newest_at and each.newest_at - back)
        for each in found.layout.folders
        if each.path and "/" not in each.path
    ]
    months = [month for year in years for month in _months(year)]
    folders = (*years, *sorted(months, key=lambda each: -each.bytes))
    return msgspec.structs.replace(
        found,
        surveyed_at=SURVEYED,
        files=FILES,
        bytes=BYTES,
        size_histogram=sizes,
        layout=msgspec.structs.replace(found.layout, folders=folders),
    )


def _months(year: FolderStatistics) -> list[FolderStatistics]:
    """Twelve months of a year, some much larger than others, that add up to it; the last one is the newest."""
    weights = [((3 + month * 7 + int(year.path) * 5) % 11 + 1) ** 3 for month in range(12)]
    found = []
    for month, weight in enumerate(weights):
        share, last = weight / sum(weights), month == 11
        newest = year.newest_at if last or year.newest_at is None else year.newest_at - (11 - month) * 30 * 86_400
        changed = year.changed if last else None
        files, size = round(year.files * share), round(year.bytes * share)
        found.append(FolderStatistics(f"{year.path}/{month + 1:02d}", files, size, newest, changed))
    return found


def test_run() -> TestRun:
    """One, two and four agents: each reaches the same."""
    return msgspec.structs.replace(proving.LINEAR, at=TESTED, id="20250514-210000-lab-images-0000")


class Story:
    """Writes into ``$XSYNC_HOME``. While its run goes on it holds the lock of a runner: use it as a context manager."""

    def __init__(self) -> None:
        self.home: Home = prepare_home()
        self.now = EVENING
        self._held = ExitStack()
        self._journal: Journal | None = None
        self._lost: dict[int, float] = {}
        self._done = 0.0
        self._moved: dict[int, float] = {}
        for profile in (PROFILE, FINANCE, SCRATCH):
            store.save(profile)
        folder = survey_folder(self.home.surveys, "lab")
        folder.mkdir(parents=True)
        (folder / REPORT_NAME).write_bytes(msgspec.json.encode(survey_report()))
        found = test_run()
        folder = private_folder(self.home.test_runs)
        (folder / f"{found.id}.json").write_bytes(msgspec.json.encode(found))
        _keep_measured(found)
        self._ended_with_failures()

    def __enter__(self) -> Story:
        """Itself."""
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Let the run go."""
        self._held.close()

    def begin(self, agents: int = 4) -> Path:
        """The run as it is at NIGHT; returns its folder."""
        folder = self.home.executions / "20250514-220500-lab-images-3f2a"
        self._agents = agents
        self._journal = self._held.enter_context(_journal(folder, PROFILE, BEGAN))
        self._held.enter_context(runner_lock(folder))
        with self._journal.transaction():
            self._journal.put_tasks(self._tasks())
            self._journal.add_event(Event(BEGAN, "started", f"{agents} agents, 4 tasks"))
            self._journal.set_status(Status.TRANSFERRING, "", BEGAN)
            at = BEGAN
            while at < NIGHT - 600:
                self._report(at, 10.0)
                at += 10.0
            while at <= NIGHT:
                self._report(at, 2.0)
                at += 2.0
            self._journal.set_limit(Limit(2.5e9, None))
            self._journal.add_failures(FAILURES)
            self._journal.add_event(Event(NIGHT - 39, "retry", "agent-2: 2023/May/x.svs changed: sent again"))
        self.now = NIGHT
        return folder

    def advance(self, seconds: float = 2.0) -> None:
        """The runner reports once more, so many seconds later."""
        assert self._journal is not None
        self.now += seconds
        with self._journal.transaction():
            self._report(self.now, seconds)

    def lose(self, number: int) -> None:
        """An agent is lost: the others take its work."""
        assert self._journal is not None
        self._lost[number] = self.now
        self._journal.add_event(Event(self.now, "agent-lost", f"agent-{number} is lost: its work goes to the others"))

    def abandon(self) -> None:
        """The runner is gone, and nobody has resumed it yet."""
        self._held.close()
        self._journal = None
        self.now += 266

    def _ended_with_failures(self) -> None:
        totals = Totals(
            Tally(discovered=1_204_512, transferred=1_204_500, failed=12, verified=1_204_500),
            Tally(discovered=8_012),
            Bytes(4_200_000_000_000, 4_190_000_000_000),
            listing_complete=True,
        )
        began = EVENING - 9_000
        folder = self.home.executions / "20250514-193000-finance-77aa"
        with _journal(folder, FINANCE, began) as journal, journal.transaction():
            journal.set_totals(totals, {})
            journal.add_failures(
                [Failure(f"2024/q{n % 4 + 1}/ledger-{n}.xlsx", "vanished", "ENOENT") for n in range(12)]
            )
            journal.add_event(Event(began, "started", "4 agents, 4 tasks"))
            journal.heartbeat(began + 6_240, None)
            journal.set_status(Status.ERROR, "12 of 1,204,512 files failed", began + 6_240)
        shown = proving.report(
            status="ERROR",
            message="12 of 1,204,512 files failed",
            started_at=began,
            ended_at=began + 6_240,
            seconds=6_240.0,
            failure_counts={"vanished": 12},
            failures=[{"path": "2024/q1/ledger-0.xlsx", "reason": "vanished", "detail": "ENOENT"}],
        )
        (folder / "report.json").write_bytes(msgspec.json.encode(shown))

    def _rate(self, at: float) -> float:
        """Steady, but for four slower minutes at half past one."""
        share = 1 - len(self._lost) / self._agents
        slow = 0.45 if 12_200 < at - BEGAN < 12_440 else 1.0
        return RATE * share * slow * (1 + 0.012 * math.sin(at / 41) + 0.008 * math.sin(at / 13))

    def _sample(self, at: float, seconds: float) -> None:
        assert self._journal is not None
        rate = self._rate(at)
        self._done += rate * seconds
        files = round(FILES * self._done / BYTES)
        self._journal.add_sample(Sample(at, files, round(self._done), rate * FILES_PER_SECOND / RATE, rate))

    def _report(self, at: float, seconds: float) -> None:
        """All that a runner writes about the moment ``at``."""
        assert self._journal is not None
        self._sample(at, seconds)
        left, moved = BYTES - self._done, round(FILES * self._done / BYTES)
        rate = RATE * (1 - len(self._lost) / self._agents)
        totals = Totals(
            Tally(discovered=FILES, transferred=moved - len(FAILURES), failed=len(FAILURES), verified=moved - 3),
            Tally(discovered=213_044),
            Bytes(BYTES, round(self._done), round(left)),
            listing_complete=True,
        )
        self._journal.set_totals(totals, {})
        self._journal.put_tasks(self._tasks())
        agents = [self._agent(number, at, seconds) for number in range(1, self._agents + 1)]
        self._journal.put_agents(agents, at)
        moving = {each.name: each.bytes_per_second for each in agents if each.state == "working"}
        self._journal.add_agent_rates(at, moving)
        low, high = left / rate * 0.99, left / rate * 1.15
        self._journal.heartbeat(at, (low, high))
        if at % 60 < seconds:
            self._journal.add_estimate(Estimate(at, at + low, at + high, rate))

    def _tasks(self) -> list[TaskSnapshot]:
        """A year each; the first ones are further."""
        tasks = []
        for number, (year, (files, size)) in enumerate(YEARS.items()):
            share = min(0.98, self._done / BYTES * (1.08 - 0.05 * number))
            name, done = year.decode(), round(size * TB * share)
            sizes = Bytes(round(size * TB), done, round(size * TB) - done)
            tally = Tally(discovered=files, transferred=round(files * share))
            tasks.append(TaskSnapshot(name, (f"/{name}",), (), f"agent-{number + 1}", tally, sizes))
        return tasks

    def _agent(self, number: int, at: float, seconds: float) -> AgentSnapshot:
        lost = number in self._lost
        alive = [each for each in range(1, self._agents + 1) if each not in self._lost]
        tilt = (number - fmean(alive)) / len(alive)  # they are not alike, but add up
        rate = 0.0 if lost else self._rate(at) / len(alive) * (1 + tilt * (0.08 + 0.05 * math.sin(at / 9)))
        moved = self._moved[number] = self._moved.get(number, self._done / self._agents) + rate * seconds
        spent = at - BEGAN
        times = AgentTimes(spent, source=0.17 * spent, destination=0.71 * spent, cpu=0.09 * spent)
        year = list(YEARS)[(number - 1) % 4].decode()
        return AgentSnapshot(
            f"agent-{number}",
            "lost" if lost else "working",
            task=year,
            path=f"{year}/{number + 4:02d}/plate {number}/scan-{int(at) % 900:04d}.svs",
            files=round(moved * FILES_PER_SECOND / RATE),
            bytes=round(moved),
            bytes_per_second=rate,
            files_per_second=rate * FILES_PER_SECOND / RATE,
            in_flight=0 if lost else 52 + number,
            window=64,
            reported_at=self._lost.get(number, at),
            times=times,
        )


def _journal(folder: Path, profile: Profile, began: float) -> Journal:
    migration = to_migration(profile)
    limited = msgspec.structs.replace(migration.options, bytes_per_second=2_500_000_000)
    execution = Execution(folder.name, msgspec.structs.replace(migration, options=limited), "", "", began)
    return Journal.create(folder, execution, Runner(21_634, HOST, "", "kim"))


def _keep_measured(found: TestRun) -> None:
    from xsync_tui.cli.test_run import save

    save(PROFILE.name, found)
    path = store.path_of(PROFILE.name)
    profile: Any = store.load(PROFILE.name)
    measured = msgspec.structs.replace(profile.measured, files_per_second=2_900.0)
    store.save_measured(str(path), measured)
