"""Listings of a bucket as rows in ENTRY_SCHEMA.

A folder is listed flat, with all that lies below it, page by page. What is still open when the limit is reached (the
folder and those on the way to the last key) is listed to its end level by level; subfolders found that way are left to
others. So small trees cost one request for a thousand keys, and large ones are soon shared.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa

from engine.locations.listing import Rest, ScanBatch, ScanLimit, Selector
from engine.locations.s3_pages import Asked, Objects, Page, next_token, parse_page
from engine.locations.s3_rows import Rows, object_rows, odd_place
from engine.model import Fate, Kind
from engine.names import is_excluded_name, is_safe_relative, key_of

PARALLEL_LISTINGS = 8
"""Pages asked for at once."""

_UNSAFE = re.compile(rb"[/\0]\.{0,2}/|[/\0]\.{1,2}\0")
"""In paths with a zero byte around each: empty segments, and those of one or two dots."""


PageReader = Callable[[Asked], bytes]
"""The XML of a page. Blocks; raises LocationError."""


class _UnorderedError(Exception):
    """The server does not list a folder in one go."""


@dataclass(slots=True)
class _Open:
    """A folder being listed. ``tasks``: Selector.tasks_inside of it. ``excluded``: all of it is no data."""

    path: bytes
    task: int
    tasks: Callable[[bytes], int] | None
    rows: int = 0
    excluded: bool = False


class Listing:
    """One call of ``scan``. ``prefix`` is the location's own, as bytes."""

    def __init__(self, read: PageReader, prefix: bytes, limit: ScanLimit, selector: Selector, listing: int) -> None:
        self.read = read
        self.prefix = prefix
        self.limit = limit
        self.selector = selector
        self.listing = listing
        self._deadline = time.monotonic() + limit.seconds
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._share = limit.rows
        self._tables: list[pa.Table] = []
        self._left: list[bytes] = []
        self._rest: Rest | None = None
        self._done = 0

    def scan(self, folders: Sequence[bytes]) -> ScanBatch:
        """List folders until the limit; several at once where there are several."""
        self._waiting.extend(folders)
        threads = min(PARALLEL_LISTINGS, len(folders))
        if threads <= 1:
            self._work()
        else:
            self._share = max(1, self.limit.rows // threads)
            with ThreadPoolExecutor(threads, "xsync-list") as pool:
                for work in [pool.submit(self._work) for _ in range(threads)]:
                    work.result()
        return self._batch()

    def scan_rest(self, rest: Rest) -> ScanBatch:
        """Go on with a folder that was begun."""
        tree = _Tree(self, rest.folder)
        tree.go_on(rest.after.decode())
        self._keep(tree)
        return self._batch()

    def is_full(self, rows: int) -> bool:
        """Whether a thread that has found ``rows`` has reached its share of the limit."""
        return rows >= self._share or time.monotonic() >= self._deadline or self.limit.is_awaited()

    def pages(self, asked: Asked) -> Iterator[Page]:
        """A page after the other, each asked for before the one before it is taken apart."""
        body = self.read(asked)
        token = next_token(body)
        if token is None:
            yield parse_page(body, self.prefix)
            return
        with ThreadPoolExecutor(1, "xsync-page") as pool:
            while token is not None:
                following = pool.submit(self.read, asked._replace(token=token, after=None))
                yield parse_page(body, self.prefix)
                body = following.result()
                token = next_token(body)
            yield parse_page(body, self.prefix)

    def _work(self) -> None:
        while True:
            with self._lock:
                is_over = self._rest is not None or self._done >= self.limit.rows or self.is_full(0)
                if not self._waiting or (self._done and is_over):
                    return
                folder = self._waiting.popleft()
            tree = _Tree(self, folder)
            try:
                tree.list()
            except _UnorderedError:
                tree = _Tree(self, folder)
                tree.finish()
            self._keep(tree)

    def _keep(self, tree: _Tree) -> None:
        rest, table = tree.rest, tree.rows.table()
        with self._lock:
            if rest is not None and self._rest is not None:  # there can be but one: begin this folder again
                self._left.append(tree.folder)
                return
            self._tables.append(table)
            self._done += table.num_rows
            self._rest = rest or self._rest
            if tree.begun_before or rest is not None:  # what it holds must not be listed before it is
                self._left += tree.left
            else:
                self._waiting.extend(tree.left)

    def _batch(self) -> ScanBatch:
        table = pa.concat_tables(self._tables) if self._tables else Rows(0).table()
        return ScanBatch(table, [*self._waiting, *self._left], self._rest)


class _Tree:
    """A folder and what lies below it. ``open``: folders that are begun, each in the one before it."""

    def __init__(self, listing: Listing, folder: bytes) -> None:
        self._listing = listing
        self._selector = listing.selector
        self.folder = folder
        self.rows = Rows(listing.listing)
        self.open = [_Open(folder, listing.selector.task(folder), listing.selector.tasks_inside(folder))]
        self.left: list[bytes] = []
        self.rest: Rest | None = None
        self.begun_before = False
        self._marker: Objects | None = None
        self._own: Objects | None = None  # of ``folder``, whose row is in the scan that has found it
        self._has_root_row = bool(folder)
        self._seen: set[bytes] = set()

    def list(self) -> None:
        """List it flat as far as the limit allows, and finish what is open then."""
        listing, folder = self._listing, self.open[0].path
        if not self._selector.trivial(folder):
            self.finish()
            return
        last = None
        for page in listing.pages(Asked(_inside(folder))):
            self._take(page.objects)
            if page.next_token is None:
                last = None
            elif page.objects.paths:
                last = key_of(page.objects.paths[-1])
                if listing.is_full(len(self.rows)):
                    break
        while self.open:
            if last is None:
                self._close()
            else:
                self.finish(last)

    def go_on(self, token: str) -> None:
        """List the next slice of a folder that was begun; its own row was in the first one."""
        self._has_root_row = self.begun_before = True
        self._finish(Asked(_inside(self.open[-1].path), token, level=True))

    def finish(self, after: str | None = None) -> None:
        """List what is directly in the innermost open folder after a key, and close it; what lies deeper is left.

        If it has too many entries for one scan, it is given back as ``rest``, and what is in its subfolders is left,
        too: it must not count before the folder does.
        """
        if self.open[-1].excluded:
            self._close()
        else:
            self._finish(Asked(_inside(self.open[-1].path), level=True, after=after))

    def _finish(self, asked: Asked) -> None:
        folder = self.open[-1]
        for page in self._listing.pages(asked):
            self._take_level(folder, page)
            if page.next_token is not None and folder.rows >= self._listing.limit.slice_rows:
                self._slice(page.next_token)
                return
        self._close()

    def _close(self) -> None:
        ended = self.open.pop()
        if not ended.excluded:
            self._add_root(ended)
            self.rows.end_folder(ended.path, ended.task, ended.rows, self._own if ended.path == self.folder else None)

    def _slice(self, token: str) -> None:
        folder = self.open.pop()
        self._add_root(folder)
        self.rest = Rest(folder.path, token.encode())
        begun = self.rows.drop_below(folder.path)
        self.left = sorted({*begun, *(path for path in self.left if path.rpartition(b"/")[0] == folder.path)} - {b""})

    def _add_root(self, folder: _Open) -> None:
        if not self._has_root_row and not folder.path:
            self.rows.add_folder(b"", folder.task, Fate.CANDIDATE, self._marker)
            folder.rows += 1
            self._has_root_row = True

    def _take(self, objects: Objects) -> None:
        """Add the objects of a flat page, and the folders that their keys tell of."""
        if _UNSAFE.search(b"\0" + b"\0".join(objects.paths) + b"\0"):
            objects = self._without_odd(objects)
        pairs = [path.rpartition(b"/") for path in objects.paths]
        dirs, names = [pair[0] for pair in pairs], [pair[2] for pair in pairs]
        has_markers = b"" in names
        tasks: list[int] = []
        wanted: list[int] = []
        for path, group in groupby(dirs):
            start = len(tasks)
            end = start + sum(1 for _ in group)
            rows = list(range(start, end))
            marker = None
            if has_markers and b"" in names[start:end]:
                marker = objects.take([names.index(b"", start)])
                rows = [row for row in rows if names[row]]
                if path and path == self.folder:
                    self._own = marker
            folder = self._enter(path, marker)
            if not folder.excluded:
                wanted.extend(rows)
                folder.rows += len(rows)
            tasks += _tasks(folder, names[start:end])
        if len(wanted) < len(dirs):
            objects = objects.take(wanted)
            dirs, names = [dirs[row] for row in wanted], [names[row] for row in wanted]
            tasks = [tasks[row] for row in wanted]
        if wanted:
            self.rows.add_files(dirs, names, tasks, _fates(dirs, names), objects)

    def _without_odd(self, objects: Objects) -> Objects:
        """Add what has no safe path below the folder that is listed: the one it lies in may have none itself."""
        safe, root = [], self.open[0]
        for row, path in enumerate(objects.paths):
            if is_safe_relative(path.removesuffix(b"/")) and path != b"/":
                safe.append(row)
            else:
                name = path[len(root.path) + 1 :] if root.path else path
                self.rows.add_odd(root.path, name, Kind.FILE, root.task, objects.take([row]))
                root.rows += 1
        return objects.take(safe)

    def _enter(self, path: bytes, marker: Objects | None = None) -> _Open:
        """Open the folder at ``path`` and those on the way to it; close those that are over."""
        while self.open[-1].path != path and not _lies_in(path, self.open[-1].path):
            self._close()
        while self.open[-1].path != path:
            parent = self.open[-1]
            start = len(parent.path) + 1 if parent.path else 0
            end = path.find(b"/", start)
            self._open_below(parent, path if end < 0 else path[:end], path[start : end if end >= 0 else None], marker)
        if marker is not None and not path:
            self._marker = marker
        return self.open[-1]

    def _open_below(self, parent: _Open, path: bytes, name: bytes, marker: Objects | None) -> None:
        if path in self._seen:
            raise _UnorderedError
        self._seen.add(path)
        task, tasks = parent.task, None
        if parent.tasks is not None:
            task, tasks = parent.tasks(name), self._selector.tasks_inside(path)
        excluded = parent.excluded or is_excluded_name(name, at_root=not parent.path)
        if not parent.excluded:
            own = marker if marker is not None and marker.paths[0] == path + b"/" else None
            self.rows.add_folder(path, task, Fate.EXCLUDED if excluded else Fate.CANDIDATE, own)
            parent.rows += 1
        self.open.append(_Open(path, task, tasks, excluded=excluded))

    def _take_level(self, folder: _Open, page: Page) -> None:
        """Add what is directly in ``folder``; its new subfolders are left."""
        selector = self._selector
        plain: list[int] = []
        for row, path in enumerate(page.objects.paths):
            if not path:
                self._marker = page.objects.take([row])
            elif not is_safe_relative(path.removesuffix(b"/")):
                self._add_level_odd(folder, path, Kind.FILE, page.objects.take([row]))
            elif not path.endswith(b"/"):
                plain.append(row)
            elif path[:-1] == self.folder == folder.path:
                self._own = page.objects.take([row])
        if plain:
            objects = page.objects if len(plain) == len(page.objects.paths) else page.objects.take(plain)
            dirs, names = [folder.path] * len(plain), [path.rpartition(b"/")[2] for path in objects.paths]
            tasks = _tasks(folder, names)
            judged = None if selector.trivial(folder.path) else [int(selector.fate(p, False)) for p in objects.paths]
            self.rows.add_files(dirs, names, tasks, judged or _fates(dirs, names), objects)
            folder.rows += len(plain)
        for path in page.folders:
            self._add_subfolder(folder, path)

    def _add_subfolder(self, folder: _Open, path: bytes) -> None:
        if not is_safe_relative(path) or not path:
            self._add_level_odd(folder, path or b"/", Kind.FOLDER)
        elif path not in self._seen:
            self._seen.add(path)
            name = path.rpartition(b"/")[2]
            enters = self._selector.enters(path) and not is_excluded_name(name, at_root=not folder.path)
            task = folder.task if folder.tasks is None else folder.tasks(name)
            self.rows.add_folder(path, task, Fate.CANDIDATE if enters else Fate.EXCLUDED)
            folder.rows += 1
            if enters:
                self.left.append(path)

    def _add_level_odd(self, folder: _Open, path: bytes, kind: Kind, found: Objects | None = None) -> None:
        _, name = odd_place(path)
        self.rows.add_odd(folder.path, name, kind, folder.task, found)
        folder.rows += 1


def _tasks(folder: _Open, names: Sequence[bytes]) -> list[int]:
    return [folder.task] * len(names) if folder.tasks is None else list(map(folder.tasks, names))


def list_all(read: PageReader, prefix: bytes) -> Iterator[pa.Table]:
    """Every object, a page a table, in any order; at most PARALLEL_LISTINGS pages are held."""
    with ThreadPoolExecutor(PARALLEL_LISTINGS, "xsync-list") as pool:
        waiting = [Asked("", level=True)]
        running: dict[Future[bytes], Asked] = {}
        while waiting or running:
            while waiting and len(running) < PARALLEL_LISTINGS:
                asked = waiting.pop()
                running[pool.submit(read, asked)] = asked
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                asked = running.pop(done)
                page = parse_page(done.result(), prefix)
                if page.next_token is not None:
                    waiting.append(asked._replace(token=page.next_token))
                waiting += [Asked(_inside(folder)) for folder in page.folders]
                if any(page.objects.paths):
                    yield object_rows(page.objects)


def _fates(dirs: Sequence[bytes], names: Sequence[bytes]) -> list[int] | None:
    """What is always excluded; None: all are candidates."""
    if b"\0." not in b"\0" + b"\0".join(names):
        return None
    excluded = (is_excluded_name(name, at_root=not folder) for folder, name in zip(dirs, names, strict=True))
    return [int(Fate.EXCLUDED if each else Fate.CANDIDATE) for each in excluded]


def _inside(folder: bytes) -> str:
    """What the keys in ``folder`` begin with."""
    return f"{key_of(folder)}/" if folder else ""


def _lies_in(path: bytes, folder: bytes) -> bool:
    return not folder or path.startswith(folder + b"/")
