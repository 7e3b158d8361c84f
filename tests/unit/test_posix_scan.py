"""Listing a mounted file system: all attributes, odd names and kinds, links never followed, errors, limits, filters."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.filters import Filters
from engine.locations import posix_rows, posix_scan
from engine.locations.listing import ENTRY_SCHEMA, ScanLimit
from engine.locations.posix_scan import scan_folders
from engine.model import Fate, FilterSpec, Kind
from engine.planning.partition.selector import TaskSelector
from tests.listings import EVERYTHING, assert_like_lstat, by_path, listed, paths_of
from tests.privileges import as_nobody

_LIMIT = ScanLimit()


def _scan(
    root: Path, folders: list[bytes] | None = None, limit: ScanLimit = _LIMIT, selector: TaskSelector = EVERYTHING
) -> pa.Table:
    """All that is below ``folders``, asked for until nothing is left."""
    left = [b""] if folders is None else folders
    tables = []
    while left:
        batch = scan_folders(os.fsencode(root), left, limit, selector, 7)
        assert batch.rows.schema.equals(ENTRY_SCHEMA)
        tables.append(batch.rows)
        left = batch.folders_left
    return pa.concat_tables(tables)


def _make_tree(root: Path) -> None:
    (root / "a" / "deep" / "er").mkdir(parents=True)
    (root / "empty").mkdir(mode=0o700)
    (root / "a" / "file").write_bytes(b"12345")
    (root / "a" / "deep" / "er" / "last").write_bytes(b"")
    (root / "-rf").write_bytes(b"x")
    (root / "new\nline").write_bytes(b"")
    (root / ("n" * 255)).write_bytes(b"")
    Path(os.fsdecode(os.fsencode(root) + b"/not-\xff-text")).mkdir()
    Path(os.fsdecode(os.fsencode(root) + b"/not-\xff-text/\xfe")).write_bytes(b"")
    (root / "dangling").symlink_to("nowhere")
    (root / "loop").symlink_to(".")
    (root / "a" / "link").symlink_to("../empty")
    os.link(root / "a" / "file", root / "a" / "hard")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "s"))
    os.truncate(root / "a" / "file", 3_000_000)
    os.utime(root / "a" / "file", ns=(5, 2**32 * 10**9 + 1))
    os.utime(root / "-rf", ns=(-1, -1_500_000_000))
    (root / "a" / "hard").chmod(0o4755)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with every kind of entry and name."""
    root = tmp_path / "tree"
    root.mkdir()
    _make_tree(root)
    return root


def test_every_attribute_is_what_lstat_says(tree: Path) -> None:
    table = _scan(tree)
    entries = by_path(table)
    assert set(entries) == paths_of(tree)
    assert_like_lstat(tree, entries)
    assert entries[b"-rf"]["atime_ns"] == -1
    assert entries[b""]["kind"] == Kind.FOLDER


def test_without_statx_the_rows_are_the_same(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = _scan(tree)
    monkeypatch.setattr(posix_rows, "_statx", lambda *_: -1)
    monkeypatch.setattr(posix_rows, "_statx_alone", lambda *_: -1)
    slow = _scan(tree)
    columns = [name for name in ENTRY_SCHEMA.names if name != "atime_ns"]
    assert slow.select(columns).equals(table.select(columns))


def test_device_numbers_of_devices() -> None:
    entries = by_path(_scan(Path("/dev")))
    assert entries[b"null"]["rdev"] == os.lstat("/dev/null").st_rdev
    assert entries[b"null"]["kind"] == Kind.SPECIAL


def test_each_folder_is_closed_by_one_row_that_counts_its_rows(tree: Path) -> None:
    folders = listed(_scan(tree))
    assert folders == {
        b"": (len(os.listdir(tree)) + 1, None),
        b"a": (4, None),
        b"a/deep": (1, None),
        b"a/deep/er": (1, None),
        b"empty": (0, None),
        b"not-\xff-text": (1, None),
    }


@pytest.mark.parametrize("rows", [1, 3, 10])
def test_a_limit_cuts_between_folders_and_nothing_is_lost_or_doubled(tree: Path, rows: int) -> None:
    first = scan_folders(os.fsencode(tree), [b""], ScanLimit(rows, 60.0), EVERYTHING, 7)
    assert first.folders_left
    assert set(listed(first.rows)) | set(first.folders_left) <= set(listed(_scan(tree)))
    table = _scan(tree, limit=ScanLimit(rows, 60.0))
    assert set(by_path(table)) == paths_of(tree)
    assert listed(table) == listed(_scan(tree))


def test_time_is_a_limit_too_but_one_folder_is_always_finished(tree: Path) -> None:
    batch = scan_folders(os.fsencode(tree), [b"empty", b"a"], ScanLimit(1_000, 0.0), EVERYTHING, 7)
    assert listed(batch.rows) == {b"empty": (0, None)}
    assert batch.folders_left == [b"a"]


def test_what_is_left_is_handed_back_once_others_wait_for_it(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posix_scan, "_SHORTEST_SECONDS", 0.0)
    answers = iter([False, True])
    limit = ScanLimit(1_000, 60.0, is_awaited=lambda: next(answers))
    batch = scan_folders(os.fsencode(tree), [b"empty", b"a", b"b"], limit, EVERYTHING, 7)
    assert list(listed(batch.rows)) == [b"empty", b"a"]
    assert batch.folders_left[0] == b"b"


def test_a_scan_goes_on_for_a_while_before_it_is_handed_back(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posix_scan, "_SHORTEST_SECONDS", 60.0)
    batch = scan_folders(os.fsencode(tree), [b""], ScanLimit(1_000, 60.0, is_awaited=lambda: True), EVERYTHING, 7)
    assert not batch.folders_left


def test_a_folder_larger_than_a_block_and_the_limit_is_finished(tmp_path: Path) -> None:
    count = 2 * posix_rows.BLOCK + 1
    for number in range(count):
        (tmp_path / f"{number:06d}").touch()
    table = _scan(tmp_path, limit=ScanLimit(10, 60.0))
    assert set(by_path(table)) == {b"", *(b"%06d" % number for number in range(count))}
    assert_like_lstat(tmp_path, by_path(table))


@pytest.mark.parametrize("count", range(posix_rows.BLOCK - 4, posix_rows.BLOCK + 3))
def test_folders_that_just_fill_a_block(tmp_path: Path, count: int) -> None:
    (tmp_path / "d").mkdir()
    for number in range(count):
        (tmp_path / "d" / str(number)).symlink_to("x")
    table = _scan(tmp_path)
    assert len(by_path(table)) == count + 2
    assert listed(table) == {b"": (2, None), b"d": (count, None)}


def test_a_tree_deeper_than_the_folders_kept_open_and_than_any_path(tmp_path: Path) -> None:
    depth = 2 * posix_scan.MAX_OPEN_FOLDERS + 10
    name = "d" * 30
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(depth):
            os.mkdir(name)
            os.chdir(name)
    finally:
        os.chdir(before)
    open_before = len(os.listdir("/proc/self/fd"))
    table = _scan(tmp_path)
    assert len(listed(table)) == depth + 1
    assert max(len(path) for path in listed(table)) > 4096
    assert len(os.listdir("/proc/self/fd")) == open_before


def test_a_start_folder_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    root = tmp_path / "root"
    (root / "real" / "sub").mkdir(parents=True)
    shutil.rmtree(root / "real")
    (root / "real").symlink_to(tmp_path / "outside")
    for start in (b"real", b"real/sub"):
        table = _scan(root, [start])
        assert by_path(table) == {}
        assert listed(table)[start][1] == "Not a directory"


def test_a_folder_swapped_for_a_link_between_listing_and_entering_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    real_open = os.open

    def open_after_swap(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == b"sub":
            (root / "sub").rmdir()
            (root / "sub").symlink_to(tmp_path / "outside")
        return real_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", open_after_swap)
    table = _scan(root)
    assert set(by_path(table)) == {b"", b"sub"}
    assert listed(table)[b"sub"] == (0, "Not a directory")


def test_entries_that_vanish_before_they_are_looked_at_have_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    (tmp_path / "c").unlink()
    (tmp_path / "c").symlink_to("x")
    names = os.listdir(tmp_path)
    (tmp_path / "b").unlink()
    monkeypatch.setattr(os, "listdir", lambda _: names)
    table = _scan(tmp_path)
    assert set(by_path(table)) == {b"", b"a", b"c"}
    assert by_path(table)[b"c"]["link_target"] == b"x"
    assert listed(table) == {b"": (3, None)}


def test_a_folder_that_vanished_is_listed_as_empty(tmp_path: Path) -> None:
    assert listed(_scan(tmp_path, [b"gone", b"gone/too"])) == {b"gone": (0, None), b"gone/too": (0, None)}


def test_a_root_that_cannot_be_opened_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _scan(tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        _scan(tmp_path / "file")


def test_the_root_itself_may_be_a_link(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert set(by_path(_scan(tmp_path / "link"))) == paths_of(tree)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that other accounts can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    subprocess.run(["chmod", "-R", "u+rwx", folder], check=True)
    shutil.rmtree(folder)


def test_what_cannot_be_read_is_said_and_the_rest_is_listed(shared: Path) -> None:
    (shared / "closed" / "in").mkdir(parents=True)
    (shared / "names-only" / "folder").mkdir(parents=True)
    (shared / "names-only" / "file").touch()
    (shared / "open").mkdir()
    (shared / "open" / "file").touch()
    (shared / "names-only").chmod(0o744)
    (shared / "closed").chmod(0o700)
    if os.geteuid() != 0:
        (shared / "names-only").chmod(0o444)
        (shared / "closed").chmod(0o000)
    with as_nobody():
        table = _scan(shared)
    entries = by_path(table)
    assert listed(table) == {
        b"": (4, None),
        b"closed": (0, "Permission denied"),
        b"names-only": (2, None),
        b"open": (1, None),
    }
    assert entries[b"closed"]["fate"] == Fate.CANDIDATE
    for name, kind in ((b"file", Kind.FILE), (b"folder", Kind.FOLDER)):
        row = entries[b"names-only/" + name]
        assert (row["fate"], row["kind"], row["error"]) == (Fate.UNREADABLE, kind, "Permission denied")
    assert entries[b"open/file"]["fate"] == Fate.CANDIDATE


def test_excluded_entries_are_rows_and_excluded_folders_are_not_entered(tree: Path) -> None:
    table = _scan(tree, selector=TaskSelector(Filters(FilterSpec(exclude=("/a/deep", "*.tmp", "/empty", "/-rf")))))
    entries = by_path(table)
    excluded = {path for path, row in entries.items() if row["fate"] == Fate.EXCLUDED}
    assert excluded == {b"a/deep", b"empty", b"-rf"}
    assert set(listed(table)) == {b"", b"a", b"not-\xff-text"}
    assert entries[b"-rf"]["size"] == 1


def test_only_included_folders_are_entered(tree: Path) -> None:
    table = _scan(tree, selector=TaskSelector(Filters(FilterSpec(include=("/a/deep",)))))
    candidates = {path for path, row in by_path(table).items() if row["fate"] == Fate.CANDIDATE}
    assert candidates == {b"", b"a", b"a/deep", b"a/deep/er", b"a/deep/er/last"}
    assert set(listed(table)) == {b"", b"a", b"a/deep", b"a/deep/er"}


def test_an_excluded_entry_that_cannot_be_read_is_no_failure(shared: Path) -> None:
    (shared / "d").mkdir(mode=0o744)
    (shared / "d" / "file").touch()
    (shared / "d").chmod(0o744 if os.geteuid() == 0 else 0o444)
    with as_nobody():
        entries = by_path(_scan(shared, selector=TaskSelector(Filters(FilterSpec(exclude=("/d/file",))))))
    assert (entries[b"d/file"]["fate"], entries[b"d/file"]["error"]) == (Fate.EXCLUDED, None)


def test_without_filters_only_names_with_a_dot_are_asked_about(tmp_path: Path) -> None:
    (tmp_path / "d" / ".snapshot" / "hourly").mkdir(parents=True)
    (tmp_path / "d" / ".hidden").touch()
    (tmp_path / "d" / "file").touch()
    asked: list[bytes] = []

    class Asked(TaskSelector):
        def fate(self, path: bytes, is_folder: bool) -> Fate:
            asked.append(path)
            return super().fate(path, is_folder)

    entries = by_path(_scan(tmp_path, selector=Asked(Filters(FilterSpec()))))
    assert asked == [b"d/.hidden"]
    assert entries[b"d/.snapshot"]["fate"] == Fate.EXCLUDED
    assert set(entries) == {b"", b"d", b"d/.snapshot", b"d/.hidden", b"d/file"}


def test_the_task_is_that_of_the_top_level_folder(tree: Path) -> None:
    selector = TaskSelector(Filters(FilterSpec()), [(), (), ("/a",), *[()] * 297, ("/empty",)])
    table = _scan(tree, selector=selector)
    tasks = {path: row["task"] for path, row in by_path(table).items()}
    assert tasks == {path: {b"a": 2, b"empty": 300}.get(path.split(b"/")[0], 0) for path in tasks}
    folders = {row["dir"]: row["task"] for row in table.to_pylist() if row["kind"] == Kind.LISTED}
    assert folders == {path: tasks[path] for path in folders}
    assert set(_scan(tree, [b"a/deep"], selector=selector)["task"].to_pylist()) == {2}


def test_a_nested_mount_is_a_folder_that_is_not_entered(tmp_path: Path, mount_tmpfs: Callable[[Path], None]) -> None:
    (tmp_path / "d" / "mounted").mkdir(parents=True)
    mount_tmpfs(tmp_path / "d" / "mounted")
    (tmp_path / "d" / "mounted" / "foreign").touch()
    table = _scan(tmp_path)
    assert set(by_path(table)) == {b"", b"d", b"d/mounted"}
    assert listed(table) == {b"": (2, None), b"d": (1, None), b"d/mounted": (0, None)}
    assert listed(_scan(tmp_path, [b"d/mounted"])) == {b"d/mounted": (0, None)}


@pytest.fixture
def mount_tmpfs() -> Iterator[Callable[[Path], None]]:
    """Mounts a file system of its own on a folder, until the end of the test."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        if subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True).returncode:
            pytest.skip("mounting needs rights that this account lacks")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)
