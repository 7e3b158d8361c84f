"""A tree with every shape that a file system can hold, and independent readers that compare two trees."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

MEBIBYTE = 1 << 20
CAPABILITY = struct.pack("<IIIII", 0x02000001, 0x400, 0, 0, 0)

_NOBODY = 0xFFFFFFFF
_OLD, _SECOND = 1_450_000_000_123_456_789, 10**9
_ODD_NAMES = (
    b"new\nline",
    b"caf\xe9",
    b"n" * 255,
    b"-dash",
    b"  spaces ",
    "ünïcødé-文字".encode(),
    b"tab\tx",
    b"per%cent+plus",
    b"star*?[x]",
)


def acl(*entries: tuple[int, int, int]) -> bytes:
    """A POSIX ACL as the kernel takes it: (tag, permissions, id) each."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


ACCESS = acl((1, 6, _NOBODY), (2, 7, 1000), (4, 4, _NOBODY), (8, 5, 2000), (16, 7, _NOBODY), (32, 0, _NOBODY))
DEFAULT = acl((1, 7, _NOBODY), (2, 5, 1001), (4, 5, _NOBODY), (16, 5, _NOBODY), (32, 5, _NOBODY))


def make_shapes(folder: Path, *, odd_names: tuple[bytes, ...] = _ODD_NAMES) -> None:
    """Make the tree. Only root can: owners, capabilities and trusted xattrs are part of it."""
    root = os.fsencode(folder)
    for name in (b"", b"a", b"a/b", b"a/b/empty", b"c", b"acl", b"acl/sub", b"acl/inheriting", b"dir\xff"):
        os.mkdir(root + b"/" + name)
    _plain(root, odd_names)
    _permissions(root)
    _attributes(root)
    _sparse(root)
    for name, target in ((b"a/plain", b"c/hard"), (b"a/plain", b"dir\xff/hard"), (b"a/empty", b"c/no bytes")):
        os.link(root + b"/" + name, root + b"/" + target)
    for name, target in ((b"sp-large", b"a/b/hard-sparse"), (b"large", b"c/hard-large"), (b"c/xattrs", b"a/xattrs")):
        os.link(root + b"/" + name, root + b"/" + target)
    _symlinks(root)
    _times(root)


def differences(ours: Path, theirs: Path) -> list[str]:
    """How ``theirs`` differs from ``ours``: by a reader of its own, and by what rsync would do, where there is one."""
    one, other = entries_of(ours), entries_of(theirs)
    found = [f"{path!r}: {one.get(path)} {other.get(path)}" for path in one | other if one.get(path) != other.get(path)]
    program = shutil.which("rsync")
    if program is None:
        return found
    command = [program, "-aHAXn", "--delete", "--itemize-changes", f"{ours}/", f"{theirs}/"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, errors="replace")
    return found + done.stdout.splitlines()


def entries_of(folder: Path) -> dict[bytes, tuple[object, ...]]:
    """Path -> mode, owner, device, mtime (ns), content or target, xattrs with ACLs, and the first of its names."""
    root = os.fsencode(folder)
    paths = [root, *(os.path.join(place, name) for place, *both in os.walk(root) for names in both for name in names)]
    first: dict[int, bytes] = {}
    found: dict[bytes, tuple[object, ...]] = {}
    for path in sorted(paths):
        status, own = os.lstat(path), path[len(root) :]
        content: bytes | None = None
        if stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
        names = os.listxattr(path, follow_symlinks=False)
        xattrs = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
        owner = status.st_mode, status.st_uid, status.st_gid, status.st_rdev, status.st_mtime_ns
        link = own if stat.S_ISDIR(status.st_mode) else first.setdefault(status.st_ino, own)
        found[own] = (*owner, content, xattrs, link)
    return found


def different_holes(ours: Path, theirs: Path) -> list[bytes]:
    """Files whose ranges with data differ."""
    root, other = os.fsencode(ours), os.fsencode(theirs)
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = folder + b"/" + name
            if os.path.isfile(path) and not os.path.islink(path):
                twin = other + path[len(root) :]
                if list(data_ranges(path)) != list(data_ranges(twin)):
                    found.append(path)
    return found


def data_ranges(path: bytes) -> Iterator[tuple[int, int]]:
    """The ranges of a file with data, as the kernel tells them."""
    fd = os.open(path, os.O_RDONLY)
    try:
        end, size = 0, os.fstat(fd).st_size
        while end < size:
            try:
                start = os.lseek(fd, end, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(fd, start, os.SEEK_HOLE)
            yield start, end
    finally:
        os.close(fd)


def _write(path: bytes, content: bytes, mode: int = 0o644) -> bytes:
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)
    return path


def _plain(root: bytes, odd_names: tuple[bytes, ...]) -> None:
    _write(root + b"/a/empty", b"")
    _write(root + b"/a/plain", b"hello")
    _write(root + b"/dir\xff/file", b"in a folder whose name is not UTF-8")
    for number, name in enumerate(odd_names):
        _write(root + b"/a/" + name, b"odd %d" % number)


def _permissions(root: bytes) -> None:
    path = _write(root + b"/c/setuid", b"#!")
    os.chown(path, 1234, 4321)
    os.chmod(path, 0o6755)
    os.chmod(root + b"/c", 0o1777)
    os.chmod(root + b"/a/b/empty", 0o500)
    os.chown(root + b"/a/b", 5, 6)
    os.setxattr(_write(root + b"/c/read-only", b"x", 0o444), "user.on-read-only", b"v")


def _attributes(root: bytes) -> None:
    path = _write(root + b"/c/xattrs", b"x")
    for name, value in (("user.small", b"value\0with zero"), ("user.empty", b""), ("trusted.t", b"t")):
        os.setxattr(path, name, value)
    os.setxattr(path, "security.capability", CAPABILITY)
    os.setxattr(_write(root + b"/c/much", b"x"), "user.much", os.urandom(3_000))
    os.setxattr(_write(root + b"/acl/file", b"x"), "system.posix_acl_access", ACCESS)
    os.setxattr(root + b"/acl", "system.posix_acl_default", DEFAULT)
    os.setxattr(root + b"/acl", "system.posix_acl_access", ACCESS)
    _write(root + b"/acl/inherits", b"x")
    os.removexattr(_write(root + b"/acl/none", b"x"), "system.posix_acl_access")
    os.setxattr(root + b"/acl/sub", "user.folder", b"on a folder")
    os.setxattr(root + b"/acl/sub", "trusted.much", os.urandom(2_500))


def _sparse(root: bytes) -> None:
    for name, size, *islands in (
        (b"sp-leading", 3 * MEBIBYTE, (2 * MEBIBYTE, MEBIBYTE)),
        (b"sp-middle", 5 * MEBIBYTE, (0, 4_096), (4 * MEBIBYTE, MEBIBYTE)),
        (b"sp-trailing", 4 * MEBIBYTE, (0, 8_192)),
        (b"sp-only", 2 * MEBIBYTE),
        (b"sp-small", 200 << 10, (100 << 10, 4_096)),
        (b"sp-odd", 6 * MEBIBYTE + 123, (3 * MEBIBYTE, 77)),
        (b"sp-large", 50 * MEBIBYTE, (0, 5_000), (20 * MEBIBYTE + 4_096, 4_096), (40 * MEBIBYTE, 100)),
        (b"large", 34 * MEBIBYTE, (0, 34 * MEBIBYTE)),
    ):
        with open(root + b"/" + name, "wb") as file:
            file.truncate(size)
            for offset, length in islands:
                file.seek(offset)
                file.write(os.urandom(length))
    os.setxattr(root + b"/large", "user.large", "große Datei".encode())
    os.setxattr(root + b"/large", "system.posix_acl_access", ACCESS)


def _symlinks(root: bytes) -> None:
    links = ((b"a/relative", b"plain"), (b"dangling", b"/nowhere/at/all"), (b"absolute", b"/etc/passwd"))
    for name, target in (*links, (b"long", b"x" * 300), (b"binary", b"caf\xe9"), (b"to folder", b"a/b")):
        os.symlink(target, root + b"/" + name)
    os.setxattr(root + b"/absolute", "trusted.link", b"L", follow_symlinks=False)
    os.chown(root + b"/absolute", 77, 88, follow_symlinks=False)
    os.utime(root + b"/dangling", ns=(10**18 + 5, 10**18 + 123_456_789), follow_symlinks=False)


def _times(root: bytes) -> None:
    os.utime(root + b"/a/empty", ns=(1, 123_456_789))
    os.utime(root + b"/c/read-only", ns=(-5 * _SECOND, -86_400 * _SECOND + 7))
    os.utime(root + b"/c/setuid", ns=(4 * 10**18, 4_102_444_800 * _SECOND + 987_654_321))
    for folder, names, _ in os.walk(root, topdown=False):
        for name in (*names, b"."):
            if not os.path.islink(folder + b"/" + name):
                os.utime(folder + b"/" + name, ns=(_OLD, _OLD))
