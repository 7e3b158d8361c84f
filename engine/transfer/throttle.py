"""The agent's share of the bandwidth limit: every body passes it, byte by byte, before it leaves.

Each byte passes once, on its way to the destination: ``pieces`` where it is sent or written step by step, ``take``
before the request of a small body; every attempt anew. So what is read from an object store only as fast as it is
written need not pass when it arrives. What is read there and goes nowhere, to compare it, passes after each step.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from engine.transfer.writing import InterruptedCopyError

BURST_SECONDS = 0.2
"""How much of its rate an agent may catch up on after it had nothing to send, or no processor to do so."""

PIECE_SECONDS = 0.05
"""How long the bytes that one thread may take in a row last at the current rate."""

SMALL_BYTES = 256 << 10
"""Content of less than this, where it comes in steps, is a small body: the steps of large ones are not shorter."""

LEAST_PIECE = 4 << 10
LARGEST_PIECE = 1 << 20

_LEAST_WAIT_SECONDS = 0.005
"""Many small bodies share one wait: a thread that sleeps for each costs more than sending it."""

_LOOK_AGAIN_SECONDS = 0.5
"""How often a waiter checks its lease, which expires silently."""


class Watch(Protocol):
    """Is told while a thread that reads waits here: it does not hang."""

    def waiting(self) -> None:
        """The wait begins."""

    def reading(self) -> None:
        """It is over."""


class Throttle:
    """A bucket of bytes that fills at ``rate`` bytes/s, None for no limit, and queues of threads that take turns.

    Small bodies wait in one queue, large ones in another, and while both do each queue gets half of the bytes: one
    thread sends thousands of small bodies, each of the large ones has a thread of its own.

    For any thread. ``wait`` lets a thread sleep on a condition for some seconds; ``clock`` counts seconds. ``spent`` is
    told for how many seconds a thread was here.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Condition, float], object] = threading.Condition.wait,
        spent: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.rate: float | None = None
        self.piece = LARGEST_PIECE
        self.passed = 0
        self._clock = clock
        self._wait = wait
        self._spent = spent
        self._lock = threading.Lock()
        self._small: deque[threading.Condition] = deque()
        self._large: deque[threading.Condition] = deque()
        self._lead = 0  # bytes that small bodies had more than large ones, of late
        self._filled = 0.0
        self._filled_at = 0.0
        self._waited = 0.0
        self._waiting_since = 0.0

    def set_rate(self, rate: float | None) -> None:
        """Let ``rate`` bytes/s pass from now on, for those that wait already, too."""
        with self._lock:
            now = self._clock()
            if self.rate is None:
                self._filled, self._filled_at = 0.0, now
            self._fill(now)
            self.rate = rate
            self.piece = LARGEST_PIECE if rate is None else _piece_at(rate)
            for turn in (*self._small, *self._large):
                turn.notify()

    def waited_seconds(self) -> float:
        """For how long, since the start, somebody has been waiting."""
        with self._lock:
            return self._waited + (self._clock() - self._waiting_since if self._small or self._large else 0.0)

    def take(self, size: int, allowed: Callable[[], bool], watch: Watch | None = None, *, small: bool = False) -> bool:
        """Wait until ``size`` bytes may leave; False as soon as that is no longer ``allowed()``.

        ``small``: they are a body of their own, or one that is not much larger.
        """
        if self.rate is None or not size:
            return True
        began = self._clock()
        if watch is not None:
            watch.waiting()
        try:
            return self._take(size, allowed, self._small if small else self._large)
        finally:
            self._spent(self._clock() - began)
            if watch is not None:
                watch.reading()

    def pieces(
        self, content: memoryview, allowed: Callable[[], bool], watch: Watch | None = None
    ) -> Iterator[memoryview]:
        """``content`` cut into pieces, each when it may leave. Raises InterruptedCopyError."""
        offset, small = 0, len(content) < SMALL_BYTES
        while offset < len(content):
            piece = content[offset : offset + self.piece]
            if not self.take(len(piece), allowed, watch, small=small):
                raise InterruptedCopyError
            yield piece
            offset += len(piece)

    def _take(self, size: int, allowed: Callable[[], bool], queue: deque[threading.Condition]) -> bool:
        turn = threading.Condition(self._lock)
        with self._lock:
            if not (self._small or self._large):
                self._waiting_since = self._clock()
            queue.append(turn)
            try:
                while size > 0:
                    granted = self._wait_for(turn, size, allowed)
                    if not granted:
                        return False
                    size -= granted
                    lead = self._lead + (granted if queue is self._small else -granted)
                    self._lead = max(-self.piece, min(self.piece, lead))
                    queue.rotate(-1)
                    self._next().notify()
                return True
            finally:
                queue.remove(turn)
                if self._small or self._large:
                    self._next().notify()
                else:
                    self._waited += self._clock() - self._waiting_since

    def _next(self) -> threading.Condition:
        """Whose turn it is; somebody must wait."""
        first, second = (self._small, self._large) if self._lead <= 0 else (self._large, self._small)
        return (first or second)[0]

    def _wait_for(self, turn: threading.Condition, size: int, allowed: Callable[[], bool]) -> int:
        """Take up to ``size`` bytes when it is the turn of ``turn``; none if a wait for it ceases to be allowed."""
        while True:
            part = min(size, self.piece)
            seconds = self._seconds_until(part) if self._next() is turn else _LOOK_AGAIN_SECONDS
            if seconds <= 0:
                self._filled -= part
                self.passed += part
                return part
            self._wait(turn, min(seconds, _LOOK_AGAIN_SECONDS))
            if not allowed():
                return 0

    def _seconds_until(self, part: int) -> float:
        """How long it takes until ``part`` bytes are there."""
        if self.rate is None:
            return 0.0
        self._fill(self._clock())
        missing = part - self._filled
        return max(missing / self.rate, _LEAST_WAIT_SECONDS) if missing > 0 else 0.0

    def _fill(self, now: float) -> None:
        if self.rate is not None:
            most = max(BURST_SECONDS * self.rate, self.piece)
            self._filled = min(most, self._filled + (now - self._filled_at) * self.rate)
        self._filled_at = now


def _piece_at(rate: float) -> int:
    return int(min(LARGEST_PIECE, max(LEAST_PIECE, PIECE_SECONDS * rate)))
