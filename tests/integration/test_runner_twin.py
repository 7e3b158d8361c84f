"""The runner over the in-process twin of the fleet: agents are lost at chosen moments, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.execution import expand
from engine.execution.agents.fleet import FleetEvent
from engine.execution.agents.twin import TwinFleet
from engine.execution.coordination.messages import UnitDone
from engine.model import LocationSpec, Migration, Status
from engine.transfer.engine import Engine
from engine.transfer.units import AgentConfig
from tests.in_process import run_in_process
from tests.support import make_source, tree_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))


class LossyFleet(TwinFleet):
    """Loses the agent that returns the n-th unit, for each n in ``losses``, and that unit with it."""

    losses: frozenset[int] = frozenset()
    returned = 0

    def _deliver(self, name: str, engine: Engine, event: FleetEvent) -> None:
        if isinstance(event, UnitDone) and self._engines.get(name) is engine:
            self.returned += 1
            if self.returned in self.losses:
                self.lose(name)
                return
        super()._deliver(name, engine, event)


def losing(losses: frozenset[int]) -> Callable[[AgentConfig], LossyFleet]:
    def make(config: AgentConfig) -> LossyFleet:
        fleet = LossyFleet(config)
        fleet.losses = losses
        return fleet

    return make


@pytest.mark.parametrize(
    "losses", [frozenset(), frozenset({1}), frozenset({2}), frozenset({3, 4, 6}), frozenset({5, 7, 8})]
)
def test_whatever_unit_is_lost_the_copy_is_complete(tmp_path: Path, losses: frozenset[int]) -> None:
    source, target = make_source(tmp_path / "source", files=800, large=(100 << 20,)), tmp_path / "target"
    migration = Migration(LocationSpec(str(source)), LocationSpec(str(target)), agents=2)
    snapshot = asyncio.run(run_in_process(migration, losing(losses)))
    assert snapshot.status is Status.SUCCESS, snapshot.message
    assert snapshot.totals.files.transferred == snapshot.totals.files.discovered == 801
    assert snapshot.totals.files.pending == 0
    assert tree_of(target) == tree_of(source)
    assert sum(event.kind == "agent-lost" for event in snapshot.events) == len(losses)


def test_a_run_that_forgets_entries_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expand, "batches_of", lambda *_: iter(()))
    source = make_source(tmp_path / "source", files=3)
    migration = Migration(LocationSpec(str(source)), LocationSpec(str(tmp_path / "target")), agents=1)
    snapshot = asyncio.run(run_in_process(migration))
    files = snapshot.totals.files
    assert (files.discovered, files.pending, files.failed) == (3, 3, 0)
    assert snapshot.status is Status.ERROR
    assert snapshot.message.startswith("3 entries neither copied nor failed: a defect of xsync")
