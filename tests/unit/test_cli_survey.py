"""``xsync survey``: what it prints of what it found, also when it is stopped early."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import SourceError
from engine.model import LocationSpec
from engine.planning.values import SizeBin
from engine.survey import scan
from engine.survey.extending import Wishes
from engine.survey.facts import (
    Amount,
    Bin,
    Changed,
    Changes,
    Comparison,
    Compressibility,
    Extension,
    ExtensionRatio,
    FolderChurn,
    FolderStatistics,
    HardLinks,
    Hazard,
    Layout,
    ReadRate,
    SmallFiles,
    SourceProbe,
    SparseFiles,
    WidestDirectory,
)
from engine.survey.report import SurveyReport
from engine.survey.scan import SurveyProgress
from tests.unit.cli_journals import xsync
from xsync_tui.cli.look import Look
from xsync_tui.cli.survey_view import counter_line, folder_lines, size_label, survey_lines

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
            FolderStatistics("2024", 924, 300_000_000, -3.5 * 86_400, Changes(week=Changed(5, 700_000, 1, 300_000))),
            FolderStatistics("", 1_000, 9_000_000),
            FolderStatistics("2025 \\x1b[2J", 4_000, 20_040_100),
            FolderStatistics("2024/12", 900, 299_000_000),
        ),
        "2024/12",
    ),
    extensions=(Extension("tif", 5_924, 329_040_100),),
    hazards=(
        Hazard("special file", 1, ("a/pipe",)),
        Hazard("key over 1,024 bytes", 3, ("x" * 100, "y" * 1_100), "Shorten it."),
    ),
)

FULL = msgspec.structs.replace(
    REPORT,
    continued_at=(900.0,),
    fine_bins=(SizeBin(4_096, 8_192, 5_220, 20_040_100), SizeBin(1 << 30, 1 << 31, 704, 300_000_000)),
    small=SmallFiles(256 << 10, 5_220, 20_040_100),
    hard_links=HardLinks(10, 4, 2_000, 1),
    sparse=SparseFiles(1, 1 << 20, 4_096),
    changed=Changes(),
    age_histogram=(Bin(0, 365, 5_000, 229_040_100), Bin(365, None, 924, 100_000_000)),
    compressibility=Compressibility(0.42, 0.03, 64_000_000, 512, 0.8, 1, (ExtensionRatio("tif", 0.9, 64_000_000),)),
    probe=SourceProbe(
        "NFSv4.1 from filer:/export, nconnect=1: try nconnect=8",
        100,
        0.0005,
        0.002,
        (ReadRate(1, 1e8, 10**8, 5, 1.0), ReadRate(4, 4e8, 4 * 10**8, 9, 1.0)),
        ("not from a cache",),
    ),
    comparison=Comparison(
        since=0.0,
        seconds=3_600.0,
        files_before=5_000,
        bytes_before=300_040_100,
        new=Amount(1, 10),
        changed=Amount(2, 20),
        removed=Amount(3, 30),
        touched=Amount(4, 40),
        folders=(FolderChurn("2024", Amount(1, 10), Amount(), Amount()),),
        new_hazards=(Hazard("special file", 2, ()),),
    ),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "home"


def test_a_whole_survey() -> None:
    assert survey_lines(REPORT, Look()) == [
        " 5,924 files, 329 MB; 2 things to look at.",
        " file:///mnt/lab  complete  7 s  172 k entries/s",
        " 5,924 files  329 MB  213 folders  3 links  1 special",
        " size            │ files                         │ bytes",
        " empty           │ ▎                 120   2.0 % │                   0 B     0 %",
        " below 1 kB      │ ▎                 100   1.6 % │ ▏             40.1 kB  <0.1 %",
        " 1 kB - 10 kB    │ ████████████   5.00 k    84 % │ ▉             20.0 MB   6.0 %",
        " 10 kB - 100 kB  │                     0     0 % │                   0 B     0 %",
        " 100 kB - 1 MB   │ █▋                700    11 % │ █████████████  300 MB    91 %",
        " 1 MB - 10 MB    │ ▏                   4  <0.1 % │ ▍             9.00 MB   2.7 %",
        " folder                               files    bytes   share    mtime  ctime 7 d",
        " 2024                                   924   300 MB    91 %      3 d    1.00 MB",
        " 2025 \\x1b[2J                        4.00 k  20.0 MB   6.0 %        -",
        " (directly in it)                    1.00 k  9.00 MB   2.7 %        -",
        " widest      2025: 4,000 entries",
        " deepest     2024/12: 4 levels",
        " extensions  tif 100 % of the bytes",
        " ! 3 x key over 1,024 bytes: xxxxxxxxxxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxxxxxxxxxxx",
        "   Shorten it.",
        " ! 1 x special file: a/pipe",
    ]


def test_all_that_can_be_known_fits_80_columns() -> None:
    lines = survey_lines(FULL, Look(zone=UTC))
    assert all(len(line) <= 80 for line in lines)
    assert lines[:2] == [
        " 5,924 files, 329 MB: 88 % of the files are under 256 KiB and hold 6.0 % of the",
        " bytes, 91 % of the bytes are in files of 1 GiB or more; 2 things to look at.",
    ]
    text = "\n".join(lines)
    assert " continued   begun 1970-01-01 00:00, gone on with 1970-01-01 00:15: parts are of" in text
    assert " hard links  10 names of 4 files: 2.00 kB are counted twice; 1 more names lie" in text
    assert " sparse      1 file: 1.05 MB by size, 4.10 kB on disk" in text
    assert " compresses  to 42 +-3 % (zstd -1, 64.0 MB of 512 files, which stands for 80 %" in text
    assert " first byte  median 0.5 ms, 95 % within 2 ms (100 files)" in text
    assert " reads       100 MB/s with 1, 400 MB/s with 4 readers; not from a cache" in text
    assert " since 1970-01-01 00:00 (1 h 00): +924 files, +29.0 MB" in text
    assert f" {'in all':<30} {'1 10 B':>15} {'2 20 B':>15} {'3 30 B':>15}" in text
    assert " 4 files more with another ctime alone" in text
    assert " ! 2 more: special file" in text


def test_the_folders_of_one_folder() -> None:
    folders = [
        FolderStatistics("a/b", 2, 300, newest_at=0.0),
        FolderStatistics("a", 1, 100),
        FolderStatistics("a/c", 0, 0),
    ]
    assert folder_lines("a", folders, 7_300.0, "1970-01-01 02:01", Look(), partial=True) == [
        " a: 3 files, 400 B  (PARTIAL survey of 1970-01-01 02:01)",
        " folder                               files    bytes   share    mtime  ctime 7 d",
        " a/b                                      2    300 B    75 %      2 h",
        " (directly in it)                         1    100 B    25 %        -",
        " a/c                                      0      0 B     0 %        -",
    ]


def test_a_partial_survey_in_ascii_says_at_least() -> None:
    lines = survey_lines(msgspec.structs.replace(REPORT, partial=True), Look(unicode=False))
    assert lines[0] == " PARTIAL, at least 5,924 files, 329 MB; 2 things to look at."
    assert lines[1] == " file:///mnt/lab  PARTIAL, stopped before the end  7 s  172 k entries/s"
    assert lines[2].startswith(" at least 5,924 files")
    assert lines[6] == " 1 kB - 10 kB    | ############   5.00 k    84 % |               20.0 MB   6.0 %"
    assert all(line.isascii() for line in lines)


def test_an_empty_location_has_no_histogram() -> None:
    empty = Layout(0, WidestDirectory("", 0), ())
    nothing = msgspec.structs.replace(REPORT, files=0, bytes=0, size_histogram=(), layout=empty, hazards=())
    lines = survey_lines(nothing, Look())
    assert lines[0] == " 0 files, 0 B; nothing to look at."
    assert len(lines) == 3


def test_where_all_is_in_one_folder_those_in_it_are_shown() -> None:
    folders = (FolderStatistics("2024", 9, 90), FolderStatistics("2024/11", 4, 40), FolderStatistics("2024/12", 5, 50))
    one = msgspec.structs.replace(REPORT, layout=Layout(2, WidestDirectory("", 0), folders), hazards=())
    assert [line.split()[0] for line in survey_lines(one, Look())[-6:-3]] == ["2024", "2024/12", "2024/11"]


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
        **more: Any,
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


def test_a_folder_is_shown_from_the_last_survey(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "data" / "2024" / "01").mkdir(parents=True)
    (tmp_path / "data" / "2024" / "01" / "a").write_bytes(b"x" * 100)
    data = str(tmp_path / "data")
    before = xsync(capsys, "survey", data, "--folder", "2024")
    assert (before.code, "run `xsync survey" in before.err) == (2, True)
    xsync(capsys, "survey", data, "--processes", "1")
    (tmp_path / "data" / "2024" / "01" / "b").touch()  # since then: not shown
    found = xsync(capsys, "survey", data, "--folder", "/2024/", "--json").json
    assert (found["folder"], found["partial"]) == ("2024", False)
    assert [(each["path"], each["files"], each["bytes"]) for each in found["folders"]] == [("2024/01", 1, 100)]
    assert " 2024/01 " in xsync(capsys, "survey", data, "--folder", "2024").out
    wrong = xsync(capsys, "survey", data, "--folder", "2023")
    assert (wrong.code, wrong.err.startswith("xsync: 2023 is no folder")) == (2, True)


def test_options_that_do_not_go_together_are_refused(tmp_path: Path, capsys: Capture) -> None:
    assert xsync(capsys, "survey", str(tmp_path), "--folder", "a", "--probe").code == 2
    ran = xsync(capsys, "survey", str(tmp_path), "--storage-class", "GLACIER")
    assert (ran.code, "--for" in ran.err) == (2, True)
    assert xsync(capsys, "survey", str(tmp_path), "--knee", "many").code == 2


def test_what_is_wished_for_reaches_the_survey(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    asked: list[Wishes] = []

    def survey(*_: Any, wishes: Wishes, **__: Any) -> SurveyReport:
        asked.append(wishes)
        return REPORT

    _pretending(monkeypatch, survey)
    options = "--for s3://b/p --storage-class GLACIER --region r --knee 1MiB --sample --probe --compare --anew"
    ran = xsync(capsys, "survey", "/data", *options.split(), "--json")
    bucket = LocationSpec("s3://b/p", "r", storage_class="GLACIER")
    assert asked == [Wishes(bucket, 1 << 20, sample=True, probe=True, compare=True, anew=True)]
    assert "no complete survey of this source before" in ran.err
    assert "Nothing could be sampled" in ran.err
