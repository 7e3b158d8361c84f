"""A strip that asks for one value and says its effect while it is typed."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import XsyncError
from xsync_tui.drawing.frame import Act
from xsync_tui.screens.strip import Strip
from xsync_tui.widgets.entry import Entry


class ValueStrip(Strip):
    """``act.typed`` says what to type, ``act.effect`` stands until it is typed.

    ``explain`` turns it into the sentence of its effect, or raises XsyncError; then enter does nothing. ``value`` is
    what was typed, once the strip returned True.
    """

    def __init__(self, act: Act, explain: Callable[[str], str]) -> None:
        super().__init__(act)
        self._asked, self._explain = act, explain
        self.value = ""

    def on_input_changed(self, event: Entry.Changed) -> None:
        """Say what it would do."""
        self.value = event.value
        self._check()

    def action_go(self) -> None:
        """Confirm what can be done."""
        if self.is_up and self._check():
            self.dismiss(True)

    def _check(self) -> bool:
        self._trouble, fine = "", False
        try:
            effect = self._explain(self.value) if self.value.strip() else self._asked.effect
            fine = bool(self.value.strip())
        except XsyncError as error:
            effect, self._trouble = self._asked.effect, str(error)
        self._act = self._asked._replace(effect=effect)
        self._draw()
        return fine
