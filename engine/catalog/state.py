"""What is known to be at a destination: Parquet files by range of (dir, name), named by a manifest, never by glob."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import msgspec

from engine.catalog.files import replacing
from engine.decoding import from_json
from engine.errors import JournalError

MANIFEST = "state.json"
SCHEMA_VERSION = 1

STATE_COLUMNS = (
    "dir",
    "name",
    "kind",
    "size",
    "mtime_ns",
    "ctime_ns",
    "dev",
    "inode",
    "mode",
    "uid",
    "gid",
    "checksum",
    "etag",
    "verified",
    "execution",
    "finished_ns",
    "unsure",
    "doubt",
)
"""Columns as in RESULT_SCHEMA, ``execution``: the id of the one that wrote the row, and ``doubt``: a Doubt."""

NOT_IN_OLDER = ("unsure", "doubt")
"""Columns that files of earlier versions lack: read only where the manifest counts rows that need them."""


class Doubt(IntEnum):
    """What a verification has found of a fact: it tells what was put there, and not what is there."""

    NONE = 0
    CONTENT = 1  # missing, or another content: to be sent again
    METADATA = 2  # mode or owner alone


class StateFile(msgspec.Struct, frozen=True):
    """One file of the state: ``rows`` rows sorted by (dir, name), from ``first`` to ``last``, both included.

    ``unsure`` and ``doubted`` of them are; without any, the column is not read, and files of xsync 0.1 do not have it.
    """

    name: str
    rows: int
    first: tuple[bytes, bytes]
    last: tuple[bytes, bytes]
    unsure: int = 0
    doubted: int = 0

    @property
    def columns(self) -> list[str]:
        """Those of STATE_COLUMNS that it is sure to have."""
        absent = {name for name, rows in zip(NOT_IN_OLDER, (self.unsure, self.doubted), strict=True) if not rows}
        return [name for name in STATE_COLUMNS if name not in absent]


class State(msgspec.Struct, frozen=True):
    """The manifest: files in order of their ranges, which do not overlap. ``version`` grows with every change.

    ``differing``: a file of paths (dir, name) without a fact of which a verification found that the destination holds
    something else; "" if there are none. They are not what is known: nobody has put there what they name.
    """

    schema: int = SCHEMA_VERSION
    version: int = 0
    files: tuple[StateFile, ...] = ()
    differing: str = ""

    @property
    def names(self) -> list[str]:
        """All files that belong to it."""
        return [file.name for file in self.files] + ([self.differing] if self.differing else [])

    def files_between(self, low: bytes, high: bytes) -> list[StateFile]:
        """The files that may hold rows of folders from ``low`` to ``high``, both included."""
        return [file for file in self.files if file.first[0] <= high and file.last[0] >= low]


def read_state(folder: Path) -> State:
    """The state kept in ``folder``, empty if there is none. Raises JournalError if it cannot be understood."""
    try:
        data = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return State()
    try:
        state = from_json(data, State)
    except msgspec.DecodeError as error:
        raise JournalError(f"{folder / MANIFEST}: not a state manifest: {error}") from None
    if state.schema != SCHEMA_VERSION:
        raise JournalError(
            f"{folder / MANIFEST}: expected schema {SCHEMA_VERSION}, found {state.schema} of another xsync"
        )
    return state


def write_state(folder: Path, state: State) -> None:
    """Make ``state`` the one that counts, atomically; then remove the files that it does not name. Raises OSError."""
    with replacing(folder / MANIFEST) as file:
        file.write(msgspec.json.encode(state))
    named = set(state.names)
    for leftover in (*folder.glob("*.parquet"), *folder.glob(".*.aside")):
        if leftover.name not in named:
            leftover.unlink(missing_ok=True)
