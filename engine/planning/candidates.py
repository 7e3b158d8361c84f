"""Which folders of a dataset a test run copies: those whose mix of sizes is most like the whole. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from engine.planning.values import Roofline, SizeBin
from engine.quantities import format_percent

MOST_SHARE = 0.5
"""A folder with more of the whole than this leaves nothing comparable for other steps."""

LIKE_ENOUGH = 0.05
"""Folders that differ by less in their distance are alike; then the one that fits better is taken."""


class FolderMix(NamedTuple):
    """A folder with all below it: its files by size. ``b""`` is the whole dataset."""

    path: bytes
    bins: tuple[SizeBin, ...]

    @property
    def files(self) -> int:
        """Files of all sizes."""
        return sum(each.files for each in self.bins)

    @property
    def bytes(self) -> int:
        """Their bytes."""
        return sum(each.bytes for each in self.bins)


class Candidate(NamedTuple):
    """A folder, its ``distance`` from the whole (0: the same mix, 1: no size in common), and ``seconds`` of one agent.

    ``problem``: why it is not taken by itself, empty if it may be.
    """

    mix: FolderMix
    distance: float
    seconds: float
    problem: str = ""


class Choice(NamedTuple):
    """What a step copies: folders that lie beside each other, their bins together, and the distance of these."""

    folders: tuple[bytes, ...]
    bins: tuple[SizeBin, ...]
    distance: float
    seconds: float


def distance(one: Sequence[SizeBin], other: Sequence[SizeBin]) -> float:
    """How much two mixes differ: the mean of the total variation of their files and of their bytes over size bins.

    0 for equal shares, 1 if no bin is in both; symmetric, and it obeys the triangle inequality. Bins with the same
    ``low`` are the same bin. Two empty mixes are alike; an empty and another one differ by 1.
    """
    return (_variation(one, other, "files") + _variation(one, other, "bytes")) / 2


def _variation(one: Sequence[SizeBin], other: Sequence[SizeBin], what: str) -> float:
    first, second = _shares(one, what), _shares(other, what)
    return sum(abs(first.get(low, 0.0) - second.get(low, 0.0)) for low in first | second) / 2 + (
        0.5 if bool(first) != bool(second) else 0.0
    )


def _shares(bins: Sequence[SizeBin], what: str) -> dict[int, float]:
    counts = {each.low: int(getattr(each, what)) for each in bins if getattr(each, what)}
    whole = sum(counts.values())
    return {low: count / whole for low, count in counts.items()}


class Amount(Protocol):
    """Files of about one size."""

    @property
    def files(self) -> float:
        """How many."""

    @property
    def bytes(self) -> float:
        """Their bytes."""


def seconds_of(bins: Iterable[Amount], roofline: Roofline) -> float:
    """How long one agent takes: by bin, files/s or bytes/s, whichever binds there; both where they add up."""
    files, size = roofline.files_per_second.value, roofline.bytes_per_second.value
    together = sum if roofline.adds else max
    return sum(together((each.files / files, each.bytes / size)) for each in bins)


def together(bins: Iterable[SizeBin]) -> tuple[SizeBin, ...]:
    """Bins of several folders as those of one."""
    found: dict[int, SizeBin] = {}
    for each in bins:
        known = found.get(each.low)
        files, size = (known.files, known.bytes) if known else (0, 0)
        found[each.low] = SizeBin(each.low, each.high, files + each.files, size + each.bytes)
    return tuple(found[low] for low in sorted(found))


def rank(folders: Sequence[FolderMix], whole: FolderMix, roofline: Roofline, needed: float) -> list[Candidate]:
    """All folders with files, those most like the whole first. ``needed``: seconds of one agent that a step takes."""
    everything = seconds_of(whole.bins, roofline)
    found = []
    for mix in folders:
        if not mix.files or not mix.path:
            continue
        seconds = seconds_of(mix.bins, roofline)
        problem = ""
        if seconds < needed:
            problem = f"too small alone: {seconds:.3g} s of one agent's work, a steady rate takes {needed:.3g} s"
        elif seconds > MOST_SHARE * everything:
            problem = (
                f"too large: {format_percent(seconds / everything)} of all, other steps would find nothing like it"
            )
        found.append(Candidate(mix, distance(mix.bins, whole.bins), seconds, problem))
    return sorted(found, key=lambda each: (each.distance, -each.seconds, each.mix.path))


def choose(
    candidates: Sequence[Candidate], whole: FolderMix, needed: float, taken: Iterable[bytes] = ()
) -> Choice | None:
    """Folders for a step that needs so many ``seconds`` of one agent; none that is, holds or lies in a ``taken`` one.

    One folder if there is one that is about as like the whole as several together; None if nothing is left.
    """
    used = tuple(taken)
    free = [each for each in candidates if not _touches(each.mix.path, used)]
    single = _best_single([each for each in free if each.seconds >= needed and not each.problem])
    several = _combined(free, whole, needed)
    if several is None:
        return single
    if single is not None and single.distance <= several.distance + LIKE_ENOUGH:
        return single
    if single is None and several.seconds < needed:
        large = _best_single([each for each in free if each.seconds > several.seconds])
        return large or several
    return several


def choice_of(mixes: Sequence[FolderMix], whole: FolderMix, roofline: Roofline) -> Choice:
    """A step that a person chose."""
    bins = together(each for mix in mixes for each in mix.bins)
    paths = tuple(mix.path for mix in mixes)
    return Choice(paths, bins, distance(bins, whole.bins), seconds_of(bins, roofline))


def _best_single(candidates: Sequence[Candidate]) -> Choice | None:
    """The smallest of those that are about as like the whole as the best one."""
    if not candidates:
        return None
    best = min(each.distance for each in candidates)
    alike = [each for each in candidates if each.distance <= best + LIKE_ENOUGH]
    found = min(alike, key=lambda each: (each.seconds, each.mix.path))
    return Choice((found.mix.path,), found.mix.bins, found.distance, found.seconds)


def _combined(candidates: Sequence[Candidate], whole: FolderMix, needed: float) -> Choice | None:
    """Folders, best first, until there is enough; those that alone are too large are left out."""
    paths: list[bytes] = []
    bins: list[SizeBin] = []
    seconds = 0.0
    for each in candidates:
        if seconds >= needed:
            break
        if each.problem.startswith("too large") or each.seconds > 2 * needed or _touches(each.mix.path, paths):
            continue
        paths.append(each.mix.path)
        bins += each.mix.bins
        seconds += each.seconds
    if not paths:
        return None
    mixed = together(bins)
    return Choice(tuple(paths), mixed, distance(mixed, whole.bins), seconds)


def _touches(path: bytes, others: Iterable[bytes]) -> bool:
    return any(
        path == other or path.startswith(other + b"/") or other.startswith(path + b"/") or not other for other in others
    )
