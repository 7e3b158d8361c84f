"""Pure state of the deletions: what is listed to be deleted, in which order it goes, and which copies wait for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from engine.execution.coordination import messages as m
from engine.execution.coordination.pieces import CopyPiece, DeletePiece, Piece, copy_piece, released_entries
from engine.transfer.units import WAITS, UnitOutcome

READ_AHEAD = 4
"""Batches that are read from the list before an agent asks for them."""

UNITS_PER_AGENT = 2
"""Batches in an agent's hands."""


class DeletionQueue:
    """Deletions come after the last copy is committed and before the folders' last metadata.

    Unless they are ``wanted``, only what is in the way of a copy goes, if there is any: once.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._state = "later" if wanted else "done"
        self._wanted = self._begun = wanted
        self._groups: deque[m.DeletionGroup] = deque()
        self._waiting: deque[DeletePiece] = deque()
        self._reading = False
        self._copies: list[CopyPiece] = []

    @property
    def over(self) -> bool:
        """True when nothing is deleted any more, or never was to be."""
        return self._state == "done"

    def listed(self, groups: Iterable[m.DeletionGroup]) -> None:
        """The list is made; no group: nothing is deleted."""
        self._state = "running"
        self._groups.extend(groups)

    def read(self, event: m.DeletionsRead) -> None:
        """A batch was read from the list."""
        self._reading = False
        self._waiting.append(DeletePiece(event.entries, event.group.stage, event.group.old_form))

    def hold(self, piece: CopyPiece, outcome: UnitOutcome) -> list[m.Instruction]:
        """Keep the copies that wait for deletions; they fail if those are over."""
        waiting = released_entries(piece.entries, outcome.table, WAITS)
        if waiting is None:
            return []
        back = copy_piece(waiting, piece.task)
        if self.over and not self._begun:
            self._state, self._begun = "later", True
        if self.over:
            return [m.FailEntries(back.entries, "another type is in the way", "what is there could not be removed")]
        self._copies.append(back)
        return []

    def advance(self, in_flight: Sequence[Piece]) -> list[m.Instruction]:
        """Everything is copied: what is to be done next. ``in_flight``: at agents, or to be tried alone."""
        if self._state == "later":
            self._state = "listing"
            return [m.ListDeletions(old_forms=not self._wanted)]
        if self._state != "running":
            return []
        if self._groups and not self._reading and len(self._waiting) < READ_AHEAD:
            self._reading = True
            return [m.ReadDeletions(self._groups.popleft())]
        if not (self._groups or self._reading or self._waiting or in_flight):
            self._state = "done"
        return []

    def next(self, held: Iterable[Piece], in_flight: Iterable[Piece]) -> DeletePiece | None:
        """A batch for an agent that has few in hand (``held``), unless one of a lower stage is still under way."""
        if not self._waiting or sum(isinstance(piece, DeletePiece) for piece in held) >= UNITS_PER_AGENT:
            return None
        stage = self._waiting[0].stage
        if any(isinstance(piece, DeletePiece) and piece.stage < stage for piece in in_flight):
            return None
        return self._waiting.popleft()

    def returned(self, piece: DeletePiece, outcome: UnitOutcome) -> None:
        """A batch came back; what is not done of it is given out again."""
        released = released_entries(piece.entries, outcome.table)
        if released is not None and released.num_rows:
            self._waiting.appendleft(DeletePiece(copy_piece(released, -1).entries, piece.stage, piece.old_form))

    def take_copies(self) -> list[CopyPiece] | None:
        """The copies that waited, once deletions are over; None before."""
        if not self.over:
            return None
        copies, self._copies = self._copies, []
        return copies


def only_deletions(pieces: Iterable[Piece]) -> bool:
    """Whether nothing else is under way."""
    return all(isinstance(piece, DeletePiece) for piece in pieces)
