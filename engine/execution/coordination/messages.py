"""What happens to a coordinator (events) and what it wants done (instructions); plain frozen values.

Of msgspec, as dataclasses are made of source text: so many of them took 13 ms at each start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

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


class LargeFile(msgspec.Struct, frozen=True):
    """A file that is sent in parts. ``row`` holds its ENTRY_SCHEMA values."""

    path: bytes
    task: int
    size: int
    row: Mapping[str, Any]


class AgentReady(msgspec.Struct, frozen=True):
    """An agent joined and takes units."""

    agent: str


class AgentLost(msgspec.Struct, frozen=True):
    """An agent is proven dead, or its lease and request timeout have passed: its units may be given out again."""

    agent: str
    reason: str


class UnitDone(msgspec.Struct, frozen=True):
    """An agent returned a unit."""

    agent: str
    outcome: UnitOutcome


class ChunksCommitted(msgspec.Struct, frozen=True):
    """Listed entries became durable and can be worked on."""

    chunks: Sequence[Chunk]


class ChunkExpanded(msgspec.Struct, frozen=True):
    """A chunk was compared with what is known: this is the work in it."""

    task: int
    batches: Sequence[Batch]
    large: Sequence[LargeFile]
    links: int = 0  # rows left out because their files have other names


class LinksListed(msgspec.Struct, frozen=True):
    """All names of files that have several: the ones that are copied, and those that are linked to them then."""

    leaders: Sequence[Chunk]
    followers: Sequence[Chunk]


class FoldersListed(msgspec.Struct, frozen=True):
    """All batches of folders for final metadata, deepest first."""

    batches: Sequence[bytes]


class DeletionGroup(NamedTuple):
    """A batch of a deletion list: its row group, its stage, and whether it holds old forms."""

    number: int
    stage: int
    old_form: bool = False


class DeletionsListed(msgspec.Struct, frozen=True):
    """The list of what is to be deleted is durable; no groups: nothing is, or nothing may be."""

    groups: Sequence[DeletionGroup]


class DeletionsRead(msgspec.Struct, frozen=True):
    """A batch of the list was read: ENTRY_SCHEMA rows as an IPC stream."""

    group: DeletionGroup
    entries: bytes


class UploadReady(msgspec.Struct, frozen=True):
    """An upload is open: new, or reused with the parts it already has."""

    path: bytes
    upload_id: str
    identity: Identity
    part_size: int
    parts: Sequence[PartResult]


class UploadEnded(msgspec.Struct, frozen=True):
    """A large file is done or failed; ``restart``: its upload is gone or of no use, begin again.

    ``reason``, ``detail``: why, if it is not that the file changes while it is sent; with it a second time it fails.
    """

    path: bytes
    restart: bool
    waits: bool = False  # a folder holds its name, and may be deleted: then it is begun
    reason: str = ""
    detail: str = ""


class Asked(msgspec.Struct, frozen=True):
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


class Send(msgspec.Struct, frozen=True):
    """Give an agent a unit."""

    agent: str
    unit: Unit


class Expand(msgspec.Struct, frozen=True):
    """Compare a chunk with what is known."""

    chunk: Chunk


class BeginUpload(msgspec.Struct, frozen=True):
    """Open an upload for a large file, or reuse the one the journal knows."""

    file: LargeFile


class KeepEntries(msgspec.Struct, frozen=True):
    """Record what a scan found (ENTRY_SCHEMA as an IPC stream)."""

    table: bytes


class KeepResults(msgspec.Struct, frozen=True):
    """Record what was done (RESULT_SCHEMA as an IPC stream)."""

    table: bytes


class KeepParts(msgspec.Struct, frozen=True):
    """Record finished parts."""

    path: bytes
    parts: Sequence[PartResult]


class CompleteUpload(msgspec.Struct, frozen=True):
    """All parts are there: check the source once more and give the file its name."""

    file: LargeFile
    upload_id: str
    identity: Identity
    parts: Sequence[PartResult]


class AbortUpload(msgspec.Struct, frozen=True):
    """Discard an upload; then fail the file with ``reason``, or begin again if ``reason`` is empty."""

    file: LargeFile
    upload_id: str
    reason: str
    detail: str


class FailEntries(msgspec.Struct, frozen=True):
    """Entries (IPC stream) that cannot be copied (or deleted: NOT_DELETED), and why."""

    entries: bytes
    reason: str
    detail: str
    action: Action = Action.FAILED


class FailFolder(msgspec.Struct, frozen=True):
    """A folder that cannot be listed, and why."""

    folder: bytes
    listing: int
    reason: str


class StartAgent(msgspec.Struct, frozen=True):
    """Start an agent under this name."""

    agent: str


class StopAgent(msgspec.Struct, frozen=True):
    """Stop an idle agent."""

    agent: str


class Tell(msgspec.Struct, frozen=True):
    """Pause, resume, or release (stop what runs and hand back the rest) an agent."""

    agent: str
    word: Literal["pause", "resume", "release"]


class ListLinks(msgspec.Struct, frozen=True):
    """Everything is listed: find which names belong to one file."""


class ListFolders(msgspec.Struct, frozen=True):
    """Everything is copied: read the folders that need their final metadata."""


class ListDeletions(msgspec.Struct, frozen=True):
    """Everything is copied: commit it, list the destination, and write down what it holds that the source lacks.

    ``old_forms``: only that in whose place the source has something of another type.
    """

    old_forms: bool = False


class ReadDeletions(msgspec.Struct, frozen=True):
    """Read a batch of the list."""

    group: DeletionGroup


class Note(msgspec.Struct, frozen=True):
    """Something a person may want to know."""

    kind: str
    text: str


class Finish(msgspec.Struct, frozen=True):
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
