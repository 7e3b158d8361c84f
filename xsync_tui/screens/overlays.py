"""What lies over a screen and goes again: help, the palette, the letters of panes. They only look."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from xsync_tui.drawing.choices import Choice, choice_rows, matching
from xsync_tui.drawing.frame import Hint, footer_row
from xsync_tui.drawing.help import help_rows
from xsync_tui.drawing.rows import Canvas
from xsync_tui.keys import Pane, Tier, shown_key
from xsync_tui.screens.modal import Modal
from xsync_tui.widgets.entry import Entry
from xsync_tui.widgets.lines import Lines

if TYPE_CHECKING:
    from xsync_tui.app import XsyncApp
    from xsync_tui.screens.base import BaseScreen


class HelpScreen(Modal[None]):
    """The keys and glyphs of a screen; any key closes it."""

    def __init__(self, about: BaseScreen[Any]) -> None:
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield Lines(id="help")

    def on_mount(self) -> None:
        """Draw."""
        self._draw()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """Close."""
        event.stop()
        self.dismiss()

    def _draw(self) -> None:
        app = cast("XsyncApp", self.app)
        keys = self._about.all_keys()
        hints = {tier: [Hint(_both(app, key), key.words) for key in keys if key.tier is tier] for tier in Tier}
        looks = [*hints[Tier.LOOK], *hints[Tier.DRAFT], *hints[Tier.LEAVE]]
        acts = [*hints[Tier.ACT], *hints[Tier.DESTROY]]
        canvas = Canvas(app.size.width, app.size.height, app.unicode, app.bits)
        moves = [Hint("1 - 7", "screens of the journey"), *hints[Tier.MOVE]]
        rows = help_rows(self._about.place, moves, looks, acts, self._about.legend(canvas), canvas)
        self.query_one(Lines).show(rows)


class Jump(Modal[str]):
    """Waits for the letter of a pane; returns its action. Any other key closes it."""

    def __init__(self, panes: Sequence[Pane], drawn: Set[str] = frozenset()) -> None:
        """``drawn``: panes that have their letter on the screen below."""
        super().__init__()
        self._panes, self._drawn = panes, drawn

    def compose(self) -> ComposeResult:
        """One row over the footer."""
        yield Lines(id="jump")

    def on_mount(self) -> None:
        """Draw."""
        self._draw()

    def on_resize(self) -> None:
        """Draw for the new width."""
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """Go there, or nowhere."""
        event.stop()
        self.dismiss(next((pane.action for pane in self._panes if pane.letter == event.key), None))

    def _draw(self) -> None:
        app = cast("XsyncApp", self.app)
        canvas = Canvas(app.size.width, 1, app.unicode)
        hints = [Hint(pane.letter, pane.words) for pane in self._panes]
        if sum(len(hint.key) + len(hint.words) + 3 for hint in hints) + len("jump to ") + 2 > canvas.width:
            hints = [Hint(pane.letter, pane.words) for pane in self._panes if pane.heads_what not in self._drawn]
        self.query_one(Lines).show([footer_row([Hint("jump to", ""), *hints], canvas)])


class Palette(Modal[str]):
    """Finds what can be done by a word; returns the action, or nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._choices = choices
        self._cursor = 0

    def compose(self) -> ComposeResult:
        """What is typed, and what matches."""
        yield Entry(placeholder="what to do: a word of it; enter does it, esc goes back", id="wanted")
        yield Lines(id="choices")

    def on_mount(self) -> None:
        """Draw."""
        self._draw()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._draw()

    def on_input_changed(self) -> None:
        """Match anew."""
        self._cursor = 0
        self._draw()

    def on_input_submitted(self) -> None:
        """Do it, if it can be done now."""
        found = self._found()
        if found and not found[self._cursor].why_not:
            self.dismiss(found[self._cursor].action)

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        if not self.is_up:
            return
        self._cursor = max(0, min(self._cursor + rows, len(self._found()) - 1))
        self._draw()

    def on_entry_left(self) -> None:
        """Do nothing."""
        self.dismiss()

    def _found(self) -> list[Choice]:
        return matching(self._choices, self.query_one(Entry).value)

    def _draw(self) -> None:
        app = cast("XsyncApp", self.app)
        canvas = Canvas(app.size.width, max(1, app.size.height - 1), app.unicode, app.bits)
        self.query_one(Lines).show(*choice_rows(self._found(), self._cursor, canvas))


def _both(app: XsyncApp, key: Any) -> str:
    """All ways to press a key that a person would use: those for a digit after esc are not shown."""
    keys = app.keymap.get(key.id, key.keys).split(",")
    return " ".join(shown_key(key._replace(keys=each), {}) for each in keys[:2])
