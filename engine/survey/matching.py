"""What filters would leave of a surveyed source, counted over as much of its catalog as is on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.catalog.limits import beyond_limits, is_limited
from engine.filters import Pattern, Rule, parse_pattern, split_patterns
from engine.model import Fate, FilterSpec, Kind
from engine.survey.counting import SizeCounts, count_sizes

_COLUMNS = ("dir", "name", "kind", "fate", "size")
_EXAMPLES = 5


class Wanted(NamedTuple):
    """What is counted: patterns, ages and sizes of ``filters``, which must hold no list of paths and no manifest.

    ``at``: the moment that ages are counted to, in seconds since the epoch. ``small``: files of fewer bytes that are
    kept are counted by themselves.
    """

    filters: FilterSpec = FilterSpec()
    at: float = 0.0
    small: int = 0


class Kept(NamedTuple):
    """Files that were looked at and those that filters keep, with their bytes; a few paths of both.

    ``small``: those among the kept that are smaller than was asked about.
    """

    files: int = 0
    size: int = 0
    kept_files: int = 0
    kept_size: int = 0
    examples_kept: tuple[bytes, ...] = ()
    examples_left_out: tuple[bytes, ...] = ()
    small: int = 0


class _Rules(NamedTuple):
    """What Wanted says, with its patterns read."""

    wanted: Wanted
    include: list[Pattern]
    exclude: list[Pattern]


def count_kept(segments: Sequence[Path], wanted: Wanted, cancelled: Callable[[], bool] = lambda: False) -> Kept | None:
    """Count the files of a catalog, None if ``cancelled``; two million a second, without holding up other threads.

    Filters mean what ``engine.filters`` and ``engine.catalog.limits`` say. Raises UsageError for a pattern that is
    none, OSError.
    """
    rules, columns, found = _rules(wanted), _columns(wanted.filters), Kept()
    for segment in segments:
        with pq.ParquetFile(segment) as file:
            for group in range(file.num_row_groups):
                if cancelled():
                    return None
                found = _added(found, file.read_row_group(group, columns, use_threads=False), rules)
    return found


def kept_sizes(segments: Sequence[Path], wanted: Wanted) -> SizeCounts:
    """Sizes of the files of a catalog that filters keep. Raises UsageError for a pattern that is none, OSError."""
    rules, columns, counts = _rules(wanted), _columns(wanted.filters), SizeCounts()
    for segment in segments:
        with pq.ParquetFile(segment) as file:
            for group in range(file.num_row_groups):
                files = _files(file.read_row_group(group, columns, use_threads=False))
                counts = counts.plus(count_sizes(files.filter(_selected(files, rules))["size"]))
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
        sum(each.small for each in counted),
    )


def _columns(filters: FilterSpec) -> list[str]:
    return [*_COLUMNS, *(["mtime_ns"] if is_limited(filters) else [])]


def _rules(wanted: Wanted) -> _Rules:
    filters = wanted.filters
    return _Rules(wanted, _parsed(filters.include, "include"), _parsed(filters.exclude, "exclude"))


def _parsed(texts: Iterable[str], rule: Rule) -> list[Pattern]:
    return [parse_pattern(pattern, rule) for text in texts for pattern in split_patterns(text)]


def _added(found: Kept, rows: pa.Table, rules: _Rules) -> Kept:
    files = _files(rows)
    if not files.num_rows:
        return found
    kept = _selected(files, rules)
    sizes = files["size"]
    left = sizes.filter(kept)
    return Kept(
        found.files + files.num_rows,
        found.size + (pc.sum(sizes).as_py() or 0),
        found.kept_files + (pc.sum(kept).as_py() or 0),
        found.kept_size + (pc.sum(left).as_py() or 0),
        _more(found.examples_kept, files.filter(kept)),
        _more(found.examples_left_out, files.filter(pc.invert(kept))),
        found.small + (pc.sum(pc.less(left, rules.wanted.small)).as_py() or 0),
    )


def _files(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.and_(pc.equal(rows["kind"], int(Kind.FILE)), pc.equal(rows["fate"], int(Fate.CANDIDATE))))


def _selected(files: pa.Table, rules: _Rules) -> Any:
    """Which rows are kept. ``closed`` and ``text`` are what ``engine.filters`` compares: ``/path/`` and ``/path``."""
    slash, nothing = pa.scalar(b"/", pa.binary()), pa.scalar(b"", pa.binary())
    inner = pc.binary_join_element_wise(slash, files["dir"], slash, nothing)
    folders = pc.if_else(pc.equal(files["dir"], nothing), slash, inner)
    text = pc.binary_join_element_wise(folders, files["name"], nothing)
    closed = pc.binary_join_element_wise(folders, files["name"], slash, nothing)
    kept = _any(rules.include, text, closed) if rules.include else _constant(files, value=True)
    if rules.exclude:
        kept = pc.and_(kept, pc.invert(_any(rules.exclude, text, closed)))
    beyond = beyond_limits(files, rules.wanted.filters, rules.wanted.at)
    return kept if beyond is None else pc.and_(kept, pc.invert(pc.fill_null(beyond, False)))


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
