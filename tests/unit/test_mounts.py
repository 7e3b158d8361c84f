"""Which mount a path is on, and what a person is told about it."""

from __future__ import annotations

import pytest

from engine.locations.mounts import Mount, describe_mount, mount_of, parse_mountinfo, path_in_volume, read_mounts

MOUNTINFO = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 0:40 / /mnt/lab rw,relatime shared:1 - nfs4 filer:/export rw,vers=4.1,rsize=1048576,proto=tcp,hard
31 27 0:41 / /mnt/lab\040two ro,relatime - nfs old:/x rw,vers=3,rsize=65536,nconnect=8,soft
32 27 254:0 /home/data /srv/bind rw - ext4 /dev/vda rw
33 27 0:42 / /mnt/share rw - cifs //server/share rw,vers=3.1.1
34 27 0:43 / /mnt/lab rw - tmpfs over rw
35 27 0:44 / /mnt/rclone rw - fuse.rclone remote: rw
36 27 8:1 / /mnt/usb rw - fuseblk /dev/sda1 rw
broken line
"""


def mounts() -> list[Mount]:
    return parse_mountinfo(MOUNTINFO)


def of(path: bytes) -> Mount:
    return mount_of(path, mounts())


def test_reads_lines_and_passes_over_others() -> None:
    assert len(mounts()) == 9
    assert of(b"/mnt/lab two/x").point == b"/mnt/lab two"
    assert of(b"/mnt/lab two").options["nconnect"] == "8"


@pytest.mark.parametrize(
    ("path", "point", "kind"),
    [
        (b"/", b"/", "ext4"),
        (b"/mnt", b"/", "ext4"),
        (b"/mnt/labs", b"/", "ext4"),
        (b"/mnt/lab/a", b"/mnt/lab", "tmpfs"),
        (b"/mnt/usb/x", b"/mnt/usb", "fuseblk"),
    ],
)
def test_longest_and_last_mount_wins(path: bytes, point: bytes, kind: str) -> None:
    assert (of(path).point, of(path).type) == (point, kind)


def test_path_in_volume_undoes_bind_mounts() -> None:
    assert path_in_volume(b"/srv/bind/a", of(b"/srv/bind/a")) == b"home/data/a"
    assert path_in_volume(b"/home/data/a", of(b"/home/data/a")) == b"home/data/a"
    assert path_in_volume(b"/", of(b"/")) == b""


def test_network_types() -> None:
    assert [m.point for m in mounts() if m.is_network] == [b"/mnt/lab", b"/mnt/lab two", b"/mnt/share", b"/mnt/rclone"]
    assert not of(b"/mnt/share").stable_inodes
    assert of(b"/").stable_inodes


def test_descriptions_advise() -> None:
    described = [describe_mount(mount) for mount in mounts()]
    assert described[1] == "ext4 on /dev/vda"
    assert described[2] == "NFSv4.1 from filer:/export, nconnect=1, rsize=1048576, proto=tcp: try nconnect=8"
    assert described[3] == (
        "NFSv3 from old:/x, nconnect=8, rsize=65536, read-only: "
        "try rsize=1048576, soft mounts give errors for slow replies: prefer hard"
    )
    assert described[5] == "SMB from //server/share, vers=3.1.1: try multichannel"
    assert described[7] == "fuse.rclone from remote:"


def test_this_system_has_a_root() -> None:
    assert mount_of(b"/", read_mounts()).point == b"/"
    assert mount_of(b"/nowhere", []).type == "unknown"
