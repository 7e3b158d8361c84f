"""Lists a location, source or destination, with all that is known of each entry: what a run compares itself with."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from engine import cgroups
from engine.errors import StoppedError, UsageError
from engine.filters import Filters
from engine.locations.base import Lists
from engine.locations.listing import ENTRY_SCHEMA
from engine.locations.registry import open_location
from engine.model import FilterSpec, LocationSpec
from engine.survey import scan
from engine.survey.crew import Crew
from engine.survey.scan import CrewScan, SurveyProgress
from engine.survey.worker import Wanted

ALONE_SECONDS = 0.3
"""How long a thread of this process lists before others are started, which takes longer: most folders are small."""


class Listing(NamedTuple):
    """Parquet files of ENTRY_SCHEMA, in no order. ``entries`` are files, folders, links and specials.

    ``errors``: folders that could not be listed; their LISTED rows say why.
    """

    files: list[Path]
    entries: int
    errors: int


def list_entries(
    spec: LocationSpec,
    filters: FilterSpec,
    folder: Path,
    *,
    processes: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    on_progress: Callable[[SurveyProgress], None] = lambda _: None,
) -> Listing:
    """List everything at ``spec`` into files in ``folder``, which is made.

    Rows that the patterns or the paths of ``filters`` leave out have fate EXCLUDED, and what lies below them none: both
    sides agree about a path. Ages and sizes are not looked at: those of a destination are not those of the source.
    ``processes`` as in ``scan.survey``. Raises StoppedError once ``cancelled`` is true, LocationError, OSError.
    """
    location = open_location(spec)
    if not isinstance(location, Lists):
        raise UsageError(f"{spec.url} cannot be listed")
    in_threads = location.capabilities.network
    location.close()
    folder.mkdir(parents=True, exist_ok=True)
    workers = (processes or math.ceil(cgroups.cores_here())) * (scan.THREADS_PER_PROCESS if in_threads else 1)
    wanted = Wanted(ENTRY_SCHEMA, Filters(filters))
    scans: list[CrewScan] = []
    if not in_threads:
        aside = folder / "first"
        aside.mkdir(exist_ok=True)
        with Crew(spec, aside, 1, in_threads=True, wanted=wanted) as crew:
            scans.append(scan.scan_all(crew, on_progress, cancelled, seconds=ALONE_SECONDS))
    left = scans[0].left if scans else [b""]
    if left and not any(each.partial for each in scans):
        with Crew(spec, folder, workers, in_threads=in_threads, wanted=wanted) as crew:
            scans.append(scan.scan_all(crew, on_progress, cancelled, left))
    if any(each.partial for each in scans):
        raise StoppedError(f"the listing of {spec.url} was stopped before its end")
    files = [path for each in scans for path in each.segments]
    return Listing(files, sum(each.found.entries for each in scans), sum(each.found.errors for each in scans))
