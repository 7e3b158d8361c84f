"""The size mixes of folders: exact, by filter, and without what is at the destination already."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.model import Action, Fate, FilterSpec, Kind
from engine.planning.candidates import FolderMix
from engine.survey.mixes import folder_mixes

ROWS = [
    (b"", b"root.txt", 10),
    (b"2024", b"a", 0),
    (b"2024/01", b"b", 3),
    (b"2024/01", b"c", 100_000),
    (b"2024/02/deep", b"d", 100_000),
    (b"2025", b"e", 1_000),
    (b"odd\xff/n", b"f", 1_000),
]


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    path = tmp_path / "entries.parquet"
    rows = [
        {"dir": where, "name": name, "kind": Kind.FILE, "fate": Fate.CANDIDATE, "size": size, "mtime_ns": 7}
        for where, name, size in ROWS
    ]
    rows.append(
        {"dir": b"2024", "name": b"01", "kind": Kind.FOLDER, "fate": Fate.CANDIDATE, "size": 4096, "mtime_ns": 7}
    )
    rows.append({"dir": b"2024", "name": b"x", "kind": Kind.FILE, "fate": Fate.EXCLUDED, "size": 4096, "mtime_ns": 7})
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def by_path(found: list[FolderMix]) -> dict[bytes, tuple[int, int]]:
    return {mix.path: (mix.files, mix.bytes) for mix in found}


def test_every_folder_counts_what_is_below_it(catalog: Path, tmp_path: Path) -> None:
    found = folder_mixes([catalog], tmp_path / "spill", FilterSpec())
    assert found[0].path == b""
    assert by_path(found) == {
        b"": (7, 202_013),
        b"2024": (4, 200_003),
        b"2024/01": (2, 100_003),
        b"2024/02": (1, 100_000),
        b"2024/02/deep": (1, 100_000),
        b"2025": (1, 1_000),
        b"odd\xff": (1, 1_000),
        b"odd\xff/n": (1, 1_000),
    }


def test_bins_hold_the_sizes_in_them(catalog: Path, tmp_path: Path) -> None:
    (whole, *_) = folder_mixes([catalog], tmp_path / "spill", FilterSpec())
    assert [(each.low, each.high, each.files, each.bytes) for each in whole.bins] == [
        (0, 1, 1, 0),
        (1, 4, 1, 3),
        (4, 16, 1, 10),
        (256, 1_024, 2, 2_000),
        (65_536, 262_144, 2, 200_000),
    ]


def test_filters_leave_out_folders(catalog: Path, tmp_path: Path) -> None:
    filters = FilterSpec(include=("/2024",), exclude=("/2024/02",))
    assert by_path(folder_mixes([catalog], tmp_path / "spill", filters)) == {
        b"": (3, 100_003),
        b"2024": (3, 100_003),
        b"2024/01": (2, 100_003),
    }


def test_a_pattern_of_names_leaves_the_folders_that_hold_some(catalog: Path, tmp_path: Path) -> None:
    assert by_path(folder_mixes([catalog], tmp_path / "spill", FilterSpec(include=("a",))))[b"2024"] == (4, 200_003)


def test_what_is_at_the_destination_is_not_offered(catalog: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.parquet"
    results = tmp_path / "results.parquet"
    known = {"dir": b"2024/01", "name": b"c", "size": 100_000, "mtime_ns": 7}
    pq.write_table(pa.Table.from_pylist([known, {"dir": b"2025", "name": b"e", "size": 999, "mtime_ns": 7}]), state)
    sent = {"dir": b"2024/02/deep", "name": b"d", "size": 100_000, "mtime_ns": 7, "reason": None}
    failed = {
        "dir": b"2024/01",
        "name": b"b",
        "size": 3,
        "mtime_ns": 7,
        "action": Action.FAILED,
        "reason": "unreadable",
    }
    pq.write_table(pa.Table.from_pylist([sent | {"action": Action.TRANSFERRED}, failed]), results)
    found = by_path(folder_mixes([catalog], tmp_path / "spill", FilterSpec(), [state], [results]))
    assert found[b""] == (5, 2_013)
    assert found[b"2024/01"] == (1, 3)
    assert b"2024/02" not in found


def test_an_empty_survey_has_nothing(tmp_path: Path) -> None:
    assert folder_mixes([], tmp_path / "spill", FilterSpec()) == [FolderMix(b"", ())]
