"""What a survey knows beside sizes and folders, a line or two each: shape, ages, links, samples, the survey before."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from engine.quantities import (
    counted,
    format_bytes,
    format_count,
    format_count_short,
    format_duration,
    format_rate,
    format_share,
)
from xsync_tui.cli.look import Line, Look, Role

if TYPE_CHECKING:
    from engine.survey.facts import Amount, Changed, Comparison, Compressibility, SourceProbe
    from engine.survey.report import SurveyReport

LABEL_CELLS = 11
CHURNED_FOLDERS = 5
_EXTENSIONS = 4
_OLD_DAYS = 365


def fact_lines(report: SurveyReport, look: Look) -> list[Line]:
    """All that is known and not shown elsewhere; nothing of what was not asked for."""
    lines: list[Line] = []
    for label, text in _facts(report, look):
        wrapped = textwrap.wrap(text, max(20, look.width - LABEL_CELLS - 2))
        lines += [Line(f" {label if not row else '':<{LABEL_CELLS}} {part}") for row, part in enumerate(wrapped)]
    if report.comparison is not None:
        lines += _comparison(report, report.comparison, look)
    return lines


def clock(at: float, look: Look) -> str:
    """A time as date and minute."""
    return datetime.fromtimestamp(at, look.zone).strftime("%Y-%m-%d %H:%M")


def _facts(report: SurveyReport, look: Look) -> Iterator[tuple[str, str]]:
    if report.continued_at:
        times = ", ".join(clock(at, look) for at in report.continued_at)
        yield "continued", f"begun {clock(report.surveyed_at, look)}, gone on with {times}: parts are of these times"
    yield from _shape(report, look)
    if report.files:
        yield from _contents(report, look)
    links = report.hard_links
    if links is not None and links.files:
        twice = f"{format_bytes(links.bytes_counted_twice)} are counted twice"
        outside = f"; {format_count(links.outside)} more names lie outside" if links.outside else ""
        yield "hard links", f"{format_count(links.names)} names of {_files(links.files)}: {twice}{outside}"
    sparse = report.sparse
    if sparse is not None and sparse.files:
        sizes = f"{format_bytes(sparse.bytes)} by size, {format_bytes(sparse.allocated_bytes)} on disk"
        yield "sparse", f"{_files(sparse.files)}: {sizes}"
    if report.compressibility is not None:
        yield "compresses", _compressibility(report.compressibility, look)
    if report.probe is not None:
        yield from _probe(report.probe, look)


def _shape(report: SurveyReport, look: Look) -> Iterator[tuple[str, str]]:
    layout = report.layout
    if layout.max_depth:
        widest = layout.widest_directory
        yield "widest", f"{look.text(widest.path or '/', 40)}: {format_count(widest.entries)} entries"
        yield "deepest", f"{look.text(layout.deepest or '/', 40)}: {layout.max_depth} levels"


def _contents(report: SurveyReport, look: Look) -> Iterator[tuple[str, str]]:
    if report.age_histogram:
        old = sum(each.bytes for each in report.age_histogram if each.from_ >= _OLD_DAYS)
        yield "age", f"{format_share(old, report.bytes)} of the bytes were not modified for a year"
    changed = report.changed
    if changed is not None:
        parts = [f"{name} {_changed(each)}" for name, each in (("1 day", changed.day), ("7 days", changed.week))]
        yield (
            "changed in",
            f"{', '.join(parts)}, 30 days {_changed(changed.month)} (by mtime or ctime, of what is there)",
        )
    if report.extensions:
        shown = [
            f"{look.text(each.extension or '(none)')} {format_share(each.bytes, report.bytes)}"
            for each in report.extensions[:_EXTENSIONS]
        ]
        yield "extensions", f"{', '.join(shown)} of the bytes"


def _changed(changed: Changed) -> str:
    files, size = changed.files + changed.arrived_files, changed.bytes + changed.arrived_bytes
    return f"{format_bytes(size)} in {format_count_short(files)} files"


def _compressibility(found: Compressibility, look: Look) -> str:
    error = " (error unknown)" if found.error is None else f" +-{max(1.0, 100 * found.error):.0f}"
    worst = ", ".join(
        f"{look.text(each.extension or '(none)')} {100 * each.ratio:.0f} %" for each in found.by_extension[:_EXTENSIONS]
    )
    covered = "" if found.covered > 0.99 else f", which stands for {100 * found.covered:.0f} % of the bytes"
    return (
        f"to {100 * found.ratio:.0f}{error} % (zstd -{found.level}, {format_bytes(found.sampled_bytes)} of "
        f"{counted(found.sampled_files, 'file')}{covered}); least: {worst}"
    )


def _probe(found: SourceProbe, look: Look) -> Iterator[tuple[str, str]]:
    yield "source", look.text(found.mount)
    if found.first_byte_median is not None and found.first_byte_p95 is not None:
        times = f"median {_milliseconds(found.first_byte_median)}, 95 % within {_milliseconds(found.first_byte_p95)}"
        yield "first byte", f"{times} ({_files(found.opened)})"
    if found.rates:
        rates = ", ".join(f"{format_rate(each.bytes_per_second)} with {each.readers}" for each in found.rates)
        yield "reads", f"{rates} readers; {'; '.join(found.notes)}"


def _files(count: int) -> str:
    return f"{format_count(count)} file{'' if count == 1 else 's'}"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"


def _comparison(report: SurveyReport, found: Comparison, look: Look) -> list[Line]:
    growth = report.bytes - found.bytes_before
    sign = "+" if growth >= 0 else "-"
    since = f" since {clock(found.since, look)} ({format_duration(found.seconds)})"
    lines = [
        Line(f"{since}: {report.files - found.files_before:+,} files, {sign}{format_bytes(abs(growth))}", Role.TITLE),
        Line(f" {'':<30} {'new':>15} {'changed':>15} {'removed':>15}"),
    ]
    rows = [("in all", found.new, found.changed, found.removed)]
    rows += [(each.path or "(directly in it)", each.new, each.changed, each.removed) for each in found.folders]
    for path, *amounts in rows[: CHURNED_FOLDERS + 1]:
        lines.append(Line(f" {look.text(path, 30):<30} {' '.join(f'{_amount(each):>15}' for each in amounts)}"))
    if found.touched.files:
        lines.append(
            Line(f" {_files(found.touched.files)} more with another ctime alone (moved, or other mode or owner)")
        )
    lines += [
        Line(f" ! {format_count(each.count)} more: {look.text(each.kind)}", Role.LOOK) for each in found.new_hazards
    ]
    return lines


def _amount(amount: Amount) -> str:
    return f"{format_count_short(amount.files)} {format_bytes(amount.bytes)}" if amount.files else "-"
