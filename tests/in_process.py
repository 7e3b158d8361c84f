"""A whole execution in this process: the runner with the twin of its fleet."""

from __future__ import annotations

from collections.abc import Callable

from engine.execution import launch
from engine.execution.agents.twin import TwinFleet
from engine.execution.committer import Committer
from engine.execution.ending import end
from engine.execution.runner import Runner
from engine.execution.session import prepare
from engine.journal.reader import read_snapshot
from engine.locks import runner_lock
from engine.model import Migration, Snapshot
from engine.transfer.units import AgentConfig


async def run_in_process(migration: Migration, fleet: Callable[[AgentConfig], TwinFleet] = TwinFleet) -> Snapshot:
    """Run a new execution of ``migration`` to its end with agents of ``fleet``."""
    folder = launch.create(launch.RunRequest(migration))
    committer = Committer(folder)
    await committer.open()
    with runner_lock(folder):
        session = await prepare(folder, committer)
        with session.resources:
            outcome = await Runner(session, committer, fleet(session.agent_config)).run()
            await end(session, committer, outcome)
        session.sides.source.close()
        session.sides.destination.close()
        await committer.close()
        return read_snapshot(folder)
