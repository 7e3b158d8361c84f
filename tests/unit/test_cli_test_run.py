"""What a test run looks like on a terminal, and what a profile keeps of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from engine.execution.testrun.ladder import PlannedStep, Prepared, Request, TestRun, latest_test_run
from engine.execution.testrun.step import steps_of
from engine.model import LocationSpec, Migration
from engine.planning.candidates import Choice, FolderMix
from engine.planning.fitting import Fit, Range, Scaling, assumed, fit, predicted, scaling
from engine.planning.measurement import Shares, Step
from engine.planning.steadiness import Pace
from engine.planning.values import SizeBin
from engine.planning.verdict import Left, changes, judge
from profiles.convert import to_migration
from profiles.schema import MeasuredSection, Place, Profile
from xsync_tui.cli.look import Look
from xsync_tui.cli.plan import request_of
from xsync_tui.cli.test_run import _measured
from xsync_tui.cli.test_run_view import announcement, result_lines, step_line
from xsync_tui.text import width_of

BINS = (SizeBin(1 << 24, 1 << 26, 100, 100 * (20 << 20)),)
DEFAULT = assumed(None, None, None, None)


def step(agents: int, rate: float) -> Step:
    return Step(
        agents=agents,
        folders=(f"2025/{agents:02}",),
        distance=0.06,
        ended="steady",
        seconds=30,
        files_per_second=rate / (20 << 20),
        bytes_per_second=rate,
        spread=0.02,
        steady_after=42,
        bins=BINS,
        each=((0.0, rate / agents),) * agents,
        shares=Shares(source=0.17, cpu=0.09, destination=0.71, idle=0.03),
        cores=0.1,
        host_cpu=0.3,
        moved_files=100,
        moved_bytes=2_000_000_000,
    )


def found(rates: dict[int, float]) -> TestRun:
    steps = [step(agents, rate) for agents, rate in rates.items()]
    one: Fit = fit(steps, DEFAULT, 1e9)
    curve: Scaling = scaling(steps, one)
    predictions: dict[int, Range] = {count: predicted(curve, one, BINS, count) for count in (1, 2, 4, 8)}
    return TestRun(
        id="20260101-000000-lab-0000",
        profile="lab",
        source="file:///mnt/lab",
        destination="s3://lab",
        at=1e9,
        seconds=200,
        steps=tuple(steps),
        missing=(),
        verdict=judge(steps, one, curve, 8, BINS),
        one=one,
        curve=curve,
        changes=tuple(changes(DEFAULT, one, curve, 2.125e9, BINS, max(rates), 2.5e9)),
        predictions=predictions,
        mix=0.94,
        files=400,
        bytes=8_000_000_000,
        left=Left(1_000, 43_900_000_000_000, 4, Range(20_100, 21_900, 23_700)),
    )


@pytest.mark.parametrize("look", [Look(), Look(unicode=False)])
def test_the_sentence_comes_first_and_all_fits_80_columns(look: Look) -> None:
    lines = [line.text for line in result_lines(found({1: 550e6, 2: 1_098e6, 4: 2_189e6}), look)]
    assert lines[0].startswith(" LINEAR: Each agent reaches 547 MB/s however many there are: the path of one")
    text = "\n".join(lines)
    assert "1   550 MB/s   550 MB/s" in text
    assert "predicted" in text
    assert "550 MB/s - 2.20 GB/s" in text
    assert "size mix 94 % like the whole" in text
    assert lines[-1] == " The run skips it. Left 43.9 TB: 5 h 35 - 6 h 35 with 4 agents."
    assert re.search(r"full copy, 4 agents +about 1 s +about 1 s", text)
    assert max(map(width_of, lines)) <= 80


def test_a_step_says_its_rate_and_when_it_was_steady() -> None:
    assert step_line(step(2, 1_098e6), Look()) == " two agents: 1.10 GB/s, 52 files/s, steady after 42 s"


def test_before_it_begins_it_says_how_much_where_how_long_and_at_what_cost() -> None:
    migration = Migration(LocationSpec("file:///mnt/lab"), LocationSpec("s3://lab"))
    request = Request(migration, None, (1, 2), (), Pace(30, 120), DEFAULT)
    choice = Choice((b"2025/01",), BINS, 0.06, 4.0)
    prepared = Prepared(request, [PlannedStep(1, choice)], [2], FolderMix(b"", BINS), [], 0.0)
    lines = [line.text for line in announcement(prepared, Look())]
    text = "\n".join(lines)
    assert "/mnt/lab → s3://lab" in text
    assert "up to 2.10 GB in 100 files" in text
    assert "32 s - 3 min" in text
    assert "USD" in text
    assert "one agent: /2025/01, 2.10 GB, size mix 94 % like the whole" in text
    assert "No comparable folder is left for a step of 2 agents." in text
    assert max(map(width_of, lines)) <= 80


def test_a_profile_keeps_what_one_agent_does_and_what_all_share() -> None:
    kept = _measured(found({1: 100e6, 2: 104e6, 4: 103e6}))
    assert kept.verdict == "FLAT AFTER 1"
    assert kept.bytes_per_second == pytest.approx(100e6, rel=0.01)
    assert kept.files_per_second is None
    assert (kept.shared_bytes_per_second, kept.shared_scope) == (104e6, "link")
    assert [each.agents for each in kept.steps] == [1, 2, 4]


def test_a_profile_keeps_no_rate_that_a_limit_made() -> None:
    value = found({1: 100e6, 2: 104e6})
    held = [msgspec.structs.replace(each, limit=105e6) for each in value.steps]
    none = msgspec.structs.replace(
        value, steps=tuple(held), one=None, curve=None, verdict=judge(held, None, None, 4, BINS)
    )
    kept = _measured(none)
    assert (kept.verdict, kept.bottleneck) == ("LIMITED", "the bandwidth limit")
    assert (kept.files_per_second, kept.bytes_per_second, kept.shared_scope, kept.shared_bytes_per_second) == (
        None,
    ) * 4
    assert [each.limit_bytes_per_second for each in kept.steps] == [105e6, 105e6]
    some = _measured(msgspec.structs.replace(value, steps=(value.steps[0], held[1])))
    assert some.bytes_per_second == pytest.approx(100e6, rel=0.01)
    assert (some.shared_scope, some.shared_bytes_per_second) == (None, None)
    profile = Profile(1, "lab", Place("file:///mnt/lab"), Place("s3://lab"), measured=some)
    told = request_of(to_migration(profile), profile, 0.0).measured
    assert (told.shared, told.limit) == (None, 105e6)


def test_a_ladder_doubles_up_to_the_number_that_was_asked_for() -> None:
    assert steps_of(4, ladder=True) == (1, 2, 4)
    assert steps_of(6, ladder=True) == (1, 2, 4, 6)
    assert steps_of(1, ladder=True) == (1,)
    assert steps_of(4, ladder=False) == (4,)


def test_the_newest_test_run_between_two_sides_is_found(tmp_path: Path) -> None:
    for name, source in (("20260101-a", "file:///mnt/lab"), ("20260102-b", "file:///other")):
        value = msgspec.structs.replace(found({1: 1e6}), id=name, source=source)
        (tmp_path / f"{name}.json").write_bytes(msgspec.json.encode(value))
    (tmp_path / "20260103-c.json").write_text("{")
    newest = latest_test_run(tmp_path, "file:///mnt/lab", "s3://lab")
    assert newest is not None
    assert newest.id == "20260101-a"
    assert latest_test_run(tmp_path, "file:///nowhere", "s3://lab") is None


@pytest.mark.parametrize(
    ("kept", "named"),
    [
        ("the shared link, or the destination behind it", "shared link, or the destination behind it"),
        ("the source", "shared source"),
        (None, "shared link"),
    ],
)
def test_a_plan_names_once_what_agents_share(kept: str | None, named: str) -> None:
    measured = MeasuredSection(
        date=datetime(2026, 5, 14, tzinfo=UTC), bottleneck=kept, shared_scope="link", shared_files_per_second=1e3
    )
    profile = Profile(1, "lab", Place("file:///mnt/lab"), Place("s3://lab"), measured=measured)
    shared = request_of(to_migration(profile), profile, 0.0).measured.shared
    assert shared is not None
    assert shared.name == named
