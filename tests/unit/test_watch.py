"""What becomes of agents' reports: an agent that moves nothing has stalled, unless all are paused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.execution import watch
from engine.execution.ledger import Ledger
from engine.execution.watch import STALL_SECONDS, Watch
from engine.journal.reader import SnapshotReader
from engine.journal.records import Estimate
from engine.journal.writer import Journal
from engine.model import Bytes, Status, Tally, TaskSnapshot, Totals
from engine.transfer.units import AgentProgress
from tests.unit.cli_journals import alive, make_execution


class _Clock:
    """Stands in for the module ``time``."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def time(self) -> float:
        return self.now


@pytest.mark.parametrize(("paused", "state"), [(False, "stalled"), (True, "working")])
def test_who_moves_nothing_has_stalled_unless_all_are_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paused: bool, state: str
) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path))
    folder = make_execution("lab", Status.TRANSFERRING)
    clock = _Clock()
    monkeypatch.setattr(watch, "time", clock)
    watching = Watch([])
    watching.progress("agent-1", AgentProgress(0, 0, 1, 64, "a", 0.0, 0))
    clock.now += STALL_SECONDS + 1
    with Journal.open(folder) as journal:
        watching.write(journal, Ledger([Totals()]), {"agent-1": "working"}, True, paused=paused)
    with alive(folder), SnapshotReader(folder) as reader:
        assert [(agent.name, agent.state) for agent in reader.read().agents if agent.name == "agent-1"] == [
            ("agent-1", state)
        ]


def test_what_agents_move_and_when_it_was_said_to_end_is_kept_and_a_pause_forgets_the_latter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path))
    folder = make_execution("lab", Status.TRANSFERRING)
    clock = _Clock()
    monkeypatch.setattr(watch, "time", clock)
    watching, ledger = Watch([]), Ledger([Totals(Tally(100, 50), bytes=Bytes(1_000, 500, 500), listing_complete=True)])
    with Journal.open(folder) as journal, SnapshotReader(folder) as reader:
        for second in range(65):
            clock.now = 1_000.0 + second
            watching.progress("agent-1", AgentProgress(second, 10 * second, 1, 64, "a", 0.0, 0))
            watching.write(journal, ledger, {"agent-1": "working", "agent-2": "starting"}, True)
        rates = reader.agent_rates(1_000.0, 5.0, 13)
        assert rates["agent-1"][6] == 10
        assert set(rates["agent-2"].values()) == {0}
        low, high = reader.read().eta_seconds or (0.0, 0.0)
        assert [each.at for each in reader.estimates()] == [1_031, 1_061]
        assert reader.estimates()[0] == Estimate(1_031, 1_031 + low, 1_031 + high, 10)
        watching.write(journal, ledger, {"agent-1": "working"}, True, paused=True)
        assert reader.estimates() == []


def test_only_tasks_whose_counts_changed_are_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path))
    tasks = [TaskSnapshot(name, (f"/{name}",), (), "agent-1") for name in ("2023", "2024", "2025")]
    written: list[list[int]] = []
    put_live = Journal.put_live

    def counted(journal: Journal, found: dict[int, TaskSnapshot]) -> None:
        written.append([*found])
        put_live(journal, found)

    monkeypatch.setattr(Journal, "put_live", counted)
    with Journal.open(make_execution("lab", Status.TRANSFERRING)) as journal:
        before = len(journal.tasks())
        watching = Watch(tasks[:before])
        watching.write(journal, Ledger([Totals()] * before), {}, False)
        moved = Totals(Tally(9, 4), bytes=Bytes(90, 40, 50))
        for _ in range(2):
            watching.write(journal, Ledger([moved, *[Totals()] * (before - 1)]), {}, False)
        assert next(task.files for task in journal.tasks()) == Tally(9, 4)
    assert written == [[*range(before)], [0], []]
