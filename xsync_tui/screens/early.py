"""Keys that come before a screen has read what they are about: they wait for it in their order, and none is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from textual import events

from xsync_tui.keys import Key, Tier

if TYPE_CHECKING:
    from xsync_tui.screens.base import BaseScreen

ACT_SECONDS = 1.0
"""What acts is not opened later than this after its key: by then somebody may be typing something else."""

_AT_ONCE = ("escape", "backspace", "ctrl+c", "ctrl+q")


class EarlyKeys:
    """The keys that wait for ``screen``."""

    def __init__(self, screen: BaseScreen[Any]) -> None:
        self._screen = screen
        self._waiting: list[events.Key] = []

    def takes(self, event: events.Key) -> bool:
        """Whether a key has to wait. What leaves the screen does not, and is the end of those that wait."""
        screen = self._screen
        if screen.is_read or screen.app.focused is not None:
            return False
        bound = self._id(event)
        # On Home digits go to what the cursor is on.
        goes = bound.startswith("go.") and screen.about_subject
        if goes or bound in ("leave", "help") or event.key in _AT_ONCE:
            self.forget()
            return False
        self._waiting.append(event)
        return True

    def forget(self) -> None:
        """What was pressed is not wanted any more."""
        self._waiting.clear()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def next(self) -> events.Key | None:
        """The key whose turn it is; none where a screen lies above, or where it acts and is too old, which is said.

        Behind one that opens something nothing is pressed: it would answer what nobody has seen.
        """
        screen = self._screen
        if not self._waiting or screen.app.screen is not screen:
            self.forget()
            return None
        event = self._waiting.pop(0)
        key = self._key(event)
        if key is None:
            return event
        acts = key.tier in (Tier.ACT, Tier.DESTROY)
        if acts or key.id in ("palette", "jump"):
            self.forget()
        if acts and time.monotonic() - event.time > ACT_SECONDS:
            screen.notice(f"{screen.words(key)}: the key came before this was read. Press it again.")
            return None
        return event

    def _id(self, event: events.Key) -> str:
        """The id of the binding that the key would find, as settings have it."""
        active = self._screen.active_bindings.get(event.key)
        return (active.binding.id or "") if active is not None else ""

    def _key(self, event: events.Key) -> Key | None:
        bound = self._id(event)
        return next((key for key in self._screen.all_keys() if key.id == bound), None)
