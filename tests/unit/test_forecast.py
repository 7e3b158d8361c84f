"""What executions teach, and what is foretold of the next: on reports made up from a known roofline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.execution.foretelling.forecast import Forecast, forecast, keep, outcome
from engine.execution.foretelling.held import untried
from engine.execution.foretelling.learning import LEAST_SECONDS, learn
from engine.execution.foretelling.passes import history_of
from engine.model import LocationSpec, Migration, TransferOptions
from engine.planning.surroundings import default_roofline
from engine.planning.values import Dataset, Origin, Seconds, SizeBin
from xsync_tui.cli.outcome import foretold

F, B = 2_000.0, 200e6  # files/s and bytes/s of one agent
BEFORE = default_roofline()
MIGRATION = Migration(LocationSpec("file:///a"), LocationSpec("s3://b"), agents=2)


def _report(bins: list[tuple[int, int]], *, at: float = 1_000.0, agents: int = 2, **options: Any) -> dict[str, Any]:
    """The report of an execution that took what a roofline of F and B says, for (files, bytes) a bin."""
    busy = sum(max(files / F, size / B) for files, size in bins) / agents
    files, size = sum(count for count, _ in bins), sum(each for _, each in bins)
    counts = {"discovered": files, "transferred": files, "deleted": 0, "pending": 0}
    return {
        "execution": f"e-{at:.0f}",
        "started_at": at,
        "seconds": busy + 1.5,
        "transfer_seconds": busy,
        "status": "SUCCESS",
        "listing_complete": True,
        "files": counts,
        "folders": {"discovered": 10, "transferred": 0, "deleted": 0},
        "bytes": {"transferred": size, "source": size},
        "skipped": {},
        "sizes": [{"from": 10**n, "to": 10 ** (n + 1), "files": f, "bytes": b} for n, (f, b) in enumerate(bins)],
        "migration": {"agents": agents, "options": options, "limits": []},
        "phase_seconds": {"listing": 0.5},
    }


SMALL, LARGE = [(40_000, 400_000_000)], [(10, 40_000_000_000)]


def test_small_files_teach_files_a_second_and_large_ones_bytes_a_second() -> None:
    small, large = learn([_report(SMALL)], BEFORE), learn([_report(LARGE)], BEFORE)
    assert small.bytes_per_second is None
    assert large.files_per_second is None
    assert small.files_per_second is not None and small.files_per_second.value == pytest.approx(F, rel=0.02)
    assert large.bytes_per_second is not None and large.bytes_per_second.value == pytest.approx(B, rel=0.02)
    assert large.bytes_per_second.origin == Origin("execution", "e-1000", 1_000.0)


def test_both_are_learned_from_executions_of_unlike_sizes() -> None:
    learned = learn([_report(SMALL), _report(LARGE, at=2_000.0), _report([*SMALL, *LARGE], at=3_000.0)], BEFORE)
    assert learned.files_per_second is not None and learned.bytes_per_second is not None
    assert learned.files_per_second.value == pytest.approx(F, rel=0.05)
    assert learned.bytes_per_second.value == pytest.approx(B, rel=0.05)
    assert "3 executions" in learned.files_per_second.origin.source


def test_noise_among_small_files_is_not_taken_for_slow_bytes() -> None:
    """Files of 1 kB were sent faster than others of 4 kB on another day: large files are not slow for that."""
    slow, fast, large = (
        _report([(30_000, 123_000_000)]),
        _report([(40_000, 40_000_000)], at=2_000.0),
        _report(LARGE, at=0.0),
    )
    slow["transfer_seconds"] *= 1.5
    learned = learn([large, slow, fast], BEFORE)
    assert learned.bytes_per_second is not None and learned.bytes_per_second.value >= B * 0.98
    assert learned.files_per_second is not None and learned.files_per_second.value >= F * 0.98


def test_limited_and_short_executions_teach_nothing() -> None:
    limited = _report(LARGE, bytes_per_second=1_000_000)
    timetable = _report(LARGE)
    timetable["migration"]["limits"] = [{"days": [0], "start": 0, "end": 60, "bytes_per_second": 1}]
    short = _report([(10, 10_000)])
    assert short["transfer_seconds"] < LEAST_SECONDS
    live = _report(LARGE) | {"limit": {"bytes_per_second": None, "waited": 0.4}}
    near = _report(LARGE) | {"limit": {"bytes_per_second": 2.1 * B, "waited": 0.0}}
    assert learn([limited, timetable, short, live, near], BEFORE) == learn([], BEFORE)
    assert untried([limited, near], None, measured=False) == (
        "past runs were held back by a limit of 420 MB/s: lifting it was not tried"
    )
    assert untried([near], None, measured=True) == untried([_report(LARGE)], None, measured=False) == ""
    assert untried([], 12e6, measured=True).startswith("the test run was held back by a limit of 12.0 MB/s")


def test_a_limit_that_did_not_bind_leaves_what_was_measured() -> None:
    told = _report(LARGE, bytes_per_second=int(1e9)) | {"limit": {"bytes_per_second": 1e9, "waited": 0.01}}
    assert learn([told], BEFORE) == learn([_report(LARGE)], BEFORE)


def test_executions_with_as_many_agents_count_before_others() -> None:
    slow = _report(LARGE, agents=8)
    slow["transfer_seconds"] *= 4  # eight agents were hardly faster than two: not what two are asked about
    learned = learn([_report(LARGE), slow], BEFORE, agents=2)
    assert learned.bytes_per_second is not None and learned.bytes_per_second.value == pytest.approx(B, rel=0.02)


def _dataset(bins: list[tuple[int, int]]) -> Dataset:
    sizes = tuple(SizeBin(10**n, 10 ** (n + 1), f, b) for n, (f, b) in enumerate(bins))
    return Dataset(sum(f for f, _ in bins), sum(b for _, b in bins), 10, 4_000_000_000, sizes)


def _forecast(bins: list[tuple[int, int]], reports: list[dict[str, Any]], *, known: bool = False) -> Forecast:
    made = forecast(
        MIGRATION,
        _dataset(bins),
        history_of(reports),
        reports,
        known=known,
        now=reports[-1]["started_at"] + 600,
        cores=2,
    )
    assert made is not None
    return made


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 200_000), st.integers(0, 10**11)), min_size=1, max_size=5),
)
def test_what_follows_the_roofline_is_foretold(bins: list[tuple[int, int]]) -> None:
    learnt = [_report(SMALL), _report(LARGE, at=2_000.0), _report([*SMALL, *LARGE], at=3_000.0)]
    made, truth = _forecast(bins, learnt), _report(bins)["seconds"]
    assert made.seconds.low <= made.seconds.likely <= made.seconds.high
    assert made.seconds.low * 0.9 <= truth <= made.seconds.high * 1.1


def test_measured_rates_make_the_range_narrow_and_are_named() -> None:
    default = _forecast(LARGE, [_report([(10, 10_000)])])
    learned = _forecast(LARGE, [_report(LARGE), _report(SMALL, at=2_000.0)])
    assert learned.seconds.high / learned.seconds.low < 1.3 < default.seconds.high / default.seconds.low
    assert {origin.kind for origin in learned.rests_on} == {"execution"}
    assert "default" in {origin.kind for origin in default.rests_on}


def test_where_nothing_was_measured_the_host_counts_and_the_range_is_wide() -> None:
    """As in ``xsync demo``: 12,000 small files on two cores took 15 s, and 35 s on a busy host."""
    many = [(12_000, 1_050_000_000)]
    made = forecast(MIGRATION, _dataset(many), history_of([]), [], known=False, now=0.0, cores=2)
    one = forecast(MIGRATION, _dataset(many), history_of([]), [], known=False, now=0.0, cores=1)
    assert made is not None and one is not None
    assert {origin.kind for origin in made.rests_on} == {"default"}
    assert made.seconds.low < 15 < 35 < made.seconds.high < 60
    assert one.seconds.likely > 1.5 * made.seconds.likely - 1.5


def test_an_incremental_execution_is_foretold_by_what_passes_found() -> None:
    first = _report([*SMALL, *LARGE], at=0.0)
    passes = [_report([(400, 4_000_000)], at=600.0 * n) for n in range(1, 5)]
    for each in passes:
        each["files"]["discovered"] = 40_010
    made = _forecast([*SMALL, *LARGE], [first, *passes], known=True)
    assert made.incremental
    assert made.files == pytest.approx(400, rel=0.3)
    alone = forecast(MIGRATION, _dataset(SMALL), history_of([first]), [first], known=True, now=700.0, cores=2)
    assert alone is None  # one pass tells nothing of changes


def test_a_limit_of_the_migration_is_in_its_forecast() -> None:
    limited = Migration(
        MIGRATION.source, MIGRATION.destination, agents=2, options=TransferOptions(bytes_per_second=10_000_000)
    )
    made = forecast(limited, _dataset(LARGE), history_of([]), [], known=False, now=0.0, cores=2)
    assert made is not None
    assert made.seconds.likely == pytest.approx(4_000, rel=0.05)


def test_what_was_said_is_held_against_what_it_took(tmp_path: Path) -> None:
    assert outcome(tmp_path, 100.0) is None
    keep(tmp_path, Forecast(1.0, Seconds(80.0, 100.0, 130.0), 1, 2, False, (Origin("default", "x"),)))
    came = outcome(tmp_path, 120.0)
    assert came is not None
    assert (came["inside"], came["error"], came["took_seconds"]) == (True, pytest.approx(0.2), 120.0)
    for took, how in ((150.0, "inside"), (240.0, "later")):  # of 1 - 3 min, as the words next to it say
        told = outcome(tmp_path, took)
        assert told is not None and (told["inside"], how in foretold({"estimate": told})) == (how == "inside", True)
