"""Deletions in the state machine: after the last copy, stage by stage, under deaths, before the folders' metadata."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.deletions import Found
from engine.execution.comparing import nested
from engine.execution.comparing.removing import ended, over_threshold
from engine.execution.coordination import messages as m
from engine.execution.coordination.deletions import DeletionQueue
from engine.execution.coordination.pieces import copy_piece
from engine.execution.coordination.state import Coordinator
from engine.locations.listing import ENTRY_SCHEMA
from engine.model import Action, Deletions, Kind, Status, TransferOptions
from engine.transfer.units import (
    RESULT_SCHEMA,
    WAITS,
    CopyUnit,
    DeleteUnit,
    FoldersUnit,
    ScanUnit,
    Unit,
    UnitOutcome,
    from_ipc,
    to_ipc,
)


def entries(names: list[bytes], kind: Kind = Kind.FILE) -> bytes:
    rows = [{"dir": b"", "name": name, "kind": int(kind), "fate": 0, "task": 0, "size": 1} for name in names]
    return to_ipc(pa.Table.from_pylist(rows, schema=ENTRY_SCHEMA))


def results(unit: CopyUnit | DeleteUnit | FoldersUnit, action: Action, reason: str | None = None) -> bytes:
    rows = [
        {"dir": row["dir"], "name": row["name"], "kind": row["kind"], "action": int(action), "reason": reason}
        for row in from_ipc(unit.entries).to_pylist()
    ]
    return to_ipc(pa.Table.from_pylist(rows, schema=RESULT_SCHEMA))


LISTED = to_ipc(
    pa.Table.from_pylist(
        [{"dir": b"", "name": b"", "kind": int(Kind.LISTED), "fate": 0, "task": 0, "size": 0}], schema=ENTRY_SCHEMA
    )
)


class World:
    """One file to copy, which waits for deletions; some stages of deletions; two agents that may die."""

    def __init__(self, seed: int, stages: list[int], *, allowed: bool = True) -> None:
        self.random = random.Random(seed)
        self.groups = [m.DeletionGroup(number, stage) for number, stage in enumerate(stages)] if allowed else []
        self.state = Coordinator(["agent-1", "agent-2"], {}, 1, [b""], real_folders=True, deletes=True)
        self.todo: list[m.Event] = []
        self.held: list[tuple[str, Unit]] = []
        self.alive: set[str] = set()
        self.log: list[str] = []
        self.deleted: set[bytes] = set()
        self.copied = False
        self.failed: dict[bytes, Action] = {}
        self.finish: m.Finish | None = None

    def run(self, kills: int = 0) -> m.Finish:
        self.take(self.state.start())
        for _ in range(5_000):
            if self.finish is not None:
                return self.finish
            if kills and self.alive and self.random.random() < 0.1:
                kills -= 1
                name = self.random.choice(sorted(self.alive))
                self.alive.discard(name)
                self.held = [(agent, unit) for agent, unit in self.held if agent != name]
                self.take(self.state.handle(m.AgentLost(name, "killed")))
            elif self.todo and (not self.held or self.random.random() < 0.5):
                event = self.todo.pop(self.random.randrange(len(self.todo)))
                if isinstance(event, m.ChunksCommitted):
                    self.state.scans_durable(1)
                self.take(self.state.handle(event))
            elif self.held:
                self.work(*self.held.pop(self.random.randrange(len(self.held))))
            else:
                raise AssertionError(f"stuck: {self.state.agents} {self.log}")
        raise AssertionError("does not end")

    def take(self, instructions: list[m.Instruction]) -> None:
        for order in instructions:
            match order:
                case m.StartAgent(agent):
                    self.alive.add(agent)
                    self.todo.append(m.AgentReady(agent))
                case m.Send(agent, unit):
                    if isinstance(unit, DeleteUnit):
                        stage = self.stage_of(unit)
                        out = [self.stage_of(held) for _, held in self.held if isinstance(held, DeleteUnit)]
                        assert all(other == stage for other in out)
                        assert not any(isinstance(held, CopyUnit) for _, held in self.held)
                    if isinstance(unit, FoldersUnit):
                        assert self.copied or self.failed
                    self.held.append((agent, unit))
                case m.KeepEntries():
                    self.todo.append(m.ChunksCommitted([m.Chunk(0, "s", 0, 1, 1)]))
                case m.Expand():
                    self.todo.append(m.ChunkExpanded(0, [m.Batch(entries([b"file"]), 1, 1)], []))
                case m.ListLinks():
                    self.todo.append(m.LinksListed([], []))
                case m.ListDeletions():
                    assert not self.held
                    self.log.append("list")
                    self.todo.append(m.DeletionsListed(self.groups))
                case m.ReadDeletions(group):
                    names = [b"%d-%d" % (group.stage, number) for number in range(3)]
                    self.todo.append(m.DeletionsRead(group, entries([b"%d:" % group.number + name for name in names])))
                case m.ListFolders():
                    self.log.append("folders")
                    self.todo.append(m.FoldersListed([entries([b"d"], Kind.FOLDER)]))
                case m.FailEntries(rows, _, _, action):
                    self.failed |= {row["name"]: action for row in from_ipc(rows).to_pylist()}
                case m.Finish():
                    self.finish = order

    @staticmethod
    def stage_of(unit: DeleteUnit) -> int:
        name: bytes = from_ipc(unit.entries)["name"][0].as_py()
        return int(name.partition(b":")[2].partition(b"-")[0])

    def work(self, agent: str, unit: Unit) -> None:
        match unit:
            case ScanUnit():
                table = LISTED
            case CopyUnit():
                waits = len(self.deleted) < 3 * len(self.groups) or not self.groups
                table = results(unit, Action.RELEASED, WAITS) if waits else results(unit, Action.TRANSFERRED)
                self.copied = not waits
            case DeleteUnit():
                self.deleted |= set(from_ipc(unit.entries)["name"].to_pylist())
                table = results(unit, Action.DELETED)
            case FoldersUnit():
                table = results(unit, Action.TRANSFERRED)
            case _:
                raise AssertionError(unit)
        self.take(self.state.handle(m.UnitDone(agent, UnitOutcome(unit.id, unit.epoch, table))))


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), stages=st.lists(st.integers(0, 3), min_size=1, max_size=12), kills=st.integers(0, 3))
def test_everything_listed_goes_stage_by_stage_and_then_the_copy_that_waited(
    seed: int, stages: list[int], kills: int
) -> None:
    world = World(seed, sorted(stages))
    assert world.run(kills).complete
    assert world.log == ["list", "folders"]
    assert len(world.deleted) == 3 * len(stages)
    assert world.copied


def test_where_nothing_may_go_the_copy_that_waited_fails() -> None:
    world = World(1, [0, 1], allowed=False)
    assert world.run().complete
    assert world.deleted == set()
    assert world.failed == {b"file": Action.FAILED}


def test_only_what_is_in_the_way_is_looked_for_where_nothing_is_to_be_deleted_and_once() -> None:
    queue = DeletionQueue(wanted=False)
    piece = copy_piece(from_ipc(entries([b"folder"], Kind.FOLDER)), 0)
    refused = UnitOutcome(1, 0, results(CopyUnit(1, 0, piece.entries), Action.RELEASED, WAITS))
    assert queue.over
    assert (queue.hold(piece, refused), queue.over) == ([], False)
    assert queue.advance([]) == [m.ListDeletions(old_forms=True)]
    queue.listed([])
    queue.advance([])
    copies = queue.take_copies()
    assert copies is not None and len(copies) == 1
    (failed,) = queue.hold(copies[0], refused)
    assert isinstance(failed, m.FailEntries)


def found(files: int, folders: int, held: int) -> Found:
    return Found((), files, folders, 1_000, 0, 0, held, None)


@pytest.mark.parametrize(
    ("files", "folders", "held", "options", "refused"),
    [
        (10, 0, 100, {}, False),
        (10, 1, 100, {}, True),
        (0, 11, 100, {}, True),
        (50, 0, 100, {"max_deletion_share": 0.5}, False),
        (51, 0, 100, {"max_deletion_share": 0.5}, True),
        (1, 0, 100, {"max_deletion_share": 0.0}, True),
        (99, 1, 100, {"max_deletions": 100}, False),
        (2, 0, 100, {"max_deletions": 1}, True),
        (1, 0, 100, {"max_deletions": 0}, True),
        (0, 0, 0, {"max_deletions": 0}, False),
    ],
)
def test_the_threshold(files: int, folders: int, held: int, options: dict[str, float], refused: bool) -> None:
    text = over_threshold(found(files, folders, held), TransferOptions(**options), Path("/x/list"))  # type: ignore[arg-type]
    assert bool(text) is refused
    if refused:
        assert f"--max-deletions {files + folders}" in text
        assert "/x/list" in text


def test_how_a_run_ended() -> None:
    assert ended(0, 0, None) == (Status.SUCCESS, "")
    assert ended(0, 0, Deletions(files=3)) == (Status.SUCCESS, "")
    assert ended(0, 1, None)[1] == "done, but 1 folder failed"
    assert ended(1, 2, Deletions(held_back="so", not_deleted=1)) == (
        Status.ERROR,
        "done, but 1 file and 2 folders failed; 1 could not be deleted; nothing was deleted: so",
    )


def test_changes_of_mounts_are_named() -> None:
    assert nested.changes({"a": "nfs x"}, {"a": "nfs x"}) == []
    assert nested.changes({"a": "nfs x"}, {}) == ["a: it was nfs x, it is no mount"]
    assert nested.changes({}, {"b": "tmpfs"}) == ["b: it was no mount, it is tmpfs"]
    assert nested.changes({"a": "nfs x"}, {"a": "nfs y"}) == ["a: it was nfs x, it is nfs y"]


def test_the_record_of_mounts_is_read_back(tmp_path: Path) -> None:
    assert nested.recorded(tmp_path / "s") is None
    nested.record(tmp_path / "s", {"a": "nfs x"})
    assert nested.recorded(tmp_path / "s") == {"a": "nfs x"}
