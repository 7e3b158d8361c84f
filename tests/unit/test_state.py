"""The coordinator's state machine under random deaths, releases and orders of events: nothing is lost or done twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Set

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.execution.coordination import messages as m
from engine.execution.coordination.largefiles import missing_ranges
from engine.execution.coordination.pieces import ScanPiece, left_of
from engine.execution.coordination.state import MAX_DEATHS, UNCOMMITTED_SLICES, Coordinator
from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Action, Identity, Kind
from engine.transfer.units import (
    PART_SCHEMA,
    RESULT_SCHEMA,
    CopyUnit,
    FoldersUnit,
    PartsUnit,
    ScanUnit,
    Unit,
    UnitOutcome,
    from_ipc,
    to_ipc,
)

PART = 16 << 20
IDENTITY = Identity(1, 2, 10 * PART, 3, 4)


def entries(names: list[bytes], task: int = 0) -> bytes:
    rows = [{"dir": b"d", "name": name, "kind": int(Kind.FILE), "fate": 0, "task": task, "size": 10} for name in names]
    return to_ipc(pa.Table.from_pylist(rows, schema=ENTRY_SCHEMA))


def results(copied: bytes, released: Set[bytes] = frozenset()) -> bytes:
    rows = []
    for row in from_ipc(copied).to_pylist():
        action = Action.RELEASED if row["name"] in released else Action.TRANSFERRED
        rows.append({"dir": row["dir"], "name": row["name"], "kind": 1, "task": row["task"], "action": int(action)})
    return to_ipc(pa.Table.from_pylist(rows, schema=RESULT_SCHEMA))


def parts(unit: PartsUnit, only: int | None = None) -> bytes:
    numbers = range(unit.first_part, unit.last_part + 1)
    rows = [{"number": n, "size": PART, "checksum": n, "etag": ""} for n in numbers if only is None or n == only]
    return to_ipc(pa.Table.from_pylist(rows, schema=PART_SCHEMA))


EMPTY = to_ipc(pa.Table.from_pylist([], schema=ENTRY_SCHEMA))


def closed(folder: bytes, error: str | None = None) -> bytes:
    row = {"dir": folder, "name": b"", "kind": int(Kind.LISTED), "fate": 0, "task": 0, "size": 0, "error": error}
    return to_ipc(pa.Table.from_pylist([row], schema=ENTRY_SCHEMA))


class World:
    """A coordinator with agents that do what the test's random source says."""

    def __init__(
        self, seed: int, *, files: int, large: int, agents: int, poison: bytes | None = None, slices: int = 1
    ) -> None:
        self.random = random.Random(seed)
        self.slices = slices
        self.listing = 0
        self.poison = poison
        names = [f"agent-{number + 1}" for number in range(agents)]
        preferred = {name: [index % 2] for index, name in enumerate(names)}
        self.state = Coordinator(names, preferred, 2, [b""], real_folders=True)
        self.names = [b"f%05d" % number for number in range(files)]
        self.large = [m.LargeFile(b"L%d" % number, 1, 10 * PART, {}) for number in range(large)]
        self.alive: set[str] = set()
        self.held: list[tuple[str, Unit]] = []
        self.todo: list[m.Event] = []
        self.copied: Counter[bytes] = Counter()
        self.failed: Counter[bytes] = Counter()
        self.unlisted = False
        self.completed: Counter[bytes] = Counter()
        self.finish: m.Finish | None = None
        self.sent_parts: dict[bytes, set[int]] = {}

    def run(self, kills: int, releases: int) -> m.Finish:
        self.take(self.state.start())
        for _ in range(20_000):
            if self.finish is not None:
                return self.finish
            if kills and self.alive and self.random.random() < 0.05:
                kills -= 1
                self.kill(self.random.choice(sorted(self.alive)))
            elif self.todo and (not self.held or self.random.random() < 0.5):
                self.take(self.state.handle(self.todo.pop(self.random.randrange(len(self.todo)))))
            elif self.held:
                releases -= self.work(self.held.pop(self.random.randrange(len(self.held))), release=releases > 0)
            else:
                raise AssertionError(f"stuck: {self.state.agents}")
        raise AssertionError("does not end")

    def kill(self, name: str) -> None:
        self.alive.discard(name)
        self.held = [(agent, unit) for agent, unit in self.held if agent != name]
        self.take(self.state.handle(m.AgentLost(name, "killed")))

    def take(self, instructions: list[m.Instruction]) -> None:
        for order in instructions:
            match order:
                case m.StartAgent(agent):
                    self.alive.add(agent)
                    self.todo.append(m.AgentReady(agent))
                case m.StopAgent(agent):
                    self.alive.discard(agent)
                case m.Send(agent, unit):
                    assert agent in self.alive
                    self.held.append((agent, unit))
                case m.Expand(chunk):
                    self.todo.append(self.expanded(chunk))
                case m.BeginUpload(file):
                    self.todo.append(m.UploadReady(file.path, "u", IDENTITY, PART, []))
                case m.CompleteUpload(file, _, _, done):
                    assert [part.number for part in done] == list(range(1, 11))
                    self.completed[file.path] += 1
                    self.todo.append(m.UploadEnded(file.path, restart=False))
                case m.AbortUpload(file, _, reason, _):
                    assert reason
                    self.failed[file.path] += 1
                    self.todo.append(m.UploadEnded(file.path, restart=False))
                case m.FailEntries(rows, _, _):
                    self.failed.update(row["name"] for row in from_ipc(rows).to_pylist())
                case m.FailFolder():
                    self.unlisted = True
                    self.state.scans_durable(1)
                case m.ListFolders():
                    self.todo.append(m.FoldersListed([entries([b"x"]), entries([b"y"])]))
                case m.Finish():
                    assert not self.held
                    self.finish = order

    def expanded(self, chunk: m.Chunk) -> m.ChunkExpanded:
        names = self.names[chunk.row_group * 100 : chunk.row_group * 100 + 100]
        tens = [names[start : start + 10] for start in range(0, len(names), 10)]
        batches = [m.Batch(entries(ten, chunk.task), len(ten), 100) for ten in tens]
        return m.ChunkExpanded(chunk.task, batches, self.large if chunk.row_group == 0 else [])

    def work(self, given_unit: tuple[str, Unit], *, release: bool) -> int:
        """Finish a unit; returns 1 if it released something."""
        name, unit = given_unit
        if isinstance(unit, CopyUnit) and self.poison in from_ipc(unit.entries)["name"].to_pylist():
            self.held.append(given_unit)
            self.kill(name)
            return 0
        released = 0
        match unit:
            case ScanUnit():
                before = int(unit.rest[1]) if unit.rest else 0
                assert unit.listing == (self.listing if unit.rest else unit.id)
                self.listing = unit.listing
                rest = (b"", b"%d" % (before + 1)) if before + 1 < self.slices else None
                table = EMPTY if rest else closed(b"")
                self.take(self.state.handle(m.UnitDone(name, UnitOutcome(unit.id, unit.epoch, table, rest=rest))))
                groups = range(-(-len(self.names) // 100))[before :: self.slices]
                chunks = [m.Chunk(group % 2, "s", group, 100, 1000) for group in groups]
                self.state.scans_durable(1)
                self.take(self.state.handle(m.ChunksCommitted(chunks)))
                return 0
            case CopyUnit():
                names = from_ipc(unit.entries)["name"].to_pylist()
                keep = set(names[::2]) if release else set()
                released = len(keep) > 0
                self.copied.update(set(names) - keep)
                table = results(unit.entries, keep)
            case PartsUnit():
                only = unit.first_part if release else None
                released = release and unit.last_part > unit.first_part
                table = parts(unit, only)
            case FoldersUnit():
                table = results(unit.entries)
        self.take(self.state.handle(m.UnitDone(name, UnitOutcome(unit.id, unit.epoch, table))))
        return int(released)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(0, 6), st.integers(0, 3), st.integers(1, 4))
def test_every_file_is_done_once_whatever_dies(seed: int, agents: int, kills: int, releases: int, slices: int) -> None:
    world = World(seed, files=330, large=3, agents=agents, slices=slices)
    finish = world.run(kills, releases)
    assert finish == m.Finish(complete=True, fatal="")
    assert not world.failed
    if world.unlisted:  # each of three agents died while it listed the same slice: that much is given up, and said
        assert kills >= 3
        assert set(world.copied) < set(world.names)
        return
    assert set(world.copied) == set(world.names)
    assert world.completed == Counter(file.path for file in world.large)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_a_file_that_kills_agents_fails_alone(seed: int, agents: int) -> None:
    world = World(seed, files=330, large=1, agents=agents, poison=b"f00123")
    finish = world.run(kills=0, releases=0)
    assert finish.complete
    assert world.failed == Counter({b"f00123": 1})
    assert set(world.copied) == set(world.names) - {b"f00123"}


def test_agents_that_keep_dying_stop_the_run() -> None:
    state = Coordinator(["a"], {}, 1, [b""], real_folders=False)
    state.start()
    finish: list[m.Instruction] = []
    for _ in range(20):
        finish = [order for order in state.handle(m.AgentLost("a", "killed by SIGKILL")) if isinstance(order, m.Finish)]
        if finish:
            break
    assert len(finish) == 1
    assert isinstance(finish[0], m.Finish)
    assert "killed by SIGKILL" in finish[0].fatal


def test_a_fatal_outcome_stops_handing_out_and_ends_incomplete() -> None:
    state = Coordinator(["a"], {}, 1, [b""], real_folders=False)
    state.start()
    (send,) = state.handle(m.AgentReady("a"))
    assert isinstance(send, m.Send)
    outcome = UnitOutcome(send.unit.id, send.unit.epoch, EMPTY, fatal="bucket gone")
    orders = state.handle(m.UnitDone("a", outcome))
    assert m.Finish(complete=False, fatal="bucket gone") in orders


def test_pausing_stops_handing_out_and_resuming_goes_on() -> None:
    state = Coordinator(["a"], {}, 1, [b""], real_folders=False)
    state.start()
    assert m.Tell("a", "pause") in state.handle(m.Asked("pause"))
    assert state.handle(m.AgentReady("a")) == []
    orders = state.handle(m.Asked("resume"))
    assert any(isinstance(order, m.Send) for order in orders)


def test_a_drained_agent_leaves_when_its_hands_are_empty() -> None:
    state = Coordinator(["a", "b"], {}, 1, [b""], real_folders=False)
    state.start()
    state.handle(m.AgentReady("b"))
    assert not any(isinstance(order, m.Send) for order in state.handle(m.AgentReady("a")))
    assert m.StopAgent("a") in state.handle(m.Asked("drain_agent", "a"))


def scan_of(orders: list[m.Instruction]) -> ScanUnit:
    (unit,) = [order.unit for order in orders if isinstance(order, m.Send) and isinstance(order.unit, ScanUnit)]
    return unit


def test_slices_wait_for_commits_and_subfolders_for_the_last_slice() -> None:
    state = Coordinator(["a"], {}, 1, [b""], real_folders=False)
    state.start()
    unit = scan_of(state.handle(m.AgentReady("a")))
    for number in range(UNCOMMITTED_SLICES + 1):
        left = [b"d%d" % number]
        outcome = UnitOutcome(unit.id, unit.epoch, EMPTY, left, rest=(b"", left[0]))
        orders = state.handle(m.UnitDone("a", outcome))
        if number < UNCOMMITTED_SLICES:
            unit = scan_of(orders)
            assert (unit.folders, unit.rest) == ([], (b"", left[0]))
    assert not any(isinstance(order, m.Send) for order in orders)
    assert not state.listing_complete
    state.scans_durable(1)
    unit = scan_of(state.handle(m.ChunksCommitted([])))
    last = UnitOutcome(unit.id, unit.epoch, closed(b""), [b"d9/x"])
    assert {*scan_of(state.handle(m.UnitDone("a", last))).folders} <= {b"d%d" % n for n in range(5)} | {b"d9/x"}


@pytest.mark.parametrize(("error", "found"), [(None, [b"f/1", b"f/2", b"g"]), ("Input/output error", [b"g"])])
def test_subfolders_of_a_folder_in_slices_are_entered_only_once_it_is_listed(
    error: str | None, found: list[bytes]
) -> None:
    first = ScanPiece([b"f", b"e"])
    folders, rest = left_of(first, UnitOutcome(5, 1, EMPTY, [b"f/1", b"e", b"other/f/3"], (b"f", b"1")))
    assert folders == [b"e", b"other/f/3"]
    assert rest is not None
    again, rest = left_of(rest, UnitOutcome(6, 2, EMPTY, [b"f/2"], (b"f", b"2")))
    assert again == []
    assert rest == ScanPiece([], listing=5, rest=(b"f", b"2"), children=(b"f/1", b"f/2"))
    assert left_of(rest, UnitOutcome(7, 3, closed(b"f", error), [b"g"])) == (found, None)


def test_a_folder_whose_rest_kills_agents_is_closed_as_part_of_its_listing() -> None:
    state = Coordinator(["a"], {}, 1, [b""], real_folders=False)
    state.start()
    first = scan_of(state.handle(m.AgentReady("a")))
    state.handle(m.UnitDone("a", UnitOutcome(first.id, first.epoch, EMPTY, [b"d"], (b"", b"d"))))
    orders: list[m.Instruction] = []
    for _ in range(3):
        state.handle(m.AgentReady("a"))
        orders = state.handle(m.AgentLost("a", "killed"))
    assert m.FailFolder(b"", first.id, "kills agents") in orders


def test_it_says_that_another_agent_takes_the_place_of_one_that_died_as_long_as_one_does() -> None:
    state = Coordinator(["a"], {}, 1, [b""], real_folders=False)
    state.start()
    for _ in range(MAX_DEATHS - 1):
        state.handle(m.AgentReady("a"))
        orders = state.handle(m.AgentLost("a", "killed"))
        assert m.StartAgent("a") in orders
        assert m.Note("agent-lost", "a is gone: killed; another one takes its place") in orders
    orders = state.handle(m.AgentLost("a", "killed"))
    assert m.StartAgent("a") not in orders
    assert m.Note("agent-lost", "a is gone: killed") in orders


def test_missing_ranges_cover_exactly_what_is_missing() -> None:
    assert missing_ranges(10, [1, 2, 5], 3) == [(3, 4), (6, 8), (9, 10)]
    assert missing_ranges(3, [1, 2, 3], 3) == []


def test_who_has_work_of_its_own_weighs_no_other_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a thousand tasks that would take most of the runner's time."""
    state = Coordinator(["a"], {"a": [1]}, 3, [], real_folders=False)
    state.start()
    state.handle(m.ChunksCommitted([m.Chunk(task, "s", task, 1, 10) for task in range(3)]))
    for order in (0, 1):
        state.handle(m.ChunkExpanded(order, [m.Batch(entries([b"%d" % order], order), 1, 10)], [], 0))
    monkeypatch.setattr(Coordinator, "_left", lambda *_: pytest.fail("it looked at what others have left"))
    monkeypatch.setattr("engine.execution.coordination.state.COPIES_PER_AGENT", 1)
    sent = [each.unit for each in state.handle(m.AgentReady("a")) if isinstance(each, m.Send)]
    assert [from_ipc(unit.entries)["name"].to_pylist() for unit in sent if isinstance(unit, CopyUnit)] == [[b"1"]]
