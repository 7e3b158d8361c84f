"""What each agent moved over time: rolled up as it is written, one row for all agents together, read at any width.

Level 0 keeps 5 s for two hours, level 1 a minute for a week, level 2 ten minutes for a year. A row holds the mean rate
of every agent as msgpack, about 7 bytes each: 64 agents take 1.4 MB after a day, 6 MB after a week, 30 MB after a year.
All functions take a connection and leave transactions to their caller.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping

import msgspec

from engine.decoding import msgpack_decoder

LEVELS = ((5.0, 7_200.0), (60.0, 604_800.0), (600.0, 31_536_000.0))
"""Per level: seconds that share one row, and for how many seconds rows are kept."""

Rates = dict[str, dict[int, float]]
"""Mean bytes/s of each agent, by the number of the bucket; a bucket in which it was not there is missing."""

_Means = dict[int, int]
_INSERT = "INSERT OR REPLACE INTO agent_rates (level, slot, looks, rates) VALUES (?, ?, ?, ?)"


def add(db: sqlite3.Connection, at: float, rates: Mapping[str, float]) -> None:
    """Record bytes/s by agent at the time ``at`` (seconds since the epoch)."""
    numbers = {_number(db, name): rate for name, rate in rates.items()}
    newest = _edge(db, 0, "max")
    slot = _slot(0, at)
    if newest is not None and slot < newest:
        _forget_after(db, at)
    looks, before = _row(db, 0, slot)
    means = {each: (before.get(each, rate) * looks + rate) / (looks + 1) for each, rate in numbers.items()}
    kept = {each: round(mean) for each, mean in {**before, **means}.items()}
    db.execute(_INSERT, (0, slot, looks + 1, msgspec.msgpack.encode(kept)))
    if newest is None or newest >= slot:
        return
    for level in range(1, len(LEVELS)):
        last = _slot(level, newest * LEVELS[0][0])
        if last == _slot(level, at):
            break
        _roll_up(db, level, last)
        for full in (level - 1, level):
            db.execute(
                "DELETE FROM agent_rates WHERE level = ? AND slot < ?", (full, _slot(full, at - LEVELS[full][1]))
            )


def within(db: sqlite3.Connection, start: float, width: float, buckets: int) -> Rates:
    """Mean rates in ``buckets`` times of ``width`` seconds from ``start`` on; what no level covers is missing.

    Read from the coarsest level that is fine enough; finer ones for what is not rolled up yet, coarser ones for what
    is older. A row belongs to the bucket that its beginning lies in.
    """
    sums: dict[int, dict[int, list[float]]] = {}
    for level, first, last in _parts(db, start, start + width * buckets, width):
        step = LEVELS[level][0]
        query = "SELECT slot, rates FROM agent_rates WHERE level = ? AND slot >= ? AND slot < ?"
        for slot, text in db.execute(query, (level, math.ceil(first / step), math.ceil(last / step))):
            bucket = int((slot * step - start) // width)
            for number, rate in _means(text).items():
                seconds = sums.setdefault(number, {}).setdefault(bucket, [0.0, 0.0])
                seconds[0] += rate * step
                seconds[1] += step
    names = dict(db.execute("SELECT number, name FROM agent_names"))
    return {
        names[number]: {bucket: total / seconds for bucket, (total, seconds) in found.items()}
        for number, found in sums.items()
    }


def _parts(db: sqlite3.Connection, start: float, end: float, width: float) -> list[tuple[int, float, float]]:
    """Which level is read from when to when."""
    chosen = max((level for level, (step, _) in enumerate(LEVELS) if step <= width), default=0)
    found = [(chosen, start, end)]
    after = start
    for level in range(chosen - 1, -1, -1):
        newest = _edge(db, level + 1, "max")
        after = after if newest is None else max(after, (newest + 1) * LEVELS[level + 1][0])
        found.append((level, after, end))
    until = end
    for level in range(chosen + 1, len(LEVELS)):
        oldest = _edge(db, level - 1, "min")
        until = until if oldest is None else min(until, oldest * LEVELS[level - 1][0] - LEVELS[level][0] + 1)
        found.append((level, start, until))
    return found


def _edge(db: sqlite3.Connection, level: int, which: str) -> int | None:
    found: int | None = db.execute(f"SELECT {which}(slot) FROM agent_rates WHERE level = ?", (level,)).fetchone()[0]
    return found


def _slot(level: int, at: float) -> int:
    return int(at // LEVELS[level][0])


def _means(text: bytes) -> _Means:
    return msgpack_decoder(_Means).decode(text)


def _row(db: sqlite3.Connection, level: int, slot: int) -> tuple[int, _Means]:
    found = db.execute("SELECT looks, rates FROM agent_rates WHERE level = ? AND slot = ?", (level, slot)).fetchone()
    return (found[0], _means(found[1])) if found else (0, {})


def _number(db: sqlite3.Connection, name: str) -> int:
    """The number that stands for an agent in rows."""
    found = db.execute("SELECT number FROM agent_names WHERE name = ?", (name,)).fetchone()
    if found is None:
        found = db.execute("INSERT INTO agent_names (name) VALUES (?) RETURNING number", (name,)).fetchone()
    number: int = found[0]
    return number


def _roll_up(db: sqlite3.Connection, level: int, slot: int) -> None:
    """Write the row of ``level`` from the rows of the level below: means over the time that each agent was there."""
    ratio = round(LEVELS[level][0] / LEVELS[level - 1][0])
    query = "SELECT rates FROM agent_rates WHERE level = ? AND slot >= ? AND slot < ?"
    found: dict[int, list[int]] = {}
    rows = db.execute(query, (level - 1, slot * ratio, (slot + 1) * ratio)).fetchall()
    for (text,) in rows:
        for number, rate in _means(text).items():
            found.setdefault(number, []).append(rate)
    means = {number: round(sum(rates) / len(rates)) for number, rates in found.items()}
    db.execute(_INSERT, (level, slot, len(rows), msgspec.msgpack.encode(means)))


def _forget_after(db: sqlite3.Connection, now: float) -> None:
    """After the clock was set back, rows from the future would stop the thinning: drop them."""
    for level in range(len(LEVELS)):
        db.execute("DELETE FROM agent_rates WHERE level = ? AND slot > ?", (level, _slot(level, now)))
