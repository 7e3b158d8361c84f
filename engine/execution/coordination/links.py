"""Pure state of the names of files that have several: they wait for the others, and some of them for the rest."""

from __future__ import annotations

from collections.abc import Sequence

from engine.execution.coordination import messages as m


class LinkQueue:
    """Pure state of the names that were left out while files were copied."""

    def __init__(self) -> None:
        self._count = 0
        self._state = "later"
        self._followers: Sequence[m.Chunk] = ()

    @property
    def over(self) -> bool:
        """True when all names found so far were given out."""
        return not self._count or self._state == "done"

    def left_out(self, names: int) -> None:
        """So many names wait."""
        self._count += names

    def listed(self, event: m.LinksListed) -> Sequence[m.Chunk]:
        """The names are sorted; returns those to be copied."""
        self._state, self._followers = "copying", event.followers
        return event.leaders

    def advance(self) -> tuple[list[m.Instruction], Sequence[m.Chunk]]:
        """Nothing else is left to be listed or copied: what is to be done, and the names to be linked now."""
        if self._state == "later":
            self._state = "listing"
            return [m.ListLinks()], ()
        if self._state == "copying":
            self._state = "done"
            return [], self._followers
        return [], ()
