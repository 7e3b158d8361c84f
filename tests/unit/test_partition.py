"""The partition: every path in exactly one task, even by weight or with the reason, the same for the same input."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.filters import Filters
from engine.locations.listing import Selector
from engine.model import Fate, FilterSpec
from engine.planning.partition import (
    DATASYNC,
    EVERYTHING_ELSE,
    Partition,
    TaskLimits,
    TaskPlan,
    TaskSelector,
    deal_unknown,
    partition,
)
from engine.planning.partition.scope import within
from engine.planning.partition.tasks import EVEN
from engine.planning.values import FolderNode
from tests.unit.trees import Files, cut, nodes_of

KNEE = 1_000

NAMES = st.one_of(
    st.sampled_from(
        [b"a", b"ab", b"abc", b"b", b"img_1", b"img_12", b"img_2", b"2024", b"caf\xc3\xa9", b"caf\xc3\xa8"]
    ),
    st.binary(min_size=1, max_size=3).filter(lambda name: b"/" not in name and b"\0" not in name),
    st.text("ab|*\\ .", min_size=1, max_size=4).map(str.encode),
).filter(lambda name: name not in (b".", b".."))
FOLDERS = st.lists(NAMES, max_size=3).map(tuple)
SIZES = st.one_of(st.integers(0, 100), st.integers(0, 10**6), st.sampled_from([10**7, 10**9]))


@st.composite
def trees(draw: st.DrawFn) -> Files:
    """Up to 60 files in up to 10 folders, none of which has the name of a file."""
    places = draw(st.lists(FOLDERS, min_size=1, max_size=10))
    files: Files = {}
    for place in draw(st.lists(st.sampled_from(places), max_size=60)):
        files[b"/".join((*place, draw(NAMES)))] = draw(SIZES)
    folders = {path[:index] for path in files for index, char in enumerate(path) if char == ord("/")}
    return {path: size for path, size in files.items() if path not in folders}


def _owners(tasks: Sequence[TaskPlan], path: bytes) -> list[int]:
    """The tasks whose own patterns select the file ``path``."""
    chosen = [Filters(FilterSpec(task.include, task.exclude)) for task in tasks]
    return [index for index, filters in enumerate(chosen) if filters.fate(path, False) is Fate.CANDIDATE]


def _selector(found: Partition) -> Selector:
    return TaskSelector(Filters(FilterSpec()), [task.include for task in found.tasks])


def _check_covered(found: Partition, paths: Sequence[bytes]) -> None:
    selector = _selector(found)
    for path in paths:
        if selector.fate(path, False) is Fate.CANDIDATE:
            assert _owners(found.tasks, path) == [selector.task(path)]


def _descended(selector: Selector, path: bytes) -> int:
    """The task of ``path`` as a listing finds it: downwards, asking about a folder only where the answer may change."""
    task, folder = selector.task(b""), b""
    tasks = selector.tasks_inside(b"")
    for name in path.split(b"/"):
        if tasks is None:
            return task
        folder = folder + b"/" + name if folder else name
        task, tasks = tasks(name), selector.tasks_inside(folder)
    return task


@given(trees(), st.integers(1, 6), st.lists(st.tuples(FOLDERS, NAMES), max_size=8), st.sampled_from([None, 1, 2]))
@example({b"a/a": 10**6, b"a/ab": 10**6, b"a/b": 10**6}, 3, [((b"a",), b"abc"), ((b"a", b"a"), b"x")], None)
def test_every_path_is_in_exactly_one_task(
    files: Files, agents: int, elsewhere: list[tuple[tuple[bytes, ...], bytes]], level: int | None
) -> None:
    found = cut(files, agents, KNEE, level=level)
    unseen = [b"/".join((*folder, name)) for folder, name in elsewhere]
    paths = [*files, *unseen, *(path + b"/new" for path in files), *(path + b"0" for path in files)]
    _check_covered(found, paths)
    selector = _selector(found)
    assert [_descended(selector, path) for path in paths] == [selector.task(path) for path in paths]


@given(trees(), st.integers(1, 6))
def test_tasks_expect_what_they_own(files: Files, agents: int) -> None:
    found = cut(files, agents, KNEE)
    assert found.tasks[0].name == EVERYTHING_ELSE
    assert not found.tasks[0].include
    assert not any(task.exclude for task in found.tasks[1:])
    assert len({task.agent for task in found.tasks[1:]}) == len(found.tasks) - 1
    assert sum(task.files or 0 for task in found.tasks) == len(files)
    assert sum(task.bytes or 0 for task in found.tasks) == sum(files.values())
    if all(_is_text(path) for path in files):
        selector = _selector(found)
        owned = [0] * len(found.tasks)
        for path, size in files.items():
            owned[selector.task(path)] += size
        assert owned == [task.bytes for task in found.tasks]


@given(trees(), st.integers(1, 6))
def test_the_slowest_is_even_or_the_folder_is_named(files: Files, agents: int) -> None:
    found = cut(files, agents, KNEE)
    loads = [0] * agents
    for task in found.tasks:
        loads[task.agent] += (task.bytes or 0) + KNEE * (task.files or 0)
    assert max(loads) == loads[found.balance.agent] == found.balance.slowest
    assert found.balance.ideal == pytest.approx(sum(loads) / agents)
    assert (found.balance.over > EVEN) == (found.balance.folder is not None) == bool(found.balance.reason)
    largest = max((size + KNEE for size in files.values()), default=0)
    if all(_is_text(path) for path in files):
        assert found.balance.slowest <= max(1.1 * found.balance.ideal, found.balance.ideal + largest)


@given(trees(), st.integers(1, 6))
def test_the_same_tree_gives_the_same_tasks(files: Files, agents: int) -> None:
    assert cut(dict(reversed(files.items())), agents, KNEE) == cut(files, agents, KNEE)


@given(trees(), st.integers(1, 4), st.integers(1, 20), st.integers(20, 200))
def test_a_service_s_limits_are_kept_or_warned_of(files: Files, agents: int, items: int, characters: int) -> None:
    limits = TaskLimits(items, characters, 1_000)
    found = cut(files, agents, KNEE, limits=limits)
    _check_covered(found, list(files))
    for task in found.tasks[1:]:
        if (task.entries or 0) > items or len("|".join(task.include)) > characters:
            assert any(f'"{task.name}"' in warning for warning in found.warnings)


def _is_text(path: bytes) -> bool:
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True


def _years(sizes: Sequence[int]) -> Files:
    """Years from 2022 with twelve months of as many files, each of this size."""
    return {
        b"%d/%02d/f%d" % (2022 + index, month, number): size
        for index, size in enumerate(sizes)
        for month in range(1, 13)
        for number in range(10)
    }


def test_four_even_years_on_four_agents_are_not_cut() -> None:
    found = cut({**_years([10**6] * 4), b"readme": 3}, 4, KNEE)
    assert [task.include for task in found.tasks] == [(), ("/2022",), ("/2023",), ("/2024",), ("/2025",)]
    assert found.tasks[0].exclude == ("/2022", "/2023", "/2024", "/2025")
    assert (found.tasks[0].files, found.tasks[0].bytes, found.tasks[0].entries) == (1, 3, 1)
    assert found.tasks[1] == TaskPlan("2022", ("/2022",), (), 0, 120, 120 * 10**6, 133)
    assert not found.balance.reason


def test_uneven_years_are_cut_by_month_and_the_others_stay_whole() -> None:
    found = cut(_years([2 * 10**6, 3 * 10**6, 4 * 10**6, 5 * 10**6]), 4, KNEE)
    patterns = [pattern for task in found.tasks for pattern in task.include]
    assert {"/2022", "/2023"} < set(patterns)
    assert {pattern[:5] for pattern in patterns if pattern.count("/") == 2} <= {"/2024", "/2025"}
    assert found.balance.over <= EVEN
    assert len(patterns) <= 2 + 24


def test_a_folder_for_one_agent_is_named_once() -> None:
    found = cut(_years([10**6] * 3), 1, KNEE)
    assert found.tasks[1].include == ("/2022", "/2023", "/2024")
    deep = cut({b"only/" + path: size for path, size in _years([10**6] * 3).items()}, 3, KNEE)
    assert [task.include for task in deep.tasks[1:]] == [("/only/2022",), ("/only/2023",), ("/only/2024",)]
    assert deep.tasks[0].exclude == ("/only/2022", "/only/2023", "/only/2024")


def test_a_flat_folder_is_cut_by_name() -> None:
    flat = {b"scans/IMG_%05d.tif" % number: 10**6 for number in range(10_000)}
    found = cut(flat, 5, KNEE)
    assert found.balance.over <= EVEN
    assert [task.files for task in found.tasks] == [0, 2000, 2000, 2000, 2000, 2000]
    assert [task.include for task in found.tasks[1:3]] == [
        ("/scans/IMG_00*", "/scans/IMG_01*"),
        ("/scans/IMG_02*", "/scans/IMG_03*"),
    ]
    _check_covered(found, [*list(flat)[::97], b"scans/IMG_99999.tif", b"scans/other", b"scans"])


def test_without_the_names_a_flat_folder_is_asked_for_and_named() -> None:
    tree = [FolderNode(b"", 10, 10**6, 0, 0, 11), FolderNode(b"flat", 10, 10**6, 10, 10**6, 10)]
    found = partition(tree, 2, KNEE)
    assert found.wide == (b"flat",)
    assert found.balance.folder == b"flat"
    assert "neither folders nor names" in found.balance.reason


def test_many_small_folders_are_cut_by_name_too() -> None:
    files = {b"u%03d/%d" % (user, number): 100 for user in range(900) for number in range(3)}
    found = cut({b"home/" + path: size for path, size in files.items()}, 3, KNEE)
    assert found.balance.over <= EVEN
    assert sum(len(task.include) for task in found.tasks) < 60
    root = cut(files, 3, KNEE, share=0.01)
    assert root.balance.over <= EVEN
    assert [task.include for task in root.tasks[1:]] == [
        ("/u0*", "/u1*", "/u2*"),
        ("/u3*", "/u4*", "/u5*"),
        ("/u6*", "/u7*", "/u8*"),
    ]


def test_a_file_larger_than_a_share_is_named() -> None:
    found = cut({b"a/huge": 10**9, b"a/x": 5, b"b/y": 5}, 2, KNEE)
    assert found.balance.folder == b"a"
    assert found.balance.reason == "a/huge is one file"
    assert found.balance.over == pytest.approx(1, rel=0.01)


def test_many_small_files_weigh_more_than_one_large() -> None:
    small = {b"small/%d" % number: 1 for number in range(1_000)}
    found = cut({**small, b"large-a": 100 * KNEE, b"large-b": 100 * KNEE}, 2, KNEE)
    loads = {task.agent: 0 for task in found.tasks}
    for task in found.tasks:
        loads[task.agent] += (task.bytes or 0) + KNEE * (task.files or 0)
    assert max(loads.values()) <= 1.1 * sum(loads.values()) / 2


def test_tasks_by_a_level() -> None:
    files = _years([10**6] * 2)
    by_year = cut(files, 3, KNEE, level=1)
    assert [task.name for task in by_year.tasks] == [EVERYTHING_ELSE, "2022", "2023"]
    by_month = cut({**files, b"2022/loose": 7}, 3, KNEE, level=2)
    assert len(by_month.tasks) == 1 + 24
    assert by_month.tasks[1].include == ("/2022/01",)
    assert (by_month.tasks[0].files, by_month.tasks[0].bytes) == (1, 7)
    assert {task.agent for task in by_month.tasks} == {0, 1, 2}
    _check_covered(by_month, [*files, b"2022/loose", b"2022", b"2024/01/x"])


def test_datasync_s_limits_make_more_tasks() -> None:
    files = {b"d%d/f%d" % (folder, number): 1 for folder in range(8) for number in range(10)}
    found = cut(files, 2, KNEE, limits=DATASYNC._replace(items=25))
    assert all((task.entries or 0) <= 25 for task in found.tasks)
    assert len(found.tasks) == 1 + 4
    assert {task.agent for task in found.tasks} == {0, 1}
    assert len(found.warnings) == 1
    assert "lists all 88 items" in found.warnings[0]
    assert cut(files, 2, KNEE, limits=DATASYNC).warnings == ()
    few = cut(files, 2, KNEE, limits=DATASYNC._replace(tasks=2, filter_characters=30)).warnings
    assert few[0].startswith("3 tasks: an account has 2 in a Region.")
    assert any('"everything else": its exclude filter has 31 characters, 30 are allowed' in text for text in few)


def test_names_no_pattern_can_hold_stay_in_everything_else() -> None:
    found = cut({b"caf\xe9/x": 50, b"a|b*/y": 1}, 1, 0)
    assert [task.include for task in found.tasks] == [(), ("/a\\|b\\*",)]
    assert (found.tasks[0].files, found.tasks[0].bytes) == (1, 50)
    assert _selector(found).task(b"a|b*/z") == 1


def test_without_a_survey_folders_are_dealt_by_name() -> None:
    found = deal_unknown([b"e", b"d", b"c", b"b", b"a"], 2)
    assert [task.include for task in found.tasks] == [(), ("/a", "/c", "/e"), ("/b", "/d")]
    assert [task.name for task in found.tasks[1:]] == ["a, c and 1 more", "b, d"]
    assert found.tasks[1].files is found.tasks[1].bytes is None
    assert not found.balance.reason


def test_an_empty_source_is_one_task() -> None:
    assert deal_unknown([], 4).tasks == (TaskPlan(EVERYTHING_ELSE, (), (), 0, None, None, None),)
    assert cut({}, 4, 1).tasks == (TaskPlan(EVERYTHING_ELSE, (), (), 0, 0, 0, 0),)
    with pytest.raises(ValueError, match="at least one agent"):
        deal_unknown([], 0)


def test_filters_take_what_they_exclude_off_the_weights() -> None:
    tree = nodes_of({b"2024/a": 10, b"2024/tmp/b": 5, b"2025/c": 7, b"top": 1})
    kept = {node.path: (node.files, node.bytes) for node in within(tree, Filters(FilterSpec(("/2024",), ("tmp",))))}
    assert kept == {b"": (2, 11), b"2024": (1, 10)}


def test_the_selector_filters_and_owns() -> None:
    selector: Selector = TaskSelector(Filters(FilterSpec(("/2024", "/2025"))), [(), ("/2024",), ("/2025/a*", "/x/y")])
    paths = (b"", b"2024", b"2024/a/b", b"2025", b"2025/ab/c", b"2025/b", b"20", b"x", b"x/y/z", b"x/yy")
    assert [selector.task(path) for path in paths] == [0, 1, 1, 0, 2, 0, 0, 0, 2, 0]
    assert selector.tasks_inside(b"2024") is None
    assert selector.tasks_inside(b"2025") is not None
    assert selector.trivial(b"2024")
    assert not selector.trivial(b"")
    assert not selector.enters(b"2023")
    assert selector.fate(b"2023", True) is Fate.EXCLUDED
