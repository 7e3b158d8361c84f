"""Statistics of a catalog of entries, in SQL with flat memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from engine.catalog.database import Connection, database
from engine.model import Kind
from engine.planning.values import KNEE_BYTES, SizeBin
from engine.survey.columns import IS_FILE, MEMORY_BYTES, open_catalog
from engine.survey.facts import (
    Amount,
    Bin,
    Changes,
    Extension,
    HardLinks,
    Hazard,
    Layout,
    SmallFiles,
    SparseFiles,
)
from engine.survey.folders import gather_folders, layout, whole
from engine.survey.hazard_rules import ANYWHERE, Target
from engine.survey.hazards import find_hazards

MOST_EXTENSIONS = 50
_AGES_DAYS = (0, 1, 7, 30, 90, 180, 365, 730, 1_825, 3_650)
_DAY_NS = 86_400 * 10**9


class Statistics(NamedTuple):
    """All of a report that comes from the catalog; the fields mean what those of SurveyReport do."""

    files: int
    directories: int
    symlinks: int
    specials: int
    bytes: int
    size_histogram: tuple[Bin, ...]
    age_histogram: tuple[Bin, ...]
    layout: Layout
    extensions: tuple[Extension, ...]
    hazards: tuple[Hazard, ...]
    fine_bins: tuple[SizeBin, ...]
    largest_bytes: int
    small: SmallFiles
    hard_links: HardLinks | None
    sparse: SparseFiles | None
    changed: Changes


def measure(
    segments: Sequence[Path], spill: Path, now_ns: int, target: Target = ANYWHERE, knee: int = KNEE_BYTES
) -> Statistics:
    """Compute the statistics of Parquet files of ENTRY_SCHEMA rows; ages are relative to ``now_ns``. Raises OSError.

    Hazards are those of ``target``; small are files below ``knee`` bytes.
    """
    with database(spill, MEMORY_BYTES) as connection:
        open_catalog(connection, segments)
        counts = dict(connection.sql("SELECT kind, count(*) FROM entries GROUP BY kind").fetchall())
        cells = _cells(connection, now_ns, knee)
        gather_folders(connection, now_ns)
        return Statistics(
            files=counts.get(Kind.FILE, 0),
            directories=counts.get(Kind.FOLDER, 0),
            symlinks=counts.get(Kind.SYMLINK, 0),
            specials=counts.get(Kind.SPECIAL, 0),
            bytes=sum(cell.bytes for cell in cells),
            size_histogram=_size_histogram(cells),
            age_histogram=_age_histogram(cells),
            layout=layout(connection),
            extensions=_extensions(connection),
            hazards=find_hazards(connection, target),
            fine_bins=_fine_bins(cells),
            largest_bytes=max((cell.largest for cell in cells), default=0),
            small=SmallFiles(knee, *_sum(cell for cell in cells if cell.small)),
            hard_links=_hard_links(connection),
            sparse=_sparse(cells),
            changed=whole(connection),
        )


def files_below(segments: Sequence[Path], spill: Path, size: int) -> Amount:
    """The files of a catalog that are smaller than ``size`` bytes, exactly. Raises OSError."""
    with database(spill, MEMORY_BYTES) as connection:
        open_catalog(connection, segments)
        query = f"SELECT count(*), coalesce(sum(size), 0)::BIGINT FROM entries WHERE {IS_FILE} AND size < {size}"
        return Amount(*connection.sql(query).fetchall()[0])


class _Cell(NamedTuple):
    """The files of one bin by powers of two, by powers of ten, by age, and by whether they are small."""

    two: int
    ten: int
    age: int
    small: bool
    files: int
    bytes: int
    largest: int
    sparse_files: int
    sparse_bytes: int
    sparse_allocated: int
    has_blocks: bool


def _cells(connection: Connection, now_ns: int, knee: int) -> list[_Cell]:
    """All that is counted of files one by one, by one pass. Bin ``two`` ends at 2**two, bin ``ten`` at 10**ten."""
    log = "CASE WHEN size > 0 THEN floor(log2(size))::INTEGER ELSE -1 END"
    two = "two + 1 - (two >= 0 AND (1::BIGINT << greatest(two, 0)) > size)::INTEGER"  # a double may round up
    tens = " ".join(f"WHEN size < {10**power} THEN {power}" for power in range(19))
    days = f"greatest(0, ({now_ns} - mtime_ns) // {_DAY_NS})"
    ages = " ".join(f"WHEN days < {bound} THEN {index}" for index, bound in enumerate(_AGES_DAYS[1:]))
    sparse = "allocated < size"
    query = f"""
        SELECT {two} AS bin, CASE {tens} ELSE 19 END AS ten, CASE {ages} ELSE {len(_AGES_DAYS) - 1} END AS age,
               size < {knee} AS small, count(*), sum(size)::BIGINT, max(size), count(*) FILTER ({sparse}),
               coalesce(sum(size) FILTER ({sparse}), 0)::BIGINT,
               coalesce(sum(allocated) FILTER ({sparse}), 0)::BIGINT, count(allocated) > 0
        FROM (SELECT size, blocks * 512 AS allocated, {days} AS days, {log} AS two FROM entries WHERE {IS_FILE})
        GROUP BY bin, ten, age, small"""
    return [_Cell(*row) for row in connection.sql(query).fetchall()]


def _sum(cells: Iterable[_Cell]) -> tuple[int, int]:
    found = list(cells)
    return sum(cell.files for cell in found), sum(cell.bytes for cell in found)


def _size_histogram(cells: Sequence[_Cell]) -> tuple[Bin, ...]:
    """Bins 0..1, 1..10, 10..100 bytes and so on up to the largest file, empty ones included."""
    bounds = [0, *(10**power for power in range(max((cell.ten for cell in cells), default=-1) + 1))]
    return tuple(
        Bin(low, high, *_sum(cell for cell in cells if cell.ten == index))
        for index, (low, high) in enumerate(pairwise(bounds))
    )


def _age_histogram(cells: Sequence[_Cell]) -> tuple[Bin, ...]:
    """Bins by days since the last modification; the future counts as today."""
    ends: list[int | None] = [*_AGES_DAYS[1:], None]
    return tuple(
        Bin(low, high, *_sum(cell for cell in cells if cell.age == index))
        for index, (low, high) in enumerate(zip(_AGES_DAYS, ends, strict=True))
    )


def _fine_bins(cells: Sequence[_Cell]) -> tuple[SizeBin, ...]:
    powers = sorted({cell.two for cell in cells})
    found = ((power, _sum(cell for cell in cells if cell.two == power)) for power in powers)
    return tuple(SizeBin(1 << power >> 1, 1 << power, files, size) for power, (files, size) in found)


def _sparse(cells: Sequence[_Cell]) -> SparseFiles | None:
    """None where the location does not tell how much room files take."""
    if not any(cell.has_blocks for cell in cells):
        return None
    return SparseFiles(
        sum(cell.sparse_files for cell in cells),
        sum(cell.sparse_bytes for cell in cells),
        sum(cell.sparse_allocated for cell in cells),
    )


def _hard_links(connection: Connection) -> HardLinks | None:
    """None where the location has no inodes."""
    (row,) = connection.sql(f"""
        SELECT sum(names)::BIGINT, count(*), sum((names - 1) * size)::BIGINT, sum(nlink - names)::BIGINT FROM (
            SELECT count(*) AS names, any_value(size) AS size, greatest(max(nlink), count(*)) AS nlink
            FROM entries WHERE {IS_FILE} AND nlink > 1 AND inode IS NOT NULL GROUP BY dev, inode)""").fetchall()
    if row[1]:
        return HardLinks(row[0], row[1], row[2], row[3])
    known = connection.sql(f"SELECT 1 FROM entries WHERE {IS_FILE} AND nlink IS NOT NULL LIMIT 1").fetchall()
    return HardLinks(0, 0, 0) if known else None


def _extensions(connection: Connection) -> tuple[Extension, ...]:
    query = f"""
        SELECT {EXTENSION} AS extension, count(*), sum(size)::BIGINT FROM entries WHERE {IS_FILE}
        GROUP BY extension ORDER BY 3 DESC, 1 LIMIT {MOST_EXTENSIONS}"""
    return tuple(Extension(*row) for row in connection.sql(query).fetchall())


EXTENSION = r"lower(regexp_extract(name::VARCHAR, '[^.]\.([A-Za-z0-9_]{1,12})$', 1))"
"""SQL of the extension of a row's name."""
