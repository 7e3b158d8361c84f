"""``Entry``: one line to type into. esc leaves it, and so does backspace when nothing is in it."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from xsync_tui.text import shown


class Entry(Input):
    """An input that does not blink and can be left with one hand."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    class Left(Message):
        """It was left without enter."""

        def __init__(self, entry: Entry) -> None:
            super().__init__()
            self.entry = entry

    def __init__(self, *, id: str, placeholder: str = "", value: str = "") -> None:  # noqa: A002 - textual's name
        super().__init__(value, placeholder=placeholder, id=id)
        self.cursor_blink = False

    @property
    def _value(self) -> Text:
        """What is drawn: a ``?`` for each character that a paste brought and a terminal would obey."""
        return Text("".join(char if shown(char) == char else "?" for char in self.value), no_wrap=True, end="")

    async def _on_key(self, event: events.Key) -> None:
        """Edit in the order of the keys: Textual acts on those that have a binding after what is typed next."""
        found = self._bindings.key_to_bindings.get(event.key, [])
        if found and not event.is_printable:
            event.stop()
            event.prevent_default()
            await self.run_action(found[0].action)

    def action_leave(self) -> None:
        """Leave it."""
        self.post_message(self.Left(self))

    def action_delete_left(self) -> None:
        """Delete the character before the cursor; in an empty line, leave."""
        if self.value:
            super().action_delete_left()
        else:
            self.action_leave()
