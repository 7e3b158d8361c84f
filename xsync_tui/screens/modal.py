"""What lies over a screen until it is dismissed; a second key of the same burst finds it gone already."""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, ScreenResultType


class Modal(ModalScreen[ScreenResultType]):
    """Can be dismissed once: Textual would take the screen below it away too."""

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Go, unless it has gone."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
