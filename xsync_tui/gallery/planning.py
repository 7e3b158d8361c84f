"""A survey and a plan as the story of 20 Gbps and four years has them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from engine.planning.hosting import HostRoom, host_room
from engine.planning.plan import Plan
from engine.planning.sizes import decimal_bins, size_times
from engine.planning.values import Figure, Origin, Roofline, SizeBin
from engine.survey.facts import (
    Bin,
    Changed,
    Changes,
    Extension,
    FolderSizes,
    FolderStatistics,
    Hazard,
    Layout,
    SizesInside,
    WidestDirectory,
)
from engine.survey.report import SurveyReport
from xsync_tui.drawing.folders import FolderTable
from xsync_tui.drawing.plan import Knob
from xsync_tui.drawing.survey import SurveyView
from xsync_tui.gallery.four_years import example_plan

NOW = datetime(2025, 5, 14, 22, 0, tzinfo=UTC).timestamp()
DAY = 86_400
TESTED = Origin("test run", "*/Feb", NOW)
FILES, BYTES = 12_412_907, 48.1e12

_SHARES = (
    (0, 1, 0.0005, 0.0),
    (1, 10, 0.02, 0.0),
    (10, 1_000, 0.08, 0.000002),
    (1_000, 10_000, 0.32, 0.0004),
    (10_000, 100_000, 0.25, 0.0018),
    (100_000, 10**6, 0.12, 0.011),
    (10**6, 10**7, 0.16, 0.14),
    (10**7, 10**8, 0.035, 0.25),
    (10**8, 10**9, 0.005, 0.32),
    (10**9, 10**10, 0.0005, 0.2),
    (10**10, 10**11, 0.00001, 0.07),
)


def bins() -> list[SizeBin]:
    """How many files there are of each size, and how many bytes."""
    return [SizeBin(low, high, round(FILES * files), round(BYTES * size)) for low, high, files, size in _SHARES]


def folder(path: str, files: int, size: float, newest: float | None, changed: float = 0.0) -> FolderStatistics:
    """A folder; ``newest``: seconds since its newest change; ``changed``: bytes of the last 7 days."""
    changes = Changes(week=Changed(3 if changed else 0, round(changed)))
    return FolderStatistics(path, files, round(size), None if newest is None else NOW - newest, changes)


FOLDERS = (
    folder("2025", 3_112_907, 14.2e12, 120, 9e9),
    folder("2024", 3_000_000, 12.9e12, 3 * DAY),
    folder("2023", 3_100_000, 11.2e12, 490 * DAY),
    folder("2022", 3_200_000, 9.8e12, 850 * DAY),
    folder("", 3, 1_234, None),
)

MONTHS = (
    folder("2025/05", 1_100_000, 8.0e12, 120, 9e9),
    folder("2025/04", 1_000_000, 5.0e12, 40 * DAY),
    folder("2025/03", 900_000, 1.1e12, 70 * DAY),
    folder("2024/12", 3_000_000, 12.9e12, 150 * DAY),
    folder("2023/01", 3_000_000, 7.0e12, 490 * DAY),
)

SIZES = SizesInside(
    FolderSizes((SizeBin(0, 1, 5, 0), SizeBin(10**4, 10**5, 3_100_003, 104_000_090_000)), 9 * 10**9),
    FolderSizes((SizeBin(10**4, 10**5, 3, 90_000),), 40_000),
    {
        "2025": FolderSizes((SizeBin(0, 1, 5, 0), SizeBin(10**4, 10**5, 3_000_000, 10**11)), 90_000),
        "2024": FolderSizes(
            (SizeBin(10**4, 10**5, 10**5, 4 * 10**9), SizeBin(10**9, 10**10, 9, 4 * 10**10)), 9 * 10**9
        ),
        "": FolderSizes((SizeBin(10**4, 10**5, 3, 90_000),), 40_000),
    },
)
"""What sizes some of the folders hold."""


def report(*, partial: bool = False, hazards: tuple[Hazard, ...] = ()) -> SurveyReport:
    """The survey of the four years."""
    found = bins()
    return SurveyReport(
        location="file:///mnt/lab",
        identity="lab",
        surveyed_at=NOW,
        partial=partial,
        catalog="catalog-1",
        files=sum(each.files for each in found),
        directories=213_044,
        symlinks=12,
        specials=0,
        bytes=sum(each.bytes for each in found),
        seconds=72.0,
        entries_per_second=172_000.0,
        size_histogram=tuple(Bin(each.low, each.high, each.files, each.bytes) for each in found),
        age_histogram=(Bin(0, 1, 1_000, 10**10), Bin(1, 7, 2_000, 10**11), Bin(3_650, None, 0, 0)),
        layout=Layout(4, WidestDirectory("2025/May", 4_000), (*FOLDERS, *MONTHS), "2025/May/a"),
        extensions=(Extension("svs", 1_000_000, 30 * 10**12), Extension("", 5, 100)),
        hazards=hazards,
    )


HAZARDS = (
    Hazard("keys over 1,024 bytes", 3, ("2024/long",), "They cannot be objects: rename them."),
    Hazard("unreadable", 12, ("2023/x\x1b[2J",), "xsync reports them as failed: give it the right to read."),
)


def survey_view(found: SurveyReport, files_per_second: float = 2_900, bytes_per_second: float = 550e6) -> SurveyView:
    """It as the Survey screen shows it, for an agent of such rates."""
    one = Roofline(Figure(files_per_second, TESTED), Figure(bytes_per_second, TESTED))
    sizes = [SizeBin(each.from_, each.to or each.from_, each.files, each.bytes) for each in found.size_histogram]
    return SurveyView(
        NOW,
        report=found,
        times=size_times(decimal_bins(sizes), one, 4 * 10**9),
        origin=TESTED,
        table=FolderTable("", FOLDERS, found.bytes, NOW, files=found.files),
        cursor=1,
    )


KNOBS = (
    Knob("link", "20 Gbps"),
    Knob("use", "85 %"),
    Knob("agents", "4 auto"),
    Knob("cut", "even"),
    Knob("from", "22:00"),
    Knob("by", "09:00", auto=False),
)


def plan_at_ten(agents: int | None = None, times: float = 1.0, room: HostRoom | None = None) -> Plan:
    """The plan of four years, or of so many times as much, started at 22:00; ``room``: what this host holds."""
    found = example_plan(agents=agents, times=times, room=room)
    later = NOW - found.start_at
    done = (found.done_at[0] + later, found.done_at[1] + later)
    return msgspec.structs.replace(found, start_at=NOW, done_at=done, surveyed_at=NOW - 86_400)


def little_work() -> Plan:
    """Of 2.4 GB over the same 20 Gbps."""
    return plan_at_ten(times=0.000_05)


def too_large_for_here() -> Plan:
    """Of 962 TB, on a host that holds less than it takes."""
    return plan_at_ten(times=20, room=host_room(2, 1 << 30, None))
