"""How long the parts of a run took: what the freeze of a cutover is predicted from."""

from __future__ import annotations

import time
from collections.abc import Callable

LISTING, DELETIONS, FOLDERS = "listing", "deletions", "folders"
"""Listing the source (it is copied meanwhile); deletions with their listing of the destination; times of folders."""


class Phases:
    """Puts seconds by name into ``seconds``. ``whole``: the session began with nothing listed; else a listing is not
    timed, for only what was left of it is seen."""

    def __init__(self, seconds: dict[str, float], *, whole: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._began = {LISTING: clock()} if whole else {}

    def begin(self, name: str) -> None:
        """This part begins now, and those after the listing that had begun end."""
        self.end(DELETIONS)
        self._began[name] = self._clock()

    def end(self, name: str) -> None:
        """This part ends now, if it had begun."""
        began = self._began.pop(name, None)
        if began is not None:
            self._seconds[name] = self._clock() - began
