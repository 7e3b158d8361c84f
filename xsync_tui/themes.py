"""Themes: what is ours beside Textual's variables, and which one a terminal gets."""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import BUILTIN_THEMES, Theme

_DARK = {"series-files": "#6CA8F0", "series-bytes": "#B79CF2", "series-time": "#D9C08A", "ceiling": "#8FA3AD"}
_LIGHT = {"series-files": "#1F5FAF", "series-bytes": "#6B3FB5", "series-time": "#875C00", "ceiling": "#4F6570"}
_ANSI = {"series-bytes": "ansi_magenta", "ceiling": "ansi_default"}
_ANSI_DARK = {"series-files": "ansi_bright_blue", "series-time": "ansi_cyan"}  # plain blue is all but black in many
_ANSI_LIGHT = {"series-files": "ansi_blue", "series-time": "ansi_bright_black"}


_CONTRAST = Theme(
    name="contrast",
    primary="#FFFFFF",
    secondary="#FFFFFF",
    success="#00FF66",
    warning="#FFE000",
    error="#FF5050",
    accent="#FFFFFF",
    foreground="#FFFFFF",
    background="#000000",
    surface="#000000",
    panel="#000000",
    dark=True,
    variables={
        "series-files": "#66B3FF",
        "series-bytes": "#E29BFF",
        "series-time": "#FFD27F",
        "ceiling": "#FFFFFF",
        "text-success": "#00FF66",
        "text-warning": "#FFE000",
        "text-error": "#FF8080",
        "text-muted": "#D0D0D0",
    },
)

NAMES: Mapping[str, str] = {
    "dark": "textual-dark",
    "light": "textual-light",
    "contrast": "contrast",
    "ansi-dark": "ansi-dark",
    "ansi-light": "ansi-light",
}
"""What settings call them, and what Textual does."""

OURS = (_CONTRAST,)


def variables_for(theme: Theme) -> dict[str, str]:
    """Defaults of our own variables under a theme: three series of data and the ceiling."""
    if theme.ansi:
        return _ANSI | (_ANSI_DARK if theme.dark else _ANSI_LIGHT)
    return _DARK if theme.dark else _LIGHT


def choose(wanted: str, *, colors: str | None, no_color: bool) -> str:
    """Textual's name of the theme for ``wanted`` (``auto`` or one of NAMES) on a terminal.

    ``colors``: rich's name of its colour system; with 16 colours or none, hex colours would be crushed to a few.
    """
    few = no_color or colors in (None, "standard")
    if wanted == "auto":
        return "ansi-dark" if few else "textual-dark"
    light = wanted in ("light", "ansi-light")
    name = NAMES[wanted] if not few else "ansi-light" if light else "ansi-dark"
    return name if name in BUILTIN_THEMES or name == _CONTRAST.name else "ansi-dark"
