"""Which mounted file system a path is on, what kind it is, and what to try to make it faster. Reads mountinfo alone."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

_NETWORK_TYPES = re.compile(
    r"9p|afs|beegfs|ceph|cifs|coda|davfs|glusterfs|gpfs|lustre|mmfs|ncpfs|nfs4?|orangefs|panfs|pvfs2|smb3|smbfs|vboxsf|"
    r"virtiofs|wekafs|fuse(?!blk).*"
)
_LOCAL_FUSE = re.compile(r"fuse\.(bindfs|encfs|exfat|fuse-overlayfs|gocryptfs|mergerfs|ntfs-3g)")
_UNSTABLE_INODES = frozenset({"vfat", "exfat", "msdos", "cifs", "smb3", "smbfs", "davfs", "9p", "vboxsf"})
_FOLDING_TYPES = frozenset(
    {"vfat", "exfat", "msdos", "ntfs", "ntfs3", "fuseblk", "cifs", "smb3", "smbfs", "hfs", "hfsplus", "apfs"}
)
_NAMES = {"cifs": "SMB", "smb3": "SMB", "smbfs": "SMB"}
_TELLING = {
    "nfs": ("nconnect", "rsize", "proto"),
    "nfs4": ("nconnect", "rsize", "proto"),
    "cifs": ("vers", "rsize", "multichannel"),
    "smb3": ("vers", "rsize", "multichannel"),
}
"""Options that say how fast a network mount can be; the others are noise to a reader."""

_SMALL_NFS_READ = 1 << 20
"""Bytes; servers and clients of the last 15 years can do 1 MiB a request."""


class Mount(NamedTuple):
    """One mounted file system.

    ``root`` is the folder of the file system that is mounted at ``point`` (``/`` but for bind mounts). ``device`` tells
    file systems of this host apart until it restarts. ``options`` are those of the mount and of the file system; an
    option without a value has the value "".
    """

    point: bytes
    root: bytes
    device: str
    type: str
    source: str
    options: dict[str, str]

    @property
    def is_network(self) -> bool:
        """Whether reads cross a network. A FUSE type does unless it is known to be local."""
        return bool(_NETWORK_TYPES.fullmatch(self.type)) and not _LOCAL_FUSE.fullmatch(self.type)

    @property
    def stable_inodes(self) -> bool:
        """Whether a file keeps its inode number from mount to mount, so that hard links can be told by it."""
        return self.type not in _UNSTABLE_INODES and not self.type.startswith("fuse")

    @property
    def may_fold_names(self) -> bool:
        """Whether names that differ in case or Unicode form alone may be one, as far as the type tells."""
        return self.type in _FOLDING_TYPES

    @property
    def max_file_bytes(self) -> int:
        """The largest file that the type of file system can hold, in bytes."""
        return (1 << 32) - 1 if self.type in ("vfat", "msdos") else (1 << 63) - 1


UNKNOWN = Mount(b"/", b"/", "", "unknown", "", {})
"""Where there is no mountinfo (other systems than Linux)."""


def read_mounts() -> list[Mount]:
    """The mounts of this process in their order; empty where the system does not tell."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return list(_parsed(file.read()))
    except OSError:
        return []


@lru_cache(maxsize=1)
def _parsed(text: bytes) -> Sequence[Mount]:
    """A run asks some thirty times; reading is cheap, parsing is not."""
    return parse_mountinfo(text)


def parse_mountinfo(text: bytes) -> list[Mount]:
    """Read mountinfo (proc_pid_mountinfo(5)), passing over lines of another form."""
    mounts = []
    for line in text.splitlines():
        left, separator, right = line.partition(b" - ")
        before, after = left.split(b" "), right.split(b" ")
        if separator and len(before) >= 6 and len(after) >= 2:
            options = _options(before[5]) | _options(after[2] if len(after) > 2 else b"")
            point, root, source = _unescape(before[4]), _unescape(before[3]), os.fsdecode(_unescape(after[1]))
            mounts.append(Mount(point, root, before[2].decode(), after[0].decode(), source, options))
    return mounts


def mount_of(path: bytes, mounts: Sequence[Mount]) -> Mount:
    """The mount that holds an absolute ``path`` free of symlinks: the longest mount point, of equal ones the last."""
    best = UNKNOWN
    for mount in mounts:
        if is_below(path, mount.point) and (best is UNKNOWN or len(mount.point) >= len(best.point)):
            best = mount
    return best


def is_below(path: bytes, folder: bytes) -> bool:
    """Whether absolute ``path`` is ``folder`` or lies in it."""
    return (path + b"/").startswith(folder.rstrip(b"/") + b"/")


def path_in_volume(path: bytes, mount: Mount) -> bytes:
    """Where ``path`` is inside the file system itself, however much of it is mounted, without leading slash."""
    inside = mount.root.rstrip(b"/") + path[len(mount.point.rstrip(b"/")) :]
    return inside.strip(b"/")


def describe_mount(mount: Mount) -> str:
    """One line for a person, such as ``NFSv4.1 from filer:/export, nconnect=1: try nconnect=8``."""
    if not mount.is_network:
        read_only = ", read-only" if "ro" in mount.options else ""
        return f"{mount.type} on {mount.source}{read_only}" if mount.source else mount.type
    shown = [f"{name}={mount.options[name]}" for name in _TELLING.get(mount.type, ()) if mount.options.get(name)]
    if mount.type in ("nfs", "nfs4") and "nconnect" not in mount.options:
        shown.insert(0, "nconnect=1")
    facts = ", ".join(
        [f"{_name(mount)} from {mount.source}", *shown, *(["read-only"] if "ro" in mount.options else [])]
    )
    advice = _advice(mount)
    return f"{facts}: {advice}" if advice else facts


def _name(mount: Mount) -> str:
    if mount.type in ("nfs", "nfs4"):
        return f"NFSv{mount.options.get('vers') or ('4' if mount.type == 'nfs4' else '3')}"
    return _NAMES.get(mount.type, mount.type)


def _advice(mount: Mount) -> str:
    options = mount.options
    if mount.type in ("nfs", "nfs4"):
        tips = [
            "try nconnect=8" if int(options.get("nconnect") or 1) < 4 else "",
            "try rsize=1048576" if 0 < int(options.get("rsize") or 0) < _SMALL_NFS_READ else "",
            "soft mounts give errors for slow replies: prefer hard" if "soft" in options else "",
        ]
        return ", ".join(tip for tip in tips if tip)
    if mount.type in ("cifs", "smb3") and "multichannel" not in options:
        return "try multichannel"
    return ""


def _options(field: bytes) -> dict[str, str]:
    pairs = (os.fsdecode(_unescape(option)).partition("=") for option in field.split(b",") if option)
    return {name: value for name, _, value in pairs}


def _unescape(field: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
