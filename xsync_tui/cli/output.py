"""Where output goes: what the terminal can show, JSON lines on stdout, talk on stderr."""

from __future__ import annotations

import locale
import os
import shutil
import sys

import click
import msgspec

from xsync_tui.cli.look import Look
from xsync_tui.text import shown


def on_terminal() -> bool:
    """True if a person sees what is written to stdout."""
    return sys.stdout.isatty()


def can_redraw() -> bool:
    """True if stdout is a terminal whose cursor can be moved."""
    return on_terminal() and os.environ.get("TERM", "dumb") != "dumb"


def current_look() -> Look:
    """How to draw now: size, glyphs by locale, colour unless NO_COLOR is set (https://no-color.org)."""
    columns, rows = shutil.get_terminal_size()
    return Look(
        width=max(20, columns),
        height=max(5, rows - 1),
        unicode=shows_unicode(),
        color=can_redraw() and not os.environ.get("NO_COLOR"),
    )


def emit(value: object) -> None:
    """Write one JSON line to stdout, always in UTF-8."""
    click.echo(msgspec.json.encode(value))


def say(text: str) -> None:
    """Talk to a person on stderr; what came from outside may be in it."""
    click.echo("\n".join(shown(line, ascii_only=not shows_unicode()) for line in text.split("\n")), err=True)


def put(text: str) -> None:
    """Write lines for a person to stdout; what came from outside may be in them."""
    click.echo("\n".join(shown(line, ascii_only=not shows_unicode()) for line in text.split("\n")))


def shows_unicode() -> bool:
    """Whether the locale and TERM promise glyphs beyond ASCII."""
    # Python's own UTF-8 mode makes stdout claim UTF-8 under LC_ALL=C: only the locale tells what the terminal expects.
    encodings = (locale.getencoding(), sys.stdout.encoding or "")
    utf8 = all(name.lower().replace("-", "") == "utf8" for name in encodings)
    return utf8 and os.environ.get("TERM") != "linux"
