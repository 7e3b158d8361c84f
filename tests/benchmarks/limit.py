"""Bandwidth limits: what two agents send together in any ten seconds, beside what they may."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import mean
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.benchmarks.measure import measure
from tests.benchmarks.null_s3 import null_s3
from tests.benchmarks.relay import relay
from tests.benchmarks.section import MIB, Section, Settings, Target, table, targets
from tests.benchmarks.tools import AGENTS, Endpoint, environment, program, xsync_result

WINDOW_SECONDS = 10.0
MOST_DEVIATION = 0.05

_EDGE_SECONDS = 1.0
"""At either end: before all have begun, and when there is less left to send than the limit lets through."""

_TEXT = (
    f"{AGENTS} agents to null S3, through a relay that notes when bytes come. Windows of {WINDOW_SECONDS:.0f} s count "
    f"that begin {_EDGE_SECONDS:.0f} s after the first hundredth of the bytes and end {_EDGE_SECONDS:.0f} s before "
    "the last hundredth; headers are bytes, too."
)


class _Case(NamedTuple):
    """A limit, and files that take about half a minute under it: how many, of how many bytes."""

    limit: str
    bytes_per_second: float
    files: int
    size: int


_CASES = (
    _Case("5Mbit/s", 625e3, 3, 8 * MIB),
    _Case("5Mbit/s", 625e3, 1_200, 16 << 10),
    _Case("100Mbit/s", 12.5e6, 3, 128 * MIB),
    _Case("100Mbit/s", 12.5e6, 1_600, 256 << 10),
    _Case("1Gbit/s", 125e6, 3, 1_024 * MIB),
)


class _Found(NamedTuple):
    """Bytes/s: over all, and in the windows with least and most."""

    whole: float
    least: float
    most: float

    def deviation(self, limit: float) -> float:
        """Of the worst window, as a share of the limit."""
        return max(abs(self.least - limit), abs(self.most - limit)) / limit


def limit(settings: Settings) -> Section:
    """Uploads under limits from 5 Mbit/s to 1 Gbit/s."""
    rows, worst = [], 0.0
    for case in _CASES[::2] if settings.quick else _CASES:
        found = _measure(settings, case)
        deviation = found.deviation(case.bytes_per_second)
        worst = max(worst, deviation)
        figures = [f"{100 * value / case.bytes_per_second:.1f}" for value in found]
        size = f"{case.size >> 20:,} MiB" if case.size >= MIB else f"{case.size >> 10} KiB"
        rows.append([f"{case.limit}, {case.files:,} x {size}", *figures, f"{100 * deviation:.1f}"])
    head = ["limit, files", "whole, %", "least window, %", "most, %", "worst deviation, %"]
    promise = Target("worst deviation of any window", worst, MOST_DEVIATION, at_most=True)
    return Section("Bandwidth limits", "\n\n".join([table(head, rows), targets([promise]), _TEXT]))


def _measure(settings: Settings, case: _Case) -> _Found:
    make = settings.inputs.large if case.size >= MIB else settings.inputs.small
    source = make(case.files, case.size)
    folder = Path(tempfile.mkdtemp(dir=settings.folder))
    with null_s3(folder / "null") as server, relay(urlsplit(server.endpoint_url).port or 0) as passing:
        endpoint = Endpoint(passing.url, "null", "null", "us-east-1", "bench")
        where = [str(source), "s3://bench/limit", "--endpoint-url", endpoint.url]
        command = [program("xsync"), "run", *where, "--agents", str(AGENTS), "--limit", case.limit, "--json"]
        xsync_result(measure(command, environment(endpoint, folder / "home")), case.files)
        seen = passing.arrivals()
    settings.inputs.drop(source)
    whole = case.files * case.size
    start = next(at for at, total in zip(seen.moments, seen.totals, strict=True) if total > 0.01 * whole)
    end = next(at for at, total in zip(seen.moments, seen.totals, strict=True) if total > 0.99 * whole)
    rates = seen.rates(WINDOW_SECONDS, start + _EDGE_SECONDS, end - _EDGE_SECONDS)
    return _Found(mean(rates), min(rates), max(rates))
