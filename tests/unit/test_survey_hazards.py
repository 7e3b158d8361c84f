"""Hazards for a destination: what a bucket, a file system or a storage class makes of the same entries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.catalog.segments import write_entries
from engine.locations.mounts import Mount
from engine.model import Fate, Kind, LocationSpec
from engine.survey import hazard_rules, hazards
from engine.survey.hazard_rules import ANYWHERE, Target
from engine.survey.hazards import target_of
from engine.survey.statistics import measure
from tests.unit.catalog_rows import entries_table, entry

BUCKET = Target("s3://b", True, 1_024, 1_024, 5 << 40, False)
FILES = Target("file:///d", False, 100, 20, 1 << 32, False)


def _kinds(folder: Path, target: Target, *rows: Mapping[str, Any]) -> dict[str, int]:
    segment = write_entries(folder / "e.parquet", entries_table(rows)).path
    found = measure([segment], folder / "spill", 10**18, target).hazards
    return {hazard.kind: hazard.count for hazard in found}


def test_the_prefix_counts_as_part_of_the_key() -> None:
    plain = target_of(LocationSpec("s3://bucket", "r", "http://127.0.0.1:1"))
    assert (plain.max_path_bytes, plain.objects, plain.folds, plain.max_file_bytes) == (1_024, True, False, 5 << 40)
    deep = target_of(LocationSpec("s3://bucket/ab/cd", "r", "http://127.0.0.1:1", storage_class="GLACIER"))
    assert (deep.max_path_bytes, deep.storage_class) == (1_024 - len("ab/cd/"), "GLACIER")
    assert target_of(LocationSpec("s3://bucket", "r")).max_file_bytes == 9_000 * (5 << 30)


def test_a_key_that_fits_without_its_prefix_alone(tmp_path: Path) -> None:
    rows = [entry(b"", b"f" * 200), entry(b"", b"d" * 199, Kind.FOLDER), entry(b"", b"e" * 200, Kind.FOLDER)]
    narrow = msgspec.structs.replace(BUCKET, max_path_bytes=200)
    assert _kinds(tmp_path, narrow, *rows) == {"key over 1,024 bytes": 1}  # the marker of a folder ends in a slash
    assert _kinds(tmp_path, BUCKET, *rows) == {}


def test_a_file_system_has_its_own_limits(tmp_path: Path) -> None:
    rows = [
        entry(b"a" * 20, b"n" * 21),
        entry(b"/".join([b"a" * 19] * 5), b"f"),
        entry(b"", b"huge", size=(1 << 32) + 1),
        entry(b"", b"both", Kind.FOLDER),
        entry(b"", b"both"),
    ]
    found = _kinds(tmp_path, FILES, *rows)
    assert found == {
        "name over 20 bytes": 1,
        "path over 100 bytes": 1,
        "file over 4 GiB": 1,
        "object and folder of one name": 1,
    }


def test_a_file_system_that_folds_names_is_told_by_its_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not target_of(LocationSpec(str(tmp_path))).folds
    share = Mount(b"/", b"/", "", "cifs", "//filer/share", {})
    monkeypatch.setattr(hazards, "read_mounts", lambda: [share])
    assert target_of(LocationSpec(str(tmp_path))).folds


def test_twins_are_a_hazard_where_names_fold(tmp_path: Path) -> None:
    rows = [
        entry(b"d", b"Readme"),
        entry(b"d", b"README"),
        entry(b"e", b"readme"),
        entry(b"d", "caf\u00e9".encode()),
        entry(b"d", "cafe\u0301".encode()),
        entry(b"d", "\u00c4".encode()),
        entry(b"d", "\u00e4".encode()),
        entry(b"d", b"\xff"),
        entry(b"d", b"\xfe"),
    ]
    folding = msgspec.structs.replace(FILES, folds=True)
    twins = {"names differ in case alone": 4, "names differ in Unicode form alone": 2, "name not UTF-8": 2}
    assert _kinds(tmp_path, folding, *rows) == twins
    assert _kinds(tmp_path, ANYWHERE, *rows) == twins
    assert _kinds(tmp_path, BUCKET, *rows) == {"name not UTF-8": 2}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("STANDARD_IA", "object under 128 KiB in STANDARD_IA"),
        ("DEEP_ARCHIVE", "object under 40 KiB in DEEP_ARCHIVE"),
        ("STANDARD", None),
    ],
)
def test_small_objects_cost_more_in_cold_classes(tmp_path: Path, name: str, kind: str | None) -> None:
    rows = [entry(b"", b"%d" % size, size=size) for size in (0, (40 << 10) - 1, 128 << 10)]
    found = _kinds(tmp_path, msgspec.structs.replace(BUCKET, storage_class=name), *rows)
    assert found == ({kind: 2} if kind else {})


def test_what_a_source_cannot_give(tmp_path: Path) -> None:
    rows = [
        entry(b"", b"cold", storage_class="GLACIER"),
        entry(b"", b"warm", storage_class="STANDARD_IA"),
        entry(b"", b"a//", fate=int(Fate.UNREADABLE), error="unsafe name: empty, . or .. as a path segment"),
        entry(b"", b"closed", fate=int(Fate.UNREADABLE), error="Permission denied"),
        entry(b"", b"on tape", size=1 << 20, blocks=0),
        entry(b"", b"tiny", size=100, blocks=0),
    ]
    assert _kinds(tmp_path, BUCKET, *rows) == {
        "archived object": 1,
        "unsafe name": 1,
        "unreadable": 1,
        "file without data on disk": 1,
    }


def test_wide_and_deep_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hazard_rules, "WIDE_ENTRIES", 2)
    monkeypatch.setattr(hazard_rules, "DEEP_NAMES", 3)
    rows = [*(entry(b"wide", b"%d" % number) for number in range(3)), entry(b"a/b/c/d", b"e"), entry(b"a/b/c", b"e")]
    assert _kinds(tmp_path, BUCKET, *rows) == {"folder with over 2 entries": 1, "folder deeper than 3 levels": 1}
