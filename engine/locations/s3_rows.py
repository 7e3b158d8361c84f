"""Rows of ENTRY_SCHEMA out of the objects of a listing, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from engine.locations.listing import ENTRY_SCHEMA
from engine.locations.s3_pages import Objects
from engine.model import Fate, Kind
from engine.names import is_safe_relative

UNSAFE_NAME = "unsafe name: empty, . or .. as a path segment"


class Rows:
    """Rows under construction; columns that S3 lacks are null."""

    def __init__(self, listing: int) -> None:
        self._listing = listing
        self._tables: list[pa.Table] = []
        self._single: list[dict[str, Any]] = []
        self._bulk = 0

    def __len__(self) -> int:
        return self._bulk + len(self._single)

    def add_files(
        self, dirs: list[bytes], names: list[bytes], tasks: list[int], fates: list[int] | None, objects: Objects
    ) -> None:
        """Add objects that are files."""
        count = len(names)
        same = {"kind": int(Kind.FILE), "listing": self._listing, "ctime_ns": 0, "dev": 0}
        columns: dict[str, Any] = {"dir": dirs, "name": names, "task": tasks, **objects._asdict()}
        columns["fate"] = fates if fates is not None else pa.repeat(int(Fate.CANDIDATE), count)
        self._tables.append(_table(columns | {name: pa.repeat(value, count) for name, value in same.items()}, count))
        self._bulk += count

    def add_folder(self, path: bytes, task: int, fate: Fate, marker: Objects | None = None) -> None:
        """Add a folder that is known by the keys below it, or by its marker."""
        folder, _, name = path.rpartition(b"/")
        self._add(folder, name, Kind.FOLDER, fate, task, marker, None)

    def add_odd(self, folder: bytes, name: bytes, kind: Kind, task: int, found: Objects | None = None) -> None:
        """Add what cannot be copied because no path may be made of its key."""
        self._add(folder, name, kind, Fate.UNREADABLE, task, found, UNSAFE_NAME)

    def end_folder(self, path: bytes, task: int, count: int, marker: Objects | None = None) -> None:
        """Close a folder with its LISTED row; it has the ETag of the folder's ``marker``, if that was seen only now."""
        row = {"dir": path, "name": b"", "kind": int(Kind.LISTED), "fate": 0, "task": task, "size": count}
        etag = None if marker is None else marker.etag[0].as_py()
        self._single.append(row | {"listing": self._listing, "etag": etag})

    def drop_below(self, folder: bytes) -> list[bytes]:
        """Forget the rows of folders below ``folder``; return those candidates that lie directly in it."""
        below = folder + b"/" if folder else b""

        def is_below(path: bytes) -> bool:
            return path.startswith(below) and path != folder

        for index, table in enumerate(self._tables):
            kept = [not is_below(path) for path in table["dir"].to_pylist()]
            self._tables[index] = table.filter(pa.array(kept, pa.bool_()))
        self._bulk = sum(table.num_rows for table in self._tables)
        self._single = [row for row in self._single if not is_below(row["dir"])]
        wanted = (int(Kind.FOLDER), int(Fate.CANDIDATE))
        found = [row["name"] for row in self._single if (row["kind"], row["fate"]) == wanted and row["dir"] == folder]
        return [below + name for name in found if name]

    def table(self) -> pa.Table:
        """All rows."""
        return pa.concat_tables([*self._tables, pa.Table.from_pylist(self._single, schema=ENTRY_SCHEMA)])

    def _add(
        self, folder: bytes, name: bytes, kind: Kind, fate: Fate, task: int, found: Objects | None, error: str | None
    ) -> None:
        row: dict[str, Any] = {"dir": folder, "name": name, "kind": int(kind), "fate": int(fate), "task": task}
        if found is not None:
            row |= {column: values[0].as_py() for column, values in found._asdict().items() if column != "paths"}
            row |= {"dev": 0, "ctime_ns": 0}
        self._single.append(row | {"listing": self._listing, "error": error})


def object_rows(objects: Objects) -> pa.Table:
    """Objects as they are stored, markers among them, without the folders that they lie in."""
    rows = Rows(0)
    plain: list[int] = []
    for row, path in enumerate(objects.paths):
        if not is_safe_relative(path.removesuffix(b"/")):
            rows.add_odd(*odd_place(path), Kind.FILE, 0, objects.take([row]))
        elif path.endswith(b"/"):
            rows.add_folder(path[:-1], 0, Fate.CANDIDATE, objects.take([row]))
        elif path:  # else the marker of the location itself
            plain.append(row)
    if plain:
        chosen = objects if len(plain) == len(objects.paths) else objects.take(plain)
        pairs = [path.rpartition(b"/") for path in chosen.paths]
        dirs, names = [pair[0] for pair in pairs], [pair[2] for pair in pairs]
        rows.add_files(dirs, names, [0] * len(names), None, chosen)
    return rows.table()


def odd_place(path: bytes) -> tuple[bytes, bytes]:
    """Folder and name of a path that is none, told apart from every real entry: b"/x" is not x, nor b"a//" nameless."""
    folder, _, name = path.removesuffix(b"/").rpartition(b"/")
    return (folder, name or b"/") if folder else (b"", path.removesuffix(b"/") or b"/")


def _table(columns: dict[str, Any], count: int) -> pa.Table:
    return pa.table(
        [_column(columns.get(field.name), field.type, count) for field in ENTRY_SCHEMA], schema=ENTRY_SCHEMA
    )


def _column(values: Any, kind: pa.DataType, count: int) -> pa.Array:
    if values is None:
        return pa.nulls(count, kind)
    if isinstance(values, Sequence):
        return pa.array(values, kind)
    return values.cast(kind)
