"""One session of an execution: all that a runner needs before its first unit, for a new run and a resume alike."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from engine import home
from engine.catalog.delta import Known
from engine.catalog.folders import folders_deepest_first
from engine.catalog.held import Held
from engine.catalog.links import restored_links
from engine.catalog.segments import row_groups
from engine.catalog.state import read_state
from engine.catalog.totals import count
from engine.catalog.trust import not_listed
from engine.errors import DestinationError, RefusedError, SourceError
from engine.execution.committer import Committer, chunks_of
from engine.execution.comparing.drift import LISTING, list_destination, reason_to_list, tell_doubts
from engine.execution.comparing.nested import mounts_below
from engine.execution.coordination.messages import Chunk, LinksListed
from engine.execution.expand import Before, Expanded, expand
from engine.execution.foretelling.foretell import foretell
from engine.execution.ledger import Ledger
from engine.execution.linking import expand_links, list_links
from engine.execution.listed_before import ListedBefore, listed_before, words
from engine.execution.orders import absent_rows
from engine.execution.prepare import Sides, agent_names, claim_destination, open_sides, plan_tasks, task_snapshots
from engine.execution.roots import Roots
from engine.execution.succession import cancelled_before, take_places
from engine.execution.vanished import accepted
from engine.filters import Filters
from engine.journal.reader import read_identities, read_segments
from engine.journal.records import Execution, Segment, Upload, this_runner
from engine.journal.writer import Journal
from engine.locations.base import Location
from engine.model import Event, Migration, Status, TaskSnapshot, Totals, TransferOptions
from engine.transfer.units import AgentConfig, to_ipc

SPILL = "spill"
"""Folder in an execution's folder for what queries cannot keep in memory."""


@dataclass(frozen=True, slots=True)
class Session:
    """``frontier``: folders to list. ``chunks``: listed ``before``, to be compared again. ``uploads``: still open.

    ``state``: folder of what is known to be at the destination. ``listing``: of what it held before, if it was listed.
    ``unclean``: a session between these two sides did not
    end as it should. ``earlier``: results of other executions that the state does not hold yet. ``mounts``: what was
    mounted below the source when the session began. ``phases``: seconds that parts of it took, for the report.
    ``listed``: what is not listed again. ``resources``: closed when the session ends.
    """

    folder: Path
    execution: Execution
    sides: Sides
    roots: Roots
    state: Path
    tasks: Sequence[TaskSnapshot]
    agents: Sequence[str]
    agent_config: AgentConfig
    known: Known
    listing: Path | None
    frontier: Sequence[bytes]
    chunks: Sequence[Chunk]
    before: Before
    uploads: Sequence[Upload]
    earlier: Sequence[Path]
    mounts: Mapping[str, str]
    phases: dict[str, float]
    unclean: bool
    listed: ListedBefore | None
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

    def expand(self, chunk: Chunk, batch_bytes: int) -> Expanded:
        """What is to be done of a chunk, in batches of so many bytes."""
        links = self.real_folders and self.sides.source.capabilities.stable_inodes
        return expand(
            chunk,
            self.folder,
            self.known,
            self.before,
            real_folders=self.real_folders,
            links=links,
            batch_bytes=batch_bytes,
        )

    def expand_links(self, chunk: Chunk) -> Expanded:
        """What is to be done of a chunk of names of files that have several."""
        return expand_links(chunk, self.folder, self.known, self.before, drift=self.listing is not None)

    def links(self, segments: Sequence[str]) -> LinksListed:
        """The names of files that have several, sorted."""
        return list_links(self.folder, segments, self.folder / SPILL)

    def absent(self, segments: Sequence[str]) -> pa.Table:
        """RESULT_SCHEMA rows of what a manifest names and the source has not."""
        named = Filters(self.migration.filters).named() if not self.migration.test else frozenset()
        return absent_rows(not_listed([self.folder / name for name in segments], named, self.folder / SPILL))

    def folder_batches(self, segments: Sequence[str], results: Sequence[str]) -> list[bytes]:
        """All folders that belong to the dataset, deepest first, as IPC streams for units; first restored links."""
        files = [self.folder / name for name in segments]
        found = [] if self.sides.source.capabilities.transport == "files" else [self.folder / name for name in results]
        links = [to_ipc(table) for table in restored_links(found, self.folder / SPILL)]
        return links + [to_ipc(table) for table in folders_deepest_first(files, self.folder / SPILL)]


async def prepare(folder: Path, committer: Committer) -> Session:
    """Check both sides, claim the destination, and gather what is known.

    Raises SourceError, DestinationError, BusyError, RefusedError.
    """
    execution = await committer.call(Journal.execution)
    await committer.call(_take_over)
    resources = ExitStack()
    try:
        resources.enter_context(claim_destination(execution.migration, execution.id))
        sides = await asyncio.to_thread(open_sides, execution.migration)
        roots = await asyncio.to_thread(_hold, execution.id, sides)
        resources.callback(roots.close)
        await _identify(execution, sides, committer)
        if accepted():
            told = Event(
                time.time(), "warning", "what lies below a mount point that lost its mount was said to be meant"
            )
            await committer.call(lambda journal: journal.add_event(told))
        session = await _gather(folder, execution, sides, roots, committer, resources)
        return await _with_what_was_open(session, committer)
    except BaseException:
        resources.close()
        raise


def _hold(execution: str, sides: Sides) -> Roots:
    """Hold the folders of both sides, being what was checked. Raises SourceError, DestinationError."""
    roots = Roots(execution, [spec for spec, _ in sides.source_mounts], sides.destination_mounts)
    try:
        if sides.source.identity() != sides.source_identity:
            raise SourceError("the source is not what it was a moment ago: is its file system still mounted?")
        if sides.destination.identity() != sides.destination_identity:
            raise DestinationError("the destination is not what it was a moment ago: is it still mounted?")
    except BaseException:
        roots.close()
        raise
    return roots


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


def _take_over(journal: Journal) -> None:
    """At once: who waits for this runner would take the status of the one before for its acceptance."""
    with journal.transaction():
        journal.set_runner(this_runner(), time.time())
        journal.set_status(Status.LAUNCHING, "", time.time())


async def _with_what_was_open(session: Session, committer: Committer) -> Session:
    """Last of all, so that nothing that could still be refused has changed anything: take the place of others."""

    def take(journal: Journal) -> list[str]:
        def warn(text: str) -> None:
            journal.add_event(Event(time.time(), "warning", text))

        take_places(journal, warn, real_folders=session.real_folders)
        return journal.supersedes()

    older = await committer.call(take)
    if not older:
        return session
    uploads = await committer.call(Journal.open_uploads)
    return replace(session, uploads=uploads, unclean=True)


async def _gather(
    folder: Path, execution: Execution, sides: Sides, roots: Roots, committer: Committer, resources: ExitStack
) -> Session:
    migration = execution.migration
    agents = agent_names(migration.agents)
    tasks = await committer.call(Journal.tasks)
    if not tasks:
        plans = await asyncio.to_thread(plan_tasks, sides, migration, folder / SPILL)
        tasks = task_snapshots(plans, agents)
        await committer.call(lambda journal: journal.put_tasks(tasks))
    entries = await committer.call(lambda journal: journal.segments("entries"))
    results = await committer.call(lambda journal: journal.segments("results"))
    listed, decided = paths(folder, entries), paths(folder, results)
    listed_then = await asyncio.to_thread(listed_before, folder)
    if listed_then is not None:
        text = words(listed_then)
        await committer.call(lambda journal: journal.add_event(Event(time.time(), "warning", text)))
    real_folders = bool(sides.destination.capabilities.real_folders)
    counted = await asyncio.to_thread(count, listed, decided, folder / SPILL, folders_again=real_folders)
    committer.ledger = Ledger([counted.tasks.get(index, Totals()) for index in range(len(tasks))])
    await committer.call(lambda journal: journal.restart_failures(counted.failure_counts))
    state = state_folder(sides)
    changed_only = migration.options.transfer_mode == "CHANGED"
    identities = sides.source_identity, sides.destination_identity
    earlier = earlier_results(*identities, but=execution.id)
    listing: Path | None = folder / LISTING
    phases: dict[str, float] = {}
    if not (folder / LISTING).exists():
        something_known = bool(earlier or decided or read_state(state).files)
        if not entries:
            await asyncio.to_thread(foretell, folder, execution, sides, known=something_known and changed_only)
        if migration.retry is None:
            await tell_doubts(state, committer)
        reason = None if entries else reason_to_list(migration, sides.destination, state, known=something_known)
        began = time.monotonic()
        listing = None if reason is None else await list_destination(folder, migration, reason, committer)
        phases |= {} if reason is None else {"destination listing": time.monotonic() - began}
    known = Known(
        folder / SPILL,
        state=state if changed_only else None,
        earlier=earlier if changed_only else (),
        own=decided,
        held=None if listing is None else held(listing, sides.source, sides.destination, migration.options),
        compares=migration.options.checksum and changed_only,
        touches=migration.options.overwrite_mode != "NEVER" and changed_only,
    )
    resources.enter_context(known)
    return Session(
        folder=folder,
        execution=execution,
        sides=sides,
        roots=roots,
        state=state,
        tasks=tasks,
        agents=agents,
        agent_config=_agent_config(execution, tasks, sides),
        known=known,
        listing=listing,
        frontier=counted.frontier,
        chunks=[chunk for path in listed for chunk in chunks_of(path.name, row_groups(path))],
        before=Before(frozenset(path.name for path in listed), counted.broken),
        uploads=await committer.call(Journal.open_uploads),
        earlier=earlier,
        mounts=await asyncio.to_thread(mounts_below, sides.source),
        phases=phases,
        listed=listed_then,
        unclean=bool(listed or earlier) or await asyncio.to_thread(cancelled_before, execution.id, identities),
        resources=resources,
    )


def held(listing: Path, source: Location, destination: Location, options: TransferOptions) -> Held:
    """How a listing of the destination compares with what is known and with the source."""
    preserved = ["mode"] if options.posix_permissions == "PRESERVE" else []
    if os.geteuid() == 0:  # others cannot set owners
        preserved += [name for name in ("uid", "gid") if getattr(options, name) == "INT_VALUE"]
    return Held(
        listing,
        objects=destination.capabilities.transport == "objects",
        from_objects=source.capabilities.transport == "objects",
        times=options.mtime == "PRESERVE",
        compared=preserved,
    )


def paths(folder: Path, segments: Sequence[Segment]) -> list[Path]:
    """Where the files of segments are."""
    return [folder / segment.file for segment in segments]


def state_folder(sides: Sides) -> Path:
    """Where the state of this source and destination is kept."""
    return state_folder_of(sides.source_identity, sides.destination_identity)


def state_folder_of(source_identity: str, destination_identity: str) -> Path:
    """Where the state of two sides is kept that have these identities."""
    key = f"{source_identity}\0{destination_identity}".encode()
    return home.find_home().state / hashlib.blake2b(key, digest_size=12).hexdigest()


def earlier_results(source_identity: str, destination_identity: str, but: str = "") -> list[Path]:
    """Results of executions between these two sides, ``but`` one, that were not folded into the state."""
    found: list[Path] = []
    for folder in home.list_execution_folders(home.find_home()):
        same = read_identities(folder) == (source_identity, destination_identity)
        if same and folder.name != but:
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
        source_mounts=tuple(sides.source_mounts),
        destination_mounts=tuple(sides.destination_mounts),
        server_checks=sides.server_checks,
        marker_metadata=sides.marker_metadata,
        folds_names=sides.folds_names,
        keeps_backslashes=sides.destination.capabilities.keeps_backslashes,
        began_at=execution.started_at,
        task_includes=tuple(task.include for task in tasks),
    )
