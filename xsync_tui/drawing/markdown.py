"""Markdown for who does not have the app: harmless text from outside, tables, lists, what figures rest on. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import tzinfo

from engine.planning.values import Origin
from xsync_tui.cli.clock import moment
from xsync_tui.drawing.evidence import word
from xsync_tui.text import shown

MOST_ROWS = 50
"""Of a table of folders or tasks: the rest is one row, and the JSON beside has each."""


def safe(text: str) -> str:
    """Text from outside: nothing in it is seen as Markdown or leads a terminal astray."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", shown(text))


def known(origin: Origin, zone: tzinfo | None) -> str:
    """What a figure is known from, and since when."""
    when = "" if origin.at is None else f", {moment(origin.at, zone)}"
    return f"{word(origin)}: {safe(origin.source)}{when}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table, and an empty line."""
    return [*(f"| {' | '.join(each)} |" for each in (head, ["---"] * len(head), *rows)), ""]


def listed(head: str, texts: Iterable[str]) -> list[str]:
    """A heading and what there is below it; nothing for nothing."""
    found = [f"- {each}" for each in texts]
    return [f"## {head}", "", *found, ""] if found else []


def page(lines: Iterable[str]) -> str:
    """The whole, with one newline at its end."""
    return "\n".join(lines).rstrip() + "\n"
