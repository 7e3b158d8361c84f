"""Samples of the totals over time: thinned as they are written, and drawn from at any width.

Level 0 keeps one sample per half second for ten minutes, level 1 one per 10 s for a day, level 2 one per minute for a
year: at most 535,000 rows, about 28 MB, and 10,000 rows after a day. All functions take a connection and leave
transactions to their caller.
"""

from __future__ import annotations

import math
import sqlite3

from engine.model import Sample

LEVELS = ((0.5, 600.0), (10.0, 86_400.0), (60.0, 31_536_000.0))
"""Per level: seconds that share one row, and for how many seconds rows are kept."""

RATE_SECONDS = 10.0
"""The present rate is the mean over so many seconds."""

_COLUMNS = "at, files, bytes, files_per_second, bytes_per_second"

_INSERT = f"INSERT OR REPLACE INTO samples (level, slot, {_COLUMNS})"

_MEAN = "max(at), files, bytes, avg(files_per_second), avg(bytes_per_second)"
# SQLite takes the bare columns of a query with one max() from the row that holds the maximum.


def add(db: sqlite3.Connection, sample: Sample) -> None:
    """Record a sample; whenever it begins a new 10 s or minute, roll up the one before and drop what is too old."""
    newest = db.execute("SELECT at FROM samples WHERE level = 0 ORDER BY slot DESC LIMIT 1").fetchone()
    if newest and sample.at < newest[0]:
        _forget_after(db, sample.at)
        newest = None
    db.execute(f"{_INSERT} VALUES (0, ?, ?, ?, ?, ?, ?)", (_slot(0, sample.at), *_values(sample)))
    if newest:
        for level in range(1, len(LEVELS)):
            if _slot(level, sample.at) == _slot(level, newest[0]):
                break
            _roll_up(db, level, newest[0])
            _drop_old(db, level - 1, sample.at)
            _drop_old(db, level, sample.at)


def rates(db: sqlite3.Connection) -> tuple[float, float]:
    """Files/s and bytes/s over the last RATE_SECONDS that have samples; never negative, although counts can rewind."""
    newest = db.execute("SELECT max(slot) FROM samples WHERE level = 0").fetchone()[0]
    if newest is None:
        return 0.0, 0.0
    oldest = newest - round(RATE_SECONDS / LEVELS[0][0])
    query = f"SELECT {_COLUMNS} FROM samples WHERE level = 0 AND slot >= ? ORDER BY slot"
    found = [Sample(*row) for row in db.execute(query, (oldest,))]
    first, last = found[0], found[-1]
    seconds = last.at - first.at
    if seconds <= 0:
        return last.files_per_second, last.bytes_per_second
    return max(0.0, (last.files - first.files) / seconds), max(0.0, (last.bytes - first.bytes) / seconds)


def history(db: sqlite3.Connection, buckets: int) -> list[Sample]:
    """The whole run in at most ``buckets`` samples of equal width: mean rates, and totals at the end of each.

    Times without samples have no bucket.
    """
    start, end = db.execute("SELECT min(at), max(at) FROM samples").fetchone()
    if start is None:
        return []
    found = _drawn(db, start, max((end - start) / buckets, 1e-9), buckets, end)
    return [found[bucket] for bucket in sorted(found)]


def within(db: sqlite3.Connection, start: float, width: float, buckets: int) -> dict[int, Sample]:
    """Of ``buckets`` times of ``width`` seconds, from ``start`` on, those that have samples, by number; see history.

    Times that are fixed by the clock (``start`` a multiple of ``width``) keep their samples from call to call.
    """
    return _drawn(db, start, width, buckets, start + width * buckets)


def _drawn(db: sqlite3.Connection, start: float, width: float, buckets: int, end: float) -> dict[int, Sample]:
    """Reads the coarsest level that is fine enough; others for what it lacks."""
    before = math.nextafter(start, -math.inf)
    chosen = max((level for level, (step, _) in enumerate(LEVELS) if step <= width), default=0)
    drawn = _bucketed(db, chosen, start, width, buckets, before, end)
    for level in range(chosen + 1, len(LEVELS)):
        until = min(end, _first(db, level - 1, end))
        drawn = _bucketed(db, level, start, width, buckets, before, until) | drawn
    for level in reversed(range(chosen)):
        after = max(before, _last(db, level + 1, before))
        drawn |= _bucketed(db, level, start, width, buckets, after, end)
    return drawn


def _slot(level: int, at: float) -> int:
    return int(at // LEVELS[level][0])


def _values(sample: Sample) -> tuple[float, int, int, float, float]:
    return sample.at, sample.files, sample.bytes, sample.files_per_second, sample.bytes_per_second


def _roll_up(db: sqlite3.Connection, level: int, at: float) -> None:
    """Write the row of ``level`` that covers the time ``at``, from the rows of the level below."""
    slot = _slot(level, at)
    ratio = round(LEVELS[level][0] / LEVELS[level - 1][0])
    db.execute(
        f"{_INSERT} SELECT ?, ?, {_MEAN} FROM samples WHERE level = ? AND slot >= ? AND slot < ? GROUP BY level",
        (level, slot, level - 1, slot * ratio, (slot + 1) * ratio),
    )


def _drop_old(db: sqlite3.Connection, level: int, now: float) -> None:
    oldest = _slot(level, now - LEVELS[level][1])
    db.execute("DELETE FROM samples WHERE level = ? AND slot < ?", (level, oldest))


def _forget_after(db: sqlite3.Connection, now: float) -> None:
    """After the clock was set back, rows from the future would stop the thinning: drop them."""
    for level in range(len(LEVELS)):
        db.execute("DELETE FROM samples WHERE level = ? AND slot > ?", (level, _slot(level, now)))


def _first(db: sqlite3.Connection, level: int, default: float) -> float:
    found = db.execute("SELECT at FROM samples WHERE level = ? ORDER BY slot LIMIT 1", (level,)).fetchone()
    return found[0] if found else default


def _last(db: sqlite3.Connection, level: int, default: float) -> float:
    found = db.execute("SELECT at FROM samples WHERE level = ? ORDER BY slot DESC LIMIT 1", (level,)).fetchone()
    return found[0] if found else default


def _bucketed(
    db: sqlite3.Connection, level: int, start: float, width: float, buckets: int, after: float, until: float
) -> dict[int, Sample]:
    """Buckets made of the rows of ``level`` with after < at <= until."""
    query = (
        f"SELECT min(CAST((at - ?) / ? AS INTEGER), ?) AS bucket, {_MEAN} FROM samples "
        "WHERE level = ? AND slot >= ? AND slot <= ? AND at > ? AND at <= ? GROUP BY bucket"
    )
    slots = _slot(level, after), _slot(level, until)
    rows = db.execute(query, (start, width, buckets - 1, level, *slots, after, until))
    return {bucket: Sample(*values) for bucket, *values in rows}
