"""Two surveys of one source: growth, churn by folder, hazards that came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.catalog.segments import write_entries
from engine.model import Fate, Kind, LocationSpec
from engine.survey.comparing import compare
from engine.survey.extending import Wishes
from engine.survey.facts import Amount, FolderChurn
from engine.survey.report import SurveyReport
from engine.survey.scan import survey
from tests.unit.catalog_rows import entries_table, entry
from tests.unit.test_cli_survey import REPORT

_OLD: list[dict[str, Any]] = [
    entry(b"2024", b"same", size=1),
    entry(b"2024", b"grows", size=10),
    entry(b"2024/d", b"edited", size=5, mtime_ns=1),
    entry(b"2024", b"moded", size=7, ctime_ns=1),
    entry(b"2025", b"goes", size=100),
    entry(b"2025", b"closed", fate=int(Fate.UNREADABLE)),
    entry(b"", b"2025", Kind.FOLDER, mtime_ns=1),
]
_NEW: list[dict[str, Any]] = [
    entry(b"2024", b"same", size=1),
    entry(b"2024", b"grows", size=20),
    entry(b"2024/d", b"edited", size=5, mtime_ns=2),
    entry(b"2024", b"moded", size=7, ctime_ns=2),
    entry(b"", b"comes", size=1_000),
    entry(b"", b"link", Kind.SYMLINK),
    entry(b"2025", b"closed", fate=int(Fate.UNREADABLE)),
    entry(b"2025", b"shut", fate=int(Fate.UNREADABLE)),
    entry(b"", b"2025", Kind.FOLDER, mtime_ns=2),
]


def test_churn_is_told_by_top_folder(tmp_path: Path) -> None:
    before = write_entries(tmp_path / "old.parquet", entries_table(_OLD)).path
    now = write_entries(tmp_path / "new.parquet", entries_table(_NEW)).path
    report = msgspec.structs.replace(REPORT, surveyed_at=500.0)
    found = compare(REPORT, [before], report, [now], tmp_path / "spill")
    assert (found.since, found.seconds, found.files_before) == (0.0, 500.0, REPORT.files)
    assert found.new == Amount(3, 1_010)
    assert found.changed == Amount(2, 25)
    assert found.removed == Amount(1, 100)
    assert found.touched == Amount(1, 7)
    assert found.folders == (
        FolderChurn("", Amount(2, 1_000), Amount(), Amount()),
        FolderChurn("2025", Amount(1, 10), Amount(), Amount(1, 100)),
        FolderChurn("2024", Amount(), Amount(2, 25), Amount()),
    )


def _survey(source: Path, tmp_path: Path, **wishes: Any) -> SurveyReport:
    return survey(LocationSpec(str(source)), tmp_path / "surveys", processes=1, wishes=Wishes(**wishes))


def test_a_survey_compares_itself_with_the_one_before(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "stays").write_bytes(b"1")
    (source / "Readme").write_bytes(b"12")
    assert _survey(source, tmp_path, compare=True).comparison is None  # there is none before it
    (source / "README").write_bytes(b"123")
    (source / "stays").unlink()
    bucket = LocationSpec("s3://bucket/" + "p" * 1_016, "r", "http://127.0.0.1:1")
    found = _survey(source, tmp_path, compare=True, destination=bucket).comparison
    assert found is not None
    assert (found.files_before, found.bytes_before) == (2, 3)
    assert (found.new, found.changed, found.removed) == (Amount(1, 3), Amount(), Amount(1, 1))
    assert found.new_hazards == ()  # as many keys are too long for this prefix as were before
    (again,) = [each for each in (_survey(source, tmp_path, compare=True).comparison,) if each]
    assert (again.new.files, again.removed.files, again.new_hazards) == (0, 0, ())


def test_hazards_that_came_are_named(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "Readme").touch()
    _survey(source, tmp_path)
    (source / "README").touch()
    found = _survey(source, tmp_path, compare=True).comparison
    assert found is not None
    assert [(each.kind, each.count) for each in found.new_hazards] == [("names differ in case alone", 2)]


def test_a_partial_survey_is_compared_with_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.mkdir()
    _survey(source, tmp_path)
    report = survey(
        LocationSpec(str(source)),
        tmp_path / "surveys",
        processes=1,
        cancelled=lambda: True,
        wishes=Wishes(compare=True),
    )
    assert report.partial
    assert report.comparison is None
