"""Log: the end of what the runner of the subject's newest execution wrote, followed until one moves."""

from __future__ import annotations

import os
from typing import ClassVar, NamedTuple

from engine.execution.launch import RUNNER_LOG
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.log import log_rows, matching
from xsync_tui.drawing.rows import Canvas, Piece, Role
from xsync_tui.keys import Key, Tier
from xsync_tui.screens.base import BaseScreen, Drawn

_READ_BYTES = 256 * 1024
"""So much of the end of the file is read."""


class LogFacts(NamedTuple):
    """The file's path, its last lines, and whether there are more before them."""

    path: str
    lines: list[str]
    cut: bool


class LogScreen(BaseScreen[LogFacts]):
    """Arrows stop following; space goes on with it."""

    place = "log"
    seconds = 1.0
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("log.filter", "slash", "filter", "filter"),
        Key("log.follow", "space", "follow", "follow"),
        Key("log.close", "escape,backspace", "back", "back", Tier.MOVE),
    )

    def __init__(self) -> None:
        super().__init__()
        self._follows = True

    def sample(self, subject: Subject, bridge: Bridge) -> LogFacts:
        """The end of the file."""
        folder = bridge.folder_of(subject)
        if folder is None:
            return LogFacts("", [], cut=False)
        path = folder / RUNNER_LOG
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _READ_BYTES))
                lines = file.read().decode("utf-8", "surrogateescape").splitlines()
        except FileNotFoundError:
            return LogFacts(str(path), [], cut=False)
        cut = size > _READ_BYTES
        return LogFacts(str(path), lines[cut:], cut)

    def draw(self, value: LogFacts, canvas: Canvas, now: float) -> Drawn:
        """The lines that the filter leaves."""
        if not value.path:
            return Drawn([(Piece(" Nothing has run yet, so there is no log.", Role.MUTED),)])
        lines = matching(value.lines, self.filter)
        last = max(0, len(lines) - canvas.height + 1)
        self.cursor = last if self._follows else min(self.cursor, last)
        return Drawn(log_rows(lines, self.cursor, value.path, canvas, follows=self._follows, cut=value.cut))

    def count(self) -> int:
        """Lines that the filter leaves."""
        return len(matching(self.value.lines, self.filter)) if self.value else 0

    def copies(self) -> tuple[str, str] | None:
        """The line at the top, once one moves; else where the log is."""
        if self.value is None or not self.value.path:
            return super().copies()
        lines = matching(self.value.lines, self.filter)
        return ("line", lines[self.cursor]) if lines and not self._follows else ("path", self.value.path)

    def action_follow(self) -> None:
        """Show new lines as they come, or stand still."""
        self._follows = not self._follows
        self.redraw()

    def _move_to(self, row: int) -> None:
        self._follows = False
        super()._move_to(row)
