"""Home: all migrations of this account, what needs a person first."""

from __future__ import annotations

from typing import ClassVar

from engine.quantities import format_bytes
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.frame import Title
from xsync_tui.drawing.home import Entry, HomeFacts, entries, home_rows
from xsync_tui.drawing.rows import Canvas
from xsync_tui.keys import Key
from xsync_tui.screens.base import BaseScreen, Drawn


class HomeScreen(BaseScreen[HomeFacts]):
    """Enter opens what the cursor is on; the digits are about it."""

    place = "home"
    KEYS: ClassVar[tuple[Key, ...]] = (Key("home.open", "enter", "open", "open"),)

    def sample(self, subject: Subject, bridge: Bridge) -> HomeFacts:
        """Profiles, executions, surveys, schedules."""
        return HomeFacts(bridge.host(), bridge.profiles(), bridge.executions(), bridge.surveys())

    def draw(self, value: HomeFacts, canvas: Canvas, now: float) -> Drawn:
        """The list."""
        rows, at = home_rows(self._entries(), self.cursor, canvas)
        free = f"state disk {format_bytes(value.host.free_bytes)} free"
        return Drawn(rows, at, Title("xsync", f"{value.host.name}  {value.host.cores} cores", "", free))

    def count(self) -> int:
        """Entries."""
        return len(self._entries())

    def action_open(self) -> None:
        """Go where the migration under the cursor stands."""
        if found := self._entries():
            entry = found[self.cursor]
            self.xsync.go("run" if entry.since > 0 else "plan", entry.subject)

    def _entries(self) -> list[Entry]:
        return [] if self.value is None else entries(self.value, self.xsync.now(), self.canvas)
