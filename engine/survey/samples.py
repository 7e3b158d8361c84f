"""Chooses files of a catalog to be read: at random, by their bytes, and always the same for the same catalog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine.catalog.database import database
from engine.model import Fate
from engine.survey.columns import IS_FILE, MEMORY_BYTES, PATH, open_catalog
from engine.survey.statistics import EXTENSION

COLD = ("STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
"""Storage classes whose objects are never read for a sample: that costs a retrieval, or cannot be done."""

OTHERS = "*"
"""The extension of a stratum of files with any but the named ones."""

_SIZES = (64 << 10, 16 << 20)
"""Bytes at which strata are cut: what compresses in small files and in large ones differs."""


class Chosen(NamedTuple):
    """A file to be read."""

    path: bytes
    size: int


class Stratum(NamedTuple):
    """Files of one extension and one class of sizes: how many bytes they are, and some, each byte as likely as any."""

    extension: str
    bytes: int
    chosen: list[Chosen]


_READABLE = f"""{IS_FILE} AND fate = {int(Fate.CANDIDATE)} AND size > 0 AND coalesce(blocks, 8) > 1
    AND coalesce(storage_class, '') NOT IN ({", ".join(f"'{name}'" for name in COLD)})"""
"""What may be read: neither cold nor on tape (no blocks)."""

_UNIFORM = "((hash(dir, name) >> 11)::DOUBLE + 0.5) / 9007199254740992.0"
"""A number between 0 and 1 that is as good as random, and stays with the path: 53 bits of a hash."""


def strata(segments: Sequence[Path], spill: Path, extensions: Sequence[str], each: int) -> list[Stratum]:
    """Up to ``each`` files of every stratum, in random order; ``extensions`` get strata of their own. Raises OSError.

    Drawn with a chance in proportion to size, without replacement: the smallest of -ln(u)/size (Efraimidis and
    Spirakis, 2006).
    """
    named = ", ".join("'" + extension.replace("'", "''") + "'" for extension in extensions) or "NULL"
    low, high = _SIZES
    with database(spill, MEMORY_BYTES) as connection:
        open_catalog(connection, segments)
        rows = connection.sql(f"""
            SELECT extension, sum(size)::BIGINT, arg_min({{'path': path, 'size': size}}, -ln(u) / size, {each}) FROM (
                SELECT CASE WHEN {EXTENSION} IN ({named}) THEN {EXTENSION} ELSE '{OTHERS}' END AS extension,
                       (size >= {low})::INT + (size >= {high})::INT AS class, {PATH} AS path, size, {_UNIFORM} AS u
                FROM entries WHERE {_READABLE})
            GROUP BY extension, class ORDER BY 2 DESC, 1""").fetchall()
    return [Stratum(extension, size, [Chosen(**found) for found in chosen]) for extension, size, chosen in rows]


def any_files(segments: Sequence[Path], spill: Path, count: int) -> list[Chosen]:
    """``count`` files, each as likely as any, in random order. Raises OSError."""
    return _choose(segments, spill, _UNIFORM, count)


def by_size(segments: Sequence[Path], spill: Path, count: int) -> list[Chosen]:
    """``count`` files, each byte as likely as any, in random order: large ones come first. Raises OSError."""
    return _choose(segments, spill, f"-ln({_UNIFORM}) / size", count)


def _choose(segments: Sequence[Path], spill: Path, key: str, count: int) -> list[Chosen]:
    with database(spill, MEMORY_BYTES) as connection:
        open_catalog(connection, segments)
        rows = connection.sql(f"""
            SELECT {PATH}, size FROM (SELECT dir, name, size, {key} AS chance FROM entries WHERE {_READABLE})
            ORDER BY chance LIMIT {count}""").fetchall()
    return [Chosen(*row) for row in rows]
