"""The strip that every act opens over the footer: it says the effect; enter goes on, esc changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from xsync_tui.drawing.frame import Act, strip_rows
from xsync_tui.drawing.rows import Canvas
from xsync_tui.screens.modal import Modal
from xsync_tui.widgets.entry import Entry
from xsync_tui.widgets.lines import Lines

if TYPE_CHECKING:
    from xsync_tui.app import XsyncApp


class Strip(Modal[bool]):
    """Returns whether the act was confirmed. What destroys needs ``act.typed`` typed, to the letter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", show=False),
        Binding("escape", "stay", show=False),
        Binding("backspace", "stay", show=False),
    ]

    def __init__(self, act: Act) -> None:
        super().__init__()
        self._act = act
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """The box, and where to type below it."""
        yield Lines(id="strip")
        if self._act.typed is not None:
            yield Entry(id="typed")

    def on_mount(self) -> None:
        """Draw."""
        self._draw()

    def on_resize(self) -> None:
        """Draw for the new width."""
        self._draw()

    def on_input_submitted(self) -> None:
        """Compare what was typed."""
        self.action_go()

    def on_entry_left(self) -> None:
        """Change nothing."""
        self.dismiss(False)

    def action_go(self) -> None:
        """Confirm, unless the typed text is another."""
        if not self.is_up:
            return
        if self._act.typed is not None and self.query_one(Entry).value != self._act.typed:
            self._trouble = "That is not it. Nothing has changed."
            self._draw()
        else:
            self.dismiss(True)

    def action_stay(self) -> None:
        """Change nothing."""
        self.dismiss(False)

    def _draw(self) -> None:
        app = cast("XsyncApp", self.app)
        canvas = Canvas(app.size.width, app.size.height, app.unicode, app.bits)
        for entry in self.query(Entry):
            entry.styles.offset = (1, canvas.height - 3)  # the empty row of the box; the entry's own row lies below it
        self.query_one(Lines).show(strip_rows(self._act, app.bridge.who(), canvas, self._trouble))
