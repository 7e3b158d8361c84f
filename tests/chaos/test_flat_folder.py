"""One flat folder that is listed in slices: killed in the middle of its listing, resumed, exact and identical."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engine.catalog.totals import Counted, count
from engine.execution import launch
from engine.execution.agents.fleet import FleetEvent
from engine.execution.agents.twin import TwinFleet
from engine.execution.coordination import pieces
from engine.execution.coordination.messages import UnitDone
from engine.journal.reader import read_snapshot
from engine.locations.listing import ENTRY_SCHEMA
from engine.model import LocationSpec, Migration, Status
from engine.transfer.engine import Engine
from engine.transfer.units import AgentConfig, CopyUnit, ScanUnit, Unit, from_ipc
from tests.chaos.dying import SLICE
from tests.in_process import run_in_process
from tests.support import tree_of

FILES = 1_500
FOLDERS = 40


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))


def make_flat(source: Path) -> Path:
    """A folder with FILES files and, between them, FOLDERS folders of one file each."""
    flat = source / "flat"
    flat.mkdir(parents=True)
    for number in range(FILES):
        path = flat / f"{number:06d}"
        path.write_bytes(b"%d" % number * 20)
        os.utime(path, ns=(10**18 + number, 10**18 + number))
    for number in range(FOLDERS):
        (flat / f"{number:04d}00-sub").mkdir()
        (flat / f"{number:04d}00-sub" / "file").write_bytes(b"%d" % number)
    return source


def die_at(folder: Path, files: int) -> int:
    command = [sys.executable, "-m", "tests.chaos.dying", str(folder), str(files)]
    return subprocess.run(command, timeout=120, check=False).returncode


def counted(folder: Path) -> Counted:
    entries, results = sorted(folder.glob("entries-*.parquet")), sorted(folder.glob("results-*.parquet"))
    return count(entries, results, folder / "spill")


def test_a_kill_in_the_middle_of_a_listing_leaves_nothing_out_and_counts_nothing_twice(tmp_path: Path) -> None:
    source, target = make_flat(tmp_path / "source"), tmp_path / "target"
    migration = Migration(LocationSpec(str(source)), LocationSpec(str(target)), agents=2)
    folder = launch.create(launch.RunRequest(migration))
    inodes: dict[str, int] = {}
    for files in (100, 400, 900):
        assert die_at(folder, files) == -signal.SIGKILL
        found = counted(folder)
        assert found.frontier == [b"flat"]
        assert {directory for directory, _ in found.broken} == {b"flat"}
        assert sum(task.files.discovered for task in found.tasks.values()) == 0
        results = [pq.read_table(path) for path in folder.glob("results-*.parquet")]
        done = {os.fsdecode(name) for table in results for name in table["name"].to_pylist()}
        now = {name: (target / "flat" / name).stat().st_ino for name in done}
        assert inodes.items() <= now.items(), "what was recorded before a kill was sent again"
        inodes = now
    assert len(inodes) >= 900
    assert die_at(folder, sys.maxsize) == 0
    snapshot = read_snapshot(folder)
    assert snapshot.status is Status.SUCCESS, (snapshot.message, snapshot.failure_counts)
    found_files, folders = snapshot.totals.files, snapshot.totals.folders
    assert found_files.discovered == found_files.transferred == FILES + FOLDERS
    assert (folders.discovered, folders.transferred, folders.pending) == (FOLDERS + 2, FOLDERS + 2, 0)
    assert snapshot.totals.bytes.transferred == snapshot.totals.bytes.source
    assert tree_of(target) == tree_of(source)
    assert all((target / "flat" / name).stat().st_ino == inode for name, inode in inodes.items())


class WatchedFleet(TwinFleet):
    """Notes the units sent and the rows of scans that return; loses the agents that return the units of ``losses``."""

    def __init__(self, config: AgentConfig, losses: frozenset[int]) -> None:
        super().__init__(config)
        self.units: list[Unit] = []
        self.scanned: list[int] = []
        self._losses = losses
        self._returned = 0

    def send(self, name: str, unit: Unit) -> None:
        """Note the unit, then send it."""
        self.units.append(unit)
        super().send(name, unit)

    def _deliver(self, name: str, engine: Engine, event: FleetEvent) -> None:
        if isinstance(event, UnitDone) and self._engines.get(name) is engine:
            self._returned += 1
            if self._returned in self._losses:
                self.lose(name)
                return
            table = from_ipc(event.outcome.table)
            if table.schema.equals(ENTRY_SCHEMA):
                self.scanned.append(table.num_rows)
        super()._deliver(name, engine, event)


@pytest.mark.parametrize("losses", [frozenset(), frozenset({4, 8, 20, 33, 34}), frozenset({60, 62, 90})])
def test_slices_are_small_and_sent_on_before_the_listing_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: frozenset[int]
) -> None:
    monkeypatch.setattr(pieces, "SCAN_ROWS", SLICE)
    source, target = make_flat(tmp_path / "source"), tmp_path / "target"
    migration = Migration(LocationSpec(str(source)), LocationSpec(str(target)), agents=2)
    fleets: list[WatchedFleet] = []

    def make(config: AgentConfig) -> WatchedFleet:
        fleets.append(WatchedFleet(config, losses))
        return fleets[0]

    snapshot = asyncio.run(run_in_process(migration, make))
    assert snapshot.status is Status.SUCCESS, (snapshot.message, snapshot.failure_counts)
    files = snapshot.totals.files
    assert (files.discovered, files.transferred, files.pending) == (FILES + FOLDERS, FILES + FOLDERS, 0)
    assert tree_of(target) == tree_of(source)
    (fleet,) = fleets
    assert len(fleet.scanned) > (FILES + FOLDERS) // (2 * SLICE)
    assert max(fleet.scanned) <= 2 * SLICE + 1
    slices = [place for place, unit in enumerate(fleet.units) if isinstance(unit, ScanUnit) and unit.rest]
    first_copy = next(place for place, unit in enumerate(fleet.units) if isinstance(unit, CopyUnit))
    assert first_copy < slices[len(slices) // 2]
