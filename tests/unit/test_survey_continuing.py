"""Interrupted surveys: what is taken over, what is listed again, and when nothing is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.catalog.segments import write_entries
from engine.errors import SourceError
from engine.locations.posix import PosixLocation
from engine.locations.registry import open_location
from engine.model import Fate, Kind, LocationSpec
from engine.survey import scan
from engine.survey.continuing import take_over
from engine.survey.extending import Wishes
from engine.survey.report import BEGUN_NAME, CONTINUE_SECONDS, SurveyReport, begin, survey_folder, unfinished
from engine.survey.scan import survey
from tests.unit.catalog_rows import entries_table, entry, listed

FOLDERS = 30


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Folders in folders, a file of five bytes in each."""
    root = tmp_path / "source"
    for number in range(FOLDERS):
        folder = root / f"d{number % 5}" / f"e{number}"
        folder.mkdir(parents=True)
        (folder / "f").write_bytes(b"12345")
    return root


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Makes folders of this host pass for a network location, in small pieces; the folders that were asked for."""
    asked: list[bytes] = []
    make, real = PosixLocation.__init__, PosixLocation.scan

    def as_network(self: PosixLocation, spec: LocationSpec) -> None:
        make(self, spec)
        self.capabilities = msgspec.structs.replace(self.capabilities, network=True)

    def noted(self: PosixLocation, folders: Any, *more: Any) -> Any:
        asked.extend(folders)
        return real(self, folders, *more)

    monkeypatch.setattr(PosixLocation, "__init__", as_network)
    monkeypatch.setattr(PosixLocation, "scan", noted)
    monkeypatch.setattr(scan, "THREADS_PER_PROCESS", 2)
    monkeypatch.setattr(scan, "UNIT_ROWS", 1)
    monkeypatch.setattr(scan, "UNIT_FOLDERS", 1)
    return asked


def _survey(source: Path, tmp_path: Path, **more: Any) -> SurveyReport:
    return survey(LocationSpec(str(source)), tmp_path / "surveys", processes=1, **more)


def _after(answers: int) -> Callable[[], bool]:
    counter = iter(range(answers))
    return lambda: next(counter, None) is None


def _folder(source: Path, tmp_path: Path) -> Path:
    return survey_folder(tmp_path / "surveys", open_location(LocationSpec(str(source))).identity())


def test_a_stopped_survey_goes_on_and_lists_no_folder_twice(source: Path, tmp_path: Path, scanned: list[bytes]) -> None:
    first = _survey(source, tmp_path, cancelled=_after(12))
    assert first.partial
    assert 0 < first.files < FOLDERS
    before = [path for path in scanned if path]
    scanned.clear()
    told: list[str] = []
    second = _survey(source, tmp_path, on_step=told.append)
    assert (second.partial, second.files, second.bytes) == (False, FOLDERS, 5 * FOLDERS)
    assert second.directories == FOLDERS + 5 + 1
    assert second.surveyed_at == first.surveyed_at
    assert len(second.continued_at) == 1
    assert any("entries are known" in text for text in told)
    assert not set(before) & set(scanned)
    kept = {path.name for path in _folder(source, tmp_path).iterdir()}
    assert kept == {"survey.json", second.catalog}
    assert _survey(source, tmp_path).continued_at == ()


def test_a_survey_stopped_twice_is_over_once_it_is_complete(source: Path, tmp_path: Path, scanned: list[bytes]) -> None:
    first = _survey(source, tmp_path, cancelled=_after(8))
    second = _survey(source, tmp_path, cancelled=_after(4))
    assert second.partial
    assert first.files <= second.files < FOLDERS
    third = _survey(source, tmp_path)
    assert (third.files, len(third.continued_at), third.partial) == (FOLDERS, 2, False)
    assert _survey(source, tmp_path).continued_at == ()


def test_it_begins_anew_if_that_is_wanted_or_too_long_ago(
    source: Path, tmp_path: Path, scanned: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    _survey(source, tmp_path, cancelled=_after(12))
    assert unfinished(_folder(source, tmp_path), time.time()) is not None
    assert unfinished(_folder(source, tmp_path), time.time() + CONTINUE_SECONDS) is None
    report = _survey(source, tmp_path, wishes=Wishes(anew=True))
    assert (report.continued_at, report.files) == ((), FOLDERS)


def test_an_unreachable_source_leaves_what_was_found(
    source: Path, tmp_path: Path, scanned: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PosixLocation.scan

    def gone(self: PosixLocation, folders: Any, *more: Any) -> Any:
        if len(scanned) > 10:
            raise SourceError("the filer is gone")
        return real(self, folders, *more)

    with monkeypatch.context() as patch:
        patch.setattr(PosixLocation, "scan", gone)
        with pytest.raises(SourceError, match="filer is gone"):
            _survey(source, tmp_path)
    report = _survey(source, tmp_path)
    assert (report.files, len(report.continued_at)) == (FOLDERS, 1)


def test_a_killed_survey_leaves_what_was_found(source: Path, tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from engine.model import LocationSpec
from engine.survey import scan
scan.UNIT_ROWS = scan.UNIT_FOLDERS = 1
asked = iter(range(12))
def kill():
    if next(asked, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return False
if __name__ == "__main__":
    scan.survey(LocationSpec({str(source)!r}), Path({str(tmp_path / "surveys")!r}), processes=1, cancelled=kill)
"""
    (tmp_path / "killed.py").write_text(script)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, str(tmp_path / "killed.py")], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    folder = _folder(source, tmp_path)
    until = time.monotonic() + 30
    while unfinished(folder, time.time()) is None and time.monotonic() < until:
        time.sleep(0.05)
    report = _survey(source, tmp_path)
    assert (report.files, report.bytes, len(report.continued_at)) == (FOLDERS, 5 * FOLDERS, 1)


def test_only_folders_whose_whole_path_was_listed_count(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    rows = [
        entry(b"", b"", Kind.FOLDER),
        *(entry(b"", name, Kind.FOLDER) for name in (b"done", b"cut", b"failed", b"lost")),
        entry(b"", b"excluded", Kind.FOLDER, fate=int(Fate.EXCLUDED)),
        listed(b""),
        entry(b"done", b"f"),
        entry(b"done", b"mount", Kind.FOLDER, dev=9),
        listed(b"done"),
        listed(b"done/mount"),
        entry(b"cut", b"half of it"),
        listed(b"failed", error="Input/output error"),
        entry(b"lost/below", b"known, but not what is above it"),
        listed(b"lost/below"),
    ]
    write_entries(old / "entries-0000.parquet", entries_table(rows))
    taken = take_over(old, new)
    assert sorted(taken.left) == [b"cut", b"failed", b"lost"]
    assert taken.entries == 8
    assert [path.parent for path in taken.segments] == [new]


def test_without_its_root_nothing_counts(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    write_entries(old / "entries-0000.parquet", entries_table([entry(b"a", b"f"), listed(b"a")]))
    assert take_over(old, new)[1:] == (0, [b""])


def test_an_unreadable_note_is_no_survey_to_go_on_with(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog-1"
    catalog.mkdir()
    write_entries(catalog / "entries-0000.parquet", entries_table([listed(b"")]))
    begin(catalog, (100.0,))
    assert unfinished(tmp_path, 101.0) is not None
    (catalog / BEGUN_NAME).write_text("?")
    assert unfinished(tmp_path, 101.0) is None
