"""Names of a file system that share one object key: all but the first in byte order fail, with what lies below them.

Told by the source as it is, and not by what is work: what is known to be there already must keep its key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.totals import COLLIDES
from engine.locations.listing import ScanBatch
from engine.model import Fate, Kind
from engine.names import text_of, twin_of


def without_twins(batch: ScanBatch, sliced: Collection[bytes], exists: Callable[[bytes], bool]) -> ScanBatch:
    """``batch`` with the losers UNREADABLE, and nothing of what is in a folder that lost.

    ``sliced``: folders of which it holds a part; ``exists(path)`` tells of the other names there.
    """
    lost = dict(_lost(batch.rows, sliced, exists))
    if not lost:
        return batch
    rows = batch.rows
    losers = set(lost)
    fate, errors = rows["fate"].to_pylist(), rows["error"].to_pylist()
    kept = []
    for row, (path, folder, kind) in enumerate(_places(rows)):
        kept.append(not _is_in(folder, losers))
        if path in lost and kind != Kind.LISTED and fate[row] == Fate.CANDIDATE:
            fate[row], errors[row] = int(Fate.UNREADABLE), f"{COLLIDES}: {text_of(lost[path])}"
    for column, values in (("fate", fate), ("error", errors)):
        index = rows.schema.get_field_index(column)
        rows = rows.set_column(index, rows.schema.field(index), pa.array(values, rows.schema.field(index).type))
    rest = None if batch.rest is not None and _is_in(batch.rest.folder, losers) else batch.rest
    folders = [path for path in batch.folders_left if not _is_in(path, losers)]
    return ScanBatch(rows.filter(pa.array(kept, pa.bool_())), folders, rest)


def _lost(
    rows: pa.Table, sliced: Collection[bytes], exists: Callable[[bytes], bool]
) -> Collection[tuple[bytes, bytes]]:
    """The paths that lose their key, and who has it."""
    if _is_plain(rows["name"]):
        return []
    found = {path: folder for path, folder, kind in _places(rows) if kind != Kind.LISTED}
    lost = []
    for path, folder in found.items():
        start = len(folder) + 1 if folder else 0
        twin = None if path.isascii() else twin_of(path[start:])
        owner = path[:start] + twin if twin is not None else path
        if owner < path and (owner in found or (folder in sliced and exists(owner))):
            lost.append((path, owner))
    return lost


def _is_plain(names: pa.ChunkedArray) -> bool:
    """Whether no name has a twin: all are valid, and none looks like an escaped one."""
    try:
        text = names.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return not pc.any(pc.match_substring(text, "\u201b")).as_py()


def _places(rows: pa.Table) -> list[tuple[bytes, bytes, int]]:
    """Path, folder and kind of each row."""
    columns = (rows[name].to_pylist() for name in ("dir", "name", "kind"))
    return [
        (folder + b"/" + name if folder else name, folder, kind) for folder, name, kind in zip(*columns, strict=True)
    ]


def _is_in(path: bytes, folders: Collection[bytes]) -> bool:
    """Whether ``path`` is one of ``folders``, or lies below it."""
    while path:
        if path in folders:
            return True
        path = path.rpartition(b"/")[0]
    return False
