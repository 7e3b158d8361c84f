"""What past executions teach about one agent: its files/s and bytes/s, from what they took for which sizes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.planning.fitting import Part, Work, fit_work
from engine.planning.values import Figure, Origin, Roofline

LATEST = 8
"""Executions that count: what was longer ago may have been another network."""

LEAST_SECONDS = 1.0
"""What copied for less was mostly starting and ending."""


class Learned(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of one agent; None where no execution shows it."""

    files_per_second: Figure | None = None
    bytes_per_second: Figure | None = None


def learn(reports: Sequence[dict[str, Any]], before: Roofline, agents: int | None = None) -> Learned:
    """What ``reports`` of one migration, oldest first, tell; those with as many ``agents`` before others.

    ``before``: what is assumed where they tell nothing. Runs with a bandwidth limit tell of that, and are left out.
    """
    telling = [report for report in reports if _tells(report)]
    alike = [report for report in telling if report["migration"]["agents"] == agents] or telling
    samples = [_work(report) for report in alike[-LATEST:]]
    if not samples:
        return Learned()
    latest = alike[-1]
    count = len(samples)
    source = latest["execution"] if count == 1 else f"{count} executions, the last {latest['execution']}"
    origin = Origin("execution", source, latest["started_at"])
    shown = fit_work(samples, before)
    return Learned(
        Figure(shown.files_per_second, origin) if "files" in shown.at_work else None,
        Figure(shown.bytes_per_second, origin) if "bytes" in shown.at_work else None,
    )


def _tells(report: dict[str, Any]) -> bool:
    limited = report["migration"]["options"].get("bytes_per_second", -1) > 0 or report["migration"].get("limits")
    return not limited and report["transfer_seconds"] >= LEAST_SECONDS and report["files"]["transferred"] > 0


def _work(report: dict[str, Any]) -> Work:
    """Sizes are of the files that were sent; folders are sent too, and have no bytes."""
    bins = [Part(each["files"], each["bytes"]) for each in report["sizes"]]
    folders = Part(report["folders"]["transferred"], 0)
    return Work((*bins, folders), report["migration"]["agents"] * report["transfer_seconds"])
