"""Keys: what each does, of which tier it is, and how Textual binds it. Lower case looks, upper case acts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from textual.binding import Binding


class Tier(StrEnum):
    """How much a key can change. ACT and DESTROY do nothing before their strip is confirmed."""

    MOVE = "move"
    LOOK = "look"
    DRAFT = "draft"
    ACT = "act"
    DESTROY = "destroy"
    LEAVE = "leave"


class Key(NamedTuple):
    """A key of a screen. ``id``: its name in settings; ``keys``: as Textual writes them, the first one is shown.

    ``brief``: what a footer says where there is no room for all the words.
    """

    id: str
    keys: str
    words: str
    action: str
    tier: Tier = Tier.LOOK
    footer: bool = True
    brief: str = ""


class Pane(NamedTuple):
    """A part of a screen that one can jump to: by which letter, its name, and the action that goes there.

    ``heads``: what drawings call it (``Piece.heads``), if not by its words.
    """

    letter: str
    words: str
    action: str
    heads: str = ""

    @property
    def heads_what(self) -> str:
        """What drawings call it."""
        return self.heads or self.words


_SHOWN = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "escape": "esc",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "apostrophe": "'",
}

# Under tmux's defaults esc and a digit within half a second arrive as these (Textual's _ansi_sequences.py).
_AFTER_ESC = {
    "1": "inverted_exclamation_mark",
    "2": "trade_mark_sign",
    "3": "pound_sign",
    "4": "cent_sign",
    "5": "infinity",
    "6": "section_sign",
    "7": "pilcrow_sign",
}


def digit(number: str) -> str:
    """The keys that stand for a digit of the journey."""
    return f"{number},{_AFTER_ESC[number]}"


MOVES = (
    Key("back", "escape,backspace", "back", "back", Tier.MOVE, footer=False),
    Key("down", "down,j", "next row", "move(1)", Tier.MOVE, footer=False),
    Key("up", "up,k", "row before", "move(-1)", Tier.MOVE, footer=False),
    Key("page-down", "pagedown", "next page", "page(1)", Tier.MOVE, footer=False),
    Key("page-up", "pageup", "page before", "page(-1)", Tier.MOVE, footer=False),
    Key("first", "home,g", "first row", "end(-1)", Tier.MOVE, footer=False),
    Key("last", "end,G", "last row", "end(1)", Tier.MOVE, footer=False),
    Key("next-pane", "tab", "next pane", "pane(1)", Tier.MOVE, footer=False),
    Key("last-pane", "shift+tab", "pane before", "pane(-1)", Tier.MOVE, footer=False),
    Key("open", "enter", "open", "open", Tier.MOVE, footer=False),
)
"""What moves on every screen."""

JUMP = Key("jump", "apostrophe", "jump", "jump")
"""Shows a letter at each pane of a screen that has several."""

EVERYWHERE = (
    Key("units", "u", "bits or bytes", "units", footer=False),
    Key("copy", "y", "copy what is here", "copy", footer=False),
    Key("palette", "colon,ctrl+p", "all that can be done here", "palette", footer=False),
    Key("help", "question_mark", "help", "help"),
    Key("leave", "q", "leave", "leave", Tier.LEAVE, footer=False),
)
"""What the app does on every screen."""


def bindings(keys: Iterable[Key]) -> list[Binding]:
    """As Textual wants them. Our own footer shows them."""
    return [Binding(key.keys, key.action, key.words, show=False, id=key.id) for key in keys]


def shown_key(key: Key, keymap: Mapping[str, str]) -> str:
    """How a key is written for a person: ``?``, ``esc``, ``P``; ``keymap`` is what settings made of it."""
    first = keymap.get(key.id, key.keys).split(",")[0]
    return _SHOWN.get(first, first)
