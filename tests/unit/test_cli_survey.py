"""``xsync survey``: what it prints of what it found, also when it is stopped early."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import SourceError
from engine.model import LocationSpec
from engine.survey import scan
from engine.survey.facts import Bin, Extension, FolderStatistics, Hazard, Layout, WidestDirectory
from engine.survey.report import SurveyReport
from engine.survey.scan import SurveyProgress
from tests.unit.cli_journals import xsync
from xsync_tui.cli.look import Look
from xsync_tui.cli.survey_view import counter_line, size_label, survey_lines

Capture = pytest.CaptureFixture[str]

_BINS = [
    (0, 1, 120, 0),
    (1, 10, 20, 100),
    (10, 100, 0, 0),
    (100, 1_000, 80, 40_000),
    (1_000, 10_000, 5_000, 20_000_000),
]
_BINS += [(10_000, 100_000, 0, 0), (100_000, 1_000_000, 700, 300_000_000), (1_000_000, 10_000_000, 4, 9_000_000)]

REPORT = SurveyReport(
    location="file:///mnt/lab",
    identity="nas:/lab",
    surveyed_at=0.0,
    partial=False,
    catalog="catalog-1",
    files=5_924,
    directories=213,
    symlinks=3,
    specials=1,
    bytes=329_040_100,
    seconds=7.2,
    entries_per_second=172_300.0,
    size_histogram=tuple(Bin(*each) for each in [*_BINS, (10_000_000, 100_000_000, 0, 0)]),
    age_histogram=(),
    layout=Layout(
        4,
        WidestDirectory("2025", 4_000),
        (
            FolderStatistics("2024", 924, 300_000_000),
            FolderStatistics("", 1_000, 9_000_000),
            FolderStatistics("2025 \\x1b[2J", 4_000, 20_040_100),
            FolderStatistics("2024/12", 900, 299_000_000),
        ),
    ),
    extensions=(Extension("tif", 5_924, 329_040_100),),
    hazards=(
        Hazard("special file", 1, ("a/pipe",)),
        Hazard("key over 1,024 bytes", 3, ("x" * 100, "y" * 1_100)),
    ),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "home"


def test_a_whole_survey() -> None:
    assert survey_lines(REPORT, Look()) == [
        " file:///mnt/lab  complete  7 s  172 k entries/s",
        " 5,924 files  329 MB  213 folders  3 links  1 special",
        " size            │ files                         │ bytes",
        " empty           │ ▎                 120   2.0 % │                   0 B     0 %",
        " below 1 kB      │ ▎                 100   1.6 % │ ▏             40.1 kB  <0.1 %",
        " 1 kB - 10 kB    │ ████████████   5.00 k    84 % │ ▉             20.0 MB   6.0 %",
        " 10 kB - 100 kB  │                     0     0 % │                   0 B     0 %",
        " 100 kB - 1 MB   │ █▋                700    11 % │ █████████████  300 MB    91 %",
        " 1 MB - 10 MB    │ ▏                   4  <0.1 % │ ▍             9.00 MB   2.7 %",
        " folder                                                 files    bytes   share",
        " 2024                                                     924   300 MB    91 %",
        " 2025 \\x1b[2J                                           4,000  20.0 MB   6.0 %",
        " (directly in it)                                       1,000  9.00 MB   2.7 %",
        " ! 3 key over 1,024 bytes: xxxxxxxxxxxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxxxxxxxxxxxx",
        " ! 1 special file: a/pipe",
    ]


def test_a_partial_survey_in_ascii_says_at_least() -> None:
    lines = survey_lines(msgspec.structs.replace(REPORT, partial=True), Look(unicode=False))
    assert lines[0] == " file:///mnt/lab  PARTIAL, stopped before the end  7 s  172 k entries/s"
    assert lines[1].startswith(" at least 5,924 files")
    assert lines[5] == " 1 kB - 10 kB    | ############   5.00 k    84 % |               20.0 MB   6.0 %"
    assert all(line.isascii() for line in lines)


def test_an_empty_location_has_no_histogram() -> None:
    empty = Layout(0, WidestDirectory("", 0), ())
    nothing = msgspec.structs.replace(REPORT, files=0, bytes=0, size_histogram=(), layout=empty, hazards=())
    assert len(survey_lines(nothing, Look())) == 2


def test_where_all_is_in_one_folder_those_in_it_are_shown() -> None:
    folders = (FolderStatistics("2024", 9, 90), FolderStatistics("2024/11", 4, 40), FolderStatistics("2024/12", 5, 50))
    one = msgspec.structs.replace(REPORT, layout=Layout(2, WidestDirectory("", 0), folders), hazards=())
    assert [line.split()[0] for line in survey_lines(one, Look())[-3:]] == ["2024", "2024/12", "2024/11"]


@pytest.mark.parametrize(
    ("low", "high", "label"),
    [(0, 1, "empty"), (1, 1_000, "below 1 kB"), (10**6, 10**7, "1 MB - 10 MB"), (10**13, None, "from 10 TB")],
)
def test_bins_have_names(low: int, high: int | None, label: str) -> None:
    assert size_label(low, high) == label


def test_the_counter_gives_no_share_of_a_total_that_is_not_known() -> None:
    line = counter_line(1_234_567, 1_300_000, 10**12, 10.0, Look())
    assert line == " so far: 1,234,567 files  1.00 TB  1,300,000 entries  130 k/s  10 s"
    assert "?/s" in counter_line(0, 0, 0, 0.0, Look())


def _pretending(monkeypatch: pytest.MonkeyPatch, deed: Callable[..., SurveyReport]) -> None:
    monkeypatch.setattr(scan, "survey", deed)


def test_json_has_the_keys_of_the_contract(monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    asked: list[Any] = []

    def survey(spec: LocationSpec, surveys: Path, **more: Any) -> SurveyReport:
        asked.extend([spec, more["processes"]])
        return REPORT

    _pretending(monkeypatch, survey)
    monkeypatch.chdir(tmp_path)
    ran = xsync(capsys, "survey", "data", "--processes", "3", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert asked == [LocationSpec(str(tmp_path / "data")), 3]
    keys = "location files directories symlinks specials bytes seconds entries_per_second size_histogram layout hazards"
    assert set(keys.split()) <= set(ran.json)
    assert ran.json["size_histogram"][1] == {"from": 1, "to": 10, "files": 20, "bytes": 100}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_what_was_found_and_5(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    before = signal.getsignal(number)

    def survey(
        spec: LocationSpec,
        surveys: Path,
        *,
        processes: int | None,
        on_progress: Callable[[SurveyProgress], None],
        cancelled: Callable[[], bool],
    ) -> SurveyReport:
        on_progress(SurveyProgress(1, 1, 1, 0.1))
        assert not cancelled()
        os.kill(os.getpid(), number)
        assert cancelled()
        return msgspec.structs.replace(REPORT, partial=True)

    _pretending(monkeypatch, survey)
    ran = xsync(capsys, "survey", "s3://bucket", "--region", "r")
    assert ran.code == 5
    assert "PARTIAL" in ran.out
    assert "Stopped before the end" in ran.err
    assert signal.getsignal(number) is before


def test_what_cannot_be_surveyed_is_said(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def survey(*_: Any, **__: Any) -> SurveyReport:
        raise SourceError("/nowhere: there is no such folder")

    _pretending(monkeypatch, survey)
    ran = xsync(capsys, "survey", "/nowhere")
    assert (ran.code, ran.err) == (1, "xsync: /nowhere: there is no such folder\n")


def test_a_real_folder(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "data" / "2024").mkdir(parents=True)
    for name, size in (("2024/a", 0), ("2024/b", 5_000), ("c", 20)):
        (tmp_path / "data" / name).write_bytes(b"x" * size)
    found = xsync(capsys, "survey", str(tmp_path / "data"), "--processes", "1", "--json").json
    assert (found["files"], found["bytes"]) == (3, 5_020)
    assert "3 files" in xsync(capsys, "survey", str(tmp_path / "data"), "--processes", "1").out
