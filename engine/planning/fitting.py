"""Fits what one agent can do, and how agents add up, to the steps of a test run. Pure.

An agent takes ``sum over size bins of max(files / F, bytes / B)`` seconds (shared design: a roofline of F files/s and
B bytes/s). One mix shows one of the two; the other stays what it was until a mix shows it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.planning.candidates import seconds_of
from engine.planning.measurement import Step
from engine.planning.surroundings import default_roofline
from engine.planning.values import Figure, Origin, Roofline, SizeBin

LEAST_MARGIN = 0.02
"""No rate is known better than this."""

GOODPUT = 0.88
"""Share of a stated cap that arrives as content until it is measured."""

GAINS = 0.5
"""An additional agent has to bring this share of what one agent brings, or the curve counts as flat there."""

_DIFFERENT = 3.0
"""Mean sizes have to differ by this factor before two steps can tell F from B."""

_SHOWN = 1e-3
"""How much the squared error has to grow when F or B is moved by half, or put back to what was assumed.

Else the steps say nothing about it.
"""


class Range(msgspec.Struct, frozen=True):
    """A figure between two others."""

    low: float
    likely: float
    high: float


class Fit(msgspec.Struct, frozen=True):
    """One agent as it was measured. ``margin``: how far it may be off, as a share; ``note``: what was not shown."""

    roofline: Roofline
    files_measured: bool
    bytes_measured: bool
    margin: float
    note: str = ""


class Scaling(msgspec.Struct, frozen=True):
    """How agents add up, in multiples of one agent: min(n x ``each``, ``ceiling``); no ceiling was seen if None."""

    each: float
    ceiling: float | None
    after: int | None
    margin: float

    def worth(self, agents: int) -> float:
        """What so many agents are worth."""
        return min(agents * self.each, self.ceiling or math.inf)


class Part(NamedTuple):
    """What was copied of a size bin in the time that counts."""

    files: float
    bytes: float


class Work(NamedTuple):
    """What was copied, and the seconds that one agent would have taken: agents times seconds."""

    bins: tuple[Part, ...]
    seconds: float


class Shown(NamedTuple):
    """F in files/s and B in bytes/s of one agent, and which of them was at work: ``files``, ``bytes``."""

    files_per_second: float
    bytes_per_second: float
    at_work: tuple[str, ...]


def fit(steps: Sequence[Step], before: Roofline, at: float) -> Fit:
    """F and B of one agent from the steps, where others ran at least as fast each as the first one.

    ``before``: what was assumed so far; ``at``: Unix time of the test. At least one step that moved something.
    """
    first = min(steps, key=lambda step: step.agents)
    comparable = [step for step in steps if step.agents == first.agents or _as_fast(step, first, before)]
    samples = [Work(_measured(step), step.agents * step.seconds) for step in comparable]
    margin = max(LEAST_MARGIN, *(step.spread / 2 for step in comparable))
    origin = Origin("test run", f"{len(steps)} step{'s' if len(steps) > 1 else ''}, up to {_most(steps)} agents", at)
    files, size, shown = fit_work(samples, before)
    roofline = Roofline(
        Figure(files, origin) if "files" in shown else before.files_per_second,
        Figure(size, origin) if "bytes" in shown else before.bytes_per_second,
    )
    residual = max(abs(math.log(seconds_of(each.bins, roofline) / each.seconds)) for each in samples)
    return Fit(roofline, "files" in shown, "bytes" in shown, min(1.0, max(margin, residual)), _note(shown, before))


def fit_work(samples: Sequence[Work], before: Roofline) -> Shown:
    """F and B that explain ``samples`` (at least one) best; what they do not show stays as it was ``before``.

    Both are ceilings: neither is below the most files/s and bytes/s that any of the samples reached.
    """
    sizes = [_mean_size(sample.bins) for sample in samples]
    unlike = max(sizes) >= _DIFFERENT * max(1.0, min(sizes))
    found = _fit_both(samples, before) if unlike else _fit_one(samples, before)
    files = max(sum(each.files for each in sample.bins) / sample.seconds for sample in samples)
    size = max(sum(each.bytes for each in sample.bins) / sample.seconds for sample in samples)
    return Shown(max(found.files_per_second, files), max(found.bytes_per_second, size), found.at_work)


def scaling(steps: Sequence[Step], one: Fit) -> Scaling:
    """The curve through the steps: linear until an additional agent brings less than half of one, then flat."""
    ordered = sorted(steps, key=lambda step: step.agents)
    worths = [seconds_of(_measured(step), one.roofline) / step.seconds for step in ordered]
    margin = max(LEAST_MARGIN, one.margin, *(step.spread / 2 for step in ordered))
    each = worths[0] / ordered[0].agents
    for index in range(1, len(ordered)):
        added = ordered[index].agents - ordered[index - 1].agents
        if worths[index] - worths[index - 1] < GAINS * added * each:
            ceiling = max(worths[index - 1 :])
            return Scaling(each, ceiling, ordered[index - 1].agents, margin)
    last = worths[-1] / ordered[-1].agents
    return Scaling(min(each, last) if len(ordered) > 1 else each, None, None, margin)


def predicted(curve: Scaling, one: Fit, bins: Sequence[SizeBin], agents: int) -> Range:
    """Bytes/s of so many agents on a mix of sizes."""
    seconds = seconds_of(bins, one.roofline)
    rate = curve.worth(agents) * sum(each.bytes for each in bins) / seconds if seconds > 0 else 0.0
    return Range(rate * (1 - curve.margin), rate, rate * (1 + curve.margin))


def _measured(step: Step) -> tuple[Part, ...]:
    """The bins of a step scaled to what was copied in the time that counts."""
    files, size = sum(each.files for each in step.bins), sum(each.bytes for each in step.bins)
    by_files = step.files_per_second * step.seconds / files if files else 0.0
    by_bytes = step.bytes_per_second * step.seconds / size if size else 0.0
    return tuple(Part(each.files * by_files, each.bytes * by_bytes) for each in step.bins)


def _as_fast(step: Step, first: Step, before: Roofline) -> bool:
    """Whether each agent did about as much work as the first step's, so that nothing shared held it back."""
    one = seconds_of(_measured(first), before) / first.seconds / first.agents
    return seconds_of(_measured(step), before) / step.seconds / step.agents >= 0.9 * one


def _fit_one(samples: Sequence[Work], before: Roofline) -> Shown:
    """The one of F and B that binds most of the time by what is known; both, with their knee, if that is no answer."""
    files, size = before.files_per_second.value, before.bytes_per_second.value
    bins = [each for sample in samples for each in sample.bins]
    by_bytes = sum(each.bytes / size for each in bins if each.bytes / size >= each.files / files)
    data = by_bytes >= 0.5 * seconds_of(bins, before)
    wanted = sum(sample.seconds for sample in samples)
    least = sum(each.files / files if data else each.bytes / size for each in bins)
    if least >= wanted:
        factor = seconds_of(bins, before) / wanted
        return Shown(files * factor, size * factor, ("bytes", "files") if data else ("files", "bytes"))
    low, high = 1e-6, 1e6
    for _ in range(80):
        middle = math.sqrt(low * high)
        taken = sum(
            max(each.files / (files if data else files * middle), each.bytes / (size * middle if data else size))
            for each in bins
        )
        low, high = (middle, high) if taken > wanted else (low, middle)
    return Shown(files, size * low, ("bytes",)) if data else Shown(files * low, size, ("files",))


def _fit_both(samples: Sequence[Work], before: Roofline) -> Shown:
    """Least squares of the logarithms of times, on a grid that is narrowed; says which of the two the steps showed."""
    files, size = before.files_per_second.value, before.bytes_per_second.value

    def error(f: float, b: float) -> float:
        total = 0.0
        for sample in samples:
            taken = sum(max(each.files / (files * f), each.bytes / (size * b)) for each in sample.bins)
            total += math.log(taken / sample.seconds) ** 2
        return total

    best, width = (1.0, 1.0), 1e4
    for _ in range(12):
        steps = [width ** (index / 10) for index in range(-10, 11)]
        best = min(((best[0] * x, best[1] * y) for x in steps for y in steps), key=lambda point: error(*point))
        width = max(1.0005, width**0.3)
    least = error(*best)
    moved = {
        "files": (min(error(best[0] * 1.5, best[1]), error(best[0] / 1.5, best[1])), error(1.0, best[1])),
        "bytes": (min(error(best[0], best[1] * 1.5), error(best[0], best[1] / 1.5)), error(best[0], 1.0)),
    }
    shown = tuple(name for name, values in moved.items() if max(values) - least > _SHOWN)
    return Shown(files * best[0], size * best[1], shown)


def _note(shown: Sequence[str], before: Roofline) -> str:
    if len(shown) == 2:
        return ""
    if "bytes" in shown:
        return f"files/s were not at work: {_words(before.files_per_second)}"
    return f"bytes/s were not at work: {_words(before.bytes_per_second)}"


def _words(figure: Figure) -> str:
    return f"still {figure.origin.kind}, {figure.origin.source}"


def _mean_size(bins: Sequence[Part]) -> float:
    return sum(each.bytes for each in bins) / max(1e-9, sum(each.files for each in bins))


def _most(steps: Sequence[Step]) -> int:
    return max(step.agents for step in steps)


def assumed(per_agent: float | None, files: float | None, size: float | None, at: float | None) -> Roofline:
    """What one agent is taken to do: as measured last, else by the stated cap of its path, else by default.

    ``per_agent``: that cap in bytes/s. ``files``, ``size``: F and B of the last test run, ``at`` its Unix time.
    """
    default = default_roofline(cap=None if per_agent is None else Figure(per_agent, Origin("profile", "per_agent")))
    measured = Origin("test run", "the last one", at)
    return Roofline(
        default.files_per_second if files is None else Figure(files, measured),
        default.bytes_per_second if size is None else Figure(size, measured),
    )
