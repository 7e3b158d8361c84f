"""The throttle of an agent under a clock that only waiting moves: exact amounts, turns, orders that end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from engine.transfer.throttle import BURST_SECONDS, LARGEST_PIECE, LEAST_PIECE, SMALL_BYTES, Throttle
from engine.transfer.writing import InterruptedCopyError

SECONDS = 30


class Clock:
    """Seconds that pass only while the thread whose turn it is waits; the others really wait to be woken."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits = 0
        self.then: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def wait(self, turn: threading.Condition, seconds: float) -> None:
        self.now += seconds
        self.waits += 1
        turn.release()
        self.then()
        turn.acquire()


def yes() -> bool:
    return True


def made(rate: float | None) -> tuple[Throttle, Clock]:
    clock = Clock()
    throttle = Throttle(clock, clock.wait)
    throttle.set_rate(rate)
    return throttle, clock


def test_without_a_limit_nothing_waits_and_nothing_is_counted() -> None:
    throttle, clock = made(None)
    content = memoryview(bytes(3 << 20))
    assert throttle.take(1 << 30, yes)
    assert [len(piece) for piece in throttle.pieces(content, yes)] == [LARGEST_PIECE] * 3
    assert (clock.waits, throttle.passed, throttle.waited_seconds()) == (0, 0, 0.0)


@pytest.mark.parametrize("rate", [1e3, 312_500.0, 6.25e6, 62.5e6, 1e9])
@pytest.mark.parametrize("size", [1, 16_384, 1 << 20])
def test_bytes_pass_at_the_rate_and_not_faster(rate: float, size: int) -> None:
    throttle, clock = made(rate)
    began, count = clock.now, max(3, int(10 * rate / size))
    for number in range(1, min(count, 3_000) + 1):
        assert throttle.take(size, yes)
        assert number * size <= (clock.now - began) * rate + 1
    passed = min(count, 3_000) * size
    assert clock.now - began == pytest.approx(passed / rate, rel=0.01, abs=0.51)
    assert throttle.passed == passed


def test_after_idling_no_more_than_the_burst_is_caught_up() -> None:
    throttle, clock = made(1e6)
    clock.now += 3600
    throttle.take(int(BURST_SECONDS * 1e6), yes)
    assert clock.waits == 0
    began = clock.now
    throttle.take(100_000, yes)
    assert clock.now - began == pytest.approx(0.1, abs=0.01)


def test_what_waits_is_said() -> None:
    throttle, clock = made(1e6)
    throttle.take(500_000, yes)
    assert throttle.waited_seconds() == pytest.approx(0.5, abs=0.01)
    clock.now += 10
    assert throttle.waited_seconds() == pytest.approx(0.5, abs=0.01)


def test_pieces_are_small_at_a_low_rate_and_together_the_whole() -> None:
    content = memoryview(bytes(range(256)) * 4096)
    throttle, _ = made(312_500.0)
    pieces = list(throttle.pieces(content, yes))
    assert b"".join(pieces) == content
    assert {len(piece) for piece in pieces[:-1]} == {15_625}
    assert made(1e3)[0].piece == LEAST_PIECE
    assert made(1e12)[0].piece == LARGEST_PIECE


def test_a_new_rate_holds_for_what_waits_already() -> None:
    throttle, clock = made(1e3)
    clock.then = lambda: throttle.set_rate(1e6)
    began = clock.now
    assert throttle.take(1_000_000, yes)
    assert clock.now - began < 2


def test_a_limit_that_is_lifted_lets_go_what_waits() -> None:
    throttle, clock = made(1e3)
    clock.then = lambda: throttle.set_rate(None)
    assert throttle.take(1 << 30, yes)
    assert clock.waits == 1


def test_a_rate_that_falls_while_a_large_piece_waits_does_not_hold_it_for_ever() -> None:
    throttle, clock = made(1e9)
    clock.then = lambda: throttle.set_rate(1e5)
    assert throttle.take(1 << 20, yes)
    assert clock.now - 100.0 < 15


def test_nothing_passes_once_the_unit_has_to_stop() -> None:
    throttle, clock = made(1e3)
    assert not throttle.take(10_000, lambda: clock.waits < 2)
    assert clock.waits == 2
    with pytest.raises(InterruptedCopyError):
        list(throttle.pieces(memoryview(bytes(10_000)), lambda: False))
    assert throttle.passed == 0


def test_a_lease_that_ends_during_the_wait_counts_although_the_bytes_are_there() -> None:
    throttle, clock = made(1e6)
    until = clock.now + 0.05
    assert not throttle.take(50_001, lambda: clock.now < until)


class Noted:
    def __init__(self) -> None:
        self.said: list[str] = []

    def waiting(self) -> None:
        self.said.append("waiting")

    def reading(self) -> None:
        self.said.append("reading")


def test_a_thread_that_reads_says_that_it_waits() -> None:
    throttle, _ = made(1e6)
    noted = Noted()
    throttle.take(10, yes, noted)
    assert noted.said == ["waiting", "reading"]
    throttle.set_rate(None)
    throttle.take(10, yes, noted)
    assert noted.said == ["waiting", "reading"]


def all_wait(throttle: Throttle, clock: Clock, count: Callable[[], int]) -> None:
    """Let time pass only while so many threads wait, for the one whose turn it is."""
    real = threading.Condition.wait

    def wait(turn: threading.Condition, seconds: float) -> None:
        if turn is throttle._next() and len(throttle._small) + len(throttle._large) == count():
            clock.now += seconds
        else:
            real(turn, 0.001)

    throttle._wait = wait


def test_threads_take_turns_whatever_they_ask_for() -> None:
    """A large body and small ones wait at once: each gets as many bytes as the others until it is done."""
    throttle, clock = made(1e6)
    order: list[str] = []
    all_wait(throttle, clock, lambda: waiting)
    waiting = 3
    piece = throttle.piece

    def run(name: str, size: int) -> None:
        throttle.take(size, yes)
        order.append(name)

    names = {"large": 10 * piece, "small": 2 * piece, "middle": 5 * piece}
    threads = [threading.Thread(target=run, args=each, daemon=True) for each in names.items()]
    for thread in threads:
        thread.start()
    for left in (3, 2, 1):
        waiting = left
        while len(order) < 4 - left:
            threading.Event().wait(0.001)
    for thread in threads:
        thread.join(SECONDS)
    assert order == ["small", "middle", "large"]
    assert throttle.passed == 17 * piece


@pytest.mark.parametrize("rate", [1e6, 1e8])
def test_small_bodies_have_half_beside_large_ones_however_many_these_are(rate: float) -> None:
    throttle, clock = made(rate)
    all_wait(throttle, clock, lambda: 9)
    is_over = threading.Event()
    large, small = memoryview(bytes(2 * SMALL_BYTES)), 1_000

    def send_large() -> None:
        with suppress(InterruptedCopyError):
            while True:
                list(throttle.pieces(large, lambda: not is_over.is_set()))

    threads = [threading.Thread(target=send_large, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(1_000):
        throttle.take(small, yes, small=True)
    passed = throttle.passed
    is_over.set()
    for thread in threads:
        thread.join(SECONDS)
    assert passed == pytest.approx(2_000 * small, abs=2 * throttle.piece)
