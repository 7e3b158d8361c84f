"""What past executions took is explained by files/s, bytes/s and seconds beside, whichever way these go together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planning.explaining import Explanation, Past, explain
from engine.planning.fitting import Part
from engine.planning.surroundings import default_roofline

BEFORE = default_roofline()
F, B, BESIDE = 5_000.0, 800e6, 2.0
TINY, MIDDLE, LARGE = Part(400_000, 400_000_000), Part(60_000, 9_600_000_000), Part(100, 60_000_000_000)
MIXES = ((TINY,), (LARGE,), (TINY, LARGE), (MIDDLE,), (TINY, MIDDLE), (MIDDLE, LARGE))


def _past(bins: tuple[Part, ...], *, adds: bool, agents: int = 2, ramp: float = 0.0) -> Past:
    together = sum if adds else max
    copying = ramp + sum(together((each.files / F, each.bytes / B)) for each in bins) / agents
    return Past(bins, agents, copying + BESIDE, copying)


def _foretold(found: Explanation, bins: tuple[Part, ...], agents: int = 2) -> float:
    together = sum if found.adds else max
    pairs = ((each.files / found.files_per_second, each.bytes / found.bytes_per_second) for each in bins)
    return found.start_seconds + sum(together(pair) for pair in pairs) / agents


@pytest.mark.parametrize("adds", [False, True])
def test_the_shape_is_told_by_sizes_about_the_knee(adds: bool) -> None:
    found = explain([_past(mix, adds=adds) for mix in MIXES], BEFORE, BESIDE)
    assert found.adds is adds
    assert found.files_per_second == pytest.approx(F, rel=0.02)
    assert found.bytes_per_second == pytest.approx(B, rel=0.02)
    assert found.start_seconds == pytest.approx(BESIDE, abs=0.2)
    assert found.at_work == ("files", "bytes")


@pytest.mark.parametrize("adds", [False, True])
def test_what_every_run_takes_beside_is_told_from_rates_by_small_runs(adds: bool) -> None:
    few = tuple((Part(each.files // 100, each.bytes // 100),) for mix in MIXES for each in mix)
    found = explain([_past(mix, adds=adds, ramp=1.0) for mix in (*MIXES[:3], *few)], BEFORE, BESIDE)
    assert found.start_seconds == pytest.approx(BESIDE + 1.0, rel=0.1)


def test_what_no_execution_shows_stays_as_it_was_assumed() -> None:
    found = explain([_past((LARGE,), adds=False)], BEFORE, BESIDE)
    assert found.at_work == ("bytes",)
    assert found.files_per_second == BEFORE.files_per_second.value
    assert found.bytes_per_second == pytest.approx(B, rel=0.02)


@given(
    st.lists(
        st.tuples(st.integers(1, 10**6), st.integers(0, 10**12), st.integers(1, 64), st.floats(0.5, 1e5)),
        min_size=1,
        max_size=8,
    )
)
def test_any_past_is_explained_by_figures_that_it_did_not_beat(runs: list[tuple[int, int, int, float]]) -> None:
    past = [Past((Part(f, b),), agents, seconds + BESIDE, seconds) for f, b, agents, seconds in runs]
    found = explain(past, BEFORE, BESIDE)
    assert found.start_seconds >= BESIDE
    for files, size, agents, seconds in runs:
        assert found.files_per_second * agents * seconds >= files * (1 - 1e-9)
        assert found.bytes_per_second * agents * seconds >= size * (1 - 1e-9)


def test_another_mix_is_foretold_by_what_the_others_taught() -> None:
    past = [_past(mix, adds=True, ramp=0.5) for mix in MIXES[:4]]
    found = explain(past, BEFORE, BESIDE)
    wanted = _past(MIXES[5], adds=True, ramp=0.5).seconds
    assert _foretold(found, MIXES[5]) == pytest.approx(wanted, rel=0.05)
