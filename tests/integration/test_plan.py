"""``xsync plan`` on real folders: surveyed first, JSON as agreed, and what a person reads."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.execution.foretelling.planner import PlanRequest, gather, plan, work_out
from engine.home import Home
from engine.model import FilterSpec, LocationSpec, Migration
from engine.planning.plan import Plan
from engine.quantities import in_duration_range
from tests.indoors import Indoors
from tests.support import Xsync, make_source
from xsync_tui.cli.look import Look
from xsync_tui.cli.plan_view import plan_lines

PROFILE = """\
schema = 1
name = "lab"
[source]
url = "file://{source}"
[destination]
url = "s3://lab-archive/images"
[network]
bandwidth = "20Gbps"
per_agent = "5Gbps"
"""

MEASURED = """
[measured]
date = 2026-11-20T10:00:00Z
agents = 4
bytes_per_second = 400000000.0
files_per_second = 9000.0
verdict = "FLAT AFTER 4"
bottleneck = "link"
shared_bytes_per_second = 1500000000.0
shared_scope = "link"
"""


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Indoors(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four years of unlike size, sparse so that gigabytes cost nothing."""
    for year, files in ((2022, 3), (2023, 5), (2024, 7), (2025, 9)):
        for number in range(files):
            path = tmp_path / "source" / str(year) / f"{number % 3:02d}" / f"image-{number}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.truncate(path, 10 << 30)
    return tmp_path / "source"


def _save(xsync: Xsync, source: Path, extra: str = "") -> None:
    (xsync.home / "profiles").mkdir(parents=True)
    (xsync.home / "profiles" / "lab.toml").write_text(PROFILE.format(source=source) + extra)


def test_the_plan_of_a_profile_is_made_from_a_survey_that_comes_first(xsync: Xsync, source: Path) -> None:
    _save(xsync, source)
    ran = xsync.run("plan", "lab")
    [made] = ran.lines
    assert (ran.code, made["dataset"]["files"], made["dataset"]["bytes"]) == (0, 24, 240 << 30)
    assert "surveyed first" in ran.errors or "comes first" in ran.errors
    assert made["agents"] >= 4
    assert made["target_bytes_per_second"] == 2.5e9
    assert sum(task["files"] for task in made["tasks"]) == 24
    assert sum(task["bytes"] for task in made["tasks"]) == 240 << 30
    assert made["duration_seconds"]["low"] <= made["duration_seconds"]["likely"] <= made["duration_seconds"]["high"]
    assert made["cost"]["run"]["dollars"] > 0
    assert made["binding_limit"]["origin"]["source"]
    assert {"agents", "bytes_per_second", "share", "seconds"} <= set(made["what_if"][0])
    again = xsync.run("plan", "lab", "--agents", "2", "--level", "1", "--for", "datasync")
    assert "comes first" not in again.errors
    assert again.lines[0]["agents"] == 2
    [theirs] = xsync.run("plan", "lab", "--level", "1", "--per-agent", "500Mbps", "--for", "datasync").lines
    assert (theirs["agents"], theirs["work"]["kind"]) == (4, "tasks")
    assert theirs["room"] is None
    named = sorted(task["include"] for task in again.lines[0]["tasks"] if task["include"])
    assert named == [["/2022"], ["/2023"], ["/2024"], ["/2025"]]


def test_what_a_test_run_measured_replaces_defaults_and_says_so(xsync: Xsync, source: Path) -> None:
    _save(xsync, source, MEASURED)
    [made] = xsync.run("plan", "lab").lines
    one = made["roofline"]["bytes_per_second"]
    assert (one["value"], one["origin"]["kind"]) == (400e6, "test run")
    assert one["origin"]["at"] == datetime(2026, 11, 20, 10, tzinfo=UTC).timestamp()
    shared = next(limit for limit in made["limits"] if limit["name"] == "shared link")
    assert (shared["scope"], shared["bytes_per_second"]) == ("link", 1.5e9)
    assert made["bytes_per_second"] <= 1.5e9


def _plan_of(tmp_path: Path, source: Path, **more: object) -> Plan:
    home = Home(tmp_path / "home", tmp_path / "home" / "profiles", own_base=False)
    filters = more.pop("filters", FilterSpec())
    assert isinstance(filters, FilterSpec)
    migration = Migration(LocationSpec(source.as_uri()), LocationSpec("s3://lab-archive"), filters=filters)
    return plan(PlanRequest(migration, 1_800_000_000.0, **more), home)  # type: ignore[arg-type]  # each test says which


def test_filters_leave_folders_out_of_the_plan(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    assert xsync.run("survey", source).code == 0
    made = _plan_of(tmp_path, source, filters=FilterSpec(include=("/2024", "/2025")))
    assert (made.dataset.files, made.dataset.bytes) == (16, 160 << 30)
    assert sum(task.files for task in made.tasks) == 16
    assert not [warning for warning in made.warnings if "filters" in warning]


def test_what_a_person_reads_fits_80_columns_and_begins_with_the_answer(
    xsync: Xsync, source: Path, tmp_path: Path
) -> None:
    assert xsync.run("survey", source).code == 0
    made = _plan_of(tmp_path, source, bandwidth=2.5e9, per_agent=625e6, agents=8)
    lines = plan_lines(made, Look(width=80))
    assert made.hosts == 1  # another would save minutes
    assert lines[0].strip().startswith("8 agents copy 258 GB in")
    assert all(len(line) <= 80 for line in lines if not line.startswith(" Cost"))
    assert any(line.startswith(f" >{made.agents:>6}") for line in lines)
    ascii_lines = plan_lines(made, Look(width=80, unicode=False))
    assert all(line.isascii() for line in ascii_lines)


def test_tasks_that_are_too_many_are_said_to_cost_something_or_to_be_refused(xsync: Xsync, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number in range(1_200):
        folder = source / f"{number // 2:03d}" / str(number % 2)
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x")
    assert xsync.run("survey", source).code == 0

    def warnings(level: int) -> list[str]:
        [made] = xsync.run("plan", source, "s3://lab-archive", "--level", str(level)).lines
        return [each for each in made["warnings"] if " tasks" in each]

    [costly], [refused] = warnings(1), warnings(2)
    assert costly.startswith("601 tasks cost the runner about 5 s of CPU and 40.9 MB of memory: cut at a level nearer")
    assert refused.startswith(
        "a run has at most 1,001 tasks, and is refused with 1,201: cut at a level nearer to the root"
    )
    assert not [each for each in _plan_of(tmp_path, source).warnings if " tasks" in each]


def test_a_source_that_is_not_there_is_named(xsync: Xsync, tmp_path: Path) -> None:
    ran = xsync.run("plan", tmp_path / "nothing", "s3://bucket")
    assert (ran.code, "does not exist" in ran.message) == (2, True)


def test_prices_that_are_not_valid_name_file_and_key(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text("[egress]\nper_gbb = 0.1\n")
    ran = xsync.run("plan", source, "s3://lab-archive", "--prices", tmp_path / "prices.toml")
    assert ran.code == 2
    assert "prices.toml" in ran.message
    assert "per_gb" in ran.message


def _report(xsync: Xsync) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((xsync.folder() / "report.json").read_text())
    return found


def test_a_run_of_a_surveyed_source_says_before_how_long_it_takes_and_reports_how_that_came_out(
    xsync: Xsync, tmp_path: Path
) -> None:
    source, destination = make_source(tmp_path / "small", files=50), tmp_path / "destination"
    destination.mkdir()
    assert xsync.run("survey", source).code == 0
    assert xsync.run("run", source, destination).code == 0
    report = _report(xsync)
    said = report["estimate"]
    assert (said["files"], said["incremental"]) == (50, False)
    assert said["inside"] == in_duration_range(said["took_seconds"], said["seconds"]["low"], said["seconds"]["high"])
    assert said["took_seconds"] == pytest.approx(report["seconds"], abs=0.01)
    assert xsync.run("run", source, destination).code == 0
    assert _report(xsync)["estimate"] is None  # no pass has told of changes yet
    (source / "new").write_text("new")
    assert xsync.run("run", source, destination).code == 0
    assert _report(xsync)["estimate"]["incremental"]


def test_plans_of_other_fleets_come_from_what_was_read_once(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    assert xsync.run("survey", source).code == 0
    home = Home(tmp_path / "home", tmp_path / "home" / "profiles", own_base=False)
    migration = Migration(LocationSpec(source.as_uri()), LocationSpec("s3://lab-archive/images"))
    request = PlanRequest(migration, 1_800_000_000.0, bandwidth=2.5e9, per_agent=625e6)
    gathered = gather(request, home, most_agents=64, most_level=3)
    shutil.rmtree(home.surveys)
    plans = [work_out(msgspec.structs.replace(request, agents=agents), gathered).plan for agents in (None, 1, 4, 9)]
    assert [made.agents for made in plans] == [plans[0].agents, 1, 4, 9]
    assert plans[1].duration_seconds.likely > plans[2].duration_seconds.likely
    assert plans[2].duration_seconds.likely >= plans[3].duration_seconds.likely
    assert all(sum(task.files for task in made.tasks) == 24 for made in plans)


def test_a_rate_limit_of_the_profile_is_the_limit_whatever_agents_and_links_could_do(
    xsync: Xsync, source: Path, tmp_path: Path
) -> None:
    _save(xsync, source, "[options]\nbytes_per_second = 12000000\n")
    [made] = xsync.run("plan", "lab").lines
    assert (made["binding_limit"]["name"], made["agents"]) == ("rate limit", 1)
    assert made["binding_limit"]["origin"] == {"kind": "profile", "source": "options.bytes_per_second"}
    assert made["bytes_per_second"] == pytest.approx(12e6)
    assert made["duration_seconds"]["likely"] == pytest.approx((240 << 30) / 12e6, rel=0.01)
    assert made["answer"].endswith("The limit is the profile's rate limit.")
