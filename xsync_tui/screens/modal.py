"""What lies over a screen until it is dismissed; keys of one burst find it not there yet, or gone already."""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, ScreenResultType


class Modal(ModalScreen[ScreenResultType]):
    """Can be dismissed once: Textual would take the screen below it away too."""

    @property
    def is_up(self) -> bool:
        """Whether its parts are there."""
        return self.is_mounted and self.is_current

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Go, unless it has gone."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
