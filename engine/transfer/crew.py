"""Daemon threads for what blocks: a hung call must neither hold the process at its end nor other work before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]


class Crew:
    """At most ``size`` threads, started as work comes; first come, first served. Jobs must not raise."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._unfinished = 0

    def submit(self, job: Job) -> None:
        """Run ``job`` on a thread of the crew."""
        with self._lock:
            self._unfinished += 1
            missing = self._threads < min(self._size, self._unfinished)
            self._threads += missing
        self._jobs.put(job)
        if missing:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def close(self) -> None:
        """End the threads after the jobs that were submitted."""
        with self._lock:
            threads, self._threads = self._threads, self._size
        for _ in range(threads):
            self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # what it refers to must not live until the next one comes
            with self._lock:
                self._unfinished -= 1
