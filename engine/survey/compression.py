"""How well contents compress: zstd on a sample, stratified by extension and size, with the error that sampling has."""

from __future__ import annotations

import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import zstandard

from engine.locations.base import Reads
from engine.survey.facts import Compressibility, ExtensionRatio
from engine.survey.report import SurveyReport
from engine.survey.samples import Chosen, Stratum, strata

LEVEL = 1
PIECE_BYTES = 128 << 10
"""What is read of a file, from a random place in it."""

MOST_BYTES = 64 << 20
MOST_SECONDS = 5.0
FILES_A_STRATUM = 48
"""Then the error of a stratum is a seventh of the spread in it; they are read in turns, so all get some early."""

FEW = 5
"""Pieces of a stratum below which their spread tells nothing."""

NAMED_EXTENSIONS = 12
_READERS = 8
_Z95 = 1.96


class _Piece(NamedTuple):
    """Bytes read and what they became."""

    size: int
    compressed: int

    @property
    def ratio(self) -> float:
        return min(1.0, self.compressed / self.size)


def compressibility(
    location: Reads, report: SurveyReport, segments: Sequence[Path], spill: Path, cancelled: Callable[[], bool]
) -> Compressibility | None:
    """Read pieces of some files and compress them; None if nothing could be read. Raises OSError.

    Ends after MOST_BYTES or MOST_SECONDS, or once ``cancelled``, with what there is by then. Files that cannot be read
    are left out. Objects in cold storage classes are not read, and ``covered`` says so.
    """
    names = [each.extension for each in report.extensions[:NAMED_EXTENSIONS]]
    found = strata(segments, spill, names, FILES_A_STRATUM)
    pieces = _read(location, found, cancelled)
    return _summary(found, pieces, report.bytes)


def _read(location: Reads, found: Sequence[Stratum], cancelled: Callable[[], bool]) -> dict[int, list[_Piece]]:
    """Pieces by the index of their stratum, a few at a time, the strata in turns."""
    until = time.monotonic() + MOST_SECONDS
    pieces: dict[int, list[_Piece]] = defaultdict(list)
    total = 0
    waiting: dict[Future[_Piece | None], int] = {}
    turns = _turns(found)
    with ThreadPoolExecutor(_READERS, "xsync-sample") as pool:
        over = False
        while True:
            over = over or total >= MOST_BYTES or time.monotonic() >= until or cancelled()
            while not over and len(waiting) < 2 * _READERS and (turn := next(turns, None)) is not None:
                index, chosen = turn
                waiting[pool.submit(_piece, location, chosen)] = index
            if not waiting:
                return pieces
            for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                index = waiting.pop(done)
                if (piece := done.result()) is not None:
                    pieces[index].append(piece)
                    total += piece.size


def _turns(found: Sequence[Stratum]) -> Iterator[tuple[int, Chosen]]:
    for turn in zip_longest(*(stratum.chosen for stratum in found)):
        yield from ((index, chosen) for index, chosen in enumerate(turn) if chosen is not None)


def _piece(location: Reads, chosen: Chosen) -> _Piece | None:
    """Read and compress a piece of a file, from a place that its path decides; None if that cannot be read."""
    size = min(PIECE_BYTES, chosen.size)
    start = random.Random(chosen.path).randrange(chosen.size - size + 1)
    buffer = memoryview(bytearray(size))
    try:
        file = location.open_file(chosen.path, start, start + size)
        try:
            count = file.read_into(buffer, start)
        finally:
            file.close()
    except OSError:
        return None
    if not count:
        return None
    return _Piece(count, len(zstandard.ZstdCompressor(level=LEVEL).compress(buffer[:count])))


def _summary(found: Sequence[Stratum], pieces: dict[int, list[_Piece]], all_bytes: int) -> Compressibility | None:
    """The mean of the strata by their bytes, and its error.

    Pieces were drawn by size, so the mean of their ratios stands for the bytes of their stratum. Variance of the whole:
    the sum of W^2 s^2 / n (Cochran, Sampling Techniques, 5.3), where n < FEW with the largest s there is.
    """
    measured = [index for index in range(len(found)) if pieces.get(index)]
    spoken_for = sum(found[index].bytes for index in measured)
    if not spoken_for:
        return None
    weights = {index: found[index].bytes / spoken_for for index in measured}
    means = {index: _mean([piece.ratio for piece in pieces[index]]) for index in measured}
    return Compressibility(
        ratio=sum(weights[index] * means[index] for index in measured),
        error=_error(weights, [[piece.ratio for piece in pieces[index]] for index in measured]),
        sampled_bytes=sum(piece.size for some in pieces.values() for piece in some),
        sampled_files=sum(map(len, pieces.values())),
        covered=spoken_for / max(1, all_bytes),
        level=LEVEL,
        by_extension=_by_extension(found, pieces, means),
    )


def _error(weights: dict[int, float], ratios: Sequence[Sequence[float]]) -> float | None:
    spreads = [_variance(some) for some in ratios if len(some) >= FEW]
    if not spreads:
        return None
    widest = max(spreads)
    variance = sum(
        weight**2 * (_variance(some) if len(some) >= FEW else widest) / len(some)
        for weight, some in zip(weights.values(), ratios, strict=True)
    )
    return _Z95 * math.sqrt(variance)


def _by_extension(
    found: Sequence[Stratum], pieces: dict[int, list[_Piece]], means: dict[int, float]
) -> tuple[ExtensionRatio, ...]:
    rows = []
    for extension in sorted({found[index].extension for index in means}):
        own = [index for index in means if found[index].extension == extension]
        whole = sum(found[index].bytes for index in own)
        ratio = sum(means[index] * found[index].bytes for index in own) / whole
        rows.append(ExtensionRatio(extension, ratio, sum(piece.size for index in own for piece in pieces[index])))
    return tuple(sorted(rows, key=lambda row: (-row.ratio, row.extension)))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)
