"""What a figure of a plan rests on: its formula with the numbers in it, evidence, date, and what would help. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from engine.planning.capacity import ScaledLimit
from engine.planning.fleet import WhatIf, lift
from engine.planning.plan import Plan
from engine.planning.values import Origin
from engine.quantities import (
    format_bytes,
    format_count,
    format_count_short,
    format_duration,
    format_duration_range,
    format_rate,
    format_share,
)
from xsync_tui.cli.clock import moment
from xsync_tui.drawing.evidence import mark, weakest, word
from xsync_tui.drawing.journey import OLD_SECONDS
from xsync_tui.drawing.limits import in_order
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted

_TOGETHER = re.compile(r"(?<=\d) (?=%|(?:min|[hsd]|[kMGTPE]?B)\b)")
"""The blank between a number and its unit: no line ends there."""


class Reason(NamedTuple):
    """What a figure is, how it is computed, what it rests on, and how to know it better or make it better."""

    what: str
    formula: str
    origin: Origin
    improve: str


def figure_count(plan: Plan) -> int:
    """Figures that can be asked about: the answer, the fleets, the limits, the cost."""
    return 2 + len(plan.what_if) + len(plan.limits)


def why_rows(plan: Plan, figure: int, canvas: Canvas, held: Sequence[str] = ()) -> list[Row]:
    """The reason of a figure, and what ``held`` it back and the plan warns of if it is asked about the answer."""
    if figure:
        return reason_rows(reason(plan, figure), canvas)
    said = "" if plan.work is None else plan.work.said((plan.target_bytes_per_second or 0.0) * plan.utilisation)
    warnings = [each for each in plan.warnings if each != said]
    return reason_rows(reason(plan, figure), canvas, [*held, *_old(plan, canvas), *warnings])


def _old(plan: Plan, canvas: Canvas) -> list[str]:
    """Whether what is planned was seen long before it begins."""
    days = int((plan.start_at - plan.surveyed_at) / 86_400)
    if plan.start_at - plan.surveyed_at <= OLD_SECONDS:
        return []
    return [f"the survey is of {moment(plan.surveyed_at, canvas.zone)}, {days} days before the start: 2 surveys again"]


def reason_rows(found: Reason, canvas: Canvas, warnings: Sequence[str] = ()) -> list[Row]:
    """A heading, then formula, evidence with its date, what improves it, and ``warnings``; wrapped to the canvas."""
    when = "" if found.origin.at is None else f", {moment(found.origin.at, canvas.zone)}"
    known = f"{mark(found.origin, canvas)} {word(found.origin)}: {found.origin.source}{when}"
    said = [("is", found.formula), ("rests on", known), ("better by", found.improve)]
    said += [("look at", each) for each in warnings]
    rows: list[Row] = [(Piece(f" {canvas.text(found.what)}", Role.STRONG),)]
    for head, text in said:
        whole = _TOGETHER.sub("\xa0", canvas.text(text))
        lines = [each.replace("\xa0", " ") for each in textwrap.wrap(whole, max(20, canvas.width - 12))]
        for index, part in enumerate(lines or [""]):
            rows.append((Piece(f" {'' if index else head:<9}", Role.MUTED), Piece(f" {part}")))
    return [fitted(each, canvas.width) for each in rows]


def reason(plan: Plan, figure: int) -> Reason:
    """That of a figure by its number: 0 the answer, then the fleets, the limits as shown, the cost."""
    if figure <= 0:
        return _answer(plan)
    if figure <= len(plan.what_if):
        return _fleet(plan, plan.what_if[figure - 1])
    if figure <= len(plan.what_if) + len(plan.limits):
        return _limit(plan, in_order(plan)[figure - 1 - len(plan.what_if)])
    return _cost(plan)


def _answer(plan: Plan) -> Reason:
    one, seconds = plan.roofline, plan.duration_seconds
    formula = (
        f"for each size of files the longer of files / F and bytes / B, added up: likely "
        f"{format_duration(seconds.likely)}. F = {format_count_short(one.files_per_second.value)} files/s and "
        f"B = {format_rate(one.bytes_per_second.value)} an agent, {plan.agents} of them held to "
        f"{format_rate(plan.bytes_per_second)}. "
    )
    if plan.work is None:
        formula += "At the earliest all overlaps, at the latest nothing does."
    else:
        formula += f"No more agents: {plan.work.said((plan.target_bytes_per_second or 0.0) * plan.utilisation)}."
    took = format_duration_range(seconds.low, seconds.high)
    origin = weakest((plan.binding_limit.origin, one.bytes_per_second.origin, one.files_per_second.origin))
    known = origin.kind in ("execution", "test run") and seconds.high <= 1.5 * seconds.low
    improve = "nothing: it is measured" if known else "a test run: it measures F and B (T)"
    improve = improve if plan.work is None else plan.work.lift
    return Reason(f"{format_bytes(plan.dataset.bytes)} in {took}", formula, origin, improve)


def _fleet(plan: Plan, each: WhatIf) -> Reason:
    name = "1 agent" if each.agents == 1 else f"{each.agents} agents"
    mean = plan.dataset.bytes / each.bytes_per_second if each.bytes_per_second else 0.0
    formula = (
        f"{format_bytes(plan.dataset.bytes)} / {format_rate(each.bytes_per_second)} = {format_duration(mean)}, and the "
        f"start and what is sent again; what limits it is: {each.binding}"
    )
    limit = next((one for one in plan.limits if one.name == each.binding), None)
    return Reason(name, formula, limit.origin if limit else plan.binding_limit.origin, lift(each.binding))


def _limit(plan: Plan, each: ScaledLimit) -> Reason:
    files = "" if each.files_per_second is None else f" ({format_count(round(each.files_per_second))} files/s of all)"
    one = each.bytes_per_second / each.count
    times = f"{format_rate(one)} x {each.count} = " if each.count > 1 else ""
    share = format_share(min(plan.bytes_per_second, each.bytes_per_second), each.bytes_per_second)
    formula = f"{times}{format_rate(each.bytes_per_second)} for this mix of sizes{files}; {share} of it is used"
    return Reason(f"{each.name}, a limit of each {each.scope}", formula, each.origin, lift(each.name))


def _cost(plan: Plan) -> Reason:
    run = plan.cost.run
    table = Origin("default", "the price table")
    if run is None:
        return Reason("Cost", "neither side is AWS: what requests cost there is not known", table, "ask its owner")
    lines = [f"{format_count(round(line.count))} {line.what} = ${line.dollars:,.2f}" for line in run.lines]
    origin = Origin("default", run.basis)
    return Reason(f"${run.dollars:,.2f} of requests", "; ".join(lines), origin, "a price table of your own (--prices)")
