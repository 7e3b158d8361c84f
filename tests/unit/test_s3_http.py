"""Bodies arrive whole or are told to be incomplete, however few bytes the connection hands out at once."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from typing import Any, cast

import pytest

from engine.locations.s3_http import Pool, Reply, TransportError

CONTENT = random.Random(5).randbytes(100_000)


class Address:
    """Where nothing is: the connection is a stub."""

    tls, host, ca_bundle, proxy = False, "127.0.0.1", None, None


class Wire:
    """A socket that hands out ``answer`` in pieces of at most ``most`` bytes, as TLS does, then has been closed."""

    def __init__(self, answer: bytes, most: int) -> None:
        self._left = answer
        self._most = most
        self.closed = False

    def sendall(self, message: bytes) -> None:
        """Whatever is asked."""

    def recv_into(self, view: memoryview, size: int = 0) -> int:
        """The next piece."""
        size = min(size or len(view), self._most, len(self._left))
        view[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def close(self) -> None:
        """Remember it."""
        self.closed = True


Ask = Callable[[bytes, int], tuple[Reply, Wire]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    def asked(answer: bytes, most: int) -> tuple[Reply, Wire]:
        wire = Wire(answer, most)
        pool = Pool(Address())
        monkeypatch.setattr(pool, "_connect", lambda: cast("socket.socket", wire))
        return pool.request("GET", "/", {"host": "127.0.0.1"}), wire

    return asked


def sized(content: bytes, promised: int = len(CONTENT)) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % promised + content


def chunked(sizes: list[int]) -> bytes:
    body, offset = b"", 0
    for size in [*sizes, len(CONTENT) - sum(sizes)]:
        body += b"%x\r\n" % size + CONTENT[offset : offset + size] + b"\r\n"
        offset += size
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"


def steps(reply: Reply, step: int) -> list[bytes]:
    """What each read brought, until one brings nothing."""
    found: list[bytes] = []
    while True:
        buffer = bytearray(step)
        size = reply.read_into(memoryview(buffer))
        if not size:
            return found
        found.append(bytes(buffer[:size]))


@pytest.mark.parametrize("most", [1, 1_000, 16_384, 1 << 20])
@pytest.mark.parametrize("step", [7_000, 100_000, 1 << 18])
@pytest.mark.parametrize("answer", [sized(CONTENT), chunked([1, 16_000, 3]), b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT])
def test_each_step_is_full_but_the_last(ask: Ask, answer: bytes, step: int, most: int) -> None:
    reply, _ = ask(answer, most)
    found = steps(reply, step)
    reply.close()
    assert b"".join(found) == CONTENT
    assert [len(piece) for piece in found[:-1]] == [step] * (len(found) - 1)


@pytest.mark.parametrize("answer", [sized(CONTENT[:60_001]), chunked([70_000])[:60_100]])
def test_a_body_that_ends_early_is_an_error_and_its_connection_is_not_kept(ask: Ask, answer: bytes) -> None:
    reply, wire = ask(answer, 16_384)
    with pytest.raises(TransportError, match=r"closed [\d,]+ bytes before the end"):
        steps(reply, 10_000)
    reply.close()
    assert wire.closed


def test_what_follows_a_body_is_not_read(ask: Ask) -> None:
    """It is the next answer on a kept connection."""
    reply, wire = ask(sized(CONTENT) + sized(b"next", 4), 50_000)
    assert b"".join(steps(reply, 1 << 18)) == CONTENT
    reply.close()
    assert not wire.closed
    left: Any = wire
    assert bytes(left._left) == sized(b"next", 4)
