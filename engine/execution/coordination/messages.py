"""What happens to a coordinator (events) and what it wants done (instructions); plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from engine.locations.base import PartResult
from engine.model import Action, Identity
from engine.transfer.units import Unit, UnitOutcome


class Chunk(NamedTuple):
    """Listed rows of one task in a committed entries segment: not yet compared with what is known."""

    task: int
    segment: str
    row_group: int
    files: int
    bytes: int
    links: Literal["", "leaders", "followers"] = ""  # of names of files with several, in a file of their own


class Batch(NamedTuple):
    """Entries to copy as one unit: ENTRY_SCHEMA rows as an IPC stream."""

    entries: bytes
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A file that is sent in parts. ``row`` holds its ENTRY_SCHEMA values."""

    path: bytes
    task: int
    size: int
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AgentReady:
    """An agent joined and takes units."""

    agent: str


@dataclass(frozen=True, slots=True)
class AgentLost:
    """An agent is proven dead, or its lease and request timeout have passed: its units may be given out again."""

    agent: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnitDone:
    """An agent returned a unit."""

    agent: str
    outcome: UnitOutcome


@dataclass(frozen=True, slots=True)
class ChunksCommitted:
    """Listed entries became durable and can be worked on."""

    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class ChunkExpanded:
    """A chunk was compared with what is known: this is the work in it."""

    task: int
    batches: Sequence[Batch]
    large: Sequence[LargeFile]
    links: int = 0  # rows left out because their files have other names


@dataclass(frozen=True, slots=True)
class LinksListed:
    """All names of files that have several: the ones that are copied, and those that are linked to them then."""

    leaders: Sequence[Chunk]
    followers: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class FoldersListed:
    """All batches of folders for final metadata, deepest first."""

    batches: Sequence[bytes]


class DeletionGroup(NamedTuple):
    """A batch of a deletion list: its row group, its stage, and whether it holds old forms."""

    number: int
    stage: int
    old_form: bool = False


@dataclass(frozen=True, slots=True)
class DeletionsListed:
    """The list of what is to be deleted is durable; no groups: nothing is, or nothing may be."""

    groups: Sequence[DeletionGroup]


@dataclass(frozen=True, slots=True)
class DeletionsRead:
    """A batch of the list was read: ENTRY_SCHEMA rows as an IPC stream."""

    group: DeletionGroup
    entries: bytes


@dataclass(frozen=True, slots=True)
class UploadReady:
    """An upload is open: new, or reused with the parts it already has."""

    path: bytes
    upload_id: str
    identity: Identity
    part_size: int
    parts: Sequence[PartResult]


@dataclass(frozen=True, slots=True)
class UploadEnded:
    """A large file is done or failed; ``restart``: its upload is gone or of no use, begin again.

    ``reason``, ``detail``: why, if it is not that the file changes while it is sent; with it a second time it fails.
    """

    path: bytes
    restart: bool
    waits: bool = False  # a folder holds its name, and may be deleted: then it is begun
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A person asked for something: pause, resume, cancel, drain, add_agent, drain_agent."""

    verb: str
    agent: str = ""


Event = (
    AgentReady
    | AgentLost
    | UnitDone
    | ChunksCommitted
    | ChunkExpanded
    | LinksListed
    | FoldersListed
    | DeletionsListed
    | DeletionsRead
    | UploadReady
    | UploadEnded
    | Asked
)


@dataclass(frozen=True, slots=True)
class Send:
    """Give an agent a unit."""

    agent: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Expand:
    """Compare a chunk with what is known."""

    chunk: Chunk


@dataclass(frozen=True, slots=True)
class BeginUpload:
    """Open an upload for a large file, or reuse the one the journal knows."""

    file: LargeFile


@dataclass(frozen=True, slots=True)
class KeepEntries:
    """Record what a scan found (ENTRY_SCHEMA as an IPC stream)."""

    table: bytes


@dataclass(frozen=True, slots=True)
class KeepResults:
    """Record what was done (RESULT_SCHEMA as an IPC stream)."""

    table: bytes


@dataclass(frozen=True, slots=True)
class KeepParts:
    """Record finished parts."""

    path: bytes
    parts: Sequence[PartResult]


@dataclass(frozen=True, slots=True)
class CompleteUpload:
    """All parts are there: check the source once more and give the file its name."""

    file: LargeFile
    upload_id: str
    identity: Identity
    parts: Sequence[PartResult]


@dataclass(frozen=True, slots=True)
class AbortUpload:
    """Discard an upload; then fail the file with ``reason``, or begin again if ``reason`` is empty."""

    file: LargeFile
    upload_id: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class FailEntries:
    """Entries (IPC stream) that cannot be copied (or deleted: NOT_DELETED), and why."""

    entries: bytes
    reason: str
    detail: str
    action: Action = Action.FAILED


@dataclass(frozen=True, slots=True)
class FailFolder:
    """A folder that cannot be listed, and why."""

    folder: bytes
    listing: int
    reason: str


@dataclass(frozen=True, slots=True)
class StartAgent:
    """Start an agent under this name."""

    agent: str


@dataclass(frozen=True, slots=True)
class StopAgent:
    """Stop an idle agent."""

    agent: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Pause, resume, or release (stop what runs and hand back the rest) an agent."""

    agent: str
    word: Literal["pause", "resume", "release"]


@dataclass(frozen=True, slots=True)
class ListLinks:
    """Everything is listed: find which names belong to one file."""


@dataclass(frozen=True, slots=True)
class ListFolders:
    """Everything is copied: read the folders that need their final metadata."""


@dataclass(frozen=True, slots=True)
class ListDeletions:
    """Everything is copied: commit it, list the destination, and write down what it holds that the source lacks."""


@dataclass(frozen=True, slots=True)
class ReadDeletions:
    """Read a batch of the list."""

    group: DeletionGroup


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person may want to know."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The execution is over: ``complete`` if all work was given out and came back. ``fatal`` says what stopped it."""

    complete: bool
    fatal: str


Instruction = (
    Send
    | Expand
    | BeginUpload
    | KeepEntries
    | KeepResults
    | KeepParts
    | CompleteUpload
    | AbortUpload
    | FailEntries
    | FailFolder
    | StartAgent
    | StopAgent
    | Tell
    | ListLinks
    | ListFolders
    | ListDeletions
    | ReadDeletions
    | Note
    | Finish
)

Slow = Expand | BeginUpload | CompleteUpload | AbortUpload | ListLinks | ListFolders | ListDeletions | ReadDeletions
"""Instructions that block: they run in threads, and their outcome is an event."""
