"""Work as the coordinator holds it: pieces that become units, and that can be halved when they kill agents."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import pyarrow as pa
import pyarrow.compute

from engine.model import Identity
from engine.transfer.units import CopyUnit, FoldersUnit, PartsUnit, ScanUnit, Unit, from_ipc, to_ipc

SCAN_FOLDERS = 256
"""Folders handed to an agent at once; it lists what lies below them too, until its limit."""


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
    """Folders to list; in a ``hurry`` agents wait for the first of them."""

    folders: list[bytes]
    hurry: bool = False
    task: int = -1
    files: int = 0
    bytes: int = 0
    deaths: int = 0

    def unit(self, unit_id: int, epoch: int) -> Unit:
        """A scan whose rows carry the unit's id as their listing."""
        return ScanUnit(unit_id, epoch, self.folders, listing=unit_id, seconds=0.25 if self.hurry else 1.0)

    def mourned(self) -> list[Piece]:
        """Halves of the folders."""
        if len(self.folders) == 1 or self.deaths == 0:
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
        table = from_ipc(self.entries)
        if table.num_rows == 1 or self.deaths == 0:
            return _alone(self)
        middle = table.num_rows // 2
        parts = (table.slice(0, middle), table.slice(middle))
        return [FoldersPiece(to_ipc(part), self.sweep, deaths=1) for part in parts]


def _alone(piece: ScanPiece | CopyPiece | PartsPiece | FoldersPiece) -> list[Piece]:
    """One file may see two agents die while it runs alone (deaths 1 and 2) before it is given up."""
    return [replace(piece, deaths=piece.deaths + 1)] if piece.deaths < 2 else []


def copy_piece(rows: pa.Table, task: int) -> CopyPiece:
    """A piece of these ENTRY_SCHEMA rows."""
    return CopyPiece(to_ipc(rows), task, rows.num_rows, pa.compute.sum(rows["size"]).as_py() or 0)
