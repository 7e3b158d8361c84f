"""Listings of a bucket as rows in ENTRY_SCHEMA."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from engine.locations.listing import ENTRY_SCHEMA, Selector
from engine.model import Fate, Kind
from engine.names import is_safe_relative, path_of

PARALLEL_LISTINGS = 8
"""Pages asked for at once: each folder of the first level is listed by itself."""

UNSAFE_NAME = "unsafe name: empty, . or .. as a path segment"


class Page(NamedTuple):
    """One page of a listing. ``folders`` are common prefixes; keys and folders lack the location's prefix."""

    objects: Sequence[Any]
    folders: list[str]
    next_token: str | None


PageReader = Callable[[str, str | None, bool], Page]
"""(prefix below the location's, token or None, whether to stop at the next slash) -> page. Blocks."""


class Rows:
    """Rows of ENTRY_SCHEMA under construction; columns that S3 lacks are null."""

    def __init__(self, listing: int) -> None:
        self._listing = listing
        self._rows: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add_object(self, key: str, found: Any, task: int, fate: Fate = Fate.CANDIDATE) -> None:
        """Add what ListObjectsV2 says of one object; a key that ends in a slash is a folder's marker."""
        path = path_of(key)
        kind = Kind.FOLDER if path.endswith(b"/") else Kind.FILE
        self._add(
            path.removesuffix(b"/"),
            kind,
            fate,
            task,
            size=found["Size"],
            mtime_ns=nanoseconds(found["LastModified"]),
            etag=found["ETag"].strip('"'),
            storage_class=found.get("StorageClass"),
        )

    def add_folder(self, path: bytes, task: int, fate: Fate) -> None:
        """Add a folder that is known by the keys below it."""
        self._add(path, Kind.FOLDER, fate, task)

    def end_folder(self, path: bytes, task: int, count: int) -> None:
        """Close a folder with its LISTED row."""
        self._add_row(dir=path, name=b"", kind=int(Kind.LISTED), fate=0, task=task, size=count)

    def table(self) -> pa.Table:
        """All rows."""
        return pa.Table.from_pylist(self._rows, schema=ENTRY_SCHEMA)

    def _add(self, path: bytes, kind: Kind, fate: Fate, task: int, **columns: Any) -> None:
        error = None if is_safe_relative(path) else UNSAFE_NAME
        if error and fate == Fate.CANDIDATE:
            fate = Fate.UNREADABLE
        folder, _, name = path.rpartition(b"/")
        if error:  # told apart from every real entry: b"/x" is not x, and b"a//" is no row without a name
            name = (name or b"/") if folder else path
        self._add_row(dir=folder, name=name, kind=int(kind), fate=int(fate), task=task, error=error, **columns)

    def _add_row(self, **columns: Any) -> None:
        self._rows.append(columns | {"listing": self._listing})


def list_folder(read: PageReader, path: bytes, prefix: str, selector: Selector, rows: Rows) -> list[bytes]:
    """Add the rows of one folder (``prefix`` is its key, ending in a slash, or "") and return the folders to enter."""
    before = len(rows)
    entered: list[bytes] = []
    token: str | None = None
    if not path:
        rows.add_folder(b"", selector.task(b""), Fate.CANDIDATE)
    while True:
        page = read(prefix, token, True)
        for found in page.objects:
            key = found["Key"]
            if key != prefix:
                entry = path_of(key)
                rows.add_object(key, found, selector.task(entry), selector.fate(entry, False))
        for folder in page.folders:
            entry = path_of(folder.removesuffix("/")) or b"/"  # an empty segment, not the root
            enters = is_safe_relative(entry) and selector.enters(entry)
            unsafe_or_wanted = enters or not is_safe_relative(entry)
            rows.add_folder(entry, selector.task(entry), Fate.CANDIDATE if unsafe_or_wanted else Fate.EXCLUDED)
            if enters:
                entered.append(entry)
        token = page.next_token
        if token is None:
            rows.end_folder(path, selector.task(path), len(rows) - before)
            return entered


def list_all(read: PageReader) -> Iterator[pa.Table]:
    """Every object, a page a table, in any order; at most PARALLEL_LISTINGS pages are held."""
    with ThreadPoolExecutor(PARALLEL_LISTINGS, "xsync-list") as pool:
        waiting: list[tuple[str, str | None, bool]] = [("", None, True)]
        running: dict[Future[Page], tuple[str, bool]] = {}
        while waiting or running:
            while waiting and len(running) < PARALLEL_LISTINGS:
                prefix, token, level = waiting.pop()
                running[pool.submit(read, prefix, token, level)] = prefix, level
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                prefix, level = running.pop(done)
                page = done.result()
                if page.next_token is not None:
                    waiting.append((prefix, page.next_token, level))
                waiting += [(folder, None, False) for folder in page.folders]
                if page.objects:
                    rows = Rows(0)
                    for found in page.objects:
                        if found["Key"]:  # else the marker of the location itself
                            rows.add_object(found["Key"], found, 0)
                    yield rows.table()


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since the epoch; S3 tells whole seconds or milliseconds."""
    return round(moment.timestamp() * 1000) * 10**6
