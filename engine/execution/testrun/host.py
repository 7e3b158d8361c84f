"""What the host of a test run was doing meanwhile: its processors, its network interfaces, a quota that was used up."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from engine.cgroups import share
from engine.planning.measurement import Link

_LOOPBACK = "lo"


class _Sample(NamedTuple):
    at: float
    cpu: float
    moved: dict[str, tuple[int, int]]
    periods: tuple[int, int]


class Host:
    """Collects samples; ``sample`` is called a few times a second."""

    def __init__(self) -> None:
        psutil.cpu_percent(None)
        self._statistics = share().counted
        self._samples: list[_Sample] = []

    def sample(self, now: float) -> None:
        """Look at it now (seconds)."""
        counters = psutil.net_io_counters(pernic=True)
        moved = {name: (each.bytes_sent, each.bytes_recv) for name, each in counters.items() if name != _LOOPBACK}
        self._samples.append(_Sample(now, psutil.cpu_percent(None) / 100, moved, _periods(self._statistics)))

    def cpu(self, start: float, end: float) -> float:
        """Mean share of all processors that was in use, by whomever."""
        found = [each.cpu for each in self._between(start, end)]
        return sum(found) / len(found) if found else 0.0

    def quota(self, start: float, end: float) -> float:
        """Share of the time's periods in which a CPU quota of this control group was used up; 0 without a quota."""
        samples = self._between(start, end)
        if len(samples) < 2:
            return 0.0
        (periods, used_up), (periods_then, used_up_then) = samples[-1].periods, samples[0].periods
        return (used_up - used_up_then) / max(1, periods - periods_then)

    def busiest(self, start: float, end: float) -> Link | None:
        """The interface that carried most in one direction, if any carried something."""
        samples = self._between(start, end)
        if len(samples) < 2:
            return None
        first, last = samples[0], samples[-1]
        speeds = {name: each.speed * 125_000.0 for name, each in psutil.net_if_stats().items()}
        links = [
            Link(
                name,
                max(now - before for now, before in zip(moved, first.moved[name], strict=True)) / (last.at - first.at),
                speeds.get(name, 0.0),
            )
            for name, moved in last.moved.items()
            if name in first.moved
        ]
        return max((link for link in links if link.bytes_per_second > 0), key=_load, default=None)

    def _between(self, start: float, end: float) -> list[_Sample]:
        times = [each.at for each in self._samples]
        return self._samples[max(0, bisect_left(times, start) - 1) : bisect_right(times, end) + 1]


def _periods(statistics: Path | None) -> tuple[int, int]:
    """Periods of the quota, and how many of them it was used up in."""
    if statistics is None:
        return 0, 0
    with suppress(OSError, ValueError):
        values = dict(line.split()[:2] for line in statistics.read_text().splitlines())
        return int(values.get("nr_periods", 0)), int(values.get("nr_throttled", 0))
    return 0, 0


def _load(link: Link) -> tuple[float, float]:
    return (link.bytes_per_second / link.speed if link.speed else 0.0, link.bytes_per_second)
