"""A survey and a plan as Markdown, for who does not have the app: units, dates, ranges, what it rests on. Pure."""

from __future__ import annotations

from datetime import tzinfo

from engine.planning.fleet import spoken
from engine.planning.plan import Plan
from engine.planning.sizes import SizeTimes, decides
from engine.planning.values import Origin
from engine.quantities import (
    counted,
    format_bytes,
    format_count,
    format_duration,
    format_duration_range,
    format_rate,
    format_share,
)
from engine.survey.report import SurveyReport
from xsync_tui.cli.clock import moment
from xsync_tui.drawing.histogram import size_label
from xsync_tui.drawing.limits import in_order
from xsync_tui.drawing.markdown import MOST_ROWS, known, listed, page, safe, table


def plan_handout(plan: Plan, name: str, now: float, zone: tzinfo | None) -> str:
    """A plan; times as date, clock and offset from UTC."""
    done = " to ".join(moment(at, zone) for at in plan.done_at)
    facts = [
        f"- Source: {safe(plan.source)}",
        f"- Destination: {safe(plan.destination)}",
        (
            f"- To copy: {counted(plan.dataset.files, 'file')}, {format_bytes(plan.dataset.bytes)}, "
            f"as surveyed {moment(plan.surveyed_at, zone)}"
        ),
        f"- Started {moment(plan.start_at, zone)}, it is done from {done}",
        _limit(plan, zone),
    ]
    fleets = [
        (
            f"**{each.agents}**" if each.agents == plan.agents else str(each.agents),
            str(each.hosts),
            format_rate(each.bytes_per_second),
            "-" if each.share is None else format_share(each.share, 1.0),
            format_duration_range(each.seconds.low, each.seconds.high),
            each.binding,
        )
        for each in plan.what_if
    ]
    limits = [
        (each.name, str(each.count), each.scope, format_rate(each.bytes_per_second), known(each.origin, zone))
        for each in in_order(plan)
    ]
    tasks = sorted((each for each in plan.tasks if each.files or each.bytes), key=lambda each: -each.bytes)
    rows = [
        (
            safe(each.name),
            format_count(each.files),
            format_bytes(each.bytes),
            str(each.agent),
            moment(plan.start_at + each.begins, zone),
            format_duration_range(each.seconds.low, each.seconds.high),
        )
        for each in tasks[:MOST_ROWS]
    ]
    rest = tasks[MOST_ROWS:]
    more = [f"And {format_count(len(rest))} more tasks with {format_bytes(sum(each.bytes for each in rest))}.", ""]
    cost = "not known: neither side is AWS" if plan.cost.run is None else f"${plan.cost.run.dollars:,.2f}"
    return page(
        [
            f"# Plan of {safe(name)}",
            "",
            f"{plan.answer} Made {moment(now, zone)}.",
            "",
            *facts,
            f"- Requests of the first run: {cost}",
            "",
            "## With other numbers of agents",
            "",
            *table(("agents", "hosts", "rate", "of the link", "full copy", "limited by"), fleets),
            f"## What limits {plan.agents} agent{'' if plan.agents == 1 else 's'}",
            "",
            *table(("limit", "count", "of each", "together", "known from"), limits),
            "## Tasks",
            "",
            *table(("task", "files", "bytes", "agent", "begins about", "takes"), rows),
            *(more if rest else []),
            *listed("To look at", plan.warnings),
            *listed("Rests on", [known(each, zone) for each in plan.rests_on]),
        ]
    )


def _limit(plan: Plan, zone: tzinfo | None) -> str:
    if plan.work is not None:
        return f"- Limit: the work itself: {plan.work.why}"
    return f"- Limit: {spoken(plan.binding_limit)} ({known(plan.binding_limit.origin, zone)})"


def survey_handout(
    report: SurveyReport, times: SizeTimes, origin: Origin, name: str, now: float, zone: tzinfo | None
) -> str:
    """What a survey found; ``times`` and ``origin``: by what one agent does."""
    least = "at least " if report.partial else ""
    sizes = [
        (
            size_label(each.bin),
            format_count(each.bin.files),
            format_bytes(each.bin.bytes),
            format_share(each.seconds, times.seconds) if times.seconds else "0 %",
        )
        for each in times.bins
    ]
    found = sorted((each for each in report.layout.folders if "/" not in each.path), key=lambda each: -each.bytes)
    folders = [
        (
            "files directly in it" if not each.path else safe(each.path),
            format_count(each.files),
            format_bytes(each.bytes),
            format_share(each.bytes, report.bytes) if report.bytes else "0 %",
            "-" if each.newest_at is None else moment(each.newest_at, zone),
        )
        for each in found[:MOST_ROWS]
    ]
    rest = found[MOST_ROWS:]
    more = [f"And {format_count(len(rest))} more with {format_bytes(sum(each.bytes for each in rest))}.", ""]
    hazards = [
        f"{format_count(each.count)} x {safe(each.kind)}: {safe(', '.join(each.examples))}. {safe(each.advice)}"
        for each in report.hazards
    ]
    return page(
        [
            f"# Survey of {safe(name)}",
            "",
            decides(times, so_far=report.partial),
            "",
            f"- Source: {safe(report.location)}",
            (
                f"- {least}{counted(report.files, 'file')} with {format_bytes(report.bytes)}, "
                f"{counted(report.directories, 'folder')}, {counted(report.symlinks, 'link')}"
            ),
            (
                f"- Begun {moment(report.surveyed_at, zone)}, listed in {format_duration(report.seconds)}, "
                f"{'PARTIAL: it was stopped before all was seen' if report.partial else 'complete'}"
            ),
            f"- Written {moment(now, zone)}",
            "",
            "## Sizes",
            "",
            *table(("size of a file", "files", "bytes", "share of the time of a copy"), sizes),
            (
                f"Above {format_bytes(times.knee_bytes)} the bytes of a file take its time, below it each file does. "
                f"By what one agent does: {known(origin, zone)}."
            ),
            "",
            "## Folders",
            "",
            *table(("folder", "files", "bytes", "of all bytes", "newest file"), folders),
            *(more if rest else []),
            *listed("Hazards", hazards or ["none were found"]),
        ]
    )
