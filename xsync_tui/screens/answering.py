"""A screen whose fields are answered one at a time: one entry goes from row to row, over what is drawn of a draft."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec
from textual import events
from textual.app import ComposeResult

from xsync_tui.drafting import Draft, Field, choose, fields
from xsync_tui.screens.base import BaseScreen
from xsync_tui.widgets.entry import Entry

V = TypeVar("V")

_HEAD_ROWS = 2
"""Title and journey, above the body."""


class _Answer(Entry):
    """Goes on in the order of the keys: what is typed after enter or tab belongs to the next field."""

    async def _on_key(self, event: events.Key) -> None:
        screen = cast("AnsweringScreen[Any]", self.screen)
        if (go := screen.way_of(event.key)) is not None:
            event.stop()
            event.prevent_default()
            go()
        elif event.is_printable and screen.waits:
            event.stop()
            event.prevent_default()
        elif event.key == "right" and self.cursor_position == len(self.value) and (text := screen.completed()):
            event.stop()
            event.prevent_default()
            self.value = text
            self.cursor_position = len(text)

    def _on_paste(self, event: events.Paste) -> None:
        if cast("AnsweringScreen[Any]", self.screen).waits:
            event.stop()
            event.prevent_default()

    def action_leave(self) -> None:
        """One step back."""
        cast("AnsweringScreen[Any]", self.screen).action_back()


class AnsweringScreen(BaseScreen[V]):
    """Takes what is typed into ``draft``. A subclass draws, lays the entry over its row, and says what enter does."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self._field = 0

    def widgets(self) -> ComposeResult:
        """What is typed into."""
        yield _Answer(id="answer")

    def on_mount(self) -> None:
        """Type at once."""
        self._entry = self.query_one("#answer", Entry)
        self._entry.select_on_focus = False
        self._go_to(0)

    @property
    def _here(self) -> Field:
        asked = fields(self.draft)
        return asked[min(self._field, len(asked) - 1)]

    def _place(self, at: tuple[int, int, int] | None) -> None:
        """Lay the entry over the row of its field."""
        if at is None:
            return
        column, row, cells = at
        self._entry.styles.offset = (column - 1, row + _HEAD_ROWS)  # its padding lies over the blank before
        self._entry.styles.width = cells + 1

    def _go_to(self, at: int) -> None:
        """Type into another field of the step."""
        self._field = max(0, min(at, len(fields(self.draft)) - 1))
        field = self._here
        typed = not field.choices and not field.act
        self._entry.display = typed
        if typed:
            with self._entry.prevent(Entry.Changed):
                self._entry.value = getattr(self.draft, field.key)
            self._entry.placeholder = field.empty
            self._entry.cursor_position = len(self._entry.value)
            self._entry.focus()
        else:
            self.set_focus(None)
        self.redraw()

    def on_input_changed(self, event: Entry.Changed) -> None:
        """Take what is typed."""
        if event.input is self._entry and self._entry.display and event.value == self._entry.value:
            self.draft = msgspec.structs.replace(self.draft, **{self._here.key: event.value})
            self.redraw()

    @property
    def waits(self) -> bool:
        """Whether an answer is waited for, and nothing is to be typed."""
        return False

    def completed(self) -> str:
        """What right at the end of the field makes of it; empty if nothing."""
        return ""

    def way_of(self, key: str) -> Callable[[], None] | None:
        """What a key does that leaves the field, if it does."""
        keys = {each.id: self.xsync.keymap.get(each.id, each.keys).split(",") for each in self.KEYS}
        ways = {"next": self.action_open, "field": lambda: self.action_pane(1), "before": lambda: self.action_pane(-1)}
        return next((way for name, way in ways.items() if key in keys[f"new.{name}"]), None)

    def _take(self) -> None:
        """Have in the draft what stands in the entry: its message may still be on its way."""
        if self._entry.display:
            self.draft = msgspec.structs.replace(self.draft, **{self._here.key: self._entry.value})

    def action_pane(self, panes: int) -> None:
        """The next field, and round."""
        self._take()
        self._go_to((self._field + panes) % len(fields(self.draft)))

    def action_choose(self, step: int) -> None:
        """The next of what can be chosen."""
        if not self._here.choices:
            return
        self.draft = choose(self.draft, self._here.key, step)
        self.redraw()
