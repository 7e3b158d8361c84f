"""Refuses a folder whose mount is gone: what lies below a mount point has the same path, and is another folder.

A destination would fill the disk of this host and be hidden by the next mount, called SUCCESS and verified; a source
would look empty.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from engine import home
from engine.errors import JournalError, RefusedError
from engine.journal.reader import read_identities, read_migration
from engine.locations.base import Location
from engine.locations.registry import file_path, scheme_of
from engine.model import LocationSpec

_IDENTITY = re.compile(r"file (?P<volume>.*?) (?P<path>/.*?)(?: inode \d+)?", re.DOTALL)
"""As PosixLocation.identity() writes it; ``path``: inside the volume."""


ACCEPTED = "XSYNC_UNMOUNTED"
"""Set for one command and its runner by ``xsync run --unmounted``: the folder below the mount point is meant."""


def accept_unmounted() -> None:
    """Let this process, and what it starts, use what lies below a mount point: its run is what is known then."""
    os.environ[ACCEPTED] = "1"


def accepted() -> bool:
    """Whether that was said."""
    return bool(os.environ.get(ACCEPTED))


def refuse_vanished(word: str, spec: LocationSpec, location: Location) -> None:
    """Raise RefusedError if the ``word`` ("source", "destination") lay in a mount when it was last used, that is gone.

    To be asked before anything is made there. Raises JournalError.
    """
    if scheme_of(spec.url) != "file" or accepted():
        return
    execution, before = _last(word, file_path(spec.url))
    if before and left_its_mount(before, location.identity()):
        raise RefusedError(
            f"the {word} {spec.url} is not where it was: what was mounted there when {execution} ran is gone. Mount it "
            "again. If the folder below the mount point is meant from now on, say so once: xsync run ... --unmounted. "
            "A mount that comes back hides what is written there"
        )


def left_its_mount(before: str, now: str) -> bool:
    """Whether the same path lies deeper in another volume now, which is what a mount leaves that goes. Pure."""
    then, found = _IDENTITY.fullmatch(before), _IDENTITY.fullmatch(now)
    if then is None or found is None or then["volume"] == found["volume"]:
        return False
    inside = then["path"].rstrip("/")
    return found["path"] != then["path"] and found["path"].endswith(inside)


def _last(word: str, path: bytes) -> tuple[str, str]:
    """The latest execution that reached the folder ``path`` on this ``word``, and its identity then; empty if none."""
    for folder in reversed(home.list_execution_folders(home.find_home())):
        identity = _identity(folder, word, path)
        if identity:
            return folder.name, identity
    return "", ""


def _identity(folder: Path, word: str, path: bytes) -> str:
    try:
        migration = read_migration(folder)
        spec = migration.source if word == "source" else migration.destination
        if scheme_of(spec.url) != "file" or file_path(spec.url) != path:
            return ""
        return read_identities(folder)[word == "destination"]
    except JournalError:
        return ""  # damaged, or of another version
