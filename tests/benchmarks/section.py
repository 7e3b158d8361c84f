"""What a benchmark returns, and how it is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks.inputs import Inputs

MIB = 1024 * 1024


class Settings(NamedTuple):
    """How much to measure. ``folder`` is for what a benchmark writes, on a real disk."""

    quick: bool
    folder: Path
    inputs: Inputs

    def count(self, whole: int) -> int:
        """``whole``, or a tenth of it if it is to be quick."""
        return whole // 10 if self.quick else whole

    def runs(self, whole: int) -> int:
        """``whole`` runs, or one if it is to be quick."""
        return 1 if self.quick else whole


class Section(NamedTuple):
    """A benchmark's result: a title and paragraphs or tables of Markdown."""

    title: str
    body: str


Benchmark = Callable[[Settings], Section]


class Target(NamedTuple):
    """A ratio that was promised, and what was measured."""

    what: str
    measured: float
    wanted: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """True if the promise is kept."""
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all but the first column are figures."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def targets(found: Sequence[Target]) -> str:
    """A Markdown table of ratios beside what was promised."""
    rows = [
        [
            t.what,
            f"{t.measured:.2f}",
            f"{'at most' if t.at_most else 'at least'} {t.wanted:g}",
            "yes" if t.met else "no",
        ]
        for t in found
    ]
    return table(["ratio", "measured", "wanted", "met"], rows)


def middle(values: Sequence[float], form: str = ",.0f") -> str:
    """The median, and from lowest to highest in brackets if there are several."""
    if len(values) == 1:
        return format(values[0], form)
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
