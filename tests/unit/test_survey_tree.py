"""The tree and the names of a catalog, compared with what is computed in memory; surveys cut into tasks."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.catalog.segments import write_entries
from engine.errors import JournalError
from engine.filters import Filters
from engine.model import FilterSpec, Kind, LocationSpec
from engine.planning.partition import EVERYTHING_ELSE
from engine.planning.partition.pieces import MOST_SIBLINGS
from engine.planning.values import FolderNode
from engine.survey import tree as survey_tree
from engine.survey.cutting import cut, cut_folders, read_folders
from engine.survey.report import SurveyReport, reading, survey_folder
from engine.survey.scan import survey
from engine.survey.tree import folder_tree, name_groups
from tests.unit.catalog_rows import entries_table, entry, listed
from tests.unit.trees import Files, groups_of, nodes_of

KNEE = 1_000
NAMES = st.one_of(
    st.sampled_from([b"a", b"a.b", b"ab", b"b", b"\xff", b"caf\xc3\xa9", b"a\\b", b"'", b"\x01"]),
    st.binary(min_size=1, max_size=3).filter(lambda name: b"/" not in name and b"\0" not in name),
).filter(lambda name: name not in (b".", b".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)


@st.composite
def trees(draw: st.DrawFn) -> Files:
    """Files of which none has the name of a folder."""
    files: Files = draw(st.dictionaries(PATHS, st.integers(0, 10_000), max_size=40))
    return {path: size for path, size in files.items() if not any(other.startswith(path + b"/") for other in files)}


def _catalog(folder: Path, files: Files) -> list[Path]:
    """Two segments with the rows of a survey."""
    folders = {path[:index] for path in files for index, char in enumerate(path) if char == ord("/")}
    rows = [entry(b"", b"", Kind.FOLDER), listed(b"")]
    for path in folders:
        above, _, name = path.rpartition(b"/")
        rows += [entry(above, name, Kind.FOLDER), listed(path)]
    for path, size in files.items():
        above, _, name = path.rpartition(b"/")
        rows.append(entry(above, name, size=size))
    halves = {"one": rows[::2], "two": rows[1::2]}
    return [write_entries(folder / f"{name}.parquet", entries_table(half)).path for name, half in halves.items()]


@settings(max_examples=20, deadline=None)
@given(trees(), st.sampled_from([0.0, 0.1, 0.5]), st.integers(1, 3))
@example({b"a": 1, b"b/c": 2, b"b.c/d": 3, b"b/\xff/e": 4}, 0.0, 1)
def test_a_tree_is_that_of_its_files(files: Files, share: float, level: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        found = folder_tree(_catalog(Path(name), files), Path(name) / "spill", KNEE, share=share, level=level)
    assert found == nodes_of(files, KNEE, share, level)


@settings(max_examples=20, deadline=None)
@given(trees(), st.sampled_from([0, 1_500, 20_000]), st.data())
@example({b"d/a": 1, b"d/ab": 2, b"d/abc/x": 3, b"d/abc/y": 3, b"d/\xff": 4}, 0, None)
def test_names_are_grouped_until_none_is_too_heavy(files: Files, most: int, data: st.DataObject | None) -> None:
    folders = [node.path for node in nodes_of(files)]
    if data is not None:
        folders = data.draw(st.lists(st.sampled_from(folders), unique=True))
    with tempfile.TemporaryDirectory() as name:
        found = name_groups(_catalog(Path(name), files), Path(name) / "spill", folders, KNEE, most)
    assert found == {folder: groups_of(files, folder, KNEE, most) for folder in folders}


def test_names_that_begin_alike_are_told_apart_where_they_differ(tmp_path: Path) -> None:
    files = {b"scans/IMG_%04d.tif" % number: 1_000 for number in range(1_000)}
    found = name_groups(_catalog(tmp_path, files), tmp_path / "spill", [b"scans"], 0, 100_000)[b"scans"]
    assert [group.name for group in found] == [b"IMG_0%d" % digit for digit in range(10)]
    assert {(group.is_open, group.files, group.bytes, group.entries) for group in found} == {(True, 100, 10**5, 100)}


def test_a_tree_holds_its_heaviest_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_tree, "MOST_FOLDERS", 4)
    files = {b"a/b/c": 100, b"a/d/e": 1, b"f/g": 50, b"h": 1}
    found = folder_tree(_catalog(tmp_path, files), tmp_path / "spill", 0, share=0.0)
    assert [node.path for node in found] == [b"", b"a", b"a/b", b"f"]


def test_no_catalog_is_an_empty_tree(tmp_path: Path) -> None:
    assert folder_tree([], tmp_path / "spill", KNEE) == [FolderNode(b"", 0, 0, 0, 0)]
    assert name_groups([], tmp_path / "spill", [b""], KNEE, 1) == {b"": []}
    assert folder_tree(_catalog(tmp_path, {}), tmp_path / "spill", KNEE) == [FolderNode(b"", 0, 0, 0, 0)]
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    with pytest.raises(JournalError, match="cannot be queried"):
        folder_tree([tmp_path / "broken.parquet"], tmp_path / "spill", KNEE)


@pytest.fixture
def surveyed(tmp_path: Path) -> SurveyReport:
    """Uneven years, a flat folder, a name that no pattern holds, and a file in the root."""
    source = tmp_path / "source"
    for year, count in (("2022", 1), ("2023", 2), ("2024", 8)):
        for month in range(1, 13):
            folder = source / year / f"{month:02d}"
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"f{number}").write_bytes(b"x" * 100)
    (source / "flat").mkdir()
    for number in range(120):
        (source / "flat" / f"scan-{number:03d}").touch()
    os.mkdir(os.fsencode(source) + b"/caf\xe9")
    (source / "top").touch()
    return survey(LocationSpec(source.as_uri()), tmp_path / "surveys", processes=1)


def test_a_survey_is_cut_into_even_tasks(surveyed: SurveyReport, tmp_path: Path) -> None:
    found = cut(tmp_path / "surveys", surveyed, Filters(FilterSpec()), 4, KNEE, tmp_path / "spill")
    assert found is not None
    assert found.balance.over <= 0.10
    assert sum(task.files or 0 for task in found.tasks) == surveyed.files == 253
    assert sum(task.entries or 0 for task in found.tasks) == 253 + surveyed.directories - 1
    patterns = [pattern for task in found.tasks for pattern in task.include]
    assert {"/2022", "/2023"} <= set(patterns)
    assert any(pattern.startswith("/2024/") for pattern in patterns)
    assert any(pattern.startswith("/flat/scan-") and pattern.endswith("*") for pattern in patterns)


def test_a_survey_is_cut_by_level_and_within_filters(surveyed: SurveyReport, tmp_path: Path) -> None:
    surveys, spill = tmp_path / "surveys", tmp_path / "spill"
    months = cut(surveys, surveyed, Filters(FilterSpec()), 2, KNEE, spill, level=2)
    assert months is not None
    assert [task.name for task in months.tasks[:3]] == [EVERYTHING_ELSE, "2022/01", "2022/02"]
    assert len(months.tasks) == 1 + 36
    only = cut(surveys, surveyed, Filters(FilterSpec(("/2022", "/2023"))), 2, KNEE, spill)
    assert only is not None
    assert {pattern[:5] for task in only.tasks for pattern in task.include} == {"/2022", "/2023"}


@pytest.mark.parametrize("level", [None, 1, 2])
def test_folders_that_were_read_once_are_cut_for_any_number_of_agents(
    surveyed: SurveyReport, tmp_path: Path, level: int | None
) -> None:
    surveys, spill = tmp_path / "surveys", tmp_path / "spill"
    every = Filters(FilterSpec())
    once = read_folders(surveys, surveyed, every, 4, KNEE, spill, most_agents=16, most_level=2)
    assert once is not None
    for agents in (1, 2, 4, 7, 16):
        made = cut_folders(once, every, agents, KNEE, level=level)
        if made.settled:
            assert made.partition == cut(surveys, surveyed, every, agents, KNEE, spill, level=level)
        assert sum(task.files or 0 for task in made.partition.tasks) == surveyed.files
    assert cut_folders(once, every, 4, KNEE).settled
    assert not cut_folders(once, every, 16, KNEE).settled  # the flat folder's names were read for four


def test_more_folders_than_can_be_listed_are_cut_by_name(tmp_path: Path) -> None:
    for number in range(2 * MOST_SIBLINGS):
        (tmp_path / "source" / f"sample-{number:04d}" / "deep").mkdir(parents=True)
        (tmp_path / "source" / f"sample-{number:04d}" / "deep" / "file").touch()
    report = survey(LocationSpec((tmp_path / "source").as_uri()), tmp_path / "surveys", processes=1)
    found = cut(tmp_path / "surveys", report, Filters(FilterSpec()), 2, KNEE, tmp_path / "spill")
    assert found is not None
    assert [task.include for task in found.tasks] == [(), ("/sample-00*",), ("/sample-01*",)]


def test_a_catalog_is_held_while_it_is_read(surveyed: SurveyReport, tmp_path: Path) -> None:
    catalog = survey_folder(tmp_path / "surveys", surveyed.identity) / surveyed.catalog
    with reading(tmp_path / "surveys", surveyed) as files:
        assert files == sorted(catalog.glob("*.parquet"))
        fd = os.open(catalog, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(fd)
    shutil.rmtree(catalog)
    assert cut(tmp_path / "surveys", surveyed, Filters(FilterSpec()), 2, KNEE, tmp_path / "spill") is None
