"""The demo's dataset: the same every time, shaped like the story, and never at the cost of what was there before."""

from __future__ import annotations

import hashlib
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.errors import RefusedError, UsageError
from engine.model import Kind
from xsync_tui.demo.dataset import MONTHS, YEARS, make_dataset, plan_dataset

_SCALE = 0.01
_MIB = 1024 * 1024


def _fingerprint(folder: Path) -> dict[bytes, tuple[int, int, bytes]]:
    """Mode, mtime in ns and digest of content or target of every entry, the folder's own included."""
    root = os.fsencode(folder)
    found = {b"": (os.lstat(root).st_mode, os.lstat(root).st_mtime_ns, b"")}
    for base, folders, files in os.walk(root):
        for name in folders + files:
            path = base + b"/" + name
            status = os.lstat(path)
            found[path[len(root) + 1 :]] = (status.st_mode, status.st_mtime_ns, _content(path, status.st_mode))
    return found


def _content(path: bytes, mode: int) -> bytes:
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    if stat.S_ISDIR(mode):
        return b""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def test_same_seed_and_scale_give_the_same_bytes_modes_and_times(tmp_path: Path) -> None:
    make_dataset(tmp_path / "one", _SCALE, seed=7)
    previous = os.umask(0o077)
    try:
        make_dataset(tmp_path / "two", _SCALE, seed=7)
    finally:
        os.umask(previous)
    make_dataset(tmp_path / "other", _SCALE, seed=8)
    one = _fingerprint(tmp_path / "one")
    assert one == _fingerprint(tmp_path / "two")
    assert one != _fingerprint(tmp_path / "other")


def test_contents_of_files_differ(tmp_path: Path) -> None:
    make_dataset(tmp_path / "data", _SCALE)
    found = _fingerprint(tmp_path / "data")
    digests = [digest for mode, _, digest in found.values() if stat.S_ISREG(mode)]
    empty = hashlib.sha256().digest()
    assert len(set(digests)) >= len(digests) - digests.count(empty)


def test_the_whole_dataset_has_the_shape_of_the_story() -> None:
    items = plan_dataset(1.0, 2025)
    files = [item for item in items if item.kind == Kind.FILE]
    assert 11_500 < len(files) < 12_500
    assert 0.9e9 < sum(item.size for item in files) < 1.1e9
    assert sum(item.size > 64 * _MIB for item in files) >= 4
    assert sum(item.size < 64 * 1024 for item in files) > 0.7 * len(files)
    for year in YEARS:
        assert len([item for item in files if item.path.startswith(b"%d/" % year)]) > 2_500
    assert {item.path for item in items} >= {b"%d/%02d" % (year, month) for year in YEARS for month in MONTHS}
    assert any(item.kind == Kind.FILE and b"/" not in item.path for item in items)
    assert sum(item.kind == Kind.SYMLINK for item in items) >= 3
    assert len({item.path for item in items}) == len(items)
    assert len({item.mode for item in files}) > 3


def test_times_lie_in_the_month_of_their_folder() -> None:
    for item in plan_dataset(0.1, 2025):
        year, _, rest = item.path.partition(b"/")
        if not (year.isdigit() and rest):
            continue
        when = datetime.fromtimestamp(item.mtime_ns / 1e9, UTC)
        assert (when.year, when.month) == (int(year), int(rest[:2])), item.path


def test_it_has_folders_with_nothing_in_them_and_difficult_names() -> None:
    items = plan_dataset(_SCALE, 2025)
    folders = {item.path for item in items if item.kind == Kind.FOLDER}
    used = {item.path.rpartition(b"/")[0] for item in items}
    assert {b"incoming", b"2023/02/cancelled session"} <= folders - used
    names = [item.path for item in items]
    assert any(b"\n" in name for name in names)
    assert any(name.startswith(b"-") for name in names)
    assert any(not name.isascii() for name in names)


def test_every_folder_comes_before_what_is_in_it() -> None:
    seen = {b""}
    for item in plan_dataset(0.1, 3):
        assert item.path.rpartition(b"/")[0] in seen, item.path
        seen.add(item.path)


def test_an_identical_dataset_is_reused_and_counted_alike(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    made = make_dataset(folder, _SCALE)
    inode = os.stat(folder / "README.txt").st_ino
    again = make_dataset(folder, _SCALE)
    assert (made.reused, again.reused) == (False, True)
    assert os.stat(folder / "README.txt").st_ino == inode
    assert made._replace(reused=True) == again
    found = _fingerprint(folder).values()
    assert again.files == sum(stat.S_ISREG(mode) for mode, _, _ in found)
    assert again.symlinks == sum(stat.S_ISLNK(mode) for mode, _, _ in found)
    assert again.folders == sum(stat.S_ISDIR(mode) for mode, _, _ in found) - 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data", "data.dataset.json"]


@pytest.mark.parametrize("change", ["other scale", "more", "less", "touched", "longer", "mode", "no marker"])
def test_a_folder_that_is_not_exactly_it_is_refused_and_left_alone(change: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    make_dataset(folder, _SCALE)
    victim = folder / "plates.csv"
    match change:
        case "more":
            (folder / "notes of mine.txt").write_text("keep")
        case "less":
            victim.unlink()
        case "touched":
            os.utime(victim)
        case "longer":
            times = os.stat(victim)
            with victim.open("ab") as file:
                file.write(b"more")
            os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
        case "mode":
            victim.chmod(0o4711)
        case "no marker":
            (tmp_path / "data.dataset.json").unlink()
    before = _fingerprint(folder)
    with pytest.raises(RefusedError, match="data exists and is not"):
        make_dataset(folder, _SCALE * 2 if change == "other scale" else _SCALE)
    assert _fingerprint(folder) == before


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    with pytest.raises(RefusedError):
        make_dataset(tmp_path / "data", _SCALE)
    assert (tmp_path / "data").read_text() == "mine"


def test_what_an_interrupted_start_left_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "data.partial" / "2022").mkdir(parents=True)
    (tmp_path / "data.partial" / "half.tif").write_text("half")
    assert not make_dataset(tmp_path / "data", _SCALE).reused
    assert make_dataset(tmp_path / "data", _SCALE).reused
    assert not (tmp_path / "data.partial").exists()


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_is_a_positive_number(scale: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        make_dataset(tmp_path / "data", scale)
