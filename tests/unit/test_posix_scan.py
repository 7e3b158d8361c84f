"""Listing a mounted file system: all attributes, odd names and kinds, links never followed, errors, limits, filters."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.filters import Filters
from engine.locations import posix_rows, posix_scan
from engine.locations.listing import ENTRY_SCHEMA, ScanBatch, ScanLimit
from engine.locations.posix_scan import scan_folders
from engine.model import Fate, FilterSpec, Kind
from tests.privileges import as_nobody

_LIMIT = ScanLimit()


class _Selector:
    """Real filters, and tasks by top-level folder."""

    def __init__(self, filters: FilterSpec | None = None, tasks: dict[bytes, int] | None = None) -> None:
        self._filters = Filters(filters or FilterSpec())
        self._tasks = tasks or {}
        self.asked: list[bytes] = []

    def fate(self, path: bytes, is_folder: bool) -> Fate:
        self.asked.append(path)
        return self._filters.fate(path, is_folder)

    def enters(self, path: bytes) -> bool:
        return self._filters.enters(path)

    def trivial(self, folder: bytes) -> bool:
        return self._filters.trivial(folder)

    def task(self, path: bytes) -> int:
        return self._tasks.get(path.partition(b"/")[0], 0)

    def tasks_inside(self, folder: bytes) -> Callable[[bytes], int] | None:
        return None if folder else self.task


def _scan(
    root: Path, folders: list[bytes] | None = None, limit: ScanLimit = _LIMIT, selector: _Selector | None = None
) -> pa.Table:
    """All that is below ``folders``, asked for until nothing is left."""
    left = [b""] if folders is None else folders
    tables = []
    while left:
        batch = scan_folders(os.fsencode(root), left, limit, selector or _Selector(), 7)
        assert batch.rows.schema.equals(ENTRY_SCHEMA)
        tables.append(batch.rows)
        left = batch.folders_left
    return pa.concat_tables(tables)


def _by_path(table: pa.Table) -> dict[bytes, dict[str, Any]]:
    """Entries by path; no path may occur twice."""
    found: dict[bytes, dict[str, Any]] = {}
    for row in table.to_pylist():
        if row["kind"] != Kind.LISTED:
            path = row["dir"] + b"/" + row["name"] if row["dir"] else row["name"]
            assert path not in found
            found[path] = row
    return found


def _listed(table: pa.Table) -> dict[bytes, tuple[int, str | None]]:
    """(rows, error) by folder, of the LISTED rows."""
    rows = [row for row in table.to_pylist() if row["kind"] == Kind.LISTED]
    found = {row["dir"]: (row["size"], row["error"]) for row in rows}
    assert len(found) == len(rows)
    return found


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


def _paths_of(root: Path) -> set[bytes]:
    start = os.fsencode(root)
    found = {b""}
    for folder, folders, files in os.walk(start):
        found |= {os.path.relpath(os.path.join(folder, name), start) for name in (*folders, *files)}
    return found


def _assert_like_lstat(root: Path, entries: dict[bytes, dict[str, Any]]) -> None:
    kinds = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.SYMLINK}
    device = os.stat(root).st_dev
    for path, row in entries.items():
        full = os.path.join(os.fsencode(root), path)
        found = os.lstat(full)
        assert row["kind"] == kinds.get(stat.S_IFMT(found.st_mode), Kind.SPECIAL)
        expected = {
            "size": found.st_size,
            "mtime_ns": found.st_mtime_ns,
            "ctime_ns": found.st_ctime_ns,
            "mode": found.st_mode,
            "uid": found.st_uid,
            "gid": found.st_gid,
            "dev": 0 if found.st_dev == device else found.st_dev,
            "inode": found.st_ino,
            "nlink": found.st_nlink,
            "blocks": found.st_blocks,
            "rdev": found.st_rdev,
            "link_target": os.readlink(full) if stat.S_ISLNK(found.st_mode) else None,
            "fate": Fate.CANDIDATE,
            "task": 0,
            "listing": 7,
            "error": None,
            "etag": None,
            "storage_class": None,
        }
        assert {column: row[column] for column in expected} == expected


def test_every_attribute_is_what_lstat_says(tree: Path) -> None:
    table = _scan(tree)
    entries = _by_path(table)
    assert set(entries) == _paths_of(tree)
    _assert_like_lstat(tree, entries)
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
    entries = _by_path(_scan(Path("/dev")))
    assert entries[b"null"]["rdev"] == os.lstat("/dev/null").st_rdev
    assert entries[b"null"]["kind"] == Kind.SPECIAL


def test_each_folder_is_closed_by_one_row_that_counts_its_rows(tree: Path) -> None:
    listed = _listed(_scan(tree))
    assert listed == {
        b"": (len(os.listdir(tree)) + 1, None),
        b"a": (4, None),
        b"a/deep": (1, None),
        b"a/deep/er": (1, None),
        b"empty": (0, None),
        b"not-\xff-text": (1, None),
    }


@pytest.mark.parametrize("rows", [1, 3, 10])
def test_a_limit_cuts_between_folders_and_nothing_is_lost_or_doubled(tree: Path, rows: int) -> None:
    first = scan_folders(os.fsencode(tree), [b""], ScanLimit(rows, 60.0), _Selector(), 7)
    assert first.folders_left
    assert set(_listed(first.rows)) | set(first.folders_left) <= set(_listed(_scan(tree)))
    table = _scan(tree, limit=ScanLimit(rows, 60.0))
    assert set(_by_path(table)) == _paths_of(tree)
    assert _listed(table) == _listed(_scan(tree))


def test_time_is_a_limit_too_but_one_folder_is_always_finished(tree: Path) -> None:
    batch = scan_folders(os.fsencode(tree), [b"empty", b"a"], ScanLimit(1_000, 0.0), _Selector(), 7)
    assert _listed(batch.rows) == {b"empty": (0, None)}
    assert batch.folders_left == [b"a"]


def test_what_is_left_is_handed_back_once_others_wait_for_it(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posix_scan, "_SHORTEST_SECONDS", 0.0)
    answers = iter([False, True])
    limit = ScanLimit(1_000, 60.0, is_awaited=lambda: next(answers))
    batch = scan_folders(os.fsencode(tree), [b"empty", b"a", b"b"], limit, _Selector(), 7)
    assert list(_listed(batch.rows)) == [b"empty", b"a"]
    assert batch.folders_left[0] == b"b"


def test_a_scan_goes_on_for_a_while_before_it_is_handed_back(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posix_scan, "_SHORTEST_SECONDS", 60.0)
    batch = scan_folders(os.fsencode(tree), [b""], ScanLimit(1_000, 60.0, is_awaited=lambda: True), _Selector(), 7)
    assert not batch.folders_left


def test_a_folder_larger_than_a_block_and_the_limit_is_finished(tmp_path: Path) -> None:
    count = 2 * posix_rows.BLOCK + 1
    for number in range(count):
        (tmp_path / f"{number:06d}").touch()
    table = _scan(tmp_path, limit=ScanLimit(10, 60.0))
    assert set(_by_path(table)) == {b"", *(b"%06d" % number for number in range(count))}
    _assert_like_lstat(tmp_path, _by_path(table))


def _slices(root: Path, slice_rows: int, *, keep_names: bool, folders: Sequence[bytes] = (b"",)) -> list[ScanBatch]:
    """All batches of a scan in slices; without its names a rest is read again, as by another agent."""
    limit = ScanLimit(10 * slice_rows, 60.0, slice_rows)
    batches = [scan_folders(os.fsencode(root), folders, limit, _Selector(), 7)]
    while (last := batches[-1]).rest or last.folders_left:
        rest = last.rest if keep_names or not last.rest else last.rest._replace(names=None)
        batches.append(scan_folders(os.fsencode(root), last.folders_left, limit, _Selector(), 7, rest))
    return batches


@pytest.mark.parametrize("keep_names", [True, False])
def test_a_large_folder_comes_in_slices_and_is_closed_by_the_last(tmp_path: Path, keep_names: bool) -> None:
    (tmp_path / "d").mkdir()
    for number in range(25):
        (tmp_path / "d" / f"{number:06d}").touch()
    for name in (b"\xff", b"\xc3\xa4", b"new\nline"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/d/" + name)).mkdir()
    batches = _slices(tmp_path, 10, keep_names=keep_names)
    assert [batch.rest and batch.rest[:2] for batch in batches] == [(b"d", b"000009"), (b"d", b"000019"), None]
    assert [batch.rows.num_rows for batch in batches] == [2 + 1 + 10, 10, 8 + 1 + 3]
    assert [b"d" in _listed(batch.rows) for batch in batches] == [False, False, True]
    table = pa.concat_tables([batch.rows for batch in batches])
    assert set(_by_path(table)) == _paths_of(tmp_path)
    assert set(table["listing"].to_pylist()) == {7}
    _assert_like_lstat(tmp_path, _by_path(table))


@pytest.mark.parametrize("keep_names", [True, False])
def test_flat_folders_of_one_scan_are_sliced_one_after_the_other(tmp_path: Path, keep_names: bool) -> None:
    flat = [b"flat-0", b"flat-1", b"flat-2"]
    for folder in flat:
        for number in range(8):
            (tmp_path / os.fsdecode(folder) / f"{number}-sub").mkdir(parents=True)
            (tmp_path / os.fsdecode(folder) / f"{number}").touch()
    batches = _slices(tmp_path, 5, keep_names=keep_names, folders=flat)
    assert [batch.rest[0] for batch in batches if batch.rest] == [folder for folder in flat for _ in range(3)]
    table = pa.concat_tables([batch.rows for batch in batches])
    assert set(_by_path(table)) == _paths_of(tmp_path) - {b"", *flat}
    assert set(_listed(table)) == {*flat, *(b"%s/%d-sub" % (folder, number) for folder in flat for number in range(8))}


def test_a_root_in_slices_has_its_own_row_once_and_its_subfolders_are_left(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / str(number)).mkdir()
    first = scan_folders(os.fsencode(tmp_path), [b""], ScanLimit(3, 60.0, 3), _Selector(), 7)
    assert first.rest is not None
    assert sorted(first.folders_left) == [b"0", b"1", b"2"]
    table = pa.concat_tables([batch.rows for batch in _slices(tmp_path, 3, keep_names=True)])
    assert set(_by_path(table)) == _paths_of(tmp_path)


def test_a_slice_that_fails_closes_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (tmp_path / str(number)).touch()

    def failing(self: posix_rows.Rows, fd: int, names: list[bytes]) -> tuple[list[bytes], bytes]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(posix_rows.Rows, "add", failing)
    batch = scan_folders(os.fsencode(tmp_path), [b""], ScanLimit(2, 60.0, 2), _Selector(), 7)
    assert batch.rest is None
    assert _listed(batch.rows) == {b"": (1, "Input/output error")}


@pytest.mark.parametrize("gone", [True, False])
def test_a_folder_that_is_lost_between_its_slices_is_closed(tmp_path: Path, gone: bool) -> None:
    for name in "abc":
        (tmp_path / "d" / name).mkdir(parents=True)
    rest = scan_folders(os.fsencode(tmp_path), [b"d"], ScanLimit(2, 60.0, 2), _Selector(), 7).rest
    assert rest is not None
    shutil.rmtree(tmp_path / "d")
    if not gone:
        (tmp_path / "d").touch()
    last = scan_folders(os.fsencode(tmp_path), [], ScanLimit(2, 60.0, 2), _Selector(), 7, rest)
    assert last.rest is None
    assert _listed(last.rows) == {b"d": (0, None if gone else "Not a directory")}


@pytest.mark.parametrize("count", range(posix_rows.BLOCK - 4, posix_rows.BLOCK + 3))
def test_folders_that_just_fill_a_block(tmp_path: Path, count: int) -> None:
    (tmp_path / "d").mkdir()
    for number in range(count):
        (tmp_path / "d" / str(number)).symlink_to("x")
    table = _scan(tmp_path)
    assert len(_by_path(table)) == count + 2
    assert _listed(table) == {b"": (2, None), b"d": (count, None)}


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
    assert len(_listed(table)) == depth + 1
    assert max(len(path) for path in _listed(table)) > 4096
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
        assert _by_path(table) == {}
        assert _listed(table)[start][1] == "Not a directory"


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
    assert set(_by_path(table)) == {b"", b"sub"}
    assert _listed(table)[b"sub"] == (0, "Not a directory")


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
    assert set(_by_path(table)) == {b"", b"a", b"c"}
    assert _by_path(table)[b"c"]["link_target"] == b"x"
    assert _listed(table) == {b"": (3, None)}


def test_a_folder_that_vanished_is_listed_as_empty(tmp_path: Path) -> None:
    assert _listed(_scan(tmp_path, [b"gone", b"gone/too"])) == {b"gone": (0, None), b"gone/too": (0, None)}


def test_a_root_that_cannot_be_opened_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _scan(tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        _scan(tmp_path / "file")


def test_the_root_itself_may_be_a_link(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert set(_by_path(_scan(tmp_path / "link"))) == _paths_of(tree)


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
    entries = _by_path(table)
    assert _listed(table) == {
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
    table = _scan(tree, selector=_Selector(FilterSpec(exclude=("/a/deep", "*.tmp", "/empty", "/-rf"))))
    entries = _by_path(table)
    excluded = {path for path, row in entries.items() if row["fate"] == Fate.EXCLUDED}
    assert excluded == {b"a/deep", b"empty", b"-rf"}
    assert set(_listed(table)) == {b"", b"a", b"not-\xff-text"}
    assert entries[b"-rf"]["size"] == 1


def test_only_included_folders_are_entered(tree: Path) -> None:
    table = _scan(tree, selector=_Selector(FilterSpec(include=("/a/deep",))))
    candidates = {path for path, row in _by_path(table).items() if row["fate"] == Fate.CANDIDATE}
    assert candidates == {b"", b"a", b"a/deep", b"a/deep/er", b"a/deep/er/last"}
    assert set(_listed(table)) == {b"", b"a", b"a/deep", b"a/deep/er"}


def test_an_excluded_entry_that_cannot_be_read_is_no_failure(shared: Path) -> None:
    (shared / "d").mkdir(mode=0o744)
    (shared / "d" / "file").touch()
    (shared / "d").chmod(0o744 if os.geteuid() == 0 else 0o444)
    with as_nobody():
        entries = _by_path(_scan(shared, selector=_Selector(FilterSpec(exclude=("/d/file",)))))
    assert (entries[b"d/file"]["fate"], entries[b"d/file"]["error"]) == (Fate.EXCLUDED, None)


def test_without_filters_only_names_with_a_dot_are_asked_about(tmp_path: Path) -> None:
    (tmp_path / "d" / ".snapshot" / "hourly").mkdir(parents=True)
    (tmp_path / "d" / ".hidden").touch()
    (tmp_path / "d" / "file").touch()
    selector = _Selector()
    entries = _by_path(_scan(tmp_path, selector=selector))
    assert selector.asked == [b"d/.hidden"]
    assert entries[b"d/.snapshot"]["fate"] == Fate.EXCLUDED
    assert set(entries) == {b"", b"d", b"d/.snapshot", b"d/.hidden", b"d/file"}


def test_the_task_is_that_of_the_top_level_folder(tree: Path) -> None:
    selector = _Selector(tasks={b"a": 2, b"empty": 300})
    table = _scan(tree, selector=selector)
    tasks = {path: row["task"] for path, row in _by_path(table).items()}
    assert tasks == {path: {b"a": 2, b"empty": 300}.get(path.split(b"/")[0], 0) for path in tasks}
    listed = {row["dir"]: row["task"] for row in table.to_pylist() if row["kind"] == Kind.LISTED}
    assert listed == {path: tasks[path] for path in listed}
    assert set(_scan(tree, [b"a/deep"], selector=selector)["task"].to_pylist()) == {2}


def test_a_nested_mount_is_a_folder_that_is_not_entered(tmp_path: Path, mount_tmpfs: Callable[[Path], None]) -> None:
    (tmp_path / "d" / "mounted").mkdir(parents=True)
    mount_tmpfs(tmp_path / "d" / "mounted")
    (tmp_path / "d" / "mounted" / "foreign").touch()
    table = _scan(tmp_path)
    assert set(_by_path(table)) == {b"", b"d", b"d/mounted"}
    assert _listed(table) == {b"": (2, None), b"d": (1, None), b"d/mounted": (0, None)}
    assert _listed(_scan(tmp_path, [b"d/mounted"])) == {b"d/mounted": (0, None)}


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
