"""Writes what a screen knows into the current folder: as JSON for programs, as Markdown for people, failures as CSV."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from engine.errors import XsyncError
from engine.quantities import format_count
from xsync_tui.cli.outcome import remedy_for


def export(what: str, name: str, now: float, value: object, text: str) -> str:
    """Write ``what-name-time`` .json and .md, which are not there yet; returns what to say.

    ``value``: anything that msgspec encodes. Raises XsyncError.
    """
    stem = _stem(what, name, now)
    try:
        for path, content in (
            (f"{stem}.json", msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"),
            (f"{stem}.md", text),
        ):
            with open(path, "x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(content)
    except OSError as error:
        raise _refused(stem, ".json or .md", error) from error
    return f"Written: {stem}.json and .md"


def export_failures(folder: Path, name: str, now: float) -> str:
    """Write all that failed in the execution in ``folder`` as CSV and JSON; returns what to say. Raises XsyncError."""
    from engine.reporting.failures import failures_of, write_failures_csv, write_failures_json

    stem = _stem("failures", name, now)
    written: list[str] = []
    try:
        for ending, write in ((".csv", write_failures_csv), (".json", write_failures_json)):
            found = failures_of(folder, remedy_for)
            with open(f"{stem}{ending}", "x", encoding="utf-8", newline="") as file:
                written.append(f"{stem}{ending}")
                number = write(found, file)
    except OSError as error:
        for path in written:  # half a list would pass for all
            with suppress(OSError):
                os.unlink(path)
        raise _refused(stem, ".csv or .json", error) from error
    of_all = "" if found.complete else f" of {format_count(found.number)} so far; all once it has ended"
    return f"{format_count(number)} failure{'s' * (number != 1)}{of_all}, written: {stem}.csv and .json"


def _stem(what: str, name: str, now: float) -> str:
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in name).strip("-.")
    return os.path.join(os.getcwd(), f"{what}-{safe or 'source'}-{datetime.fromtimestamp(now):%Y%m%d-%H%M%S}")


def _refused(stem: str, endings: str, error: OSError) -> XsyncError:
    if isinstance(error, FileExistsError):
        return XsyncError(f"{stem}{endings} is there already: it was not replaced; try again in a second")
    return XsyncError(f"{os.path.dirname(stem)}: nothing could be written there: {error.strerror or error}")
