"""Rates of agents over time: rolled up as they are written, bounded, read at any width; journals without them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.journal import agent_rates
from engine.journal.reader import SnapshotReader
from engine.journal.records import Estimate, Execution, this_runner
from engine.journal.schema import HISTORY_TABLES
from engine.journal.writer import Journal
from engine.model import LimitRule, LocationSpec, Migration

START = 1_795_381_200.0  # a full ten minutes


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(HISTORY_TABLES)
    connection.execute("BEGIN")
    yield connection
    connection.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    migration = Migration(LocationSpec("/a"), LocationSpec("/b"))
    with Journal.create(tmp_path / "x", Execution("x", migration, "", "", START), this_runner()) as found:
        yield found


def fill(db: sqlite3.Connection, seconds: float, step: float, agents: int = 2, first: float = 0.0) -> None:
    for number in range(int(seconds / step)):
        rates = {f"agent-{each}": 1e6 * each for each in range(1, agents + 1)}
        agent_rates.add(db, START + first + number * step, rates)


def rows_per_level(db: sqlite3.Connection) -> list[int]:
    query = "SELECT count(*) FROM agent_rates WHERE level = ?"
    return [db.execute(query, (level,)).fetchone()[0] for level in range(len(agent_rates.LEVELS))]


def test_looks_within_five_seconds_become_their_mean(db: sqlite3.Connection) -> None:
    for second, rate in ((0, 10.0), (1, 20.0), (4, 60.0), (5, 7.0)):
        agent_rates.add(db, START + second, {"agent-1": rate})
    assert agent_rates.within(db, START, 5.0, 3) == {"agent-1": {0: 30.0, 1: 7.0}}


def test_an_agent_that_is_not_there_has_no_bucket_and_one_that_stands_has_a_zero(db: sqlite3.Connection) -> None:
    for second in range(0, 20, 5):
        agent_rates.add(db, START + second, {"agent-1": 0.0} | ({"agent-2": 5.0} if second < 10 else {}))
    assert agent_rates.within(db, START, 5.0, 4) == {
        "agent-1": {0: 0.0, 1: 0.0, 2: 0.0, 3: 0.0},
        "agent-2": {0: 5.0, 1: 5.0},
    }


def test_a_coarse_bucket_holds_what_is_rolled_up_and_what_is_not_yet(db: sqlite3.Connection) -> None:
    fill(db, 60, 5)
    for second in (60, 65):
        agent_rates.add(db, START + second, {"agent-1": 4e6})
    assert agent_rates.within(db, START, 60.0, 2)["agent-1"] == {0: 1e6, 1: 4e6}
    assert agent_rates.within(db, START, 120.0, 1)["agent-1"] == {0: pytest.approx((60 * 1e6 + 10 * 4e6) / 70)}


@pytest.mark.parametrize("width", [5.0, 20.0, 60.0, 300.0, 600.0, 3_600.0])
def test_every_width_shows_the_whole_time_without_a_hole(db: sqlite3.Connection, width: float) -> None:
    fill(db, 9 * 3_600 + 35, 5)
    buckets = int(9 * 3_600 // width)
    found = agent_rates.within(db, START, width, buckets)
    assert set(found) == {"agent-1", "agent-2"}
    step = max(1, int(60 // width))  # what is older than two hours is kept by the minute
    assert set(found["agent-2"]) >= set(range(0, buckets, step))
    assert set(found["agent-2"].values()) == {2e6}


def test_rows_stay_few_for_a_day_and_for_a_year(db: sqlite3.Connection) -> None:
    fill(db, 26 * 3_600, 5, agents=1)
    fine, minutes, tens = rows_per_level(db)
    assert fine <= 7_200 / 5 + 13
    assert minutes == pytest.approx(26 * 60, abs=2)
    assert tens == pytest.approx(26 * 6, abs=2)
    fill(db, 400 * 86_400, 3_600, agents=1, first=86_400 * 2)
    oldest = db.execute("SELECT min(slot) FROM agent_rates WHERE level = 2").fetchone()[0] * 600
    assert START + 401 * 86_400 - oldest <= 366 * 86_400


def test_a_clock_that_was_set_back_does_not_stop_the_thinning(db: sqlite3.Connection) -> None:
    fill(db, 600, 5)
    fill(db, 100, 5, first=-1_000)
    assert db.execute("SELECT max(slot) FROM agent_rates").fetchone()[0] * 5 < START
    assert agent_rates.within(db, START, 5.0, 100) == {}


def test_a_journal_of_an_earlier_xsync_is_read_and_given_what_it_lacks_when_it_is_opened(journal: Journal) -> None:
    for table in ("agent_rates", "agent_names", "estimates", "agreements"):
        journal._db.execute(f"DROP TABLE {table}")
    with SnapshotReader(journal.folder) as reader:
        assert reader.agent_rates(START, 5.0, 4) == {}
        assert reader.estimates() == []
        assert reader.earlier_agreements() == []
        with Journal.open(journal.folder) as again:
            again.add_agent_rates(START, {"agent-1": 3.0})
            again.add_estimate(Estimate(START, START + 1, START + 2, 9.0))
        assert reader.agent_rates(START, 5.0, 4) == {"agent-1": {0: 3.0}}
        assert reader.estimates() == [Estimate(START, START + 1, START + 2, 9.0)]


def test_estimates_are_kept_to_a_number_and_forgotten_when_they_hold_no_more(journal: Journal) -> None:
    for number in range(300):
        journal.add_estimate(Estimate(START + number, START, START, 1.0))
    with SnapshotReader(journal.folder) as reader:
        assert [each.at for each in reader.estimates()] == [START + number for number in range(60, 300)]
        journal.forget_estimates()
        assert reader.estimates() == []


def test_limits_that_were_agreed_before_are_kept_with_the_time_until_which_they_held(journal: Journal) -> None:
    first = journal.execution().migration
    rule = LimitRule((0,), 60, 120, 5_000)
    slower = replace(first, options=replace(first.options, bytes_per_second=7))
    journal.set_migration(replace(first, agents=9), START)
    journal.set_migration(slower, START + 1)
    journal.set_migration(replace(slower, limits=(rule,)), START + 2)
    journal.set_migration(first, START + 3)
    with SnapshotReader(journal.folder) as reader:
        assert reader.earlier_agreements() == [
            (START + 1, -1, ()),
            (START + 2, 7, ()),
            (START + 3, 7, (rule,)),
        ]


def test_limits_that_people_chose_are_those_that_were_done(journal: Journal) -> None:
    from engine.journal.commands import ask

    for rate, outcome in ((5_000, "done: limit 5.00 kB/s"), (None, "done: no limit"), (-1, "not done: a limit is")):
        number = ask(journal.folder, "limit", {"bytes_per_second": rate}, "kim")
        journal.answer(number, outcome, START + number)
    with SnapshotReader(journal.folder) as reader:
        assert reader.chosen_limits() == [(START + 1, 5_000), (START + 2, None)]
