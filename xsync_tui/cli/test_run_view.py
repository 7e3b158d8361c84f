"""Draws a test run: what it is going to do, its steps as they end, and the verdict. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from engine.execution.testrun.ladder import Prepared, TestRun
from engine.names import text_of
from engine.planning.fitting import Range
from engine.planning.measurement import Step
from engine.planning.prices import load_prices
from engine.planning.verdict import Change, Left, number
from engine.quantities import (
    counted,
    format_bytes,
    format_duration,
    format_duration_range,
    format_percent,
    format_rate,
)
from xsync_tui.cli.look import Line, Look, Role

_CELLS = 24
_SHOWN_FOLDERS = 3


def announcement(prepared: Prepared, look: Look) -> list[Line]:
    """How much is copied, from where to where, for how long, at what cost; and that it counts."""
    migration = prepared.request.migration
    arrow = "→" if look.unicode else "->"
    most, requests = prepared.bytes, prepared.requests
    price = requests.dollars(load_prices(), migration.destination.storage_class)
    dollars = f"at most {price:,.2f}" if price >= 0.01 else "less than 0.01"
    cost = f"; {dollars} USD of requests at S3 list prices" if requests.counts else ""
    lines = [
        Line(
            f" Test run: {look.text(migration.source.url)} {arrow} {look.text(migration.destination.url)}", Role.TITLE
        ),
        Line(f" Copies up to {format_bytes(most)} in {counted(prepared.files, 'file')} into the real destination,"),
        Line(f" {format_duration_range(*prepared.seconds)} in all{cost}."),
        Line(" What is copied counts: no later run sends it again. Ctrl-C ends a step cleanly."),
    ]
    for step in prepared.steps:
        choice = step.choice
        size = format_bytes(sum(each.bytes for each in choice.bins))
        like = f"{format_percent(1 - choice.distance)} like the whole"
        start = f" {number(step.agents)} agent{'s' if step.agents > 1 else ''}: "
        lines.append(Line(f"{start}{_folders(choice.folders, look)}, {size}, size mix {like}"))
    if prepared.missing:
        counts = ", ".join(map(str, prepared.missing))
        lines.append(Line(f" No comparable folder is left for a step of {counts} agents.", Role.LOOK))
    return lines


def step_line(step: Step, look: Look) -> str:
    """What a step came to."""
    rate = f"{format_rate(step.bytes_per_second)}, {step.files_per_second:,.0f} files/s"
    steady = f"steady after {format_duration(step.steady_after)}" if step.steady_after is not None else step.ended
    return f" {number(step.agents)} agent{'s' if step.agents > 1 else ''}: {rate}, {steady}"


def result_lines(found: TestRun, look: Look) -> list[Line]:
    """The verdict first, then the steps, the curve, and what changes."""
    role = Role.GOOD if found.verdict.word in ("LINEAR", "MEASURED") else Role.LOOK
    lines = [Line(f" {text}", role) for text in _wrapped(f"{found.verdict.title}: {found.verdict.sentence}", look)]
    if found.steps:
        lines += [Line(""), *_steps(found.steps)]
    if len(found.steps) > 1 and found.predictions:
        lines += [Line(""), *_curve(found, look)]
    if found.changes:
        lines += [Line(""), Line(f" {'changes':<22} {'before':>22} {'after, measured':>22}", Role.TITLE)]
        lines += [_change(each) for each in found.changes]
    if found.one is not None and found.one.note:
        lines += [Line(f" {text}") for text in _wrapped(found.one.note + ".", look)]
    copied = f"{counted(found.files, 'file')}, {format_bytes(found.bytes)}"
    mix = f"size mix {format_percent(found.mix)} like the whole"
    lines += [Line(""), Line(f" Copied: {copied} in {format_duration(found.seconds)}; {mix}.")]
    left = f" Left {format_bytes(found.left.bytes)}: {_left(found.left)}." if found.left is not None else ""
    return [*lines, Line(f" The run skips it.{left}")] if found.files else lines


def _left(left: Left) -> str:
    took = format_duration_range(left.seconds.low, left.seconds.high)
    return f"{took} with {left.agents} agent{'s' if left.agents > 1 else ''}"


def _steps(steps: Sequence[Step]) -> list[Line]:
    head = f" {'agents':>6} {'rate':>10} {'each':>10} {'files/s':>8} {'steady':>8} {'source':>7}"
    head += f" {'CPU':>5} {'network':>8} {'idle':>5}"
    rows = []
    for step in steps:
        share = step.shares
        network = share.destination + share.limit
        waits = ((share.source, 7), (share.cpu, 6), (network, 9), (share.idle, 6))
        steady = format_duration(step.steady_after) if step.steady_after is not None else "no"
        rows.append(
            f" {step.agents:>6} {format_rate(step.bytes_per_second):>10} "
            f"{format_rate(step.bytes_per_second / step.agents):>10} {step.files_per_second:>8,.0f} {steady:>8} "
            + "".join(f"{format_percent(each):>{cells}}" for each, cells in waits)
        )
    return [Line(head, Role.TITLE), *map(Line, rows)]


def _curve(found: TestRun, look: Look) -> list[Line]:
    """A bar for each number of agents, measured or predicted."""
    measured = {step.agents: step.bytes_per_second for step in found.steps if step.steady}
    highest = max([*measured.values(), *(each.likely for each in found.predictions.values())])
    lines = [Line(" scaling", Role.TITLE)]
    for agents in sorted({*measured, *found.predictions}):
        rate = measured.get(agents) or found.predictions[agents].likely
        said = format_rate(rate) if agents in measured else f"{_range(found.predictions[agents], 'bytes/s')} predicted"
        lines.append(Line(f" {agents:>6} {look.bar(rate / highest if highest else 0, _CELLS)} {said}"))
    return lines


def _change(change: Change) -> Line:
    return Line(f" {change.what:<22} {_range(change.before, change.unit):>22} {_range(change.after, change.unit):>22}")


def _range(value: Range, unit: str) -> str:
    if unit == "seconds":
        return format_duration_range(value.low, value.high)

    def one(figure: float) -> str:
        if unit == "bytes/s":
            return format_rate(figure)
        return f"{figure:,.0f}" + (" files/s" if unit == "files/s" else "")

    low, high = one(value.low), one(value.high)
    return low if low == high else f"{low} - {high}"


def _folders(paths: Sequence[bytes], look: Look) -> str:
    names = ["/" + look.text(text_of(path), 30) for path in paths[:_SHOWN_FOLDERS]]
    more = f" and {len(paths) - _SHOWN_FOLDERS} more" if len(paths) > _SHOWN_FOLDERS else ""
    return ", ".join(names) + more


def _wrapped(text: str, look: Look) -> list[str]:
    return textwrap.wrap(text, look.width - 2) or [""]
