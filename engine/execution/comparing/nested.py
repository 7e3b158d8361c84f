"""What is mounted below a source: remembered from run to run, for a mount that vanished looks like deleted files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.catalog.files import replacing
from engine.decoding import from_json
from engine.errors import JournalError
from engine.locations.mounts import is_below, read_mounts
from engine.names import text_of

RECORD = "mounts.json"
"""In the folder of the state of two sides."""

_TRIGGER = "autofs"
"""A place where something is mounted when it is looked at; what is mounted there has a line of its own."""


def mounts_below(source: Any) -> dict[str, str]:
    """Path below the root of ``source``, in text form -> what is mounted there. Object stores have none."""
    if source.capabilities.transport != "files":
        return {}
    root = os.path.realpath(source.root).rstrip(b"/")
    return {
        text_of(mount.point[len(root) :].strip(b"/")): f"{mount.type} {mount.source} {text_of(mount.root)}"
        for mount in read_mounts()
        if mount.type != _TRIGGER and mount.point != root and is_below(mount.point, root)
    }


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What was mounted before and is not now, or otherwise, or the other way round; a sentence each."""
    return [
        f"{path}: it was {before.get(path, 'no mount')}, it is {now.get(path, 'no mount')}"
        for path in sorted({*before, *now})
        if before.get(path) != now.get(path)
    ]


def recorded(state: Path) -> dict[str, str] | None:
    """What was mounted when the last run between two sides ended; None if that is not known. Raises JournalError."""
    try:
        return from_json((state / RECORD).read_bytes(), dict[str, str])
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise JournalError(f"{state / RECORD}: not a record of mounts: {error}") from None


def record(state: Path, mounts: Mapping[str, str]) -> None:
    """Remember what is mounted, durably. Raises OSError."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with replacing(state / RECORD) as file:
        file.write(msgspec.json.encode(dict(mounts)))
