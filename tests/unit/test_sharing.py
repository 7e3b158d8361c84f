"""A limit divided over agents: never more than it, nobody starved, nothing kept from whoever can use it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planning.sharing import IDLE_SHARE, divide

WANTS = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=2), st.one_of(st.just(math.inf), st.floats(0, 1e10)), min_size=1
)
LIMITS = st.floats(1e3, 1e10)


def test_no_agents_no_shares() -> None:
    assert divide(100.0, {}) == {}


def test_all_that_are_held_back_get_the_same() -> None:
    assert divide(300.0, dict.fromkeys("abc", math.inf)) == pytest.approx(dict.fromkeys("abc", 100.0))


def test_idle_ones_get_enough_to_begin_and_the_others_the_rest() -> None:
    assert divide(100.0, {"a": math.inf, "b": 0.0}) == pytest.approx({"a": 99.5, "b": 0.5})


def test_what_one_cannot_use_goes_to_those_who_can() -> None:
    assert divide(100.0, {"a": 20.0, "b": math.inf, "c": math.inf}) == pytest.approx({"a": 20.0, "b": 40.0, "c": 40.0})


def test_what_nobody_wants_is_spread_so_that_whoever_begins_has_room() -> None:
    assert divide(100.0, {"a": 0.0, "b": 0.0}) == pytest.approx({"a": 50.0, "b": 50.0})


@given(LIMITS, WANTS)
def test_the_whole_limit_and_never_more(limit: float, wants: dict[str, float]) -> None:
    shares = divide(limit, wants)
    assert shares.keys() == wants.keys()
    assert sum(shares.values()) == pytest.approx(limit, rel=1e-9)


@given(LIMITS, WANTS)
def test_each_has_what_it_needs_to_begin(limit: float, wants: dict[str, float]) -> None:
    least = IDLE_SHARE * limit / len(wants)
    assert all(share >= least * (1 - 1e-9) for share in divide(limit, wants).values())


@given(LIMITS, WANTS)
def test_nobody_gets_more_while_another_wants_more_and_has_less(limit: float, wants: dict[str, float]) -> None:
    shares = divide(limit, wants)
    most = max(shares.values())
    for name, want in wants.items():
        assert shares[name] >= min(want, most) * (1 - 1e-9)
