"""Samples: thinned as they are written, bounded for years, drawn at any width."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import pairwise

import pytest

from engine.journal import samples
from engine.journal.schema import TABLES
from engine.model import Sample

START = 1_795_381_512.25


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(TABLES)
    connection.execute("BEGIN")
    yield connection
    connection.close()


def sample(second: float, rate: float = 100.0) -> Sample:
    return Sample(START + second, int(second * 100), int(second * 10**6), rate, rate * 10**4)


def run(db: sqlite3.Connection, seconds: float, step: float, first: float = 0.0) -> None:
    for number in range(int(seconds / step)):
        samples.add(db, sample(first + number * step))


def rows_per_level(db: sqlite3.Connection) -> list[int]:
    return [db.execute("SELECT count(*) FROM samples WHERE level = ?", (level,)).fetchone()[0] for level in range(3)]


def test_ten_minutes_stay_at_half_a_second_however_often_samples_come(db: sqlite3.Connection) -> None:
    run(db, 1500, 0.125)
    full, coarse, _ = rows_per_level(db)
    assert 1200 <= full <= 1200 + 20
    assert 149 <= coarse <= 150


def test_a_day_stays_at_ten_seconds_and_what_is_older_at_a_minute(db: sqlite3.Connection) -> None:
    run(db, 100_000, 5)
    full, coarse, coarsest = rows_per_level(db)
    assert full <= 122
    assert 8640 <= coarse <= 8640 + 6
    assert coarsest == pytest.approx(100_000 / 60, abs=1)


def test_a_year_is_the_end(db: sqlite3.Connection) -> None:
    run(db, 400 * 86_400, 86_400)
    oldest = db.execute("SELECT min(at) FROM samples").fetchone()[0]
    assert START + 399 * 86_400 - oldest <= 365 * 86_400 + 60


def test_a_roll_up_holds_the_mean_rate_and_the_last_totals(db: sqlite3.Connection) -> None:
    base = (START // 60) * 60 - START
    for number in range(24):
        samples.add(db, sample(base + 60 + number * 5, rate=float(number)))
    found = db.execute(
        "SELECT level, at, files, files_per_second FROM samples WHERE level > 0 ORDER BY 1, 2"
    ).fetchall()
    first, minute = found[0], found[-1]
    assert first == (1, sample(base + 65).at, sample(base + 65).files, 0.5)
    assert minute == (2, sample(base + 115).at, sample(base + 115).files, 5.5)


def test_thinning_goes_on_after_a_restart_and_after_the_clock_was_set_back(db: sqlite3.Connection) -> None:
    run(db, 1000, 0.5, first=10_000_000)
    run(db, 2000, 0.5)
    full, _, _ = rows_per_level(db)
    assert full <= 1220
    assert db.execute("SELECT max(at) FROM samples").fetchone()[0] == sample(1999.5).at


def test_rates_are_those_of_the_last_seconds(db: sqlite3.Connection) -> None:
    assert samples.rates(db) == (0.0, 0.0)
    samples.add(db, sample(0, rate=7.0))
    assert samples.rates(db) == (7.0, 70_000.0)
    run(db, 60, 0.5)
    assert samples.rates(db) == pytest.approx((100.0, 10**6))
    newest = sample(60)
    samples.add(db, Sample(newest.at, 0, 0, 0.0, 0.0))
    assert samples.rates(db) == (0.0, 0.0)


def test_history_of_nothing(db: sqlite3.Connection) -> None:
    assert samples.history(db, 10) == []
    samples.add(db, sample(0))
    assert samples.history(db, 10) == [sample(0)]


@pytest.mark.parametrize(("seconds", "step"), [(20, 0.5), (500, 0.5), (3_000, 1.0), (30_000, 5.0), (200_000, 10.0)])
@pytest.mark.parametrize("buckets", [1, 40, 200])
def test_history_covers_the_whole_run_evenly(db: sqlite3.Connection, seconds: int, step: float, buckets: int) -> None:
    run(db, seconds, step)
    drawn = samples.history(db, buckets)
    assert len(drawn) == min(buckets, int(seconds / step))
    assert drawn[-1].at == sample(seconds - step).at
    assert [item.at for item in drawn] == sorted({item.at for item in drawn})
    assert {round(item.files_per_second, 6) for item in drawn} == {100.0}
    assert all(abs(item.files - (item.at - START) * 100) <= 1 for item in drawn)
    widest = max((b.at - a.at for a, b in pairwise(drawn)), default=0.0)
    assert widest <= seconds / buckets + 60 + step


def test_a_pause_between_two_runners_leaves_a_gap(db: sqlite3.Connection) -> None:
    run(db, 100, 0.5)
    run(db, 100, 0.5, first=1000)
    seconds = [item.at - START for item in samples.history(db, 110)]
    assert all(second < 100 or second >= 1000 for second in seconds)
    assert 18 <= len(seconds) <= 22


def test_history_of_a_long_run_reads_few_rows(db: sqlite3.Connection) -> None:
    run(db, 100_000, 5)
    thousands_of_steps = 0

    def count() -> int:
        nonlocal thousands_of_steps
        thousands_of_steps += 1
        return 0

    db.set_progress_handler(count, 1000)
    samples.history(db, 120)
    assert 0 < thousands_of_steps < 300


def test_times_fixed_by_the_clock_keep_their_samples_while_the_run_goes_on(db: sqlite3.Connection) -> None:
    run(db, 4000, 0.5)
    first = START // 25 * 25
    before = samples.within(db, first, 25.0, 144)
    assert sorted(before) == list(range(144))
    run(db, 25, 0.5, first=4000)
    assert samples.within(db, first, 25.0, 144) == before
    moved = samples.within(db, first + 25.0, 25.0, 144)
    assert [moved[number] for number in range(143)] == [before[number + 1] for number in range(143)]


def test_times_without_samples_have_no_number(db: sqlite3.Connection) -> None:
    run(db, 60, 0.5)
    run(db, 60, 0.5, first=240)
    found = samples.within(db, START, 30.0, 20)
    assert sorted(found) == [0, 1, 8, 9]
    assert found[1].bytes_per_second == pytest.approx(100.0 * 10**4)
