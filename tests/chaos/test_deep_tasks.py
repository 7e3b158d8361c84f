"""Tasks cut out of the folder tree: as planned they stay, through kills, new surveys and a source that changes."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engine.filters import Filters
from engine.model import FilterSpec, Snapshot
from engine.planning.partition import TaskSelector
from tests.chaos.test_kill import kill_runner
from tests.support import Xsync, ended, tree_of


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


def _make_uneven(source: Path) -> Path:
    """Years of 24, 48 and 1,200 small files, a flat folder of 1,500, and a file in the root."""
    for year, count in (("2022", 2), ("2023", 4), ("2024", 100)):
        for month in range(1, 13):
            folder = source / year / f"{month:02d}"
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"f{number}").write_bytes(b"%d" % number * 50)
    (source / "flat").mkdir()
    for number in range(1_500):
        (source / "flat" / f"scan-{number:04d}").write_bytes(b"y")
    (source / "top").write_bytes(b"top")
    return source


def _plans(snapshot: Snapshot) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [(task.name, task.include, task.exclude) for task in snapshot.tasks]


def _check_tasks(xsync: Xsync, snapshot: Snapshot) -> None:
    """Every entry was of the task that the stored patterns give it."""
    selector = TaskSelector(Filters(FilterSpec()), [task.include for task in snapshot.tasks])
    rows = pq.read_table(xsync.folder() / "files.parquet", columns=["dir", "name", "task"]).to_pylist()
    assert len(rows) > 2_700
    for row in rows:
        path = row["dir"] + b"/" + row["name"] if row["dir"] else row["name"]
        assert row["task"] == selector.task(path), path


def test_frozen_tasks_hold_through_a_kill_and_another_survey(xsync: Xsync, tmp_path: Path) -> None:
    source, target = _make_uneven(tmp_path / "source"), tmp_path / "target"
    assert xsync.run("survey", source).code == 0
    with ended(xsync.start("run", source, target, "--agents", "2", "--limit", "20kB/s")) as process:
        snapshot = xsync.wait_for_files(1)
        kill_runner(xsync, process, snapshot)
    planned = _plans(snapshot)
    assert any(pattern.endswith("*") or pattern.count("/") > 1 for _, include, _ in planned for pattern in include)
    os.rename(source / "2022", source / "1999")
    assert xsync.run("survey", source).code == 0
    done = xsync.run("run", source, target, "--agents", "2")
    assert done.code in (0, 3), done.errors
    assert len(xsync.executions()) == 1
    ended_as = xsync.snapshot()
    assert ended_as is not None
    assert _plans(ended_as) == planned
    _check_tasks(xsync, ended_as)


def test_a_run_takes_its_tasks_from_the_survey(xsync: Xsync, tmp_path: Path) -> None:
    source, target = _make_uneven(tmp_path / "source"), tmp_path / "target"
    assert xsync.run("survey", source).code == 0
    done = xsync.run("run", source, target, "--agents", "3")
    assert done.code == 0, done.errors
    assert tree_of(target) == tree_of(source)
    snapshot = xsync.snapshot()
    assert snapshot is not None
    _check_tasks(xsync, snapshot)
    counts = [task.files.discovered for task in snapshot.tasks[1:]]
    assert sum(counts) + snapshot.tasks[0].files.discovered == 24 + 48 + 1_200 + 1_500 + 1
    assert max(counts) <= 1.1 * 2_773 / 3


def test_tasks_by_a_level_need_a_survey(xsync: Xsync, tmp_path: Path) -> None:
    source, target = _make_uneven(tmp_path / "source"), tmp_path / "target"
    profile = tmp_path / "by-month.toml"
    profile.write_text(
        f'schema = 1\nname = "by-month"\nagents = 2\n[source]\nurl = "{source.as_uri()}"\n'
        f'[destination]\nurl = "{target.as_uri()}"\n[tasks]\nlevel = 2\n'
    )
    refused = xsync.run("run", profile)
    assert refused.code == 4
    assert "xsync survey" in refused.errors
    assert xsync.run("survey", source).code == 0
    assert xsync.run("run", profile).code == 0
    snapshot = xsync.snapshot()
    assert snapshot is not None
    assert [task.name for task in snapshot.tasks] == [
        "everything else",
        *(f"{year}/{month:02d}" for year in (2022, 2023, 2024) for month in range(1, 13)),
    ]
    _check_tasks(xsync, snapshot)


def test_more_tasks_than_anyone_can_read_are_refused(xsync: Xsync, tmp_path: Path) -> None:
    for number in range(1_001):
        (tmp_path / "source" / f"{number:04d}").mkdir(parents=True)
    profile = tmp_path / "by-folder.toml"
    profile.write_text(
        f'schema = 1\nname = "by-folder"\n[source]\nurl = "{(tmp_path / "source").as_uri()}"\n'
        f'[destination]\nurl = "{(tmp_path / "target").as_uri()}"\n[tasks]\nlevel = 1\n'
    )
    assert xsync.run("survey", tmp_path / "source").code == 0
    refused = xsync.run("run", profile)
    assert refused.code == 4
    assert "makes 1,002 tasks, at most 1,001 are possible" in refused.errors
