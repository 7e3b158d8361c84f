"""What filters leave of a survey: counted as ``Filters`` decides it, file by file, of finished and unfinished ones."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.filters import Filters, parse_pattern
from engine.model import Fate, FilterSpec, Kind, LocationSpec
from engine.survey.cutting import counts_files, read_folders, scaled, surveyed
from engine.survey.matching import Kept, Wanted, count_kept, total
from engine.survey.report import being_listed, survey_folder
from engine.survey.scan import SurveyProgress, survey

PATHS = (b"a", b"a/b", b"a/b.tmp", b"ab/c/d", b"ab/a/x.tmp", b"c/\xff/a", b"c/*/a|b", b"tmp/a", "d/é/b".encode())


def _catalog(path: Path, paths: tuple[bytes, ...] = PATHS) -> Path:
    rows = [(b"", b"", Kind.FOLDER, Fate.CANDIDATE, 0, 0), (b"c", b"off", Kind.FILE, Fate.EXCLUDED, 9, 0)]
    rows += [(*_split(each), Kind.FILE, Fate.CANDIDATE, 10**n, n * 60 * 10**9) for n, each in enumerate(paths)]
    columns = list(zip(*rows, strict=True))
    types = (pa.binary(), pa.binary(), pa.uint8(), pa.uint8(), pa.int64(), pa.int64())
    names = ("dir", "name", "kind", "fate", "size", "mtime_ns")
    table = pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)})
    pq.write_table(table, path, row_group_size=3)
    return path


def leaving_out(*patterns: str) -> Wanted:
    return Wanted(FilterSpec(exclude=patterns))


def _split(path: bytes) -> tuple[bytes, bytes]:
    folder, _, name = path.rpartition(b"/")
    return folder, name


PATTERNS = st.lists(st.text(st.sampled_from("ab/c.tmp*|\\é"), min_size=1, max_size=6), max_size=3)


@settings(max_examples=200)
@given(include=PATTERNS, exclude=PATTERNS)
def test_it_counts_what_filters_would_select(
    tmp_path_factory: pytest.TempPathFactory, include: list[str], exclude: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "matching.parquet"
    if not path.exists():
        _catalog(path)
    include = [each for each in include if _valid(each, "include")]
    exclude = [each for each in exclude if _valid(each, "exclude")]
    filters = Filters(FilterSpec(include=tuple(include), exclude=tuple(exclude)))
    wanted = [n for n, each in enumerate(PATHS) if filters.fate(each, False) == Fate.CANDIDATE]
    found = count_kept([path], Wanted(filters.spec))
    assert found is not None
    assert (found.files, found.size) == (len(PATHS), sum(10**n for n in range(len(PATHS))))
    assert (found.kept_files, found.kept_size) == (len(wanted), sum(10**n for n in wanted))
    assert set(found.examples_kept) <= {PATHS[n] for n in wanted}
    assert not set(found.examples_left_out) & {PATHS[n] for n in wanted}


def _valid(text: str, rule: str) -> bool:
    try:
        parse_pattern(text, "include" if rule == "include" else "exclude")
    except UsageError:
        return False
    return True


def test_it_shows_what_is_left_out_and_can_be_told_to_stop(tmp_path: Path) -> None:
    path = _catalog(tmp_path / "entries.parquet")
    found = count_kept([path], leaving_out("*.tmp|/tmp"))
    assert found is not None
    assert found.examples_left_out == (b"a/b.tmp", b"ab/a/x.tmp", b"tmp/a")
    assert count_kept([], Wanted()) == Kept() == total([])
    assert total([found, found])[:4] == tuple(2 * each for each in found[:4])
    assert total([found, found]).examples_left_out == (*found.examples_left_out, *found.examples_left_out[:2])
    assert count_kept([path], Wanted(), lambda: True) is None
    with pytest.raises(UsageError, match="only at its start and end"):
        count_kept([path], leaving_out("a*b"))


def test_ages_sizes_and_small_files_are_counted_with_the_patterns(tmp_path: Path) -> None:
    path = _catalog(tmp_path / "entries.parquet")  # file n has 10**n bytes and was modified in minute n
    filters = FilterSpec(exclude=("*.tmp",), min_age_seconds=120, max_size_bytes=10**6)
    found = count_kept([path], Wanted(filters, 8 * 60.0, 1_000))
    assert found is not None
    assert (found.kept_files, found.kept_size, found.small) == (5, 1 + 10 + 10**3 + 10**5 + 10**6, 2)
    assert total([found, found]).small == 4
    younger = count_kept([path], Wanted(FilterSpec(max_age_seconds=60), 8 * 60.0))
    assert younger is not None
    assert (younger.examples_kept, younger.small) == (PATHS[-2:], 0)


def test_what_a_survey_has_found_so_far_can_be_counted_while_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in "abcdefgh":
        (tmp_path / "source" / folder).mkdir(parents=True)
        (tmp_path / "source" / folder / "file").write_bytes(b"x")
    spec = LocationSpec(str(tmp_path / "source"))
    surveys = tmp_path / "surveys"
    seen: list[Kept | None] = []
    folders: list[Path] = []

    def look(progress: SurveyProgress) -> None:
        folders[:] = surveys.iterdir()
        if (files := being_listed(folders[0])) and progress.files:
            seen.append(count_kept(files, leaving_out("/a")))

    monkeypatch.setattr("engine.survey.scan.PROGRESS_SECONDS", 0.0)
    report = survey(spec, surveys, processes=1, on_progress=look)
    assert report.files == 8
    assert [each for each in seen if each is not None and 0 < each.files <= 8]
    assert being_listed(survey_folder(surveys, report.identity)) == []


def test_a_plan_counts_what_patterns_of_names_leave(tmp_path: Path) -> None:
    source, surveys, spill = tmp_path / "source", tmp_path / "surveys", tmp_path / "spill"
    for folder in ("2024", "2025"):
        (source / folder).mkdir(parents=True)
        for number in range(4):
            (source / folder / f"{number}.tif").write_bytes(b"x" * 3_000)
            (source / folder / f"{number}.tmp").write_bytes(b"x" * 40)
    found = survey(LocationSpec(str(source)), surveys, processes=1)
    filters = Filters(FilterSpec(exclude=("*.tmp",)))
    left = surveyed(surveys, found, filters, spill)
    assert (left.files, left.bytes, left.largest_bytes) == (8, 24_000, 3_000)
    assert [(each.low, each.files, each.bytes) for each in left.bins if each.files] == [(1_000, 8, 24_000)]
    folders = read_folders(surveys, found, filters, 2, 1_000, spill)
    assert folders is not None
    tree = scaled(folders, filters, left).tree
    assert [(node.path, node.files, node.bytes) for node in tree] == [
        (b"", 8, 24_000),
        (b"2024", 4, 12_000),
        (b"2025", 4, 12_000),
    ]


def test_a_plan_counts_what_ages_and_sizes_leave(tmp_path: Path) -> None:
    source, surveys, spill = tmp_path / "source", tmp_path / "surveys", tmp_path / "spill"
    source.mkdir()
    for number in range(4):
        (source / f"{number}.tif").write_bytes(b"x" * 10**number)
    os.utime(source / "3.tif", (1e9, 1e9))
    found = survey(LocationSpec(str(source)), surveys, processes=1)
    for spec, sizes in (
        (FilterSpec(min_size_bytes=10), 1_110),
        (FilterSpec(max_size_bytes=10), 11),
        (FilterSpec(max_age_seconds=86_400), 111),
        (FilterSpec(min_age_seconds=86_400), 1_000),
    ):
        assert surveyed(surveys, found, Filters(spec), spill).bytes == sizes


def test_what_only_folders_can_tell_of_is_taken_from_them(tmp_path: Path) -> None:
    source, surveys, spill = tmp_path / "source", tmp_path / "surveys", tmp_path / "spill"
    source.mkdir()
    (source / "a.tif").write_bytes(b"x" * 10)
    found = survey(LocationSpec(str(source)), surveys, processes=1)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("other.tif\n")
    listed = Filters(FilterSpec(manifest=str(manifest)))
    assert not counts_files(found, listed)
    assert surveyed(surveys, found, listed, spill).files == 1
