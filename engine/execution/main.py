"""The runner process: takes an execution, runs one session of it, and leaves word of how it ended."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path

from engine.errors import BusyError, StoppedError, StorageFullError, XsyncError
from engine.execution.agents.fleet import LocalFleet
from engine.execution.committer import Committer, full_disk_named
from engine.execution.ending import end
from engine.execution.herald import Herald
from engine.execution.launch import superseded_error, write_refusal
from engine.execution.runner import Runner
from engine.execution.session import prepare
from engine.journal.writer import Journal
from engine.locks import runner_lock, wait_for_agents
from engine.model import Status

STUCK_AGENT_SECONDS = 15.0
"""How long a resume waits for agents of an earlier session that hang in a call."""


def main(folder: Path) -> int:
    """Run the execution in ``folder``; returns an exit code of the contract."""
    try:
        with runner_lock(folder):
            wait_for_agents(folder, STUCK_AGENT_SECONDS)
            return asyncio.run(_run(folder))
    except BusyError as error:
        write_refusal(folder, error)
        return error.exit_code
    except XsyncError as error:
        with suppress(OSError):  # its log may be on the disk that is full
            print(f"xsync: {error}", file=sys.stderr, flush=True)
        return error.exit_code


async def _run(folder: Path) -> int:
    committer = Committer(folder)
    await committer.open()
    try:
        by = await committer.call(Journal.superseded_by)
        if by:  # since it was asked to go on
            error = superseded_error(folder.name, by)
            write_refusal(folder, error)
            return error.exit_code
        return await _session(folder, committer)
    finally:
        await committer.close()


async def _session(folder: Path, committer: Committer) -> int:
    herald = Herald(folder, (await committer.call(Journal.execution)).migration, committer)
    try:
        session = await prepare(folder, committer)
    except StoppedError as error:  # its status is set
        await herald.end()
        return error.exit_code
    except StorageFullError as error:  # there is no room for word of it
        await herald.end(str(error))
        raise
    except XsyncError as error:
        message = str(error)
        write_refusal(folder, error)  # first: whoever sees the status must find the reason
        await committer.call(lambda journal: journal.set_status(Status.ERROR, message, time.time()))
        await herald.end()
        return error.exit_code
    with session.resources:
        try:
            async with herald.watching():
                outcome = await Runner(session, committer, LocalFleet(session.agent_config, folder)).run()
                with full_disk_named(folder):
                    await end(session, committer, outcome)
        except XsyncError as error:
            await herald.end(str(error))
            raise
    await herald.end()
    status = outcome.status
    if status in (Status.CANCELLED, Status.INTERRUPTED):
        return StoppedError.exit_code
    return 0 if status is Status.SUCCESS else 1
