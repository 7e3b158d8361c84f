"""Objects that a file system cannot hold beside a folder of the same name: key ``a`` where there is a key ``a/b``."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from engine.model import Fate, Kind

CLASH = "collides with the folder of this name"


def without_clashes(rows: pa.Table) -> pa.Table:
    """ENTRY_SCHEMA rows in which such an object is UNREADABLE: the folder, which holds more, is kept.

    Rows of one folder that come in several slices are not compared with each other.
    """
    is_folder = pc.equal(rows["kind"], int(Kind.FOLDER))
    folders = _paths(rows.filter(is_folder))
    clashes = pc.and_(pc.is_in(_paths(rows), value_set=folders), pc.equal(rows["kind"], int(Kind.FILE)))
    clashes = pc.and_(clashes, pc.equal(rows["fate"], int(Fate.CANDIDATE)))
    if not pc.any(clashes).as_py():
        return rows
    for column, value in (("fate", pa.scalar(int(Fate.UNREADABLE), pa.uint8())), ("error", pa.scalar(CLASH))):
        index = rows.schema.get_field_index(column)
        rows = rows.set_column(index, rows.schema.field(index), pc.if_else(clashes, value, rows[column]))
    return rows


def _paths(rows: pa.Table) -> pa.Array:
    """A value for each entry that no other path has."""
    joined = pc.binary_join_element_wise(rows["dir"], rows["name"], pa.scalar(b"/", pa.binary()))
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
