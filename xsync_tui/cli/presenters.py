"""How a live execution is shown: a block redrawn on a terminal, lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import math
import sys
from typing import Protocol

from engine.model import Snapshot, Status
from xsync_tui.cli.block import Block
from xsync_tui.cli.headline import life_of
from xsync_tui.cli.outcome import snapshot_json
from xsync_tui.cli.output import can_redraw, current_look, emit
from xsync_tui.cli.plain_view import one_line, view

LINE_SECONDS = 5.0
JSON_SECONDS = 1.0


class Presenter(Protocol):
    """Shows snapshots as they come, about twice a second."""

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show it, or leave it out if the last one is recent and says the same."""

    def close(self) -> None:
        """Leave the place to what is written next."""


class BlockPresenter:
    """One block redrawn in place, with a last line that says what Ctrl-C does."""

    def __init__(self, foot: str) -> None:
        self._block = Block(sys.stdout)
        self._foot = foot

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Draw it at the size that the terminal has now."""
        look = current_look()
        self._block.draw(view(snapshot, now, look, self._foot), look.width)

    def close(self) -> None:
        """Take the block away: the summary follows."""
        self._block.erase(current_look().width)


class LinePresenter:
    """A line every few seconds, and one at each change of state."""

    def __init__(self, seconds: float = LINE_SECONDS) -> None:
        self._pace = _Pace(seconds)

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Print one line if it is time."""
        if self._pace.due(snapshot.status, now):
            print(one_line(snapshot, now, current_look()), flush=True)

    def close(self) -> None:
        """Nothing to leave behind."""


class JsonPresenter:
    """A JSON line every second, and one at each change of state."""

    def __init__(self) -> None:
        self._pace = _Pace(JSON_SECONDS)

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Emit one line if it is time."""
        if self._pace.due(snapshot.status, now):
            emit(snapshot_json(snapshot, life_of(snapshot, now).value, now))

    def close(self) -> None:
        """Nothing to leave behind."""


class _Pace:
    """Lets through one in so many seconds, and whatever comes with another state."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = 0.0
        self._status: Status | None = None

    def due(self, status: Status, now: float) -> bool:
        if status is self._status and self._last <= now < self._last + self._seconds:
            return False
        self._status, self._last = status, now
        return True


def state_presenter() -> Presenter:
    """For logs that nobody watches: a line at each change of state."""
    return LinePresenter(math.inf)


def presenter(*, as_json: bool, foot: str, lines: bool = False) -> Presenter:
    """The one that fits where stdout goes; ``lines``: never a block."""
    if as_json:
        return JsonPresenter()
    return BlockPresenter(foot) if can_redraw() and not lines else LinePresenter()
