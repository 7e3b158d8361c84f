"""Which executions a bandwidth limit held back: they tell of that limit, and nothing of agents or a path. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.planning.measurement import held_back
from engine.quantities import format_rate


def was_held(report: dict[str, Any]) -> bool:
    """Whether a limit bound an execution; one whose report does not tell counts as bound if it had a limit at all."""
    told, migration = report.get("limit"), report["migration"]
    if told is None:
        return migration["options"].get("bytes_per_second", -1) > 0 or bool(migration.get("limits"))
    seconds = report["transfer_seconds"]
    rate = report["bytes"]["transferred"] / seconds if seconds > 0 else 0.0
    return held_back(told["waited"], rate, told["bytes_per_second"])


def untried(reports: Sequence[dict[str, Any]], tested: float | None, *, measured: bool) -> str:
    """That lifting a limit was not tried, if so; else "".

    ``tested``: the limit that held back steps of the last test run; ``measured``: what an agent does without one is
    known.
    """
    if tested is not None:
        return f"the test run was held back by a limit of {format_rate(tested)}: lifting it was not tried"
    held = [report for report in reports if was_held(report)]
    if measured or not held:
        return ""
    rate = (held[-1].get("limit") or {}).get("bytes_per_second")
    of = "" if rate is None else f" of {format_rate(rate)}"
    return f"past runs were held back by a limit{of}: lifting it was not tried"
