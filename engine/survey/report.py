"""What a survey found, and where it is kept until the next survey of the same source replaces it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.catalog.files import replacing
from engine.names import path_of_text

REPORT_NAME = "survey.json"


class Bin(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Files whose size in bytes (or age in days) is at least ``from`` and below ``to`` (None: no bound)."""

    from_: int
    to: int | None
    files: int
    bytes: int


class FolderStatistics(msgspec.Struct, frozen=True):
    """A folder with all that lies below it; ``path`` is text (names.py). ``""``: the files directly in the root."""

    path: str
    files: int
    bytes: int


class WidestDirectory(msgspec.Struct, frozen=True):
    """The folder with most entries of its own."""

    path: str
    entries: int


class Layout(msgspec.Struct, frozen=True):
    """Shape of the tree. ``max_depth``: names in the longest path.

    ``folders``: all of the first level, then the largest of the second.
    """

    max_depth: int
    widest_directory: WidestDirectory
    folders: tuple[FolderStatistics, ...]


class Extension(msgspec.Struct, frozen=True):
    """Files by the last part of their name, in lower case; ``""``: none or not a plain one."""

    extension: str
    files: int
    bytes: int


class Hazard(msgspec.Struct, frozen=True):
    """Entries that need attention before a migration, with the paths of some of them as text."""

    kind: str
    count: int
    examples: tuple[str, ...]


class FolderSize(NamedTuple):
    """A top-level folder by its path bytes; ``b""``: the files directly in the root."""

    path: bytes
    files: int
    bytes: int


class SurveyReport(msgspec.Struct, frozen=True):
    """Facts about a location. ``seconds`` and rate are of the scan alone; ``surveyed_at``: when it began, Unix time.

    ``files``: regular files; ``bytes``: theirs. ``partial``: cancelled before all was seen. ``catalog``: the folder of
    its entries beside the report.
    """

    location: str
    identity: str
    surveyed_at: float
    partial: bool
    catalog: str
    files: int
    directories: int
    symlinks: int
    specials: int
    bytes: int
    seconds: float
    entries_per_second: float
    size_histogram: tuple[Bin, ...]
    age_histogram: tuple[Bin, ...]
    layout: Layout
    extensions: tuple[Extension, ...]
    hazards: tuple[Hazard, ...]

    def top_folders(self) -> list[FolderSize]:
        """The first level of the tree, as a partition needs it."""
        found = [FolderSize(path_of_text(folder.path), folder.files, folder.bytes) for folder in self.layout.folders]
        return [folder for folder in found if b"/" not in folder.path]


def survey_folder(surveys: Path, source_identity: str) -> Path:
    """Where the surveys of a source are kept, below the ``surveys`` folder of this account."""
    return surveys / hashlib.sha256(source_identity.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def latest_survey(surveys: Path, source_identity: str) -> SurveyReport | None:
    """The last complete survey of a source, else its last partial one, else None (also if it cannot be read)."""
    return _read(survey_folder(surveys, source_identity))


@contextmanager
def new_catalog(folder: Path) -> Iterator[Path]:
    """A new folder for the entries of a survey, held until the block ends; then those of no more use are removed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    catalog = folder / f"catalog-{secrets.token_hex(6)}"
    catalog.mkdir(mode=0o700)
    fd = os.open(catalog, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield catalog
    finally:
        os.close(fd)
        _remove_unused(folder)


def save(folder: Path, report: SurveyReport) -> None:
    """Make ``report`` the latest of its source, unless it is partial and a complete one exists. Raises OSError."""
    known = _read(folder)
    if report.partial and known is not None and not known.partial:
        return
    with replacing(folder / REPORT_NAME) as file:
        file.write(msgspec.json.format(msgspec.json.encode(report), indent=2))


def _read(folder: Path) -> SurveyReport | None:
    try:
        return msgspec.json.decode((folder / REPORT_NAME).read_bytes(), type=SurveyReport)
    except (OSError, msgspec.DecodeError):
        return None


def _remove_unused(folder: Path) -> None:
    latest = _read(folder)
    for catalog in folder.glob("catalog-*"):
        if latest is None or catalog.name != latest.catalog:
            with suppress(OSError):
                _remove_unless_held(catalog)


def _remove_unless_held(catalog: Path) -> None:
    fd = os.open(catalog, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(catalog)
    finally:
        os.close(fd)
