"""Listings of a bucket: every key once and every folder closed, however the listing is cut into scans and slices."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.catalog.destination import sort_listing
from engine.locations.listing import ENTRY_SCHEMA, ScanLimit
from engine.locations.s3_listing import Listing, list_all
from engine.locations.s3_pages import Asked, check_page, next_token, parse_page, version_number
from engine.model import Fate, Kind
from tests.contract.sides import Everything, path_of_row

PREFIX = "base/"


class Bucket:
    """Answers ListObjectsV2 out of a set of keys, a few to a page, in the order of their bytes."""

    def __init__(self, keys: set[bytes], page: int, *, by_name: bool = False) -> None:
        self._keys = sorted(keys, key=lambda key: key.split(b"/")) if by_name else sorted(keys)
        self._page = page
        self.requests = 0

    def read(self, asked: Asked) -> bytes:
        self.requests += 1
        prefix = asked.prefix.encode()
        found: dict[bytes, None] = {}
        for key in self._keys:
            if key.startswith(prefix):
                rest = key[len(prefix) :]
                cut = rest.find(b"/") + 1 if asked.level else 0
                found[prefix + rest[:cut] if cut else key] = None
        names = list(found)
        start = 0
        if asked.token:
            start = int(asked.token)
        elif asked.after:
            after = asked.after.encode()
            position = self._keys.index(after)
            seen = set(self._keys[: position + 1])
            start = next((i for i, name in enumerate(names) if not self._is_over(name, seen, asked.level)), len(names))
        page, more = names[start : start + self._page], start + self._page < len(names)
        return _xml(page, asked.level, str(start + self._page) if more else None, prefix)

    def _is_over(self, name: bytes, seen: set[bytes], level: bool) -> bool:
        inside = [key for key in self._keys if key == name or (level and name.endswith(b"/") and key.startswith(name))]
        return all(key in seen for key in inside)


def _xml(names: list[bytes], level: bool, token: str | None, prefix: bytes) -> bytes:
    def quoted(name: bytes) -> str:
        return quote_plus(PREFIX.encode() + name, safe="/")

    item = "<LastModified>2025-01-02T03:04:05.678Z</LastModified><ETag>&quot;ab12&quot;</ETag><Size>5</Size>"
    folders = [name for name in names if level and name.endswith(b"/") and name != prefix]
    objects = "".join(f"<Contents><Key>{quoted(n)}</Key>{item}</Contents>" for n in names if n not in folders)
    prefixes = "".join(f"<CommonPrefixes><Prefix>{quoted(n)}</Prefix></CommonPrefixes>" for n in folders)
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return f"<ListBucketResult><EncodingType>url</EncodingType>{objects}{prefixes}{more}</ListBucketResult>".encode()


def listed(bucket: Bucket, limit: ScanLimit, folders: Sequence[bytes] = (b"",)) -> list[dict[str, object]]:
    """All rows, scanned as the runner does: the rest of a folder first, its subfolders when it is closed."""
    tables: list[pa.Table] = []
    left, rest, listing = [*folders], None, 1
    for _ in range(10_000):
        scan = Listing(bucket.read, PREFIX.encode(), limit, Everything(), listing)
        batch = scan.scan_rest(rest) if rest is not None else scan.scan(left[-3:])
        if rest is None:
            del left[-3:]
        tables.append(batch.rows)
        left += batch.folders_left
        rest = batch.rest
        listing += rest is None
        if not left and rest is None:
            rows: list[dict[str, object]] = pa.concat_tables(tables).to_pylist()
            return rows
    raise AssertionError("the listing never ends")


SEGMENTS = st.sampled_from([b"a", b"b", b"a-", b"a0", b"\xc3\xa4 +%&", b".hidden", b".xsync-own"])
KEYS = st.sets(st.lists(SEGMENTS, min_size=1, max_size=4).map(b"/".join), max_size=25)


@settings(max_examples=150, deadline=None)
@example(
    keys={b"a", b".hidden/a0", b".hidden/a/a", b".hidden/b"}, page=1, rows=1, slice_rows=1, by_name=False
)  # a page without rows, below a folder that is cut off there
@given(
    keys=KEYS,
    page=st.integers(1, 6),
    rows=st.sampled_from([1, 4, 50_000]),
    slice_rows=st.sampled_from([1, 3, sys.maxsize]),
    by_name=st.booleans(),
)
@example(keys={b"a/a/a", b"a/a0", b"a/b", b"b"}, page=1, rows=1, slice_rows=1, by_name=False)  # a table without rows
def test_every_key_once_and_every_folder_closed(
    keys: set[bytes], page: int, rows: int, slice_rows: int, by_name: bool
) -> None:
    found = listed(Bucket(keys, page, by_name=by_name), ScanLimit(rows, 60.0, slice_rows))
    data = {key for key in keys if not any(part.startswith(b".xsync-") for part in key.split(b"/"))}
    kinds = [(row["kind"], path_of_row(row), row["fate"]) for row in found]
    files = Counter(path for kind, path, fate in kinds if kind == Kind.FILE and fate == Fate.CANDIDATE)
    assert files == Counter(data)
    folders = {key.rsplit(b"/", depth)[0] for key in data for depth in range(1, key.count(b"/") + 1)} | {b""}
    entered = Counter(path for kind, path, fate in kinds if kind == Kind.FOLDER and fate == Fate.CANDIDATE)
    closed = Counter(row["dir"] for row in found if row["kind"] == Kind.LISTED)
    assert entered == closed
    assert set(entered) >= folders
    assert max(entered.values()) == 1
    listings: dict[object, set[object]] = {}
    for row in found:
        listings.setdefault(row["dir"], set()).add(row["listing"])
    assert all(len(numbers) == 1 for numbers in listings.values())


@settings(max_examples=150, deadline=None)
@given(keys=KEYS, page=st.integers(1, 6), rows=st.sampled_from([1, 4, 50_000]), by_name=st.booleans(), data=st.data())
def test_a_marker_is_seen_however_its_folder_was_listed(
    keys: set[bytes], page: int, rows: int, by_name: bool, data: st.DataObject
) -> None:
    folders = {key.rsplit(b"/", depth)[0] for key in keys for depth in range(1, key.count(b"/") + 1)}
    marked = {folder for folder in sorted(folders) if data.draw(st.booleans())}
    found = listed(Bucket(keys | {folder + b"/" for folder in marked}, page, by_name=by_name), ScanLimit(rows, 60.0))
    with tempfile.TemporaryDirectory() as place:
        pq.write_table(pa.Table.from_pylist(found, schema=ENTRY_SCHEMA), f"{place}/in")
        merged = pq.read_table(sort_listing([Path(place, "in")], Path(place, "out"))).to_pylist()
    there = [row for row in merged if row["kind"] == Kind.FOLDER and row["name"] and row["fate"] == Fate.CANDIDATE]
    seen = {path_of_row(row): row["etag"] for row in there}
    assert len(seen) == len(there)
    assert {path for path, etag in seen.items() if etag} == marked & set(seen)
    assert len(merged) == sum(row["kind"] != Kind.LISTED for row in found)


class BusyBucket(Bucket):
    """Answers the first requests only when there are ``together`` of them."""

    def __init__(self, keys: set[bytes], page: int, together: int) -> None:
        super().__init__(keys, page)
        self._gate = threading.Barrier(together)
        self._is_first = True

    def read(self, asked: Asked) -> bytes:
        if self._is_first:
            self._gate.wait(60.0)
            self._is_first = False
        return super().read(asked)


def test_flat_folders_that_reach_their_slice_at_the_same_time_are_all_listed() -> None:
    """A scan hands back one rest: what the others have begun must come again, as a whole."""
    flat = [b"flat-%d" % number for number in range(3)]
    keys = {b"%s/%02d" % (folder, number) for folder in flat for number in range(20)}
    keys |= {b"%s/sub-%02d/x" % (folder, number) for folder in flat for number in range(5)}
    found = listed(BusyBucket(keys, 2, together=len(flat)), ScanLimit(6, 60.0, slice_rows=4), flat)
    assert Counter(path_of_row(row) for row in found if row["kind"] == Kind.FILE) == Counter(keys)
    closed = [row for row in found if row["kind"] == Kind.LISTED]
    assert Counter(row["dir"] for row in closed) == Counter({key.rpartition(b"/")[0] for key in keys})
    listings = {row["dir"]: row["listing"] for row in closed}
    assert all(row["listing"] == listings[row["dir"]] for row in found)


def test_a_small_tree_costs_one_request() -> None:
    bucket = Bucket({f"{n % 40}/{n % 7}/{n}".encode() for n in range(900)}, 1_000)
    assert len(listed(bucket, ScanLimit())) > 900
    assert bucket.requests == 1


@given(keys=KEYS, page=st.integers(1, 6))
@settings(deadline=None)
def test_all_that_is_stored(keys: set[bytes], page: int) -> None:
    rows = [row for table in list_all(Bucket(keys, page).read, PREFIX.encode()) for row in table.to_pylist()]
    assert Counter(path_of_row(row) for row in rows) == Counter(keys)


def test_markers_are_folders_with_their_version() -> None:
    rows = listed(Bucket({b"", b"a/", b"a/b/", b"a/b/x", b"c/x"}, 2), ScanLimit())
    folders = {path_of_row(row): row["etag"] for row in rows if row["kind"] == Kind.FOLDER}
    assert folders == {b"": "ab12", b"a": "ab12", b"a/b": "ab12", b"c": None}


def test_objects_that_say_different_things_of_themselves() -> None:
    one = "<Contents><Key>a&amp;b</Key><LastModified>2025-01-02T03:04:05Z</LastModified><Size>1</Size></Contents>"
    two = one.replace("a&amp;b", "c").replace("<Size>", "<ETag>e</ETag><StorageClass>GLACIER</StorageClass><Size>")
    page = parse_page(f"<ListBucketResult>{one}{two}</ListBucketResult>".encode(), b"")
    assert page.objects.paths == [b"a&b", b"c"]
    assert page.objects.etag.to_pylist() == ["", "e"]
    assert page.objects.storage_class.to_pylist() == ["", "GLACIER"]
    assert page.objects.mtime_ns.to_pylist() == [1735787045 * 10**9] * 2


def test_tokens_and_what_is_no_page() -> None:
    token = b"<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>"
    assert next_token(b"<ListBucketResult>" + token) == "a&b"
    assert next_token(b"<ListBucketResult>" + token.replace(b"true", b"false")) is None
    check_page(b'<?xml version="1.0"?>\n<ListBucketResult xmlns="a">' + token + b"</ListBucketResult>\n")
    check_page(b"<ListBucketResult>" + token + b"</ListBucketResult>", "a")
    with pytest.raises(ValueError, match="this one again"):
        check_page(b"<ListBucketResult>" + token + b"</ListBucketResult>", "a&b")
    with pytest.raises(ValueError, match="not a listing"):
        check_page(b"<html></html>")
    with pytest.raises(ValueError, match="cut short"):
        check_page(b"<ListBucketResult>" + token)
    with pytest.raises(ValueError, match="more follows"):
        check_page(b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>")


def test_versions_are_told_apart() -> None:
    etags = [b"d41d8cd98f00b204e9800998ecf8427e", b"d41d8cd98f00b205e9800998ecf8427e-3", b"no digits", b""]
    assert len({version_number(etag) for etag in etags}) == len(etags)
    assert all(0 <= version_number(etag) < 1 << 64 for etag in etags)
