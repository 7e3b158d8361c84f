"""Whose limit holds when, what the answer says, and who is told which share of it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from engine.execution.bandwidth import Bandwidth, limits_at
from engine.execution.expand import BATCH_BYTES, LEAST_BATCH_BYTES, batch_bytes, batches_of
from engine.journal.records import Agreement
from engine.model import Limit, LimitRule, LocationSpec, Migration, TransferOptions
from engine.transfer.units import AgentProgress

BERLIN = ZoneInfo("Europe/Berlin")
EIGHT, TEN, SIX = (datetime(2025, 5, 15, hour, tzinfo=BERLIN).timestamp() for hour in (8, 10, 18))
OFFICE = LimitRule((0, 1, 2, 3, 4), 8 * 60, 18 * 60, 1_000_000)


def bandwidth(always: int = -1, *rules: LimitRule) -> Bandwidth:
    places = LocationSpec("/a"), LocationSpec("/b")
    options = TransferOptions(bytes_per_second=always)
    return Bandwidth(Migration(*places, options=options, limits=rules), BERLIN)


def report(clock: float, passed: int = 0, waited: float = 0.0) -> AgentProgress:
    return AgentProgress(0, 0, 0, 0, "", 0.0, 0, passed, waited, clock)


def test_limits_of_the_past_are_those_that_were_chosen_and_the_timetable_between_them() -> None:
    places = LocationSpec("/a"), LocationSpec("/b")
    migration = Migration(*places, options=TransferOptions(bytes_per_second=2_000_000), limits=(OFFICE,))
    chosen = [(EIGHT - 600, 5e6), (TEN, None), (TEN + 600, 3e5)]
    times = [EIGHT - 900, EIGHT - 300, EIGHT + 60, TEN + 60, TEN + 900, SIX + 60]
    found = [each.bytes_per_second for each in limits_at(migration, chosen, times, BERLIN)]
    assert found == [2e6, 5e6, 1e6, None, 3e5, 2e6]


def test_limits_before_another_agreement_are_those_that_held_then() -> None:
    places = LocationSpec("/a"), LocationSpec("/b")
    migration = Migration(*places, options=TransferOptions(bytes_per_second=9_000_000))
    earlier = [Agreement(EIGHT, 2_000_000, ()), Agreement(TEN + 900, -1, (OFFICE,))]
    chosen = [(EIGHT - 600, 5e6), (TEN + 600, 3e5), (TEN + 1_500, 7e6)]
    times = [EIGHT - 900, EIGHT - 300, EIGHT + 60, TEN + 660, TEN + 960, TEN + 1_560]
    found = [each.bytes_per_second for each in limits_at(migration, chosen, times, BERLIN, earlier)]
    assert found == [2e6, 5e6, 1e6, 3e5, 9e6, 7e6]


def test_the_lower_of_both_agreed_limits_holds() -> None:
    assert bandwidth().limit(TEN) == Limit()
    assert bandwidth(5).limit(TEN) == Limit(5)
    assert bandwidth(-1, OFFICE).limit(TEN) == Limit(1e6, SIX)
    assert bandwidth(2_000_000, OFFICE).limit(TEN) == Limit(1e6, SIX)
    assert bandwidth(2_000_000, OFFICE).limit(SIX).bytes_per_second == 2e6
    assert bandwidth(500_000, OFFICE).limit(TEN) == Limit(5e5)


def test_a_person_overrides_both_until_the_timetable_changes() -> None:
    found = bandwidth(2_000_000, OFFICE)
    answer = found.choose(4e6, TEN)
    assert answer == "done: limit 4.00 MB/s until Thu 18:00, then limit 2.00 MB/s by the timetable"
    assert found.limit(SIX - 1) == Limit(4e6, SIX, chosen=True)
    assert found.limit(SIX).bytes_per_second == 2e6
    assert found.limit(TEN).bytes_per_second == 1e6  # even if the clock is put back then


def test_without_a_timetable_it_holds_to_the_end() -> None:
    found = bandwidth(5)
    assert found.choose(None, TEN) == "done: no limit until the run ends"
    assert found.limit(TEN + 1e9) == Limit(None, None, chosen=True)


def test_what_a_person_chose_outlives_a_session_and_what_was_agreed_is_looked_up_anew() -> None:
    found = bandwidth(2_000_000, OFFICE)
    found.keep(Limit(4e6, SIX, chosen=True))
    assert found.limit(TEN).bytes_per_second == 4e6
    found.keep(Limit(4e6, SIX, chosen=True))
    assert found.limit(SIX).bytes_per_second == 2e6
    found.keep(Limit(7.0, None))
    assert found.limit(TEN).bytes_per_second == 1e6


def test_agents_get_at_once_what_their_share_lets_through_in_two_seconds() -> None:
    found = bandwidth(8_000_000)
    for agent in ("agent-1", "agent-2"):
        found.joined(agent)
    assert found.even_share(TEN) == 4_000_000
    assert batch_bytes(found.even_share(TEN)) == 8_000_000
    assert bandwidth().even_share(TEN) is None
    assert (batch_bytes(None), batch_bytes(1e9), batch_bytes(10.0)) == (BATCH_BYTES, BATCH_BYTES, LEAST_BATCH_BYTES)
    rows = pa.table({"size": pa.array([3, None, 4, 9, 1], pa.uint64())})
    assert [(batch.files, batch.bytes) for batch in batches_of(rows, 7)] == [(3, 7), (1, 9), (1, 1)]


def test_without_a_limit_nobody_is_told_anything() -> None:
    found = bandwidth()
    found.joined("a")
    assert list(found.news(TEN)) == []


def test_an_agent_that_joins_is_told_its_share_at_once_and_nothing_twice() -> None:
    found = bandwidth(1_000_000)
    found.joined("a")
    assert list(found.news(TEN)) == [("a", 1e6)]
    assert list(found.news(TEN)) == []
    found.joined("b")
    assert dict(found.news(TEN)) == {"a": 5e5, "b": 5e5}


def test_shares_follow_what_agents_use_and_who_is_held_back() -> None:
    found = bandwidth(1_000_000)
    for name in "abc":
        found.joined(name)
        found.progress(name, report(10.0), TEN)
    found.progress("a", report(10.5, passed=50_000), TEN)
    found.progress("b", report(10.5, waited=0.4), TEN)
    found.progress("c", report(10.5, waited=0.1), TEN)
    shares = dict(found.news(TEN))
    assert shares["a"] == pytest.approx(105_000)
    assert shares["c"] == pytest.approx(0.01 * 1e6 / 3)
    assert sum(share or 0 for share in shares.values()) == pytest.approx(1e6)


def test_a_lost_or_silent_agent_gives_its_share_to_the_others() -> None:
    found = bandwidth(1_000_000)
    for name in "ab":
        found.joined(name)
        found.progress(name, report(10.0), TEN)
        found.progress(name, report(10.5, waited=0.5), TEN)
    assert dict(found.news(TEN)) == {"a": 5e5, "b": 5e5}
    found.progress("a", report(15.0, waited=5.0), TEN + 5)
    assert dict(found.news(TEN + 5)) == pytest.approx({"a": 995e3, "b": 5e3})
    found.lost("b")
    assert dict(found.news(TEN + 5)) == {"a": 1e6}


def test_a_limit_that_is_lifted_is_told_to_all() -> None:
    found = bandwidth(1_000_000)
    found.joined("a")
    assert list(found.news(TEN)) == [("a", 1e6)]
    found.choose(None, TEN)
    assert list(found.news(TEN)) == [("a", None)]
