"""Where the time of an agent goes, as its threads tell."""

from __future__ import annotations

import threading
import time

from engine.transfer.buffers import Buffers
from engine.transfer.control import Control, Gate
from engine.transfer.spent import Spent


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_agent_is_idle_until_a_unit_comes_and_after_the_last() -> None:
    clock = Clock()
    spent = Spent(clock)
    clock.now += 2
    spent.begun()
    spent.begun()
    clock.now += 5
    spent.ended()
    assert spent.times(0, 0).idle == 2
    spent.ended()
    clock.now += 3
    assert spent.times(1.5, 0.5).idle == 5
    assert (spent.times(1.5, 0.5).cpu, spent.times(1.5, 0.5).limited) == (1.5, 0.5)


def test_what_is_written_between_two_reads_is_not_reading() -> None:
    clock = Clock()
    spent = Spent(clock)
    spent.source(10)
    for _ in spent.writes([memoryview(b"a"), memoryview(b"b")]):
        clock.now += 3
    times = spent.times(0, 0)
    assert (times.source, times.destination) == (4, 6)


def test_waiting_for_the_window_and_being_slowed_are_the_destinations() -> None:
    clock = Clock()
    control = Control(clock)
    spent = Spent(clock)
    gate = Gate(control, 1, spent=spent)
    assert gate.enter(lambda: True)
    clock.now += 1
    looks = iter([True, True, False])

    def allowed() -> bool:
        clock.now += 2
        return next(looks)

    assert not gate.enter(allowed)
    gate.slowed()
    times = spent.times(0, 0)
    assert times.destination == 6
    assert times.slowed == 1


def test_waiting_for_memory_is_told() -> None:
    told: list[float] = []
    buffers = Buffers(100, told.append)
    assert buffers.reserve(80, lambda: True)
    assert not told
    released = threading.Event()

    def allowed() -> bool:
        if not released.is_set():
            released.set()
            threading.Thread(target=buffers.release, args=(80,)).start()
        return True

    assert buffers.reserve(80, allowed)
    assert len(told) == 1
    assert told[0] >= 0


def test_a_thread_that_computes_makes_an_agent_busy() -> None:
    clock = Clock()
    spent = Spent(clock)
    assert spent.times(0, 0).busiest == 0
    until = time.thread_time() + 0.2
    while time.thread_time() < until:
        pass
    clock.now += 60
    assert 0.2 <= spent.times(0, 0).busiest <= 60
