"""Which interrupted execution a run goes on with, whose place it takes, which it leaves alone, and how that is said."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from engine.execution.earlier import FREE, Left, differences, look_back
from engine.home import prepare_home
from engine.journal.records import Execution, this_runner
from engine.journal.writer import Journal
from engine.locks import runner_lock
from engine.model import FilterSpec, LimitRule, LocationSpec, Migration, Notify, Retry, Status, TransferOptions
from xsync_tui.cli.begun import ahead_words, left_words

LAB = Migration(LocationSpec("/mnt/lab"), LocationSpec("s3://lab/img"), name="lab")
FILTERED = replace(LAB, filters=FilterSpec(exclude=("*.tmp",)))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path))
    return tmp_path


def execution(number: int, migration: Migration, status: Status = Status.TRANSFERRING) -> str:
    """An execution of a migration that was left in this state."""
    name = f"20260101-0000{number:02d}-3f2a"
    folder = prepare_home().executions / name
    with Journal.create(folder, Execution(name, migration, "", "", time.time()), this_runner()) as journal:
        journal.set_status(status, "", time.time())
    return name


def at(migration: Migration, **changes: Any) -> Migration:
    return replace(migration, destination=replace(migration.destination, **changes))


def test_every_field_is_either_free_or_tells() -> None:
    location, options, filters = LocationSpec("x"), TransferOptions(), FilterSpec()
    other: dict[str, Any] = dict.fromkeys(location.__struct_fields__, "other") | {
        "mounts": ("o",),
        "interfaces": ("o",),
    }
    spec = LocationSpec(**other | {"mounts": ("o",), "interfaces": ("o",)})
    new = Migration(
        source=spec,
        destination=spec,
        name="other",
        filters=FilterSpec(**dict.fromkeys(filters.__struct_fields__, ("o",))),  # type: ignore[arg-type]
        options=TransferOptions(**dict.fromkeys(options.__struct_fields__, "other")),  # type: ignore[arg-type]
        agents=9,
        test=True,
        limits=(LimitRule((0,), 0, 60, 5),),
        retry=Retry("x", 1, 1),
        notify=Notify(("true",)),
        metrics_file="/m",
        task_level=2,
    )
    found = differences(Migration(location, location), new)
    assert (
        len(found)
        == len(set(found))
        == 2 * len(location.__struct_fields__)
        + len(options.__struct_fields__)
        + len(filters.__struct_fields__)
        + len(new.__struct_fields__)
        - 5
    )
    assert set(found) >= FREE


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"agents": 4}, "4 agents"),
        ({"agents": 1}, "1 agent"),
        ({"options": TransferOptions(bytes_per_second=250_000_000)}, "limit 250 MB/s"),
        ({"limits": (LimitRule((0,), 0, 60, 5),)}, "another timetable"),
        ({"notify": Notify(("true",))}, "other notifications"),
        ({"metrics_file": "/m"}, "metrics in /m"),
        ({"task_level": 2}, "tasks as they were cut before"),
        ({"source": LocationSpec("/mnt/lab", mounts=("/mnt/2",))}, "another source.mounts"),
    ],
)
def test_what_changes_only_its_speed_goes_on_with_it(changes: dict[str, Any], words: str) -> None:
    name = execution(1, LAB)
    found = look_back(replace(LAB, **changes))
    assert found.continues is not None
    assert found.continues.name == name
    assert f"Continues {name}, which was interrupted, now with {words}: " in ahead_words(found)


@pytest.mark.parametrize("url", ["file:///mnt/lab", "/mnt/lab/", "/mnt/./lab"])
def test_the_same_folder_in_other_words_goes_on_with_it(url: str) -> None:
    execution(1, LAB)
    assert look_back(replace(LAB, source=LocationSpec(url))).continues is not None


@pytest.mark.parametrize(
    ("new", "keys"),
    [
        (FILTERED, ("filters.exclude",)),
        (at(LAB, storage_class="GLACIER"), ("destination.storage_class",)),
        (replace(LAB, options=TransferOptions(checksum=True), agents=5), ("options.checksum",)),
    ],
)
def test_anything_else_takes_its_place_and_says_which_keys_differ(new: Migration, keys: tuple[str, ...]) -> None:
    name = execution(1, LAB)
    found = look_back(new)
    assert (found.continues, found.left) == (None, (Left(name, keys, True, "lab"),))
    assert f"Does not continue {name}, which was interrupted: {keys[0]} differs. It is superseded" in ahead_words(found)


def test_only_one_between_the_same_two_sides_is_superseded() -> None:
    elsewhere = execution(1, at(LAB, url="s3://lab/img2"))
    inside = execution(2, replace(at(LAB, url="s3://lab/img/2022"), name="other"))
    endpoint = execution(3, at(LAB, endpoint_url="https://other"))
    found = look_back(LAB)
    assert found.superseded == []
    assert [each.execution for each in found.left] == [endpoint]  # what this profile did last
    assert f"stays as it is: xsync resume {endpoint}" in left_words(found.left[0])
    assert {elsewhere, inside}.isdisjoint(each.execution for each in found.left)


def test_of_another_profile_only_what_is_covered_is_superseded() -> None:
    year = execution(1, replace(LAB, name="year", filters=FilterSpec(include=("/2022",))))
    night = replace(LAB, name="night", filters=FilterSpec(include=("/2023",)))
    found = look_back(night)
    assert [(each.execution, each.superseded) for each in found.left] == [(year, False)]
    assert "It is of year and stays as it is" in ahead_words(found)
    assert look_back(replace(LAB, name="all")).superseded == [year]


def test_what_runs_has_ended_or_was_a_part_is_not_continued(home: Path) -> None:
    execution(1, LAB, Status.SUCCESS)
    execution(2, LAB, Status.CANCELLED)
    execution(3, LAB, Status.SUPERSEDED)
    assert look_back(LAB) == (None, (), ())
    step = execution(4, replace(LAB, test=True))
    assert look_back(LAB) == (None, (), (Left(step, ("test",), True, "lab"),))
    running = execution(5, LAB)
    with runner_lock(home / "executions" / running):
        assert look_back(LAB).continues is None


def test_an_old_one_is_not_gone_on_with_once_something_newer_ran() -> None:
    old = execution(1, LAB)
    execution(2, FILTERED, Status.SUCCESS)
    found = look_back(LAB)
    assert (found.continues, found.left) == (None, (Left(old, (), True, "lab"),))
    assert "another run came between" in ahead_words(found)


def test_all_that_were_interrupted_before_are_superseded_by_what_goes_on() -> None:
    old, newest = execution(1, FILTERED), execution(2, LAB)
    found = look_back(LAB)
    assert found.continues is not None
    assert (found.continues.name, found.superseded) == (newest, [old])
