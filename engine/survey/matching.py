"""What patterns would leave of a surveyed source, counted over as much of its catalog as is on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.filters import Pattern, Rule, parse_pattern, split_patterns
from engine.model import Fate, Kind
from engine.survey.counting import SizeCounts, count_sizes

_COLUMNS = ["dir", "name", "kind", "fate", "size"]
_EXAMPLES = 5


class Kept(NamedTuple):
    """Files that were looked at and those that patterns keep, with their bytes; a few paths of both."""

    files: int = 0
    size: int = 0
    kept_files: int = 0
    kept_size: int = 0
    examples_kept: tuple[bytes, ...] = ()
    examples_left_out: tuple[bytes, ...] = ()


def count_kept(
    segments: Sequence[Path],
    include: Sequence[str],
    exclude: Sequence[str],
    cancelled: Callable[[], bool] = lambda: False,
) -> Kept | None:
    """Count the files of a catalog, None if ``cancelled``; two million a second, without holding up other threads.

    Patterns mean what ``engine.filters`` says. Raises UsageError for a pattern that is none, OSError.
    """
    included, excluded = _parsed(include, "include"), _parsed(exclude, "exclude")
    found = Kept()
    for segment in segments:
        with pq.ParquetFile(segment) as file:
            for group in range(file.num_row_groups):
                if cancelled():
                    return None
                found = _added(found, file.read_row_group(group, _COLUMNS, use_threads=False), included, excluded)
    return found


def kept_sizes(segments: Sequence[Path], include: Sequence[str], exclude: Sequence[str]) -> SizeCounts:
    """Sizes of the files of a catalog that patterns keep. Raises UsageError for a pattern that is none, OSError."""
    included, excluded = _parsed(include, "include"), _parsed(exclude, "exclude")
    counts = SizeCounts()
    for segment in segments:
        with pq.ParquetFile(segment) as file:
            for group in range(file.num_row_groups):
                files = _files(file.read_row_group(group, _COLUMNS, use_threads=False))
                counts = counts.plus(count_sizes(files.filter(_selected(files, included, excluded))["size"]))
    return counts


def total(counted: Sequence[Kept]) -> Kept:
    """What was counted in several parts."""
    return Kept(
        sum(each.files for each in counted),
        sum(each.size for each in counted),
        sum(each.kept_files for each in counted),
        sum(each.kept_size for each in counted),
        tuple(path for each in counted for path in each.examples_kept)[:_EXAMPLES],
        tuple(path for each in counted for path in each.examples_left_out)[:_EXAMPLES],
    )


def _parsed(texts: Iterable[str], rule: Rule) -> list[Pattern]:
    return [parse_pattern(pattern, rule) for text in texts for pattern in split_patterns(text)]


def _added(found: Kept, rows: pa.Table, included: list[Pattern], excluded: list[Pattern]) -> Kept:
    files = _files(rows)
    if not files.num_rows:
        return found
    kept = _selected(files, included, excluded)
    sizes = files["size"]
    return Kept(
        found.files + files.num_rows,
        found.size + (pc.sum(sizes).as_py() or 0),
        found.kept_files + (pc.sum(kept).as_py() or 0),
        found.kept_size + (pc.sum(sizes.filter(kept)).as_py() or 0),
        _more(found.examples_kept, files.filter(kept)),
        _more(found.examples_left_out, files.filter(pc.invert(kept))),
    )


def _files(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.and_(pc.equal(rows["kind"], int(Kind.FILE)), pc.equal(rows["fate"], int(Fate.CANDIDATE))))


def _selected(files: pa.Table, included: list[Pattern], excluded: list[Pattern]) -> Any:
    """Which rows are kept. ``closed`` and ``text`` are what ``engine.filters`` compares: ``/path/`` and ``/path``."""
    slash, nothing = pa.scalar(b"/", pa.binary()), pa.scalar(b"", pa.binary())
    inner = pc.binary_join_element_wise(slash, files["dir"], slash, nothing)
    folders = pc.if_else(pc.equal(files["dir"], nothing), slash, inner)
    text = pc.binary_join_element_wise(folders, files["name"], nothing)
    closed = pc.binary_join_element_wise(folders, files["name"], slash, nothing)
    kept = _any(included, text, closed) if included else _constant(files, value=True)
    return pc.and_(kept, pc.invert(_any(excluded, text, closed))) if excluded else kept


def _any(patterns: list[Pattern], text: Any, closed: Any) -> Any:
    return reduce(pc.or_, (_matches(pattern, text, closed) for pattern in patterns))


def _matches(pattern: Pattern, text: Any, closed: Any) -> Any:
    body, anchored, star_before, star_after = pattern
    stem = body if anchored or star_before else b"/" + body
    if not star_after:
        stem = stem.rstrip(b"/") + b"/"
    return (pc.starts_with if anchored else pc.match_substring)(text if star_after else closed, stem)


def _constant(files: pa.Table, *, value: bool) -> Any:
    return pa.chunked_array([pa.repeat(value, files.num_rows)])


def _more(known: tuple[bytes, ...], files: pa.Table) -> tuple[bytes, ...]:
    rows = files.slice(0, max(0, _EXAMPLES - len(known))).select(["dir", "name"]).to_pylist()
    return (*known, *(b"/".join(part for part in (row["dir"], row["name"]) if part) for row in rows))
