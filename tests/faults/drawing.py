"""Faults for whole runs, drawn with a seed: every operation that a run asks a server for fails in every way."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qs, urlsplit

from tests.faults.proxy import Fault, Request

IN_A_ROW = 2
"""A request fails so often at most: botocore tries four times, and with that every kind comes to all operations."""

_SENDS_DATA = ("put", "part")
_BRINGS_DATA = ("get", "range")
_BRINGS_TEXT = ("list", "copy", "part copy", "create", "complete", "delete many")


class Drawn:
    """A decision for FaultProxy. ``hits`` counts what it did, by operation and kind.

    Every kind comes to the first requests of each operation that it suits, later ones fail at a ``rate``.
    """

    def __init__(self, kinds: Sequence[Fault], seed: int, rate: float) -> None:
        self._random = random.Random(seed)
        self._kinds = kinds
        self._rate = rate
        self._failed: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()
        self.hits: Counter[tuple[str, Fault]] = Counter()

    def __call__(self, request: Request) -> Fault:
        """What becomes of ``request``."""
        with self._lock:
            kind = self._drawn(operation := operation_of(request))
            again = request.method, request.path, request.headers.get("range", "")
            if kind is None or self._failed[again] >= IN_A_ROW:
                return "pass"
            self._failed[again] += 1
            self.hits[operation, kind] += 1
            return kind

    def missed(self, operations: Iterable[str]) -> list[tuple[str, Fault]]:
        """What did not happen to ``operations`` of all that was to."""
        wanted = [(each, kind) for each in operations for kind in self._kinds if suits(kind, each)]
        return [pair for pair in wanted if pair not in self.hits]

    def _drawn(self, operation: str) -> Fault | None:
        suited = [kind for kind in self._kinds if suits(kind, operation)]
        new = [kind for kind in suited if (operation, kind) not in self.hits]
        if new:
            return new[0]
        often = [kind for kind in suited if (kind, operation) != ("corrupt", "range")]  # a file begins again once
        return self._random.choice(often) if often and self._random.random() < self._rate else None


def operation_of(request: Request) -> str:
    """A short name of what a request asks for; "own ..." if it is about an object that only tries the server."""
    address = urlsplit(request.path)
    query = parse_qs(address.query, keep_blank_values=True)
    own = "own " if "/.xsync-" in address.path and "/.xsync-x" not in address.path else ""
    match request.method:
        case "GET" if "list-type" in query:
            return "list"
        case "GET" if "range" in request.headers:
            return "range"
        case "GET" if query or address.path.count("/") < 2:
            return "get " + "".join(query)
        case "PUT":
            copied = "x-amz-copy-source" in request.headers
            word = "part" if "partNumber" in query else "put"
            return own + ({"part": "part copy", "put": "copy"}[word] if copied else word)
        case "POST":
            return own + ("delete many" if "delete" in query else "create" if "uploads" in query else "complete")
        case "DELETE":
            return own + ("abort" if "uploadId" in query else "delete")
        case _:
            return own + request.method.lower()


def suits(kind: Fault, operation: str) -> bool:
    """Whether a fault can be done to an operation: bytes are wrong only where a checksum is there to tell."""
    if kind == "corrupt":
        return operation in (*_SENDS_DATA, *_BRINGS_DATA)
    if kind == "stall":  # takes seconds each
        return operation in ("list", "head", "copy", "complete", *_SENDS_DATA, *_BRINGS_DATA)
    if kind == "503" and operation.startswith("own "):  # after which botocore waits for up to a second
        return False
    return kind != "truncated" or operation in (*_BRINGS_DATA, *_BRINGS_TEXT)
