"""Which folders a test run takes: distances are distances, choices never overlap, reasons are said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planning.candidates import FolderMix, choice_of, choose, distance, rank, seconds_of, together
from engine.planning.fitting import assumed
from engine.planning.values import SizeBin

ROOFLINE = assumed(None, 1_000.0, 100e6, 0.0)

_LOWS = [0, *(4**power for power in range(10))]


def mix(path: str, **files: int) -> FolderMix:
    """A folder with so many files of each power of four: ``b3=10`` is ten files of 64 bytes."""
    powers = sorted((int(name[1:]), count) for name, count in files.items())
    return FolderMix(path.encode(), tuple(SizeBin(4**p, 4 ** (p + 1), n, n * 4**p) for p, n in powers))


bins = st.lists(st.tuples(st.sampled_from(_LOWS), st.integers(1, 1_000)), unique_by=lambda each: each[0]).map(
    lambda found: tuple(SizeBin(low, max(1, 4 * low), files, files * low) for low, files in sorted(found))
)


@given(bins, bins, bins)
def test_distance_is_a_distance(
    one: tuple[SizeBin, ...], other: tuple[SizeBin, ...], third: tuple[SizeBin, ...]
) -> None:
    assert distance(one, one) == 0
    assert distance(one, other) == pytest.approx(distance(other, one))
    assert 0 <= distance(one, other) <= 1 + 1e-9
    assert distance(one, third) <= distance(one, other) + distance(other, third) + 1e-9


def test_the_same_mix_at_another_scale_is_no_distance_and_nothing_in_common_is_all() -> None:
    small, large = mix("a", b2=10, b8=1), mix("b", b2=1_000, b8=100)
    assert distance(small.bins, large.bins) == pytest.approx(0)
    assert distance(mix("a", b2=10).bins, mix("b", b9=10).bins) == pytest.approx(1)


def test_the_folder_most_like_the_whole_comes_first_and_the_others_say_why_not() -> None:
    folders = [
        mix("like", b2=1_000, b12=10),
        mix("tiny", b2=1),
        mix("only large", b12=8),
        mix("most", b2=9_000, b12=60),
    ]
    whole = FolderMix(b"", together(each for folder in folders for each in folder.bins))
    found = rank(folders, whole, ROOFLINE, needed=0.5)
    assert [each.mix.path for each in found[:2]] == [b"most", b"like"]
    problems = {each.mix.path: each.problem for each in found}
    assert problems[b"like"] == ""
    assert "too small" in problems[b"tiny"]
    assert "too large" in problems[b"most"]


trees = st.lists(
    st.tuples(st.sampled_from(["a", "b", "a/x", "a/y", "a/x/1", "b/z", "c", "a+", "c/d"]), bins),
    min_size=1,
    max_size=9,
    unique_by=lambda each: each[0],
)


@given(trees, st.lists(st.floats(0.001, 1.0), min_size=1, max_size=4))
def test_no_file_is_in_two_steps(tree: list[tuple[str, tuple[SizeBin, ...]]], needs: list[float]) -> None:
    folders = [FolderMix(path.encode(), found) for path, found in tree]
    whole = FolderMix(b"", together(each for folder in folders for each in folder.bins))
    candidates = rank(folders, whole, ROOFLINE, 0.001)
    taken: list[bytes] = []
    for needed in needs:
        choice = choose(candidates, whole, needed, taken)
        if choice is None:
            break
        taken += choice.folders
    for index, path in enumerate(taken):
        others = taken[:index] + taken[index + 1 :]
        assert not any(other == path or other.startswith(path + b"/") for other in others)


def test_several_small_folders_make_a_step() -> None:
    folders = [mix(f"day{number}", b2=100, b10=1) for number in range(20)]
    whole = FolderMix(b"", together(each for folder in folders for each in folder.bins))
    choice = choose(rank(folders, whole, ROOFLINE, 0.5), whole, 0.5)
    assert choice is not None
    assert 5 <= len(choice.folders) <= 6
    assert choice.seconds >= 0.5
    assert choice.distance == pytest.approx(0)


def test_a_folder_that_a_person_chose_is_taken_as_it_is() -> None:
    folders = [mix("a", b2=10), mix("b", b9=10)]
    whole = FolderMix(b"", together(each for folder in folders for each in folder.bins))
    choice = choice_of(folders[:1], whole, ROOFLINE)
    assert choice.folders == (b"a",)
    assert choice.distance == pytest.approx((0.5 + 1) / 2, abs=0.01)
    assert choice.seconds == seconds_of(folders[0].bins, ROOFLINE)
