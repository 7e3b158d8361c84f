"""What the freeze of a migration has to do and how fast, from what executions, surveys and a profile tell."""

from __future__ import annotations

import msgspec

from engine.execution.foretelling.passes import History, Measured
from engine.home import Home, list_execution_folders
from engine.journal.reader import read_identities
from engine.locations.registry import scheme_of
from engine.model import Migration
from engine.planning.freeze import DELETING, FOLDER_TIMES, LISTING, Verify, Work
from engine.planning.surroundings import Surroundings, default_roofline, held, limits
from engine.planning.values import Figure, Origin, Roofline
from engine.survey.report import SurveyReport, latest_survey


class Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a profile tells: what one agent does as measured, its path, and the bandwidth that may be used (bytes/s)."""

    roofline: Roofline | None = None
    per_agent: Figure | None = None
    target: Figure | None = None


def work_of(
    migration: Migration,
    history: History,
    survey: SurveyReport | None,
    known: Known,
    *,
    verify_mode: Verify = "POINT_IN_TIME_CONSISTENT",
    look_first: bool = False,
) -> Work:
    """The work of passes and freeze; what was measured in executions comes before what a profile or survey says."""
    measured = history.measured
    objects = scheme_of(migration.destination.url) == "s3"
    around = Surroundings(target=known.target, held=held(migration), objects=objects)
    entries, folders, listing = history.entries, history.folders, measured.listing
    if survey is not None and not survey.partial:
        entries = entries or survey.files + survey.directories + survey.symlinks + survey.specials
        folders = folders or survey.directories
        listing = listing or Figure(survey.entries_per_second, Origin("survey", "its survey", survey.surveyed_at))
    listing = listing or LISTING
    deletes = migration.options.preserve_deleted_files == "REMOVE"
    return Work(
        entries=entries,
        folders=folders,
        held=history.held or entries,
        limits=limits(roofline_of(measured, known), around),
        agents=migration.agents,
        listing=listing,
        destination_listing=measured.destination_listing or LISTING,
        deleting=(measured.deleting or DELETING) if deletes else None,
        folder_times=None if objects else measured.folder_times or FOLDER_TIMES,
        verifying=measured.verifying,
        asked=history.asked,
        overhead=measured.overhead,
        look_first=look_first,
        source_objects=scheme_of(migration.source.url) == "s3",
        destination_objects=objects,
        verify_mode=verify_mode,
    )


def roofline_of(measured: Measured, known: Known) -> Roofline:
    """What one agent does: an even share of what executions reached, else what the profile says, else the default."""
    said = known.roofline or default_roofline(cap=known.per_agent)

    def share(figure: Figure | None, otherwise: Figure) -> Figure:
        return otherwise if figure is None else Figure(figure.value / measured.agents, figure.origin)

    return Roofline(
        share(measured.files_per_second, said.files_per_second), share(measured.bytes_per_second, said.bytes_per_second)
    )


def survey_of(home: Home, history: History) -> SurveyReport | None:
    """The latest survey of the source that the latest execution had, if there is one. Raises JournalError."""
    if not history.passes:
        return None
    folders = {folder.name: folder for folder in list_execution_folders(home)}
    source, _ = read_identities(folders[history.passes[-1].execution])
    return latest_survey(home.surveys, source)
