"""A TCP relay on loopback that knows when each byte of a client came: a limit is judged by what arrives."""

from __future__ import annotations

import socket
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import accumulate
from typing import NamedTuple

_CHUNK = 256 << 10


class Arrivals(NamedTuple):
    """Bytes that came so far, at moments (monotonic seconds) in order."""

    moments: list[float]
    totals: list[int]

    def rates(self, seconds: float, start: float, end: float) -> list[float]:
        """Bytes/s over every window of so many ``seconds`` between ``start`` and ``end``, ten a second."""
        windows = int((end - start - seconds) * 10) + 1
        begins = [start + step / 10 for step in range(windows)]
        return [(self.until(begin + seconds) - self.until(begin)) / seconds for begin in begins]

    def until(self, moment: float) -> int:
        """Bytes that came before ``moment``."""
        index = bisect_left(self.moments, moment)
        return self.totals[index - 1] if index else 0


class Relay:
    """Passes everything on to a port of loopback."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._seen: list[tuple[float, int]] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def arrivals(self) -> Arrivals:
        """All that clients have sent."""
        seen = sorted(self._seen)
        return Arrivals([at for at, _ in seen], list(accumulate(size for _, size in seen)))

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for connection in (client, server):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while content := source.recv(_CHUNK):
                if counts:
                    self._seen.append((time.monotonic(), len(content)))
                target.sendall(content)
        for connection in (source, target):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextmanager
def relay(port: int) -> Iterator[Relay]:
    """A relay to ``port`` that is closed afterwards."""
    made = Relay(port)
    try:
        yield made
    finally:
        made.close()
