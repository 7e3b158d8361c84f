"""Rows that wait for their next attempt, and the one thread that looks after time: retries, stalls, hung reads."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Protocol

_LOOK_SECONDS = 0.25


class Waits(Protocol):
    """A unit with rows to be tried again."""

    def allowed(self) -> bool:
        """False once the unit has to stop."""

    def retry(self, row: int) -> None:
        """The delay of ``row`` is over, or the unit has to stop."""


class Later:
    """Calls ``retry`` of the units when it is time, and ``look`` four times a second."""

    def __init__(self, clock: Callable[[], float], look: Callable[[], None]) -> None:
        self._clock = clock
        self._look = look
        self._heap: list[tuple[float, int, Waits, int]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="xsync-later", daemon=True)
        self._thread.start()

    def add(self, delay: float, unit: Waits, row: int) -> None:
        """Try ``row`` again in ``delay`` seconds."""
        with self._changed:
            heapq.heappush(self._heap, (self._clock() + delay, next(self._numbers), unit, row))
            self._changed.notify()

    def wake(self) -> None:
        """Look at once: orders have changed."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                due = self._take_due()
                if not due:
                    self._changed.wait(self._pause())
                    due = self._take_due()
            for unit, row in due:
                unit.retry(row)
            self._look()

    def _pause(self) -> float:
        if not self._heap:
            return _LOOK_SECONDS
        return max(0.0, min(_LOOK_SECONDS, self._heap[0][0] - self._clock()))

    def _take_due(self) -> list[tuple[Waits, int]]:
        now = self._clock()
        due: list[tuple[float, int, Waits, int]] = []
        waiting: list[tuple[float, int, Waits, int]] = []
        for entry in self._heap:
            (due if entry[0] <= now or not entry[2].allowed() else waiting).append(entry)
        if due:
            heapq.heapify(waiting)
            self._heap = waiting
        return [(unit, row) for _, _, unit, row in due]
