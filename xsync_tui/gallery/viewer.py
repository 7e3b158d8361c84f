"""The gallery as an app: one drawing at a time, at both widths, in both sets of glyphs and every theme."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

import xsync_tui
from xsync_tui import themes
from xsync_tui.drawing.frame import Hint, footer_row
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row
from xsync_tui.gallery.exhibits import EXHIBITS, Exhibit
from xsync_tui.widgets.lines import Lines

SIZES = ((80, 20), (120, 36))
"""Cells of a body: what the frame leaves of 80x24 and of 120x40."""

_HINTS = (
    Hint("right", "next"),
    Hint("left", "before"),
    Hint("tab", "drawing"),
    Hint("s", "size"),
    Hint("a", "ASCII"),
    Hint("t", "theme"),
    Hint("u", "bits"),
    Hint("q", "leave"),
)


class Gallery(App[None]):
    """Right and left go through the states, tab through the drawings."""

    CSS_PATH = str(Path(xsync_tui.__file__).with_name("xsync.tcss"))
    CSS = """
    VerticalScroll { height: 1fr; }
    #drawing { height: auto; width: auto; min-width: 120; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l,n,space", "step(1)", show=False),
        Binding("left,h,p", "step(-1)", show=False),
        Binding("tab", "group(1)", show=False, priority=True),
        Binding("shift+tab", "group(-1)", show=False, priority=True),
        Binding("s", "size", show=False),
        Binding("a", "glyphs", show=False),
        Binding("t", "look", show=False),
        Binding("u", "units", show=False),
        Binding("q,escape", "quit", show=False),
    ]

    def __init__(self, exhibits: Sequence[Exhibit] = EXHIBITS, *, no_color: bool = False) -> None:
        super().__init__(ansi_color=True if no_color else None)
        self._exhibits, self._no_color = exhibits, no_color
        self._number = self._wide = self._theme_number = 0
        self._unicode, self._bits = True, False
        for own in themes.OURS:
            self.register_theme(own)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """As in xsync itself."""
        return themes.variables_for(self.current_theme)

    def compose(self) -> ComposeResult:
        """Which drawing it is, the drawing, the keys."""
        yield Lines(id="head")
        with VerticalScroll():
            yield Lines(id="drawing")
        yield Lines(id="foot")

    def on_mount(self) -> None:
        """The colours of this terminal."""
        self.theme = themes.choose("auto", colors=self.console.color_system, no_color=self._no_color)
        self.call_after_refresh(self.redraw)

    def on_resize(self) -> None:
        """Head and footer are as wide as the terminal."""
        self.call_after_refresh(self.redraw)

    @property
    def shown(self) -> Exhibit:
        """What is shown."""
        return self._exhibits[self._number]

    def redraw(self) -> None:
        """Draw anew."""
        cells, height = SIZES[self._wide]
        canvas = Canvas(cells, height, self._unicode, self._bits, UTC)
        name, _, state = self.shown.name.partition("/")
        where = f"  {self._number + 1} of {len(self._exhibits)}  {cells}x{height}  {self.theme}"
        head: Row = (Piece(f" {name}", Role.STRONG), Piece(f"  {state}"), Piece(where, Role.MUTED))
        self.query_one("#head", Lines).show([head, ()])
        self.query_one("#drawing", Lines).show(self.shown.draw(canvas))
        self.query_one("#foot", Lines).show([footer_row(_HINTS, canvas._replace(width=self.size.width))])

    def action_step(self, step: int) -> None:
        """The next state, or the one before."""
        self._number = (self._number + step) % len(self._exhibits)
        self.redraw()

    def action_group(self, step: int) -> None:
        """The first state of the next drawing, or of the one before."""
        groups = [each.name.partition("/")[0] for each in self._exhibits]
        order = list(dict.fromkeys(groups))
        self._number = groups.index(order[(order.index(groups[self._number]) + step) % len(order)])
        self.redraw()

    def action_size(self) -> None:
        """The other width."""
        self._wide = (self._wide + 1) % len(SIZES)
        self.redraw()

    def action_glyphs(self) -> None:
        """Unicode or ASCII."""
        self._unicode = not self._unicode
        self.redraw()

    def action_look(self) -> None:
        """The next theme."""
        self._theme_number = (self._theme_number + 1) % len(themes.NAMES)
        wanted = list(themes.NAMES)[self._theme_number]
        self.theme = themes.choose(wanted, colors=self.console.color_system, no_color=self._no_color)
        self.redraw()

    def action_units(self) -> None:
        """Bits or bytes."""
        self._bits = not self._bits
        self.redraw()
