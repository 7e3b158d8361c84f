"""What an agent may do right now: lease, epoch and pause, and the gate that every request passes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from engine.transfer.retry import Backoff
from engine.transfer.spent import Spent
from engine.transfer.tuner import Tuner

_LOOK_AGAIN_SECONDS = 0.5
"""How often a waiter checks its lease, which expires silently."""


class Control:
    """The orders of the runner. Reading them takes no lock: each is one attribute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.lease_until = math.inf
        self.epoch = -1
        self.paused = False
        self.closed = False

    def allows(self, epoch: int) -> bool:
        """Whether a unit of ``epoch`` may still write."""
        return epoch >= self.epoch and not self.closed and self.clock() < self.lease_until


class Gate:
    """Bounds the requests in flight and holds them back while paused. The bound tunes itself if it ``tunes``.

    Waiters wake only when a quarter of the window is free: a wake-up for every finished request costs more than the
    requests that this delays.
    """

    def __init__(self, control: Control, window: int, *, tunes: bool = False, spent: Spent | None = None) -> None:
        self._control = control
        self._spent = spent or Spent(control.clock)
        self._backoff = Backoff(window)
        self._tuner = Tuner(window) if tunes else None
        self._waits = 0
        self._seen = (control.clock(), 0, 0, 0)
        self._lock = threading.Lock()  # entered directly: a Condition's own methods are Python
        self._changed = threading.Condition(self._lock)
        self._waiting = 0
        self.in_flight = 0
        self.window = window

    def enter(self, allowed: Callable[[], bool]) -> bool:
        """Take a place, waiting for one while ``allowed()``; False without a place as soon as it is not."""
        with self._lock:
            if self.in_flight < self.window and not self._control.paused:
                self.in_flight += 1
                entered = True
            else:
                entered = self._wait(allowed)
        if entered and not allowed():
            self.leave()
            return False
        return entered

    def _wait(self, allowed: Callable[[], bool]) -> bool:
        self._waiting += 1
        self._waits += 1
        began = self._control.clock()
        try:
            while self._control.paused or self.in_flight >= self.window:
                if not allowed():
                    return False
                self._changed.wait(_LOOK_AGAIN_SECONDS)
            self.in_flight += 1
            return True
        finally:
            self._waiting -= 1
            self._spent.destination(self._control.clock() - began)

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self.in_flight -= 1
            if self._waiting and self.in_flight <= self.window - (self.window + 3) // 4:
                self._changed.notify_all()

    def succeeded(self) -> None:
        """A request succeeded: widen a narrowed window."""
        if not self._backoff.full:
            with self._lock:
                self._backoff.succeeded()
                self.window = self._backoff.window

    def slowed(self) -> None:
        """The server asked for fewer requests: narrow the window."""
        self._spent.slowed()
        with self._lock:
            self._backoff.slowed(self._control.clock())
            self.window = self._backoff.window

    def tune(self, files: int, size: int) -> None:
        """Look at what was done since the start, ``files`` and ``size`` bytes, and set the bound; four times a second.

        While the server asks for fewer requests, that alone counts.
        """
        if self._tuner is None:
            return
        now, waits = self._control.clock(), self._waits
        then, files_then, size_then, waits_then = self._seen
        self._seen = (now, files, size, waits)
        wanted = waits > waits_then and self._backoff.full
        window = self._tuner.look(now - then, files - files_then, size - size_then, wanted=wanted)
        if window != self.window and self._backoff.full:
            with self._lock:
                self._backoff = Backoff(window)
                self.window = window
                self._changed.notify_all()

    def wake(self) -> None:
        """Let all waiters look at their orders again."""
        with self._lock:
            self._changed.notify_all()
