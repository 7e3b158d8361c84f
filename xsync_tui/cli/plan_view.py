"""A plan drawn as plain lines: the answer, agents against the target, limits, tasks, cost, network, evidence."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from engine.quantities import (
    counted,
    format_bytes,
    format_count_short,
    format_duration,
    format_duration_range,
    format_rate,
    format_share,
)
from xsync_tui.cli.clock import clock_range, moment
from xsync_tui.cli.look import Line, Look, Role, paint

if TYPE_CHECKING:
    from engine.planning.cost import Bill
    from engine.planning.plan import Plan
    from engine.planning.values import Origin, Seconds

MOST_TASKS = 20
BAR_CELLS = 16

_MARKS = {"test run": "measured", "execution": "measured", "probe": "probed", "survey": "surveyed"}


def plan_lines(plan: Plan, look: Look) -> list[str]:
    """Draw a plan."""
    lines = [Line(text, Role.TITLE) for text in textwrap.wrap(f" {plan.answer}", look.width, subsequent_indent=" ")]
    lines += _head(plan, look)
    lines += _what_if(plan, look)
    lines += _limits(plan, look)
    lines += _tasks(plan, look)
    lines += _costs(plan)
    lines += _network(plan, look)
    lines += [Line(f" ! {text}", Role.LOOK) for warning in plan.warnings for text in _wrapped(warning, look)]
    lines += _evidence(plan, look)
    return paint(lines, look, cut=False)


def _head(plan: Plan, look: Look) -> list[Line]:
    data = plan.dataset
    done = clock_range(*plan.done_at, look.zone, plan.start_at)
    agents = "" if plan.hosts == 1 else f"  {plan.agents_per_host} agents a host"
    return [
        Line(f" {look.text(plan.source, 36)} -> {look.text(plan.destination, 36)}"),
        Line(f" {counted(data.files, 'file')}  {format_bytes(data.bytes)}  started now, done {done}{agents}"),
    ]


def _what_if(plan: Plan, look: Look) -> list[Line]:
    lines = [Line(f" {'agents':>7} {'hosts':>5}  {'rate':>9}  {'of link':>7}  {'full copy':<19} limit", Role.TITLE)]
    for row in plan.what_if:
        mark = ">" if row.agents == plan.agents else " "
        share = "-" if row.share is None else format_share(row.share, 1.0)
        took = _range(row.seconds)
        lines.append(
            Line(
                f" {mark}{row.agents:>6} {row.hosts:>5}  {format_rate(row.bytes_per_second):>9}  {share:>7}  "
                f"{took:<19} {row.binding}"
            )
        )
    return lines


def _limits(plan: Plan, look: Look) -> list[Line]:
    most = max((each.bytes_per_second for each in plan.limits), default=1.0)
    most = min(most, 4 * plan.bytes_per_second)
    who = "1 agent" if plan.agents == 1 else f"{plan.agents} agents together"
    lines = [Line(f" What {who} would reach if each were the only limit:", Role.TITLE)]
    for each in plan.limits:
        times = f"x {each.count}" if each.count > 1 else ""
        bar = look.bar(each.bytes_per_second / most, BAR_CELLS)
        files = "" if each.files_per_second is None else f"  {format_count_short(each.files_per_second)} files/s"
        name = f"{each.name} {times}".strip()
        lines.append(Line(f" {name:<24} {bar} {format_rate(each.bytes_per_second):>9}  {_mark(each.origin)}{files}"))
    return lines


def _tasks(plan: Plan, look: Look) -> list[Line]:
    lines = [Line(f" {'task':<32} {'agent':>5} {'files':>10} {'bytes':>8}  {'from':>7}  takes", Role.TITLE)]
    for task in plan.tasks[:MOST_TASKS]:
        helped = ", helped" if task.helped else ""
        begins = format_duration(task.begins)
        lines.append(
            Line(
                f" {look.text(task.name, 32):<32} {task.agent:>5} {format_count_short(task.files):>10} "
                f"{format_bytes(task.bytes):>8}  {begins:>7}  {_range(task.seconds)}{helped}"
            )
        )
    if len(plan.tasks) > MOST_TASKS:
        lines.append(Line(f" and {len(plan.tasks) - MOST_TASKS} more tasks (--json has all)"))
    return lines


def _costs(plan: Plan) -> list[Line]:
    if plan.cost.run is None:
        return []
    month = "" if plan.cost.storage_month is None else f", then {_dollars(plan.cost.storage_month)} a month to keep"
    lines = [Line(f" Cost: {_dollars(plan.cost.run)} of requests and traffic{month}  ({plan.cost.run.basis})")]
    theirs = ", ".join(f"{each.mode.capitalize()} {_dollars(each.first)}" for each in plan.cost.datasync)
    return [*lines, *([Line(f" The same on DataSync: {theirs}")] if theirs else [])]


def _network(plan: Plan, look: Look) -> list[Line]:
    ports = ", ".join(dict.fromkeys(f"{each.ports}/{each.protocol} {each.why}" for each in plan.network.xsync.openings))
    lines = [
        Line(f" {text}") for text in _wrapped(f"Network: open {ports}" if ports else "Network: nothing to open", look)
    ]
    if plan.network.datasync is not None and plan.network.datasync.addresses:
        lines.append(
            Line(f" DataSync's tasks would take {plan.network.datasync.addresses} addresses with a VPC endpoint.")
        )
    advice = [text for each in plan.network.xsync.advice for text in _wrapped(each, look)]
    return [*lines, *(Line(f" {text}") for text in advice)]


def _evidence(plan: Plan, look: Look) -> list[Line]:
    said = [
        f"{_mark(each)}: {each.source}{'' if each.at is None else f', {moment(each.at, look.zone)}'}"
        for each in plan.rests_on
    ]
    return [Line(" Rests on"), *(Line(f"  {text}") for each in said for text in _wrapped(each, look))]


def _mark(origin: Origin) -> str:
    """How well a figure is known, in a word."""
    return _MARKS.get(origin.kind, "stated" if origin.kind == "profile" else "default")


def _range(seconds: Seconds) -> str:
    return format_duration_range(seconds.low, seconds.high)


def _dollars(bill: Bill) -> str:
    return f"${bill.dollars:,.2f}"


def _wrapped(text: str, look: Look) -> list[str]:
    return textwrap.wrap(look.text(text), max(20, look.width - 4))
