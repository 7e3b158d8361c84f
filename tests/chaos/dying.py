"""A runner that kills itself: ``python -m tests.chaos.dying <folder> <files>``, with slices of SLICE rows.

It works on the execution in ``folder`` with agents in its own process and dies by SIGKILL right after the commit that
brings the files transferred to ``files``, however busy the machine: its listing is not let run far ahead of that. Exit
code 1 if the ledger ever says what cannot be.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from engine.execution.agents.twin import TwinFleet
from engine.execution.committer import Committed, Committer
from engine.execution.coordination import pieces
from engine.execution.ending import end
from engine.execution.runner import Runner
from engine.execution.session import prepare
from engine.locks import runner_lock
from engine.transfer.units import AgentConfig, ScanUnit, Unit

SLICE = 20

AHEAD = 300
"""Rows that may be listed beyond the files that are to be transferred."""


class DyingCommitter(Committer):
    """Looks at the ledger after each commit, and dies at ``files``."""

    files = sys.maxsize

    async def commit(self, *, listing_complete: bool = False) -> Committed:
        """Commit, then perhaps die."""
        done = await super().commit(listing_complete=listing_complete)
        totals = self.ledger.totals(listing_complete=listing_complete)
        if min(totals.files.pending, totals.folders.pending) < 0:
            os._exit(1)
        if totals.files.transferred >= self.files:
            os.kill(os.getpid(), signal.SIGKILL)
        return done


class HeldFleet(TwinFleet):
    """Gives out no scan that lists many more rows than ``files``: who dies there dies in the middle of the listing."""

    def __init__(self, config: AgentConfig, files: int) -> None:
        super().__init__(config)
        self._scans = (files + AHEAD) // SLICE

    def send(self, name: str, unit: Unit) -> None:
        """Send it, or keep it for ever."""
        if isinstance(unit, ScanUnit):
            self._scans -= 1
            if self._scans < 0:
                return
        super().send(name, unit)


async def _run(folder: Path, files: int) -> None:
    committer = DyingCommitter(folder)
    committer.files = files
    await committer.open()
    with runner_lock(folder):
        session = await prepare(folder, committer)
        with session.resources:
            await end(
                session, committer, await Runner(session, committer, HeldFleet(session.agent_config, files)).run()
            )
        await committer.close()


if __name__ == "__main__":
    pieces.SCAN_ROWS = SLICE
    asyncio.run(_run(Path(sys.argv[1]), int(sys.argv[2])))
