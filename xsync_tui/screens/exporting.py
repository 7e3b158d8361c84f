"""Writes what a screen knows into the current folder, as JSON for programs and as Markdown for people."""

from __future__ import annotations

import os
from datetime import datetime

import msgspec

from engine.errors import XsyncError


def export(what: str, name: str, now: float, value: object, text: str) -> str:
    """Write ``what-name-time`` .json and .md, which are not there yet; returns what to say.

    ``value``: anything that msgspec encodes. Raises XsyncError.
    """
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in name).strip("-.")
    stem = os.path.join(os.getcwd(), f"{what}-{safe or 'source'}-{datetime.fromtimestamp(now):%Y%m%d-%H%M%S}")
    try:
        for path, content in (
            (f"{stem}.json", msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"),
            (f"{stem}.md", text),
        ):
            with open(path, "x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(content)
    except FileExistsError:
        raise XsyncError(f"{stem}.json or .md is there already: it was not replaced; try again in a second") from None
    except OSError as error:
        raise XsyncError(f"{os.getcwd()}: nothing could be written there: {error.strerror or error}") from error
    return f"Written: {stem}.json and .md"
