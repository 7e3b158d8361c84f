"""Surveys: what is found, by processes and by threads; cancelled ones; workers that die; what is kept."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from engine.errors import LocationError, SourceError, UsageError
from engine.locations.listing import ScanBatch
from engine.locations.posix import PosixLocation
from engine.locations.registry import open_location
from engine.model import Kind, LocationSpec
from engine.planning.values import Dataset, SizeBin
from engine.survey import scan
from engine.survey.crew import Crew
from engine.survey.dataset import dataset_of
from engine.survey.facts import FolderSize
from engine.survey.report import SurveyReport, earlier_surveys, latest_survey, reading, save, survey_folder
from engine.survey.scan import SurveyProgress, survey


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Twelve folders of five files of ten bytes, a file in the root, a link and a FIFO."""
    root = tmp_path / "source"
    for number in range(12):
        folder = root / f"d{number % 3}" / f"e{number}"
        folder.mkdir(parents=True)
        for name in "abcde":
            (folder / f"{name}.TXT").write_bytes(b"0123456789")
    (root / "top").write_bytes(b"x" * 7)
    (root / "link").symlink_to("top")
    os.mkfifo(root / "pipe")
    return root


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes folders of this host pass for a network location."""
    real = PosixLocation.__init__

    def as_network(self: PosixLocation, spec: LocationSpec) -> None:
        real(self, spec)
        self.capabilities = msgspec.structs.replace(self.capabilities, network=True)

    monkeypatch.setattr(PosixLocation, "__init__", as_network)
    monkeypatch.setattr(scan, "THREADS_PER_PROCESS", 3)


def _spec(source: Path) -> LocationSpec:
    return LocationSpec(source.as_uri())


def _identity(source: Path) -> str:
    return open_location(_spec(source)).identity()


def _check(report: SurveyReport, surveys: Path, source: Path) -> None:
    assert (report.files, report.directories, report.symlinks, report.specials) == (61, 16, 1, 1)
    assert report.bytes == 607
    assert not report.partial
    assert report.seconds > 0
    assert [(each.from_, each.to, each.files, each.bytes) for each in report.size_histogram][-2:] == [
        (1, 10, 1, 7),
        (10, 100, 60, 600),
    ]
    assert sum(each.files for each in report.age_histogram) == 61
    assert report.layout.max_depth == 3
    assert report.layout.widest_directory.entries == 6
    assert sorted(report.top_folders()) == [
        FolderSize(b"", 1, 7),
        FolderSize(b"d0", 20, 200),
        FolderSize(b"d1", 20, 200),
        FolderSize(b"d2", 20, 200),
    ]
    assert {(each.extension, each.files) for each in report.extensions} == {("txt", 60), ("", 1)}
    assert [(each.kind, each.count, each.examples) for each in report.hazards] == [("special file", 1, ("pipe",))]
    assert latest_survey(surveys, _identity(source)) == report


def test_a_survey_by_processes_finds_and_keeps_everything(source: Path, tmp_path: Path) -> None:
    told: list[SurveyProgress] = []
    report = survey(_spec(source), tmp_path / "surveys", processes=2, on_progress=told.append, live_sizes=True)
    _check(report, tmp_path / "surveys", source)
    assert told[-1][:3] == (61, 79, 607)
    histogram = [(each.from_, each.to, each.files, each.bytes) for each in report.size_histogram]
    assert [(each.low, each.high, each.files, each.bytes) for each in told[-1].sizes.bins()] == histogram
    assert told[-1].sizes.largest == report.largest_bytes
    assert told[-1].waiting == 0
    assert not multiprocessing.active_children()
    catalog = survey_folder(tmp_path / "surveys", _identity(source)) / report.catalog
    rows = pq.read_table(sorted(catalog.glob("*.parquet")))
    assert sum(kind != Kind.LISTED for kind in rows["kind"].to_pylist()) == 79


@pytest.mark.usefixtures("in_threads")
def test_a_survey_by_threads_finds_the_same(source: Path, tmp_path: Path) -> None:
    _check(survey(_spec(source), tmp_path / "surveys", processes=1), tmp_path / "surveys", source)


@pytest.mark.usefixtures("in_threads")
def test_work_is_shared_in_small_pieces_and_nothing_is_lost(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "UNIT_ROWS", 1)
    _check(survey(_spec(source), tmp_path / "surveys", processes=1), tmp_path / "surveys", source)


@pytest.mark.usefixtures("in_threads")
def test_idle_workers_get_a_share_of_what_another_has(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one would list all, but is told that two others wait: then they get the folders left."""
    monkeypatch.setattr("engine.locations.posix_scan._SHORTEST_SECONDS", 0.0)
    real_scan, real_share = PosixLocation.scan, Crew.share
    asked: list[list[bytes]] = []
    shared = threading.Event()

    def scan_then(self: PosixLocation, folders: list[bytes], *more: Any) -> ScanBatch:
        if folders:
            asked.append(folders)
            shared.wait(60)
        return real_scan(self, folders, *more)

    def share(self: Crew) -> None:
        real_share(self)
        shared.set()

    monkeypatch.setattr(PosixLocation, "scan", scan_then)
    monkeypatch.setattr(Crew, "share", share)
    _check(survey(_spec(source), tmp_path / "surveys", processes=1), tmp_path / "surveys", source)
    assert asked[0] == [b""]
    assert all([folder] in asked for folder in (b"d0", b"d1", b"d2"))


@pytest.mark.usefixtures("in_threads")
def test_a_new_survey_replaces_the_last_one_which_is_kept_with_its_entries(source: Path, tmp_path: Path) -> None:
    surveys = tmp_path / "surveys"
    first, second, third = (_survey_with(source, surveys, name) for name in ("one", "two", "three"))
    assert latest_survey(surveys, third.identity) == third
    assert (first.files, second.files, third.files) == (62, 63, 64)
    assert earlier_surveys(surveys, third.identity) == [second, first]
    kept = {path.name for path in survey_folder(surveys, third.identity).iterdir() if not path.suffix}
    assert kept == {second.catalog, third.catalog}
    with reading(surveys, second) as segments:
        assert segments
    with pytest.raises(UsageError, match="survey it anew"), reading(surveys, first):
        pass


def _survey_with(source: Path, surveys: Path, name: str) -> SurveyReport:
    (source / name).touch()
    return survey(_spec(source), surveys, processes=1)


@pytest.mark.usefixtures("in_threads")
def test_so_many_older_reports_are_kept_and_no_more(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.survey.report.OLDER_REPORTS", 1)
    reports = [_survey_with(source, tmp_path / "surveys", name) for name in ("one", "two", "three")]
    assert earlier_surveys(tmp_path / "surveys", reports[0].identity) == [reports[1]]


@pytest.mark.usefixtures("in_threads")
def test_a_cancelled_survey_is_partial_and_does_not_replace_a_complete_one(source: Path, tmp_path: Path) -> None:
    surveys = tmp_path / "surveys"
    partial = survey(_spec(source), surveys, processes=1, cancelled=lambda: True)
    assert partial.partial
    assert partial.files == 0
    assert latest_survey(surveys, partial.identity) == partial
    complete = survey(_spec(source), surveys, processes=1)
    survey(_spec(source), surveys, processes=1, cancelled=lambda: True)
    assert latest_survey(surveys, partial.identity) == complete


@pytest.mark.usefixtures("in_threads")
def test_a_survey_cancelled_midway_says_what_it_found(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "UNIT_ROWS", 1)
    asked = iter([False, False, True])
    report = survey(_spec(source), tmp_path / "surveys", processes=1, cancelled=lambda: next(asked, True))
    assert report.partial
    assert 0 < report.files < 61


def _one_worker_never_answers(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    release = threading.Event()
    real = PosixLocation.scan

    def hang(self: PosixLocation, folders: list[bytes], *args: object) -> object:
        if b"d0" in folders:
            release.wait(60)
        return real(self, folders, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(PosixLocation, "scan", hang)
    return release


@pytest.mark.usefixtures("in_threads")
def test_a_hanging_mount_does_not_stop_a_cancelled_survey(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = _one_worker_never_answers(monkeypatch)
    monkeypatch.setattr(scan, "CANCEL_SECONDS", 0.1)
    monkeypatch.setattr(scan, "UNIT_ROWS", 1)
    told: list[SurveyProgress] = []
    monkeypatch.setattr(scan, "PROGRESS_SECONDS", 0.01)
    report = survey(
        _spec(source),
        tmp_path / "surveys",
        processes=1,
        on_progress=told.append,
        cancelled=lambda: bool(told) and told[-1].entries >= 55,
    )
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("survey"):
            thread.join(10)
    assert report.partial
    assert 0 < report.files < 61


def _kill_workers_once() -> Callable[[], bool]:
    killed: list[int] = []

    def kill() -> bool:
        if not killed:
            for child in multiprocessing.active_children():
                killed.append(child.pid or 0)
                child.kill()
                child.join()
        return False

    return kill


def test_a_worker_that_dies_ends_the_survey_with_a_reason(source: Path, tmp_path: Path) -> None:
    with pytest.raises(LocationError, match="ended unexpectedly"):
        survey(_spec(source), tmp_path / "surveys", processes=1, cancelled=_kill_workers_once())
    assert latest_survey(tmp_path / "surveys", _identity(source)) is None
    assert list(survey_folder(tmp_path / "surveys", _identity(source)).iterdir()) == []


@pytest.mark.usefixtures("in_threads")
def test_an_error_of_the_location_is_raised_as_it_is(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise SourceError("the source is gone")

    monkeypatch.setattr(PosixLocation, "scan", gone)
    with pytest.raises(SourceError, match="is gone"):
        survey(_spec(source), tmp_path / "surveys", processes=1)


def test_a_source_that_is_missing_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        survey(_spec(tmp_path / "missing"), tmp_path / "surveys")
    assert not (tmp_path / "surveys").exists()


@pytest.mark.usefixtures("in_threads")
def test_an_empty_source(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = survey(_spec(tmp_path / "empty"), tmp_path / "surveys", processes=1)
    assert (report.files, report.directories, report.bytes) == (0, 1, 0)
    assert report.size_histogram == ()
    assert report.layout.max_depth == 0


def test_a_report_that_cannot_be_read_counts_as_none(tmp_path: Path) -> None:
    folder = survey_folder(tmp_path, "nas:/lab")
    assert latest_survey(tmp_path, "nas:/lab") is None
    folder.mkdir(parents=True)
    (folder / "survey.json").write_text('{"files": "many"}')
    assert latest_survey(tmp_path, "nas:/lab") is None


def test_a_report_of_before_has_what_was_known_then(tmp_path: Path, source: Path, in_threads: None) -> None:
    report = survey(_spec(source), tmp_path / "surveys", processes=1)
    path = survey_folder(tmp_path / "surveys", report.identity) / "survey.json"
    known = msgspec.json.decode(path.read_bytes())
    for name in ("fine_bins", "small", "hard_links", "sparse", "changed", "destination", "largest_bytes"):
        del known[name]
    del known["layout"]["deepest"]
    path.write_bytes(msgspec.json.encode(known))
    old = latest_survey(tmp_path / "surveys", report.identity)
    assert old is not None
    assert (old.files, old.small, old.fine_bins) == (61, None, ())
    assert dataset_of(old) == Dataset(61, 607, 17, 99, (SizeBin(1, 10, 1, 7), SizeBin(10, 100, 60, 600)))
    assert dataset_of(report) == Dataset(61, 607, 17, 10, (SizeBin(4, 8, 1, 7), SizeBin(8, 16, 60, 600)))


def test_the_report_has_the_keys_that_others_rely_on(source: Path, tmp_path: Path, in_threads: None) -> None:
    report = survey(_spec(source), tmp_path / "surveys", processes=1)
    found = msgspec.json.decode(msgspec.json.encode(report))
    assert {
        "location",
        "files",
        "directories",
        "symlinks",
        "specials",
        "bytes",
        "seconds",
        "entries_per_second",
        "size_histogram",
        "age_histogram",
        "layout",
        "extensions",
        "hazards",
    } <= set(found)
    assert set(found["size_histogram"][0]) == {"from", "to", "files", "bytes"}
    assert set(found["layout"]) >= {"max_depth", "widest_directory", "folders"}
    assert set(found["layout"]["folders"][0]) >= {"path", "files", "bytes"}
    assert set(found["hazards"][0]) >= {"kind", "count", "examples"}
    save(tmp_path, report)
    assert (tmp_path / "survey.json").read_bytes().startswith(b"{\n")
