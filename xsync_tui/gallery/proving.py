"""Test runs, cutovers and reports of the 20 Gbps story, with hostile names where somebody wants them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from engine.execution.cutover.record import Cutover, Done
from engine.execution.foretelling.passes import History, Measured, PastPass
from engine.execution.testrun.ladder import PlannedStep, Prepared, Request, TestRun
from engine.model import LocationSpec, Migration
from engine.planning.candidates import Choice, FolderMix
from engine.planning.churn import Churn, Pass
from engine.planning.cutover import Busiest, Readiness, readiness
from engine.planning.fitting import Range, assumed, fit, predicted, scaling
from engine.planning.freeze import Work
from engine.planning.measurement import Ended, Shares, Step
from engine.planning.steadiness import Pace
from engine.planning.values import Figure, Origin, PlanLimit, SizeBin
from engine.planning.verdict import Left, changes, judge
from xsync_tui.drawing.rows import Canvas
from xsync_tui.drawing.scaling import Ceiling
from xsync_tui.drawing.testrun import Live

NOW = 1_747_256_744.0  # Wed 14 May 2025, 21:05:44 UTC
DAY = 86_400.0
GB = 10**9

NARROW = Canvas(80, 20, zone=UTC)
PLAIN = Canvas(80, 20, unicode=False, zone=UTC)
WIDE = Canvas(120, 37, zone=UTC)
CANVASES = (NARROW, PLAIN, WIDE)

HOSTILE = "a\x1b]0;x\x07\u202e\udcff\u200b[/b]\x9b2J"

LINK = (Ceiling("link 20 Gbps", 2.5e9, hard=True), Ceiling("target 85 %", 2.125e9))
MIGRATION = Migration(LocationSpec("file:///mnt/lab"), LocationSpec("s3://lab/img"))
BINS = (SizeBin(1 << 24, 1 << 26, 50_000, 50_000 * (20 << 20)),)
DEFAULT = assumed(None, None, None, None)


def step(agents: int, rate: float, ended: Ended = "steady", folder: str = "2025/Feb") -> Step:
    """A step of a test run that reached so many bytes/s with so many agents."""
    return Step(
        agents=agents,
        folders=(folder,),
        distance=0.06,
        ended=ended,
        seconds=30,
        files_per_second=rate / (20 << 20),
        bytes_per_second=rate,
        spread=0.02 if ended == "steady" else 0.4,
        steady_after=42 if ended == "steady" else None,
        bins=BINS,
        each=((0.0, rate / agents),) * agents,
        shares=Shares(source=0.17, cpu=0.09, destination=0.71, idle=0.03),
        cores=0.1,
        host_cpu=0.3,
        moved_files=33_000,
        moved_bytes=int(rate * 120),
        whole_seconds=12.0,
    )


def measured_run(rates: Mapping[int, float], *, ended: Ended = "steady", folder: str = "2025/Feb") -> TestRun:
    """A test run that reached so many bytes/s by number of agents."""
    steps = [step(agents, rate, ended, folder) for agents, rate in rates.items()]
    good = [each for each in steps if each.steady]
    one = fit(good, DEFAULT, NOW) if good else None
    curve = None if one is None else scaling(good, one)
    known = one is not None and curve is not None
    return TestRun(
        id="20250514-203344-lab-images-0000",
        profile="lab-images",
        source="file:///mnt/lab",
        destination="s3://lab/img",
        at=NOW - 1918,
        seconds=1918,
        steps=tuple(steps),
        missing=(),
        verdict=judge(steps, one, curve, 5, BINS, 2.5e9),
        one=one,
        curve=curve,
        changes=tuple(changes(DEFAULT, one, curve, 2.125e9, BINS, max(rates), 2.5e9))
        if one is not None and curve is not None
        else (),
        predictions={n: predicted(curve, one, BINS, n) for n in (1, *rates, 5)} if known and one and curve else {},
        mix=0.94,
        files=99_000,
        bytes=sum(each.moved_bytes for each in steps),
        left=Left(12_313_907, 43_900_000_000_000, max(rates), Range(20_100, 21_900, 23_700)) if known else None,
    )


LINEAR = measured_run({1: 551e6, 2: 1_098e6, 4: 2_189e6})
FLAT = measured_run({1: 551e6, 2: 580e6, 4: 575e6})
LIVE = Live(3, 3, 4, 12.0, 120.0, 2.1e9, 101.0, 1_203, 25_200_000_000)


def prepared(folder: bytes = b"2025/Feb", *, missing: tuple[int, ...] = ()) -> Prepared:
    """What a test run with 1, 2 and 4 agents would copy; ``missing``: for which there is no folder."""
    request = Request(MIGRATION, "lab-images", (1, 2, 4), (), Pace(30, 120), DEFAULT)
    steps = [
        PlannedStep(agents, Choice((folder, b"2024/Feb"), BINS, 0.06, 4.0))
        for agents in (1, 2, 4)
        if agents not in missing
    ]
    return Prepared(request, steps, missing, FolderMix(b"", BINS), [], NOW - DAY)


MEASURED = Origin("execution", "pass 3", NOW - DAY)


def ready(window: float | None, since: float = 3_600.0, *, known: bool = True) -> Readiness:
    """Ten million entries at 500 MB/s, of which 100 MB a second change: a freeze of a quarter of an hour or more."""
    rate = Figure(1e5, MEASURED)
    limits = (PlanLimit("path of one agent", "agent", MEASURED, 500e6, 5_000.0),)
    work = Work(10**7, 10**5, 10**7, limits, 1, listing=rate, destination_listing=rate)
    points = [(3_600.0 * n, 3_600 * n, 3_600 * n * 10**8) for n in (1, 2, 4, 8)] if known else []
    churn = Churn([Pass(0.0, *each) for each in points])
    return readiness(churn, work, window, since, Busiest(HOSTILE, 0.5, 0.9) if window == 300.0 else None)


def past(count: int = 3) -> History:
    """Passes, a day apart; the last but one failed."""
    first = PastPass("e1", NOW - count * DAY, 22_920.0, 12_400_000, 48_100 * GB, 0, "SUCCESS", True, 72.0)
    later = [
        PastPass(f"e{n}", NOW - (count - n) * DAY, 129.0, 31_000, 64 * GB, 12, "SUCCESS", True, 71.0, DAY)
        for n in range(1, count)
    ]
    if len(later) > 1:
        later[-2] = PastPass("ex", NOW - 2 * DAY, 110.0, 12_000, 21 * GB, 0, "ERROR", False, None)
    return History((first, *later), Measured())


def begun(*steps: str) -> Cutover:
    """A cutover with these steps done."""
    texts = {"readiness": "READY: the freeze fits.", "read-only": "no change seen for 12 min among 12,412,907 entries"}
    done: dict[Any, Done] = {
        name: Done(NOW - 600 + 60 * at, "kim@agent-01", texts.get(name, "done as it should be"))
        for at, name in enumerate(steps)
    }
    return Cutover("lab-images", MIGRATION, NOW - 700, "kim@agent-01", done)


def report(**more: Any) -> dict[str, Any]:
    """A report as ``report.json`` holds it, as far as screens read it."""
    known: dict[str, Any] = {
        "status": "SUCCESS",
        "message": "",
        "seconds": 22_920.0,
        "started_at": NOW - 30_000,
        "ended_at": NOW - 7_080,
        "host": "agent-01",
        "transfer_seconds": 22_100.0,
        "phase_seconds": {"listing": 72.0, "folders": 12.0},
        "bytes": {"source": 48_100 * GB, "transferred": 48_100 * GB, "pending": 0},
        "files": {
            "discovered": 12_412_907,
            "transferred": 12_412_907,
            "skipped": 0,
            "failed": 0,
            "excluded": 0,
            "deleted": 0,
            "verified": 12_412_907,
            "pending": 0,
        },
        "failure_counts": {},
        "failures": [],
        "tasks": [
            {"name": f"{2022 + n}", "files": {"transferred": 3_103_000}, "bytes": {"transferred": (9 + n) * 1000 * GB}}
            for n in range(4)
        ],
        "agents": [{"agent": f"agent-{n}", "files": 3_103_226, "bytes": 12_000 * GB + n * GB} for n in range(1, 5)],
        "top_folders": [{"folder": f"{2025 - n}", "files": 3_103_000, "bytes": (14 - n) * 1000 * GB} for n in range(4)],
        "estimate": {
            "seconds": {"low": 21_900.0, "likely": 23_000.0, "high": 25_800.0},
            "took_seconds": 22_920.0,
            "inside": True,
        },
    }
    return known | more


FAILED = report(
    status="ERROR",
    message="3 of 12,412,907 files failed",
    failure_counts={"changed while read": 2, f"unreadable {HOSTILE}": 1},
    failures=[{"path": f"2023/May/{HOSTILE}.svs", "reason": "changed while read", "detail": ""}],
    files=report()["files"] | {"transferred": 12_412_904, "verified": 12_412_904, "failed": 3},
    estimate={
        "seconds": {"low": 10_000.0, "likely": 12_000.0, "high": 14_000.0},
        "took_seconds": 22_920.0,
        "inside": False,
    },
)
