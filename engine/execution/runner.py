"""The runner: one event loop that carries out what the state machine decides; whatever blocks runs in threads."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from engine.catalog.deletion_list import read_group
from engine.errors import SourceError, XsyncError
from engine.execution.agents.fleet import Fleet, FleetEvent, Progressed, UnitBroken
from engine.execution.bandwidth import Bandwidth
from engine.execution.committer import Committer
from engine.execution.comparing.removing import LIST, deletes, ended, find_deletions
from engine.execution.coordination import messages as m
from engine.execution.coordination.state import Coordinator
from engine.execution.ending import Outcome
from engine.execution.expand import batch_bytes
from engine.execution.orders import failed_folder, failed_rows
from engine.execution.phases import DELETIONS, FOLDERS, LISTING, Phases
from engine.execution.session import Session, paths
from engine.execution.uploads import Uploads
from engine.execution.watch import Watch
from engine.journal.records import Command
from engine.journal.writer import Journal
from engine.model import FilterSpec, Limit, Status
from engine.transfer.units import ScanUnit, from_ipc, to_ipc

TICK_SECONDS = 0.5
"""How often the runner samples, answers commands and beats its heart."""

SHARE_SECONDS = 0.1
"""How often the bandwidth limit is divided anew."""

COMMIT_POLL_SECONDS = 0.02
"""How often it looks whether a commit is due, unless something was listed."""

DRAIN_SECONDS = 20.0
"""How long units in flight may finish after a drain was asked for, before agents hand back the rest."""


_WITHOUT_CRC64NVME = {
    "md5": "the destination does not check CRC64NVME: its ETags are compared with the MD5 of what is sent",
    "": "the destination does not check CRC64NVME: nothing is verified by the server",
}


class Runner:
    """Carries out one session of an execution with the agents of ``fleet``."""

    def __init__(self, session: Session, committer: Committer, fleet: Fleet) -> None:
        self._session = session
        self._committer = committer
        self._fleet = fleet
        self._state = Coordinator(
            session.agents,
            session.preferred,
            len(session.tasks),
            session.frontier,
            real_folders=session.real_folders,
            sweep=session.unclean,
            deletes=deletes(session),
            first_unit=committer.first_unit,
        )
        self._uploads = Uploads(
            session.sides.source,
            session.sides.source_identity,
            session.sides.destination,
            session.migration.options,
            session.uploads,
            committer,
            server_checks=session.sides.server_checks,
        )
        self._watch = Watch(session.tasks)
        self._bandwidth = Bandwidth(session.migration)
        self._limit = Limit()
        self._loops: list[asyncio.Task[None]] = []
        self._orders: set[asyncio.Task[None]] = set()
        self._finish: m.Finish | None = None
        self._cancelled = self._drained = False
        self._first_copy_at = self._copy_seconds = 0.0
        self._phases = Phases(session.phases, whole=not session.before.segments)
        self._listed = asyncio.Event()
        self._over = asyncio.Event()
        self._problem: XsyncError | None = None

    async def run(self) -> Outcome:
        """Work until all is done or until asked to stop."""
        session = self._session
        self._committer.proof = session.roots.check
        self._catch_signals()
        self._bandwidth.keep(await self._committer.call(Journal.limit))
        await self._fleet.start()
        self._watch.note("started", _counted(len(session.agents), len(session.tasks)))
        if not session.real_folders and (unchecked := _WITHOUT_CRC64NVME.get(session.sides.server_checks)):
            self._watch.note("warning", unchecked)
        self._carry_out(self._state.start())
        self._handle(m.ChunksCommitted(session.chunks))
        await self._status(Status.TRANSFERRING)
        loops = (self._hear(), self._commit_groups(), self._share_bandwidth(), self._tick())
        self._loops = [asyncio.create_task(self._guard(loop)) for loop in loops]
        await self._over.wait()
        await self._wind_up()
        return Outcome(*self._verdict(), self._copy_seconds)

    # -- events in ---------------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        while True:
            self._heard(await self._fleet.events.get())

    def _heard(self, event: FleetEvent) -> None:
        match event:
            case Progressed(agent, progress):
                self._watch.progress(agent, progress)
                self._bandwidth.progress(agent, progress, time.time())
            case UnitBroken(agent, _, error):
                raise XsyncError(f"a unit broke inside {agent}: {error}; this is a defect of xsync")
            case m.AgentLost(agent, _):
                self._watch.lost(agent, "lost")
                self._bandwidth.lost(agent)
                self._handle(event)
            case m.UnitDone(_, outcome):
                self._watch.not_kept(outcome.not_kept)
                if self._first_copy_at:
                    self._copy_seconds = time.monotonic() - self._first_copy_at
                self._handle(event)
            case m.AgentReady():
                self._handle(event)

    def _handle(self, event: m.Event) -> None:
        self._carry_out(self._state.handle(event))
        if self._state.listing_complete:
            self._phases.end(LISTING)

    async def _commit_groups(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(COMMIT_POLL_SECONDS):
                    await self._listed.wait()
            self._listed.clear()
            if self._committer.due(urgent="idle" in self._state.agents.values()):
                await self._commit()

    async def _commit(self) -> None:
        done = await self._committer.commit(listing_complete=self._state.listing_complete)
        self._state.scans_durable(done.scans)
        self._handle(m.ChunksCommitted(done.chunks))

    async def _share_bandwidth(self) -> None:
        """A loop of its own: an agent that dies or falls idle must not keep its share while the disk is slow."""
        while True:
            self._tell_shares()
            await asyncio.sleep(SHARE_SECONDS)

    def _tell_shares(self) -> None:
        now = time.time()
        for agent, share in self._bandwidth.news(now):
            self._fleet.limit(agent, share)
        limit = self._bandwidth.limit(now)
        if limit != self._limit:
            self._limit = limit
            if not limit.chosen:
                self._watch.note("limit", self._bandwidth.words(limit))

    async def _tick(self) -> None:
        while True:
            await self._record()
            for command in await self._committer.call(Journal.pending_commands):
                await self._obey(command)
            await asyncio.sleep(TICK_SECONDS)

    async def _record(self) -> None:
        """Put what people see into the journal."""
        states, complete = self._state.agents, self._state.listing_complete
        ledger, limit = self._committer.ledger, self._limit

        def record(journal: Journal) -> None:
            with journal.transaction():
                journal.set_limit(limit)
                self._watch.write(journal, ledger, states, complete, paused=self._state.paused)

        await self._committer.call(record)

    async def _obey(self, command: Command) -> None:
        agent = str(command.arguments.get("agent", ""))
        outcome = self._choose(command) if command.verb == "limit" else self._ask(command.verb, agent)
        self._watch.note(command.verb, f"{command.who} asked to {command.verb} {agent}".rstrip() + f": {outcome}")
        await self._committer.call(lambda journal: self._answer(journal, command, outcome))
        if command.verb in ("pause", "resume"):
            await self._status(Status.PAUSED if command.verb == "pause" else Status.TRANSFERRING)
        elif command.verb == "cancel":
            await self._status(Status.CANCELLING)

    def _answer(self, journal: Journal, command: Command, outcome: str) -> None:
        """Acknowledge a command; a limit is recorded with it, so that no crash forgets what was acknowledged."""
        with journal.transaction():
            journal.set_limit(self._limit)
            journal.answer(command.id, outcome, time.time())

    def _choose(self, command: Command) -> str:
        """Let the limit that a person asked for hold from now on; returns the answer."""
        rate = command.arguments.get("bytes_per_second")
        if rate is not None and not (isinstance(rate, int | float) and rate > 0):
            return "not done: a limit is a number of bytes a second above zero, or none"
        answer = self._bandwidth.choose(rate, time.time())
        self._tell_shares()
        return answer

    def _ask(self, verb: str, agent: str) -> str:
        """Do what a person asked; returns the answer."""
        if verb == "drain_agent" and agent not in self._state.agents:
            return f"not done: there is no {agent or 'agent without a name'}; agents: {', '.join(self._state.agents)}"
        if verb == "add_agent" and agent in self._state.agents:
            return f"not done: {agent} is there already"
        if verb in ("drain", "finish"):
            self._drain()
            self._cancelled = self._cancelled or verb == "finish"
            return "done"
        self._cancelled = self._cancelled or verb == "cancel"
        self._handle(m.Asked(verb, agent))
        return "done"

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._drain)
        if os.environ.get("XSYNC_FOREGROUND"):
            loop.add_reader(0, self._parent_spoke)

    def _parent_spoke(self) -> None:
        """The foreground command holds our standard input open; its end means that it is gone."""
        if not os.read(0, 4096):
            asyncio.get_running_loop().remove_reader(0)
            self._drain()

    def _drain(self) -> None:
        if self._drained:
            return
        self._drained = True
        self._watch.note("draining", "asked to stop: units in flight finish first")
        self._handle(m.Asked("drain"))
        asyncio.get_running_loop().call_later(DRAIN_SECONDS, lambda: self._handle(m.Asked("release")))

    # -- instructions out --------------------------------------------------------------------------------------

    def _carry_out(self, orders: list[m.Instruction]) -> None:
        for order in orders:
            self._do(order)

    def _do(self, order: m.Instruction) -> None:
        committer = self._committer
        match order:
            case m.Send(agent, unit):
                if not isinstance(unit, ScanUnit):
                    self._first_copy_at = self._first_copy_at or time.monotonic()
                self._fleet.send(agent, unit)
            case m.KeepEntries(table):
                committer.add_scan(from_ipc(table))
                self._listed.set()
            case m.KeepResults(table):
                committer.add_results(from_ipc(table))
            case m.KeepParts(path, parts):
                self._uploads.keep(path, parts)
            case m.FailEntries(entries, reason, detail, action):
                committer.add_results(failed_rows(entries, reason, detail, action))
            case m.FailFolder(folder, listing, reason):
                committer.add_scan(failed_folder(folder, listing, reason))
            case m.StartAgent(agent):
                self._fleet.add(agent)
                self._bandwidth.joined(agent)
                self._tell_shares()
            case m.StopAgent(agent):
                self._watch.lost(agent, "gone")
                self._bandwidth.lost(agent)
                self._fleet.remove(agent)
            case m.Tell(agent, word):
                self._fleet.tell(agent, word)
            case m.Note(kind, text):
                self._watch.note(kind, text)
            case m.Finish():
                self._finish = order
                self._phases.end(DELETIONS)
                self._phases.end(FOLDERS)
                self._over.set()
            case m.Expand() | m.BeginUpload() | m.CompleteUpload() | m.AbortUpload():
                self._begin(order)
            case m.ListFolders() | m.ListDeletions():
                self._phases.begin(FOLDERS if isinstance(order, m.ListFolders) else DELETIONS)
                self._begin(order)
            case m.ListLinks() | m.ReadDeletions():
                self._begin(order)

    def _begin(self, order: m.Slow) -> None:
        """Carry out an order that blocks, in a thread; its outcome comes back as an event."""
        task = asyncio.create_task(self._guard(self._carry_slowly(order)))
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)

    async def _carry_slowly(self, order: m.Slow) -> None:
        session = self._session
        match order:
            case m.Expand(chunk):
                if chunk.links:
                    await self._commit()  # a name is linked only to what is there for good
                    found = await asyncio.to_thread(session.expand_links, chunk)
                else:
                    size = batch_bytes(self._bandwidth.even_share(time.time()))
                    found = await asyncio.to_thread(session.expand, chunk, size)
                self._committer.add_unchanged(found.unchanged)
                for rows in found.results:
                    self._committer.add_results(rows)
                self._handle(found.event)
            case m.ListLinks():
                entries, _ = await self._committer.call(segment_files)
                self._handle(await asyncio.to_thread(session.links, entries))
            case m.ListFolders():
                await self._commit()
                entries, results = await self._committer.call(segment_files)
                self._handle(m.FoldersListed(await asyncio.to_thread(session.folder_batches, entries, results)))
            case m.ListDeletions(old_forms):
                self._handle(await self._list_deletions(old_forms=old_forms))
            case m.ReadDeletions(group):
                rows = await asyncio.to_thread(read_group, session.folder / LIST, group.number)
                self._handle(m.DeletionsRead(group, to_ipc(rows)))
            case m.BeginUpload():
                self._handle(await self._uploads.begin(order))
            case m.CompleteUpload():
                self._handle(await self._uploads.complete(order))
            case m.AbortUpload():
                self._handle(await self._uploads.abort(order))

    async def _list_deletions(self, *, old_forms: bool) -> m.DeletionsListed:
        """Make all that was copied durable, then the list of what goes. Raises SourceError: the source is another."""
        await self._commit()
        session = self._session
        entries = await self._committer.call(lambda journal: journal.segments("entries"))
        results = await self._committer.call(lambda journal: journal.segments("results"))
        decided = [*paths(session.folder, results), *session.earlier]
        listed = paths(session.folder, entries)
        found = await asyncio.to_thread(find_deletions, session, listed, decided, old_forms=old_forms)
        await self._committer.set_deletions(found.deletions)
        for kind, text in found.notes:
            self._watch.note(kind, text)
        if found.fatal:
            raise SourceError(found.fatal)
        return m.DeletionsListed(found.groups)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """Any error here ends the session; what is committed stays, what is not is done again on resume."""
        try:
            await work
        except XsyncError as error:
            self._fail(error)
        except Exception as error:
            self._fail(XsyncError(f"unexpected {type(error).__name__}: {error}"))
            raise

    def _fail(self, error: XsyncError) -> None:
        self._problem = self._problem or error
        self._over.set()

    # -- the end -----------------------------------------------------------------------------------------------

    async def _wind_up(self) -> None:
        """Stop the agents, wait for what is under way, and make the last rows durable."""
        session = self._session
        await self._fleet.close()
        self._uploads.stop()
        session.roots.hurry()
        if self._problem is None:
            await asyncio.gather(*self._orders, return_exceptions=True)
        for task in [*self._loops, *self._orders]:
            task.cancel()
        await asyncio.gather(*self._loops, *self._orders, return_exceptions=True)
        for agent in self._state.agents:
            self._watch.lost(agent, "gone")
        try:
            await self._committer.commit(listing_complete=self._state.listing_complete)
            if self._problem is None and self._finish is not None and self._finish.complete:
                entries, _ = await self._committer.call(segment_files)
                self._committer.add_results(await asyncio.to_thread(session.absent, entries))
                await self._committer.commit(listing_complete=self._state.listing_complete)
                self._note_nothing()
            if self._cancelled or (self._finish is not None and self._finish.complete):
                problem = await self._uploads.discard_all()
                if problem:
                    text = f"uploads stay open at the destination: {problem} Discard them with: xsync cleanup"
                    self._watch.note("warning", text)
            self._watch.not_kept(getattr(self._session.sides.destination, "not_kept", {}))
            self._watch.conclude()
            await self._record()
        except XsyncError as error:
            self._problem = self._problem or error

    def _note_nothing(self) -> None:
        """A run that found no file is no error, and yet seldom what was meant: a misspelt pattern, an empty mount."""
        files = self._committer.ledger.totals(listing_complete=True).files
        if files.discovered == files.excluded:
            filtered = self._session.migration.filters != FilterSpec()
            why = " inside the filters: is a pattern misspelt?" if filtered else ": is its file system mounted?"
            self._watch.note("warning", f"the source holds no file{why}")

    def _verdict(self) -> tuple[Status, str]:
        totals = self._committer.ledger.totals(listing_complete=self._state.listing_complete)
        if self._problem is not None:
            return Status.ERROR, str(self._problem)
        assert self._finish is not None
        if self._finish.fatal:
            return Status.ERROR, self._finish.fatal
        if self._finish.complete:
            if (pending := totals.files.pending + totals.folders.pending) > 0:
                return Status.ERROR, f"{pending:,} entries neither copied nor failed: a defect of xsync, report it"
            folders = totals.folders.failed + self._committer.ledger.listing_errors
            return ended(totals.files.failed, folders, totals.deletions)
        if self._cancelled:
            return Status.CANCELLED, "cancelled; what was finished stays" if self._drained else "cancelled"
        return Status.INTERRUPTED, f"stopped before the end; go on with: xsync resume {self._session.folder.name}"

    async def _status(self, status: Status) -> None:
        await self._committer.call(lambda journal: journal.set_status(status, "", time.time()))


def segment_files(journal: Journal) -> tuple[list[str], list[str]]:
    """File names of the segments of entries and of results."""
    entries, results = ([segment.file for segment in journal.segments(kind)] for kind in ("entries", "results"))
    return entries, results


def _counted(agents: int, tasks: int) -> str:
    return f"{agents} agent{'' if agents == 1 else 's'}, {tasks} task{'' if tasks == 1 else 's'}"
