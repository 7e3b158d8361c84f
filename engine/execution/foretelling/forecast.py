"""How long an execution will take, said before its first byte moves, and kept to be held against what it took."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.catalog.files import replacing
from engine.decoding import from_json
from engine.execution.foretelling.learning import Learned, learn
from engine.execution.foretelling.passes import History, history_of
from engine.model import FilterSpec, Migration
from engine.planning.alike import part_of
from engine.planning.capacity import Fleet
from engine.planning.estimate import MARGINS, EstimateOptions, estimate
from engine.planning.surroundings import default_host, default_roofline
from engine.planning.timetable import Timetable
from engine.planning.values import Dataset, Figure, Origin, Roofline, Seconds
from engine.quantities import in_duration_range

ASSUMED_START = Figure(1.5, Origin("default", "start and end of a run"))

UNMEASURED = 12.0
"""Where nothing was measured a run may take so many times as long as defaults say.

One core is taken to send 3,700 files/s. Of 20,000 small files two cores sent 8,010/s to a server that stores nothing,
but 1,974/s to one that stores them on the same host (docs/benchmarks.md): a factor of four, and three again for what
else the host may do, or a source that is read over a network.
"""

FORECAST = "forecast.json"
"""In an execution's folder."""


class Forecast(msgspec.Struct, frozen=True):
    """``seconds`` of the whole execution, for ``files`` and ``bytes`` to be sent; ``rests_on``: each origin once.

    ``incremental``: of what is expected to have changed since the last pass.
    """

    made_at: float
    seconds: Seconds
    files: int
    bytes: int
    incremental: bool
    rests_on: tuple[Origin, ...]


def forecast(
    migration: Migration,
    dataset: Dataset,
    history: History,
    reports: Sequence[dict[str, Any]],
    *,
    known: bool,
    now: float,
    cores: float,
) -> Forecast | None:
    """The forecast of an execution that begins ``now``; None for an incremental one before any pass told of changes.

    ``dataset``: what the source holds inside the filters, ``history``: executions with the very same ones; ``reports``:
    all between the same two sides, which rates are learned from. ``known``: something is known to be at the
    destination. ``cores``: of this host, which all agents share. Pure.
    """
    incremental = known and any(each.complete for each in history.passes)
    changes = _changed(dataset, history, now) if incremental else _first(dataset, migration, reports if known else ())
    if changes is None:
        return None
    before = default_roofline()
    learned = learn(reports, before, migration.agents)
    fleet = fleet_of(before, learned, migration.agents)
    measured = learned.files_per_second is not None or learned.bytes_per_second is not None
    if not measured:
        fleet = Fleet((*fleet.scopes, default_host(cores)))
    found = history_of(reports).measured
    start = learned.start_seconds or found.overhead or ASSUMED_START
    options = EstimateOptions(start_seconds=start.value)
    limits = _limits(migration)
    seconds = estimate(changes, fleet, fleet.shared(migration.agents), options, start=now, timetable=limits)
    if limits is not None:  # a limit is what is let through at most
        seconds = Seconds(seconds.low, seconds.likely, max(seconds.high, seconds.likely * (1 + MARGINS["profile"][1])))
    if found.listing is not None:
        seconds = _with_listing(seconds, (dataset.files + dataset.others) / found.listing.value, found.listing.origin)
    if not measured:  # a limit holds whatever it is that is limited
        unlimited = estimate(changes, fleet, fleet.shared(migration.agents), options)
        seconds = Seconds(seconds.low, seconds.likely, max(seconds.high, UNMEASURED * unlimited.likely))
    used = [*(figure.origin for scope in fleet.scopes for figure in (scope.bytes_per_second, scope.files_per_second))]
    used += [figure.origin for figure in (found.listing, start) if figure is not None]
    rests_on = tuple(dict.fromkeys(used))
    return Forecast(now, seconds, changes.files, changes.bytes, incremental, rests_on)


def fleet_of(before: Roofline, learned: Learned, agents: int) -> Fleet:
    """What so many agents do together by what was learned, each figure ``before`` where nothing was."""
    files, size = learned.files_per_second, learned.bytes_per_second
    one = Roofline(files or before.files_per_second, size or before.bytes_per_second, learned.adds)
    return Fleet((one.times(agents),))


def keep(folder: Path, made: Forecast) -> None:
    """Keep a forecast beside the journal of its execution. Raises OSError."""
    with replacing(folder / FORECAST) as file:
        file.write(msgspec.json.encode(made))


def outcome(folder: Path, took: float) -> dict[str, Any] | None:
    """What was said of an execution that ``took`` so many seconds, and how it came out; None if nothing was said.

    ``inside``: as people read both, so that no report says another thing than its words.
    """
    try:
        said = from_json((folder / FORECAST).read_bytes(), Forecast)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    likely = said.seconds.likely
    values: dict[str, Any] = msgspec.to_builtins(said)
    return values | {
        "took_seconds": took,
        "inside": in_duration_range(took, said.seconds.low, said.seconds.high),
        "error": (took - likely) / likely if likely else None,
    }


def _first(dataset: Dataset, migration: Migration, reports: Sequence[dict[str, Any]]) -> Dataset:
    """What a first execution sends: all but what executions of parts, such as test runs, have sent before."""
    if migration.filters != FilterSpec():
        return dataset
    left = max(0, dataset.files - sum(report["files"]["transferred"] for report in reports))
    size = sum(report["bytes"]["transferred"] for report in reports)
    return part_of(dataset, left, max(0, dataset.bytes - size), left + dataset.others)


def _changed(dataset: Dataset, history: History, now: float) -> Dataset | None:
    """What is likely to have changed since the last complete pass began, with the sizes of the whole."""
    churn = history.churn
    complete = [each for each in history.passes if each.complete]
    if not churn.known or not complete:
        return None
    changes = churn.after(now - complete[-1].began_at)
    files, size = round(changes.files.likely), round(changes.bytes.likely)
    return part_of(dataset, min(files, dataset.files), min(size, dataset.bytes), files)


def _with_listing(copying: Seconds, listing: float, origin: Origin) -> Seconds:
    """Listing goes on while files are copied: at best the longer of the two counts, at worst both."""
    less, more = MARGINS[origin.kind]
    return Seconds(
        max(copying.low, listing * (1 - less)),
        max(copying.likely, listing),
        max(copying.high, copying.likely + listing * (1 + more)),
    )


def _limits(migration: Migration) -> Timetable | None:
    always = migration.options.bytes_per_second
    if not migration.limits and always < 0:
        return None
    return Timetable(migration.limits, None if always < 0 else float(always))
