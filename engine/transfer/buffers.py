"""Memory for bodies: a budget in bytes that is taken before reading, and buffers that are used again.

Fresh buffers cost page faults, which were most of the system time of large transfers. Large ones begin at a page, so
that files can be read into them past the cache.
"""

from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Callable

Buffer = bytearray | mmap.mmap

BODY_STEP = 1 << 20
"""Bytes of a large body that the kernel is handed, or asked for, at once; each must leave within the timeout."""

_SMALLEST = 4 << 10
_LOOK_AGAIN_SECONDS = 0.5


class Buffers:
    """Pooled buffers by powers of two, and tickets for them within ``limit`` bytes.

    A ticket may be larger than its buffer, to account for copies that a library makes of it. One ticket over the limit
    is granted when nothing else is out, so that a small budget slows down and never locks up. ``waited`` is told how
    many seconds a thread waited for room.
    """

    def __init__(self, limit: int, waited: Callable[[float], None] = lambda _: None) -> None:
        self.limit = limit
        self._waited = waited
        self.used = 0
        self.idle_bytes = 0
        self._free: dict[int, list[Buffer]] = {}
        self._lock = threading.Lock()  # entered directly: a Condition's own methods are Python
        self._changed = threading.Condition(self._lock)
        self._waiting = 0

    def reserve(self, size: int, allowed: Callable[[], bool]) -> bool:
        """Take a ticket of ``size`` bytes, waiting for room while ``allowed()``; False once it is not."""
        with self._lock:
            if self.used and self.used + size > self.limit and not self._wait(size, allowed):
                return False
            self.used += size
            return True

    def _wait(self, size: int, allowed: Callable[[], bool]) -> bool:
        began = time.monotonic()
        try:
            while self.used and self.used + size > self.limit:
                if not allowed():
                    return False
                self._waiting += 1
                self._changed.wait(_LOOK_AGAIN_SECONDS)
                self._waiting -= 1
            return True
        finally:
            self._waited(time.monotonic() - began)

    def release(self, size: int) -> None:
        """Give a ticket back."""
        with self._lock:
            self.used -= size
            if self._waiting:
                self._changed.notify_all()

    def take(self, size: int) -> Buffer:
        """A buffer of at least ``size`` bytes, with any content."""
        room = capacity(size)
        with self._lock:
            free = self._free.get(room)
            if free:
                self.idle_bytes -= room
                return free.pop()
        return bytearray(room) if room < BODY_STEP else mmap.mmap(-1, room)

    def give(self, buffer: Buffer) -> None:
        """Return a buffer; nobody may use it any more. Kept for reuse up to a quarter of the limit."""
        room = len(buffer)
        with self._lock:
            if self.idle_bytes + room <= self.limit // 4:
                self.idle_bytes += room
                self._free.setdefault(room, []).append(buffer)


def capacity(size: int) -> int:
    """Bytes of the pooled buffer that holds ``size`` bytes: a power of two, at least 4 KiB."""
    return max(_SMALLEST, 1 << (size - 1).bit_length()) if size else _SMALLEST
