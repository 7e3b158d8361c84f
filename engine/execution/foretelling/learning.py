"""What past executions teach: files/s and bytes/s of one agent, and what an execution takes beside. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import msgspec

from engine.execution.foretelling.held import was_held
from engine.planning.explaining import Past, explain
from engine.planning.fitting import Part
from engine.planning.values import Figure, Origin, Roofline

LATEST = 8
"""Executions that count: what was longer ago may have been another network."""

LEAST_SECONDS = 0.5
"""What copied for less was nothing but starting and ending."""


class Learned(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rates of one agent, ``adds`` as in Roofline; None where no execution shows them.

    ``start_seconds``: what an execution takes beside copying: starting, ending, agents that find into their stride.
    """

    files_per_second: Figure | None = None
    bytes_per_second: Figure | None = None
    adds: bool = False
    start_seconds: Figure | None = None


def learn(reports: Sequence[dict[str, Any]], before: Roofline, agents: int | None = None) -> Learned:
    """What ``reports`` of one migration, oldest first, tell; those with as many ``agents`` before others.

    ``before``: what is assumed where they tell nothing. Runs that a limit held back tell of it, and are left out.
    """
    telling = [report for report in reports if _tells(report)]
    alike = [report for report in telling if report["migration"]["agents"] == agents] or telling
    samples = [_past(report) for report in alike[-LATEST:]]
    if not samples:
        return Learned()
    latest = alike[-1]
    count = len(samples)
    source = latest["execution"] if count == 1 else f"{count} executions, the last {latest['execution']}"
    origin = Origin("execution", source, latest["started_at"])
    beside = median(each.seconds - each.copying for each in samples)
    shown = explain(samples, before, beside)
    return Learned(
        Figure(shown.files_per_second, origin) if "files" in shown.at_work else None,
        Figure(shown.bytes_per_second, origin) if "bytes" in shown.at_work else None,
        shown.adds,
        Figure(shown.start_seconds, origin),
    )


def _tells(report: dict[str, Any]) -> bool:
    return not was_held(report) and report["transfer_seconds"] >= LEAST_SECONDS and report["files"]["transferred"] > 0


def _past(report: dict[str, Any]) -> Past:
    """Sizes are of the files that were sent; folders are sent too, and have no bytes.

    What is counted apart is no part of its time: waiting for a listing, deletions, folder times, verification.
    """
    bins = [Part(each["files"], each["bytes"]) for each in report["sizes"]]
    folders = Part(report["folders"]["transferred"], 0)
    copying = report["transfer_seconds"]
    phases = report.get("phase_seconds", {})
    others = sum(seconds for phase, seconds in phases.items() if phase != "listing")
    others += max(0.0, phases.get("listing", 0.0) - copying) + (report.get("verification") or {}).get("seconds", 0.0)
    return Past((*bins, folders), report["migration"]["agents"], max(copying, report["seconds"] - others), copying)
