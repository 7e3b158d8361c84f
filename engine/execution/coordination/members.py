"""Agents and tasks as the coordinator keeps them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from engine.execution.coordination import messages as m
from engine.execution.coordination.pieces import CopyPiece, PartsPiece, Piece, ScanPiece

FIRST_BATCH = 250
"""Files in a batch until the agent's pace is known."""


@dataclass(slots=True)
class Agent:
    """What an agent has in its hands, and how fast it proved to be."""

    ready: bool = False
    draining: bool = False
    units: dict[int, Piece] = field(default_factory=dict)
    batch: int = FIRST_BATCH
    rest: ScanPiece | None = None  # of a folder whose names it still knows

    def count(self, kind: type) -> int:
        """Pieces of a kind in its hands."""
        return sum(isinstance(piece, kind) for piece in self.units.values())


@dataclass(slots=True)
class Task:
    """What waits of a task."""

    chunks: deque[m.Chunk] = field(default_factory=deque)
    copies: deque[CopyPiece] = field(default_factory=deque)
    parts: deque[PartsPiece] = field(default_factory=deque)
    expanding: bool = False
    files: int = 0  # in chunks, copies and parts
    bytes: int = 0

    def change(self, files: int, size: int) -> None:
        """Count what came or went."""
        self.files += files
        self.bytes += size
