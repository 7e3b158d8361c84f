"""A test run as Markdown, for who does not have the app: what was copied, how fast, what it says of the whole. Pure."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING

from engine.planning.measurement import Ended, Step
from engine.quantities import (
    counted,
    format_bytes,
    format_duration,
    format_duration_range,
    format_percent,
    format_rate,
)
from xsync_tui.cli.clock import moment
from xsync_tui.drawing.markdown import known, listed, page, safe, table
from xsync_tui.drawing.verdict import range_said

if TYPE_CHECKING:
    from engine.execution.testrun.ladder import TestRun

_ENDED: dict[Ended, str] = {
    "steady": "yes",
    "out of time": "no: its time was up",
    "out of data": "no: all was copied",
    "stopped": "no: it was stopped",
}


def handout_of_test(found: TestRun, name: str, now: float, zone: tzinfo | None) -> str:
    """A test run; times as date, clock and offset from UTC."""
    changes = [
        (each.what, range_said(each.before, each.unit), range_said(each.after, each.unit)) for each in found.changes
    ]
    times = map(_time, found.steps)
    measured = {step.agents for step in found.steps if step.steady}
    ahead = [
        (str(agents), range_said(rate, "bytes/s"), "measured" if agents in measured else "not tried")
        for agents, rate in sorted(found.predictions.items())
    ]
    return page(
        [
            f"# Test run of {safe(name)}",
            "",
            f"**{found.verdict.title}**: {safe(found.verdict.sentence)}",
            "",
            f"- Source: {safe(found.source)}",
            f"- Destination: {safe(found.destination)}",
            f"- Begun {moment(found.at, zone)}, took {format_duration(found.seconds)}",
            f"- Written {moment(now, zone)}",
            *_copied(found),
            "",
            "## Steps",
            "",
            *table(
                ("agents", "rate", "measured over", "of each", "files/s", "steady", "copied in all"),
                map(_step, found.steps),
            ),
            "## Where the time of the agents went",
            "",
            *table(("agents", "reading the source", "CPU", "network and destination", "rate limit", "idle"), times),
            *(["## What it changes in the plan", ""] if changes else []),
            *(table(("figure", "before", "after, measured"), changes) if changes else []),
            *(["## The whole dataset with other numbers of agents", ""] if ahead else []),
            *(table(("agents", "rate", "this number was"), ahead) if ahead else []),
            *(["So much agents alone would reach; a stated bandwidth may allow less.", ""] if ahead else []),
            *listed("Rests on", _rests_on(found, zone)),
            *listed("Folders that were copied", (_folders(step) for step in found.steps)),
        ]
    )


def _copied(found: TestRun) -> list[str]:
    texts = []
    if found.files:
        size = f"{counted(found.files, 'file')} with {format_bytes(found.bytes)}"
        texts.append(f"- Copied into the real destination: {size}; no later run sends them again")
    if (left := found.left) is not None:
        took = format_duration_range(left.seconds.low, left.seconds.high)
        size = f"{counted(left.files, 'file')} with {format_bytes(left.bytes)}"
        texts.append(f"- Left when it ended: {size}, which take {took} with {counted(left.agents, 'agent')}")
    if found.stopped:
        texts.append("- It was stopped before its end: steps that were not steady count for nothing")
    if found.missing:
        counts = ", ".join(map(str, found.missing))
        texts.append(f"- Not tried, for no comparable folder was left: {counts} agents")
    return texts


def _step(step: Step) -> tuple[str, ...]:
    steady = "nearly, when its time was up" if step.steady and step.ended == "out of time" else _ENDED[step.ended]
    if step.ended == "steady" and step.steady_after is not None:
        steady = f"after {format_duration(step.steady_after)}"
    return (
        str(step.agents),
        format_rate(step.bytes_per_second),
        format_duration(step.seconds),
        format_rate(step.bytes_per_second / step.agents),
        f"{step.files_per_second:,.0f}",
        steady,
        f"{counted(step.moved_files, 'file')}, {format_bytes(step.moved_bytes)}",
    )


def _time(step: Step) -> tuple[str, ...]:
    share = step.shares
    waits = (share.source, share.cpu, share.destination, share.limit, share.idle)
    return (str(step.agents), *(format_percent(each) for each in waits))


def _folders(step: Step) -> str:
    return f"{counted(step.agents, 'agent')}: {', '.join('/' + safe(each) for each in step.folders)}"


def _rests_on(found: TestRun, zone: tzinfo | None) -> list[str]:
    """What one agent reached and how sure that is, and how like the whole the sample was."""
    texts = []
    if (one := found.one) is not None:
        files, size = one.roofline.files_per_second, one.roofline.bytes_per_second
        texts.append(f"One agent, small files: {files.value:,.0f} files/s ({known(files.origin, zone)})")
        texts.append(f"One agent, large files: {format_rate(size.value)} ({known(size.origin, zone)})")
        texts.append(f"Both may be off by {format_percent(one.margin)}")
        if one.note:
            texts.append(f"{one.note[:1].upper()}{safe(one.note[1:])}")
    if found.steps:
        texts.append(f"The sizes of the files that were copied are {format_percent(found.mix)} like those of the whole")
    return texts
