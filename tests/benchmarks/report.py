"""docs/benchmarks.md: a section a benchmark, each with its day; those measured anew replace their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_MARK = re.compile(r"^<!-- (?P<name>[a-z0-9-]+) -->\n", re.MULTILINE)


def sections_of(report: str) -> dict[str, str]:
    """The sections of an earlier report by the name of their benchmark."""
    parts = _MARK.split(report)[1:]
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


def written(head: str, sections: Mapping[str, str], order: Sequence[str]) -> str:
    """The whole report, its sections in ``order``."""
    shown = [f"<!-- {name} -->\n{sections[name]}" for name in order if name in sections]
    return "\n\n".join([head, *shown]) + "\n"
