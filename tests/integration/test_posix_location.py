"""Folders of this host: nothing hangs, nothing leads out, and what goes wrong says what to do."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import DestinationError, ExistsError, SourceError
from engine.locations.extras import EXTRAS, Extras, encode
from engine.locations.metadata import metadata_of
from engine.locations.posix import PosixLocation
from engine.locations.posix_folders import MAX_OPEN_FOLDERS
from engine.model import Kind, LocationSpec, TransferOptions
from tests.privileges import NOBODY, as_nobody, mounted, needs_root, run_with_mounts

METADATA = metadata_of(Kind.FILE, 0o100644, 0, 0, 1, 2, TransferOptions(), None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def location(root: Path) -> Iterator[PosixLocation]:
    found = PosixLocation(LocationSpec(url=str(root)))
    yield found
    found.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other accounts can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def read_all(location: PosixLocation, path: bytes) -> bytes:
    file = location.open_file(path)
    try:
        buffer = bytearray(file.identity.size + 10)
        return bytes(buffer[: file.read_into(memoryview(buffer), 0)])
    finally:
        file.close()
        file.close()


def file_device(location: PosixLocation, path: bytes) -> int:
    file = location.open_file(path)
    file.close()
    return file.identity.device


def test_reads_at_offsets(root: Path, location: PosixLocation) -> None:
    (root / "x").write_bytes(b"0123456789")
    file = location.open_file(b"x")
    buffer = bytearray(4)
    assert file.read_into(memoryview(buffer), 3) == 4
    assert bytes(buffer) == b"3456"
    assert file.read_into(memoryview(buffer), 8) == 2
    assert file.read_into(memoryview(buffer), 10) == 0
    assert (file.attributes.mode, file.attributes.uid) == ((root / "x").stat().st_mode, os.geteuid())
    file.close()


def test_files_of_a_root_that_was_mounted_anew_are_still_on_its_own_device(root: Path, location: PosixLocation) -> None:
    with mounted(root, "-t", "tmpfs", "none"):
        (root / "x").touch()
        assert file_device(location, b"x") == 0
        device = root.stat().st_dev
        kept = os.open(root, os.O_RDONLY)  # or its number could be given out again
    with mounted(root, "-t", "tmpfs", "none"):
        (root / "x").touch()
        assert root.stat().st_dev != device
        location.close()
        assert file_device(location, b"x") == 0
    os.close(kept)


def test_reading_leaves_the_access_time(root: Path, location: PosixLocation) -> None:
    (root / "x").write_bytes(b"x")
    os.utime(root / "x", ns=(1, 10**18))
    assert read_all(location, b"x") == b"x"
    assert (root / "x").stat().st_atime_ns == 1


@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder", "link", "dangling"])
def test_what_is_no_regular_file_is_refused_at_once(root: Path, location: PosixLocation, kind: str) -> None:
    path = root / "x"
    bound = socket.socket(socket.AF_UNIX)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        bound.bind(str(path))
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    elif kind == "folder":
        path.mkdir()
    else:
        (root / "real").write_bytes(b"x")
        path.symlink_to(root / ("real" if kind == "link" else "gone"))
    with pytest.raises(OSError) as caught:
        location.open_file(b"x")
    bound.close()
    expected = {"socket": errno.ENXIO, "link": errno.ELOOP, "dangling": errno.ELOOP}
    assert caught.value.errno == expected.get(kind, errno.EINVAL)


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite", "replace", "touch"])
def test_confirm_sees_every_change(root: Path, location: PosixLocation, change: str) -> None:
    path = root / "x"
    path.write_bytes(b"old!")
    os.utime(path, ns=(1, 1))
    file = location.open_file(b"x")
    assert file.confirm() == file.identity
    if change == "replace":
        (root / "new").write_bytes(b"new!")
        os.utime(root / "new", ns=(1, 1))
        (root / "new").rename(path)
    elif change == "touch":
        path.chmod(0o600)
    else:
        path.write_bytes({"grow": b"old!!", "shrink": b"old", "rewrite": b"new!"}[change])
        os.utime(path, ns=(1, 1))
    assert file.confirm() != file.identity
    path.unlink()
    with pytest.raises(FileNotFoundError):
        file.confirm()
    file.close()


def test_a_folder_that_took_anothers_place_is_not_mixed_up(root: Path, location: PosixLocation) -> None:
    (root / "a").mkdir()
    (root / "a" / "x").write_bytes(b"old")
    assert read_all(location, b"a/x") == b"old"
    (root / "a").rename(root / "b")
    (root / "a").mkdir()
    (root / "a" / "x").write_bytes(b"new")
    file = location.open_file(b"a/x")
    buffer = memoryview(bytearray(3))
    file.read_into(buffer, 0)
    assert file.confirm() != file.identity or bytes(buffer) == b"new"
    file.close()


def test_a_symlink_in_the_way_is_never_followed(tmp_path: Path, root: Path, location: PosixLocation) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"secret")
    (root / "link").symlink_to(outside)
    with pytest.raises(OSError, match="a symlink is in the way at link"):
        location.open_file(b"link/x")
    with pytest.raises(DestinationError, match="a symlink is in the way at link"):
        location.begin(b"link/deep/new", 1, METADATA)
    assert location.remove([b"link/x"])[0][1].startswith("a symlink is in the way")
    assert os.listdir(outside) == ["x"]
    assert location.remove([b"link"]) == []
    assert (outside / "x").exists()


def test_a_remembered_folder_that_became_a_symlink_is_noticed(
    tmp_path: Path, root: Path, location: PosixLocation
) -> None:
    (tmp_path / "outside").mkdir()
    location.abort(b"a/x", location.begin(b"a/x", 1, METADATA))
    (root / "a").rmdir()
    (root / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(DestinationError, match="a symlink is in the way at a"):
        location.begin(b"a/x", 1, METADATA)
    assert os.listdir(tmp_path / "outside") == []


def test_a_folder_that_was_removed_is_made_again(root: Path, location: PosixLocation) -> None:
    location.abort(b"a/b/x", location.begin(b"a/b/x", 1, METADATA))
    shutil.rmtree(root / "a")
    upload_id = location.begin(b"a/b/x", 1, METADATA)
    assert os.listdir(root / "a" / "b") == [upload_id]


def test_a_file_in_the_way_of_a_folder(root: Path, location: PosixLocation) -> None:
    (root / "a").write_bytes(b"")
    with pytest.raises(DestinationError, match="a file is in the way at a"):
        location.begin(b"a/x", 1, METADATA)
    assert location.head(b"a/x") is None


def test_an_empty_folder_gives_way_and_a_full_one_does_not(root: Path, location: PosixLocation) -> None:
    for name in ("empty", "full"):
        (root / name).mkdir()
    (root / "full" / "x").write_bytes(b"")
    location.complete(b"empty", location.begin(b"empty", 0, METADATA), [], 0, METADATA)
    assert (root / "empty").is_file()
    with pytest.raises(DestinationError, match="a folder that is not empty is in the way"):
        location.complete(b"full", location.begin(b"full", 0, METADATA), [], 0, METADATA)


def test_a_symlink_of_that_name_is_replaced_not_written_through(
    tmp_path: Path, root: Path, location: PosixLocation
) -> None:
    (tmp_path / "outside").write_bytes(b"keep")
    (root / "x").symlink_to(tmp_path / "outside")
    location.complete(b"x", location.begin(b"x", 0, METADATA), [], 0, METADATA)
    assert (root / "x").is_file() and not (root / "x").is_symlink()
    assert (tmp_path / "outside").read_bytes() == b"keep"


def test_what_must_be_new_replaces_nothing(root: Path, location: PosixLocation) -> None:
    (root / "there").write_bytes(b"keep")
    upload_id = location.begin(b"there", 0, METADATA)
    with pytest.raises(ExistsError, match="there already"):
        location.complete(b"there", upload_id, [], 0, METADATA, only_new=True)
    assert (root / "there").read_bytes() == b"keep"
    location.complete(b"new", location.begin(b"new", 0, METADATA), [], 0, METADATA, only_new=True)
    assert (root / "new").stat().st_nlink == 1
    location.abort(b"there", upload_id)
    assert {path.name for path in root.iterdir()} == {"there", "new"}


@needs_root
def test_temporary_files_are_private_and_final_ones_as_told(root: Path, location: PosixLocation) -> None:
    metadata = metadata_of(Kind.FILE, 0o104751, 12, 34, 10**18 + 1, 10**18 + 2, TransferOptions(), None)
    upload_id = location.begin(b"x", 0, metadata)
    assert stat.S_IMODE((root / upload_id).stat().st_mode) == 0o600
    location.complete(b"x", upload_id, [], 0, metadata)
    found = (root / "x").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o4751, 12, 34)
    assert (found.st_mtime_ns, found.st_atime_ns) == (10**18 + 1, 10**18 + 2)


def test_only_own_temporaries_are_aborted(root: Path, location: PosixLocation) -> None:
    (root / "mine").write_bytes(b"")
    for upload_id in ("mine", "../x", ".xsync-/../mine"):
        with pytest.raises(DestinationError, match="no temporary file"):
            location.abort(b"x", upload_id)
    assert (root / "mine").exists()


def test_open_folders_are_bounded(root: Path, location: PosixLocation) -> None:
    for number in range(MAX_OPEN_FOLDERS + 50):
        folder = root / f"{number:04d}"
        folder.mkdir()
        (folder / "x").write_bytes(b"%d" % number)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(MAX_OPEN_FOLDERS + 50):
        assert read_all(location, b"%04d/x" % number) == b"%d" % number
    assert len(os.listdir("/proc/self/fd")) - before <= MAX_OPEN_FOLDERS
    location.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_threads_never_get_each_others_folders(
    root: Path, location: PosixLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.locations.posix_folders.MAX_OPEN_FOLDERS", 2)
    for number in range(8):
        (root / str(number)).mkdir()
        (root / str(number) / "x").write_bytes(b"%d" % number)
    wrong: list[object] = []

    def read(first: int) -> None:
        for step in range(300):
            number = (first * 3 + step) % 8
            content = read_all(location, b"%d/x" % number)
            if content != b"%d" % number:
                wrong.append((number, content))

    threads = [threading.Thread(target=read, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@needs_root
def test_source_that_is_a_file_or_unreadable(open_folder: Path) -> None:
    (open_folder / "file").write_bytes(b"")
    with pytest.raises(SourceError, match=r"is not a folder\. Give the folder"):
        PosixLocation(LocationSpec(url=str(open_folder / "file"))).check_source()
    (open_folder / "closed").mkdir(mode=0o700)
    with as_nobody(), pytest.raises(SourceError, match="no permission"):
        PosixLocation(LocationSpec(url=str(open_folder / "closed"))).check_source()
    (open_folder / "listable").mkdir()
    (open_folder / "listable").chmod(0o744)
    with as_nobody(), pytest.raises(SourceError, match="no permission"):
        PosixLocation(LocationSpec(url=str(open_folder / "listable"))).check_source()


def test_an_empty_source_is_said_to_be_empty(root: Path, location: PosixLocation) -> None:
    location.check_source()
    assert location.describe().endswith(", empty")
    (root / "x").write_bytes(b"")
    assert "empty" not in location.describe()


@needs_root
def test_destination_is_made_or_says_why_not(tmp_path: Path, open_folder: Path) -> None:
    new = PosixLocation(LocationSpec(url=str(tmp_path / "new" / "er")))
    new.check_destination()
    assert os.listdir(tmp_path / "new" / "er") == []
    identity = new.identity()
    assert new.identity() == identity
    (tmp_path / "new" / "er").rename(tmp_path / "old")
    (tmp_path / "new" / "er").mkdir()
    assert new.identity() != identity, "a folder made anew is another destination"
    new.close()
    (tmp_path / "file").write_bytes(b"")
    for url in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DestinationError, match="a file is where a folder should be"):
            PosixLocation(LocationSpec(url=str(url))).check_destination()
    with as_nobody(), pytest.raises(DestinationError, match="no permission"):
        PosixLocation(LocationSpec(url=str(open_folder))).check_destination()


@needs_root
def test_folders_of_ours_are_made_writable(open_folder: Path) -> None:
    closed = open_folder / "root" / "closed"
    closed.mkdir(parents=True)
    closed.chmod(0o555)
    os.chown(closed, NOBODY, NOBODY)
    with as_nobody():
        location = PosixLocation(LocationSpec(url=str(open_folder / "root")))
        upload_id = location.begin(b"closed/x", 0, METADATA)
        location.abort(b"closed/x", upload_id)
        location.close()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o755


@needs_root
def test_large_files_of_others_arrive_without_their_owner(open_folder: Path) -> None:
    (open_folder / "root").mkdir()
    os.chown(open_folder / "root", NOBODY, NOBODY)
    with as_nobody():
        location = PosixLocation(LocationSpec(url=str(open_folder / "root")))
        location.complete(b"x", location.begin(b"x", 0, METADATA), [], 0, METADATA)
        location.close()
    assert location.not_kept == {"owner": 1}
    found = (open_folder / "root" / "x").stat()
    assert (found.st_uid, found.st_mode & (stat.S_ISUID | stat.S_ISGID)) == (NOBODY, 0)


@needs_root
def test_an_owner_who_is_not_root_gives_a_read_only_file_its_xattrs(open_folder: Path) -> None:
    (open_folder / "root").mkdir()
    os.chown(open_folder / "root", NOBODY, NOBODY)
    extras = Extras(((b"user.a", b"1"), (b"trusted.b", b"only root may")))
    metadata = {"file-permissions": "0100444", EXTRAS: encode(extras)}
    with as_nobody():
        location = PosixLocation(LocationSpec(url=str(open_folder / "root")))
        location.complete(b"x", location.begin(b"x", 0, metadata), [], 0, metadata)
        location.close()
    assert os.getxattr(open_folder / "root" / "x", "user.a") == b"1"
    assert stat.S_IMODE((open_folder / "root" / "x").stat().st_mode) == 0o444
    assert location.not_kept == {"extended attributes": 1}


@pytest.mark.parametrize(
    ("options", "expected"), [("ro", "mounted read-only"), ("nr_inodes=1", "no space is left")], ids=["ro", "full"]
)
def test_read_only_and_full_file_systems(tmp_path: Path, options: str, expected: str) -> None:
    script = (
        "import subprocess, sys\n"
        "from engine.errors import DestinationError\n"
        "from engine.locations.posix import PosixLocation\n"
        "from engine.model import LocationSpec\n"
        "subprocess.run(['mount', '-t', 'tmpfs', '-o', sys.argv[2], 'tmpfs', sys.argv[1]], check=True)\n"
        "try:\n"
        "    PosixLocation(LocationSpec(sys.argv[1])).check_destination()\n"
        "except DestinationError as error:\n"
        "    print(error)\n"
    )
    assert expected in run_with_mounts(script, str(tmp_path), options)


def test_identity_is_that_of_the_file_system_not_of_the_mount_point(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys\n"
        "from engine.locations.posix import PosixLocation\n"
        "from engine.model import LocationSpec\n"
        "source, other = sys.argv[1:]\n"
        "subprocess.run(['mount', '--bind', source, other], check=True)\n"
        "print(len({PosixLocation(LocationSpec(path)).identity() for path in (source, other)}))\n"
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert run_with_mounts(script, str(tmp_path / "a"), str(tmp_path / "b")) == "1\n"
