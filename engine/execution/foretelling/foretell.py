"""Says before an execution how long it will take, from the survey of its source and the executions before it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from engine import cgroups, home
from engine.errors import XsyncError
from engine.execution.foretelling.forecast import forecast, keep
from engine.execution.foretelling.passes import read_history, reports_of
from engine.execution.prepare import Sides
from engine.filters import Filters
from engine.journal.records import Execution
from engine.survey.cutting import surveyed
from engine.survey.report import latest_survey


def foretell(folder: Path, execution: Execution, sides: Sides, *, known: bool) -> None:
    """Keep a forecast with an execution, if its source was surveyed; whatever goes wrong, it does without."""
    migration, place = execution.migration, home.find_home()
    if migration.retry is not None:
        return
    with suppress(OSError, XsyncError):
        survey = latest_survey(place.surveys, sides.source_identity)
        if survey is None or survey.partial:
            return
        made = forecast(
            migration,
            surveyed(place.surveys, survey, Filters(migration.filters), folder / "forecast-spill"),
            read_history(place, migration),
            reports_of(place, migration, any_filters=True),
            known=known,
            now=execution.started_at,
            cores=cgroups.cores_here(),
        )
        if made is not None:
            keep(folder, made)
