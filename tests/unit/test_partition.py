"""The partition: every path in exactly one task, even by weight, the same for the same input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.filters import Filters
from engine.locations.listing import Selector
from engine.model import Fate, FilterSpec
from engine.planning.partition import EVERYTHING_ELSE, FolderWeight, TaskPlan, TaskSelector, partition, task_folders

NAMES = st.one_of(
    st.binary(min_size=1, max_size=8).filter(lambda name: b"/" not in name and b"\0" not in name),
    st.text("ab|*\\ .", min_size=1, max_size=4).map(str.encode),
).filter(lambda name: name not in (b".", b".."))
SIZES = st.integers(min_value=0, max_value=10**12)
FOLDERS = st.lists(st.builds(FolderWeight, NAMES, SIZES, SIZES), max_size=12, unique_by=lambda folder: folder.path)


def _owners(tasks: list[TaskPlan], path: bytes) -> list[int]:
    """The tasks whose own patterns select ``path``."""
    chosen = [Filters(FilterSpec(task.include, task.exclude)) for task in tasks]
    return [index for index, filters in enumerate(chosen) if filters.fate(path, False) is Fate.CANDIDATE]


@given(FOLDERS, st.integers(1, 6), st.lists(NAMES, min_size=1, max_size=4))
def test_every_path_is_in_exactly_one_task(folders: list[FolderWeight], agents: int, elsewhere: list[bytes]) -> None:
    tasks = partition(folders, agents, 100_000)
    selector: Selector = TaskSelector(Filters(FilterSpec()), task_folders(tasks))
    for top in [*(folder.path for folder in folders), *elsewhere]:
        for path in (top, top + b"/x", top + b"/a|b/*.tmp"):
            if selector.fate(path, False) is Fate.CANDIDATE:
                assert _owners(tasks, path) == [selector.task(path)]


@given(FOLDERS, st.integers(1, 6))
def test_tasks_are_disjoint_and_bounded(folders: list[FolderWeight], agents: int) -> None:
    tasks = partition(folders, agents, 0)
    owned = [folder for task in tasks for folder in task.folders]
    assert len(owned) == len(set(owned))
    assert tasks[0].name == EVERYTHING_ELSE
    assert not tasks[0].folders
    assert not tasks[0].include
    assert len(tasks) <= agents + 1
    assert len({task.agent for task in tasks[1:]}) == len(tasks) - 1
    assert all(0 <= task.agent < agents and task.folders for task in tasks[1:])
    assert sum(task.bytes or 0 for task in tasks) == sum(folder.bytes or 0 for folder in folders)
    assert partition(list(reversed(folders)), agents, 0) == tasks


@given(FOLDERS, st.integers(1, 6))
def test_no_task_exceeds_an_even_share_by_more_than_one_folder(folders: list[FolderWeight], agents: int) -> None:
    knee = 1000
    tasks = partition(folders, agents, knee)
    weights = [(task.bytes or 0) + knee * (task.files or 0) for task in tasks[1:]]
    largest = max(((folder.bytes or 0) + knee * (folder.files or 0) for folder in folders), default=0)
    assert max(weights, default=0) <= sum(weights) / agents + largest


def test_four_years_on_four_agents() -> None:
    years = [FolderWeight(str(year).encode(), 1000, 10**9 * (year - 2020)) for year in range(2022, 2026)]
    tasks = partition([*years, FolderWeight(b"", 3, 30)], 4, 200_000)
    assert [task.name for task in tasks] == [EVERYTHING_ELSE, "2025", "2024", "2023", "2022"]
    assert tasks[0].exclude == ("/2022", "/2023", "/2024", "/2025")
    assert (tasks[0].files, tasks[0].bytes, tasks[0].agent) == (3, 30, 3)
    assert tasks[1] == TaskPlan("2025", ("/2025",), (), (b"2025",), 0, 1000, 5 * 10**9)


def test_many_small_files_weigh_more_than_one_large() -> None:
    small = FolderWeight(b"small", 1_000_000, 10**9)
    large = [FolderWeight(b"large-a", 1, 10**11), FolderWeight(b"large-b", 1, 10**11)]
    tasks = partition([small, *large], 2, 200_000)
    assert [task.name for task in tasks[1:]] == ["small", "large-a, large-b"]


def test_without_a_survey_folders_are_dealt_by_name() -> None:
    tasks = partition([FolderWeight(name) for name in (b"e", b"d", b"c", b"b", b"a")], 2, 200_000)
    assert [task.folders for task in tasks] == [(), (b"a", b"c", b"e"), (b"b", b"d")]
    assert [task.name for task in tasks[1:]] == ["a, c and 1 more", "b, d"]
    assert tasks[1].files is tasks[1].bytes is None


def test_names_no_pattern_can_hold_stay_in_everything_else() -> None:
    tasks = partition([FolderWeight(b"caf\xe9", 5, 50), FolderWeight(b"a|b*", 1, 1)], 1, 0)
    assert [task.include for task in tasks] == [(), ("/a\\|b\\*",)]
    assert (tasks[0].files, tasks[0].bytes) == (5, 50)
    assert task_folders(tasks) == {b"a|b*": 1}


def test_empty_folders_are_spread_too() -> None:
    tasks = partition([FolderWeight(name, 0, 0) for name in (b"a", b"b", b"c", b"d")], 2, 1)
    assert [task.folders for task in tasks[1:]] == [(b"a", b"c"), (b"b", b"d")]


def test_an_empty_source_is_one_task() -> None:
    assert partition([], 4, 1) == [TaskPlan(EVERYTHING_ELSE, (), (), (), 0, 0, 0)]
    with pytest.raises(ValueError, match="at least one agent"):
        partition([], 0, 1)


def test_the_selector_filters_and_owns() -> None:
    selector: Selector = TaskSelector(Filters(FilterSpec(("/2024", "/2025"))), {b"2024": 1, b"2025": 2})
    assert [selector.task(path) for path in (b"", b"2024", b"2024/a/b", b"2025/x", b"20", b"other/2024")] == [
        0,
        1,
        1,
        2,
        0,
        0,
    ]
    assert selector.trivial(b"2024")
    assert not selector.trivial(b"")
    assert not selector.enters(b"2023")
    assert selector.fate(b"2023", True) is Fate.EXCLUDED
