"""Folders of the account, execution ids, and the refusal of network file systems."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from engine import home
from engine.errors import JournalError, UsageError
from engine.home import Home

MOUNTINFO = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:40 / /home rw,relatime shared:1 - nfs4 filer:/export/home rw,vers=4.1
41 40 8:1 / /home/fast rw,relatime shared:2 master:3 - xfs /dev/sdb rw
42 27 0:42 / /mnt/my\040share\011x rw - cifs //server/my\040share rw
43 27 0:43 / /mnt/back\134slash rw - fuse.sshfs me@host:/ rw
44 27 0:44 / /mnt/r\303\251 rw - lustre 10.0.0.1@tcp:/fs rw
45 27 0:45 / /stacked rw - autofs systemd-1 rw
46 45 0:46 / /stacked rw - nfs filer:/s rw
this line is of another form
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder of another account, which only root can make")


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "xsync"))
    return tmp_path / "xsync"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def make_execution(folder: Home, name: str) -> Path:
    path = folder.executions / name
    path.mkdir()
    (path / home.JOURNAL_NAME).touch()
    return path


def test_xsync_home_holds_profiles_and_state_and_everything_is_private(base: Path) -> None:
    found = home.prepare_home()
    assert found.base == base
    folders = [found.base, found.executions, found.state, found.surveys, found.locks, found.profiles]
    names = [str(path.relative_to(base)) for path in folders]
    assert names == [".", "executions", "state", "surveys", "locks", "profiles"]
    assert {mode_of(path) for path in folders} == {0o700}


def test_finding_creates_nothing(base: Path) -> None:
    assert home.find_home().executions == base / "executions"
    assert not base.exists()


def test_a_relative_xsync_home_survives_a_change_of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XSYNC_HOME", "here")
    assert home.find_home().base == tmp_path / "here"


def test_without_it_the_xdg_folders_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XSYNC_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    found = home.prepare_home()
    assert found.base == tmp_path / "state" / "xsync"
    assert found.profiles == tmp_path / "config" / "xsync" / "profiles"
    assert mode_of(found.base) == mode_of(found.profiles) == 0o700


def test_wider_folders_are_narrowed(base: Path) -> None:
    (base / "executions").mkdir(parents=True)
    (base / "executions").chmod(0o755)
    home.prepare_home()
    assert mode_of(base / "executions") == 0o700


def test_a_folder_that_xsync_home_names_keeps_its_mode(base: Path) -> None:
    base.mkdir()
    base.chmod(0o755)
    home.prepare_home()
    assert mode_of(base) == 0o755


@as_root
@pytest.mark.parametrize("name", ["", "executions", "locks"])
def test_a_folder_of_another_account_is_refused_with_owner_and_path(base: Path, name: str) -> None:
    (base / name).mkdir(parents=True)
    os.chown(base / name, 54321, 54321)
    with pytest.raises(JournalError, match=rf"{base / name} belongs to 54321, and this is root"):
        home.prepare_home()


def test_a_file_in_the_way_is_named(base: Path) -> None:
    base.mkdir()
    (base / "state").touch()
    with pytest.raises(JournalError, match=rf"{base / 'state'}: File exists.*XSYNC_HOME"):
        home.prepare_home()


@pytest.mark.parametrize(
    ("path", "point", "kind", "network"),
    [
        ("/etc/x", "/", "ext4", False),
        ("/", "/", "ext4", False),
        ("/home", "/home", "nfs4", True),
        ("/homeless", "/", "ext4", False),
        ("/home/fast/a/b", "/home/fast", "xfs", False),
        ("/home/faster", "/home", "nfs4", True),
        ("/mnt/my share\tx/y", "/mnt/my share\tx", "cifs", True),
        ("/mnt/back\\slash", "/mnt/back\\slash", "fuse.sshfs", True),
        ("/mnt/ré/x", "/mnt/ré", "lustre", True),
        ("/stacked/x", "/stacked", "nfs", True),
    ],
)
def test_the_mount_of_a_path(path: str, point: str, kind: str, network: bool) -> None:
    mount = home.mount_of(path, home.parse_mountinfo(MOUNTINFO))
    assert mount is not None
    assert (mount.point, mount.type, home.is_network_type(mount.type)) == (point, kind, network)


def test_the_source_of_a_mount_is_unescaped() -> None:
    mount = home.mount_of("/mnt/my share\tx", home.parse_mountinfo(MOUNTINFO))
    assert mount is not None
    assert mount.source == "//server/my share"


def test_no_mounts_no_answer() -> None:
    assert home.mount_of("/x", home.parse_mountinfo(b"")) is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse", "fuse.sshfs", "fuse.new", "lustre"])
def test_network_types(kind: str) -> None:
    assert home.is_network_type(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "fuse.mergerfs"])
def test_local_types(kind: str) -> None:
    assert not home.is_network_type(kind)


def test_a_network_file_system_is_refused_with_the_variable_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = b"1 1 0:1 / %s rw - nfs4 filer:/export rw\n" % os.fsencode(tmp_path.resolve())
    monkeypatch.setattr(Path, "read_bytes", lambda _: line)
    with pytest.raises(JournalError, match=r"nfs4 from filer:/export.*Set XSYNC_HOME to a folder on a local disk"):
        home.check_local_file_system(tmp_path / "not" / "there" / "yet")


def test_this_machine_passes(tmp_path: Path) -> None:
    home.check_local_file_system(tmp_path)


def test_ids_are_readable_and_sort_by_time() -> None:
    assert home.new_execution_id(1795381512.245, "lab-images") == "20261122-210512-lab-images-3eb8"
    assert home.new_execution_id(1795381512.0, None) == "20261122-210512-0000"


def test_ids_hold_any_name_without_mixing_two_up() -> None:
    odd = [home.new_execution_id(0.5, name) for name in ["a b", "a/b", "a-b", "../..", "ü", "日本", "x" * 300]]
    assert len(set(odd)) == len(odd)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,90}", name) for name in odd)


def test_find_execution(base: Path) -> None:
    folder = home.prepare_home()
    with pytest.raises(UsageError, match="There is no execution"):
        home.find_execution(folder)
    moments = [(100.1, "lab"), (100.6, "lab"), (100.3, "zoo"), (90000.0, None), (200.0, "my lab")]
    lab_1, lab_2, zoo, unnamed, spaced = [make_execution(folder, home.new_execution_id(*moment)) for moment in moments]
    (folder.executions / home.new_execution_id(1e9, "unfinished")).mkdir()
    make_execution(folder, "something else")

    assert home.list_execution_folders(folder) == [lab_1, zoo, lab_2, spaced, unnamed]
    assert home.find_execution(folder) == unnamed
    assert home.find_execution(folder, lab_1.name) == lab_1
    assert home.find_execution(folder, "lab") == lab_2
    assert home.find_execution(folder, "my lab") == spaced
    assert home.find_execution(folder, "19700101-000140-z") == zoo


def test_find_execution_lists_what_exists(base: Path) -> None:
    folder = home.prepare_home()
    made = [make_execution(folder, home.new_execution_id(float(second), "lab")) for second in range(12)]
    with pytest.raises(UsageError, match=rf"12 executions start with '1970'.*{made[11].name}, .*and 2 older ones"):
        home.find_execution(folder, "1970")
    with pytest.raises(UsageError, match=rf"No execution or profile is called ''.*{made[11].name}"):
        home.find_execution(folder, "")
