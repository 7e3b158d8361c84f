"""Datasets and rooflines for tests of planning: measured, given as defaults, and at random."""

from __future__ import annotations

from hypothesis import strategies as st

from engine.planning.values import Dataset, Figure, Origin, PlanLimit, Roofline, SizeBin

MEASURED = Origin("test run", "a test run", 1.7e9)
SAID = Origin("profile", "network.bandwidth")


def measured(files: float, size: float) -> Roofline:
    return Roofline(Figure(files, MEASURED), Figure(size, MEASURED))


def evenly(files: int, size: int, others: int = 0) -> Dataset:
    """Files that are all about as large."""
    mean = size // files if files else 0
    return Dataset(files, size, others, mean, (SizeBin(0, mean + 1, files, size),))


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Bins of powers of ten, some empty; also no files, no bytes, and one huge file."""
    bins = []
    for power in draw(st.sets(st.integers(0, 13), max_size=6)):
        low, high = 10**power, 10 ** (power + 1)
        files = draw(st.integers(0, 10**6))
        bins.append(SizeBin(low, high, files, files * draw(st.integers(low, high - 1))))
    bins.sort(key=lambda each: each.low)
    empty = draw(st.integers(0, 1_000))
    bins.insert(0, SizeBin(0, 1, empty, 0))
    files, size = sum(each.files for each in bins), sum(each.bytes for each in bins)
    largest = max((each.high - 1 for each in bins if each.files), default=0)
    kept = tuple(bins) if draw(st.booleans()) else ()
    return Dataset(files, size, draw(st.integers(0, 10**5)), min(largest, size), kept)


RATES = st.floats(1e2, 1e11)

ORIGINS = st.sampled_from(["default", "profile", "survey", "probe", "test run", "execution"]).map(
    lambda kind: Origin(kind, "somewhere")  # type: ignore[arg-type]
)

FIGURES = st.builds(Figure, RATES, ORIGINS)
ROOFLINES = st.builds(Roofline, FIGURES, FIGURES)

LIMITS = st.lists(
    st.builds(
        PlanLimit,
        st.sampled_from(["one", "two", "three", "four"]),
        st.sampled_from(["agent", "host", "mount", "link", "source", "destination"]),
        ORIGINS,
        RATES,
        st.one_of(st.none(), RATES),
    ),
    min_size=1,
    max_size=6,
)
