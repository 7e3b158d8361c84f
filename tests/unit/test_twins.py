"""Names of one key in a listing: found in another slice too, and nothing of a folder that lost is kept."""

from __future__ import annotations

import pyarrow as pa

from engine.locations.listing import ENTRY_SCHEMA, Rest, ScanBatch
from engine.model import Fate, Kind
from engine.transfer.twins import without_twins

FIRST, SECOND = "a\u201bFF".encode(), b"a\xff"


def batch(*rows: tuple[bytes, bytes, Kind], left: tuple[bytes, ...] = (), rest: Rest | None = None) -> ScanBatch:
    found = [{"dir": folder, "name": name, "kind": int(kind), "fate": 0} for folder, name, kind in rows]
    return ScanBatch(pa.Table.from_pylist(found, schema=ENTRY_SCHEMA), list(left), rest)


def never(path: bytes) -> bool:
    raise AssertionError(path)


def fates(found: ScanBatch) -> list[tuple[bytes, bytes, int, str | None]]:
    return [(row["dir"], row["name"], row["fate"], row["error"]) for row in found.rows.to_pylist()]


def test_the_first_in_byte_order_has_the_key() -> None:
    found = without_twins(batch((b"d", SECOND, Kind.FILE), (b"d", FIRST, Kind.SYMLINK)), (), never)
    assert fates(found) == [
        (b"d", SECOND, Fate.UNREADABLE, "collides with another name: d/a\u201bFF"),
        (b"d", FIRST, Fate.CANDIDATE, None),
    ]


def test_a_name_without_its_twin_is_left_alone() -> None:
    listed = batch((b"d", SECOND, Kind.FILE), (b"e", FIRST, Kind.FILE), (b"d", b"plain", Kind.FILE))
    assert without_twins(listed, (), never) is listed


def test_a_slice_asks_for_the_names_that_it_does_not_hold() -> None:
    asked: list[bytes] = []

    def exists(path: bytes) -> bool:
        asked.append(path)
        return True

    found = without_twins(batch((b"d", SECOND, Kind.FILE), (b"d", b"plain", Kind.FILE)), {b"d"}, exists)
    assert [fate for _, _, fate, _ in fates(found)] == [Fate.UNREADABLE, Fate.CANDIDATE]
    assert asked == [b"d/" + FIRST]


def test_nothing_below_a_folder_that_lost_is_kept() -> None:
    listed = batch(
        (b"", FIRST, Kind.FOLDER),
        (b"", SECOND, Kind.FOLDER),
        (b"", b"", Kind.LISTED),
        (SECOND, b"x", Kind.FILE),
        (SECOND, b"", Kind.LISTED),
        (FIRST, b"x", Kind.FILE),
        (FIRST, b"", Kind.LISTED),
        left=(SECOND + b"/y", FIRST + b"/y"),
        rest=Rest(SECOND + b"/z", b"n"),
    )
    found = without_twins(listed, (), never)
    assert [(folder, name) for folder, name, _, _ in fates(found)] == [
        (b"", FIRST),
        (b"", SECOND),
        (b"", b""),
        (FIRST, b"x"),
        (FIRST, b""),
    ]
    assert (found.folders_left, found.rest) == ([FIRST + b"/y"], None)
