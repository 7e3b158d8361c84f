"""POSIX attributes as object metadata: DataSync's keys, written in one form and read in all known ones."""

from __future__ import annotations

import base64
import re
import stat
from collections.abc import Mapping
from typing import NamedTuple

from engine.model import Kind, TransferOptions

MODE = "file-permissions"
OWNER = "file-owner"
GROUP = "file-group"
MTIME = "file-mtime"
ATIME = "file-atime"
ORIGINAL_PATH = "xsync-original-path"
"""Base64 of a path that is not UTF-8 and whose key is therefore an escaped form of it."""

DEFAULT_MODE, DEFAULT_FOLDER_MODE, DEFAULT_ID = 0o100755, 0o040755, 65534
"""What an object without POSIX metadata gets as a file, as from DataSync."""

_TYPE_OF_KIND = {Kind.FILE: stat.S_IFREG, Kind.FOLDER: stat.S_IFDIR, Kind.SYMLINK: stat.S_IFLNK}
_KIND_OF_TYPE = {kind_type: kind for kind, kind_type in _TYPE_OF_KIND.items()}
_SECONDS_NANOSECONDS = re.compile(r"(-?\d{1,19})/(\d{1,9})", re.ASCII)
_NUMBER_UNIT = re.compile(r"(-?\d{1,19})(ns|ms)?", re.ASCII)
_OCTAL = re.compile(r"[0-7]{3,7}", re.ASCII)
_ID = re.compile(r"\d{1,10}", re.ASCII)

_LARGEST_ID = (1 << 32) - 2
"""-1 as an unsigned number means "leave it" to chown."""


class FileAttributes(NamedTuple):
    """What metadata says of a file; None where it says nothing or nothing readable.

    ``mode`` are the low 12 bits, ``kind`` comes from the type bits. Times are nanoseconds since the epoch.
    """

    mode: int | None = None
    kind: Kind | None = None
    uid: int | None = None
    gid: int | None = None
    mtime_ns: int | None = None
    atime_ns: int | None = None
    original_path: bytes | None = None


_NOTHING = FileAttributes()


def metadata_of(
    kind: int,
    mode: int,
    uid: int,
    gid: int,
    mtime_ns: int,
    atime_ns: int,
    options: TransferOptions,
    original_name: bytes | None,
) -> dict[str, str]:
    """The metadata that an entry gets, as far as ``options`` ask for it.

    ``kind`` is a Kind; ``mode`` may lack its type bits. ``original_name`` is the path: it is kept where its key is not
    the path itself. Keys and values are ASCII, at most about 1,600 bytes (S3 allows 2,048).
    """
    found: dict[str, str] = {}
    if options.mtime == "PRESERVE":
        found[MTIME] = f"{mtime_ns}ns"
    if options.atime == "BEST_EFFORT":
        found[ATIME] = f"{atime_ns}ns"
    if options.uid == "INT_VALUE":
        found[OWNER] = str(uid)
    if options.gid == "INT_VALUE":
        found[GROUP] = str(gid)
    if options.posix_permissions == "PRESERVE":
        type_bits = stat.S_IFMT(mode) or _TYPE_OF_KIND.get(Kind(kind), 0)
        found[MODE] = f"{type_bits | stat.S_IMODE(mode):07o}"
    if original_name is not None and not _is_utf8(original_name):
        found[ORIGINAL_PATH] = base64.b64encode(original_name).decode()
    return found


def parse_metadata(metadata: Mapping[str, str]) -> FileAttributes:
    """Read metadata in every form that DataSync, Storage Gateway, FSx for Lustre and other tools write.

    Times: ``<n>ns``, ``<n>ms``, ``<n>`` (milliseconds) and ``<seconds>/<nanoseconds>``. Permissions: octal with or
    without type bits. Owners that are names are not numbers of this host and read as None. Never raises.
    """
    if not metadata:
        return _NOTHING
    values = {key.lower(): value.strip() for key, value in metadata.items()}
    mode = _octal(values.get(MODE, ""))
    return FileAttributes(
        mode=None if mode is None else stat.S_IMODE(mode),
        kind=None if mode is None else _KIND_OF_TYPE.get(stat.S_IFMT(mode)),
        uid=_identifier(values.get(OWNER, "")),
        gid=_identifier(values.get(GROUP, "")),
        mtime_ns=_nanoseconds(values.get(MTIME, "")),
        atime_ns=_nanoseconds(values.get(ATIME, "")),
        original_path=_decode(values.get(ORIGINAL_PATH, "")),
    )


def _is_utf8(path: bytes) -> bool:
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True


def _octal(text: str) -> int | None:
    return int(text, 8) if _OCTAL.fullmatch(text) else None


def _identifier(text: str) -> int | None:
    number = int(text) if _ID.fullmatch(text) else None
    return number if number is not None and number <= _LARGEST_ID else None


def _nanoseconds(text: str) -> int | None:
    if text.endswith("ns") and text[:-2].isdecimal() and text.isascii() and len(text) <= 21:
        found = int(text[:-2])
    elif match := _SECONDS_NANOSECONDS.fullmatch(text):
        found = int(match[1]) * 10**9 + int(match[2])
    elif match := _NUMBER_UNIT.fullmatch(text):
        found = int(match[1]) * (1 if match[2] == "ns" else 10**6)
    else:
        return None
    return found if -(1 << 63) <= found < 1 << 63 else None


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) or None
    except ValueError:
        return None
