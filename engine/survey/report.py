"""What a survey found, and where it is kept, with those before it of the same source."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from engine.catalog.files import replacing
from engine.decoding import from_json
from engine.errors import UsageError
from engine.names import path_of_text
from engine.planning.values import SizeBin
from engine.survey.facts import (
    Bin,
    Changes,
    Comparison,
    Compressibility,
    Extension,
    FolderSize,
    HardLinks,
    Hazard,
    Layout,
    SmallFiles,
    SourceProbe,
    SparseFiles,
)

REPORT_NAME = "survey.json"
BEGUN_NAME = "begun.json"
"""In a catalog: when its survey was begun and continued. It goes when the survey is complete."""

OLDER_REPORTS = 10
"""Complete reports that are kept beside the latest; of the newest of them the catalog too."""

CONTINUE_SECONDS = 12 * 3600
"""How old the last part of an interrupted survey may be for the next one to go on with it."""


class SurveyReport(msgspec.Struct, frozen=True):
    """Facts about a location. ``surveyed_at``: when it began, Unix time; ``continued_at``: when it went on.

    ``files``: regular files; ``bytes``: theirs. ``partial``: stopped before all was seen: no figure is more than what
    was found. ``seconds`` and rate are of the scan alone, of its last part where it was continued. ``catalog``: the
    folder of its entries beside the report. ``fine_bins``: by powers of two, those that hold files. ``hazards`` are for
    ``destination``, None: for any bucket or file system. What was not asked for or cannot be known is None.
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
    destination: str | None = None
    fine_bins: tuple[SizeBin, ...] = ()
    largest_bytes: int = 0
    small: SmallFiles | None = None
    hard_links: HardLinks | None = None
    sparse: SparseFiles | None = None
    changed: Changes | None = None
    compressibility: Compressibility | None = None
    probe: SourceProbe | None = None
    comparison: Comparison | None = None
    continued_at: tuple[float, ...] = ()

    def top_folders(self) -> list[FolderSize]:
        """The first level of the tree, as a partition needs it."""
        found = [FolderSize(path_of_text(folder.path), folder.files, folder.bytes) for folder in self.layout.folders]
        return [folder for folder in found if b"/" not in folder.path]


class Begun(msgspec.Struct, frozen=True):
    """When a survey that is not complete was begun, and each time it went on, Unix times in order."""

    times: tuple[float, ...]


def survey_folder(surveys: Path, source_identity: str) -> Path:
    """Where the surveys of a source are kept, below the ``surveys`` folder of this account."""
    return surveys / hashlib.sha256(source_identity.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def latest_survey(surveys: Path, source_identity: str) -> SurveyReport | None:
    """The last complete survey of a source, else its last partial one, else None (also if it cannot be read)."""
    return _read(survey_folder(surveys, source_identity) / REPORT_NAME)


def earlier_surveys(surveys: Path, source_identity: str) -> list[SurveyReport]:
    """The complete surveys of a source before the latest, the newest first; those that cannot be read are left out."""
    found = (_read(path) for path in reversed(_older(survey_folder(surveys, source_identity))))
    return [report for report in found if report is not None]


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


@contextmanager
def reading(surveys: Path, report: SurveyReport) -> Iterator[list[Path]]:
    """The files of a report's catalog; no survey removes them before the block ends. Raises UsageError if gone."""
    catalog = survey_folder(surveys, report.identity) / report.catalog
    try:
        fd = os.open(catalog, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UsageError(f"the entries of the survey of {report.location} are gone: survey it anew") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield sorted(catalog.glob("*.parquet"))
    finally:
        os.close(fd)


def being_listed(folder: Path) -> list[Path]:
    """The files that a survey at work has finished so far, of the newest catalog that one holds; none without one.

    A file may be gone before it is read.
    """
    held = [path.parent for path in folder.glob(f"catalog-*/{BEGUN_NAME}") if _is_held(path.parent)]
    return sorted(max(held, key=lambda each: each.stat().st_ctime_ns).glob("*.parquet")) if held else []


def begin(catalog: Path, times: tuple[float, ...]) -> None:
    """Note in a new catalog when its survey was begun and continued. Raises OSError."""
    with replacing(catalog / BEGUN_NAME) as file:
        file.write(msgspec.json.encode(Begun(times)))


def complete(catalog: Path) -> None:
    """Note that nothing is left to be listed for a catalog. Raises OSError."""
    (catalog / BEGUN_NAME).unlink()


def unfinished(folder: Path, now: float) -> tuple[Path, Begun] | None:
    """The newest catalog that a survey left before its end, not longer than CONTINUE_SECONDS ago, and its times."""
    found = _to_go_on_with(folder)
    return found if found is not None and 0 <= now - found[1].times[-1] < CONTINUE_SECONDS else None


def save(folder: Path, report: SurveyReport) -> None:
    """Make ``report`` the latest of its source, unless it is partial and a complete one exists. Raises OSError.

    A complete one that is replaced by a later survey is kept among the earlier ones.
    """
    known = _read(folder / REPORT_NAME)
    if known is not None and not known.partial:
        if report.partial:
            return
        if known.catalog != report.catalog:
            _write(folder / f"survey-{int(known.surveyed_at * 1000):014}.json", known)
            for path in _older(folder)[:-OLDER_REPORTS]:
                path.unlink()
    _write(folder / REPORT_NAME, report)


def _write(path: Path, report: SurveyReport) -> None:
    with replacing(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(report), indent=2))


def _older(folder: Path) -> list[Path]:
    return sorted(folder.glob("survey-*.json"))


def _read(path: Path) -> SurveyReport | None:
    try:
        return from_json(path.read_bytes(), SurveyReport)
    except (OSError, msgspec.DecodeError):
        return None


def _to_go_on_with(folder: Path) -> tuple[Path, Begun] | None:
    """The newest catalog of an interrupted survey that nobody holds, unless a complete survey came after it."""
    latest = _read(folder / REPORT_NAME)
    since = max((latest.surveyed_at, *latest.continued_at)) if latest is not None and not latest.partial else 0.0
    found = []
    for catalog in folder.glob("catalog-*"):
        with suppress(OSError, msgspec.DecodeError):
            begun = from_json((catalog / BEGUN_NAME).read_bytes(), Begun)
            if begun.times and begun.times[-1] > since and any(catalog.glob("*.parquet")) and not _is_held(catalog):
                found.append((catalog, begun))
    return max(found, key=lambda each: each[1].times[-1], default=None)


def _remove_unused(folder: Path) -> None:
    """Remove catalogs but those of the last two reports, and of the newest survey that can still be continued."""
    reports = [_read(path) for path in (folder / REPORT_NAME, *_older(folder)[-1:])]
    used = {report.catalog for report in reports if report is not None}
    if (found := _to_go_on_with(folder)) is not None:
        used.add(found[0].name)
    for catalog in folder.glob("catalog-*"):
        if catalog.name not in used:
            with suppress(OSError):
                _remove_unless_held(catalog)


def _is_held(catalog: Path) -> bool:
    fd = os.open(catalog, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _remove_unless_held(catalog: Path) -> None:
    fd = os.open(catalog, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(catalog)
    finally:
        os.close(fd)
