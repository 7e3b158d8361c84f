"""Whether a freeze fits its window: verdicts, their reasons, and what would help; and what can never be said."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.planning.churn import Churn, Pass
from engine.planning.cutover import Busiest, Readiness, readiness
from engine.planning.freeze import Work, freeze, pass_seconds
from engine.planning.values import Figure, Origin, PlanLimit
from tests.unit.planning_values import FIGURES, LIMITS, MEASURED

GB = 10**9
PASSES = st.lists(
    st.builds(
        Pass, st.just(0.0), st.floats(10, 1e6), st.integers(0, 10**7), st.integers(0, 10**13), st.integers(0, 10**5)
    ),
    min_size=1,
    max_size=5,
)
WORKS = st.builds(
    Work,
    entries=st.integers(0, 10**8),
    folders=st.integers(0, 10**6),
    held=st.integers(0, 10**8),
    limits=LIMITS.map(tuple),
    agents=st.integers(1, 16),
    listing=FIGURES,
    destination_listing=FIGURES,
    deleting=st.none() | FIGURES,
    folder_times=st.none() | FIGURES,
    verifying=st.none() | FIGURES,
    asked=st.integers(0, 10**6),
    look_first=st.booleans(),
    verify_mode=st.sampled_from(["POINT_IN_TIME_CONSISTENT", "ONLY_FILES_TRANSFERRED"]),
)
WINDOWS = st.floats(1, 1e6)


def figure(value: float) -> Figure:
    return Figure(value, MEASURED)


def work(**more: object) -> Work:
    """Ten million entries, one agent of 500 MB/s and 5,000 files/s: a scan of 100 s each side, 200 s to verify."""
    limits = (PlanLimit("path of one agent", "agent", MEASURED, 500e6, 5_000.0),)
    known = Work(10**7, 10**5, 10**7, limits, 1, listing=figure(1e5), destination_listing=figure(1e5))
    return msgspec.structs.replace(known, **more)


def churn(*points: tuple[float, int, int]) -> Churn:
    return Churn([Pass(0.0, *each) for each in points])


STEADY = churn(*[(3_600.0 * n, 3_600 * n, 3_600 * n * 10**8) for n in (1, 2, 4, 8)])
"""One file and 100 MB a second, evenly: a fifth of what an agent sends."""


@settings(max_examples=60)
@given(PASSES, WORKS, WINDOWS, st.floats(0, 1e6))
def test_ready_only_if_even_the_late_end_fits(some: list[Pass], todo: Work, window: float, since: float) -> None:
    found = readiness(Churn(some), todo, window, since)
    assert found.now is not None
    assert found.then is not None
    for each in found.now.parts.values():
        assert 0 <= each.low <= each.likely <= each.high
    assert (found.verdict == "READY") == (found.now.whole.high <= window)
    if found.verdict == "NEVER":
        assert found.then.whole.likely > window
        assert found.now.whole.likely > window
    assert all(lever.verdict != "READY" or lever.freeze.high <= window for lever in found.levers)


@settings(max_examples=60)
@given(PASSES, WORKS, st.floats(0, 1e6))
def test_more_agents_less_churn_and_less_to_verify_never_take_longer(
    some: list[Pass], todo: Work, since: float
) -> None:
    changes = Churn(some).after(since)
    now, then = freeze(changes, todo).whole, pass_seconds(changes, todo)
    faster = msgspec.structs.replace(todo, agents=2 * todo.agents)
    trusting = msgspec.structs.replace(todo, verify_mode="ONLY_FILES_TRANSFERRED")
    less = Churn(some).scaled(0.5, 0.5).after(since)
    for got in (freeze(changes, faster).whole, freeze(less, todo).whole, freeze(changes, trusting).whole):
        assert got.likely <= now.likely * (1 + 1e-9)
        assert got.high <= now.high * (1 + 1e-9)
    assert pass_seconds(changes, faster).high <= then.high * (1 + 1e-9)


@settings(max_examples=40)
@given(PASSES, WORKS, WINDOWS, st.floats(0, 1e6))
def test_more_rate_never_makes_it_later(some: list[Pass], todo: Work, window: float, since: float) -> None:
    rank = {"READY": 0, "NOT YET": 1, "NEVER": 2}
    found = readiness(Churn(some), todo, window, since)
    lever = next(each for each in found.levers if each.name == "rate")
    assert rank[lever.verdict] <= rank[found.verdict]


def test_a_freeze_is_the_sum_of_its_parts_with_its_requests() -> None:
    found = freeze(STEADY.after(3_600), work(deleting=figure(1_000.0), folder_times=figure(1e4), asked=5_000))
    likely = {name: seconds.likely for name, seconds in found.parts.items()}
    assert likely["scan"] == pytest.approx(200)  # both sides: a cutover takes no state's word
    assert likely["delta"] == pytest.approx(720)  # 360 GB at 500 MB/s
    assert likely["deletions"] == pytest.approx(100)  # the destination is listed for them
    assert likely["folder times"] == pytest.approx(10)
    assert likely["verification"] == pytest.approx(200 + 5_000 / 800)
    assert found.whole.likely == pytest.approx(sum(likely.values()))
    assert found.requests == {"LIST": 30_000, "HEAD": 5_000}


def test_the_next_pass_is_as_long_as_it_takes_to_scan_and_send() -> None:
    took = pass_seconds(STEADY.after(3_600), work())
    assert took.likely == pytest.approx(100 + 720)


def test_ready_when_the_freeze_fits() -> None:
    found = readiness(STEADY, work(), 3_600.0, 3_600.0)
    assert (found.verdict, found.passes) == ("READY", 0)
    assert found.reason.startswith("the freeze takes 15 - 24 min and fits the window of 1 h 00")


def test_more_passes_are_counted_until_it_fits() -> None:
    found = readiness(STEADY, work(), 1_200.0, 8 * 3_600.0)
    assert (found.verdict, found.passes) == ("NOT YET", 2)
    assert found.then is not None
    assert found.then.whole.high <= 1_200
    assert "after 2 more passes it takes" in found.reason


def test_too_wide_a_range_is_no_yes_and_says_what_narrows_it() -> None:
    guessed = (PlanLimit("path of one agent", "agent", Origin("default", "a guess"), 500e6, 5_000.0),)
    found = readiness(STEADY, work(limits=guessed), 460.0, 3_600.0)
    assert found.verdict == "NOT YET"
    assert "but perhaps" in found.reason
    assert "xsync test-run measures them" in found.reason


def test_never_names_what_takes_most_and_what_helps() -> None:
    found = readiness(STEADY, work(), 300.0, 3_600.0, Busiest("scratch", 0.5, 0.9))
    assert found.verdict == "NEVER"
    assert "no pass makes the freeze fit" in found.reason
    assert "Most of it is" in found.reason
    levers = {lever.name: lever for lever in found.levers}
    assert list(levers) == ["rate", "churn", "scope", "verification"]
    assert "leave scratch for later: 90 % of the changed bytes" in levers["scope"].text
    assert levers["verification"].verdict == "NOT YET"
    assert levers["verification"].freeze.high <= 300
    assert found.then is not None
    assert levers["rate"].freeze.high < found.then.whole.high


def test_where_a_rate_limit_holds_the_migration_it_is_what_would_be_lifted() -> None:
    held = (*work().limits, PlanLimit("rate limit", "link", Origin("profile", "options.bytes_per_second"), 300e6))
    found = readiness(STEADY, work(limits=held), 300.0, 3_600.0)
    lever = next(each for each in found.levers if each.name == "rate")
    assert lever.text == "limit 600 MB/s, 2 agents"
    assert found.then is not None
    assert lever.freeze.high < found.then.whole.high
    assert "not measured" not in found.reason
    guessed = PlanLimit("path of one agent", "agent", Origin("default", "a guess"), 500e6, 5_000.0)
    found = readiness(STEADY, work(limits=(guessed, held[-1])), 300.0, 3_600.0)
    lever = next(each for each in found.levers if each.name == "rate")
    assert lever.text == "limit 600 MB/s, untried; 2 agents"


def test_changes_that_come_faster_than_they_are_sent_never_end() -> None:
    slow = (PlanLimit("path of one agent", "agent", MEASURED, 50e6, 5_000.0),)
    found = readiness(STEADY, work(limits=slow), 3_600.0, 3_600.0)
    assert (found.verdict, found.passes) == ("NEVER", 0)


def test_unknown_churn_says_so_and_what_to_do() -> None:
    found = readiness(Churn([]), work(), 3_600.0, 60.0)
    assert found == Readiness("UNKNOWN", found.reason, 3_600.0)
    assert "Run the profile once more" in found.reason


def test_without_a_window_there_is_a_freeze_and_no_verdict() -> None:
    found = readiness(STEADY, work(), None, 3_600.0)
    assert (found.verdict, found.levers) == ("UNKNOWN", ())
    assert found.now is not None
    assert "set window under [cutover]" in found.reason


@pytest.mark.parametrize("length", [1e20, 1e308, float("inf")])
def test_what_changes_in_for_ever_is_still_a_number(length: float) -> None:
    assert pass_seconds(churn((10.0, 10**7, 10**13)).after(length), work()).high < float("inf")
