"""Reader threads shared by the units of an agent: they take rows from the oldest unit first.

A thread that hangs in a read (a dead mount) keeps its one row; the others of its share go back to the unit and a new
thread takes its place, so that nothing else waits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

_SHARE = 16
"""Rows a thread takes at once: often enough to be fair, seldom enough to cost nothing."""

HUNG_SECONDS = 5.0
"""A read that takes longer is taken for hung."""

MAX_HUNG = 64
"""Threads that may hang before none is replaced any more."""


class Feed(Protocol):
    """A unit with rows to be read."""

    def claim(self, limit: int) -> deque[int]:
        """Take up to ``limit`` rows; empty when there are none now."""

    def give_back(self, rows: deque[int]) -> None:
        """Rows that were claimed and not begun."""

    def process(self, row: int) -> None:
        """Read one row and see it on its way. Never raises."""

    def path(self, row: int) -> bytes:
        """The path of a row."""


class _Reader:
    """What a thread is doing."""

    __slots__ = ("feed", "replaced", "row", "share", "since")

    def __init__(self) -> None:
        self.share: deque[int] = deque()
        self.feed: Feed | None = None
        self.row = 0
        self.since = 0.0
        self.replaced = False


class Readers:
    """``count`` daemon threads. ``clock`` counts seconds; ``spent`` is told how many a thread read for."""

    def __init__(self, count: int, clock: Callable[[], float], spent: Callable[[float], None] = lambda _: None) -> None:
        self._clock = clock
        self._spent = spent
        self._feeds: list[Feed] = []
        self._changed = threading.Condition()
        self._readers: list[_Reader] = []
        self._hung = 0
        self._closed = False
        self._here = threading.local()
        for _ in range(count):
            self._start()

    def add(self, feed: Feed) -> None:
        """Let the threads take rows from ``feed``."""
        with self._changed:
            self._feeds.append(feed)
            self._changed.notify_all()

    def wake(self) -> None:
        """A feed has rows again."""
        with self._changed:
            self._changed.notify_all()

    def remove(self, feed: Feed) -> None:
        """Forget a feed that has no rows any more."""
        with self._changed:
            if feed in self._feeds:
                self._feeds.remove(feed)

    def close(self) -> None:
        """End the threads once no feed has rows."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def reading(self) -> None:
        """The calling thread begins to read a file, or goes on: from now on it can hang."""
        reader, now = self._here.reader, self._clock()
        if reader.since:
            self._spent(now - reader.since)
        reader.since = now

    def waiting(self) -> None:
        """The calling thread has read its file."""
        self._rest(self._here.reader)

    def _rest(self, reader: _Reader) -> None:
        if reader.since:
            self._spent(self._clock() - reader.since)
            reader.since = 0.0

    def oldest_path(self) -> bytes | None:
        """The path that has been read for longest, if any is being read."""
        busy = [(reader.since, reader) for reader in list(self._readers) if reader.since]
        if not busy:
            return None
        reader = min(busy, key=lambda pair: pair[0])[1]
        feed = reader.feed
        return feed.path(reader.row) if feed is not None else None

    def replace_hung(self) -> None:
        """Give the rows of hung threads back and start others in their place. Called now and then by one thread."""
        now = self._clock()
        for reader in list(self._readers):
            since = reader.since
            if since and now - since > HUNG_SECONDS and not reader.replaced and self._hung < MAX_HUNG:
                reader.replaced = True
                self._hung += 1
                self._return_share(reader)
                self._start()

    def _return_share(self, reader: _Reader) -> None:
        rows: deque[int] = deque()
        while reader.share:
            try:
                rows.append(reader.share.popleft())
            except IndexError:
                break
        if reader.feed is not None:
            reader.feed.give_back(rows)
        self.wake()

    def _start(self) -> None:
        reader = _Reader()
        self._readers.append(reader)
        threading.Thread(target=self._run, args=(reader,), name="xsync-reader", daemon=True).start()

    def _run(self, reader: _Reader) -> None:
        self._here.reader = reader
        while (feed := self._claim(reader)) is not None:
            while reader.share:
                try:
                    reader.row = reader.share.popleft()
                except IndexError:
                    break
                feed.process(reader.row)
                self._rest(reader)
            reader.feed = None
            del feed  # it must not live until the next one comes
        self._readers.remove(reader)

    def _claim(self, reader: _Reader) -> Feed | None:
        with self._changed:
            while True:
                if reader.replaced:
                    self._hung -= 1
                    return None
                for feed in self._feeds:
                    share = feed.claim(_SHARE)
                    if share:
                        reader.share, reader.feed = share, feed
                        return feed
                if self._closed:
                    return None
                self._changed.wait()
