"""What this terminal can show, and how text is copied out of it. Loads no Textual."""

from __future__ import annotations

import os
import subprocess
import sys

from xsync_tui.cli.output import shows_unicode

_SECONDS = 2.0
"""How long tmux may take to answer."""

BROWSER_DRIVER = "xsync_tui.serving.browser:BrowserDriver"
"""What TEXTUAL_DRIVER says to an app that a browser shows."""

_LOW_BANDWIDTH = {"TEXTUAL_FPS": "10", "TEXTUAL_SMOOTH_SCROLL": "0"}


def is_interactive() -> bool:
    """Whether a person sits at all ends, before a terminal that can be drawn on: Textual draws on stderr."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(each.isatty() for each in streams) and os.environ.get("TERM", "dumb") != "dumb"


def in_browser() -> bool:
    """Whether a browser shows this app: it draws into a pipe, and the environment tells its size."""
    return os.environ.get("TEXTUAL_DRIVER") == BROWSER_DRIVER


def prepare(*, slow: bool) -> None:
    """Set what Textual reads when it is first imported: nothing moves by itself; ``slow``: fewer frames too.

    Lines and columns that a shell has exported would stand for the terminal's, also once that has another size.
    """
    for fixed in () if in_browser() else ("COLUMNS", "LINES"):
        os.environ.pop(fixed, None)
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    if slow:
        os.environ.update(_LOW_BANDWIDTH)


def glyphs_beyond_ascii(wanted: str) -> bool:
    """Whether to draw with Unicode glyphs. ``wanted``: ``auto``, ``unicode`` or ``ascii``.

    A tmux client that was not started for UTF-8 draws an underscore for each glyph, whatever the locale says.
    """
    if wanted != "auto":
        return wanted == "unicode"
    if in_browser():
        return True
    return shows_unicode() and not ("TMUX" in os.environ and _tmux("display", "-p", "#{client_utf8}") == "0")


def copied_by_tmux(text: str) -> bool:
    """Whether tmux took ``text`` and passed it on: its default settings swallow what a program itself sends."""
    return "TMUX" in os.environ and _tmux("load-buffer", "-w", "-", typed=text) is not None


def _tmux(*arguments: str, typed: str = "") -> str | None:
    """What tmux prints, None if it cannot be asked."""
    try:
        done = subprocess.run(
            ["tmux", *arguments],
            input=typed.encode("utf-8", "replace"),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()
