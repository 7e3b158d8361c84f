"""Which sizes of files take the time of a transfer, by what one agent can do, and what that says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from engine.planning.capacity import busy_seconds
from engine.planning.values import Dataset, Roofline, SizeBin
from engine.quantities import format_bytes, format_share

SMALLEST_ROW = 1_000
"""Sizes in bytes: what is smaller is one bin, and what is LARGEST_ROW or more is another."""

LARGEST_ROW = 10**9

RULES = 2 / 3
"""Of the time: what takes as much of it decides alone."""


class SizeTime(NamedTuple):
    """A bin of sizes, the seconds that it takes one agent, and what it costs them by: the number of files, or bytes."""

    bin: SizeBin
    seconds: float
    by: Literal["files", "bytes"]


class SizeTimes(NamedTuple):
    """Bins in order of size. Those before ``knee_index`` cost files/s, those from it on bytes/s.

    ``knee_bytes``: the size at which both bind alike. ``largest_seconds``: of the largest file alone.
    """

    bins: tuple[SizeTime, ...]
    knee_bytes: float
    knee_index: int
    largest_bytes: int
    largest_seconds: float

    @property
    def files(self) -> int:
        """All files."""
        return sum(each.bin.files for each in self.bins)

    @property
    def bytes(self) -> int:
        """All bytes."""
        return sum(each.bin.bytes for each in self.bins)

    @property
    def seconds(self) -> float:
        """All bins one after the other; folders and links are not in it."""
        return sum(each.seconds for each in self.bins)


ROWS = (
    SizeBin(0, 1, 0, 0),
    SizeBin(1, SMALLEST_ROW, 0, 0),
    *(SizeBin(10**power, 10 ** (power + 1), 0, 0) for power in range(3, 10)),
)
"""All rows that decimal_bins() knows, empty."""


def decimal_bins(bins: Sequence[SizeBin], like: Sequence[SizeBin] = ()) -> tuple[SizeBin, ...]:
    """Bins by powers of ten as few rows: empty, below SMALLEST_ROW, by tens, from LARGEST_ROW on.

    From the first to the last that holds files; the last ends at what the largest ended at. ``like``: these rows are
    there in any case, and no row is left out.
    """
    rows: dict[int, SizeBin] = {each.low: SizeBin(each.low, each.high, 0, 0) for each in like}
    for each in bins:
        key = each.low if each.high <= 1 else 1 if each.high <= SMALLEST_ROW else min(each.low, LARGEST_ROW)
        have = rows.get(key, SizeBin(key, each.high, 0, 0))
        rows[key] = SizeBin(key, max(have.high, each.high), have.files + each.files, have.bytes + each.bytes)
    found = [rows[key] for key in sorted(rows)]
    if like:
        return tuple(found)
    filled = [index for index, each in enumerate(found) if each.files]
    return tuple(found[filled[0] : filled[-1] + 1]) if filled else ()


def size_times(bins: Sequence[SizeBin], one: Roofline, largest_bytes: int = 0) -> SizeTimes:
    """What each bin takes one agent: ``max(n / F, s / B)`` seconds, the roofline of capacity.busy_seconds."""
    times = []
    for each in bins:
        by_files, by_bytes = busy_seconds(Dataset(each.files, each.bytes, bins=(each,)), one)
        typical = each.bytes / each.files if each.files else (each.low * each.high) ** 0.5
        by: Literal["files", "bytes"] = "files" if typical < one.knee_bytes else "bytes"
        times.append(SizeTime(each, by_files + by_bytes, by))
    knee = sum(each.by == "files" for each in times)
    return SizeTimes(tuple(times), one.knee_bytes, knee, largest_bytes, largest_bytes / one.bytes_per_second.value)


def decides(times: SizeTimes, *, so_far: bool = False) -> str:
    """One sentence: whether the number of files or the bytes in them take the time, and by how much.

    ``so_far``: there is more than was counted.
    """
    said = _decides(times)
    if not so_far:
        return said
    shorter = said.replace("but they take", "but take").partition(" (")[0].removesuffix(".")
    return f"So far {shorter[0].lower()}{shorter[1:]}."


def _decides(times: SizeTimes) -> str:
    whole = times.seconds
    small = times.bins[: times.knee_index]
    if not times.files:
        return "There is no file here: there is nothing to copy."
    if whole <= 0:
        return "Nothing decides: it takes no time."
    if times.largest_seconds > whole / 2 and times.files > 1:
        share = format_share(times.largest_seconds, whole)
        return f"One file decides: the largest has {format_bytes(times.largest_bytes)} and takes {share} of the time."
    files = format_share(sum(each.bin.files for each in small), times.files)
    size = format_share(sum(each.bin.bytes for each in small), times.bytes)
    seconds = sum(each.seconds for each in small)
    share = format_share(seconds, whole)
    if not seconds:
        return f"Bytes decide: no files to speak of are below the knee of {format_bytes(times.knee_bytes)}."
    if seconds <= whole * (1 - RULES):
        return f"Bytes decide: {files} of the files are small, but they take {share} of the time."
    if seconds >= whole * RULES and times.bytes:
        return f"File count decides: {share} of the time is for small files ({size} of the bytes)."
    if seconds >= whole * RULES:
        return f"File count decides: all are empty, and take {share} of the time."
    return f"Both decide: small files, {files} of all, take {share} of the time."
