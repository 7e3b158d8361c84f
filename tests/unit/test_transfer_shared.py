"""Memory budget, request gate, orders, threads and rows: what the units of an agent share."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import pyarrow as pa
import pytest

from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Action
from engine.transfer.buffers import Buffers, capacity
from engine.transfer.control import Control, Gate
from engine.transfer.crew import Crew
from engine.transfer.later import Later
from engine.transfer.readers import Readers
from engine.transfer.rows import Rows
from engine.transfer.units import RESULT_SCHEMA

SECONDS = 30


def yes() -> bool:
    return True


def started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("size", "room"), [(0, 4096), (1, 4096), (4096, 4096), (4097, 8192), (1 << 20, 1 << 20), ((1 << 20) + 1, 2 << 20)]
)
def test_buffers_come_in_powers_of_two(size: int, room: int) -> None:
    assert capacity(size) == room
    assert len(Buffers(1 << 30).take(size)) == room


def test_buffers_are_used_again_and_idle_ones_stay_within_a_quarter_of_the_limit() -> None:
    buffers = Buffers(64 << 10)
    first = buffers.take(5000)
    buffers.give(first)
    assert buffers.take(8000) is first
    for _ in range(100):
        buffers.give(bytearray(8192))
    assert buffers.idle_bytes == 16 << 10


def test_memory_is_granted_within_the_limit_and_the_others_wait() -> None:
    buffers = Buffers(100)
    assert buffers.reserve(60, yes)
    granted = threading.Event()
    thread = started(lambda: granted.set() if buffers.reserve(60, yes) else None)
    while not buffers._waiting:
        pass
    assert not granted.is_set()
    assert buffers.used == 60
    buffers.release(60)
    thread.join(SECONDS)
    assert granted.is_set()
    assert buffers.used == 60


def test_one_body_over_the_limit_is_granted_when_nothing_else_is_out() -> None:
    buffers = Buffers(100)
    assert buffers.reserve(500, yes)
    assert not buffers.reserve(1, lambda: False)


def test_an_order_ends_when_lease_epoch_or_agent_do() -> None:
    now = [100.0]
    control = Control(lambda: now[0])
    assert control.allows(0)
    control.lease_until = 101.0
    assert control.allows(0)
    now[0] = 101.0
    assert not control.allows(0)
    control.lease_until = 200.0
    control.epoch = 3
    assert not control.allows(2)
    assert control.allows(3)
    control.closed = True
    assert not control.allows(3)


def test_the_gate_lets_in_as_many_as_its_window_and_wakes_when_a_quarter_is_free() -> None:
    gate = Gate(Control(), 8)
    assert all(gate.enter(yes) for _ in range(8))
    entered = threading.Event()
    thread = started(lambda: entered.set() if gate.enter(yes) else None)
    while not gate._waiting:
        pass
    assert not entered.is_set()
    gate.leave()
    gate.leave()
    thread.join(SECONDS)
    assert entered.is_set()
    assert gate.in_flight == 7


def test_a_closed_gate_opens_when_the_pause_ends() -> None:
    control = Control()
    gate = Gate(control, 8)
    control.paused = True
    entered = threading.Event()
    thread = started(lambda: entered.set() if gate.enter(yes) else None)
    while not gate._waiting:
        pass
    assert gate.in_flight == 0
    control.paused = False
    gate.wake()
    thread.join(SECONDS)
    assert entered.is_set()


def test_nobody_waits_at_the_gate_for_what_is_no_longer_allowed() -> None:
    control = Control()
    control.paused = True
    gate = Gate(control, 1)
    assert not gate.enter(lambda: False)
    control.paused = False
    assert not gate.enter(lambda: False)
    assert gate.in_flight == 0


def test_a_throttled_gate_narrows_and_widens() -> None:
    gate = Gate(Control(lambda: 5.0), 8)
    gate.slowed()
    assert gate.window == 4
    for _ in range(100):
        gate.succeeded()
    assert gate.window == 8


class Waiting:
    """A unit with rows to be tried again."""

    def __init__(self) -> None:
        self.is_allowed = True
        self.tried: list[int] = []
        self.changed = threading.Event()

    def allowed(self) -> bool:
        return self.is_allowed

    def retry(self, row: int) -> None:
        self.tried.append(row)
        self.changed.set()


def test_rows_come_back_when_their_delay_is_over_and_not_before() -> None:
    now, looks = [0.0], threading.Semaphore(0)
    later, unit = Later(lambda: now[0], looks.release), Waiting()
    later.add(100.0, unit, 7)
    later.add(1.0, unit, 8)
    assert looks.acquire(timeout=SECONDS)
    assert unit.tried == []
    now[0] = 2.0
    later.wake()
    assert unit.changed.wait(SECONDS)
    assert unit.tried == [8]
    later.close()


def test_rows_of_a_unit_that_has_to_stop_come_back_at_once() -> None:
    later, unit = Later(lambda: 0.0, lambda: None), Waiting()
    later.add(1000.0, unit, 7)
    unit.is_allowed = False
    later.wake()
    assert unit.changed.wait(SECONDS)
    later.close()


class Feeding:
    """A unit whose first row hangs."""

    def __init__(self, readers: Readers, count: int) -> None:
        self.readers = readers
        self.waiting = deque(range(count))
        self.done: set[int] = set()
        self.most = count - 1
        self.hangs, self.answer, self.rest = threading.Event(), threading.Event(), threading.Event()

    def claim(self, limit: int) -> deque[int]:
        return deque(self.waiting.popleft() for _ in range(min(limit, len(self.waiting))))

    def give_back(self, rows: deque[int]) -> None:
        self.waiting.extend(rows)

    def process(self, row: int) -> None:
        self.readers.reading()
        if row == 0:
            self.hangs.set()
            self.answer.wait()
        self.readers.waiting()
        self.done.add(row)
        if len(self.done) >= self.most:
            self.rest.set()

    def path(self, row: int) -> bytes:
        return b"%d" % row


def test_a_thread_that_hangs_is_replaced_and_keeps_one_row() -> None:
    now = [0.0]
    readers = Readers(1, lambda: now[0] + 1)
    feed = Feeding(readers, 10)
    readers.add(feed)
    assert feed.hangs.wait(SECONDS)
    readers.replace_hung()
    assert feed.done == set()
    assert readers.oldest_path() == b"0"
    now[0] = 60.0
    readers.replace_hung()
    assert feed.rest.wait(SECONDS)
    assert feed.done == set(range(1, 10))
    feed.answer.set()
    readers.close()


def test_a_crew_runs_jobs_on_no_more_threads_than_it_may() -> None:
    crew, running, most, lock = Crew(3, "test"), [0], [0], threading.Lock()
    done = threading.Semaphore(0)

    def job() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1
        done.release()

    for _ in range(200):
        crew.submit(job)
    assert all(done.acquire(timeout=SECONDS) for _ in range(200))
    assert 1 <= most[0] <= 3
    crew.close()


def entries(count: int) -> pa.Table:
    rows = [{"dir": b"d", "name": b"f%d" % n, "kind": 1, "task": 3, "size": n, "mtime_ns": 5} for n in range(count)]
    return pa.Table.from_pylist(rows, schema=ENTRY_SCHEMA)


def test_each_row_is_resolved_once_and_the_last_one_completes() -> None:
    completed: list[int] = []
    rows = Rows(entries(4), lambda: completed.append(1))
    rows.transferred(0, 10, 77, "etag", "server-checked")
    rows.skipped(1, "vanished")
    rows.failed(2, "unreadable", "Input/output error")
    rows.failed(0, "too late")
    assert completed == []
    rows.released(3)
    assert completed == [1]
    table = rows.table("agent-1")
    assert table.schema == RESULT_SCHEMA
    found = table.to_pylist()
    assert [row["action"] for row in found] == [
        Action.TRANSFERRED,
        Action.SKIPPED,
        Action.FAILED,
        Action.RELEASED,
    ]
    assert [row["reason"] for row in found] == [None, "vanished", "unreadable", None]
    assert found[0] | {"finished_ns": 0} == {
        "dir": b"d",
        "name": b"f0",
        "kind": 1,
        "task": 3,
        "action": 1,
        "reason": None,
        "detail": None,
        "size": 0,
        "mtime_ns": 5,
        "ctime_ns": 0,
        "dev": 0,
        "inode": 0,
        "mode": 0,
        "uid": 0,
        "gid": 0,
        "sent_bytes": 10,
        "checksum": 77,
        "etag": "etag",
        "verified": "server-checked",
        "agent": "agent-1",
        "finished_ns": 0,
        "link": None,
        "unsure": False,
    }
    assert found[2]["detail"] == "Input/output error"
    assert found[3]["size"] == 3


def test_checksums_use_all_64_bits() -> None:
    rows = Rows(entries(1), lambda: None)
    rows.transferred(0, 1, 2**64 - 1)
    assert rows.table("a")["checksum"].to_pylist() == [2**64 - 1]
