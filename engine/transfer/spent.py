"""Where the time of an agent goes: seconds of the threads that move files, by what they wait for.

Only threads that a file has to pass count: readers of small files, and those that send parts. What they wait for is
what binds; requests that are in flight beside them say nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from engine.model import AgentTimes

_ASK_SECONDS = 1.0
"""How often the kernel is asked how busy threads were: it costs about 10 us a thread."""


class Spent:
    """Sums since the start, for any thread. ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._source = self._destination = self._idle = 0.0
        self._slowed = 0
        self._working = 0
        self._idle_since = clock()
        self._busiest = _Busiest(clock)

    def source(self, seconds: float) -> None:
        """A thread spent so long with the source."""
        with self._lock:
            self._source += seconds

    def destination(self, seconds: float) -> None:
        """A thread spent so long waiting for the destination, or for a request to it to end."""
        with self._lock:
            self._destination += seconds

    def slowed(self) -> None:
        """The destination asked for fewer requests."""
        with self._lock:
            self._slowed += 1

    def begun(self) -> None:
        """A unit that moves something is there."""
        with self._lock:
            if not self._working:
                self._idle += self._clock() - self._idle_since
            self._working += 1

    def ended(self) -> None:
        """It is over."""
        with self._lock:
            self._working -= 1
            if not self._working:
                self._idle_since = self._clock()

    def writes(self, pieces: Iterable[memoryview]) -> Iterator[memoryview]:
        """``pieces`` of a file that is being read: until the next is asked for it is written, not read."""
        for piece in pieces:
            began = self._clock()
            yield piece
            self.wrote(self._clock() - began)

    def wrote(self, seconds: float) -> None:
        """Of the time that a thread spends with the source, so much is the destination's."""
        with self._lock:
            self._source -= seconds
            self._destination += seconds

    def times(self, cpu_seconds: float, limited_seconds: float) -> AgentTimes:
        """All sums as they are now."""
        now = self._clock()
        busiest = self._busiest.seconds()
        with self._lock:
            idle = self._idle + (0.0 if self._working else now - self._idle_since)
            return AgentTimes(
                now, self._source, self._destination, limited_seconds, idle, cpu_seconds, busiest, self._slowed
            )


class _Busiest:
    """For how long the busiest thread of this process computed, or was ready to and had no processor.

    Taken second by second (proc_pid_schedstat, fields 1 and 2): a thread that computes all the time binds the others,
    while many that compute a little each, and queue a little each on a busy host, do not.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._asked_at = clock()
        self._of_thread: dict[str, int] = {}
        self._total = 0.0

    def seconds(self) -> float:
        """Since the start; 0 where the kernel does not tell."""
        now = self._clock()
        if now - self._asked_at >= _ASK_SECONDS or not self._of_thread:
            seen = _busy_of_threads()
            added = max((busy - self._of_thread.get(thread, busy) for thread, busy in seen.items()), default=0)
            self._total += min(now - self._asked_at, added / 1e9)
            self._of_thread, self._asked_at = seen, now
        return self._total


def _busy_of_threads() -> dict[str, int]:
    """Nanoseconds of each thread of this process."""
    seen: dict[str, int] = {}
    with suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            with suppress(OSError, IndexError, ValueError):
                fd = os.open(f"/proc/self/task/{thread}/schedstat", os.O_RDONLY)
                try:
                    running, queued = os.read(fd, 100).split()[:2]
                finally:
                    os.close(fd)
                seen[thread] = int(running) + int(queued)
    return seen
