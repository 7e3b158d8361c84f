"""Compares two folders entry by entry, for the demo without an S3 server; without the engine's code."""

from __future__ import annotations

import filecmp
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from xsync_tui.demo.verify import Difference, Verification


def compare_folders(source: Path, destination: Path) -> Verification:
    """Compare names, kinds, contents, link targets, modes, owners, times. Raises OSError if a side cannot be read."""
    began = time.monotonic()
    here, there = (dict(_entries(os.fsencode(folder), b"")) for folder in (source, destination))
    differences = [Difference(os.fsdecode(path), "missing at the destination") for path in here.keys() - there.keys()]
    differences += [Difference(os.fsdecode(path), "not in the source") for path in there.keys() - here.keys()]
    for path in here.keys() & there.keys():
        one, other = (os.path.join(os.fsencode(folder), path) for folder in (source, destination))
        what = _different(one, here[path], other, there[path])
        differences += [Difference(os.fsdecode(path), what)] if what else []
    modes = [status.st_mode for status in here.values()]
    folders = sum(map(stat.S_ISDIR, modes))
    return Verification(
        files=sum(map(stat.S_ISREG, modes)),
        symlinks=sum(map(stat.S_ISLNK, modes)),
        folders=folders,
        folders_with_metadata=folders,
        bytes=sum(status.st_size for status in here.values() if stat.S_ISREG(status.st_mode)),
        seconds=time.monotonic() - began,
        differences=tuple(sorted(differences)),
    )


def _entries(root: bytes, folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    with os.scandir(os.path.join(root, folder)) as found:
        for entry in found:
            path = os.path.join(folder, entry.name)
            yield path, entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(root, path)


def _different(here: bytes, one: os.stat_result, there: bytes, other: os.stat_result) -> str:
    """What is not the same, or nothing."""
    for name in ("st_mode", "st_uid", "st_gid"):
        if getattr(one, name) != getattr(other, name):
            return f"{name.removeprefix('st_')}: {getattr(one, name)} in the source, {getattr(other, name)} there"
    if stat.S_ISLNK(one.st_mode):
        return "" if os.readlink(here) == os.readlink(there) else "it points elsewhere"
    if one.st_mtime_ns != other.st_mtime_ns:
        return f"time: {one.st_mtime_ns} in the source, {other.st_mtime_ns} there"
    if stat.S_ISREG(one.st_mode) and not filecmp.cmp(here, there, shallow=False):
        return "its content differs"
    return ""
