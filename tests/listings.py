"""What tests ask of the rows of a listing: by path, by folder, and against what lstat says."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.filters import Filters
from engine.model import Fate, FilterSpec, Kind
from engine.planning.partition.selector import TaskSelector

EVERYTHING = TaskSelector(Filters(FilterSpec()))
"""Only what is always left out is excluded, and there is but one task."""


def by_path(table: pa.Table) -> dict[bytes, dict[str, Any]]:
    """Entries by path; no path may occur twice."""
    found: dict[bytes, dict[str, Any]] = {}
    for row in table.to_pylist():
        if row["kind"] != Kind.LISTED:
            path = row["dir"] + b"/" + row["name"] if row["dir"] else row["name"]
            assert path not in found
            found[path] = row
    return found


def listed(table: pa.Table) -> dict[bytes, tuple[int, str | None]]:
    """(rows, error) by folder, of the LISTED rows."""
    rows = [row for row in table.to_pylist() if row["kind"] == Kind.LISTED]
    found = {row["dir"]: (row["size"], row["error"]) for row in rows}
    assert len(found) == len(rows)
    return found


def paths_of(root: Path) -> set[bytes]:
    start = os.fsencode(root)
    found = {b""}
    for folder, folders, files in os.walk(start):
        found |= {os.path.relpath(os.path.join(folder, name), start) for name in (*folders, *files)}
    return found


def assert_like_lstat(root: Path, entries: dict[bytes, dict[str, Any]]) -> None:
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
