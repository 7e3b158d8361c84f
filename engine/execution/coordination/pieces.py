"""Work as the coordinator holds it: pieces that become units, and that can be halved when they kill agents."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import pyarrow as pa
import pyarrow.compute

from engine.model import Action, Identity, Kind
from engine.transfer.units import (
    CopyUnit,
    DeleteUnit,
    FoldersUnit,
    PartsUnit,
    ScanUnit,
    Unit,
    UnitOutcome,
    from_ipc,
    to_ipc,
)

SCAN_FOLDERS = 256
"""Folders handed to an agent at once; it lists what lies below them too, until its limit."""


SCAN_ROWS = 50_000
"""Rows that an agent gathers before it hands them over; a folder with more names comes in slices of so many."""


LEAST_BATCH = 50
"""Files of a batch that is not the last."""


class Piece(Protocol):
    """Something an agent can be given. ``deaths`` counts agents that died while they held it."""

    @property
    def task(self) -> int:
        """The task it belongs to, or -1."""

    @property
    def files(self) -> int:
        """Files in it."""

    @property
    def bytes(self) -> int:
        """Bytes in it."""

    @property
    def deaths(self) -> int:
        """Agents that died while they held it."""

    def unit(self, unit_id: int, epoch: int) -> Unit:
        """The message for an agent."""

    def mourned(self) -> list[Piece]:
        """What to give out again after an agent died with it: itself, or halves after the second death.

        Empty: it stands alone and killed every agent that touched it, so it must be failed.
        """


@dataclass(frozen=True, slots=True)
class ScanPiece:
    """Folders to list; in a ``hurry`` agents wait for the first of them.

    ``rest``: instead, a folder to go on with and its last name listed, as a part of ``listing``. ``children``: its
    subfolders found so far. They wait until it is listed: a folder must not count before the one that it was found in.
    """

    folders: list[bytes]
    hurry: bool = False
    listing: int = 0
    rest: tuple[bytes, bytes] | None = None
    children: tuple[bytes, ...] = ()
    task: int = -1
    files: int = 0
    bytes: int = 0
    deaths: int = 0

    def unit(self, unit_id: int, epoch: int) -> Unit:
        """A scan whose rows carry the unit's id as their listing, unless they belong to one that was begun."""
        seconds = 0.25 if self.hurry else 1.0
        return ScanUnit(unit_id, epoch, self.folders, self.listing or unit_id, SCAN_ROWS, seconds, self.rest)

    def mourned(self) -> list[Piece]:
        """Halves of the folders."""
        if len(self.folders) <= 1 or self.deaths == 0:
            return _alone(self)
        middle = len(self.folders) // 2
        return [ScanPiece(part, deaths=1) for part in (self.folders[:middle], self.folders[middle:])]


@dataclass(frozen=True, slots=True)
class CopyPiece:
    """A batch of entries."""

    entries: bytes = field(repr=False)
    task: int
    files: int
    bytes: int
    deaths: int = 0

    def unit(self, unit_id: int, epoch: int) -> Unit:
        """A copy of the batch."""
        return CopyUnit(unit_id, epoch, self.entries)

    def mourned(self) -> list[Piece]:
        """Halves of the batch."""
        if self.files == 1 or self.deaths == 0:
            return _alone(self)
        return [replace(part, deaths=1) for part in self.cut(self.files // 2)]

    def cut(self, files: int) -> list[CopyPiece]:
        """The first ``files`` entries, and the rest."""
        table = from_ipc(self.entries)
        return [copy_piece(part, self.task) for part in (table.slice(0, files), table.slice(files))]


@dataclass(frozen=True, slots=True)
class PartsPiece:
    """A range of parts of one large file."""

    path: bytes
    upload_id: str
    identity: Identity
    part_size: int
    first: int
    last: int
    task: int
    bytes: int
    files: int = 0
    deaths: int = 0

    def unit(self, unit_id: int, epoch: int) -> Unit:
        """The parts to send."""
        return PartsUnit(
            unit_id, epoch, self.path, self.upload_id, self.identity, self.part_size, self.first, self.last
        )

    def mourned(self) -> list[Piece]:
        """Halves of the range."""
        if self.first == self.last or self.deaths == 0:
            return _alone(self)
        middle = (self.first + self.last) // 2
        low, high = replace(self, last=middle, deaths=1), replace(self, first=middle + 1, deaths=1)
        share = (middle - self.first + 1) * self.part_size
        return [replace(low, bytes=share), replace(high, bytes=max(0, self.bytes - share))]


@dataclass(frozen=True, slots=True)
class FoldersPiece:
    """Folders that get their final owner, mode and times; ``sweep``: and lose temporaries of agents that died."""

    entries: bytes = field(repr=False)
    sweep: bool = False
    task: int = -1
    files: int = 0
    bytes: int = 0
    deaths: int = 0

    def unit(self, unit_id: int, epoch: int) -> Unit:
        """The folders to finish."""
        return FoldersUnit(unit_id, epoch, self.entries, self.sweep)

    def mourned(self) -> list[Piece]:
        """Halves of the batch."""
        return _halves(self)


@dataclass(frozen=True, slots=True)
class DeletePiece:
    """Entries of the destination to delete. Those of a lower ``stage`` come first: what is in a folder, before it."""

    entries: bytes = field(repr=False)
    stage: int
    old_form: bool = False
    task: int = -1
    files: int = 0
    bytes: int = 0
    deaths: int = 0

    def unit(self, unit_id: int, epoch: int) -> Unit:
        """The entries to delete."""
        return DeleteUnit(unit_id, epoch, self.entries, self.old_form)

    def mourned(self) -> list[Piece]:
        """Halves of the batch."""
        return _halves(self)


def _halves(piece: FoldersPiece | DeletePiece) -> list[Piece]:
    """The batch again, or its halves if it killed an agent before; a single entry as ``_alone`` has it."""
    table = from_ipc(piece.entries)
    if table.num_rows == 1 or piece.deaths == 0:
        return _alone(piece)
    middle = table.num_rows // 2
    return [replace(piece, entries=to_ipc(part), deaths=1) for part in (table.slice(0, middle), table.slice(middle))]


def _alone(piece: ScanPiece | CopyPiece | PartsPiece | FoldersPiece | DeletePiece) -> list[Piece]:
    """One file may see two agents die while it runs alone (deaths 1 and 2) before it is given up."""
    return [replace(piece, deaths=piece.deaths + 1)] if piece.deaths < 2 else []


def left_of(piece: ScanPiece, outcome: UnitOutcome) -> tuple[list[bytes], ScanPiece | None]:
    """What a scan leaves to be listed: folders, and the rest of one that was begun."""
    folders, rest, children = outcome.folders_left, outcome.rest, piece.children
    if piece.rest is not None and (rest is None or rest[0] != piece.rest[0]):
        if _is_listed(outcome.table, piece.rest[0]):
            folders = [*children, *folders]
        children = ()
    if rest is None:
        return folders, None
    inside = [folder for folder in folders if _is_in(folder, rest[0])]
    others = [folder for folder in folders if not _is_in(folder, rest[0])]
    return others, ScanPiece([], False, piece.listing or outcome.unit_id, rest, (*children, *inside))


def _is_in(path: bytes, folder: bytes) -> bool:
    """Whether ``path`` is directly in ``folder``; the root is in none."""
    return path != b"" and path.rpartition(b"/")[0] == folder


def _is_listed(table: bytes, folder: bytes) -> bool:
    """Whether the rows of a scan (ENTRY_SCHEMA as an IPC stream) close ``folder`` without an error."""
    rows = from_ipc(table)
    closing = pa.compute.and_(pa.compute.equal(rows["kind"], int(Kind.LISTED)), pa.compute.is_null(rows["error"]))
    return folder in rows.filter(closing)["dir"].to_pylist()


def fair_batch(most: int, left: int | None, hands: int) -> int:
    """How many files a batch may have, at ``most``, when so many are ``left`` (None: nobody knows yet) for all hands.

    The last batches become small, so that no agent works on one while the others have nothing to do any more.
    """
    return most if left is None else min(most, max(LEAST_BATCH, left // max(1, hands)))


def copy_piece(rows: pa.Table, task: int) -> CopyPiece:
    """A piece of these ENTRY_SCHEMA rows."""
    return CopyPiece(to_ipc(rows), task, rows.num_rows, pa.compute.sum(rows["size"]).as_py() or 0)


def released_entries(entries: bytes, results: bytes, reason: str | None = None) -> pa.Table | None:
    """The rows of ``entries`` whose result is RELEASED with this reason, or None if there is none."""
    outcome = from_ipc(results)
    mask = pa.compute.equal(outcome.column("action"), int(Action.RELEASED))
    why = outcome.column("reason")
    same = pa.compute.is_null(why) if reason is None else pa.compute.fill_null(pa.compute.equal(why, reason), False)
    released = outcome.filter(pa.compute.and_(mask, same))
    if not released.num_rows:
        return None
    wanted = set(zip(released.column("dir").to_pylist(), released.column("name").to_pylist(), strict=True))
    rows = from_ipc(entries)
    keys = zip(rows.column("dir").to_pylist(), rows.column("name").to_pylist(), strict=True)
    return rows.filter(pa.array([key in wanted for key in keys]))
