"""What a survey finds out beyond its catalog, step by step; what is stopped keeps what it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.errors import UsageError
from engine.locations.base import Location, Reads
from engine.model import LocationSpec
from engine.planning.values import KNEE_BYTES
from engine.survey.comparing import compare
from engine.survey.compression import compressibility
from engine.survey.hazard_rules import Target
from engine.survey.probe import probe
from engine.survey.report import SurveyReport, earlier_surveys, reading


class Wishes(NamedTuple):
    """What a survey is to find out beyond the names: small files are those below ``knee`` bytes.

    ``destination``: whose hazards are looked for; ``sample``: how well contents compress; ``probe``: how fast they
    can be read; ``compare``: with the survey before; ``anew``: not to go on with an interrupted one.
    """

    destination: LocationSpec | None = None
    knee: int = KNEE_BYTES
    sample: bool = False
    probe: bool = False
    compare: bool = False
    anew: bool = False


NO_WISHES = Wishes()


def extend(
    report: SurveyReport,
    location: Location,
    segments: Sequence[Path],
    surveys: Path,
    wishes: Wishes,
    target: Target,
    on_step: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> SurveyReport:
    """The report with what is wished for, as far as that can be had before ``cancelled`` is true; else the same.

    ``segments``: the catalog of the report, which the caller holds. Raises LocationError, OSError.
    """
    spill = segments[0].parent / ".spill" if segments else surveys
    if wishes.compare and not report.partial and not cancelled():
        on_step("comparing with the survey before")
        report = _compared(report, segments, surveys, spill, target)
    if wishes.sample and isinstance(location, Reads) and not cancelled():
        on_step("reading samples to compress them")
        found = compressibility(location, report, segments, spill, cancelled)
        report = msgspec.structs.replace(report, compressibility=found)
    if wishes.probe and isinstance(location, Reads) and not cancelled():
        on_step("measuring how fast the source can be read")
        report = msgspec.structs.replace(report, probe=probe(location, segments, spill, cancelled))
    return report


def _compared(
    report: SurveyReport, segments: Sequence[Path], surveys: Path, spill: Path, target: Target
) -> SurveyReport:
    """The report with what changed since the newest one before it, if the entries of that are still there."""
    for earlier in earlier_surveys(surveys, report.identity)[:1]:
        with suppress(UsageError), reading(surveys, earlier) as before:
            comparison = compare(earlier, before, report, segments, spill, target)
            return msgspec.structs.replace(report, comparison=comparison)
    return report
