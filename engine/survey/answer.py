"""What a survey says in one sentence. Pure."""

from __future__ import annotations

from engine.quantities import counted, format_bytes, format_share
from engine.survey.report import SurveyReport

LARGE_BYTES = 1 << 30
"""Files from this size on are spoken of if they hold a tenth of all bytes or more."""


def answer(report: SurveyReport) -> str:
    """How many files, which sizes rule, and whether something needs attention; a partial survey says so first."""
    start = "PARTIAL, at least " if report.partial else ""
    what = f"{start}{counted(report.files, 'file')}, {format_bytes(report.bytes)}"
    said = [text for text in (_small(report), _large(report)) if text]
    shape = f": {', '.join(said)}" if said else ""
    count = len(report.hazards)
    things = "nothing to look at" if not count else f"{count} thing{'s' if count > 1 else ''} to look at"
    return f"{what}{shape}; {things}."


def binary_size(size: int) -> str:
    """``256 KiB``, ``1 GiB``, ``1.5 MiB``: a size where powers of 1024 matter."""
    unit = 0
    value = float(size)
    while value >= 1024 and unit < 6:
        value /= 1024
        unit += 1
    return f"{value:.4g} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')[unit]}"


def _small(report: SurveyReport) -> str:
    small = report.small
    if small is None or not report.files:
        return ""
    files, size = format_share(small.files, report.files), format_share(small.bytes, report.bytes)
    held = f" and hold {size} of the bytes" if small.files and report.bytes else ""
    return f"{files} of the files are under {binary_size(small.below)}{held}"


def _large(report: SurveyReport) -> str:
    size = sum(each.bytes for each in report.fine_bins if each.low >= LARGE_BYTES)
    if not size or size * 10 < report.bytes:
        return ""
    return f"{format_share(size, report.bytes)} of the bytes are in files of {binary_size(LARGE_BYTES)} or more"
