"""Samples of contents: which files are read, what their compressibility is worth, and how fast a source is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.catalog.segments import write_entries
from engine.locations.posix import PosixLocation
from engine.model import Fate, LocationSpec
from engine.survey import compression, probe
from engine.survey.compression import _error, compressibility
from engine.survey.extending import Wishes
from engine.survey.samples import any_files, by_size, strata
from engine.survey.scan import survey
from tests.unit.catalog_rows import entries_table, entry
from tests.unit.test_cli_survey import REPORT


def _segment(folder: Path, *rows: Mapping[str, Any]) -> list[Path]:
    return [write_entries(folder / "e.parquet", entries_table(rows)).path]


def test_strata_are_cut_by_extension_and_size(tmp_path: Path) -> None:
    segments = _segment(
        tmp_path,
        *(entry(b"d", b"%d.tif" % number, size=1_000) for number in range(9)),
        entry(b"", b"large.TIF", size=20 << 20),
        entry(b"", b"a.txt", size=70_000),
        entry(b"", b"b.log", size=80_000),
    )
    found = strata(segments, tmp_path / "spill", ["tif"], 4)
    assert [(each.extension, each.bytes, len(each.chosen)) for each in found] == [
        ("tif", 20 << 20, 1),
        ("*", 150_000, 2),
        ("tif", 9_000, 4),
    ]
    assert found == strata(segments, tmp_path / "spill", ["tif"], 4)
    assert found[0].chosen == [(b"large.TIF", 20 << 20)]


def test_cold_unreadable_and_absent_contents_are_never_chosen(tmp_path: Path) -> None:
    segments = _segment(
        tmp_path,
        entry(b"", b"a", size=10),
        entry(b"", b"empty", size=0),
        entry(b"", b"closed", fate=int(Fate.UNREADABLE)),
        entry(b"", b"on tape", size=1 << 20, blocks=0),
        *(entry(b"", name.encode(), storage_class=name) for name in ("GLACIER", "STANDARD_IA", "DEEP_ARCHIVE")),
        entry(b"", b"b", size=10, storage_class="STANDARD"),
    )
    assert {chosen.path for chosen in any_files(segments, tmp_path / "spill", 99)} == {b"a", b"b"}
    assert {chosen.path for chosen in by_size(segments, tmp_path / "spill", 99)} == {b"a", b"b"}
    assert {chosen.path for each in strata(segments, tmp_path / "s", [], 9) for chosen in each.chosen} == {b"a", b"b"}


def test_bytes_are_drawn_as_often_as_they_are(tmp_path: Path) -> None:
    """Half of the bytes are in a tenth of the files: half of those drawn first are of them, within five sigma."""
    rows = [entry(b"", b"%d" % number, size=9 if number % 10 == 0 else 1) for number in range(4_000)]
    drawn = by_size(_segment(tmp_path, *rows), tmp_path / "spill", 200)
    assert abs(sum(chosen.size == 9 for chosen in drawn) - 100) < 36


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """As many bytes that cannot be compressed as such that vanish."""
    root = tmp_path / "source"
    root.mkdir()
    for number in range(10):
        (root / f"{number}.rnd").write_bytes(os.urandom(30_000))
        (root / f"{number}.nul").write_bytes(b"\0" * 30_000)
    return root


def test_the_ratio_is_that_of_the_bytes(source: Path, tmp_path: Path) -> None:
    found = survey(LocationSpec(str(source)), tmp_path / "s", processes=1, wishes=Wishes(sample=True)).compressibility
    assert found is not None
    assert found.ratio == pytest.approx(0.5, abs=0.01)
    assert found.error is not None
    assert found.error < 0.01  # each stratum is of one kind
    assert (found.sampled_files, found.sampled_bytes, found.covered, found.level) == (20, 600_000, 1.0, 1)
    assert [each.extension for each in found.by_extension] == ["rnd", "nul"]


def test_the_error_is_that_of_stratified_sampling() -> None:
    even, odd = [0.2, 0.4] * 8, [0.9] * 16
    spread = 0.01 * 16 / 15  # variance of the first
    assert _error({0: 0.5, 1: 0.5}, [even, odd]) == pytest.approx(1.96 * (0.25 * spread / 16) ** 0.5)
    assert _error({0: 0.5, 1: 0.5}, [even, [0.9]]) == pytest.approx(1.96 * (0.25 * spread * (1 / 16 + 1)) ** 0.5)
    assert _error({0: 1.0}, [[0.5]]) is None


def test_a_sample_ends_when_it_is_stopped_or_large_enough(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [entry(b"", f"{number}.rnd".encode(), size=30_000) for number in range(10)]
    location, segments = PosixLocation(LocationSpec(str(source))), _segment(tmp_path, *rows)
    assert compressibility(location, REPORT, segments, tmp_path / "spill", lambda: True) is None
    monkeypatch.setattr(compression, "MOST_BYTES", 1)
    monkeypatch.setattr(compression, "_READERS", 1)
    found = compressibility(location, REPORT, segments, tmp_path / "spill", lambda: False)
    assert found is not None
    assert 1 <= found.sampled_files < 10
    for path in source.iterdir():
        path.unlink()
    assert compressibility(location, REPORT, segments, tmp_path / "spill", lambda: False) is None


def test_a_probe_opens_and_reads_other_files_in_each_step(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "STEP_SECONDS", 30.0)
    forgotten: list[bytes] = []
    real = PosixLocation.drop_cache

    def forget(self: PosixLocation, path: bytes) -> None:
        forgotten.append(path)
        real(self, path)

    monkeypatch.setattr(PosixLocation, "drop_cache", forget)
    found = survey(LocationSpec(str(source)), tmp_path / "s", processes=1, wishes=Wishes(probe=True)).probe
    assert found is not None
    assert [each.readers for each in found.rates] == [1, 4, 16]
    assert sum(each.files for each in found.rates) == 20
    assert sum(each.bytes for each in found.rates) == 600_000
    assert all(each.bytes_per_second > 0 for each in found.rates)
    assert found.opened == 20
    assert found.first_byte_median is not None
    assert found.first_byte_p95 is not None
    assert 0 < found.first_byte_median <= found.first_byte_p95
    assert len(forgotten) == 40
    assert any("page cache" in note for note in found.notes)
    assert any("too few files" in note for note in found.notes)
    assert any("are small" in note for note in found.notes)


def test_a_stopped_probe_has_what_it_measured(source: Path, tmp_path: Path) -> None:
    rows = [entry(b"", f"{number}.rnd".encode(), size=30_000) for number in range(10)]
    location = PosixLocation(LocationSpec(str(source)))
    found = probe.probe(location, _segment(tmp_path, *rows), tmp_path / "spill", lambda: True)
    assert (found.opened, found.first_byte_median, found.rates) == (0, None, ())


def test_a_step_that_is_stopped_leaves_the_survey_complete(source: Path, tmp_path: Path) -> None:
    """Ctrl-C while samples are read: the scan is complete, and what is wished for after it is left out."""
    said: list[str] = []
    report = survey(
        LocationSpec(str(source)),
        tmp_path / "s",
        processes=1,
        on_step=said.append,
        cancelled=lambda: "reading samples to compress them" in said,
        wishes=Wishes(sample=True, probe=True),
    )
    assert (report.partial, report.files, report.probe) == (False, 20, None)
