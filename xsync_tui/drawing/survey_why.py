"""What a survey's figures rest on: the sentence, the knee, the times; each as a formula with its numbers. Pure."""

from __future__ import annotations

from engine.planning.sizes import RULES, SizeTime, SizeTimes
from engine.planning.values import Origin, Roofline
from engine.quantities import (
    counted,
    format_bytes,
    format_count,
    format_count_short,
    format_duration,
    format_percent,
    format_rate,
    format_share,
)
from engine.survey.report import SurveyReport
from xsync_tui.drawing.evidence import weakest
from xsync_tui.drawing.histogram import size_label
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row
from xsync_tui.drawing.why import Reason, reason_rows

_TIMES = (("mtime", ": the newest file's age. "), ("ctime 7 d", ": bytes written, moved in or chmodded"))
"""What the columns of the folders count; a rename or a chmod moves ctime alone."""


def survey_why_rows(
    times: SizeTimes, one: Roofline, report: SurveyReport, at: SizeTime, canvas: Canvas, *, filtered: bool = False
) -> list[Row]:
    """Why ``times`` decide as the answer says, where the knee is, and what time ``at`` takes; by ``one`` agent.

    ``filtered``: the answer is of ``at`` alone, so that its time says why.
    """
    found = [_knee(one), _time(times, one, at)]
    found[:0] = [] if filtered else [_answer(times, report)]
    pieces = [piece for name, text in _TIMES for piece in (Piece(name, Role.STRONG), Piece(text))]
    reasons = [each for reason in found for each in reason_rows(reason, canvas)]
    return [fitted(row(" ", *pieces), canvas.width), *_besides(report, canvas), *reasons]


def _besides(report: SurveyReport, canvas: Canvas) -> list[Row]:
    """Why a run discovers more files than the survey tells: it counts what is not a regular file, too."""
    kinds = ((report.symlinks, "link"), (report.specials, "special file"))
    if not (found := [counted(count, kind) for count, kind in kinds if count]):
        return []
    whole = format_count(report.files + report.symlinks + report.specials)
    said = Piece(f": beside these a run counts {' and '.join(found)}, {whole} in all")
    return [fitted(row(" ", Piece("files", Role.STRONG), said), canvas.width)]


def _answer(times: SizeTimes, report: SurveyReport) -> Reason:
    small = times.bins[: times.knee_index]
    seconds = sum(each.seconds for each in small)
    largest = times.largest_seconds > times.seconds / 2
    if largest and times.files > 1:
        formula = f"the largest file alone takes {_part(times.largest_seconds, times.seconds)}: more than half"
    else:
        count = sum(each.bin.files for each in small)
        formula = (
            f"{format_count(count)} of {format_count(times.files)} files lie in rows below the knee and take "
            f"{_part(seconds, times.seconds)}; from {format_percent(RULES)} on their number decides, up to "
            f"{format_percent(1 - RULES)} bytes do, between them both"
        )
    seen = "of what it had seen when it was stopped" if report.partial else "all names, sizes and times"
    better = "R: it goes on, and sees the rest" if report.partial else "R: surveys again, where much has changed since"
    return Reason("The answer", formula, Origin("survey", seen, report.surveyed_at), better)


def _knee(one: Roofline) -> Reason:
    files, size = one.files_per_second, one.bytes_per_second
    formula = (
        f"B / F = {format_rate(size.value)} / {_files(one)} = {format_bytes(one.knee_bytes)}: a file of that size "
        "takes as long for its bytes as for being a file"
    )
    return Reason("The knee", formula, weakest((size.origin, files.origin)), _better(one))


def _time(times: SizeTimes, one: Roofline, row: SizeTime) -> Reason:
    """The time of one row, as an example of all."""
    files, size = row.bin.files / one.files_per_second.value, row.bin.bytes / one.bytes_per_second.value
    how = "the sum" if one.adds else "the longer"
    formula = (
        f"{format_count(row.bin.files)} files / {_files(one)} = {_took(files)}; "
        f"{format_bytes(row.bin.bytes)} / {format_rate(one.bytes_per_second.value)} = {_took(size)}; "
        f"{how} of both is {_part(row.seconds, times.seconds)} of all rows. Agents share it: 3 plans how many"
    )
    origin = weakest((one.bytes_per_second.origin, one.files_per_second.origin))
    return Reason(f"Time of {size_label(row.bin)} with 1 agent", formula, origin, _better(one))


def _better(one: Roofline) -> str:
    """What would tell F and B better."""
    both = one.files_per_second.origin.kind, one.bytes_per_second.origin.kind
    measured = all(kind in ("execution", "test run") for kind in both)
    return "nothing: F and B are measured" if measured else "a test run: it measures F and B (4)"


def _files(one: Roofline) -> str:
    return f"{format_count_short(one.files_per_second.value)} files/s"


def _part(seconds: float, whole: float) -> str:
    """``4.02 s of 20.1 s = 20 %``."""
    return f"{_took(seconds)} of {_took(whole)} = {format_share(seconds, whole)}"


def _took(seconds: float) -> str:
    """A duration that can be divided by: below a minute with three digits."""
    return f"{seconds:.3g} s" if seconds < 59.95 else format_duration(seconds)
