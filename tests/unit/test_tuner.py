"""The tuner against servers of several kinds, each a function of the requests in flight, in simulated time."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.transfer.tuner import LEAST, MOST, Tuner

LOOK_SECONDS = 0.25

Server = Callable[[int], float]
"""Files per second that a server takes with so many requests in flight."""


def far_away(window: int) -> float:
    """50 ms for each answer, and a client that can send 4,000 a second."""
    return min(window / 0.05, 4_000.0)


def near(window: int) -> float:
    """Busy with 10 requests already."""
    return min(window / 0.002, 5_000.0)


def crowded(window: int) -> float:
    """Best with 30 requests, worse with more."""
    return 3_000.0 * min(window / 30, 1.0) / (1 + max(0, window - 30) / 60)


def settle(server: Server, tuner: Tuner, looks: int, noise: float = 0.0) -> float:
    """Mean rate over the last half of ``looks``."""
    dice = random.Random(1)
    rates = []
    window = tuner.window
    for _ in range(looks):
        rate = server(window) * (1 + noise * dice.uniform(-1, 1))
        rates.append(rate)
        files = round(rate * LOOK_SECONDS)
        window = tuner.look(LOOK_SECONDS, files, files * 16_384, wanted=True)
    late = rates[looks // 2 :]
    return sum(late) / len(late)


@pytest.mark.parametrize(("noise", "share"), [(0.0, 0.9), (0.05, 0.85)])
@pytest.mark.parametrize("server", [far_away, near, crowded])
@pytest.mark.parametrize("start", [LEAST, 64, 128])
def test_it_comes_close_to_the_best_fixed_window(server: Server, start: int, noise: float, share: float) -> None:
    best = max(server(window) for window in range(LEAST, MOST + 1))
    assert settle(server, Tuner(start), 800, noise) >= share * best


def test_a_server_far_away_gets_all_it_can_use_within_seconds() -> None:
    tuner = Tuner(64)
    settle(far_away, tuner, 5)
    assert far_away(tuner.window) == 4_000


def test_a_window_that_nobody_fills_stays() -> None:
    tuner = Tuner(64)
    for files in (0, 5_000, 20, 0):
        assert tuner.look(LOOK_SECONDS, files, 0, wanted=False) == 64


def test_it_follows_when_the_answers_become_slow() -> None:
    tuner = Tuner(64)
    settle(near, tuner, 100)
    assert settle(far_away, tuner, 2_000) >= 0.8 * 4_000


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 1 << 32), st.booleans()), max_size=60))
def test_it_never_leaves_its_bounds(looks: list[tuple[int, int, bool]]) -> None:
    tuner = Tuner(64)
    for files, size, wanted in looks:
        assert LEAST <= tuner.look(LOOK_SECONDS, files, size, wanted=wanted) <= MOST


def test_one_look_that_is_still_of_the_window_before_does_not_end_the_growth() -> None:
    tuner = Tuner(64)
    for _ in range(2):
        tuner.look(LOOK_SECONDS, 320, 0, wanted=True)
    assert tuner.window == 128
    tuner.look(LOOK_SECONDS, 320, 0, wanted=True)  # as many as before: answers to what was under way
    tuner.look(LOOK_SECONDS, 640, 0, wanted=True)
    assert tuner.window == MOST
