"""What every adapter must do, whatever it stores into. Tests skip by what an adapter declares, never by its class."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from engine.errors import DestinationError, SourceError, UploadGoneError
from engine.filters import Filters
from engine.locations.base import Assembles, Inspects, Lists, Location, PartResult, Reads
from engine.locations.listing import ENTRY_SCHEMA, ScanLimit
from engine.locations.metadata import metadata_of, parse_metadata
from engine.locations.registry import open_location
from engine.model import Fate, FilterSpec, Kind, TransferOptions
from engine.planning.partition import TaskSelector
from engine.transfer.crt import combine_crc64nvme, crc64nvme
from tests.contract.sides import Side, files_of, listed, path_of_row, rows_of, skip_unless

MIB = 1 << 20
METADATA = metadata_of(
    Kind.FILE, 0o100640, 12, 34, 1_600_000_000_123_456_789, 1_500_000_000_000_000_001, TransferOptions(), None
)

NAMES = [
    b"plain",
    b"with space",
    b"new\nline",
    b"tab\tand\x01control",
    "gr\u00fc\u00df \U0001f600".encode(),
    "e\u0301 decomposed".encode(),
    b"-rf",
    b"--help",
    b"a+b%41&c=d?e#f;g",
    b"<xml>\"'",
    b"trailing.",
    b"trailing ",
    b".hidden",
    b"n" * 255,
    b"deep/er/and/deep er",
]
"""Names that any server must keep. SeaweedFS maps ``\\`` and ``//`` to ``/`` and refuses ``.`` and ``..`` segments."""

INVALID_NAMES = [b"\xff\xfe", b"caf\xe9/\x80", b"mixed \xc3\xa9\xe9"]
"""Names that are not UTF-8: byte for byte in a folder, escaped reversibly in a key."""


def assembled(side: Side, path: bytes, pieces: list[bytes]) -> tuple[str, list[PartResult], int]:
    """An upload whose parts are all sent, last part first; its id, parts and combined checksum."""
    size = sum(map(len, pieces))
    upload_id = side.location.begin(path, size, METADATA)
    parts: list[PartResult] = []
    offset = size
    for number in range(len(pieces), 0, -1):
        offset -= len(pieces[number - 1])
        parts.insert(0, side.send_part(path, upload_id, number, offset, pieces[number - 1]))
    checksum = 0
    for part in parts:
        checksum = combine_crc64nvme(checksum, part.checksum, part.size) if part.number > 1 else part.checksum
    return upload_id, parts, checksum


def test_declares_and_implements(side: Side) -> None:
    location = side.location
    assert isinstance(location, Location)
    assert isinstance(location, Lists)
    assert isinstance(location, Assembles)
    assert isinstance(location, Inspects)
    assert isinstance(location, Reads)
    assert location.capabilities.max_key_bytes > 0
    assert location.describe()


def test_identity_is_stable_and_tells_places_apart(side: Side) -> None:
    again = open_location(side.spec)
    assert again.identity() == side.location.identity()
    again.close()
    below = open_location(type(side.spec)(side.spec.url + "/below", side.spec.region, side.spec.endpoint_url))
    assert below.identity() != side.location.identity()
    below.close()


def test_empty_storage_is_valid_and_lists_nothing(side: Side) -> None:
    side.location.check_source()
    side.location.check_destination()
    rows = listed(side.location)
    assert [(row["kind"], row["dir"], row["name"]) for row in rows] == [
        (Kind.FOLDER, b"", b""),
        (Kind.LISTED, b"", b""),
    ]
    assert [row for row in rows_of(side.location.stored()) if row["kind"] == Kind.FILE] == []
    assert side.location.top_folders() == []


def test_check_destination_leaves_nothing(side: Side) -> None:
    side.location.check_destination()
    assert files_of(rows_of(side.location.stored())) == {}
    assert list(side.location.open_uploads()) == []


def test_lists_what_was_put_under_its_own_name(side: Side) -> None:
    for number, name in enumerate([*NAMES, *INVALID_NAMES]):
        side.put(name, b"x" * number)
    expected = {name: number for number, name in enumerate([*NAMES, *INVALID_NAMES])}
    assert files_of(listed(side.location)) == expected
    assert files_of(rows_of(side.location.stored())) == expected


def test_heads_and_removes_every_name(side: Side) -> None:
    names = [*NAMES, *INVALID_NAMES]
    for name in names:
        side.put(name, name)
    for name in names:
        found = side.location.head(name)
        assert (found.path, found.size) == (name, len(name))
        if side.location.capabilities.checks_checksums:
            assert found.checksum == crc64nvme(name)
    assert side.location.remove(names) == []
    assert files_of(rows_of(side.location.stored())) == {}
    assert side.location.head(b"plain") is None
    assert side.location.remove([b"plain", b"never/was"]) == []


def test_remove_takes_more_than_one_batch(side: Side) -> None:
    names = [b"many/%04d" % number for number in range(1005)]
    for name in names:
        side.put(name, b"")
    side.put(b"keep", b"")
    assert side.location.remove(iter(names)) == []
    assert files_of(rows_of(side.location.stored())) == {b"keep": 0}


def test_top_folders_are_sorted_and_leave_out_what_is_never_copied(side: Side) -> None:
    for path in (b"b/x", b"a/x", b"\xff/x", b".snapshot/x", b".aws-datasync/x", b"file"):
        side.put(path, b"")
    assert side.location.top_folders() == [b"a", b"b", b"\xff"]


def test_a_listing_closes_every_folder_and_resumes(side: Side) -> None:
    for path in (b"a/1", b"a/2", b"a/b/3", b"c/4", b"5"):
        side.put(path, b"x")
    rows = listed(side.location, ScanLimit(rows=1))
    assert files_of(rows) == {b"a/1": 1, b"a/2": 1, b"a/b/3": 1, b"c/4": 1, b"5": 1}
    ends = {row["dir"]: row["size"] for row in rows if row["kind"] == Kind.LISTED}
    assert set(ends) == {b"", b"a", b"a/b", b"c"}
    for folder, count in ends.items():
        assert count == sum(row["dir"] == folder and row["kind"] != Kind.LISTED for row in rows)
    assert {row["listing"] for row in rows} == {7}
    assert {path_of_row(row) for row in rows if row["kind"] == Kind.FOLDER} == {b"", b"a", b"a/b", b"c"}


class OnlyA:
    """Wants folder ``a`` without what is in ``a/no``."""

    def fate(self, path: bytes, is_folder: bool) -> Fate:
        return Fate.CANDIDATE if path.startswith(b"a/") else Fate.EXCLUDED

    def enters(self, path: bytes) -> bool:
        return path == b"a"

    def trivial(self, folder: bytes) -> bool:
        return False

    def task(self, path: bytes) -> int:
        return 3 if path.startswith(b"a") else 0

    def tasks_inside(self, folder: bytes) -> Callable[[bytes], int] | None:
        return None if folder else self.task


def test_a_listing_asks_the_selector(side: Side) -> None:
    for path in (b"a/yes", b"a/no/x", b"b/x", b"top"):
        side.put(path, b"x")
    batch = side.location.scan([b""], ScanLimit(seconds=60.0), OnlyA(), 1)
    assert batch.folders_left == []
    assert batch.rows.schema.equals(ENTRY_SCHEMA)
    rows = {path_of_row(r): (r["fate"], r["task"]) for r in batch.rows.to_pylist() if r["kind"] != Kind.LISTED}
    assert rows.pop(b"") == (Fate.CANDIDATE, 0)
    assert rows == {
        b"a": (Fate.CANDIDATE, 3),
        b"a/yes": (Fate.CANDIDATE, 3),
        b"a/no": (Fate.EXCLUDED, 3),
        b"b": (Fate.EXCLUDED, 0),
        b"top": (Fate.EXCLUDED, 0),
    }


@pytest.mark.parametrize(
    "limit",
    [ScanLimit(), ScanLimit(1), ScanLimit(slice_rows=3), ScanLimit(is_awaited=lambda: True)],
    ids=["all", "small", "slices", "awaited"],
)
@pytest.mark.parametrize("filters", [FilterSpec(), FilterSpec((), ("tmp",))], ids=["trivial", "filtered"])
def test_every_entry_has_the_task_of_its_path(side: Side, limit: ScanLimit, filters: FilterSpec) -> None:
    files = [b"a/b/c/x", b"a/b/d", b"a/e/f", b"a/g", b"other/a/b/x", b"top"]
    files += [b"flat/%02d" % number for number in range(12)] + [b"flat/1x/deep/y", b"flat/2"]
    for path in files:
        side.put(path, b"x")
    includes = [(), ("/a/b", "/flat/0*"), ("/a/e", "/top"), ("/flat/1*", "/flat/2")]
    selector = TaskSelector(Filters(filters), includes)
    batch = side.location.scan([b""], limit, selector, 1)
    left, rows = batch.folders_left, batch.rows.to_pylist()
    while left or batch.rest is not None:
        if batch.rest is not None:
            batch = side.location.scan_rest(batch.rest, limit, selector, 1)
            left = batch.folders_left + left
        else:
            batch = side.location.scan(left, limit, selector, 1)
            left = batch.folders_left
        rows += batch.rows.to_pylist()
    found = {path_of_row(row): row["task"] for row in rows if row["kind"] != Kind.LISTED}
    assert found == {path: selector.task(path) for path in found}
    assert {path: found[path] for path in (b"a/b/c/x", b"flat/07", b"flat/1x/deep", b"flat/2", b"top", b"a")} == {
        b"a/b/c/x": 1,
        b"flat/07": 1,
        b"flat/1x/deep": 3,
        b"flat/2": 3,
        b"top": 2,
        b"a": 0,
    }
    assert set(files) <= set(found)
    closed = {row["dir"]: row["task"] for row in rows if row["kind"] == Kind.LISTED}
    assert closed == {path: selector.task(path) for path in closed}


def test_parts_become_a_file_at_completion_only(side: Side) -> None:
    pieces = [b"a" * (5 * MIB), b"b" * (5 * MIB), b"tail"]
    upload_id, parts, checksum = assembled(side, b"folder/big one", pieces)
    assert side.get(b"folder/big one") is None
    etag = side.location.complete(b"folder/big one", upload_id, parts, checksum, METADATA).etag
    assert side.get(b"folder/big one") == b"".join(pieces)
    found = side.location.head(b"folder/big one")
    assert (found.size, found.etag) == (10 * MIB + 4, etag)
    assert parse_metadata(found.metadata).mtime_ns == 1_600_000_000_123_456_789
    assert parse_metadata(found.metadata).mode == 0o640
    assert list(side.location.open_uploads()) == []


def test_completion_replaces_what_was_there(side: Side) -> None:
    side.put(b"x", b"old")
    upload_id, parts, checksum = assembled(side, b"x", [b"new"])
    side.location.complete(b"x", upload_id, parts, checksum, METADATA)
    assert side.get(b"x") == b"new"


def test_a_wrong_checksum_completes_nothing(side: Side) -> None:
    skip_unless(side.location.capabilities.checks_checksums, "who writes the parts reads them back")
    upload_id, parts, checksum = assembled(side, b"x", [b"content"])
    with pytest.raises(DestinationError, match=r"BadDigest|checksum"):
        side.location.complete(b"x", upload_id, parts, checksum ^ 1, METADATA)
    assert side.get(b"x") is None


def test_missing_bytes_complete_nothing(side: Side) -> None:
    upload_id = side.location.begin(b"x", 10, METADATA)
    part = side.send_part(b"x", upload_id, 1, 0, b"12345")
    wrong = [part, part._replace(number=2, size=6)]
    with pytest.raises(DestinationError):
        side.location.complete(b"x", upload_id, wrong, part.checksum, METADATA)
    assert side.get(b"x") is None


def test_open_uploads_are_found_and_aborted(side: Side) -> None:
    before = time.time()
    upload_id = side.location.begin(b"folder/a b\xff", 3, METADATA)
    side.send_part(b"folder/a b\xff", upload_id, 1, 0, b"abc")
    (found,) = side.location.open_uploads()
    assert found.upload_id == upload_id
    assert found.path.startswith(b"folder/")
    assert before - 2 <= found.initiated_at <= time.time() + 2
    side.location.abort(found.path, found.upload_id)
    assert list(side.location.open_uploads()) == []
    side.location.abort(b"folder/a b\xff", upload_id)


def test_an_upload_that_vanished_starts_again(side: Side) -> None:
    upload_id, parts, checksum = assembled(side, b"x", [b"content"])
    side.location.abort(b"x", upload_id)
    with pytest.raises(UploadGoneError):
        side.location.complete(b"x", upload_id, parts, checksum, METADATA)
    assert side.get(b"x") is None
    side.put(b"x", b"Content")
    with pytest.raises(UploadGoneError):
        side.location.complete(b"x", upload_id, parts, checksum, METADATA)
    assert side.get(b"x") == b"Content"


def test_an_upload_that_was_completed_before_is_done(side: Side) -> None:
    skip_unless(side.location.capabilities.checks_checksums, "the destination keeps no checksum to compare")
    upload_id, parts, checksum = assembled(side, b"x", [b"content"])
    side.location.abort(b"x", upload_id)
    side.put(b"x", b"content")
    assert side.location.complete(b"x", upload_id, parts, checksum, METADATA).etag == side.location.head(b"x").etag


def test_a_missing_place_says_what_to_do(side: Side) -> None:
    missing = open_location(side.break_("missing"))
    with pytest.raises(SourceError, match=r"does not exist\. Check"):
        missing.check_source()
    missing.close()


@pytest.mark.parametrize("path", [b"../x", b"a/../../x", b"/etc/x", b"a//b", b".", b"..", b"a/./b", b"", b"nul\0"])
def test_no_path_leads_out(side: Side, path: bytes) -> None:
    with pytest.raises(DestinationError):
        side.location.begin(path, 1, METADATA)
    with pytest.raises(DestinationError):
        side.location.head(path)
    ((refused, reason),) = side.location.remove([path])
    assert refused == path
    assert reason


def test_close_twice_and_use_again(side: Side) -> None:
    side.put(b"x", b"1")
    side.location.close()
    side.location.close()
    assert side.location.head(b"x").size == 1
