"""One session of an execution: all that a runner needs before its first unit, for a new run and a resume alike."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from engine import home
from engine.catalog.delta import Known
from engine.catalog.folders import folders_deepest_first
from engine.catalog.segments import row_groups
from engine.catalog.totals import NOT_LISTED, count
from engine.errors import RefusedError
from engine.execution.committer import Committer, chunks_of
from engine.execution.ledger import Ledger
from engine.execution.messages import Chunk
from engine.execution.prepare import Sides, agent_names, claim_destination, open_sides, plan_tasks, task_snapshots
from engine.journal.reader import read_identities, read_segments
from engine.journal.records import Execution, Segment, Upload, this_runner
from engine.journal.writer import Journal
from engine.model import Migration, Status, TaskSnapshot, Totals
from engine.planning.partition import owners
from engine.transfer.units import AgentConfig, to_ipc

SPILL = "spill"
"""Folder in an execution's folder for what queries cannot keep in memory."""


@dataclass(frozen=True, slots=True)
class Session:
    """``frontier``: folders to list. ``chunks``: listed before, to be compared again. ``uploads``: still open.

    ``state``: folder of what is known to be at the destination. ``unclean``: a session between these two sides did not
    end as it should. ``resources``: closed when the session ends.
    """

    folder: Path
    execution: Execution
    sides: Sides
    state: Path
    tasks: Sequence[TaskSnapshot]
    agents: Sequence[str]
    agent_config: AgentConfig
    known: Known
    frontier: Sequence[bytes]
    chunks: Sequence[Chunk]
    uploads: Sequence[Upload]
    unclean: bool
    resources: ExitStack

    @property
    def migration(self) -> Migration:
        """What is run."""
        return self.execution.migration

    @property
    def preferred(self) -> dict[str, list[int]]:
        """Agent name -> the tasks it takes first."""
        return {agent: [index for index, task in enumerate(self.tasks) if task.agent == agent] for agent in self.agents}

    @property
    def real_folders(self) -> bool:
        """Whether the destination has folders whose metadata is set last."""
        return bool(self.sides.destination.capabilities.real_folders)

    def folder_batches(self, segments: Sequence[str]) -> list[bytes]:
        """All folders that belong to the dataset, deepest first, as IPC streams for units."""
        files = [self.folder / name for name in segments]
        return [to_ipc(table) for table in folders_deepest_first(files, self.folder / SPILL)]


async def prepare(folder: Path, committer: Committer) -> Session:
    """Check both sides, claim the destination, and gather what is known.

    Raises SourceError, DestinationError, BusyError, RefusedError.
    """
    execution = await committer.call(Journal.execution)
    await committer.call(lambda journal: journal.set_runner(this_runner(), time.time()))
    await committer.call(lambda journal: journal.set_status(Status.LAUNCHING, "", time.time()))
    resources = ExitStack()
    try:
        resources.enter_context(claim_destination(execution.migration, execution.id))
        sides = await asyncio.to_thread(open_sides, execution.migration)
        await _identify(execution, sides, committer)
        return await _gather(folder, execution, sides, committer, resources)
    except BaseException:
        resources.close()
        raise


async def _identify(execution: Execution, sides: Sides, committer: Committer) -> None:
    """Record what the two sides are, or refuse to go on with others than the execution began with."""
    now = (sides.source_identity, sides.destination_identity)
    before = (execution.source_identity, execution.destination_identity)
    if not any(before):
        await committer.call(lambda journal: journal.set_identities(*now))
        return
    for word, was, found in zip(("source", "destination"), before, now, strict=True):
        if was != found:
            raise RefusedError(
                f"the {word} is not what {execution.id} began with (it was {was}, it is {found}); "
                "if that is intended, start a new run"
            )


async def _gather(
    folder: Path, execution: Execution, sides: Sides, committer: Committer, resources: ExitStack
) -> Session:
    migration = execution.migration
    agents = agent_names(migration.agents)
    tasks = await committer.call(Journal.tasks)
    if not tasks:
        plans = await asyncio.to_thread(plan_tasks, sides, migration.agents)
        tasks = task_snapshots(plans, agents)
        await committer.call(lambda journal: journal.put_tasks(tasks))
    entries = await committer.call(lambda journal: journal.segments("entries"))
    results = await committer.call(lambda journal: journal.segments("results"))
    listed, decided = paths(folder, entries), paths(folder, results)
    counted = await asyncio.to_thread(count, listed, decided, folder / SPILL)
    committer.ledger = Ledger(
        [counted.tasks.get(index, Totals()) for index in range(len(tasks))], counted.failure_counts.get(NOT_LISTED, 0)
    )
    await committer.call(lambda journal: journal.restart_failures(counted.failure_counts))
    state = state_folder(sides)
    changed_only = migration.options.transfer_mode == "CHANGED"
    earlier = _earlier(execution.id, sides)
    known = Known(
        folder / SPILL,
        state=state if changed_only else None,
        earlier=earlier if changed_only else (),
        own=decided,
    )
    resources.enter_context(known)
    return Session(
        folder=folder,
        execution=execution,
        sides=sides,
        state=state,
        tasks=tasks,
        agents=agents,
        agent_config=_agent_config(execution, tasks, sides),
        known=known,
        frontier=counted.frontier,
        chunks=[chunk for path in listed for chunk in chunks_of(path.name, row_groups(path))],
        uploads=await committer.call(Journal.open_uploads),
        unclean=bool(listed or earlier),
        resources=resources,
    )


def paths(folder: Path, segments: Sequence[Segment]) -> list[Path]:
    """Where the files of segments are."""
    return [folder / segment.file for segment in segments]


def state_folder(sides: Sides) -> Path:
    """Where the state of this source and destination is kept."""
    key = f"{sides.source_identity}\0{sides.destination_identity}".encode()
    return home.find_home().state / hashlib.blake2b(key, digest_size=12).hexdigest()


def _earlier(execution: str, sides: Sides) -> list[Path]:
    """Results of other executions between the same two sides that were not folded into the state."""
    found: list[Path] = []
    for folder in home.list_execution_folders(home.find_home()):
        same = read_identities(folder) == (sides.source_identity, sides.destination_identity)
        if same and folder.name != execution:
            found += paths(folder, read_segments(folder, "results"))
    return found


def _agent_config(execution: Execution, tasks: Sequence[TaskSnapshot], sides: Sides) -> AgentConfig:
    migration = execution.migration
    return AgentConfig(
        execution=execution.id,
        source=migration.source,
        destination=migration.destination,
        filters=migration.filters,
        options=migration.options,
        source_identity=sides.source_identity,
        server_checks=sides.server_checks,
        task_folders=owners(sides.source.top_folders(), [task.include for task in tasks]),
    )
