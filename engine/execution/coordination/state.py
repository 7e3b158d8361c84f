"""The coordinator's state machine: events in, instructions out; no IO, no clock.

Every unit goes to a named agent. A piece of work is in exactly one place: a queue, an agent's hands, or done. When an
agent dies its pieces come back as suspects, which run alone on an agent and are halved after a second death, so that
one poisonous file ends up alone and fails alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal

from engine.execution.coordination import messages as m
from engine.execution.coordination.deletions import DeletionQueue, only_deletions
from engine.execution.coordination.largefiles import LargeFiles, to_be_cut
from engine.execution.coordination.links import LinkQueue
from engine.execution.coordination.members import Agent, Task
from engine.execution.coordination.pieces import (
    LEAST_BATCH,
    SCAN_FOLDERS,
    CopyPiece,
    DeletePiece,
    FoldersPiece,
    PartsPiece,
    Piece,
    ScanPiece,
    copy_piece,
    fair_batch,
    left_of,
    released_entries,
)
from engine.model import Action
from engine.transfer.units import UnitOutcome

COPIES_PER_AGENT = 2
"""Batches in an agent's hands: one that drains, one that feeds."""

BATCH_SECONDS = 1.5
"""How long a batch may take: what a crash does again, and how late results are seen."""

PARTS_PER_AGENT = 2
"""Part ranges in an agent's hands."""

BACKLOG_FILES = 200_000
"""Listed files not yet copied from which on one agent lists instead of half of them."""

UNCOMMITTED_SLICES = 4
"""Slices of large folders that are listed ahead of their commits, besides one scan an agent."""

MAX_DEATHS = 8
"""Agents that may die one after the other with nothing done in between, before the run is stopped."""


class Coordinator:
    """Decides what every agent does next.

    ``agents``: names to start with. ``preferred``: agent name -> indexes of the tasks it takes first. ``frontier``:
    folders still to be listed. ``real_folders``: the destination has folders whose metadata is set last; ``sweep``:
    agents of earlier sessions may have left temporaries in them. ``deletes``: what the source lacks is deleted before.
    ``first_unit``: ids of units start above it, and grow with every resume. ``file_cost``: bytes that take as long as
    one file, to weigh what a task has left.
    """

    def __init__(
        self,
        agents: Sequence[str],
        preferred: dict[str, list[int]],
        tasks: int,
        frontier: Sequence[bytes],
        *,
        real_folders: bool,
        sweep: bool = False,
        deletes: bool = False,
        first_unit: int = 0,
        file_cost: int = 256 << 10,
    ) -> None:
        self._agents = {name: Agent() for name in agents}
        self._preferred = preferred
        self._tasks = [Task() for _ in range(tasks)]
        self._frontier = list(frontier)
        self._rests: deque[ScanPiece] = deque()
        self._suspects: deque[Piece] = deque()
        self._folders: deque[FoldersPiece] = deque()
        self._folders_state = "later" if real_folders else "done"
        self._sweep = sweep
        self._deletions = DeletionQueue(wanted=deletes)
        self._file_cost = file_cost
        self._links = LinkQueue()
        self._large = LargeFiles(limit=max(2, 2 * len(agents)))
        self._uncommitted_scans = 0
        self._unit_id, self._epoch = first_unit, 0
        self._next_agent = len(agents) + 1
        self._deaths = 0
        self._paused = self._stopping = self._finished = False
        self._fatal = ""
        self._out: list[m.Instruction] = []

    @property
    def listing_complete(self) -> bool:
        """True when every folder was listed and its entries are durable."""
        begun = self._rests or any(agent.rest for agent in self._agents.values())
        return not (self._frontier or self._uncommitted_scans or begun or self._scanning())

    @property
    def paused(self) -> bool:
        """True while nothing new is begun because a person asked for that."""
        return self._paused

    @property
    def agents(self) -> dict[str, str]:
        """Agent name -> starting, idle, working, draining."""
        return {name: _word(agent) for name, agent in self._agents.items()}

    def start(self) -> list[m.Instruction]:
        """The first instructions."""
        self._out = [m.StartAgent(name) for name in self._agents]
        return self._taken()

    def handle(self, event: m.Event) -> list[m.Instruction]:
        """Take one event and say what is to be done about it."""
        match event:
            case m.AgentReady(agent):
                self._agents.setdefault(agent, Agent()).ready = True
            case m.AgentLost(agent, reason):
                self._lost(agent, reason)
            case m.UnitDone(agent, outcome):
                self._unit_done(agent, outcome)
            case m.ChunksCommitted(chunks):
                self._committed(chunks)
            case m.ChunkExpanded():
                self._expanded(event)
            case m.LinksListed():
                self._committed(self._links.listed(event))
            case m.FoldersListed(batches):
                self._folders.extend(FoldersPiece(batch, self._sweep) for batch in batches)
                self._folders_state = "running"
            case m.DeletionsListed(groups):
                self._deletions.listed(groups)
            case m.DeletionsRead():
                self._deletions.read(event)
            case m.UploadReady():
                pieces, more = self._large.ready(event)
                self._out += more
                for piece in pieces:
                    self._queue_parts(piece)
            case m.UploadEnded():
                self._out += self._large.ended(event)
            case m.Asked(verb, agent):
                self._asked(verb, agent)
        self._advance()
        return self._taken()

    def scans_durable(self, count: int) -> None:
        """The entries of so many returned scans are durable; their chunks follow as ChunksCommitted."""
        self._uncommitted_scans -= count

    # -- events ------------------------------------------------------------------------------------------------

    def _lost(self, name: str, reason: str) -> None:
        agent = self._agents.pop(name, None)
        if agent is None:
            return
        self._sweep = True
        again = not (self._stopping or agent.draining) and self._deaths + 1 < MAX_DEATHS
        instead = "; another one takes its place" if again else ""
        self._out.append(m.Note("agent-lost", f"{name} is gone: {reason}{instead}"))
        for unit_id, piece in agent.units.items():
            self._mourn(unit_id, piece)
        self._leave(agent)
        self._deaths += 1
        if self._deaths >= MAX_DEATHS:
            self._stop(f"{self._deaths} agents died one after the other, the last because: {reason}")
        elif again:
            self._agents[name] = Agent()
            self._out.append(m.StartAgent(name))

    def _mourn(self, unit_id: int, piece: Piece) -> None:
        again = piece.mourned()
        if again:
            self._suspects.extend(again)
            if isinstance(piece, PartsPiece):
                self._large.split(piece, len(again))
            if len(again) > 1:
                self._out.append(m.Note("unit-halved", "a unit killed two agents: its halves are tried one by one"))
            return
        text = "each agent that touched it died"
        match piece:
            case ScanPiece(folders=folders, rest=rest):
                folder = rest[0] if rest is not None else folders[0]
                self._out.append(m.FailFolder(folder, piece.listing or unit_id, "kills agents"))
                self._uncommitted_scans += 1
            case PartsPiece():
                self._out += self._large.returned(piece, [], ("kills agents", text))
            case CopyPiece(entries=entries) | FoldersPiece(entries=entries):
                self._out.append(m.FailEntries(entries, "kills agents", text))
            case DeletePiece(entries=entries):
                self._out.append(m.FailEntries(entries, "kills agents", text, Action.NOT_DELETED))

    def _unit_done(self, name: str, outcome: UnitOutcome) -> None:
        agent = self._agents.get(name)
        piece = agent.units.pop(outcome.unit_id, None) if agent else None
        if agent is None or piece is None:
            return  # of an old epoch: it was given out again
        if outcome.fatal:
            self._stop(outcome.fatal)
        else:
            self._deaths = 0
        match piece:
            case ScanPiece():
                folders, agent.rest = left_of(piece, outcome)
                self._frontier += folders
                self._uncommitted_scans += 1
                self._out.append(m.KeepEntries(outcome.table))
            case CopyPiece():
                self._out.append(m.KeepResults(outcome.table))
                self._copy_back(piece, outcome)
                if outcome.seconds:
                    agent.batch = max(LEAST_BATCH, int(piece.files / outcome.seconds * BATCH_SECONDS))
            case PartsPiece():
                again, orders = self._large.back(piece, outcome)
                for part in again:
                    self._queue_parts(part)
                self._out += orders
            case FoldersPiece():
                self._out.append(m.KeepResults(outcome.table))
            case DeletePiece():
                self._out.append(m.KeepResults(outcome.table))
                self._deletions.returned(piece, outcome)

    def _copy_back(self, piece: CopyPiece, outcome: UnitOutcome) -> None:
        self._large.add(to_be_cut(piece, outcome))
        self._out += self._deletions.hold(piece, outcome)
        released = released_entries(piece.entries, outcome.table)
        if released is not None and released.num_rows:
            back = copy_piece(released, piece.task)
            self._tasks[piece.task].copies.append(back)
            self._tasks[piece.task].change(back.files, back.bytes)

    def _committed(self, chunks: Sequence[m.Chunk]) -> None:
        for chunk in chunks:
            task = self._tasks[chunk.task]
            task.chunks.append(chunk)
            task.change(chunk.files, chunk.bytes)

    def _expanded(self, event: m.ChunkExpanded) -> None:
        task = self._tasks[event.task]
        task.expanding = False
        chunk = task.chunks.popleft()
        task.change(-chunk.files, -chunk.bytes)
        for batch in event.batches:
            task.copies.append(CopyPiece(batch.entries, event.task, batch.files, batch.bytes))
            task.change(batch.files, batch.bytes)
        self._large.add(event.large)
        self._links.left_out(event.links)

    def _queue_parts(self, piece: PartsPiece) -> None:
        self._tasks[piece.task].parts.append(piece)
        self._tasks[piece.task].change(0, piece.bytes)

    def _asked(self, verb: str, name: str) -> None:
        match verb:
            case "pause" | "resume" as word:
                self._paused = word == "pause"
                self._out += [m.Tell(agent, word) for agent in self._agents]
            case "drain":
                self._stopping = True
            case "release" | "cancel":
                self._stopping = True
                self._out += [m.Tell(agent, "release") for agent in self._agents]
            case "add_agent":
                name = name or self._free_name()
                self._agents[name] = Agent()
                self._large.limit += 2
                self._out.append(m.StartAgent(name))
            case "drain_agent":
                if name in self._agents:
                    self._agents[name].draining = True

    def _free_name(self) -> str:
        while f"agent-{self._next_agent}" in self._agents:
            self._next_agent += 1
        return f"agent-{self._next_agent}"

    def _stop(self, fatal: str) -> None:
        self._fatal = self._fatal or fatal
        self._stopping = True

    # -- decisions ---------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        if not self._stopping:
            self._out += self._large.begin()
            self._link()
            self._expand()
            self._delete()
            if not self._paused:
                self._assign()
        self._retire()
        self._end()

    def _expand(self) -> None:
        wanted = 2 * COPIES_PER_AGENT * max(1, len(self._agents))
        for task in self._tasks:
            if task.chunks and not task.expanding and len(task.copies) < wanted and self._large.waiting < 10_000:
                task.expanding = True
                self._out.append(m.Expand(task.chunks[0]))

    def _delete(self) -> None:
        """Once everything is copied: list what goes, hand it out, then copy what had waited for it."""
        if self._deletions.over or not self._copied():
            return
        self._out += self._deletions.advance(self._in_flight())
        copies = self._deletions.take_copies()
        if copies is None:
            return
        self._large.begin_held()
        for back in copies:
            self._tasks[back.task].copies.append(back)
            self._tasks[back.task].change(back.files, back.bytes)

    def _in_flight(self) -> list[Piece]:
        return [*self._suspects, *(piece for agent in self._agents.values() for piece in agent.units.values())]

    def _link(self) -> None:
        if not self._links.over and self._copied(linked=False):
            orders, chunks = self._links.advance()
            self._out += orders
            self._committed(chunks)

    def _copied(self, *, linked: bool = True) -> bool:
        """Whether nothing is left to list or to copy (``linked``: or to link), but maybe what waits for deletions."""
        left = len(self._large) or any(task.chunks or task.copies or task.parts for task in self._tasks)
        left = left or (linked and not self._links.over)
        return not left and self.listing_complete and only_deletions(self._in_flight())

    def _assign(self) -> None:
        for _ in range(COPIES_PER_AGENT + PARTS_PER_AGENT + 1):
            sent = False
            for name in self._by_load():
                piece = self._next(name, self._agents[name])
                if piece is not None:
                    self._send(name, piece)
                    sent = True
            if not sent:
                return

    def _by_load(self) -> list[str]:
        able = [name for name, agent in self._agents.items() if agent.ready and not agent.draining]
        return sorted(able, key=lambda name: (len(self._agents[name].units), name))

    def _send(self, name: str, piece: Piece) -> None:
        self._unit_id += 1
        self._epoch += 1
        self._agents[name].units[self._unit_id] = piece
        self._out.append(m.Send(name, piece.unit(self._unit_id, self._epoch)))

    def _next(self, name: str, agent: Agent) -> Piece | None:
        if any(piece.deaths for piece in agent.units.values()):
            return None  # a suspect runs alone
        if self._suspects and name == min(self._by_load()):
            return None if agent.units else self._suspects.popleft()
        return (
            self._next_scan(agent)
            or self._next_parts(name, agent)
            or self._next_copy(name, agent)
            or self._deletions.next(agent.units.values(), self._in_flight())
            or self._next_folders(agent)
        )

    def _scanning(self) -> int:
        return sum(agent.count(ScanPiece) for agent in self._agents.values()) + sum(
            isinstance(piece, ScanPiece) for piece in self._suspects
        )

    def _next_scan(self, agent: Agent) -> ScanPiece | None:
        if not (self._frontier or self._rests or agent.rest) or agent.count(ScanPiece):
            return None
        backlog = sum(task.files for task in self._tasks)
        most = len(self._agents)
        if backlog:
            most = 1 if backlog > BACKLOG_FILES else max(1, most // 2)
        if self._scanning() >= most:
            return None
        if agent.rest or self._rests:
            if self._uncommitted_scans >= UNCOMMITTED_SLICES + len(self._agents):
                return None
            rest, agent.rest = agent.rest, None
            return rest or self._rests.popleft()
        share = max(1, min(SCAN_FOLDERS, len(self._frontier) // max(1, len(self._agents))))
        folders = self._frontier[-share:]
        del self._frontier[-share:]
        return ScanPiece(folders, hurry=not backlog)

    def _next_parts(self, name: str, agent: Agent) -> PartsPiece | None:
        if agent.count(PartsPiece) >= PARTS_PER_AGENT:
            return None
        for task in self._tasks_with(name, "parts"):
            while task.parts:
                piece = task.parts.popleft()
                task.change(0, -piece.bytes)
                if not self._large.failing(piece):
                    return piece
                self._out += self._large.returned(piece, [], None)
        return None

    def _next_copy(self, name: str, agent: Agent) -> CopyPiece | None:
        if agent.count(CopyPiece) >= COPIES_PER_AGENT:
            return None
        task = next(self._tasks_with(name, "copies"), None)
        if task is None:
            return None
        piece = task.copies.popleft()
        listed = sum(task.files for task in self._tasks) if self.listing_complete else None
        if piece.files > (most := fair_batch(agent.batch, listed, COPIES_PER_AGENT * len(self._agents))):
            piece, rest = piece.cut(most)
            task.copies.appendleft(rest)
        task.change(-piece.files, -piece.bytes)
        return piece

    def _next_folders(self, agent: Agent) -> FoldersPiece | None:
        # one batch after the other: a parent's times must be set after its children's
        if not self._folders or any(other.count(FoldersPiece) for other in self._agents.values()) or agent.units:
            return None
        return self._folders.popleft()

    def _tasks_with(self, name: str, what: Literal["copies", "parts"]) -> Iterator[Task]:
        """Tasks of which some wait: the agent's own first, then the one with most left."""
        own = [self._tasks[index] for index in self._preferred.get(name, ())]
        yield from (task for task in own if getattr(task, what))
        yield from sorted((task for task in self._tasks if getattr(task, what)), key=self._left, reverse=True)

    def _left(self, task: Task) -> int:
        return task.bytes + self._file_cost * task.files

    def _leave(self, agent: Agent) -> None:
        """Let others go on with what an agent that goes has begun."""
        if agent.rest is not None:
            self._rests.append(agent.rest)

    def _retire(self) -> None:
        for name, agent in list(self._agents.items()):
            if agent.draining and agent.ready and not agent.units and len(self._agents) > 1:
                del self._agents[name]
                self._leave(agent)
                self._out.append(m.StopAgent(name))
                self._out.append(m.Note("agent-drained", f"{name} finished its units and left"))

    def _end(self) -> None:
        if self._finished or any(agent.units for agent in self._agents.values()):
            return
        if self._stopping:
            self._finish(complete=False)
            return
        if self._suspects or not self._copied() or not self._deletions.over:
            return
        if self._folders_state == "later":
            self._folders_state = "reading"
            self._out.append(m.ListFolders())
        elif not self._folders and self._folders_state in ("running", "done"):
            self._finish(complete=True)

    def _finish(self, *, complete: bool) -> None:
        self._finished = True
        self._out.append(m.Finish(complete, self._fatal))

    def _taken(self) -> list[m.Instruction]:
        out, self._out = self._out, []
        return out


def _word(agent: Agent) -> str:
    if not agent.ready:
        return "starting"
    if agent.draining:
        return "draining"
    return "working" if agent.units else "idle"
